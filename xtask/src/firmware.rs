//! Building the firmware and running it on the emulated chip.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{run_for_output, show};
use crate::repo::Repo;
use crate::setup::{qemu, thumb};

/// The program that is built where none is named: it writes words.
pub const DEFAULT_BIN: &str = "generate";

/// How long the emulated chip may take.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// The Cargo profile of what is flashed; see the root manifest.
const PROFILE: &str = "firmware";

/// The target of the default board.
pub const TARGET: &str = thumb::TARGETS[0];

/// QEMU's command line but for the program, the same as in `.cargo/config.toml`.
///
/// The console is semihosting, on stdout alone. `-icount` advances virtual time by 2^6 ns for each
/// instruction: SysTick then counts instructions, the same number in every run, and its 24 bits
/// last for ten million of them (at 2^10 ns for 655 thousand, less than a few words take).
pub const QEMU_ARGS: &[&str] = &[
    "-machine",
    "mps2-an386",
    "-nographic",
    "-monitor",
    "none",
    "-serial",
    "none",
    "-icount",
    "shift=6,align=off,sleep=off",
    "-semihosting-config",
    "enable=on,target=native",
];

/// Builds a program of `firmware-example`, with a model of the caller's if one is given; the path
/// of its ELF file.
pub fn build(repo: &Repo, bin: &str, model: Option<&Path>) -> Result<PathBuf> {
    let mut cargo = repo.firmware_cargo();
    cargo.args(["build", "--package", "firmware-example", "--bin", bin]);
    cargo.args(["--profile", PROFILE, "--target", TARGET]);
    // So that nobody has to guess the target folder.
    cargo.arg("--message-format=json-render-diagnostics");
    if let Some(model) = model {
        // The build script runs in another folder.
        let model = model.canonicalize().with_context(|| format!("no model {}", model.display()))?;
        cargo.env("MODEL", model);
    }
    let messages = run_for_output(&mut cargo)?;
    executable(&messages, bin).with_context(|| format!("cargo named no program `{bin}`"))
}

/// The file that Cargo's messages name for a program.
fn executable(messages: &str, bin: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| message["target"]["name"] == bin)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// What a program did.
pub struct Run {
    /// The console, line by line.
    pub lines: Vec<String>,
    status: ExitStatus,
}

impl Run {
    /// The program's exit status as this program's.
    pub fn exit_code(&self) -> ExitCode {
        let code = self.status.code().and_then(|code| u8::try_from(code).ok());
        code.map_or(ExitCode::FAILURE, ExitCode::from)
    }

    /// Whether it ended well.
    pub fn success(&self) -> bool {
        self.status.success()
    }
}

/// An emulator that does not outlive us.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // Both fail where it has ended, which is the usual case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program on the emulated chip, showing its console as it goes.
///
/// `arguments` reach it by semihosting's command line, behind the program's name.
pub fn run(repo: &Repo, elf: &Path, arguments: &[String], timeout: Duration) -> Result<Run> {
    let mut qemu = emulator(&qemu::program(repo), elf, arguments)?;
    eprintln!("$ {}", show(&qemu));
    let child = qemu
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start qemu-system-arm: `cargo xtask setup` installs it")?;
    watch(Emulator(child), timeout)
}

/// The emulator's whole command line.
fn emulator(program: &Path, elf: &Path, arguments: &[String]) -> Result<Command> {
    let (options, semihosting) = QEMU_ARGS.split_at(QEMU_ARGS.len() - 1);
    let name = elf.file_name().context("no program")?.to_string_lossy();
    let mut semihosting = semihosting[0].to_owned();
    // `arg=` instead of `-append`: that one puts the ELF file's whole path first, and where the
    // path has a blank the program cannot tell what follows it.
    for argument in std::iter::once(&*name).chain(arguments.iter().map(String::as_str)) {
        // QEMU's own way to write a comma inside a value.
        semihosting += &format!(",arg={}", argument.replace(',', ",,"));
    }
    let mut qemu = Command::new(program);
    qemu.args(options).arg(semihosting).arg("-kernel").arg(elf);
    Ok(qemu)
}

/// Reads the console until the program ends or the time is over.
fn watch(mut emulator: Emulator, timeout: Duration) -> Result<Run> {
    let stdout = emulator.0.stdout.take().context("no console")?;
    let (sender, receiver) = mpsc::channel();
    // A read cannot be given a timeout, waiting for a channel can.
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
                println!("{line}");
                lines.push(line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                bail!("the program did not end within {} s (--timeout gives it longer)", timeout.as_secs())
            }
        }
    }
    let status = emulator.0.wait().context("cannot wait for QEMU")?;
    Ok(Run { lines, status })
}

/// Divides a console into text and the program's report: lines `key=value`.
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

/// A report line: a key of small letters, digits and `_`, then `=`, then something.
fn fact(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let is_key = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    (is_key && !value.is_empty()).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn cargo_names_the_file() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"build-script-build"},"executable":"/t/b"}
{"reason":"compiler-artifact","target":{"name":"generate"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"generate"},"executable":"/t/generate"}
{"reason":"build-finished","success":true}
"#;
        let file = executable(messages, "generate");
        assert_eq!(file, Some(PathBuf::from("/t/generate")));
        assert_eq!(executable(messages, "bench"), None);
    }

    #[test]
    fn arguments_of_the_guest() {
        let arguments = ["seed=1".to_owned(), "prompt=a,b".to_owned()];
        let qemu = emulator(Path::new("qemu"), Path::new("/t d/generate"), &arguments).unwrap();
        let line = show(&qemu);
        assert!(
            line.ends_with(
                "enable=on,target=native,arg=generate,arg=seed=1,arg=prompt=a,,b \
                 -kernel '/t d/generate'"
            ),
            "{line}"
        );
    }

    /// The timeout ends the emulator too, or a hanging program would keep a core busy for ever.
    #[cfg(unix)]
    #[test]
    fn a_hanging_program_is_ended() {
        let spawn = |script: &str| {
            let mut shell = Command::new("sh");
            let child = shell.args(["-c", script]).stdout(Stdio::piped()).spawn();
            Emulator(child.unwrap())
        };
        let run = watch(spawn("echo a; echo b; exit 3"), TIMEOUT).unwrap();
        assert_eq!(run.lines, ["a", "b"]);
        assert!(!run.success());
        assert_eq!(run.exit_code(), ExitCode::from(3));

        let start = Instant::now();
        assert!(watch(spawn("exec sleep 60"), Duration::from_millis(50)).is_err());
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
