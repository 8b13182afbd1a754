//! The tree of a word with the values of every node as a small picture: orange above zero, blue below, white at it.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{PlotError, color, draw};
use crate::inference::activations::Tree;

/// Most characters that a picture has room for.
pub const MAX_CHARACTERS: usize = 64;
/// Where the tree begins: what stands to the left of it says what a row is.
const LEFT: i32 = 190;
/// Width of the tree, if its nodes leave a choice.
const WIDTH: i32 = 880;
/// Between two rows.
const GAP: i32 = 52;
/// Next characters that are shown.
const SHOWN: usize = 12;

/// A node's picture: cells of a size in so many columns.
struct Grid {
    columns: i32,
    rows: i32,
    cell: i32,
}

impl Grid {
    /// About three times as wide as high, of at most that width; without a rest in the last row where that is possible.
    fn new(values: usize, room: i32) -> Self {
        let wide = (values as f64 * 3.0).sqrt() / 8.0;
        let eights = wide.ceil() as usize;
        let even = (1..=2 * eights).find(|n| values.is_multiple_of(8 * n) && (*n as f64 / wide).ln().abs() < 0.4);
        let wide = 8 * i32::try_from(even.unwrap_or(eights)).expect("at most 4096");
        let values = i32::try_from(values).expect("at most 4096");
        let columns = wide.min((room / 2 / 8 * 8).max(8)).min(values).max(1);
        let rows = (values + columns - 1) / columns;
        Self { columns, rows, cell: (room / columns).clamp(2, 9) }
    }

    fn size(&self) -> (i32, i32) {
        (self.columns * self.cell, self.rows * self.cell)
    }
}

/// White at 0, the two colours at -1 and 1.
fn shade(value: f32) -> RGBColor {
    let end = if value < 0.0 { color(0) } else { color(1) };
    let part = f64::from(value.abs().min(1.0));
    let mix = |channel: u8| (255.0 + (f64::from(channel) - 255.0) * part).round() as u8;
    RGBColor(mix(end.0), mix(end.1), mix(end.2))
}

/// The picture. `model` is what to call the model.
pub fn activations(model: &str, tree: &Tree) -> Result<String, PlotError> {
    let refused = |reason: &str| PlotError::Draw { what: "the tree".to_owned(), reason: reason.to_owned() };
    let leaves = i32::try_from(tree.characters.len()).map_err(|_| refused("too many characters"))?;
    if tree.characters.len() > MAX_CHARACTERS {
        return Err(refused("a window of more than 64 characters has no room in a picture: write .json"));
    }
    let step = (WIDTH / leaves).clamp(36, 120);
    let grids: Vec<Grid> = tree
        .levels
        .iter()
        .map(|level| {
            let room = step * i32::try_from(level.receptive_field).expect("at most 64") - 14;
            Grid::new(level.nodes.first().map_or(0, |node| node.values.len()), room)
        })
        .collect();
    let tree_width = step * leaves;
    // Wide enough for the scale below.
    let width = LEFT + tree_width.max(560) + if tree.skip { 56 } else { 30 };
    // Rows from the top: title, next characters, levels from the last to the first, characters, legend.
    let top = 46;
    let bars = 118;
    let mut tops = vec![0; grids.len()];
    let mut y = top + bars + GAP;
    for (level, grid) in grids.iter().enumerate().rev() {
        tops[level] = y;
        y += grid.size().1 + GAP;
    }
    let (letters, height) = (y, y + 34 + 56);
    let size = [width, height].map(|length| u32::try_from(length).expect("above 0"));
    draw("the tree", (size[0], size[1]), |area| {
        let font = |size: i32| ("sans-serif", size).into_font();
        let say = |text: &str, place: (i32, i32), size, color: &RGBColor, pos: Pos| {
            area.draw(&Text::new(text.to_owned(), place, font(size).color(color).pos(pos)))
        };
        let left = Pos::new(HPos::Left, VPos::Center);
        let middle = Pos::new(HPos::Center, VPos::Center);
        let gray = RGBColor(120, 120, 120);
        let line = RGBColor(185, 185, 185);
        let seen: String = tree.word.chars().take(tree.position).collect();
        let what = if seen.is_empty() {
            "at the start of a word".to_owned()
        } else {
            format!("behind \u{201c}{seen}\u{201d}")
        };
        say(&format!("{model} {what}: what every node gives"), (16, 20), 18, &BLACK, left)?;

        // Middle and edges of a node.
        let centre = |receptive: usize, node: usize| {
            let receptive = i32::try_from(receptive).expect("at most 64");
            LEFT + receptive * step * i32::try_from(node).expect("at most 64") + receptive * step / 2
        };
        let base = top + bars;

        // Lines first, so that pictures lie upon them.
        let mut below: Vec<(i32, i32)> = (0..tree.characters.len()).map(|at| (centre(1, at), letters)).collect();
        for (level, shape) in tree.levels.iter().enumerate() {
            let bottom = tops[level] + grids[level].size().1;
            let mut tops_of = Vec::new();
            for node in 0..shape.nodes.len() {
                let x = centre(shape.receptive_field, node);
                for (at, input) in below[node * shape.fuse..(node + 1) * shape.fuse].iter().enumerate() {
                    let newest = node + 1 == shape.nodes.len() && at + 1 == shape.fuse;
                    let style = if newest { color(1).stroke_width(2) } else { line.stroke_width(1) };
                    area.draw(&PathElement::new(vec![(input.0, input.1 - 3), (x, bottom + 3)], style))?;
                }
                tops_of.push((x, tops[level]));
            }
            below = tops_of;
        }
        let root = centre(tree.characters.len(), 0);
        area.draw(&PathElement::new(vec![(root, below[0].1 - 3), (root, base + 4)], color(1).stroke_width(2)))?;
        if tree.skip && tree.levels.len() > 1 {
            // Around the levels above, to the right of them, and into the prediction from the side; the lowest farthest out, so
            // that no line crosses another.
            let right = LEFT + tree_width.max(560) + 18;
            let last = tree.levels.len() - 1;
            let join = base + 20;
            for (level, shape) in tree.levels.iter().enumerate().take(last) {
                let (wide, high) = grids[level].size();
                let from =
                    (centre(shape.receptive_field, shape.nodes.len() - 1) + wide / 2 + 3, tops[level] + high / 2);
                let x = right + 6 * i32::try_from(last - 1 - level).expect("few levels");
                let path = vec![from, (x, from.1), (x, join), (root, join)];
                area.draw(&PathElement::new(path, color(1).stroke_width(1)))?;
            }
            say("skip", (right - 6, join - 11), 12, &color(1), Pos::new(HPos::Right, VPos::Center))?;
        }

        for (level, shape) in tree.levels.iter().enumerate() {
            let grid = &grids[level];
            let (wide, high) = grid.size();
            for (index, node) in shape.nodes.iter().enumerate() {
                let corner = (centre(shape.receptive_field, index) - wide / 2, tops[level]);
                // What has no value is grey, which no value is.
                area.draw(&Rectangle::new(
                    [corner, (corner.0 + wide, corner.1 + high)],
                    RGBColor(225, 225, 225).filled(),
                ))?;
                for (at, &value) in node.values.iter().enumerate() {
                    let at = i32::try_from(at).expect("at most 4096");
                    let (x, y) = (corner.0 + at % grid.columns * grid.cell, corner.1 + at / grid.columns * grid.cell);
                    area.draw(&Rectangle::new([(x, y), (x + grid.cell, y + grid.cell)], shade(value).filled()))?;
                }
                let newest = index + 1 == shape.nodes.len();
                let frame = if newest { color(1).stroke_width(2) } else { gray.stroke_width(1) };
                area.draw(&Rectangle::new([(corner.0 - 1, corner.1 - 1), (corner.0 + wide, corner.1 + high)], frame))?;
            }
            let values = shape.nodes.first().map_or(0, |node| node.values.len());
            let y = tops[level] + high / 2;
            say(&format!("level {level}"), (16, y - 18), 15, &BLACK, left)?;
            say(&format!("{values} values of"), (16, y + 1), 13, &gray, left)?;
            say(&format!("{} characters each", shape.receptive_field), (16, y + 18), 13, &gray, left)?;
        }

        for (at, character) in tree.characters.iter().enumerate() {
            let place = (centre(1, at), letters + 14);
            let in_front = tree.characters.len() - at > tree.position;
            let hue = if in_front { gray } else { BLACK };
            let half = (step / 2 - 3).min(20);
            let newest = at + 1 == tree.characters.len();
            let frame = if newest { color(1).stroke_width(2) } else { line.stroke_width(1) };
            area.draw(&Rectangle::new([(place.0 - half, letters), (place.0 + half, letters + 28)], frame))?;
            say(&character.to_string(), place, 17, &hue, middle)?;
        }
        say("characters", (16, letters + 14), 15, &BLACK, left)?;

        // What comes next: bars beside one another, the one that stands in the word in colour.
        let shown = tree.next.len().min(SHOWN);
        let slot = (tree_width.max(440) / i32::try_from(shown).expect("at most 12")).min(64);
        let first = (root - slot * i32::try_from(shown).expect("at most 12") / 2).max(LEFT);
        let ends = [(first, base + 4), (first + slot * i32::try_from(shown).expect("at most 12"), base + 4)];
        area.draw(&PathElement::new(ends.to_vec(), color(1).stroke_width(2)))?;
        let largest = tree.next.first().map_or(1.0, |next| next.probability).max(1e-9);
        for (at, next) in tree.next.iter().take(shown).enumerate() {
            let x = first + slot * i32::try_from(at).expect("at most 12") + slot / 2;
            let high = (58.0 * next.probability / largest).round() as i32;
            let is_actual = tree.position < tree.word.chars().count() && next.character == tree.actual
                || tree.position == tree.word.chars().count() && next.character.is_none();
            let hue = if is_actual { color(1) } else { color(6) };
            let floor = base - 26;
            area.draw(&Rectangle::new(
                [(x - slot / 2 + 6, floor - high), (x + slot / 2 - 6, floor)],
                hue.mix(0.75).filled(),
            ))?;
            let percent = 100.0 * next.probability;
            let percent = if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") };
            say(&percent, (x, floor - high - 9), 12, &hue, middle)?;
            let name = next.character.map_or("end".to_owned(), |character| character.to_string());
            say(&name, (x, floor + 13), if next.character.is_some() { 16 } else { 13 }, &hue, middle)?;
        }
        say("what comes next", (16, base - 62), 15, &BLACK, left)?;
        say("in colour: what does", (16, base - 43), 13, &gray, left)?;
        say("in this word", (16, base - 26), 13, &gray, left)?;

        // The scale.
        let (x, y) = (LEFT, height - 24);
        for at in 0..120 {
            let value = at as f32 / 59.5 - 1.0;
            area.draw(&Rectangle::new([(x + 2 * at, y - 6), (x + 2 * at + 2, y + 6)], shade(value).filled()))?;
        }
        area.draw(&Rectangle::new([(x, y - 6), (x + 240, y + 6)], line.stroke_width(1)))?;
        let right = Pos::new(HPos::Right, VPos::Center);
        say("\u{2212}1", (x - 8, y), 13, &gray, right)?;
        say("1", (x + 248, y), 13, &gray, left)?;
        say("framed in colour: new with the last character", (x + 274, y), 13, &color(1), left)?;
        Ok(())
    })
}
