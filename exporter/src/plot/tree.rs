//! The tree of the lecture: which characters each node sees, and what one more character makes new.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{PlotError, RunData, color, draw};

/// More leaves than this cannot be told apart.
const LEAVES: usize = 64;
/// Where the tree begins: what stands to the left of it says what a row is.
const LEFT: i32 = 330;
const ROW: i32 = 92;

/// Characters below, the prediction on top; the nodes that are new for a new character in colour.
pub fn tree(run: &RunData) -> Result<String, PlotError> {
    let block_size: usize = run.levels.iter().map(|(fuse, _)| fuse).product();
    let shown = block_size.min(LEAVES);
    let step = (720 / i32::try_from(shown).expect("at most 64")).clamp(14, 76);
    let width = LEFT + step * i32::try_from(shown).expect("at most 64") + 30;
    let rows = i32::try_from(run.levels.len()).expect("few levels") + 2;
    let height = 62 + rows * ROW;
    let size = [width.max(760), height].map(|length| u32::try_from(length).expect("above 0"));
    draw("the tree", (size[0], size[1]), |area| {
        let font = |size: i32| ("sans-serif", size).into_font();
        let say = |text: String, place: (i32, i32), size, color: &RGBColor, pos: Pos| {
            area.draw(&Text::new(text, place, font(size).color(color).pos(pos)))
        };
        let left = Pos::new(HPos::Left, VPos::Center);
        let middle = Pos::new(HPos::Center, VPos::Center);
        let gray = RGBColor(150, 150, 150);
        let title = format!("{}: how {block_size} characters become one prediction", run.name);
        say(title, (16, 22), 18, &BLACK, left)?;
        let y = |row: i32| 62 + (rows - 1 - row) * ROW + ROW / 2 - 12;
        // Of the shown part, counted from the right: the newest character is the last one.
        let x = |receptive: usize, node: usize| {
            let right = (node + 1) * receptive;
            let centre = right as f64 - receptive as f64 / 2.0;
            LEFT + (centre * f64::from(step)) as i32
        };

        say("characters".to_owned(), (16, y(0) - 9), 15, &BLACK, left)?;
        let more = if shown < block_size {
            format!("the last {shown} of {block_size}")
        } else {
            "by distance to what comes next".to_owned()
        };
        say(more, (16, y(0) + 11), 13, &gray, left)?;
        let mut receptive = 1;
        let mut newest = Vec::new();
        let mut below: Vec<(i32, i32)> = Vec::new();
        for leaf in 0..shown {
            let place = (x(1, leaf), y(0));
            let newest = leaf + 1 == shown;
            let hue = if newest { color(1) } else { gray };
            let half = (step / 2 - 2).min(22);
            let corners = [(place.0 - half, place.1 - 15), (place.0 + half, place.1 + 15)];
            area.draw(&Rectangle::new(corners, hue.mix(0.14).filled()))?;
            area.draw(&Rectangle::new(corners, hue.stroke_width(1)))?;
            if step >= 26 {
                say(format!("\u{2212}{}", shown - leaf), place, 14, &if newest { hue } else { BLACK }, middle)?;
            }
            below.push((place.0, place.1 - 15));
        }
        for (level, (fuse, channels)) in run.levels.iter().enumerate() {
            let row = i32::try_from(level).expect("few levels") + 1;
            receptive *= fuse;
            say(format!("level {level}: joins {fuse}, {channels} values"), (16, y(row) - 9), 15, &BLACK, left)?;
            say(format!("sees {receptive} characters"), (16, y(row) + 11), 13, &gray, left)?;
            // A part of a very wide tree may end in the middle of a node's inputs.
            let nodes = (shown / receptive).max(1);
            let mut places = Vec::new();
            for node in 0..nodes {
                let place = if shown < receptive { (x(shown, 0), y(row)) } else { (x(receptive, node), y(row)) };
                let is_newest = node + 1 == nodes;
                let hue = if is_newest { color(1) } else { gray };
                let inputs = below.len() / nodes;
                for input in &below[node * inputs..(node + 1) * inputs] {
                    let last = is_newest && Some(input) == below.last();
                    let line = if last { color(1).stroke_width(2) } else { gray.stroke_width(1) };
                    area.draw(&PathElement::new(vec![*input, (place.0, place.1 + 12)], line))?;
                }
                area.draw(&Circle::new(place, 12, WHITE.filled()))?;
                area.draw(&Circle::new(place, 12, hue.mix(0.14).filled()))?;
                area.draw(&Circle::new(place, 12, hue.stroke_width(2)))?;
                places.push((place.0, place.1 - 12));
            }
            newest.extend(places.last().map(|place| (place.0, place.1 + 12)));
            below = places;
        }
        let root = (below.last().map_or(LEFT, |place| place.0), y(rows - 1));
        if run.skip {
            // Around the levels above: to the right of them, and into the side of the logits.
            for newest in &newest[..newest.len() - 1] {
                let path = vec![(newest.0 + 12, newest.1), (root.0 + 40, root.1)];
                area.draw(&PathElement::new(path, color(1).stroke_width(1)))?;
            }
        }
        say("prediction".to_owned(), (16, root.1 - 9), 15, &BLACK, left)?;
        say("a score for every next character".to_owned(), (16, root.1 + 11), 13, &gray, left)?;
        if let Some(top) = below.last() {
            area.draw(&PathElement::new(vec![*top, (root.0, root.1 + 15)], color(1).stroke_width(2)))?;
        }
        let corners = [(root.0 - 40, root.1 - 15), (root.0 + 40, root.1 + 15)];
        area.draw(&Rectangle::new(corners, color(1).mix(0.14).filled()))?;
        area.draw(&Rectangle::new(corners, color(1).stroke_width(2)))?;
        say("logits".to_owned(), root, 14, &color(1), middle)?;
        let note = "in colour: what a new character makes new on the chip; the rest is kept from before";
        say(note.to_owned(), (16, height - 14), 13, &color(1), left)?;
        Ok(())
    })
}
