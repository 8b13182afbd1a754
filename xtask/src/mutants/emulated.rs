//! Puts hand-made faults into the kernels for chips, and checks that `kerneltest` finds them in QEMU.

use std::ffi::OsString;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use crate::board::{self, Board};
use crate::emulator;
use crate::firmware;
use crate::repo::Repo;
use crate::setup;

/// Path of the list from the repository's top.
const FAULTS: &str = "tests/faults.toml";
/// Folder of the copied sources that receive the faults.
const COPY: &str = "target/faulty";
/// Program that must find the faults.
const PROGRAM: &str = "kerneltest";
/// Model of the program. An int4 program also contains the int8 kernels.
const MODEL: &str = "models/tiny.int4.blob";

/// A fault from the list.
struct Fault {
    what: String,
    file: String,
    from: String,
    to: String,
    board: &'static Board,
    model: String,
}

impl Fault {
    fn read(table: &Value) -> Result<Self> {
        let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
        let needed = |key: &str| text(key).with_context(|| format!("a fault has no `{key}`"));
        Ok(Self {
            what: needed("what")?,
            file: needed("file")?,
            from: needed("from")?,
            to: needed("to")?,
            board: board::find(&needed("board")?)?,
            model: text("model").unwrap_or_else(|| MODEL.to_owned()),
        })
    }

    /// Returns the file's text with the fault in it.
    fn put_into(&self, text: &str) -> Result<String> {
        if !text.contains(&self.from) {
            bail!("{FAULTS}: {} does not contain `{}`", self.file, self.from);
        }
        Ok(text.replacen(&self.from, &self.to, 1))
    }
}

fn read(text: &str) -> Result<Vec<Fault>> {
    let table: Table = toml::from_str(text).with_context(|| format!("cannot read {FAULTS}"))?;
    let faults = table.get("fault").and_then(Value::as_array).context("the list has no faults")?;
    faults.iter().map(Fault::read).collect()
}

/// Runs the command for the faults whose description contains one of `words`, or for all. Fails if a fault is not
/// found.
pub fn run(repo: &Repo, words: &[OsString]) -> Result<ExitCode> {
    setup::ensure(repo, setup::Purpose::Use)?;
    let list = fs::read_to_string(repo.root().join(FAULTS)).with_context(|| format!("cannot read {FAULTS}"))?;
    let mut faults = read(&list)?;
    faults.retain(|fault| words.is_empty() || words.iter().any(|word| fault.what.contains(&*word.to_string_lossy())));
    let copy = Repo::copy(&repo.root().join(COPY), None);
    repo.copy_sources(copy.root())?;
    // Copies the configuration that set-up wrote for Cargo, if there is any.
    repo.copy_file("firmware-example/.cargo/config.toml", copy.root())?;
    // A program that already fails without a fault shows nothing.
    let mut healthy: Vec<_> = faults.iter().map(|fault| (fault.board.name, &fault.model)).collect();
    healthy.sort_unstable();
    healthy.dedup();
    for (name, model) in healthy {
        if found(repo, &copy, board::find(name)?, model)? {
            bail!("{PROGRAM} fails on {name} without any fault");
        }
    }
    let mut survivors = Vec::new();
    for fault in &faults {
        println!("== {}: {}", fault.board.name, fault.what);
        let place = copy.root().join(&fault.file);
        let healthy = fs::read_to_string(&place).with_context(|| format!("cannot read {}", fault.file))?;
        fs::write(&place, fault.put_into(&healthy)?)?;
        let found = found(repo, &copy, fault.board, &fault.model);
        fs::write(&place, healthy)?;
        if !found? {
            survivors.push(&fault.what);
        }
    }
    println!("\n{} of {} faults found", faults.len() - survivors.len(), faults.len());
    for what in &survivors {
        println!("not found: {what}");
    }
    Ok(if survivors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns whether the program notices the fault: it reports different numbers, or does not end.
fn found(repo: &Repo, copy: &Repo, board: &Board, model: &str) -> Result<bool> {
    let elf = firmware::build(copy, board, PROGRAM, Some(&repo.root().join(model)))?;
    Ok(match emulator::run_quietly(repo, board, &elf, &[], emulator::TIMEOUT) {
        Ok(run) => {
            let (_, facts) = emulator::report(&run.lines);
            let differ = facts.iter().filter(|(key, value)| key.ends_with("_mismatches") && **value != "0");
            differ.for_each(|(key, value)| println!("   {key}={value}"));
            !run.success()
        }
        // The program hangs, or QEMU cannot be started.
        Err(error) => {
            println!("   {error:#}");
            true
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds outdated entries of the list before anything is built.
    #[test]
    fn every_fault_can_be_made() {
        let repo = Repo::find();
        let faults = read(&fs::read_to_string(repo.root().join(FAULTS)).unwrap()).unwrap();
        assert!(faults.len() >= 20);
        for fault in faults {
            let text = fs::read_to_string(repo.root().join(&fault.file)).unwrap();
            assert_ne!(fault.put_into(&text).unwrap(), text, "{}", fault.what);
            assert!(repo.root().join(&fault.model).exists(), "{}", fault.model);
        }
        assert!(read("").is_err());
        assert!(read("[[fault]]\nwhat = 'x'").is_err());
    }
}
