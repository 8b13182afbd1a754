//! Line editor for a serial terminal, which sends a line byte by byte and shows only the echo.

use embedded_io::Write;

use super::print::{NEW_LINE, Print};

/// Length limit of a line in bytes.
pub const MAX_BYTES: usize = 64;

/// Ctrl-C.
pub const CTRL_C: u8 = 0x03;
const BACKSPACE: u8 = 0x08;
/// Ctrl-U.
const CTRL_U: u8 = 0x15;
const ESCAPE: u8 = 0x1b;
/// Byte that most terminals send for the backspace key.
const DELETE: u8 = 0x7f;
const BELL: &str = "\x07";
/// Moves back, overwrites the character with a blank, and moves back again.
const RUB_OUT: &str = "\x08 \x08";

/// Effect of a byte.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The line continues.
    None,
    /// The line has ended; [`Line::text`] returns it.
    Ended,
    /// Ctrl-C: the line is abandoned.
    Abandoned,
}

/// Reason why a line is not text.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The line has more than [`MAX_BYTES`] bytes.
    TooLong,
    /// The line is not UTF-8.
    NotUtf8,
}

/// Position of the input in an escape sequence. The cursor keys send such sequences.
#[derive(Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    /// After ESC.
    Begun,
    /// After ESC `[`: parameters, then a letter or `~`.
    Csi,
    /// After ESC `O`: one letter.
    Ss3,
}

/// Line that is being typed.
#[derive(Debug, Default)]
pub struct Line {
    bytes: heapless::Vec<u8, MAX_BYTES>,
    is_too_long: bool,
    escape: Escape,
    /// True if the last byte ended a line with CR: an LF after it belongs to the same line end.
    is_behind_cr: bool,
}

impl Line {
    /// Takes a byte, and echoes its effect.
    pub fn take_byte(&mut self, byte: u8, echo: &mut impl Write) -> Event {
        let is_second_half = core::mem::take(&mut self.is_behind_cr) && byte == b'\n';
        if is_second_half || self.is_of_escape(byte) {
            return Event::None;
        }
        match byte {
            b'\r' | b'\n' => {
                self.is_behind_cr = byte == b'\r';
                echo.text(NEW_LINE);
                return Event::Ended;
            }
            CTRL_C => {
                self.clear();
                echo.line("^C");
                return Event::Abandoned;
            }
            BACKSPACE | DELETE => {
                self.rub_out(echo);
            }
            CTRL_U => {
                self.is_too_long = false;
                while self.rub_out(echo) {}
            }
            0..b' ' => {}
            _ if self.is_too_long => echo.text(BELL),
            _ => match self.bytes.push(byte) {
                Ok(()) => {
                    let _ = echo.write_all(&[byte]);
                }
                Err(_) => {
                    self.is_too_long = true;
                    echo.text(BELL);
                }
            },
        }
        Event::None
    }

    /// Returns the line that has ended; [`Line::clear`] begins the next one.
    ///
    /// # Errors
    /// Returns why the line cannot be read.
    pub fn text(&self) -> Result<&str, Unreadable> {
        if self.is_too_long {
            return Err(Unreadable::TooLong);
        }
        str::from_utf8(&self.bytes).map_err(|_| Unreadable::NotUtf8)
    }

    /// Empties the line.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.is_too_long = false;
        self.escape = Escape::None;
    }

    /// Removes the last character with all of its bytes. Returns whether there was one.
    fn rub_out(&mut self, echo: &mut impl Write) -> bool {
        // A line that was too long stays so: the rest of it was not stored.
        if self.bytes.is_empty() || self.is_too_long {
            return false;
        }
        while let Some(byte) = self.bytes.pop()
            && is_continuation(byte)
        {}
        echo.text(RUB_OUT);
        true
    }

    /// Returns whether the byte belongs to an escape sequence. All of them are ignored.
    fn is_of_escape(&mut self, byte: u8) -> bool {
        // Enter and Ctrl-C always take effect: a lone ESC key must not swallow them.
        let is_control = byte < b' ' || byte == DELETE;
        self.escape = match (&self.escape, byte) {
            (_, ESCAPE) => Escape::Begun,
            (_, _) if is_control => Escape::None,
            (Escape::Begun, b'[') => Escape::Csi,
            (Escape::Begun, b'O') => Escape::Ss3,
            (Escape::Begun | Escape::Ss3, _) | (Escape::Csi, b'@'..=b'~') => {
                self.escape = Escape::None;
                return true;
            }
            (Escape::Csi, _) => Escape::Csi,
            (Escape::None, _) => Escape::None,
        };
        self.escape != Escape::None
    }
}

/// Returns whether a byte of UTF-8 continues the character before it.
pub fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types bytes. Returns the lines that ended, and the echo.
    fn typed(bytes: &[u8]) -> (Vec<Result<String, Unreadable>>, Vec<u8>) {
        let (mut line, mut lines, mut echo) = (Line::default(), Vec::new(), vec![0; 4 * bytes.len()]);
        let mut rest = &mut echo[..];
        for &byte in bytes {
            if line.take_byte(byte, &mut rest) == Event::Ended {
                lines.push(line.text().map(str::to_owned));
                line.clear();
            }
        }
        let left = rest.len();
        echo.truncate(echo.len() - left);
        (lines, echo)
    }

    fn lines(bytes: &[u8]) -> Vec<Result<String, Unreadable>> {
        typed(bytes).0
    }

    fn ok(lines: &[&str]) -> Vec<Result<String, Unreadable>> {
        lines.iter().map(|line| Ok((*line).to_owned())).collect()
    }

    #[test]
    fn every_end_counts_once() {
        assert_eq!(lines(b"a\rb\nc\r\n\r\n\n\rd\r"), ok(&["a", "b", "c", "", "", "", "d"]));
    }

    #[test]
    fn backspace_takes_a_whole_character() {
        assert_eq!(lines("maé\x7fx\r".as_bytes()), ok(&["max"]));
        assert_eq!(lines("\x08a€\x08\x08\x08b\r".as_bytes()), ok(&["b"]));
        assert_eq!(typed(b"ab\x7f\r").1, b"ab\x08 \x08\r\n");
        assert_eq!(typed(b"\x7f\r").1, b"\r\n");
        // Bytes that are not UTF-8 can be rubbed out, too.
        assert_eq!(lines(b"\x80\xff\xa0\x7f\x7f\r"), ok(&[""]));
    }

    #[test]
    fn control_keys() {
        assert_eq!(lines(b"abc\x15d\r"), ok(&["d"]));
        assert_eq!(typed(b"abc\x15d\r").1, b"abc\x08 \x08\x08 \x08\x08 \x08d\r\n");
        assert_eq!(lines(b"abc\x03d\r"), ok(&["d"]));
        assert_eq!(typed(b"abc\x03").1, b"abc^C\r\n");
        assert_eq!(lines(b"a\x01\tb\x00\r"), ok(&["ab"]));
    }

    #[test]
    fn cursor_keys_are_swallowed() {
        assert_eq!(lines(b"m\x1b[A\x1b[Da\x1bOP\x1b[3~\x1b[1;5Cx\r"), ok(&["max"]));
        assert_eq!(lines(b"m\x1bxa\r"), ok(&["ma"]));
        assert_eq!(lines(b"ma\x1b\rb\x1b[\r"), ok(&["ma", "b"]));
    }

    #[test]
    fn a_long_line_is_refused_as_a_whole() {
        let longest = "m".repeat(MAX_BYTES);
        assert_eq!(lines(format!("{longest}\r").as_bytes()), ok(&[&longest]));
        let typed = typed(format!("{longest}ab\x7f\rc\r").as_bytes());
        assert_eq!(typed.0, [Err(Unreadable::TooLong), Ok("c".to_owned())]);
        assert_eq!(typed.1, format!("{longest}\x07\x07\r\nc\r\n").as_bytes());
        assert_eq!(lines(format!("{longest}a\x15c\r").as_bytes()), ok(&["c"]));
    }

    #[test]
    fn what_is_no_utf8_is_refused() {
        assert_eq!(lines(b"a\xff\rb\r"), [Err(Unreadable::NotUtf8), Ok("b".to_owned())]);
    }
}
