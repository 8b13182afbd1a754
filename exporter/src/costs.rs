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

use runtime::format::{Layout, Precision};
use serde::{Deserialize, Serialize};

pub use chip::Chip;
pub use terms::Network;

/// What `cargo xtask fit` wrote.
const SHIPPED: &str = include_str!("../data/costs.json");

/// A core that predictions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Core {
    M0,
    M0Plus,
    M3,
    M4,
    M7,
    M33,
    M55,
}

impl Core {
    /// All of them, the smallest first.
    pub const ALL: [Self; 7] = [Self::M0, Self::M0Plus, Self::M3, Self::M4, Self::M7, Self::M33, Self::M55];

    /// As `export --core` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::M0 => "m0",
            Self::M0Plus => "m0+",
            Self::M3 => "m3",
            Self::M4 => "m4",
            Self::M7 => "m7",
            Self::M33 => "m33",
            Self::M55 => "m55",
        }
    }

    /// The emulated board on which its instructions are counted. Cortex-M0+ and M7 run the very code of M0 and M4.
    pub fn board(self) -> &'static str {
        match self {
            Self::M0 | Self::M0Plus => "microbit",
            Self::M3 => "mps2-an385",
            Self::M4 | Self::M7 => "mps2-an386",
            Self::M33 => "mps2-an505",
            Self::M55 => "mps3-an547",
        }
    }

    /// The layout of integer weights that is fastest on it.
    pub fn layout(self) -> Layout {
        match self {
            Self::M0 | Self::M0Plus | Self::M3 => Layout::Lanes16,
            Self::M4 | Self::M7 | Self::M33 => Layout::Dual16,
            Self::M55 => Layout::Vector128,
        }
    }

    /// Whether its chips compute in single precision by themselves; others are not predicted in f32.
    pub fn has_fpu(self) -> bool {
        matches!(self, Self::M4 | Self::M7 | Self::M33 | Self::M55)
    }
}

/// The name of a precision, as options have it.
pub fn name_of(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::Int8 => "int8",
        _ => "int4",
    }
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
    /// Of the shipped model, as `docs/performance.json` has it: estimated cycles by counted instructions.
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
        let is = |row: &&Row| row.board == core.board() && row.precision == name_of(precision);
        self.rows.iter().find(is).filter(|_| precision != Precision::F32 || core.has_fpu())
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
