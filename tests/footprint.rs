//! Flash, RAM, stack and work of the firmware stay within the budget.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use tests::Firmware;
use xtask::board::{self, BOARDS};
use xtask::budget::Budget;
use xtask::firmware::{DEFAULT_BIN, shipped_model};
use xtask::repo::Repo;
use xtask::size;
use xtask::uart;

static BUDGET: LazyLock<Budget> = LazyLock::new(|| Budget::read(&Repo::find()).expect("the budget"));

/// The `generate` program with the shipped model: the figures that a board's budget has lines for.
fn measure(board: &str, precision: &str) -> BTreeMap<&'static str, u64> {
    let (repo, board) = (Repo::find(), board::find(board).expect("a board"));
    let model = shipped_model(&repo, precision);
    let measured = size::measure(&repo, board, DEFAULT_BIN, Some(&model));
    let measured = measured.unwrap_or_else(|error| panic!("{error:#}: try `cargo xtask setup`"));
    let mut figures = measured.figures();
    // The sum of two that have a budget each.
    figures.remove("flash_bytes");
    figures
}

#[test]
fn the_firmware_keeps_its_budget() {
    for ((board, precision), budget) in BUDGET.of_boards() {
        let measured = measure(board, precision);
        println!("{board} {precision}: {measured:?}");
        assert!(measured.keys().eq(budget.keys()), "[{board}.{precision}] has other lines: {budget:?}");
        for (key, value) in measured {
            let most = budget[key];
            assert!(value <= most, "{key} is {value} on {board} in {precision}, the budget is {most}");
            // A budget that nobody would notice breaking is none.
            assert!(value * 10 >= most * 8, "{key} is {value} on {board} in {precision}: lower the budget of {most}");
        }
    }
}

/// On every board, those without an emulator included.
#[test]
fn the_console_keeps_its_budget() {
    for board in BOARDS {
        let most = BUDGET.most(uart::PROGRAM, board.name, "int8", "flash_bytes").expect("a budget");
        let firmware = Firmware::build(board.name, uart::PROGRAM, "names.int8.blob");
        let flash = size::of_file(firmware.elf()).expect("an ELF file").flash();
        println!("{}: {flash} bytes", board.name);
        assert!(flash <= most, "{flash} bytes of flash on {}, the budget is {most}", board.name);
    }
}

/// The promise of the integer path, whatever the budget says: an 8-bit model of this size works in 2.5 kB.
#[test]
fn integer_inference_takes_little_ram() {
    for ((board, precision), budget) in BUDGET.of_boards().filter(|((_, precision), _)| *precision != "f32") {
        let most = budget["state_bytes"];
        assert!(most <= 2_560, "{board} {precision}: {most} bytes of state");
    }
}
