//! The animated picture of the README: the conversation with the console, and beside it the tree during the first name.
//!
//! A viewer without animation shows the last moment, which is a whole picture as well.

use std::fmt::Write as _;

/// Size of the picture in pixels.
const SIZE: (usize, usize) = (1000, 400);
/// Left edge of the tree's card; the terminal is left of it.
const CARD: usize = 628;
/// Distance of two lines of the terminal.
const LINE: usize = 21;
/// Width of a character of the terminal's font, 12 pixels high.
const CHARACTER: f64 = 7.2;
/// Characters that one prediction sees.
const CONTEXT: usize = 8;

/// Seconds: the prompt is typed, the first character is drawn, a character takes, the other names take, the end.
const TYPED: f64 = 1.5;
const FIRST: f64 = 2.5;
const STEP: f64 = 0.9;
const NAME: f64 = 0.4;
const REST: f64 = 4.0;

/// Conversation that the picture shows.
pub struct Conversation<'t> {
    /// Lines that the board prints when it starts.
    pub banner: Vec<&'t str>,
    /// Beginning of a name, as it is typed.
    pub prompt: &'t str,
    /// Names that the board answers with.
    pub names: Vec<&'t str>,
}

/// Returns the picture as an SVG file.
pub fn of(conversation: &Conversation<'_>) -> String {
    let drawn = conversation.names[0].chars().count() - conversation.prompt.chars().count();
    // One step more than letters: the boundary ends the name.
    let names_at = FIRST + STEP * (drawn + 1) as f64;
    let end = names_at + NAME * conversation.names.len() as f64 + REST;
    let mut svg = Svg { end, styles: String::new(), body: String::new(), animations: 0 };
    terminal(&mut svg, conversation, names_at);
    tree(&mut svg, conversation);
    svg.finish()
}

/// Draws the terminal.
fn terminal(svg: &mut Svg, conversation: &Conversation<'_>, names_at: f64) {
    let Conversation { banner, prompt, names } = conversation;
    svg.add(&format!(r##"<rect width="{}" height="{}" rx="10" fill="#0d1117"/>"##, CARD - 12, SIZE.1));
    let y = |line: usize| 34 + LINE * line;
    let x = |column: usize| 18.0 + CHARACTER * column as f64;
    for (line, text) in banner.iter().enumerate() {
        svg.text(x(0), y(line), "t", text, None);
    }
    let asked = banner.len();
    svg.text(x(0), y(asked), "p", ">", None);
    svg.text(x(2), y(asked), "p", prompt, Some(TYPED));
    let first = asked + 1;
    for (column, letter) in names[0].chars().enumerate() {
        let step = (column + 1).saturating_sub(prompt.chars().count());
        svg.text(x(column), y(first), "n", &letter.to_string(), Some(FIRST + STEP * step as f64));
    }
    for (index, name) in names.iter().enumerate().skip(1) {
        svg.text(x(0), y(first + index), "n", name, Some(names_at + NAME * index as f64));
    }
    svg.text(x(0), y(first + names.len()), "p", ">", Some(names_at + NAME * names.len() as f64));
}

/// Draws the tree: its nodes once, its characters once per step.
fn tree(svg: &mut Svg, conversation: &Conversation<'_>) {
    let (width, height) = (SIZE.0 - CARD, SIZE.1);
    svg.add(&format!(r##"<rect x="{CARD}" width="{width}" height="{height}" rx="10" fill="#f6f8fa"/>"##));
    // Rows from the characters up: 8 characters, 4, 2 and 1 nodes, and the prediction.
    let rows = [8, 4, 2, 1, 1];
    let y = |row: usize| [300, 232, 164, 100, 44][row];
    let pitch = (width - 24) as f64 / CONTEXT as f64;
    let x = |row: usize, index: usize| {
        let share = CONTEXT / rows[row];
        CARD as f64 + 12.0 + pitch * (index * share) as f64 + pitch * share as f64 / 2.0
    };
    // Only the nodes above the newest character are computed; all others are in the rings.
    let is_new = |row: usize, index: usize| index + 1 == rows[row];
    for row in 0..rows.len() - 1 {
        for index in 0..rows[row] {
            let class = if is_new(row, index) { "e new" } else { "e" };
            let (up, (x1, y1)) = (index * rows[row + 1] / rows[row], (x(row, index), y(row)));
            let (x2, y2) = (x(row + 1, up), y(row + 1));
            svg.add(&format!(r#"<line class="{class}" x1="{x1:.1}" y1="{y1}" x2="{x2:.1}" y2="{y2}"/>"#));
        }
    }
    for (row, &nodes) in rows.iter().enumerate().take(4).skip(1) {
        for index in 0..nodes {
            let class = if is_new(row, index) { "o new" } else { "o" };
            svg.add(&format!(r#"<circle class="{class}" cx="{:.1}" cy="{}" r="13"/>"#, x(row, index), y(row)));
        }
    }
    let boxes = (0..CONTEXT).map(|index| (x(0, index), y(0), index + 1 == CONTEXT)).chain([(x(4, 0), y(4), true)]);
    for (x, y, is_new) in boxes {
        let class = if is_new { "b new" } else { "b" };
        let (left, top) = (x - 16.0, y - 16);
        svg.add(&format!(r#"<rect class="{class}" x="{left:.1}" y="{top}" width="32" height="32" rx="5"/>"#));
    }
    let word: Vec<char> = conversation.names[0].chars().collect();
    let prompt = conversation.prompt.chars().count();
    for step in 0..=word.len() - prompt {
        let known = prompt + step;
        let is_last = known == word.len();
        let start = if step == 0 { TYPED } else { FIRST + STEP * step as f64 };
        let end = if is_last { svg.end } else { FIRST + STEP * (step + 1) as f64 };
        svg.open_group(start, end, is_last);
        for index in 0..CONTEXT {
            let letter = (known + index).checked_sub(CONTEXT).map_or('.', |at| word[at]);
            svg.text(x(0, index), y(0) + 5, "l", &letter.to_string(), None);
        }
        let next = word.get(known).map_or('.', |&letter| letter);
        svg.text(x(4, 0), y(4) + 5, "l", &next.to_string(), None);
        svg.add("</g>");
    }
    let label = |svg: &mut Svg, y, class, text| {
        svg.add(&format!(r#"<circle class="o {class}" cx="{}" cy="{}" r="6"/>"#, CARD + 24, y - 4));
        svg.text((CARD + 38) as f64, y, "s", text, None);
    };
    label(svg, 352, "new", "3 of 7 nodes are computed for a character");
    label(svg, 376, "", "4 are kept from the characters before");
}

/// A picture that is being drawn.
struct Svg {
    /// Seconds after which the animation starts again.
    end: f64,
    styles: String,
    body: String,
    animations: usize,
}

impl Svg {
    fn add(&mut self, element: &str) {
        self.body += element;
        self.body.push('\n');
    }

    /// Adds a text, which is seen from a second on.
    fn text(&mut self, x: f64, y: usize, class: &str, text: &str, start: Option<f64>) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let style = start.map(|start| format!(r#" style="animation-name:{}""#, self.moment(start, self.end)));
        let style = style.unwrap_or_default();
        self.add(&format!(r#"<text class="{class}" x="{x:.1}" y="{y}"{style}>{text}</text>"#));
    }

    /// Opens a group that is only seen between two seconds; without animation, only the last group is seen.
    fn open_group(&mut self, start: f64, end: f64, is_last: bool) {
        let (opacity, moment) = (usize::from(is_last), self.moment(start, end));
        self.add(&format!(r#"<g opacity="{opacity}" style="animation-name:{moment}">"#));
    }

    /// Defines an animation that shows something between two seconds, and returns its name.
    fn moment(&mut self, start: f64, end: f64) -> String {
        let name = format!("m{}", self.animations);
        self.animations += 1;
        let percent = |second: f64| second / self.end * 100.0;
        let (start, end) = (percent(start), percent(end));
        let mut frames = String::new();
        if start > 0.0 {
            write!(frames, "0%,{:.2}%{{opacity:0}}", start - 0.01).expect("a string grows");
        }
        write!(frames, "{start:.2}%,{:.2}%{{opacity:1}}", end - 0.01).expect("a string grows");
        let after = if end < 100.0 { format!("{end:.2}%,100%{{opacity:0}}") } else { "100%{opacity:1}".to_owned() };
        writeln!(self.styles, "@keyframes {name}{{{frames}{after}}}").expect("a string grows");
        name
    }

    fn finish(self) -> String {
        let Self { end, styles, body, .. } = self;
        let (width, height) = SIZE;
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<title>The console of a chip draws names, and the tree of the model draws the first of them</title>
<style>
text,g{{animation-duration:{end:.1}s;animation-iteration-count:infinite;animation-timing-function:linear}}
.t,.p,.n{{font:12px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}}
.t{{fill:#8b949e}}.p{{fill:#58a6ff}}.n{{fill:#e6edf3}}
.l{{font:16px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1f2328;text-anchor:middle}}
.s{{font:13px system-ui,"DejaVu Sans",sans-serif;fill:#57606a}}
.e{{stroke:#d0d7de;stroke-width:2}}.e.new{{stroke:#fb8f44}}
.o,.b{{fill:#fff;stroke:#afb8c1;stroke-width:2}}.o.new,.b.new{{fill:#ffe2cc;stroke:#e16f24}}
@media (prefers-reduced-motion:reduce){{text,g{{animation:none!important}}}}
{styles}</style>
{body}</svg>
"##
        )
    }
}
