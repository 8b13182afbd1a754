//! Counts the outcomes of mutants by area.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::{Context, Result};
use serde_json::Value;

/// Percentage of buildable mutants that the tests must notice in every area.
pub const TARGET_PERCENT: f64 = 95.0;

/// Outcomes of a mutant in cargo-mutants' words, in the order of the table's columns.
const OUTCOMES: [&str; 4] = ["CaughtMutant", "Timeout", "MissedMutant", "Unviable"];

/// Outcomes by mutant name: `runtime/src/quant.rs:41:9: replace ...`.
#[derive(Default)]
pub struct Score {
    outcomes: BTreeMap<String, String>,
    /// Names of all mutants, tested or not.
    all: BTreeSet<String>,
}

/// Counts of an area.
#[derive(Default, Clone, Copy, PartialEq, Debug)]
struct Row {
    all: usize,
    /// Counts in the order of [`OUTCOMES`].
    counts: [usize; 4],
}

impl Row {
    /// Returns the percentage of buildable, tested mutants that were noticed, or `None` if there are none.
    fn percent(self) -> Option<f64> {
        let [caught, timeout, missed, _] = self.counts;
        let noticed = caught + timeout;
        (noticed + missed > 0).then(|| 100.0 * noticed as f64 / (noticed + missed) as f64)
    }
}

impl Score {
    /// Parses the output of [`Self::to_text`].
    pub fn parse(text: &str) -> Result<Self> {
        let outcomes = serde_json::from_str(text).context("no record of mutants")?;
        Ok(Self { outcomes, ..Self::default() })
    }

    pub fn to_text(&self) -> String {
        format!("{:#}\n", Value::from_iter(self.outcomes.iter().map(|(name, outcome)| (name.clone(), outcome.clone()))))
    }

    /// Adds a run from cargo-mutants' `outcomes.json`.
    pub fn add(&mut self, text: &str) -> Result<()> {
        let report: Value = serde_json::from_str(text)?;
        for outcome in report["outcomes"].as_array().context("no outcomes")? {
            // The first outcome belongs to the unchanged code.
            let name = outcome["scenario"]["Mutant"]["name"].as_str();
            if let (Some(name), Some(summary)) = (name, outcome["summary"].as_str()) {
                self.outcomes.insert(name.to_owned(), summary.to_owned());
            }
        }
        Ok(())
    }

    /// Removes outcomes of mutants that are not in `all`.
    pub fn keep(&mut self, all: &[String]) {
        self.all = all.iter().cloned().collect();
        self.outcomes.retain(|name, _| self.all.contains(name));
    }

    /// Returns the names of the mutants that no test noticed.
    pub fn missed(&self) -> impl Iterator<Item = &str> {
        self.with_outcome("MissedMutant")
    }

    fn with_outcome(&self, outcome: &str) -> impl Iterator<Item = &str> {
        self.outcomes.iter().filter(move |(_, of)| *of == outcome).map(|(name, _)| name.as_str())
    }

    fn rows(&self) -> BTreeMap<&str, Row> {
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        for name in &self.all {
            let row = rows.entry(area(name)).or_default();
            row.all += 1;
            let outcome = self.outcomes.get(name);
            if let Some(at) = OUTCOMES.iter().position(|summary| outcome.is_some_and(|outcome| outcome == summary)) {
                row.counts[at] += 1;
            }
        }
        rows
    }

    /// Returns whether every area with tested mutants reaches the target.
    pub fn passes(&self) -> bool {
        self.rows().values().filter_map(|row| row.percent()).all(|percent| percent >= TARGET_PERCENT)
    }

    /// Returns the table and the survivors.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "| area | mutants | tested | caught | timed out | missed | do not build | score |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for (area, row) in self.rows() {
            let ([caught, timeout, missed, unviable], tested) = (row.counts, row.counts.iter().sum::<usize>());
            let percent = row.percent().map_or_else(|| "not known".to_owned(), |percent| format!("{percent:.1} %"));
            let counts = format!("{} | {tested} | {caught} | {timeout} | {missed} | {unviable}", row.all);
            writeln!(text, "| `{area}` | {counts} | {percent} |").expect("text");
        }
        let mut named = |title: &str, outcome: &str| {
            let names: String = self.with_outcome(outcome).map(|name| format!("- `{name}`\n")).collect();
            if !names.is_empty() {
                write!(text, "\n{title}:\n\n{names}").expect("text");
            }
        };
        named("Missed", "MissedMutant");
        named("Timed out, which counts as caught", "Timeout");
        text
    }

    /// Returns the page for the repository.
    pub fn page(&self, config: &str) -> String {
        let left_out = config.split_once("exclude_re = [\n").and_then(|(_, rest)| rest.split_once("\n]"));
        let left_out = left_out.map_or("", |(list, _)| list);
        format!(
            "# Mutants: would the tests notice a fault?\n\n\
             `cargo xtask mutants --record` writes this page. The command changes one operator or one function of\n\
             the runtime at a time and runs the runtime's tests. The score is the share of mutants that a test\n\
             notices, among the mutants that build; the target is {TARGET_PERCENT} % in every area.\n\n\
             Where fewer mutants were tested than there are, the score is that of a sample. Tests were added for\n\
             the survivors of the sample, so the rest would score lower.\n\n\
             - `kernels/x86`: the kernels with intrinsics.\n\
             - `kernels`: all other kernels that a host compiles: the definitions of every layout.\n\
             - Kernels in assembly have hand-made faults in `tests/faults.toml`: `cargo xtask mutants --emulated`.\n\n\
             {}\n\
             Excluded mutants and the reason for each, from `.cargo/mutants.toml`. \"Hides N\": the entry also\n\
             excludes N mutants that a test finds, the same change elsewhere in the function.\n\n```toml\n{left_out}\n```\n",
            self.text()
        )
    }
}

/// Returns the area of a mutant: `kernels` for `runtime/src/kernels/dual16.rs:...`.
fn area(name: &str) -> &str {
    let path = name.split(':').next().unwrap_or_default();
    let path = path.trim_start_matches("runtime/src/").trim_end_matches(".rs");
    // The folder or file may be anywhere below the kernels.
    if path.starts_with("kernels/") && path.split('/').any(|part| part == "x86") {
        return "kernels/x86";
    }
    path.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[(&str, &str)]) -> String {
        let mut all = vec![r#"{"scenario":"Baseline","summary":"Success"}"#.to_owned()];
        all.extend(outcomes.iter().map(|(name, summary)| {
            format!(r#"{{"scenario":{{"Mutant":{{"name":"{name}"}}}},"summary":"{summary}"}}"#)
        }));
        format!(r#"{{"outcomes":[{}]}}"#, all.join(","))
    }

    #[test]
    fn areas_do_not_depend_on_folders_of_the_kernels() {
        for (name, expected) in [
            ("runtime/src/quant.rs:1:2: a", "quant"),
            ("runtime/src/kernels.rs:1:2: a", "kernels"),
            ("runtime/src/kernels/dual16.rs:1:2: a", "kernels"),
            ("runtime/src/kernels/layout/dual16/block.rs:1:2: a", "kernels"),
            ("runtime/src/kernels/x86.rs:1:2: a", "kernels/x86"),
            ("runtime/src/kernels/host/x86/avx2.rs:1:2: a", "kernels/x86"),
        ] {
            assert_eq!(area(name), expected, "{name}");
        }
    }

    #[test]
    fn runs_add_up_and_what_is_gone_is_forgotten() {
        let (a, b, c) =
            ("runtime/src/quant.rs:1:2: replace + with -", "runtime/src/kernels/x86/avx2.rs:1:1: b", "gone");
        let mut score = Score::default();
        score.add(&report(&[(a, "MissedMutant"), (b, "Unviable"), (c, "CaughtMutant")])).unwrap();
        let mut score = Score::parse(&score.to_text()).unwrap();
        let all = [a, b, "runtime/src/format/header.rs:3:1: d"].map(str::to_owned);
        score.keep(&all);
        assert!(!score.passes());
        assert!(score.text().contains("| `quant` | 1 | 1 | 0 | 0 | 1 | 0 | 0.0 % |"), "{}", score.text());
        assert!(score.text().contains("| `kernels/x86` | 1 | 1 | 0 | 0 | 0 | 1 | not known |"), "{}", score.text());
        assert!(score.text().contains("| `format` | 1 | 0 | 0 | 0 | 0 | 0 | not known |"), "{}", score.text());
        assert!(score.text().contains(&format!("Missed:\n\n- `{a}`\n")));
        assert!(score.missed().eq([a]));
        score.add(&report(&[(a, "CaughtMutant")])).unwrap();
        score.keep(&all);
        assert!(score.passes());
        assert!(score.text().contains("| `quant` | 1 | 1 | 1 | 0 | 0 | 0 | 100.0 % |"), "{}", score.text());
        assert!(score.page("exclude_re = [\n    # why\n    'x',\n]\n").contains("    # why\n    'x',\n```"));
        assert!(score.add("{}").is_err());
    }
}
