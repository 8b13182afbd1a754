//! Reads libFuzzer's log of a run as a row of a table.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

/// Result of a target.
#[derive(Debug, Default, PartialEq)]
pub struct Row {
    pub target: &'static str,
    pub executions: u64,
    pub per_second: u64,
    /// Number of inputs in the corpus.
    pub corpus: u64,
    /// Number of edges of the program that were taken.
    pub edges: u64,
    /// Files with inputs that crashed the target, made it hang, or filled the memory.
    pub crashes: BTreeSet<String>,
}

/// Reads the log of a run: lines such as `#12 REDUCE cov: 1303 ft: 5078 corp: 519/89Kb ...`, and statistics at the end.
pub fn parse(target: &'static str, log: &str) -> Row {
    let mut row = Row { target, ..Row::default() };
    for line in log.lines() {
        let figure = |name: &str| line.strip_prefix(name).and_then(|text| text.trim().parse().ok());
        if let Some(executions) = figure("stat::number_of_executed_units:") {
            row.executions = executions;
        } else if let Some(per_second) = figure("stat::average_exec_per_sec:") {
            row.per_second = per_second;
        } else if line.starts_with('#') {
            let behind = |name: &str| {
                let text = line.split_once(name)?.1.trim_start();
                text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
            };
            row.edges = behind(" cov: ").unwrap_or(row.edges);
            row.corpus = behind(" corp: ").unwrap_or(row.corpus);
            // After a crash there are no statistics at the end.
            row.executions = behind("#").unwrap_or(row.executions);
        }
    }
    row
}

/// Returns the files that runs have saved, without slow inputs, which are not failures.
pub fn crashes(folder: &Path) -> Result<BTreeSet<String>> {
    let entries = folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))?;
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    Ok(names.filter(|name| !name.starts_with("slow-unit")).collect())
}

/// Returns the end of a log, without the dump of memory.
pub fn end(log: &str) -> String {
    let start = log.lines().position(|line| line.contains("panicked at") || line.contains("ERROR:")).unwrap_or(0);
    log.lines().skip(start).take(12).collect::<Vec<_>>().join("\n")
}

/// Returns the final table.
pub fn table(rows: &[Row]) -> String {
    let mut text = "target      executions   per second   corpus    edges  crashes\n".to_owned();
    for Row { target, executions, per_second, corpus, edges, crashes } in rows {
        let crashes = crashes.len();
        writeln!(text, "{target:<10} {executions:>11} {per_second:>12} {corpus:>8} {edges:>8} {crashes:>8}")
            .expect("writing to a string succeeds");
    }
    text
}

/// Returns the table as JSON.
pub fn json(rows: &[Row]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            serde_json::json!({
                "target": row.target,
                "executions": row.executions,
                "executions_per_second": row.per_second,
                "corpus": row.corpus,
                "edges": row.edges,
                "crashes": row.crashes,
            })
        })
        .collect();
    serde_json::Value::from(rows).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "INFO: Seed: 1\n#2\tINITED cov: 100 ft: 200 corp: 3/1Kb exec/s: 0 rss: 33Mb\n\
        #52061\tDONE   cov: 1303 ft: 5078 corp: 519/89Kb lim: 512 exec/s: 7982 rss: 439Mb\n\
        Done 52061 runs in 21 second(s)\nstat::number_of_executed_units: 52061\nstat::average_exec_per_sec:     2479\n";

    #[test]
    fn figures_are_read() {
        let row = parse("load", LOG);
        assert_eq!((row.executions, row.per_second, row.corpus, row.edges), (52_061, 2479, 519, 1303));
        assert!(table(&[row]).ends_with("load             52061         2479      519     1303        0\n"));
    }

    #[test]
    fn a_crash_is_counted_as_far_as_it_came() {
        let log =
            "#7\tNEW    cov: 12 ft: 20 corp: 3/1Kb exec/s: 0\nthread '<unnamed>' panicked at src/x.rs:1:1:\nboom\n";
        let row = parse("load", log);
        assert_eq!((row.executions, row.per_second, row.edges), (7, 0, 12));
        assert!(end(log).starts_with("thread"), "{}", end(log));
        let row = Row { crashes: ["crash-1".to_owned()].into(), ..row };
        let json: serde_json::Value = serde_json::from_str(&json(&[row])).unwrap();
        assert_eq!(json[0]["crashes"][0], "crash-1");
        assert_eq!(json[0]["executions"], 7);
    }
}
