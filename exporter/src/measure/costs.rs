//! What a character takes on a chip, known before it is flashed.
//!
//! The work of a network is a sum of countable things: blocks of rows, groups of columns, values that are copied ([`terms`]).
//! What each of them takes on a core was found by counting networks of many shapes in the emulator ([`fit`]), and stands in
//! `exporter/data/costs.json`, which `cargo xtask fit` writes anew. A test counts networks that were not among them.
//!
//! Instructions are those of the emulator, cycles an estimate, a chip's time an estimate of an estimate: see [`Chip`].

mod chip;
pub mod fit;
pub mod terms;

use std::collections::BTreeMap;

use runtime::format::{Core, Precision};
use serde::{Deserialize, Serialize};

pub use chip::Chip;
pub use terms::Network;

/// What `cargo xtask fit` wrote.
const SHIPPED: &str = include_str!("../../data/costs.json");

/// Returns the emulated board on which a core's instructions are counted, or `None` for a core that is not predicted.
///
/// Cortex-M0+ and M7 run the same code as M0 and M4. Cortex-M85 runs that of M55, but no chip with it is in
/// `chip::CHIPS`.
pub const fn counted_on(core: Core) -> Option<&'static str> {
    match core {
        Core::M0 | Core::M0Plus => Some("microbit"),
        Core::M3 => Some("mps2-an385"),
        Core::M4 | Core::M7 => Some("mps2-an386"),
        Core::M33 => Some("mps2-an505"),
        Core::M55 => Some("mps3-an547"),
        Core::M85 => None,
    }
}

/// Returns the cores that are predicted, the smallest first.
pub fn predicted() -> impl Iterator<Item = Core> {
    Core::ALL.iter().copied().filter(|&core| counted_on(core).is_some())
}

/// Returns whether a precision is predicted on a core: f32 only where the core computes it in hardware.
pub const fn is_predicted(core: Core, precision: Precision) -> bool {
    precision.is_integer() || core.has_fpu()
}

/// What was found for a core's board and a precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The emulated board.
    pub board: String,
    /// The precision.
    pub precision: String,
    /// Instructions for one of each of [`terms`].
    pub coefficients: BTreeMap<String, f64>,
    /// Networks that were counted.
    pub networks: usize,
    /// The largest error of the sum among them.
    pub largest_error_percent: f64,
    /// Of the shipped model, as `docs/trust/record/performance.json` has it: estimated cycles by counted instructions.
    pub cycles_per_instruction: f64,
    /// Of the program [`PROGRAM`]: flash without the model.
    pub code_bytes: u64,
    /// Static RAM without the model's state.
    pub ram_bytes: u64,
    /// The most that its stack took.
    pub stack_bytes: u64,
}

/// The program whose code and RAM are given.
pub const PROGRAM: &str = "generate";

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// When and with what it was made.
    pub made: String,
    /// A row per board and precision.
    pub rows: Vec<Row>,
}

impl Costs {
    /// What ships with the program.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn shipped() -> Self {
        serde_json::from_str(SHIPPED).expect("a file of costs")
    }

    /// The row of a core; `None` where nothing was counted.
    pub fn row(&self, core: Core, precision: Precision) -> Option<&Row> {
        let board = counted_on(core).filter(|_| is_predicted(core, precision))?;
        self.rows.iter().find(|row| row.board == board && row.precision == precision.name())
    }

    /// The file's text, a row a line.
    ///
    /// # Panics
    /// Never: all of it can be written as JSON.
    pub fn to_text(&self) -> String {
        let rows = self.rows.iter().map(|row| serde_json::to_string(row).expect("numbers and names"));
        let rows: Vec<String> = rows.map(|row| format!("    {row}")).collect();
        let made = serde_json::to_string(&self.made).expect("a text");
        format!("{{\n  \"made\": {made},\n  \"rows\": [\n{}\n  ]\n}}\n", rows.join(",\n"))
    }
}

impl Row {
    /// Instructions per character, predicted; and those of the parts: levels, output layer, drawing, what is between them.
    pub fn predict(&self, network: &Network) -> Prediction {
        let parts: Vec<f64> = network.parts().iter().map(|terms| self.sum(terms)).collect();
        Prediction { instructions: parts.iter().sum(), parts }
    }

    fn sum(&self, terms: &terms::Terms) -> f64 {
        terms.iter().map(|(name, count)| count * self.coefficients.get(*name).copied().unwrap_or(0.0)).sum()
    }
}

/// What a character takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Instructions in all.
    pub instructions: f64,
    /// The levels, the output layer, drawing, and what is between them.
    pub parts: Vec<f64>,
}
