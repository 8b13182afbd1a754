//! Flash, RAM, stack and work of the firmware stay within the budget.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use tests::{Firmware, workspace};
use xtask::firmware::report;

/// Numbers by name, by precision, by board.
type Budget = BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>;

static BUDGET: LazyLock<Budget> = LazyLock::new(|| {
    let text = std::fs::read_to_string(workspace("tests/budget.toml")).expect("the budget");
    toml::from_str(&text).expect("tables [board.precision] of numbers")
});

/// The `generate` program with the shipped model.
fn measure(board: &str, precision: &str) -> BTreeMap<&'static str, u64> {
    let blob = if precision == "f32" { "names.blob".to_owned() } else { format!("names.{precision}.blob") };
    let firmware = Firmware::build(board, "generate", &blob);
    let size = xtask::size::of_file(firmware.elf()).expect("an ELF file");
    let run = firmware.run(&[]);
    let (_, facts) = report(&run.lines);
    let fact = |key: &str| facts[key].parse::<u64>().expect("a number");
    BTreeMap::from([
        ("code_bytes", size.flash() - fact("model_bytes")),
        ("model_bytes", fact("model_bytes")),
        ("ram_bytes", size.ram()),
        ("state_bytes", fact("state_bytes")),
        ("stack_bytes", fact("stack_bytes")),
        ("instructions_per_char", fact("instructions_per_char")),
    ])
}

#[test]
fn the_firmware_keeps_its_budget() {
    for (board, precisions) in &*BUDGET {
        for (precision, budget) in precisions {
            let measured = measure(board, precision);
            println!("{board} {precision}: {measured:?}");
            assert!(measured.keys().eq(budget.keys()), "[{board}.{precision}] has other lines: {budget:?}");
            for (key, value) in measured {
                let most = budget[key];
                assert!(value <= most, "{key} is {value} on {board} in {precision}, the budget is {most}");
                // A budget that nobody would notice breaking is none.
                assert!(
                    value * 10 >= most * 8,
                    "{key} is {value} on {board} in {precision}: lower the budget of {most}"
                );
            }
        }
    }
}

/// The promise of the integer path, whatever the budget says: an 8-bit model of this size works in 2.5 kB.
#[test]
fn integer_inference_takes_little_ram() {
    for (board, precisions) in &*BUDGET {
        for precision in ["int8", "int4"] {
            let most = precisions[precision]["state_bytes"];
            assert!(most <= 2_560, "{board} {precision}: {most} bytes of state");
        }
    }
}
