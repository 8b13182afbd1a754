//! `runtime` contains no panic, allocation or recursion in anything it offers for inference: the program that calls all
//! of it contains none. The computed bound of its stack holds when the program runs.

use tests::{Firmware, with_tables, workspace};
use xtask::board::{self, Board};
use xtask::call_graph::{Bound, CallGraph};

/// Parts of names that the program must not contain: panics (of checks of bounds, overflow and division by zero),
/// formatting of messages, `unwrap`, heap memory, and unwinding.
const FORBIDDEN: [&str; 9] = [
    "panic",
    "rust_begin_unwind",
    "unwrap_failed",
    "expect_failed",
    "slice_error_fail",
    "core::fmt",
    "__rust_alloc",
    "alloc::",
    "__aeabi_unwind",
];

/// Proves that the test above would find each kind of panic.
#[test]
fn a_panic_would_be_found() {
    for board in ["mps2-an386", "riscv-virt"] {
        let firmware = Firmware::build(board, "generate", "names.int8.blob");
        let graph = graph(&firmware);
        let found: Vec<_> = FORBIDDEN.iter().filter(|part| graph.names().any(|name| name.contains(*part))).collect();
        assert!(found.contains(&&"panic") && found.contains(&&"core::fmt"), "{board}: {found:?}");
        // The panics print a message, and printing may panic.
        let recursion = graph.bound("main").unwrap_err().to_string();
        assert!(recursion.contains("recursion"), "{board}: {recursion}");
    }
}

#[test]
fn nothing_panics_allocates_or_recurses() {
    let mut table = "| core | precision | bound of the stack, bytes | measured |\n|---|---|---|---|\n".to_owned();
    for board in board::one_of_each_core() {
        for (precision, blob) in [("f32", "names.blob"), ("int8", "names.int8.blob"), ("int4", "names.int4.blob")] {
            // The model does not fit: a test of the build script covers this.
            if precision == "f32" && board.name == "microbit" {
                continue;
            }
            let firmware = Firmware::build_with(board.name, "panic_free", &workspace("models").join(blob));
            let graph = graph(&firmware);
            assert_nothing_is_forbidden(&graph, &format!("{} in {precision}", board.name));
            let bound = bound(&graph, board, precision);
            let taken = stack_taken(&firmware);
            table += &format!("| {} | {precision} | {} | {taken} |\n", board.core, bound.bytes);
            assert!(taken <= bound.bytes, "{bound:?}");
            // A bound far above the real use would be worthless.
            assert!(bound.bytes <= taken + taken / 4, "{taken} bytes of {bound:?}");
        }
    }
    println!("{table}");
    // Not compared: set-up may have installed another compiler, whose code uses another amount of stack.
    if std::env::var_os("BLESS").is_some() {
        tests::assert_section("docs/trust/record/reliability.md", "stack", &table);
    }
}

/// Proves the same of a program for a model with tables, whose code other programs do not contain.
#[test]
fn tables_neither_panic_nor_allocate_nor_recurse() {
    let blob = with_tables("panic_free", "tiny.int8.blob");
    for board in board::one_of_each_core() {
        let firmware = Firmware::build_with(board.name, "panic_free", &blob);
        let graph = graph(&firmware);
        assert!(graph.names().any(|name| name.contains("add_halves")), "{}: the code of tables is missing", board.name);
        assert_nothing_is_forbidden(&graph, &format!("{} with tables", board.name));
        let bound = bound(&graph, board, "tables");
        assert!(stack_taken(&firmware) <= bound.bytes, "{bound:?}");
    }
}

/// Returns the bound of the program's stack. Fails if functions call each other in a circle.
fn bound(graph: &CallGraph, board: &Board, program: &str) -> Bound {
    // On RISC-V, the function that starts `main` has a frame.
    let first = if board.is_riscv() { "_start_rust" } else { "main" };
    graph.bound(first).unwrap_or_else(|error| panic!("{} with {program}: {error:#}", board.name))
}

fn assert_nothing_is_forbidden(graph: &CallGraph, program: &str) {
    for name in graph.names() {
        // The program's own name contains a forbidden part.
        let rest = name.replace("panic_free::", "");
        let forbidden = FORBIDDEN.iter().find(|part| rest.contains(**part));
        assert!(forbidden.is_none(), "{program}: {name}");
    }
}

/// Runs the program, and returns the bytes of stack that it wrote to.
fn stack_taken(firmware: &Firmware) -> u64 {
    let run = firmware.run(&[]);
    let [line] = &run.lines[..] else { panic!("more than a line, or none: {:?}", run.lines) };
    assert!(run.success(), "{line}");
    let bytes = line.strip_prefix("stack_bytes=").expect("the report");
    u64::from_str_radix(bytes, 16).expect("a number")
}

fn graph(firmware: &Firmware) -> CallGraph {
    let bytes = std::fs::read(firmware.elf()).expect("just built");
    CallGraph::of_elf(&bytes).expect("an ELF file for a chip")
}
