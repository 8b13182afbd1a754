//! Flash, RAM, stack and instructions of the firmware are within the budget.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use tests::Firmware;
use xtask::board::{self, BOARDS, Board};
use xtask::budget::Budget;
use xtask::command::advice;
use xtask::firmware::{CONSOLE, DEFAULT_BIN, PRECISIONS, USB, shipped_model};
use xtask::repo::Repo;
use xtask::size;

static BUDGET: LazyLock<Budget> = LazyLock::new(|| Budget::read(&Repo::find()).expect("the budget"));

/// Figures that `exporter inspect` shows.
static COSTS: LazyLock<serde_json::Value> = LazyLock::new(|| {
    let file = Repo::find().root().join("exporter/data/costs.json");
    serde_json::from_slice(&std::fs::read(file).expect("the costs")).expect("JSON")
});

/// Crates whose code does not belong to the runtime: the programs themselves, their console, and their start-up code.
const OTHERS: [&str; 7] = ["firmware-example", "name", "loaded", "semihosting", "cortex-m-rt", "riscv-rt", "riscv"];

/// Returns the bytes of the runtime's code, with everything that it links, in one of the two smallest programs, which
/// draw one name.
fn code_of(bin: &str, board: &Board, model: &Path) -> u64 {
    let firmware = Firmware::build_with(board.name, bin, model);
    let run = firmware.run(&[]);
    // The output is one name, which begins with the prompt and is longer.
    let [name] = &run.lines[..] else { panic!("more than a name: {:?}", run.lines) };
    assert!(run.success() && name.starts_with("ma") && name.len() > 2, "{name}");
    let bytes = std::fs::read(firmware.elf()).expect("an ELF file");
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let crates = size::by_crate(&file).expect("debug information");
    crates.iter().filter(|(name, _)| !OTHERS.contains(&name.as_str())).map(|(_, share)| share.code).sum()
}

/// Returns the figures in a board's budget: those of the `generate` program with the shipped model, and the size of the
/// runtime's code with a built-in model and with one checked at boot.
fn measure(board: &str, precision: &str) -> BTreeMap<&'static str, u64> {
    let (repo, board) = (Repo::find(), board::find(board).expect("a board"));
    let model = shipped_model(&repo, precision);
    let measured = size::measure(&repo, board, DEFAULT_BIN, Some(&model));
    let measured = measured.unwrap_or_else(|error| panic!("{}", advice(&error)));
    let mut figures = measured.figures();
    figures.insert("runtime_bytes", code_of("name", board, &model));
    figures.insert("runtime_and_loader_bytes", code_of("loaded", board, &model));
    // Removed: it is the sum of two figures that have their own budget.
    figures.remove("flash_bytes");
    figures
}

#[test]
fn the_firmware_keeps_its_budget() {
    // Collects all faults, so that one run shows every line to change.
    let (mut broken, mut outdated, mut rows) = (Vec::new(), costs_without(&BUDGET), Vec::new());
    for ((board, precision), budget) in BUDGET.of_boards() {
        let measured = measure(board, precision);
        rows.push(row(board, precision, &measured));
        println!("{board} {precision}: {measured:?}");
        assert!(measured.keys().eq(budget.keys()), "[{board}.{precision}] has other lines: {budget:?}");
        for (&key, &value) in &measured {
            let most = budget[key];
            // A budget that is far above the use would not detect growth.
            if value > most || value * 10 < most * 8 {
                broken.push(format!("{key} is {value} on {board} in {precision}, the budget is {most}"));
            }
        }
        outdated.extend(outdated_costs(board, precision, &measured));
        if precision != "f32" {
            keeps_its_promise(board, precision, &measured);
        }
        if precision == "int8" {
            // Promised size of the code, on the smallest cores and on those with DSP instructions.
            let most = match board::find(board).expect("a board").target {
                "thumbv6m-none-eabi" => 8 << 10,
                "thumbv7em-none-eabihf" => 6 << 10,
                _ => u64::MAX,
            };
            let code = measured["runtime_bytes"];
            assert!(code <= most, "{board}: {code} bytes of the runtime's code");
        }
    }
    assert!(broken.is_empty(), "more than the budget, or less than four fifths of it:\n{}", broken.join("\n"));
    assert!(outdated.is_empty(), "inspect shows other figures, run `cargo xtask fit`:\n{}", outdated.join("\n"));
    let header = [
        "core, precision",
        "runtime",
        "with the loader",
        "`generate`",
        "static RAM",
        "state",
        "stack for a word",
        "stack from boot",
    ];
    rows.sort_by_key(|(place, _)| *place);
    let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
    // A small change of the code or another patch of the compiler changes these figures a little.
    tests::assert_section_within(2.0, "docs/trust/results.md", "footprint", &tests::table(&header, &rows));
}

/// Returns a row of the table in `docs/trust/results.md`, and its sort key: in the order of the boards, f32 first.
fn row(board: &str, precision: &str, measured: &BTreeMap<&str, u64>) -> ((usize, usize), Vec<String>) {
    let keys = [
        "runtime_bytes",
        "runtime_and_loader_bytes",
        "code_bytes",
        "ram_bytes",
        "state_bytes",
        "generation_stack_bytes",
        "stack_bytes",
    ];
    let place = BOARDS.iter().position(|other| other.name == board).expect("a board");
    let cells = std::iter::once(format!("{}, {precision}", BOARDS[place].core));
    let cells = cells.chain(keys.iter().map(|&key| tests::thousands(measured[key]))).collect();
    let precision = PRECISIONS.iter().position(|&other| other == precision).expect("a precision");
    ((place, precision), cells)
}

/// Includes the boards that QEMU does not emulate.
#[test]
fn the_console_keeps_its_budget() {
    for board in BOARDS.iter() {
        let keeps = |more: &[&str], most: u64| {
            let firmware = Firmware::build_with_features(board.name, CONSOLE, "names.int8.blob", more);
            let flash = size::of_file(firmware.elf()).expect("an ELF file").flash();
            println!("{} {more:?}: {flash} bytes", board.name);
            assert!(flash <= most, "{flash} bytes of flash on {} {more:?}, the budget is {most}", board.name);
        };
        // Without USB, all boards have the budget of those without the connector.
        keeps(&[], BUDGET.most(CONSOLE, "microbit", "int8", "flash_bytes").expect("a budget"));
        if board.usb_console {
            keeps(&[USB], BUDGET.most(CONSOLE, board.name, "int8", "flash_bytes").expect("a budget"));
        }
    }
}

/// Checks the promise for integer models of this size, independent of the budget: 2.5 kB of RAM, including the
/// [`runtime::Model`], and 1 KiB of stack per word.
fn keeps_its_promise(board: &str, precision: &str, measured: &BTreeMap<&str, u64>) {
    let ram = measured["state_bytes"] + measured["model_ram_bytes"];
    assert!(ram <= 2_560, "{board} {precision}: {ram} bytes of RAM");
    let stack = measured["generation_stack_bytes"];
    assert!(stack <= 1_024, "{board} {precision}: {stack} bytes of stack for a word");
}

/// Returns a message for each row of `costs.json` that nothing measures: its board and precision have no budget.
fn costs_without(budget: &Budget) -> Vec<String> {
    let is_measured = |row: &&serde_json::Value| {
        budget.of_boards().any(|((board, precision), _)| row["board"] == board && row["precision"] == precision)
    };
    let rows = COSTS["rows"].as_array().expect("rows").iter().filter(|row| !is_measured(row));
    rows.map(|row| format!("{} in {} has no budget", row["board"], row["precision"])).collect()
}

/// Returns a message for each figure of `costs.json` that is not within 2 % of the measured one.
fn outdated_costs(board: &str, precision: &str, measured: &BTreeMap<&str, u64>) -> Vec<String> {
    let rows = COSTS["rows"].as_array().expect("rows");
    let Some(row) = rows.iter().find(|row| row["board"] == board && row["precision"] == precision) else {
        return Vec::new();
    };
    let rest = measured["ram_bytes"] - measured["state_bytes"];
    let found = [("code_bytes", measured["code_bytes"]), ("ram_bytes", rest), ("stack_bytes", measured["stack_bytes"])];
    let shown = found.map(|(key, found)| (key, row[key].as_u64().expect("a number"), found));
    let outdated = shown.iter().filter(|(_, shown, found)| shown.abs_diff(*found) * 50 > *found);
    outdated.map(|(key, shown, found)| format!("{key} is {found} on {board} in {precision}, not {shown}")).collect()
}
