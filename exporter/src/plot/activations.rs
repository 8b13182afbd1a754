//! The tree of a word, with each node's values as a small picture: orange above zero, blue below zero, white at zero.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::sheet::{Drawn, Place, Sheet};
use super::{PlotError, color, draw};
use crate::inference::activations::{Next, Tree};

/// Largest number of characters that a picture has room for.
pub const MAX_CHARACTERS: usize = 64;
/// Left edge of the tree; the descriptions of the rows are to the left of it.
const LEFT: i32 = 190;
/// Preferred width of the tree.
const WIDTH: i32 = 880;
/// Distance between two rows.
const GAP: i32 = 52;
/// Number of next characters that are shown.
const SHOWN: usize = 12;

/// Height of the bars of the next characters.
const BARS: i32 = 118;
const GRAY: RGBColor = RGBColor(120, 120, 120);
const LINE: RGBColor = RGBColor(185, 185, 185);

/// Picture of a node: cells in rows and columns.
struct Grid {
    columns: i32,
    rows: i32,
    cell: i32,
}

impl Grid {
    /// Chooses a grid about three times as wide as high, at most `room` wide, with a full last row if possible.
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

/// Returns the colour of a value: white at 0, blue at -1, orange at 1.
fn shade(value: f32) -> RGBColor {
    let end = if value < 0.0 { color(0) } else { color(1) };
    let part = f64::from(value.abs().min(1.0));
    let mix = |channel: u8| (255.0 + (f64::from(channel) - 255.0) * part).round() as u8;
    RGBColor(mix(end.0), mix(end.1), mix(end.2))
}

/// Draws the picture; the title names the model `model`.
pub fn activations(model: &str, tree: &Tree) -> Result<String, PlotError> {
    if tree.characters.len() > MAX_CHARACTERS {
        let reason = "a picture has room for at most 64 characters of context: write a .json file".to_owned();
        return Err(PlotError::Draw { what: "the tree".to_owned(), reason });
    }
    let layout = Layout::of(tree);
    let size = [layout.width, layout.height].map(|length| u32::try_from(length).expect("above 0"));
    draw("the tree", (size[0], size[1]), |area| {
        let picture = Picture { sheet: Sheet(area), tree, layout };
        picture.title(model)?;
        // Draws the lines first: the nodes cover their ends.
        picture.lines()?;
        if tree.skip && tree.levels.len() > 1 {
            picture.skips()?;
        }
        for level in 0..tree.levels.len() {
            picture.level(level)?;
        }
        picture.characters()?;
        picture.next()?;
        picture.scale()
    })
}

/// Layout of the picture. From the top: title, next characters, levels from the last to the first, characters, legend.
struct Layout {
    grids: Vec<Grid>,
    /// Upper edge of each level.
    tops: Vec<i32>,
    /// Distance between two characters.
    step: i32,
    tree_width: i32,
    /// Lower edge of the next characters.
    base: i32,
    /// Upper edge of the characters.
    letters: i32,
    width: i32,
    height: i32,
}

impl Layout {
    fn of(tree: &Tree) -> Self {
        let leaves = number(tree.characters.len());
        let step = (WIDTH / leaves).clamp(36, 120);
        let grids = tree.levels.iter().map(|level| {
            let room = step * number(level.receptive_field) - 14;
            Grid::new(level.nodes.first().map_or(0, |node| node.values.len()), room)
        });
        let grids: Vec<Grid> = grids.collect();
        let tree_width = step * leaves;
        // At least wide enough for the colour scale at the bottom.
        let width = LEFT + tree_width.max(560) + if tree.skip { 56 } else { 30 };
        let base = 46 + BARS;
        let mut tops = vec![0; grids.len()];
        let mut y = base + GAP;
        for (level, grid) in grids.iter().enumerate().rev() {
            tops[level] = y;
            y += grid.size().1 + GAP;
        }
        Self { grids, tops, step, tree_width, base, letters: y, width, height: y + 34 + 56 }
    }

    /// Returns the centre of a node that sees `receptive` characters.
    fn centre(&self, receptive: usize, node: usize) -> i32 {
        let receptive = number(receptive);
        LEFT + receptive * self.step * number(node) + receptive * self.step / 2
    }
}

fn number(small: usize) -> i32 {
    i32::try_from(small).expect("at most 4096")
}

struct Picture<'a, 'b> {
    sheet: Sheet<'a, 'b>,
    tree: &'a Tree,
    layout: Layout,
}

impl Picture<'_, '_> {
    fn title(&self, model: &str) -> Drawn {
        let seen: String = self.tree.word.chars().take(self.tree.position).collect();
        let what =
            if seen.is_empty() { "at the start of a word".to_owned() } else { format!("after \u{201c}{seen}\u{201d}") };
        self.sheet.say(&format!("{model} {what}: the values of every node"), (16, 20), 18, &BLACK, HPos::Left)
    }

    /// Returns the centre of the prediction.
    fn root(&self) -> i32 {
        self.layout.centre(self.tree.characters.len(), 0)
    }

    /// Draws lines from every node to its inputs, and from the last node to the prediction.
    fn lines(&self) -> Drawn {
        let Layout { tops, grids, letters, base, .. } = &self.layout;
        let centre = |receptive, node| self.layout.centre(receptive, node);
        let mut below: Vec<Place> = (0..self.tree.characters.len()).map(|at| (centre(1, at), *letters)).collect();
        for (level, shape) in self.tree.levels.iter().enumerate() {
            let bottom = tops[level] + grids[level].size().1;
            let mut tops_of = Vec::new();
            for node in 0..shape.nodes.len() {
                let x = centre(shape.receptive_field, node);
                for (at, input) in below[node * shape.fuse..(node + 1) * shape.fuse].iter().enumerate() {
                    let newest = node + 1 == shape.nodes.len() && at + 1 == shape.fuse;
                    let style = if newest { color(1).stroke_width(2) } else { LINE.stroke_width(1) };
                    self.sheet.line(vec![(input.0, input.1 - 3), (x, bottom + 3)], style)?;
                }
                tops_of.push((x, tops[level]));
            }
            below = tops_of;
        }
        let root = self.root();
        self.sheet.line(vec![(root, below[0].1 - 3), (root, base + 4)], color(1).stroke_width(2))
    }

    /// Draws the skip connections: lines that pass the levels above on the right and end at the prediction.
    ///
    /// The line of the lowest level is the outermost, so that no lines cross.
    fn skips(&self) -> Drawn {
        let Layout { tops, grids, tree_width, base, .. } = &self.layout;
        let right = LEFT + (*tree_width).max(560) + 18;
        let last = self.tree.levels.len() - 1;
        let join = base + 20;
        for (level, shape) in self.tree.levels.iter().enumerate().take(last) {
            let (wide, high) = grids[level].size();
            let newest = self.layout.centre(shape.receptive_field, shape.nodes.len() - 1);
            let from = (newest + wide / 2 + 3, tops[level] + high / 2);
            let x = right + 6 * number(last - 1 - level);
            let path = vec![from, (x, from.1), (x, join), (self.root(), join)];
            self.sheet.line(path, color(1).stroke_width(1))?;
        }
        self.sheet.say("skip", (right - 6, join - 11), 12, &color(1), HPos::Right)
    }

    /// Draws the values of a level's nodes, and a description to the left of them.
    fn level(&self, level: usize) -> Drawn {
        let (shape, grid, top) = (&self.tree.levels[level], &self.layout.grids[level], self.layout.tops[level]);
        let (wide, high) = grid.size();
        for (index, node) in shape.nodes.iter().enumerate() {
            let corner = (self.layout.centre(shape.receptive_field, index) - wide / 2, top);
            // Cells without a value are grey, a colour that no value has.
            let gray = RGBColor(225, 225, 225);
            self.sheet.rectangle([corner, (corner.0 + wide, corner.1 + high)], gray.filled())?;
            for (at, &value) in node.values.iter().enumerate() {
                let at = number(at);
                let (x, y) = (corner.0 + at % grid.columns * grid.cell, corner.1 + at / grid.columns * grid.cell);
                self.sheet.rectangle([(x, y), (x + grid.cell, y + grid.cell)], shade(value).filled())?;
            }
            let newest = index + 1 == shape.nodes.len();
            let frame = if newest { color(1).stroke_width(2) } else { GRAY.stroke_width(1) };
            self.sheet.rectangle([(corner.0 - 1, corner.1 - 1), (corner.0 + wide, corner.1 + high)], frame)?;
        }
        let values = shape.nodes.first().map_or(0, |node| node.values.len());
        let y = top + high / 2;
        let left = |text: &str, y, size, color| self.sheet.say(text, (16, y), size, color, HPos::Left);
        left(&format!("level {level}"), y - 18, 15, &BLACK)?;
        left(&format!("{values} values of"), y + 1, 13, &GRAY)?;
        left(&format!("{} characters each", shape.receptive_field), y + 18, 13, &GRAY)
    }

    fn characters(&self) -> Drawn {
        let Layout { letters, step, .. } = self.layout;
        let count = self.tree.characters.len();
        for (at, character) in self.tree.characters.iter().enumerate() {
            let place = (self.layout.centre(1, at), letters + 14);
            let in_front = count - at > self.tree.position;
            let hue = if in_front { GRAY } else { BLACK };
            let half = (step / 2 - 3).min(20);
            let newest = at + 1 == count;
            let frame = if newest { color(1).stroke_width(2) } else { LINE.stroke_width(1) };
            self.sheet.rectangle([(place.0 - half, letters), (place.0 + half, letters + 28)], frame)?;
            self.sheet.say(&character.to_string(), place, 17, &hue, HPos::Center)?;
        }
        self.sheet.say("characters", (16, letters + 14), 15, &BLACK, HPos::Left)
    }

    /// Draws the probabilities of the next characters as bars, with the word's own next character in colour.
    fn next(&self) -> Drawn {
        let Layout { base, tree_width, .. } = self.layout;
        let shown = self.tree.next.len().min(SHOWN);
        let slot = (tree_width.max(440) / number(shown)).min(64);
        let first = (self.root() - slot * number(shown) / 2).max(LEFT);
        let ends = vec![(first, base + 4), (first + slot * number(shown), base + 4)];
        self.sheet.line(ends, color(1).stroke_width(2))?;
        let largest = self.tree.next.first().map_or(1.0, |next| next.probability).max(1e-9);
        for (at, next) in self.tree.next.iter().take(shown).enumerate() {
            let x = first + slot * number(at) + slot / 2;
            let high = (58.0 * next.probability / largest).round() as i32;
            let hue = if self.is_actual(next) { color(1) } else { color(6) };
            let floor = base - 26;
            let bar = [(x - slot / 2 + 6, floor - high), (x + slot / 2 - 6, floor)];
            self.sheet.rectangle(bar, hue.mix(0.75).filled())?;
            let percent = 100.0 * next.probability;
            let percent = if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") };
            self.sheet.say(&percent, (x, floor - high - 9), 12, &hue, HPos::Center)?;
            let name = next.character.map_or("end".to_owned(), |character| character.to_string());
            let size = if next.character.is_some() { 16 } else { 13 };
            self.sheet.say(&name, (x, floor + 13), size, &hue, HPos::Center)?;
        }
        let left = |text: &str, y, size, color| self.sheet.say(text, (16, y), size, color, HPos::Left);
        left("next character", base - 62, 15, &BLACK)?;
        left("in colour: the one", base - 43, 13, &GRAY)?;
        left("of this word", base - 26, 13, &GRAY)
    }

    fn is_actual(&self, next: &Next) -> bool {
        let is_end = self.tree.position == self.tree.word.chars().count();
        if is_end { next.character.is_none() } else { next.character == self.tree.actual }
    }

    /// Draws the colour scale and the meaning of the coloured frames.
    fn scale(&self) -> Drawn {
        let (x, y) = (LEFT, self.layout.height - 24);
        for at in 0..120 {
            let value = at as f32 / 59.5 - 1.0;
            self.sheet.rectangle([(x + 2 * at, y - 6), (x + 2 * at + 2, y + 6)], shade(value).filled())?;
        }
        self.sheet.rectangle([(x, y - 6), (x + 240, y + 6)], LINE.stroke_width(1))?;
        self.sheet.say("\u{2212}1", (x - 8, y), 13, &GRAY, HPos::Right)?;
        self.sheet.say("1", (x + 248, y), 13, &GRAY, HPos::Left)?;
        self.sheet.say("coloured frame: computed for the last character", (x + 274, y), 13, &color(1), HPos::Left)
    }
}
