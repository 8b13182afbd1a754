//! Building the firmware and running it on the emulated chip.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use runtime::Model;
use runtime::format::{self, AlignedBlob};

use crate::board::Board;
use crate::command::{run_for_output, show};
use crate::repo::Repo;
use crate::setup::qemu::QEMU;
use crate::uart;

/// The program that is built where none is named: it writes words.
pub const DEFAULT_BIN: &str = "generate";

/// How long the emulated chip may take.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// The precisions of models, features of `firmware-example`.
pub const PRECISIONS: [&str; 3] = ["f32", "int8", "int4"];

/// The Cargo profile of what is flashed; see the root manifest.
const PROFILE: &str = "firmware";

/// The model that is built in where none is named, from the repository's top: single precision where the core has it,
/// and for the console the one that fits every board.
fn default_model(board: &Board, bin: &str) -> &'static str {
    if board.has_fpu() && bin != uart::PROGRAM { "models/names.blob" } else { "models/names.int8.blob" }
}

/// The core on which the code around the kernels takes a tenth of the time: it is compiled for speed there, elsewhere for size.
const SPEED_MATTERS: &str = "Cortex-M55";

/// Programs that measure models of any size: they leave no room for another one in the flash.
const MEASURING: [&str; 2] = ["bench", "anomaly"];

/// The plain layout of integers.
pub const ROW_MAJOR: &str = "row-major";

/// Where finished programs are kept, from the repository's top.
const PROGRAMS: &str = "target/elf";

/// Builds a program of `firmware-example` for a board; the path of its ELF file.
///
/// The model is `model`, else what the environment variable MODEL names, else the shipped one. The program gets the
/// code of its precision and no other.
///
/// Cargo knows one place for a program, whatever it was built with. So that tests may build at the same time, the file
/// is copied, under a lock, to a name that tells board, precision and model apart.
pub fn build(repo: &Repo, board: &Board, bin: &str, model: Option<&Path>) -> Result<PathBuf> {
    build_in_layout(repo, board, bin, model, None)
}

/// [`build`], with the integers in another layout than the board's own. Its name is that of its feature.
pub fn build_in_layout(
    repo: &Repo,
    board: &Board,
    bin: &str,
    model: Option<&Path>,
    layout: Option<&str>,
) -> Result<PathBuf> {
    build_with_features(repo, board, bin, model, layout, &[])
}

/// [`build_in_layout`], with features of the firmware besides those of board and precision.
pub fn build_with_features(
    repo: &Repo,
    board: &Board,
    bin: &str,
    model: Option<&Path>,
    layout: Option<&str>,
    more: &[&str],
) -> Result<PathBuf> {
    let model = model_file(repo, board, bin, model)?;
    let Facts { precision, checksum } = facts(&model)?;

    let programs = repo.root().join(PROGRAMS);
    fs::create_dir_all(&programs).with_context(|| format!("cannot create {}", programs.display()))?;
    // The lock goes with this process, however it ends.
    let lock = File::create(programs.join("lock")).context("cannot create a lock file")?;
    lock.lock().with_context(|| format!("cannot lock {}", programs.display()))?;

    let mut cargo = board.cargo(repo);
    cargo.args(["build", "--package", "firmware-example", "--bin", bin]);
    cargo.args(["--profile", PROFILE, "--target", board.target]);
    if board.core == SPEED_MATTERS {
        cargo.args(["--config", &format!("profile.{PROFILE}.package.runtime.opt-level=3")]);
    }
    let mut features = [&[board.name, precision], more].concat().join(",");
    if let Some(layout) = layout {
        cargo.env("LAYOUT", layout);
        features += &format!(",{layout}");
    }
    cargo.arg("--no-default-features").args(["--features", &features]);
    if MEASURING.contains(&bin) {
        cargo.env("WITHOUT_SLOT", "1");
    }
    // So that nobody has to guess the target folder.
    cargo.arg("--message-format=json-render-diagnostics").env("MODEL", model);
    let messages = run_for_output(&mut cargo)?;
    let built = executable(&messages, bin).with_context(|| format!("cargo named no program `{bin}`"))?;

    let layout = layout.map_or_else(String::new, |layout| format!("-{layout}"));
    let more: String = more.iter().map(|feature| format!("-{feature}")).collect();
    let place = programs.join(format!("{bin}{more}-{}-{precision}{layout}-{checksum:08x}.elf", board.name));
    // Renamed into place: another process may be running the one that is there.
    let partial = place.with_extension("partial");
    fs::copy(&built, &partial).with_context(|| format!("cannot copy {}", built.display()))?;
    fs::rename(&partial, &place).with_context(|| format!("cannot write {}", place.display()))?;
    Ok(place)
}

/// The file of the model that is asked for: `model`, else what the environment variable MODEL names, else the shipped one that
/// suits board and program.
pub fn model_file(repo: &Repo, board: &Board, bin: &str, model: Option<&Path>) -> Result<PathBuf> {
    let model = match model {
        Some(model) => model.to_path_buf(),
        None => repo.root().join(env::var_os("MODEL").unwrap_or_else(|| default_model(board, bin).into())),
    };
    // The build script runs in another folder.
    model.canonicalize().with_context(|| format!("no model {}", model.display()))
}

/// The shipped model in a precision.
pub fn shipped_model(repo: &Repo, precision: &str) -> PathBuf {
    let precision = if precision == "f32" { String::new() } else { format!(".{precision}") };
    repo.root().join(format!("models/names{precision}.blob"))
}

/// What a blob says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The feature of `firmware-example` for its precision.
    pub precision: &'static str,
    /// Its checksum.
    pub checksum: u32,
}

/// Reads and checks a blob.
pub fn facts(model: &Path) -> Result<Facts> {
    let bytes = fs::read(model).with_context(|| format!("cannot read {}", model.display()))?;
    let blob = AlignedBlob::from(bytes.as_slice());
    let precision = Model::new(blob.as_bytes()).map(|model| model.precision());
    let precision = precision.with_context(|| format!("{} is refused", model.display()))?.name();
    Ok(Facts { precision, checksum: format::checksum(&bytes) })
}

/// The file that Cargo's messages name for a program.
pub(crate) fn executable(messages: &str, bin: &str) -> Option<PathBuf> {
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
pub(crate) struct Emulator(pub(crate) Child);

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
pub fn run(repo: &Repo, board: &Board, elf: &Path, arguments: &[String], timeout: Duration) -> Result<Run> {
    watch(start(repo, board, elf, arguments)?, timeout, |line| println!("{line}"))
}

/// [`run`], without showing the console.
pub fn run_quietly(repo: &Repo, board: &Board, elf: &Path, arguments: &[String], timeout: Duration) -> Result<Run> {
    watch(start(repo, board, elf, arguments)?, timeout, |_| ())
}

fn start(repo: &Repo, board: &Board, elf: &Path, arguments: &[String]) -> Result<Emulator> {
    let mut qemu = emulator(&QEMU.file(repo), board, elf, arguments)?;
    eprintln!("$ {}", show(&qemu));
    let child = qemu
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start qemu-system-arm: `cargo xtask setup` installs it")?;
    Ok(Emulator(child))
}

/// The emulator's whole command line.
pub(crate) fn emulator(program: &Path, board: &Board, elf: &Path, arguments: &[String]) -> Result<Command> {
    let mut options = board.qemu_args()?;
    let mut semihosting = options.pop().context("no options")?.to_owned();
    let name = elf.file_stem().context("no program")?.to_string_lossy();
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
fn watch(mut emulator: Emulator, timeout: Duration, show: impl Fn(&str)) -> Result<Run> {
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
                show(&line);
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
        let qemu = emulator(Path::new("qemu"), board::default(), Path::new("/t d/generate.elf"), &arguments).unwrap();
        let line = show(&qemu);
        assert!(
            line.ends_with(
                "enable=on,target=native,arg=generate,arg=seed=1,arg=prompt=a,,b \
                 -kernel '/t d/generate.elf'"
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
        let run = watch(spawn("echo a; echo b; exit 3"), TIMEOUT, |_| ()).unwrap();
        assert_eq!(run.lines, ["a", "b"]);
        assert!(!run.success());
        assert_eq!(run.exit_code(), ExitCode::from(3));

        let start = Instant::now();
        assert!(watch(spawn("exec sleep 60"), Duration::from_millis(50), |_| ()).is_err());
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
