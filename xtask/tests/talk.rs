//! `cargo xtask talk` as a process: a pseudo-terminal plays the board, another one the person's terminal.
//!
//! `tests/talk.rs` has the conversation with the real console.

#![cfg(target_os = "linux")]

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serialport::{SerialPort, TTYPort};

/// Time limit of every wait.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Lock for making a pseudo-terminal and for starting a program. A program inherits the ends that are not marked yet,
/// and would keep an unplugged board alive.
static STARTING: Mutex<()> = Mutex::new(());

/// Returns both ends of a pseudo-terminal, which no program inherits, and the name of the second.
fn pair() -> (TTYPort, TTYPort, String) {
    let _guard = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let (first, second) = TTYPort::pair().unwrap();
    let name = second.name().unwrap();
    (first.try_clone_native().unwrap(), second.try_clone_native().unwrap(), name)
}

fn spawn(command: &mut Command) -> Child {
    let _guard = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    command.spawn().unwrap()
}

/// A board: a port, and a file name that leads to it as long as it is plugged in.
struct Board {
    port: TTYPort,
    // Keeps the pseudo-terminal alive until `talk` opens it.
    _other_end: TTYPort,
    name: PathBuf,
}

impl Board {
    /// Plugs a board in.
    fn plug(name: &str) -> Self {
        let name = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let (mut port, other_end, device) = pair();
        port.set_timeout(TIMEOUT).unwrap();
        let _ = fs::remove_file(&name);
        symlink(device, &name).unwrap();
        Self { port, _other_end: other_end, name }
    }

    /// Reads `count` bytes.
    fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.port.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn write(&mut self, bytes: &[u8]) {
        self.port.write_all(bytes).unwrap();
    }
}

/// Unplugs the board.
impl Drop for Board {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.name);
    }
}

fn talk(board: &Path) -> Command {
    let mut talk = Command::new(env!("CARGO_BIN_EXE_xtask"));
    talk.arg("talk").arg("--port").arg(board);
    talk
}

/// Starts `talk` with a pipe.
fn with_pipe(board: &Path, idle: &str) -> Child {
    let mut talk = talk(board);
    spawn(talk.args(["--idle", idle]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A person's terminal, in which `talk` runs.
struct Terminal {
    keys: TTYPort,
    screen: Receiver<Vec<u8>>,
    /// Text on the screen that no test has looked at yet.
    shown: String,
    /// The file at which `talk` is.
    name: String,
    talk: Child,
    _other_end: TTYPort,
}

impl Terminal {
    fn start(board: &Path) -> Self {
        let (mut keys, other_end, name) = pair();
        keys.set_timeout(TIMEOUT).unwrap();
        // As a shell leaves it.
        assert!(Command::new("stty").args(["-F", &name, "sane"]).status().unwrap().success());
        let stdio = || Stdio::from(OpenOptions::new().read(true).write(true).open(&name).unwrap());
        let talk = spawn(talk(board).stdin(stdio()).stdout(stdio()).stderr(stdio()));
        let (sender, screen) = mpsc::channel();
        let mut output = keys.try_clone_native().unwrap();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes)
                && sender.send(bytes[..count].to_vec()).is_ok()
            {}
        });
        Self { keys, screen, shown: String::new(), name, talk, _other_end: other_end }
    }

    /// Types keys.
    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    /// Waits for a text. Returns everything before it.
    fn see(&mut self, text: &str) -> String {
        loop {
            if let Some((before, after)) = self.shown.split_once(text) {
                let before = before.to_owned();
                self.shown = after.to_owned();
                return before;
            }
            let more = self.screen.recv_timeout(TIMEOUT);
            let more = more.unwrap_or_else(|_| panic!("`{text}` is not in {:?}", self.shown));
            self.shown += &String::from_utf8_lossy(&more);
        }
    }

    /// Waits until `talk` has ended. Returns its exit status.
    fn end(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.talk.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < TIMEOUT, "`talk` does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns whether the terminal reads whole lines, as it does for a shell.
    fn reads_lines(&self) -> bool {
        let settings = Command::new("stty").args(["-F", &self.name, "-a"]).output().unwrap();
        let settings = String::from_utf8(settings.stdout).unwrap();
        assert!(settings.contains("icanon"), "{settings}");
        !settings.contains("-icanon")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.talk.kill();
        let _ = self.talk.wait();
    }
}

#[test]
fn a_person_types_every_key_and_ends_with_one() {
    for end in [&b"\x1d"[..], b"\x01x"] {
        let mut board = Board::plug("keys");
        let mut terminal = Terminal::start(&board.name);
        terminal.see("Return shows a prompt.\r\n");
        let keys = b"ma\r\x03\x04\x1a\x1c\x11\x1b[A\x7f";
        terminal.press(keys);
        assert_eq!(board.read(keys.len()), keys);
        board.write("> no\u{eb}l\r\n".as_bytes());
        // Nothing that was typed is echoed by the terminal itself.
        assert_eq!(terminal.see("> no\u{eb}l\r\n"), "");
        assert!(!terminal.reads_lines());
        terminal.press(end);
        assert_eq!(terminal.end(), Some(0));
        assert!(terminal.reads_lines());
    }
}

#[test]
fn a_long_text_is_pasted() {
    let mut board = Board::plug("paste");
    let mut terminal = Terminal::start(&board.name);
    terminal.see("Return shows a prompt.\r\n");
    let text: Vec<u8> = (0..100_000_u32).map(|at| b'a' + (at % 23) as u8).collect();
    let mut keys = terminal.keys.try_clone_native().unwrap();
    let pasted = text.clone();
    let paste = thread::spawn(move || keys.write_all(&pasted).unwrap());
    assert_eq!(board.read(text.len()), text);
    paste.join().unwrap();
    terminal.press(b"\x1d");
    assert_eq!(terminal.end(), Some(0));
}

/// A board that reads nothing must not lock the terminal.
#[test]
fn the_end_key_works_while_the_board_hangs() {
    let board = Board::plug("hang");
    let mut terminal = Terminal::start(&board.name);
    terminal.see("Return shows a prompt.\r\n");
    let mut keys = terminal.keys.try_clone_native().unwrap();
    keys.write_all(&[b'a'; 50_000]).unwrap();
    keys.write_all(b"\x1d").unwrap();
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn an_unplugged_board_is_connected_again() {
    let board = Board::plug("again");
    let name = board.name.clone();
    let mut terminal = Terminal::start(&name);
    terminal.see("Return shows a prompt.\r\n");
    drop(board);
    terminal.see("[the board is gone; waiting for it. Ctrl-] ends]\r\n");
    // Keys are dropped meanwhile.
    terminal.press(b"lost\r");
    thread::sleep(Duration::from_millis(500));
    let mut board = Board::plug("again");
    terminal.see(&format!("[connected to {}]\r\n", name.display()));
    board.write(b"self-test PASS\r\n> ");
    terminal.see("self-test PASS\r\n> ");
    terminal.press(b"ma\r");
    assert_eq!(board.read(3), b"ma\r");
    // A person can end without a board.
    drop(board);
    terminal.see("[the board is gone");
    terminal.press(b"\x1d");
    assert_eq!(terminal.end(), Some(0));
    assert!(terminal.reads_lines());
}

#[test]
fn a_pipe_carries_every_byte_in_both_directions() {
    let mut board = Board::plug("bytes");
    let mut talk = with_pipe(&board.name, "3");
    let mut stdin = talk.stdin.take().unwrap();
    // Without line ends, so that there is no prompt to wait for, but with the keys that end a person's conversation.
    let all: Vec<u8> = (0..=u8::MAX).filter(|byte| ![b'\r', b'\n', 3].contains(byte)).cycle().take(20_000).collect();
    stdin.write_all(&all).unwrap();
    drop(stdin);
    assert_eq!(board.read(all.len()), all);
    let every: Vec<u8> = (0..=u8::MAX).cycle().take(50_000).collect();
    board.write(&every);
    let output = talk.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(output.stdout == every, "{} bytes of {}", output.stdout.len(), every.len());
}

#[test]
fn a_line_waits_for_the_prompt() {
    let mut board = Board::plug("lines");
    let mut talk = with_pipe(&board.name, "20");
    talk.stdin.take().unwrap().write_all(b"one\r\ntwo\nthree").unwrap();
    assert_eq!(board.read(4), b"one\r");
    board.port.set_timeout(Duration::from_millis(300)).unwrap();
    assert!(board.port.read(&mut [0]).is_err(), "a line was sent before the prompt");
    board.port.set_timeout(TIMEOUT).unwrap();
    board.write(b"one\r\n1\r\n>");
    board.write(b" ");
    assert_eq!(board.read(5), b"\ntwo\n");
    board.write(b"two\r\n> ");
    assert_eq!(board.read(5), b"three");
    drop(board);
    let output = talk.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_board_that_goes_too_early_is_an_error() {
    let mut board = Board::plug("early");
    let mut talk = with_pipe(&board.name, "20");
    let mut stdin = talk.stdin.take().unwrap();
    stdin.write_all(b"one\rtwo\r").unwrap();
    assert_eq!(board.read(4), b"one\r");
    drop(board);
    let output = talk.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("error: the board is gone before all input was sent"), "{}", stderr(&output));
}

#[test]
fn a_board_that_does_not_read_is_an_error() {
    let board = Board::plug("deaf");
    let mut talk = with_pipe(&board.name, "0.5");
    let mut stdin = talk.stdin.take().unwrap();
    let writer = thread::spawn(move || {
        let _ = stdin.write_all(&[b'a'; 1 << 20]);
    });
    let output = talk.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("error: the board does not read: "), "{}", stderr(&output));
}

#[test]
fn a_port_that_does_not_exist_is_an_error() {
    let output = talk(Path::new("/dev/no-such-port")).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(
        text.contains("error: cannot open /dev/no-such-port: ") && text.contains("there is no such port"),
        "{text}"
    );
    // A file is no port.
    let output =
        talk(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is it a serial port?"), "{}", stderr(&output));
}

#[test]
fn a_port_without_permission_is_an_error() {
    let board = Board::plug("denied");
    let port = fs::read_link(&board.name).unwrap();
    fs::set_permissions(&port, fs::Permissions::from_mode(0o000)).unwrap();
    // In a folder that every user may read.
    let program = std::env::temp_dir().join(format!("xtask-{}", std::process::id()));
    fs::copy(env!("CARGO_BIN_EXE_xtask"), &program).unwrap();
    let mut talk = Command::new(&program);
    talk.arg("talk").arg("--port").arg(&port).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Root may open every file: another user does not.
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout == b"0\n" {
        talk.uid(65_534).gid(65_534);
    }
    let output = spawn(&mut talk).wait_with_output().unwrap();
    fs::remove_file(program).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("you have no permission: add yourself to the group ") && text.contains("usermod"), "{text}");
}

/// The next program finds the port free: nothing of `talk` remains.
#[test]
fn a_port_is_used_by_one_program_at_a_time() {
    let mut board = Board::plug("busy");
    let mut first = Terminal::start(&board.name);
    first.see("Return shows a prompt.\r\n");
    let output = with_pipe(&board.name, "0.1").wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("another program may use it"), "{}", stderr(&output));
    first.press(b"\x1d");
    assert_eq!(first.end(), Some(0));
    board.write(b"free");
    let output = with_pipe(&board.name, "0.5").wait_with_output().unwrap();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"free"[..]), "{}", stderr(&output));
}
