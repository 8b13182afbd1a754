//! The keys that end a conversation. All other keys go to the board.

/// Ctrl-], the end key, as in telnet, miniterm and Espressif's monitor.
const END: u8 = 0x1d;
/// Ctrl-A, after which an X ends, as in QEMU. Some keyboards have no key for Ctrl-].
const PREFIX: u8 = 0x01;

/// Separates the keys for the board from the end key.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// True after Ctrl-A, which is held back until the next key.
    is_prefixed: bool,
}

impl Keys {
    /// Returns the bytes for the board, and whether the person has ended the conversation.
    pub(crate) fn take(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut bytes = Vec::with_capacity(typed.len() + 1);
        for &key in typed {
            match (std::mem::take(&mut self.is_prefixed), key) {
                (_, END) | (true, b'x' | b'X') => return (bytes, true),
                (false, PREFIX) => self.is_prefixed = true,
                // Twice Ctrl-A is one for the board.
                (true, PREFIX) => bytes.push(PREFIX),
                (true, key) => bytes.extend([PREFIX, key]),
                (false, key) => bytes.push(key),
            }
        }
        (bytes, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_but_two_go_to_the_board() {
        let all: Vec<u8> = (0..=u8::MAX).filter(|key| ![PREFIX, END].contains(key)).collect();
        assert_eq!(Keys::default().take(&all), (all, false));
        for end in [&b"ma\x1djo"[..], b"ma\x01xjo", b"ma\x01X", b"ma\x01\x1d"] {
            assert_eq!(Keys::default().take(end), (b"ma".to_vec(), true));
        }
        assert_eq!(Keys::default().take(b"x\x01\x01x\x01b"), (b"x\x01x\x01b".to_vec(), false));
    }

    #[test]
    fn the_two_keys_may_arrive_one_by_one() {
        let mut keys = Keys::default();
        assert_eq!(keys.take(b"\x01"), (vec![], false));
        assert_eq!(keys.take(b""), (vec![], false));
        assert_eq!(keys.take(b"x"), (vec![], true));
    }
}
