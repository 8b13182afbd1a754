//! Predicts the work per character of a model on a chip, before the chip is flashed.
//!
//! The work of a network is a sum of countable terms: blocks of rows, groups of columns, copied values. They are in the
//! package [`costs`], which needs no standard library. The instructions of each term on each core are coefficients,
//! fitted to networks of many shapes that were counted in the emulator ([`fit`]). `cargo xtask fit` writes them to
//! `exporter/data/costs.json`. A test counts other networks.
//!
//! Instructions are predicted as the emulator counts them. Cycles are estimated from instructions, and a chip's time is
//! estimated from cycles: see [`costs::Chip`].

pub mod fit;

use std::collections::BTreeMap;

use costs::{Terms, counted_on, is_predicted};
use runtime::format::{Core, Precision};
use serde::{Deserialize, Serialize};

/// The file that `cargo xtask fit` writes.
const SHIPPED: &str = include_str!("../../data/costs.json");

/// Measurements of one board and one precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The emulated board.
    pub board: String,
    /// The precision.
    pub precision: String,
    /// Instructions per unit of each of the [terms](costs::terms).
    pub coefficients: BTreeMap<String, f64>,
    /// Number of networks that were counted.
    pub networks: usize,
    /// Largest error of a predicted sum among these networks.
    pub largest_error_percent: f64,
    /// Estimated cycles of the shipped model divided by its counted instructions, from
    /// `docs/trust/record/performance.json`.
    pub cycles_per_instruction: f64,
    /// Flash that [`PROGRAM`] takes without the model.
    pub code_bytes: u64,
    /// Static RAM that [`PROGRAM`] takes without the model's state.
    pub ram_bytes: u64,
    /// Largest stack of [`PROGRAM`].
    pub stack_bytes: u64,
}

/// The program whose code and RAM are measured.
pub const PROGRAM: &str = "generate";

/// Contents of `costs.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Date, and tools that made the file.
    pub made: String,
    /// One row per board and precision.
    pub rows: Vec<Row>,
}

impl Costs {
    /// Returns the costs that ship with the program.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn shipped() -> Self {
        serde_json::from_str(SHIPPED).expect("a file of costs")
    }

    /// Returns the row of a core and a precision, or `None` if they were not counted.
    pub fn row(&self, core: Core, precision: Precision) -> Option<&Row> {
        let board = counted_on(core).filter(|_| is_predicted(core, precision))?;
        self.rows.iter().find(|row| row.board == board && row.precision == precision.name())
    }

    /// Returns the text of the file, one row per line.
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
    /// Predicts the instructions per character of a network from the terms of its parts.
    pub fn predict(&self, parts: &[Terms]) -> Prediction {
        let parts: Vec<f64> = parts.iter().map(|terms| self.sum(terms)).collect();
        Prediction { instructions: parts.iter().sum(), parts }
    }

    fn sum(&self, terms: &Terms) -> f64 {
        terms.iter().map(|(name, count)| count * self.coefficients.get(*name).copied().unwrap_or(0.0)).sum()
    }
}

/// Predicted instructions per character.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Total instructions.
    pub instructions: f64,
    /// Instructions of each level, the output layer, drawing, and the code between them.
    pub parts: Vec<f64>,
}
