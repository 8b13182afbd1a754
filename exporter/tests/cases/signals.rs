//! Signals: a signal that was ignored at the start stays ignored, and a closed terminal loses no work.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::table::row;

/// Arguments of a training that only a signal ends.
const ENDLESS: &str = "train --data words.txt --preset tiny --steps 100000000 --threads 1 --no-plots --run-dir run \
                       --checkpoint-every 1 --out m.safetensors";

/// Arguments of a training of at most a few seconds.
const SHORT: &str = "train --data words.txt --preset tiny --steps 600 --threads 1 --no-plots --run-dir run \
                     --checkpoint-every 20 --out m.safetensors";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let words = ["emma", "olivia", "ava", "isabella", "sophia", "mia"].map(|word| format!("{word}\n")).concat();
    fs::write(folder.path().join("words.txt"), words.repeat(5)).unwrap();
    folder
}

/// Starts the program from a shell, with `before` in front of it and stderr in a file. Waits until it trains.
fn training(here: &Path, before: &str, arguments: &str) -> Child {
    let script = format!("{before} {} {arguments}", env!("CARGO_BIN_EXE_exporter"));
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(here).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = shell.stderr(File::create(here.join("log")).unwrap()).spawn().expect("a shell");
    let start = Instant::now();
    while !here.join("run/checkpoint.safetensors").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "{}", log(here));
        assert!(start.elapsed() < Duration::from_secs(60), "{}", log(here));
        sleep(Duration::from_millis(2));
    }
    child
}

/// Fails if SIGHUP is ignored here: it would be ignored in the trainings too, and they would never end.
fn require_hang_ups() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0").trim();
    let ignored = u64::from_str_radix(mask, 16).expect("a hexadecimal mask");
    assert_eq!(ignored & 1, 0, "SIGHUP is ignored, as under nohup: start the tests without nohup");
}

fn log(here: &Path) -> String {
    fs::read_to_string(here.join("log")).unwrap_or_default()
}

fn send(child: &Child, signal: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
}

#[test]
fn an_ignored_signal_stays_ignored() {
    for (before, signals) in [
        ("exec nohup", &["HUP"][..]),
        ("trap '' HUP; exec", &["HUP"]),
        ("trap '' INT; exec", &["INT"]),
        ("trap '' INT TERM HUP; exec", &["INT", "TERM", "HUP"]),
    ] {
        let folder = folder();
        let here = folder.path();
        let mut child = training(here, before, SHORT);
        // Sends each signal twice: the second one would end the program at once.
        signals.iter().chain(signals).for_each(|signal| send(&child, signal));
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{before}: {}", log(here));
        assert!(here.join("m.safetensors").exists() && !log(here).contains("interrupted"), "{before}: {}", log(here));
        row(&format!("{before} ..., kill -{}", signals.join(", -")), "train", "the training goes on; exit 0");
    }
}

#[test]
fn other_signals_still_stop_it() {
    require_hang_ups();
    for (before, signal) in [("trap '' HUP; exec", "INT"), ("trap '' HUP; exec", "TERM"), ("trap '' INT; exec", "HUP")]
    {
        let folder = folder();
        let mut child = training(folder.path(), before, ENDLESS);
        send(&child, signal);
        let (code, log) = (child.wait().unwrap().code(), log(folder.path()));
        assert_eq!(code, Some(130), "{log}");
        assert!(log.contains("interrupted: m.safetensors holds the best model so far"), "{log}");
        row(&format!("{before} ..., kill -{signal}"), "train", "interrupted, the best model is written; exit 130");
    }
}

/// A closing terminal and its shell send one SIGHUP each.
#[test]
fn two_hang_ups_are_one() {
    require_hang_ups();
    let folder = folder();
    let mut child = training(folder.path(), "exec", ENDLESS);
    send(&child, "HUP");
    send(&child, "HUP");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{}", log(folder.path()));
    assert!(folder.path().join("m.safetensors").exists(), "{}", log(folder.path()));
    row("kill -HUP, twice", "train", "interrupted, the best model is written; exit 130");
}

/// Runs the program as the first process on a terminal, and closes the terminal: the program gets SIGHUP, and its
/// writes then fail with EIO.
#[cfg(target_os = "linux")]
#[test]
fn a_closed_terminal_interrupts() {
    use std::io::Read;

    use rustix::pty::{self, OpenptFlags};

    require_hang_ups();
    let folder = folder();
    let here = folder.path();
    let terminal = pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    pty::grantpt(&terminal).and_then(|()| pty::unlockpt(&terminal)).unwrap();
    let name = pty::ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let stream = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(env!("CARGO_BIN_EXE_exporter")).args(ENDLESS.split_whitespace()).current_dir(here);
    let mut child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().expect("setsid, of util-linux");
    // Closes this process's streams, which would keep the terminal open.
    drop(command);
    let mut terminal = File::from(terminal);
    let (mut shown, mut bytes) = (Vec::new(), [0; 4096]);
    while !here.join("run/checkpoint.safetensors").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "{}", String::from_utf8_lossy(&shown));
        let count = terminal.read(&mut bytes).unwrap();
        shown.extend_from_slice(&bytes[..count]);
    }
    drop(terminal);
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{}", String::from_utf8_lossy(&shown));
    assert!(here.join("m.safetensors").exists());
    row("a terminal that closes", "train", "interrupted, the best model is written; exit 130");
}
