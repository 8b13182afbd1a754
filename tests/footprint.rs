//! Flash, RAM, stack and work of the firmware stay within the budget.

use std::collections::BTreeMap;

use tests::{generate, generate_elf, workspace};
use xtask::firmware::report;

/// `key = number` lines of `budget.toml`.
fn budget() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(workspace("tests/budget.toml")).expect("the budget");
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (key, value) = line.split_once('=').expect("key = number");
            (key.trim().to_owned(), value.trim().replace('_', "").parse().expect("a number"))
        })
        .collect()
}

#[test]
fn the_firmware_keeps_its_budget() {
    let size = xtask::size::of_file(generate_elf()).expect("an ELF file");
    let run = generate(&[]);
    let (_, facts) = report(&run.lines);
    let fact = |key: &str| facts[key].parse::<u64>().expect("a number");
    let measured = BTreeMap::from([
        ("code_bytes", size.flash() - fact("model_bytes")),
        ("ram_bytes", size.ram()),
        ("stack_bytes", fact("stack_bytes")),
        ("instructions_per_char", fact("instructions_per_char")),
    ]);
    let budget = budget();
    println!("measured {measured:?}");
    assert_eq!(measured.len(), budget.len());
    for (key, value) in measured {
        let most = budget[key];
        assert!(value <= most, "{key} is {value}, the budget is {most}");
        // A budget that nobody would notice breaking is none.
        assert!(value * 10 >= most * 7, "{key} is {value}: lower the budget of {most}");
    }
}
