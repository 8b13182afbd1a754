//! Runs of the exporter as a user starts it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Result of a run of the program.
pub struct Outcome {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Returns the last line of stderr, which has the error.
    pub fn last(&self) -> &str {
        self.stderr.lines().last().unwrap_or_default()
    }

    /// Panics unless the program succeeded.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Panics unless the program failed with a one-line error that has all of `expected`.
    #[track_caller]
    pub fn fails(self, expected: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.stderr.matches("error: ").count(), 1, "{}", self.stderr);
        for part in expected {
            assert!(self.last().contains(part), "{part:?} is not in: {}", self.stderr);
        }
        self
    }
}

/// Returns the exporter with `arguments`, not yet started, with piped streams and an empty stdin.
pub fn exporter(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exporter"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the exporter in `folder` and waits for its end.
pub fn run_in(folder: &Path, arguments: &[&str]) -> Outcome {
    let Output { status, stdout, stderr } =
        exporter(arguments).current_dir(folder).output().expect("the program starts");
    Outcome {
        code: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
