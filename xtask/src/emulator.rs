//! Runs a program on the emulated chip and reads its console.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::board::{Board, LARGE_FLASH, MEASURING};
use crate::command::show;
use crate::repo::Repo;
use crate::setup::qemu;
use crate::streams;

/// Default time limit of a program on the emulated chip.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Console output and exit status of a program.
pub struct Run {
    /// Console output, line by line.
    pub lines: Vec<String>,
    /// Exit status of the program; `None` if it was ended because stdout is closed.
    status: Option<ExitStatus>,
}

impl Run {
    /// Returns the program's exit status as our exit code: success if stdout is closed.
    pub fn exit_code(&self) -> ExitCode {
        let Some(status) = self.status else { return ExitCode::SUCCESS };
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        code.map_or(ExitCode::FAILURE, ExitCode::from)
    }

    /// Returns whether the program succeeded.
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// A running emulator, which is ended when it is dropped.
pub(crate) struct Emulator(pub(crate) Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // Both calls fail if the emulator has already ended, which is the usual case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program on the emulated chip and shows its console as it goes.
///
/// The program receives `arguments` through semihosting's command line, after its own name. The program is ended when
/// stdout is closed.
pub fn run(repo: &Repo, board: &Board, elf: &Path, arguments: &[String], timeout: Duration) -> Result<Run> {
    run_with(repo, board, elf, arguments, timeout, |line| {
        println!("{line}");
        if streams::is_lost() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// Does the same as [`run`] without showing the console.
pub fn run_quietly(repo: &Repo, board: &Board, elf: &Path, arguments: &[String], timeout: Duration) -> Result<Run> {
    run_with(repo, board, elf, arguments, timeout, |_| ControlFlow::Continue(()))
}

/// Does the same as [`run`], but passes each line of the console to a function, which may end the program.
pub fn run_with(
    repo: &Repo,
    board: &Board,
    elf: &Path,
    arguments: &[String],
    timeout: Duration,
    show: impl Fn(&str) -> ControlFlow<()>,
) -> Result<Run> {
    watch(start(repo, board, elf, arguments)?, timeout, show)
}

fn start(repo: &Repo, board: &Board, elf: &Path, arguments: &[String]) -> Result<Emulator> {
    qemu::ensure_has(repo, board)?;
    let mut qemu = command_line(&qemu::of(board).file(repo), board, elf, arguments)?;
    eprintln!("$ {}", show(&qemu));
    let child = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| cannot_start(board))?;
    Ok(Emulator(child))
}

/// Returns the message for an emulator that does not start.
pub(crate) fn cannot_start(board: &Board) -> String {
    format!("cannot start {}: run `cargo xtask setup` to install it", qemu::of(board).name)
}

/// Returns the emulator's command line for a program whose console is semihosting.
pub(crate) fn command_line(program: &Path, board: &Board, elf: &Path, arguments: &[String]) -> Result<Command> {
    let mut options = board.qemu_args()?;
    let mut semihosting = options.pop().context("the board has no QEMU options")?.to_owned();
    let name = elf.file_stem().context("the program's path has no file name")?.to_string_lossy();
    let arguments: Vec<String> = arguments.iter().map(|argument| argument_of_guest(argument)).collect::<Result<_>>()?;
    let bytes = name.len() + arguments.iter().map(|argument| 1 + argument.len()).sum::<usize>();
    ensure!(
        bytes <= MAX_BYTES,
        "the program's arguments take {bytes} bytes, but the program reads at most {MAX_BYTES}: shorten them"
    );
    // `-append` would put the ELF file's whole path first. If the path has a blank, the program cannot find its
    // arguments after the path.
    for argument in std::iter::once(&*name).chain(arguments.iter().map(String::as_str)) {
        // In QEMU, a doubled comma is a comma inside a value.
        semihosting += &format!(",arg={}", argument.replace(',', ",,"));
    }
    let mut qemu = Command::new(program);
    qemu.args(options).arg(semihosting);
    // `cargo xtask bench` also measures programs that no chip with this core has flash for.
    if board.machine == Some("microbit") && MEASURING.iter().any(|bin| name.starts_with(bin)) {
        qemu.args(["-global", &format!("nrf51-soc.flash-size={LARGE_FLASH}")]);
    }
    qemu.arg("-kernel").arg(elf);
    Ok(qemu)
}

/// Longest command line of a program in bytes, including its name: `MAX_BYTES` of `firmware-example/src/arguments.rs`
/// without the terminating zero.
const MAX_BYTES: usize = 511;

/// Quotes an argument for the program, which receives all arguments as one text. An argument with blanks is put in
/// quotation marks of either kind; the program has no other way to read a blank.
fn argument_of_guest(argument: &str) -> Result<String> {
    if !argument.is_empty() && !argument.contains([' ', '\t']) {
        return Ok(argument.to_owned());
    }
    let mark = ['"', '\''].into_iter().find(|&mark| !argument.contains(mark));
    let mark = mark.with_context(|| {
        format!(
            "argument {argument:?} has blanks and both kinds of quotation marks: remove one kind, the program cannot read both"
        )
    })?;
    Ok(format!("{mark}{argument}{mark}"))
}

/// Reads the console until the program ends, the time limit passes, or `show` breaks off.
pub(crate) fn watch(mut emulator: Emulator, timeout: Duration, show: impl Fn(&str) -> ControlFlow<()>) -> Result<Run> {
    let stdout = emulator.0.stdout.take().context("QEMU has no stdout to read the console from")?;
    let (sender, receiver) = mpsc::channel();
    // A read has no timeout, but waiting for a channel has one.
    thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if sender.send(line.trim_end_matches('\r').to_owned()).is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + timeout;
    let mut lines = Vec::new();
    loop {
        match receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let shown = show(&line);
                lines.push(line);
                if shown.is_break() {
                    return Ok(Run { lines, status: None });
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                bail!("the program did not end within {} s: allow more with --timeout SECONDS", timeout.as_secs())
            }
        }
    }
    let status = emulator.0.wait().context("cannot wait for QEMU")?;
    Ok(Run { lines, status: Some(status) })
}

/// Splits a console into text and the program's report, lines of the form `key=value`.
pub fn report(lines: &[String]) -> (Vec<&str>, BTreeMap<&str, &str>) {
    let mut text = Vec::new();
    let mut facts = BTreeMap::new();
    for line in lines {
        match fact(line) {
            Some((key, value)) => {
                facts.insert(key, value);
            }
            None => text.push(line.as_str()),
        }
    }
    (text, facts)
}

/// Returns a number from a program's report.
pub fn number(facts: &BTreeMap<&str, &str>, key: &str) -> Result<u64> {
    let value = facts.get(key).with_context(|| format!("the program did not report {key}"))?;
    value.parse().with_context(|| format!("{key}={value}"))
}

/// Returns the key and value of a report line: a key of lower-case letters, digits and `_`, then `=`, then a value.
fn fact(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let is_key = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    (is_key && !value.is_empty()).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board;

    #[test]
    fn a_console_is_text_and_facts() {
        let lines = ["emma", "stack_bytes=1234", "a = b", "=x", "precision=f32", "Key=1", ""].map(str::to_owned);
        let (text, facts) = report(&lines);
        assert_eq!(text, ["emma", "a = b", "=x", "Key=1", ""]);
        assert_eq!(facts["stack_bytes"], "1234");
        assert_eq!(facts["precision"], "f32");
        assert_eq!(facts.len(), 2);
    }

    #[test]
    fn arguments_of_the_guest() {
        let arguments = ["seed=1".to_owned(), "prompt=a,b".to_owned()];
        let qemu =
            command_line(Path::new("qemu"), board::default(), Path::new("/t d/generate.elf"), &arguments).unwrap();
        let line = show(&qemu);
        assert!(
            line.ends_with(
                "enable=on,target=native,arg=generate,arg=seed=1,arg=prompt=a,,b \
                 -kernel '/t d/generate.elf'"
            ),
            "{line}"
        );
    }

    #[test]
    fn arguments_with_blanks_are_within_quotation_marks() {
        let line = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
            command_line(Path::new("qemu"), board::default(), Path::new("generate.elf"), &arguments)
                .map(|qemu| qemu.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join("|"))
        };
        assert!(line(&["prompt=Mr. M", "n=3"]).unwrap().contains(",arg=generate,arg=\"prompt=Mr. M\",arg=n=3|"));
        assert!(line(&["prompt=the \"a"]).unwrap().contains(",arg='prompt=the \"a'|"));
        assert!(line(&["prompt=\"a'"]).unwrap().contains(",arg=prompt=\"a'|"));
        assert!(line(&["prompt=a \"b' c"]).unwrap_err().to_string().contains("both kinds of quotation marks"));
        let long = format!("prompt={}", "a".repeat(511 - "generate prompt=".len()));
        assert!(line(&[&long]).is_ok());
        let error = line(&[&long, "n=1"]).unwrap_err().to_string();
        assert_eq!(error, "the program's arguments take 515 bytes, but the program reads at most 511: shorten them");
    }

    /// Covers `cargo xtask qemu ... | head -1`.
    #[cfg(unix)]
    #[test]
    fn a_program_that_nobody_reads_is_ended() {
        let mut shell = Command::new("sh");
        let endless = shell.args(["-c", "while echo a; do :; done"]).stdout(Stdio::piped()).spawn().unwrap();
        let run = watch(Emulator(endless), TIMEOUT, |_| ControlFlow::Break(())).unwrap();
        assert_eq!(run.lines, ["a"]);
        assert!(!run.success());
        assert_eq!(run.exit_code(), ExitCode::SUCCESS);
    }

    /// Without the timeout, a hanging program would keep a processor busy for ever.
    #[cfg(unix)]
    #[test]
    fn a_hanging_program_is_ended() {
        let spawn = |script: &str| {
            let mut shell = Command::new("sh");
            let child = shell.args(["-c", script]).stdout(Stdio::piped()).spawn();
            Emulator(child.unwrap())
        };
        let run = watch(spawn("echo a; echo b; exit 3"), TIMEOUT, |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(run.lines, ["a", "b"]);
        assert!(!run.success());
        assert_eq!(run.exit_code(), ExitCode::from(3));

        let start = Instant::now();
        assert!(watch(spawn("exec sleep 60"), Duration::from_millis(50), |_| ControlFlow::Continue(())).is_err());
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
