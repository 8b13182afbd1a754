//! Runs programs whose output is shown as it comes and also searched for the reason of a failure.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;

use crate::streams;

/// Stream that a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Runs a program and passes each line of its output to `see` as it comes.
///
/// # Errors
/// Returns an error if the program cannot start, or its exit status cannot be read.
pub fn run(command: &mut Command, mut see: impl FnMut(Stream, &str)) -> io::Result<ExitStatus> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (sender, receiver) = mpsc::channel();
    let read = |pipe: Option<Box<dyn Read + Send>>, stream| {
        let (pipe, sender) = (pipe.expect("a piped stream"), sender.clone());
        thread::Builder::new().spawn(move || send_lines(pipe, stream, &sender))
    };
    read(child.stdout.take().map(|pipe| Box::new(pipe) as _), Stream::Stdout)?;
    read(child.stderr.take().map(|pipe| Box::new(pipe) as _), Stream::Stderr)?;
    drop(sender);
    for (stream, line) in receiver {
        see(stream, &line);
    }
    child.wait()
}

fn send_lines(pipe: impl Read, stream: Stream, lines: &Sender<(Stream, String)>) {
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        if lines.send((stream, String::from_utf8_lossy(&line).into_owned())).is_err() {
            return;
        }
    }
}

/// Writes a line to our stderr. A closed stderr is no reason to stop.
pub fn show(line: &str) {
    streams::note(format_args!("{line}\n"));
}

/// A resource that the machine has run out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// Space on a disk.
    Disk,
    /// Memory.
    Memory,
    /// Processes or threads.
    Processes,
}

/// Parts of messages of the operating system, the compiler and the linker, in lower case, with the missing resource.
const SIGNS: [(&str, Shortage); 13] = [
    ("no space left on device", Shortage::Disk),
    ("os error 28)", Shortage::Disk),
    ("disk quota exceeded", Shortage::Disk),
    ("cannot allocate memory", Shortage::Memory),
    ("os error 12)", Shortage::Memory),
    ("memory allocation of", Shortage::Memory),
    ("out of memory", Shortage::Memory),
    ("signal: 9", Shortage::Memory),
    ("ld terminated with signal 9", Shortage::Memory),
    ("resource temporarily unavailable", Shortage::Processes),
    ("os error 11)", Shortage::Processes),
    ("failed to spawn thread", Shortage::Processes),
    ("fork: retry", Shortage::Processes),
];

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice())
    }
}

impl std::error::Error for Shortage {}

impl Shortage {
    /// Returns the missing resource that a line of output reports, if any.
    pub fn in_line(line: &str) -> Option<Self> {
        let line = line.to_lowercase();
        SIGNS.iter().find(|(sign, _)| line.contains(sign)).map(|(_, shortage)| *shortage)
    }

    /// Returns a description of the shortage and what to do.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Disk => {
                "the disk is full: free some space and try again. A complete target/ takes 8 GB; `cargo clean` empties it"
            }
            Self::Memory => {
                "the machine ran out of memory: end other programs, or build with one job (CARGO_BUILD_JOBS=1), and try \
                 again"
            }
            Self::Processes => {
                "the machine ran out of processes or threads: end other programs, or raise the limit (`ulimit -u`), and try \
                 again"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn both_streams_are_seen_line_by_line() {
        let mut lines = Vec::new();
        let mut shell = Command::new("sh");
        let status = run(shell.args(["-c", "echo a; echo b >&2; exit 3"]), |stream, line| {
            lines.push((stream, line.to_owned()));
        });
        assert_eq!(status.unwrap().code(), Some(3));
        lines.sort_by_key(|(_, line)| line.clone());
        assert_eq!(lines, [(Stream::Stdout, "a".to_owned()), (Stream::Stderr, "b".to_owned())]);
    }

    #[test]
    fn shortages_are_told_from_other_failures() {
        let cases = [
            ("error: failed to write to `/t/full.rmeta`: No space left on device (os error 28)", Some(Shortage::Disk)),
            ("process didn't exit successfully: `rustc` (signal: 9, SIGKILL: kill)", Some(Shortage::Memory)),
            ("memory allocation of 1048576 bytes failed", Some(Shortage::Memory)),
            ("error: could not execute process `rustc` (Resource temporarily unavailable)", Some(Shortage::Processes)),
            ("error[E0432]: unresolved import", None),
        ];
        for (line, shortage) in cases {
            assert_eq!(Shortage::in_line(line), shortage, "{line}");
        }
    }
}
