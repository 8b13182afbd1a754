//! On every board a character takes as many instructions as `docs/trust/record/performance.json` records, to within one
//! per cent.

use xtask::bench::{self, Case, Change, Record, SHIPPED, change, show};
use xtask::board::{self, Board};
use xtask::command::advice;
use xtask::repo::Repo;

/// Checks the shipped model in the board's own layout.
fn is_as_recorded(board: &'static Board, precision: &'static str) {
    let repo = Repo::find();
    let record = Record::read(&repo).expect("docs/trust/record/performance.json");
    let case = Case { board, model: SHIPPED, precision, layout: None };
    let row = bench::measure(&repo, &case, false).unwrap_or_else(|error| panic!("{}", advice(&error)));
    let recorded = record.find(&row);
    let change = change(recorded, &row);
    let [instructions, before] = [Some(&row), recorded].map(|row| row.map_or(0, |row| row.instructions));
    assert!(
        change == Change::Same,
        "{} {precision} {}: {instructions} instructions per character, recorded are {before} ({}). If that is meant: \
         `cargo xtask bench --board {} --record`",
        board.name,
        row.layout,
        show(change),
        board.name
    );
}

#[test]
fn int8_is_as_recorded() {
    board::one_of_each_core().for_each(|board| is_as_recorded(board, "int8"));
}

#[test]
fn int4_is_as_recorded() {
    board::one_of_each_core().for_each(|board| is_as_recorded(board, "int4"));
}

#[test]
fn f32_on_cortex_m4f_is_as_recorded() {
    is_as_recorded(board::default(), "f32");
}
