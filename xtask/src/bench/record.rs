//! Measured figures, one row per combination, kept in `docs/trust/record/performance.json`, and their changes.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{GATED, PAIRS, PRECISIONS, RELU, SHIPPED, SHIPPED_TABLES, TABLES, WAVENET};
use crate::board::BOARDS;
use crate::repo::Repo;

/// The anomaly detector, which is not a character model; see `firmware-example/build/anomaly.rs`.
pub const ANOMALY: &str = "anomaly";

/// Changes below this percentage count as no change: unrelated code slightly shifts a compiler's choices.
pub const TOLERANCE_PERCENT: f64 = 1.0;

/// A measured combination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Name of the board in `boards.toml`.
    pub board: String,
    /// Name of the board's core.
    pub core: String,
    /// Model: `wavenet-128`, `gated`, `names`, [`ANOMALY`], ...
    pub model: String,
    /// Precision: `f32`, `int8`, `int4`.
    pub precision: String,
    /// Layout: `rows8`, `row-major`, ...
    pub layout: String,
    /// True if the layout is the board's default.
    pub is_own: bool,
    /// Multiply-accumulates per character, without tables; for [`ANOMALY`], per inference.
    pub macs: u64,
    /// Instructions per character, including everything; for [`ANOMALY`], per inference.
    pub instructions: u64,
    /// Estimated cycles for the same work.
    pub cycles: Option<u64>,
    /// Instructions of each part, from the characters up.
    pub parts: Vec<(String, u64)>,
    /// Bytes of code of the kernels.
    pub kernel_bytes: u64,
    /// Bytes of flash of the measuring program, including the model.
    pub flash_bytes: u64,
    /// Bytes of static RAM of the measuring program.
    pub ram_bytes: u64,
}

impl Row {
    /// Returns the fields that identify a row.
    pub fn key(&self) -> [&str; 4] {
        [&self.board, &self.model, &self.precision, &self.layout]
    }

    /// Instructions per multiply-accumulate.
    pub fn instructions_per_mac(&self) -> f64 {
        self.instructions as f64 / self.macs as f64
    }

    /// Estimated cycles per multiply-accumulate.
    pub fn cycles_per_mac(&self) -> Option<f64> {
        self.cycles.map(|cycles| cycles as f64 / self.macs as f64)
    }

    /// Returns the unit of work that is counted.
    fn per(&self) -> &'static str {
        if self.model == ANOMALY { "inference" } else { "char" }
    }

    /// Returns the row as a JSON object.
    pub fn to_json(&self) -> Value {
        let rounded = (self.instructions_per_mac() * 1000.0).round() / 1000.0;
        let parts: Vec<_> = self.parts.iter().map(|(name, instructions)| json!([name, instructions])).collect();
        let mut row = json!({
            "board": self.board,
            "core": self.core,
            "model": self.model,
            "precision": self.precision,
            "layout": self.layout,
            "own": self.is_own,
            "macs": self.macs,
            "instructions_per_mac": rounded,
            "parts": parts,
            "kernel_bytes": self.kernel_bytes,
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
        });
        row[format!("instructions_per_{}", self.per())] = self.instructions.into();
        row[format!("estimated_cycles_per_{}", self.per())] = self.cycles.into();
        row
    }

    fn from_json(row: &Value) -> Option<Self> {
        let text = |key: &str| row[key].as_str().map(str::to_owned);
        let part = |part: &Value| Some((part[0].as_str()?.to_owned(), part[1].as_u64()?));
        let per = if row["model"] == ANOMALY { "inference" } else { "char" };
        Some(Self {
            board: text("board")?,
            core: text("core")?,
            model: text("model")?,
            precision: text("precision")?,
            layout: text("layout")?,
            is_own: row["own"].as_bool()?,
            macs: row["macs"].as_u64()?,
            instructions: row[format!("instructions_per_{per}")].as_u64()?,
            cycles: row[format!("estimated_cycles_per_{per}")].as_u64(),
            parts: row["parts"].as_array()?.iter().map(part).collect::<Option<_>>()?,
            kernel_bytes: row["kernel_bytes"].as_u64()?,
            flash_bytes: row["flash_bytes"].as_u64()?,
            ram_bytes: row["ram_bytes"].as_u64()?,
        })
    }
}

/// The recorded figures.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Record {
    /// Date and tools of the measurement: `date`, `rustc`, `qemu`.
    pub made: String,
    /// Measured combinations.
    pub rows: Vec<Row>,
}

impl Record {
    fn file(repo: &Repo) -> PathBuf {
        repo.root().join("docs/trust/record/performance.json")
    }

    /// Reads the record, or returns an empty one if the file does not exist yet.
    pub fn read(repo: &Repo) -> Result<Self> {
        let file = Self::file(repo);
        if !file.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", repo.short(&file)))?;
        Self::parse(&text).with_context(|| format!("cannot read {}", repo.short(&file)))
    }

    fn parse(text: &str) -> Result<Self> {
        let record: Value = serde_json::from_str(text)?;
        let rows = record["rows"].as_array().context("no rows")?.iter();
        let rows = rows.map(|row| Row::from_json(row).with_context(|| format!("an incomplete row: {row}")));
        Ok(Self { made: record["made"].as_str().unwrap_or_default().to_owned(), rows: rows.collect::<Result<_>>()? })
    }

    /// Writes the record.
    pub fn write(&self, repo: &Repo) -> Result<()> {
        let file = Self::file(repo);
        fs::write(&file, self.to_text()).with_context(|| format!("cannot write {}", repo.short(&file)))
    }

    /// Returns the record as JSON with one row per line, so that differences are readable.
    fn to_text(&self) -> String {
        let rows: Vec<_> = self.rows.iter().map(|row| format!("    {}", row.to_json())).collect();
        format!("{{\n  \"made\": {},\n  \"rows\": [\n{}\n  ]\n}}\n", json!(self.made), rows.join(",\n"))
    }

    /// Returns the recorded row of the same combination.
    pub fn find(&self, row: &Row) -> Option<&Row> {
        self.rows.iter().find(|recorded| recorded.key() == row.key())
    }

    /// Adds rows, replacing those of the same combinations, and sorts them in the order of the boards.
    pub fn update(&mut self, rows: &[Row]) {
        for row in rows {
            let same_but_layout = |other: &Row| other.key()[..3] == row.key()[..3];
            // A board has only one layout of its own.
            for other in self.rows.iter_mut().filter(|other| row.is_own && same_but_layout(other)) {
                other.is_own = false;
            }
            match self.rows.iter_mut().find(|recorded| recorded.key() == row.key()) {
                Some(recorded) => *recorded = row.clone(),
                None => self.rows.push(row.clone()),
            }
        }
        let boards: Vec<_> = BOARDS.iter().map(|board| board.name).collect();
        let place = |names: &[&str], name: &str| names.iter().position(|other| *other == name);
        self.rows.sort_by_key(|row| {
            (
                place(&boards, &row.board),
                place(&[WAVENET, RELU, PAIRS, TABLES, GATED, SHIPPED, SHIPPED_TABLES, ANOMALY], &row.model),
                place(&PRECISIONS, &row.precision),
                !row.is_own,
            )
        });
    }
}

/// Comparison of a row with its record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// There is no recorded row.
    New,
    /// The difference is within [`TOLERANCE_PERCENT`].
    Same,
    /// The row takes more instructions than recorded, in percent.
    Grown(f64),
    /// The row takes fewer instructions than recorded, in percent.
    Shrunk(f64),
}

/// Compares a row's instructions with the recorded ones.
pub fn change(recorded: Option<&Row>, row: &Row) -> Change {
    let Some(recorded) = recorded else { return Change::New };
    let percent = (row.instructions as f64 - recorded.instructions as f64) * 100.0 / recorded.instructions as f64;
    match percent {
        grown if grown > TOLERANCE_PERCENT => Change::Grown(grown),
        shrunk if shrunk < -TOLERANCE_PERCENT => Change::Shrunk(-shrunk),
        _ => Change::Same,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn row(instructions: u64) -> Row {
        Row {
            board: "mps2-an386".to_owned(),
            core: "Cortex-M4F".to_owned(),
            model: "wavenet-128".to_owned(),
            precision: "int8".to_owned(),
            layout: "dual16".to_owned(),
            is_own: true,
            macs: 68_992,
            instructions,
            cycles: Some(90_000),
            parts: vec![("level_0".to_owned(), 2_756), ("sampling".to_owned(), 1_255)],
            kernel_bytes: 1_000,
            flash_bytes: 100_000,
            ram_bytes: 2_000,
        }
    }

    #[test]
    fn a_record_is_read_as_written() {
        let anomaly = Row { model: ANOMALY.to_owned(), cycles: None, parts: Vec::new(), ..row(229_672) };
        let record = Record { made: "1970-01-01".to_owned(), rows: vec![row(60_041), anomaly] };
        let text = record.to_text();
        assert_eq!(Record::parse(&text).unwrap(), record);
        assert!(text.contains("\"instructions_per_char\":60041") && text.contains("\"instructions_per_inference\""));
        assert!(text.contains("\"instructions_per_mac\":0.87"), "{text}");
        assert!(Record::parse("{\"rows\": [{}]}").is_err());
    }

    #[test]
    fn one_per_cent_is_no_change() {
        let recorded = row(100_000);
        assert_eq!(change(None, &recorded), Change::New);
        assert_eq!(change(Some(&recorded), &row(101_000)), Change::Same);
        assert_eq!(change(Some(&recorded), &row(99_000)), Change::Same);
        assert!(matches!(change(Some(&recorded), &row(101_001)), Change::Grown(_)));
        assert!(matches!(change(Some(&recorded), &row(98_999)), Change::Shrunk(_)));
    }

    #[test]
    fn new_figures_replace_old_ones() {
        let int4 = Row { precision: "int4".to_owned(), ..row(2) };
        let mut record = Record { made: String::new(), rows: vec![int4, row(1)] };
        let other = |is_own| Row { layout: "row-major".to_owned(), is_own, ..row(4) };
        record.update(&[other(false), row(3)]);
        let instructions = |record: &Record| record.rows.iter().map(|row| row.instructions).collect::<Vec<_>>();
        assert_eq!(instructions(&record), [3, 4, 2]);
        assert_eq!(record.find(&row(0)).unwrap().instructions, 3);
        record.update(&[other(true)]);
        assert_eq!(instructions(&record), [4, 3, 2]);
    }
}
