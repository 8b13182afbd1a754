//! The table that `cargo xtask cases` prints.

use std::fs::OpenOptions;
use std::io::Write;

/// Appends a row to the table. Tests call it after checking the outcome. `input`, `command` and `outcome` are one line
/// each.
///
/// Does nothing unless `cargo xtask cases` runs the tests.
pub fn row(input: &str, command: &str, outcome: &str) {
    let Some(path) = std::env::var_os("CASES_TABLE") else { return };
    let clean = |cell: &str| cell.replace('|', "\\|").replace(['\n', '\t'], " ");
    let line = format!("{}\t{}\t{}\n", clean(input), clean(command), clean(outcome));
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the table can be written");
    file.write_all(line.as_bytes()).expect("the table can be written");
}
