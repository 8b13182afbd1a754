//! Formats the output of `cargo xtask size`.

use std::fmt::Write as _;

use serde_json::json;

use super::{Measured, Share};
use crate::budget::Budget;

/// Returns the flash by sections and by crates, and the comparison with the budget.
pub fn details(measured: &Measured, budget: &Budget) -> String {
    let Measured { board, bin, precision, size, crates, weights, memory, stack, .. } = measured;
    let mut text = format!("{bin} for {board}, {precision}\n\n{size}\n");
    writeln!(text, "{:28}{:>10}{:>11}{:>10}{:>12}", "crate", "code", "constants", "flash", "functions").unwrap();
    let mut shares: Vec<_> = crates.iter().collect();
    shares.sort_by_key(|(_, share)| std::cmp::Reverse(share.total()));
    for (name, share) in shares {
        let Share { code, constants, functions } = share;
        writeln!(text, "{name:28}{code:>10}{constants:>11}{:>10}{functions:>12}", share.total()).unwrap();
    }
    writeln!(text, "{:28}{:>31}", "weights (the model's blob)", weights).unwrap();
    writeln!(text, "{:28}{:>31}", "total, bytes", size.flash()).unwrap();
    text += "code: by source lines; functions: the same code by functions, with everything inlined into them\n\n";
    let of = |figure| of(measured, budget, figure);
    let length = |region: std::ops::Range<u64>| region.end - region.start;
    writeln!(text, "flash      {} of {} bytes{}", size.flash(), length(memory.flash()), of("flash_bytes")).unwrap();
    writeln!(text, "  weights  {weights}{}", of("model_bytes")).unwrap();
    writeln!(text, "  the rest {}{}", measured.code(), of("code_bytes")).unwrap();
    writeln!(text, "static RAM {} of {} bytes{}", size.ram(), length(memory.ram()), of("ram_bytes")).unwrap();
    match stack {
        Some(stack) => writeln!(text, "stack      {stack} at most in the emulator{}", of("stack_bytes")).unwrap(),
        None => writeln!(text, "stack      not measured: the board has no emulator, or the program does not report it")
            .unwrap(),
    }
    text
}

/// Returns `, of budget N` if the figure has a budget.
fn of(measured: &Measured, budget: &Budget, figure: &str) -> String {
    let most = budget.most(&measured.bin, measured.board, measured.precision, figure);
    most.map_or_else(String::new, |most| format!(", of budget {most}"))
}

/// Returns a table with one row per measured program.
pub fn table(rows: &[Measured], budget: &Budget) -> String {
    let header = ["board", "precision", "flash", "weights", "the rest", "static RAM", "stack"];
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            let figures = row.figures();
            let cell = |figure: &str| {
                let Some(value) = figures.get(figure) else { return "-".to_owned() };
                let most = budget.most(&row.bin, row.board, row.precision, figure);
                most.map_or_else(|| value.to_string(), |most| format!("{value} of {most}"))
            };
            let figures = ["flash_bytes", "model_bytes", "code_bytes", "ram_bytes", "stack_bytes"].map(cell);
            [row.board.to_owned(), row.precision.to_owned()].into_iter().chain(figures).collect::<Vec<_>>()
        })
        .collect();
    let mut widths = header.map(str::len);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut text = String::new();
    let header = header.map(str::to_owned).to_vec();
    for row in std::iter::once(&header).chain(&cells) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Names are aligned left, numbers right.
            line += &if column < 2 { format!("{cell:width$}  ") } else { format!("{cell:>width$}  ") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text += "in bytes; `of` is followed by the budget in tests/budget.toml, if there is one\n";
    text
}

/// Returns the sizes as JSON.
pub fn to_json(measured: &Measured, budget: &Budget) -> serde_json::Value {
    let figures = measured.figures();
    let most = |figure: &&str| {
        let most = budget.most(&measured.bin, measured.board, measured.precision, figure)?;
        Some(((*figure).to_owned(), json!(most)))
    };
    let budgets: serde_json::Map<_, _> = figures.keys().filter_map(most).collect();
    let crates: serde_json::Map<_, _> = measured
        .crates
        .iter()
        .map(|(name, share)| {
            (name.clone(), {
                let Share { code, functions, constants } = share;
                json!({ "code_bytes": code, "function_bytes": functions, "constant_bytes": constants })
            })
        })
        .collect();
    let mut value = measured.size.to_json();
    value["board"] = json!(measured.board);
    value["program"] = json!(measured.bin);
    value["precision"] = json!(measured.precision);
    for (figure, bytes) in &figures {
        value[*figure] = json!(bytes);
    }
    value["budget"] = budgets.into();
    value["crates"] = crates.into();
    value
}

#[cfg(test)]
mod tests {
    use super::super::{Place, Section, Size};
    use super::*;
    use crate::board;
    use crate::memory::MemoryMap;
    use crate::repo::Repo;

    fn measured() -> Measured {
        let section =
            |name: &str, bytes, flash, ram| Section { name: name.to_owned(), bytes, place: Place { flash, ram } };
        let sections = vec![section(".text", 30_000, true, false), section(".bss", 2_000, false, true)];
        let board = board::find("microbit").unwrap();
        let share = Share { code: 9_000, functions: 9_000, constants: 1_000 };
        Measured {
            board: board.name,
            bin: "generate".to_owned(),
            precision: "int8",
            size: Size { sections },
            crates: [("core".to_owned(), share)].into(),
            weights: 20_000,
            memory: MemoryMap::read(&Repo::find(), board).unwrap(),
            stack: None,
            facts: [("state_bytes", 1_400)].into(),
        }
    }

    #[test]
    fn figures_stand_beside_their_budget() {
        let (measured, budget) = (measured(), Budget::read(&Repo::find()).unwrap());
        let most = budget.most("generate", "microbit", "int8", "ram_bytes").unwrap();
        let text = details(&measured, &budget);
        assert!(text.contains(&format!("static RAM 2000 of 16384 bytes, of budget {most}\n")), "{text}");
        assert!(text.contains("  the rest 10000"), "{text}");
        let text = table(&[measured], &budget);
        assert!(text.contains(&format!("2000 of {most}  ")), "{text}");
        assert!(text.lines().nth(1).unwrap().ends_with('-'), "{text}");
    }

    #[test]
    fn programs_read_the_same() {
        let value = to_json(&measured(), &Budget::read(&Repo::find()).unwrap());
        assert_eq!(value["flash_bytes"], 30_000);
        assert_eq!(value["code_bytes"], 10_000);
        assert_eq!(value["crates"]["core"]["constant_bytes"], 1_000);
        assert!(value["budget"]["ram_bytes"].as_u64().unwrap() > 2_000);
        assert!(value["stack_bytes"].is_null());
    }
}
