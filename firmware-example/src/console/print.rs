//! Prints text and whole numbers on a console, without `core::fmt`, which takes as much flash as the rest of the
//! console.

use embedded_io::Write;

/// Line end with CR and LF: a serial terminal needs both.
pub const NEW_LINE: &str = "\r\n";

/// Number of digits of the largest number.
const MAX_DIGITS: usize = 20;

/// Printing functions. They ignore errors: if the console cannot be written to, there is nowhere to report the error.
pub trait Print: Write {
    /// Prints text.
    #[inline(never)]
    fn text(&mut self, text: &str) {
        let _ = self.write_all(text.as_bytes());
    }

    /// Prints text and a line end.
    #[inline(never)]
    fn line(&mut self, text: &str) {
        self.text(text);
        self.text(NEW_LINE);
    }

    /// Prints a character.
    #[inline(never)]
    fn character(&mut self, character: char) {
        self.text(character.encode_utf8(&mut [0; 4]));
    }

    /// Prints a number.
    #[inline(never)]
    fn number(&mut self, number: u64) {
        self.digits(number, 1);
    }

    /// Prints a number with leading zeros, with at least `least` digits.
    #[inline(never)]
    fn digits(&mut self, mut number: u64, least: usize) {
        let mut digits = [b'0'; MAX_DIGITS];
        let mut count = 0;
        for digit in digits.iter_mut().rev() {
            if number == 0 {
                break;
            }
            *digit += (number % 10) as u8;
            number /= 10;
            count += 1;
        }
        let _ = self.write_all(last(&digits, count.max(least)));
    }

    /// Prints a number of thousandths as a decimal fraction with three places.
    #[inline(never)]
    fn thousandths(&mut self, number: u32) {
        self.number((number / 1_000).into());
        self.text(".");
        self.digits((number % 1_000).into(), 3);
    }

    /// Prints a number of millionths, rounded to four places.
    #[inline(never)]
    fn millionths(&mut self, number: u64) {
        let rounded = number.saturating_add(50) / 100;
        self.number(rounded / 10_000);
        self.text(".");
        self.digits(rounded % 10_000, 4);
    }

    /// Prints 32 bits as eight hexadecimal digits.
    #[inline(never)]
    fn hex(&mut self, number: u32) {
        let digits = core::array::from_fn::<_, 8, _>(|place| {
            let digit = (number >> (28 - 4 * place)) as u8 & 0xf;
            if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
        });
        let _ = self.write_all(&digits);
    }
}

impl<W: Write + ?Sized> Print for W {}

/// Returns the last `count` bytes. Does not index: the panic of an index would link `core::fmt`.
fn last(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(count)..).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(print: impl Fn(&mut &mut [u8])) -> String {
        let mut buffer = [0; 64];
        let mut rest = &mut buffer[..];
        print(&mut rest);
        let left = rest.len();
        String::from_utf8(buffer[..64 - left].to_vec()).unwrap()
    }

    #[test]
    fn numbers() {
        for number in [0, 7, 10, 4_096, u64::MAX] {
            assert_eq!(printed(|out| out.number(number)), number.to_string());
        }
        for number in [0, 1, 0xdead_beef, u32::MAX] {
            assert_eq!(printed(|out| out.hex(number)), format!("{number:08x}"));
        }
    }

    #[test]
    fn fractions() {
        for (number, text) in [(0, "0.000"), (800, "0.800"), (1_005, "1.005"), (65_535, "65.535")] {
            assert_eq!(printed(|out| out.thousandths(number)), text);
        }
        for (number, text) in [(0, "0.0000"), (1_936_149, "1.9361"), (1_936_150, "1.9362"), (999_950, "1.0000")] {
            assert_eq!(printed(|out| out.millionths(number)), text);
        }
    }
}
