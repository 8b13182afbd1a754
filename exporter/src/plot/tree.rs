//! The lecture's tree: the characters that each node sees, and the nodes that are computed for a new character.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::sheet::{Drawn, Place, Sheet};
use super::{PlotError, RunData, color, draw};

/// Largest number of characters in the picture: more could not be distinguished.
const LEAVES: usize = 64;
/// Left edge of the tree; the descriptions of the rows are to the left of it.
const LEFT: i32 = 330;
const ROW: i32 = 92;
const GRAY: RGBColor = RGBColor(150, 150, 150);

/// Draws the tree: characters at the bottom, the prediction at the top, the nodes computed for a new character in
/// colour.
pub fn tree(run: &RunData) -> Result<String, PlotError> {
    let block_size: usize = run.levels.iter().map(|(fuse, _)| fuse).product();
    let shown = block_size.min(LEAVES);
    let leaves = i32::try_from(shown).expect("at most 64");
    let step = (720 / leaves).clamp(14, 76);
    let width = LEFT + step * leaves + 30;
    let rows = i32::try_from(run.levels.len()).expect("few levels") + 2;
    let height = 62 + rows * ROW;
    let size = [width.max(760), height].map(|length| u32::try_from(length).expect("above 0"));
    draw("the tree", (size[0], size[1]), |area| {
        let picture = Picture { sheet: Sheet(area), shown, step, rows };
        let title = format!("{}: from {block_size} characters to one prediction", run.name);
        picture.sheet.say(&title, (16, 22), 18, &BLACK, HPos::Left)?;
        let mut below = picture.characters(block_size)?;
        let mut receptive = 1;
        let mut newest = Vec::new();
        for (level, &(fuse, channels)) in run.levels.iter().enumerate() {
            receptive *= fuse;
            let row = i32::try_from(level).expect("few levels") + 1;
            picture.label(row, &format!("level {level}: joins {fuse}, {channels} values"))?;
            picture.note(row, &format!("sees {receptive} characters"))?;
            let nodes = picture.nodes(row, receptive, &below)?;
            newest.extend(nodes.last().copied());
            below = nodes.iter().map(|node| (node.0, node.1 - 12)).collect();
        }
        let skips = if run.skip { &newest[..newest.len() - 1] } else { &[] };
        picture.prediction(below.last().copied(), skips)?;
        let note = "in colour: computed on the chip for a new character; all other nodes are kept from before";
        picture.sheet.say(note, (16, height - 14), 13, &color(1), HPos::Left)
    })
}

struct Picture<'a, 'b> {
    sheet: Sheet<'a, 'b>,
    /// Number of characters in the picture.
    shown: usize,
    /// Distance between two characters.
    step: i32,
    rows: i32,
}

impl Picture<'_, '_> {
    fn y(&self, row: i32) -> i32 {
        62 + (self.rows - 1 - row) * ROW + ROW / 2 - 12
    }

    /// Returns the centre of a node of the shown part. The newest character is the last one.
    fn x(&self, receptive: usize, node: usize) -> i32 {
        let right = (node + 1) * receptive;
        let centre = right as f64 - receptive as f64 / 2.0;
        LEFT + (centre * f64::from(self.step)) as i32
    }

    fn label(&self, row: i32, text: &str) -> Drawn {
        self.sheet.say(text, (16, self.y(row) - 9), 15, &BLACK, HPos::Left)
    }

    fn note(&self, row: i32, text: &str) -> Drawn {
        self.sheet.say(text, (16, self.y(row) + 11), 13, &GRAY, HPos::Left)
    }

    fn boxed(&self, corners: [Place; 2], hue: RGBColor, width: u32) -> Drawn {
        self.sheet.rectangle(corners, hue.mix(0.14).filled())?;
        self.sheet.rectangle(corners, hue.stroke_width(width))
    }

    /// Draws the characters. Returns the end points of the lines to them.
    fn characters(&self, block_size: usize) -> Result<Vec<Place>, Box<dyn std::error::Error>> {
        self.label(0, "characters")?;
        if self.shown < block_size {
            self.note(0, &format!("the last {} of {block_size}", self.shown))?;
        } else {
            self.note(0, "by distance to the next character")?;
        }
        let mut tops = Vec::new();
        for leaf in 0..self.shown {
            let place = (self.x(1, leaf), self.y(0));
            let newest = leaf + 1 == self.shown;
            let hue = if newest { color(1) } else { GRAY };
            let half = (self.step / 2 - 2).min(22);
            self.boxed([(place.0 - half, place.1 - 15), (place.0 + half, place.1 + 15)], hue, 1)?;
            if self.step >= 26 {
                let distance = format!("\u{2212}{}", self.shown - leaf);
                self.sheet.say(&distance, place, 14, &if newest { hue } else { BLACK }, HPos::Center)?;
            }
            tops.push((place.0, place.1 - 15));
        }
        Ok(tops)
    }

    /// Draws the nodes of a level and lines to the row below. Returns the centres of the nodes.
    fn nodes(&self, row: i32, receptive: usize, below: &[Place]) -> Result<Vec<Place>, Box<dyn std::error::Error>> {
        // If the tree is wider than the picture, a node may have only some of its inputs in it.
        let nodes = (self.shown / receptive).max(1);
        let mut places = Vec::new();
        for node in 0..nodes {
            let x = if self.shown < receptive { self.x(self.shown, 0) } else { self.x(receptive, node) };
            let place = (x, self.y(row));
            let is_newest = node + 1 == nodes;
            let hue = if is_newest { color(1) } else { GRAY };
            let inputs = below.len() / nodes;
            for input in &below[node * inputs..(node + 1) * inputs] {
                let last = is_newest && Some(input) == below.last();
                let style = if last { color(1).stroke_width(2) } else { GRAY.stroke_width(1) };
                self.sheet.line(vec![*input, (place.0, place.1 + 12)], style)?;
            }
            self.sheet.circle(place, 12, WHITE.filled())?;
            self.sheet.circle(place, 12, hue.mix(0.14).filled())?;
            self.sheet.circle(place, 12, hue.stroke_width(2))?;
            places.push(place);
        }
        Ok(places)
    }

    /// Draws the logits above the last level, with lines from the newest nodes of the other levels (skip connections).
    fn prediction(&self, below: Option<Place>, skips: &[Place]) -> Drawn {
        let row = self.rows - 1;
        let root = (below.map_or(LEFT, |place| place.0), self.y(row));
        // The lines pass the levels above on the right and end at the right side of the logits.
        for newest in skips {
            let path = vec![(newest.0 + 12, newest.1), (root.0 + 40, root.1)];
            self.sheet.line(path, color(1).stroke_width(1))?;
        }
        self.label(row, "prediction")?;
        self.note(row, "a score for each possible next character")?;
        if let Some(top) = below {
            self.sheet.line(vec![top, (root.0, root.1 + 15)], color(1).stroke_width(2))?;
        }
        self.boxed([(root.0 - 40, root.1 - 15), (root.0 + 40, root.1 + 15)], color(1), 2)?;
        self.sheet.say("logits", root, 14, &color(1), HPos::Center)
    }
}
