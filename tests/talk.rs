//! `cargo xtask talk` with the real console, at the other end of a pseudo-terminal.
//!
//! `xtask/tests/talk.rs` tests terminals, unplugged boards and ports that do not open.

#![cfg(target_os = "linux")]

use std::io::{self, Cursor};
use std::thread;
use std::time::Duration;

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use firmware_example::console::Session;
use firmware_example::console::banner::Slot;
use runtime::{Model, Sampling, State};
use serialport::{SerialPort, TTYPort};
use tests::{NoBoard, blob, host_words};
use xtask::talk::script;

/// Model of the console.
const MODEL: &str = "names.int8.blob";
/// Quiet time after which the conversation ends. The host draws a name in a millisecond.
const IDLE: Duration = Duration::from_secs(2);

/// The board's end of the serial port.
struct Uart {
    port: TTYPort,
    /// True after the other end was closed for good.
    is_closed: bool,
}

impl ErrorType for Uart {
    type Error = ErrorKind;
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(self.port.bytes_to_read().map_err(|_| ErrorKind::NotConnected)? > 0)
    }
}

impl Read for Uart {
    /// Waits for a byte, as a UART does.
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        loop {
            match io::Read::read(&mut self.port, bytes) {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                result => {
                    self.is_closed = result.is_err();
                    return result.map_err(|_| ErrorKind::NotConnected);
                }
            }
        }
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        io::Write::write(&mut self.port, bytes).map_err(|_| ErrorKind::NotConnected)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Starts a console, sends a script to it, and returns the board's output.
fn conversation(script: impl io::Read + Send + 'static) -> String {
    let (board, other_end) = TTYPort::pair().expect("a pseudo-terminal");
    let port = other_end.name().expect("its name");
    // It ends with the port.
    thread::spawn(move || {
        let mut uart = Uart { port: board, is_closed: false };
        let blob = blob(MODEL);
        let model = Model::new(blob.as_bytes()).expect("a shipped model");
        while !uart.is_closed {
            let mut state = State::<1_024>::new();
            Session::new(&mut uart, NoBoard, &model, &mut state, Slot::Empty).run();
        }
    });
    let mut output = Vec::new();
    script::run(&port, script, &mut output, IDLE).expect("a conversation");
    String::from_utf8(output).expect("text")
}

#[test]
fn a_script_draws_the_names_of_the_host() {
    let text = conversation(Cursor::new(":seed 7\r:n 20\r\n\n:score emma\nma"));
    let names = host_words(&blob(MODEL), Sampling::default(), 7, "", 20).join("\r\n");
    assert!(text.contains("self-test PASS"), "{text}");
    assert!(text.contains(&format!("\r\n> \r\n{names}\r\n> ")), "{text}");
    assert!(text.contains("\r\n> :score emma\r\n"), "{text}");
    // The last line has no end, so that the console waits for more.
    assert!(text.ends_with("\r\n> ma"), "{text}");
}

/// The console answers each line before the next is sent.
#[test]
fn no_line_of_a_long_script_is_lost() {
    let lines = 500;
    let script: String = (0..lines).map(|line| format!(":seed {line}\n:n {}\n\n", line % 3 + 1)).collect();
    let text = conversation(Cursor::new(script));
    // The banner's prompt, and one for each line.
    assert_eq!(text.matches("\r\n> ").count(), 1 + 3 * lines, "{text}");
    assert!(!text.contains("unknown") && !text.contains("takes"), "{text}");
}

#[test]
fn a_reset_shows_the_banner_again() {
    let text = conversation(Cursor::new("ma\r:reset\rma\r"));
    assert_eq!(text.matches("self-test PASS").count(), 2, "{text}");
    let (before, after) = text.split_once(":reset\r\n").expect("the command's echo");
    let names = |text: &str| text.split_once("> ma\r\n").expect("names").1.lines().next().map(str::to_owned);
    assert!(names(before).is_some_and(|name| name.starts_with("ma")), "{text}");
    assert_eq!(names(before), names(after), "{text}");
}
