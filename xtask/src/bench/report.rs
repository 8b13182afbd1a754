//! Tables of `docs/trust/record/performance.md`, which `cargo xtask bench` also prints.

use std::fs;

use anyhow::{Context, Result};

use super::peers::{PEERS, published};
use super::record::{ANOMALY, Change, Record, Row, change};
use super::{GATED, PAIRS, RELU, SHIPPED, SHIPPED_TABLES, TABLES, WAVENET};
use crate::repo::Repo;

const DOCUMENT: &str = "docs/trust/record/performance.md";
const BEGIN: &str = "<!-- bench: begin -->\n";
const END: &str = "<!-- bench: end -->\n";

/// Returns all tables of these rows, with a column for the change against the record.
pub fn tables(rows: &[Row], record: &Record) -> String {
    let of = |model: &str| rows.iter().filter(|row| row.model == model).collect::<Vec<_>>();
    let mut text = String::new();
    for (model, title) in [
        (WAVENET, "wavenet-128, random weights"),
        (PAIRS, "wavenet-128 with a table of character pairs in level 0 (`export --tables pairs`)"),
        (TABLES, "wavenet-128 with tables for levels 0 and 1 (`export --tables halves`)"),
        (RELU, "wavenet-128 with ReLU instead of tanh, random weights"),
        (GATED, "gated, random weights, in the shape of the preset `gated`"),
        (SHIPPED, "The shipped model"),
        (SHIPPED_TABLES, "The shipped model with tables for levels 0 and 1 (`export --tables halves`)"),
    ] {
        let rows = of(model);
        if rows.is_empty() {
            continue;
        }
        text += &format!("### {title}\n\n{}\n", characters(&rows, record));
        text += &format!("Instructions by part:\n\n{}\n", parts(&rows));
        if model == WAVENET {
            text += "Instructions of int8 in the core's layout; the other columns are multiples of ours:\n\n";
            // Each table leaves out the libraries of the other architecture.
            let (riscv, arm): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.core.starts_with("RV32"));
            let tables = [arm, riscv].into_iter().filter(|rows: &Vec<&Row>| !rows.is_empty());
            tables.for_each(|rows| text += &format!("{}\n", peers(&rows)));
        }
    }
    let rows = of(ANOMALY);
    if !rows.is_empty() {
        text += &format!("### Anomaly detection, int8\n\n{}\n", anomaly(&rows, record));
    }
    text
}

fn characters(rows: &[&Row], record: &Record) -> String {
    let header = [
        "core",
        "precision",
        "layout",
        "instructions per character",
        "change",
        "per MAC",
        "estimated cycles",
        "per MAC",
        "kernels, bytes",
        "program's flash",
        "its static RAM",
    ];
    let rows = rows.iter().map(|row| {
        vec![
            row.core.clone(),
            row.precision.clone(),
            row.layout.clone(),
            thousands(row.instructions),
            show(change(record.find(row), row)),
            format!("{:.3}", row.instructions_per_mac()),
            row.cycles.map_or_else(String::new, thousands),
            row.cycles_per_mac().map_or_else(String::new, |cycles| format!("{cycles:.2}")),
            thousands(row.kernel_bytes),
            thousands(row.flash_bytes),
            thousands(row.ram_bytes),
        ]
    });
    table(&header, 3, rows)
}

fn parts(rows: &[&Row]) -> String {
    let names = rows.first().map_or(&[][..], |row| &row.parts).iter().map(|(name, _)| name.replace('_', " "));
    let header: Vec<_> = ["core", "precision", "layout"].map(str::to_owned).into_iter().chain(names).collect();
    let header: Vec<_> = header.iter().map(String::as_str).collect();
    let rows = rows.iter().map(|row| {
        let labels = [&row.core, &row.precision, &row.layout].map(String::clone);
        labels.into_iter().chain(row.parts.iter().map(|&(_, instructions)| thousands(instructions))).collect()
    });
    table(&header, 3, rows)
}

/// Returns the table of other libraries, relative to the int8 row of each core in its own layout.
fn peers(rows: &[&Row]) -> String {
    let mut header = vec!["core", "ours"];
    header.extend(PEERS.iter().map(|peer| peer.name));
    let rows = rows.iter().filter(|row| row.precision == "int8" && row.is_own).map(|row| {
        let ratio = |theirs: u64| format!("{:.1}", theirs as f64 / row.instructions as f64);
        let theirs = PEERS.iter().map(|peer| peer.instructions(&row.core).map_or_else(String::new, ratio));
        [row.core.clone(), thousands(row.instructions)].into_iter().chain(theirs).collect()
    });
    table(&header, 1, rows)
}

fn anomaly(rows: &[&Row], record: &Record) -> String {
    let header =
        ["core", "layout", "published, cycles per MAC", "instructions per MAC", "change", "estimated cycles per MAC"];
    let rows = rows.iter().map(|row| {
        vec![
            row.core.clone(),
            row.layout.clone(),
            published(&row.core).to_owned(),
            format!("{:.3}", row.instructions_per_mac()),
            show(change(record.find(row), row)),
            row.cycles_per_mac().map_or_else(String::new, |cycles| format!("{cycles:.2}")),
        ]
    });
    table(&header, 3, rows)
}

/// Returns a change as text.
pub fn show(change: Change) -> String {
    match change {
        Change::New => "new".to_owned(),
        Change::Same => String::new(),
        Change::Grown(percent) => format!("+{percent:.1} %"),
        Change::Shrunk(percent) => format!("-{percent:.1} %"),
    }
}

/// Returns a Markdown table with aligned columns. Columns from index `numbers` on are right-aligned. Empty columns are
/// left out.
fn table(header: &[&str], numbers: usize, rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<_> = rows.collect();
    let columns: Vec<_> = (0..header.len())
        .filter(|&at| rows.iter().any(|row| row.get(at).is_some_and(|cell| !cell.is_empty())))
        .collect();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([header[at].len(), 2]).max().unwrap_or(0)
    };
    let line = |cell: &dyn Fn(usize) -> String| {
        let cells = columns.iter().map(|&at| format!(" {} |", cell(at)));
        format!("|{}\n", cells.collect::<String>())
    };
    let pad = |at: usize, text: &str| {
        let width = width(at);
        if at < numbers { format!("{text:width$}") } else { format!("{text:>width$}") }
    };
    let mut text = line(&|at| pad(at, header[at]));
    text += &line(&|at| {
        let dashes = "-".repeat(width(at) - 1);
        if at < numbers { format!("{dashes}-") } else { format!("{dashes}:") }
    });
    for row in &rows {
        text += &line(&|at| pad(at, row.get(at).map_or("", String::as_str)));
    }
    text
}

/// Returns a number with commas between groups of three digits: `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes the tables of the record into the document.
pub fn write(repo: &Repo, record: &Record) -> Result<()> {
    let file = repo.root().join(DOCUMENT);
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {DOCUMENT}"))?;
    // Compares the record with itself: nothing has changed.
    let tables = format!("{}\n\n{}", record.made, tables(&record.rows, record).trim_end());
    let text =
        between_marks(&text, &tables).with_context(|| format!("{DOCUMENT} has no mark `{}`", BEGIN.trim_end()))?;
    fs::write(&file, text).with_context(|| format!("cannot write {DOCUMENT}"))
}

fn between_marks(text: &str, new: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{new}\n\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::row;
    use super::*;

    #[test]
    fn columns_line_up_and_empty_ones_go() {
        let rows = vec![vec!["a".to_owned(), String::new(), "1".to_owned()], vec!["bc".to_owned(), String::new()]];
        let expected = "\
| name |  n |
| ---- | -: |
| a    |  1 |
| bc   |    |
";
        assert_eq!(table(&["name", "none", "n"], 1, rows.into_iter()), expected);
        assert_eq!(
            ["7", "123", "1,234", "1,234,567"],
            [7, 123, 1_234, 1_234_567].map(thousands).each_ref().map(|s| &**s)
        );
    }

    #[test]
    fn a_row_stands_in_its_tables() {
        let rows = [row(60_000), Row { layout: "row-major".to_owned(), is_own: false, ..row(240_000) }];
        let record = Record { made: String::new(), rows: vec![row(50_000)] };
        let text = tables(&rows, &record);
        for expected in ["60,000", "+20.0 %", " new |", "0.870", "2,756", "sampling", "1.30"] {
            assert!(text.contains(expected), "no {expected} in\n{text}");
        }
        // 170,017 / 60,000. A layout other than the core's own is not compared.
        assert!(text.contains("2.8 |") && !text.contains("0.7 |"), "{text}");
    }

    #[test]
    fn what_stands_between_the_marks_is_replaced() {
        let text = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(between_marks(&text, "new"), Some(format!("a\n{BEGIN}\nnew\n\n{END}b\n")));
        assert_eq!(between_marks("a", "new"), None);
    }
}
