//! Cuts a script into the pieces after which the console answers with a prompt.

use std::collections::VecDeque;

/// Ctrl-C, which the console answers with a prompt, too.
const CTRL_C: u8 = 0x03;
/// Longest piece, so that input without lines is not collected for ever.
const MAX_BYTES: usize = 4096;

/// A piece of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// True if the console answers the piece with a prompt.
    pub(super) is_answered: bool,
}

/// The input that was not sent yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pieces: VecDeque<Piece>,
    /// A line without its end.
    rest: Vec<u8>,
    /// True if the byte before `rest` is a carriage return, so that a line feed belongs to the same line end.
    is_after_return: bool,
}

impl Lines {
    /// Adds input.
    pub(super) fn push(&mut self, input: &[u8]) {
        for &byte in input {
            let is_second_half = byte == b'\n' && self.is_after_return && self.rest.is_empty();
            self.rest.push(byte);
            let is_answered = !is_second_half && [b'\r', b'\n', CTRL_C].contains(&byte);
            if is_answered || self.rest.len() == MAX_BYTES {
                self.cut(is_answered);
            }
        }
    }

    /// Ends the input: the last line may have no end.
    pub(super) fn finish(&mut self) {
        if !self.rest.is_empty() {
            self.cut(false);
        }
    }

    fn cut(&mut self, is_answered: bool) {
        let bytes = std::mem::take(&mut self.rest);
        self.is_after_return = bytes.last() == Some(&b'\r');
        self.pieces.push_back(Piece { bytes, is_answered });
    }

    /// Returns the next piece.
    pub(super) fn next(&mut self) -> Option<Piece> {
        self.pieces.pop_front()
    }

    /// Returns whether more input is needed for the next piece.
    pub(super) fn has_no_piece(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns whether nothing is left to send.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(inputs: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Lines::default();
        inputs.iter().for_each(|input| lines.push(input));
        lines.finish();
        let pieces = std::iter::from_fn(|| lines.next()).map(|piece| (piece.bytes, piece.is_answered)).collect();
        assert!(lines.is_empty());
        pieces
    }

    #[test]
    fn lines_end_in_either_or_both() {
        let expected = |lines: &[(&str, bool)]| -> Vec<(Vec<u8>, bool)> {
            lines.iter().map(|(line, is_answered)| (line.as_bytes().to_vec(), *is_answered)).collect()
        };
        assert_eq!(pieces(&[b"a\nb\n\n"]), expected(&[("a\n", true), ("b\n", true), ("\n", true)]));
        assert_eq!(pieces(&[b"a\rb"]), expected(&[("a\r", true), ("b", false)]));
        // A line feed after a carriage return is no line of its own, in one read or two.
        let both = expected(&[("a\r", true), ("\nb\r", true), ("\n", false)]);
        assert_eq!(pieces(&[b"a\r\nb\r\n"]), both);
        assert_eq!(pieces(&[b"a\r", b"\nb", b"\r", b"\n"]), both);
        assert_eq!(pieces(&[b"ab\x03c"]), expected(&[("ab\x03", true), ("c", false)]));
        assert!(pieces(&[b""]).is_empty());
    }

    #[test]
    fn input_without_lines_is_cut_and_nothing_is_lost() {
        let input: Vec<u8> = (0..10_000_u32).map(|byte| (byte % 200 + 32) as u8).collect();
        let cut = pieces(&[&input]);
        assert_eq!(cut.len(), 3);
        assert!(cut.iter().all(|(_, is_answered)| !is_answered));
        assert_eq!(cut.into_iter().flat_map(|(bytes, _)| bytes).collect::<Vec<u8>>(), input);
    }
}
