//! `cargo xtask fuzz --coverage`: lists the lines of the loader that the committed inputs do not reach.
//!
//! The test over the committed inputs (`runtime/tests/fuzz.rs`) is compiled without optimization and run by valgrind's
//! callgrind, which counts the executed instructions of each source line. The program's line table lists all lines with
//! instructions. A line is reached if one of its instructions was executed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use gimli::{DebugLine, DebugLineOffset, DebugStr, EndianSlice, LittleEndian};
use object::{Object, ObjectSection};

use crate::command::{on_path, run as run_command, run_for_output};
use crate::firmware::executable;
use crate::repo::{Repo, normalize};
use crate::size::crates::Strings;

/// Files that read a blob, relative to `runtime/src`.
const LOADER: [&str; 10] = [
    "config.rs",
    "format.rs",
    "format/header.rs",
    "layers/linear.rs",
    "layers/linear_int.rs",
    "layers/linear_int/stored.rs",
    "model.rs",
    "model/net_f32.rs",
    "model/net_int.rs",
    "vocab.rs",
];

/// File, relative to `runtime/src`, and line number.
type Line = (String, u64);

/// Prints a table and the lines not reached. `runtime/fuzz/README.md` lists the lines that need not be reached.
///
/// # Errors
/// Returns an error if valgrind is missing.
pub fn run(repo: &Repo, json: bool) -> Result<ExitCode> {
    if on_path("valgrind").is_none() {
        bail!("valgrind, which counts executed lines, is missing: apt-get install valgrind");
    }
    let test = build(repo)?;
    let counts = repo.root().join("target/coverage/callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind.current_dir(repo.root().join("runtime"));
    // Writes names and line numbers in full, not as differences.
    valgrind.args(["--quiet", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no", "--dump-line=yes"]);
    valgrind.arg(format!("--callgrind-out-file={}", counts.display())).arg(&test);
    run_command(valgrind.args(["the_corpus", "--test-threads=1", "--quiet"]))?;

    let sources = repo.root().join("runtime/src");
    let bytes = fs::read(&test).with_context(|| format!("cannot read {}", test.display()))?;
    let all = lines(&object::File::parse(&*bytes)?, repo.root(), &sources)?;
    let counts = fs::read_to_string(&counts).with_context(|| format!("cannot read {}", counts.display()))?;
    let reached = executed(&counts, repo.root(), &sources);
    report(&all, &reached, &sources, json)
}

/// Builds the test without optimization, so that its lines are those of the source.
fn build(repo: &Repo) -> Result<PathBuf> {
    let mut cargo = repo.cargo();
    for plain in ["profile.dev.opt-level=0", "profile.dev.package.runtime.opt-level=0"] {
        cargo.args(["--config", plain]);
    }
    // A separate folder keeps the next test run from rebuilding everything.
    cargo.args(["test", "--package", "runtime", "--test", "fuzz", "--no-run", "--target-dir", "target/coverage"]);
    let messages = run_for_output(cargo.arg("--message-format=json-render-diagnostics"))?;
    executable(&messages, "fuzz").context("cargo built no test named `fuzz`")
}

/// Returns a loader file's path relative to `runtime/src`. The compiler names files relative to the workspace, or in
/// full.
fn of_loader(path: &str, root: &Path, sources: &Path) -> Option<String> {
    let path = normalize(&root.join(path));
    let name = path.strip_prefix(sources).ok()?.to_str()?.to_owned();
    LOADER.contains(&&*name).then_some(name)
}

/// Returns the lines that have instructions.
fn lines(file: &object::File<'_>, root: &Path, sources: &Path) -> Result<BTreeSet<Line>> {
    let data = |name: &str| file.section_by_name(name).map_or(Ok(&[][..]), |section| section.data());
    let (table, strings) = (data(".debug_line")?, data(".debug_str")?);
    let strings = Strings { own: DebugStr::new(strings, LittleEndian), of_lines: data(".debug_line_str")? };
    let debug_line: DebugLine<EndianSlice<'_, _>> = DebugLine::new(table, LittleEndian);
    let (mut lines, mut offset) = (BTreeSet::new(), 0);
    while offset < table.len() {
        let program = debug_line.program(DebugLineOffset(offset), 8, None, None).context("in .debug_line")?;
        let header = program.header().clone();
        offset += header.unit_length() + usize::from(header.format().initial_length_size());
        let names: Vec<Option<String>> = (0..=header.file_names().len() as u64)
            .map(|index| strings.path(&header, index).and_then(|path| of_loader(&path, root, sources)))
            .collect();
        let mut rows = program.rows();
        while let Some((_, row)) = rows.next_row().context("in .debug_line")? {
            // The linker moves removed code to address 0.
            if let (Some(line), Some(Some(name))) = (row.line(), names.get(row.file_index() as usize))
                && row.address() > 0
                && !row.end_sequence()
            {
                lines.insert((name.clone(), line.get()));
            }
        }
    }
    Ok(lines)
}

/// Returns the lines that callgrind counted: `fl=FILE`, or `fi=` and `fe=` where another file's lines begin, then `LINE
/// COUNT`.
fn executed(counts: &str, root: &Path, sources: &Path) -> BTreeSet<Line> {
    let mut lines = BTreeSet::new();
    let mut file = None;
    for line in counts.lines() {
        if let Some(path) = ["fl=", "fi=", "fe="].iter().find_map(|prefix| line.strip_prefix(prefix)) {
            file = of_loader(path, root, sources);
        } else if let (Some(name), Some((line, _))) = (&file, line.split_once(' '))
            && let Ok(line) = line.parse()
        {
            lines.insert((name.clone(), line));
        }
    }
    lines
}

/// Prints the table and each line that is not reached.
fn report(all: &BTreeSet<Line>, reached: &BTreeSet<Line>, sources: &Path, json: bool) -> Result<ExitCode> {
    let missed: Vec<&Line> = all.difference(reached).collect();
    let of = |lines: &mut dyn Iterator<Item = &Line>, name: &str| lines.filter(|line| line.0 == name).count();
    if json {
        let files = LOADER.map(|name| {
            let missed: Vec<u64> = missed.iter().filter(|line| line.0 == name).map(|line| line.1).collect();
            serde_json::json!({ "file": name, "lines": of(&mut all.iter(), name), "missed": missed })
        });
        println!("{}", serde_json::Value::from(files.to_vec()));
    } else {
        println!("{:<24} {:>6} {:>8}", "runtime/src/", "lines", "reached");
        for name in LOADER {
            let (lines, missed) = (of(&mut all.iter(), name), of(&mut missed.iter().copied(), name));
            println!("{name:<24} {lines:>6} {:>8}", lines - missed);
        }
        for (name, line) in &missed {
            let text = fs::read_to_string(sources.join(name)).with_context(|| format!("cannot read {name}"))?;
            let text = text.lines().nth(usize::try_from(*line)?.saturating_sub(1)).unwrap_or_default().trim();
            println!("not reached: runtime/src/{name}:{line}: {text}");
        }
    }
    if LOADER.iter().any(|name| of(&mut all.iter(), name) == 0) {
        bail!("the program's line table has no lines of one of the loader's files: update LOADER");
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_from_what_callgrind_writes() {
        let counts = "version: 1\npositions: line\nevents: Ir\n\nfl=/w/runtime/src/vocab.rs\nfn=new\n12 3\n14 1\ncfn=x\n\
                      calls=1 40\n15 90\nfi=/rustc/abc/library/core/src/slice.rs\n99 1\nfe=runtime/src/vocab.rs\n16 2\n\n\
                      fl=/w/runtime/src/batch.rs\nfn=y\n7 1\n";
        let lines = executed(counts, Path::new("/w"), Path::new("/w/runtime/src"));
        let expected = [12, 14, 15, 16].map(|line| ("vocab.rs".to_owned(), line));
        assert_eq!(lines, expected.into());
    }

    #[test]
    fn the_loader_is_where_it_is_looked_for() {
        let sources = Repo::find().root().join("runtime/src");
        for name in LOADER {
            assert!(sources.join(name).exists(), "{name}");
        }
    }
}
