//! A fault, and what is seen of it: the row of a table.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use exporter::train::run::metrics::Row;
use tempfile::TempDir;

/// A training of a second, without plots.
pub const TRAIN: &str = "train --preset tiny --steps 60 --threads 1 --no-plots --run-dir run --out m.safetensors";

/// The program, in a folder.
pub fn exporter(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exporter"));
    command.args(arguments.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    command
}

/// Leaves the run of a training that was killed behind its first checkpoint.
pub fn killed_training(here: &Path, run: &str) {
    let train = format!("train --preset tiny --steps 1000000 --threads 1 --run-dir {run} --checkpoint-every 1");
    let mut child = exporter(here, &train).stderr(Stdio::null()).spawn().expect("the program starts");
    while !here.join(run).join("checkpoint.safetensors").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before its first checkpoint");
        sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The program behind a shell's `preparation`.
pub fn prepared(folder: &Path, preparation: &str, arguments: &str) -> Command {
    let mut command = Command::new("bash");
    let script = format!("{preparation}; exec {} {arguments}", env!("CARGO_BIN_EXE_exporter"));
    command.args(["-c", &script]).current_dir(folder).stdin(Stdio::null());
    command
}

/// A file of `models/`.
pub fn model(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The losses of all steps that a run's metrics have.
pub fn losses(metrics: &Path) -> Vec<f32> {
    let rows =
        exporter::train::run::metrics::read(metrics).unwrap_or_else(|error| panic!("{}: {error}", metrics.display()));
    let of_row = |row| match row {
        Row::Loss { losses, .. } => losses,
        _ => Vec::new(),
    };
    rows.into_iter().flat_map(of_row).collect()
}

/// What was said on stderr.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// All files of a folder, and of those in it, with what they hold; pipes, links that lead nowhere and what cannot be read by name
/// alone.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            let inner = files(&entry.path());
            found.extend(inner.into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
            found.insert(name + "/", Vec::new());
        } else {
            let bytes = if kind.is_fifo() { Vec::new() } else { fs::read(entry.path()).unwrap_or_default() };
            found.insert(name, bytes);
        }
    }
    found
}

/// A fault that is made in a folder, and what the user then types.
pub struct Case {
    fault: &'static str,
    arguments: &'static str,
    command: Box<dyn Fn(&Path) -> Command>,
}

impl Case {
    /// `make` makes the fault in an empty folder.
    pub fn new(fault: &'static str, arguments: &'static str, make: impl Fn(&Path) + 'static) -> Self {
        Self::with(fault, arguments, move |here| {
            make(here);
            exporter(here, arguments)
        })
    }

    /// `command` makes the fault as well, and gives the program to be started.
    pub fn with(fault: &'static str, arguments: &'static str, command: impl Fn(&Path) -> Command + 'static) -> Self {
        Self { fault, arguments, command: Box::new(command) }
    }

    /// Makes the fault in a folder of its own and gives the row.
    ///
    /// # Panics
    /// Unless it ends with an exit code that is not 0, and with one error alone, which is the last line; and if a file of before
    /// is lost.
    pub fn row(&self) -> String {
        let folder = TempDir::new().unwrap();
        self.row_in(folder.path())
    }

    /// [`Case::row`], in a folder that is there.
    pub fn row_in(&self, here: &Path) -> String {
        let mut command = (self.command)(here);
        let before = files(here);
        let output = command.stdin(Stdio::null()).output().expect("the program starts");
        let after = files(here);
        let (fault, said) = (self.fault, said(&output));
        assert_eq!(output.status.code(), Some(1), "{fault}: {said}{:?}", output.status.signal());
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{fault}: nothing on stdout");
        let line = said.lines().last().unwrap_or_default();
        assert!(line.starts_with("error: ") && said.matches("error:").count() == 1, "{fault}: {said}");
        assert!(!said.contains("panicked"), "{fault}: {said}");
        for (name, bytes) in &before {
            // What a kill has left may be taken away.
            assert!(after.get(name) == Some(bytes) || name.ends_with(".tmp"), "{fault}: {name} is not what it was");
        }
        let new: Vec<String> =
            after.keys().filter(|name| !before.contains_key(*name)).map(|name| format!("`{name}`")).collect();
        let left = if new.is_empty() { "no change".to_owned() } else { format!("also {}", new.join(", ")) };
        format!("| {fault} | `{}` | `{line}` | 1 | {left} |\n", self.arguments)
    }
}

/// The rows of all cases, under a heading.
pub fn table<'c>(rows: impl Iterator<Item = String> + 'c) -> String {
    let heading = "| fault | command | message | exit code | on the disk after it |\n|---|---|---|---|---|\n";
    heading.to_owned() + &rows.collect::<String>()
}
