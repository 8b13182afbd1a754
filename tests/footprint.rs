//! Flash, RAM, stack and work of the firmware stay within the budget.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use object::{Object, ObjectSection};
use tests::{Firmware, workspace};
use xtask::firmware::report;

/// Numbers by name, by precision, by board.
type Budget = BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>;

static BUDGET: LazyLock<Budget> = LazyLock::new(|| {
    let text = std::fs::read_to_string(workspace("tests/budget.toml")).expect("the budget");
    toml::from_str(&text).expect("tables [board.precision] of numbers")
});

/// Bytes of code of the smallest program, `name`, start-up and console included.
fn code_of_name(board: &str, blob: &str) -> u64 {
    let firmware = Firmware::build(board, "name", blob);
    let run = firmware.run(&[]);
    // It begins with the prompt, and has something behind it.
    let [name] = &run.lines[..] else { panic!("more than a name: {:?}", run.lines) };
    assert!(run.success() && name.starts_with("ma") && name.len() > 2, "{name}");
    let bytes = std::fs::read(firmware.elf()).expect("an ELF file");
    let file = object::File::parse(&*bytes).expect("an ELF file");
    file.section_by_name(".text").expect("code").size()
}

/// The `generate` program with the shipped model, and the code of `name`.
fn measure(board: &str, precision: &str) -> BTreeMap<&'static str, u64> {
    let blob = if precision == "f32" { "names.blob".to_owned() } else { format!("names.{precision}.blob") };
    let firmware = Firmware::build(board, "generate", &blob);
    let size = xtask::size::of_file(firmware.elf()).expect("an ELF file");
    let run = firmware.run(&[]);
    let (_, facts) = report(&run.lines);
    let fact = |key: &str| facts[key].parse::<u64>().expect("a number");
    BTreeMap::from([
        ("name_text_bytes", code_of_name(board, &blob)),
        ("code_bytes", size.flash() - fact("model_bytes")),
        ("model_bytes", fact("model_bytes")),
        ("ram_bytes", size.ram()),
        ("state_bytes", fact("state_bytes")),
        ("model_ram_bytes", fact("model_ram_bytes")),
        ("stack_bytes", fact("stack_bytes")),
        ("generation_stack_bytes", fact("generation_stack_bytes")),
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
            for (&key, &value) in &measured {
                let most = budget[key];
                assert!(value <= most, "{key} is {value} on {board} in {precision}, the budget is {most}");
                // A budget that nobody would notice breaking is none.
                assert!(
                    value * 10 >= most * 8,
                    "{key} is {value} on {board} in {precision}: lower the budget of {most}"
                );
            }
            if precision != "f32" {
                keeps_its_promise(board, precision, &measured);
            }
        }
    }
}

/// What is promised of the integer path, whatever the budget says: a model of this size works in 2.5 kB of RAM, what is kept of
/// the model included, and takes 1 KiB of stack for a word.
fn keeps_its_promise(board: &str, precision: &str, measured: &BTreeMap<&str, u64>) {
    let ram = measured["state_bytes"] + measured["model_ram_bytes"];
    assert!(ram <= 2_560, "{board} {precision}: {ram} bytes of RAM");
    let stack = measured["generation_stack_bytes"];
    assert!(stack <= 1_024, "{board} {precision}: {stack} bytes of stack for a word");
}
