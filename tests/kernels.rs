//! The assembly kernels compute the same as their definitions in Rust, on each core.

use std::collections::BTreeMap;
use std::thread;

use tests::Firmware;
use xtask::board::{self, Board};
use xtask::emulator::report;

/// Least number of values compared, for every kernel that computes rows.
const ENOUGH: u32 = 10_000;

/// Runs the program with a model's precision: no number may differ, and these kernels must be among those tested.
fn check(board: &Board, blob: &str, kernels: &[String]) {
    let run = Firmware::build(board.name, "kerneltest", blob).run(&[]);
    assert!(run.success(), "{}: {:?}", board.name, run.lines);
    let (text, facts) = report(&run.lines);
    assert!(text.is_empty(), "{}: {text:?}", board.name);
    assert_eq!((facts["board"], facts["assembly"]), (board.name, "true"));
    let of = |end: &str| -> BTreeMap<&str, u32> {
        let named = facts.iter().filter_map(|(key, value)| Some((key.strip_suffix(end)?, value)));
        named.map(|(kernel, value)| (kernel, value.parse().expect("a number"))).collect()
    };
    let (cases, mismatches) = (of("_cases"), of("_mismatches"));
    assert!(cases.keys().eq(mismatches.keys()) && cases.values().all(|&cases| cases > 0), "{facts:?}");
    assert!(mismatches.values().all(|&mismatches| mismatches == 0), "{mismatches:?}");
    for kernel in kernels {
        assert!(cases.get(&**kernel).is_some_and(|&cases| cases >= ENOUGH), "{}, {kernel}: {cases:?}", board.name);
    }
}

#[test]
fn integer_kernels() {
    // Boards in parallel: one program is built while another runs.
    thread::scope(|scope| {
        for board in board::one_of_each_core() {
            scope.spawn(|| {
                let layout = board.layout().name();
                // An int4 program contains the kernels of both widths.
                let mut kernels = vec![format!("{layout}_i8"), format!("{layout}_i4"), "copies".to_owned()];
                if layout == "dual16" {
                    kernels.extend(["smmulr", "halves"].map(str::to_owned));
                }
                if layout != "lanes16" || board.is_riscv() {
                    kernels.push("gate".to_owned());
                }
                if layout == "vector128" || board.is_riscv() {
                    kernels.push("pairs".to_owned());
                }
                check(board, "tiny.int4.blob", &kernels);
            });
        }
    });
}

#[test]
fn floating_point_kernel() {
    thread::scope(|scope| {
        for board in board::one_of_each_core().filter(|board| board.has_fpu()) {
            scope.spawn(|| check(board, "tiny.blob", &["vec_mat_f32".to_owned()]));
        }
    });
}
