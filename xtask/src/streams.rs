//! The standard streams: a failed write does not end the program in the middle of its work.
//!
//! Results go to stdout, notes and progress to stderr. A note that cannot be written is dropped. A result that cannot
//! be written is reported at the end by [`finish`], after all files are written. The exporter also compiles this file.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// State of the program's results.
struct Results {
    /// True if a part of the results was written to stdout.
    is_written: bool,
    /// First error of stdout. Nothing is written after it.
    stdout: Option<io::Error>,
    /// First error of a table on stderr.
    stderr: Option<io::Error>,
    /// Files that also hold the results.
    files: Vec<String>,
}

static RESULTS: Mutex<Results> =
    Mutex::new(Results { is_written: false, stdout: None, stderr: None, files: Vec::new() });

fn results() -> MutexGuard<'static, Results> {
    RESULTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes text that is a result to stdout.
pub fn result(text: Arguments<'_>) {
    write_result(|stdout| stdout.write_fmt(text));
}

/// Writes bytes that are a result to stdout.
pub fn result_bytes(bytes: &[u8]) {
    write_result(|stdout| stdout.write_all(bytes).and_then(|()| stdout.flush()));
}

/// Writes a result with a function, which is not called if stdout has failed before.
pub fn write_result(write: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) {
    let mut results = results();
    if results.stdout.is_some() {
        return;
    }
    match write(&mut io::stdout().lock()) {
        Ok(()) => results.is_written = true,
        Err(error) => results.stdout = Some(error),
    }
}

/// Writes a note to stderr, or drops it if stderr fails.
pub fn note(text: Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// Writes a table to stderr. It is the result of a command that writes nothing to stdout.
pub fn table(text: Arguments<'_>) {
    if let Err(error) = io::stderr().lock().write_fmt(text) {
        results().stderr.get_or_insert(error);
    }
}

/// Records a file that holds the result, for the message about a failed stdout.
pub fn keep(path: &Path) {
    results().files.push(path.display().to_string());
}

/// Returns whether stdout has failed, so that a program can stop making results.
pub fn is_lost() -> bool {
    results().stdout.is_some()
}

/// Flushes stdout and returns the exit code: `code`, or failure if a result could not be written.
///
/// A closed pipe is not a failure: the reader, such as `head`, wanted no more. Any other error is reported on stderr.
pub fn finish(code: ExitCode) -> ExitCode {
    let mut results = results();
    if results.is_written && results.stdout.is_none() {
        results.stdout = io::stdout().lock().flush().err();
    }
    let is_failure = |error: &io::Error| error.kind() != ErrorKind::BrokenPipe;
    let failed = match (&results.stdout, &results.stderr) {
        (Some(error), _) if is_failure(error) => {
            let kept = match &results.files[..] {
                [] => String::new(),
                files => format!("; these files are complete: {}", files.join(", ")),
            };
            note(format_args!("error: cannot write the result to stdout: {error}{kept}\n"));
            true
        }
        (None, Some(error)) => !results.is_written && is_failure(error),
        _ => false,
    };
    // An earlier failure or interrupt keeps its own exit code.
    if failed && code == ExitCode::SUCCESS { ExitCode::FAILURE } else { code }
}
