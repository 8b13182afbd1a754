//! Makes a fault, runs the program, and reports the result as a row of a table.

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

/// Training that takes a second, without plots.
pub const TRAIN: &str = "train --preset tiny --steps 60 --threads 1 --no-plots --run-dir run --out m.safetensors";

/// Returns the command that runs the program in a folder.
pub fn exporter(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exporter"));
    command.args(arguments.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    command
}

/// Leaves the run of a training that was killed after its first checkpoint.
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

/// Returns the command that runs the program after a shell's `preparation`.
pub fn prepared(folder: &Path, preparation: &str, arguments: &str) -> Command {
    let mut command = Command::new("bash");
    let script = format!("{preparation}; exec {} {arguments}", env!("CARGO_BIN_EXE_exporter"));
    command.args(["-c", &script]).current_dir(folder).stdin(Stdio::null());
    command
}

/// Returns the bytes of a file in `models/`.
pub fn model(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the losses of all steps in a run's metrics.
pub fn losses(metrics: &Path) -> Vec<f32> {
    let rows =
        exporter::train::run::metrics::read(metrics).unwrap_or_else(|error| panic!("{}: {error}", metrics.display()));
    let of_row = |row| match row {
        Row::Loss { losses, .. } => losses,
        _ => Vec::new(),
    };
    rows.into_iter().flat_map(of_row).collect()
}

/// Returns the text on stderr.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns names and contents of all files in a folder and its subfolders. Pipes, broken links and unreadable files
/// have no contents.
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

/// A fault in a folder, and the command that the user types then.
pub struct Case {
    fault: &'static str,
    arguments: &'static str,
    command: Box<dyn Fn(&Path) -> Command>,
}

impl Case {
    /// Returns a case whose fault is made by `make` in an empty folder.
    pub fn new(fault: &'static str, arguments: &'static str, make: impl Fn(&Path) + 'static) -> Self {
        Self::with(fault, arguments, move |here| {
            make(here);
            exporter(here, arguments)
        })
    }

    /// Returns a case whose fault is made by `command`, which returns the program to be started.
    pub fn with(fault: &'static str, arguments: &'static str, command: impl Fn(&Path) -> Command + 'static) -> Self {
        Self { fault, arguments, command: Box::new(command) }
    }

    /// Makes the fault in a new folder and returns the row of the table.
    ///
    /// # Panics
    /// If the program ends with another exit code than 1, if its last line on stderr is not its only error, or if an
    /// earlier file is lost.
    pub fn row(&self) -> String {
        let folder = TempDir::new().unwrap();
        self.row_in(folder.path())
    }

    /// Does the same as [`Case::row`], in an existing folder.
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
            // Temporary files of a killed process may be removed.
            assert!(after.get(name) == Some(bytes) || name.ends_with(".tmp"), "{fault}: {name} is not what it was");
        }
        let new: Vec<String> =
            after.keys().filter(|name| !before.contains_key(*name)).map(|name| format!("`{name}`")).collect();
        let left = if new.is_empty() { "unchanged".to_owned() } else { format!("new: {}", new.join(", ")) };
        format!("| {fault} | `{}` | `{line}` | 1 | {left} |\n", self.arguments)
    }
}

/// Returns the table with the rows of all cases.
pub fn table<'c>(rows: impl Iterator<Item = String> + 'c) -> String {
    let heading = "| fault | command | message | exit code | files on the disk |\n|---|---|---|---|---|\n";
    heading.to_owned() + &rows.collect::<String>()
}
