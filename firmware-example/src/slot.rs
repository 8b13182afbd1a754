//! Model in the flash region SLOT of the board's memory map, apart from the program. It is flashed by itself, and
//! replaces the built-in model.

use runtime::format::{MAGIC, PREAMBLE_BYTES};
use runtime::{Error, FormatError, Model, SelfTestError, State, StateError};

/// Words of state that are reserved for a model in the slot: enough for each model of `models/` in any precision and
/// layout. With more words, larger models run; each takes four bytes of RAM.
pub const STATE_WORDS_FOR_SLOT: usize = 1_024;

/// Words of state of the console: enough for the built-in model and for one in the slot.
pub const STATE_WORDS: usize = {
    let built_in = crate::model::STATE_WORDS;
    if built_in > STATE_WORDS_FOR_SLOT { built_in } else { STATE_WORDS_FOR_SLOT }
};

/// Reason why the slot's contents are not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The length in the blob's header is larger than the slot.
    TooLarge {
        /// Length in the blob's header, in bytes.
        need: usize,
        /// Size of the slot in bytes.
        have: usize,
    },
    /// The contents are not a model, or not one that this program can read.
    Format(FormatError),
    /// The model needs more state than is reserved.
    State(StateError),
    /// The model's logits differ from those of the host that exported it.
    SelfTest(SelfTestError),
}

/// Returns as many bytes of the slot as its contents claim to have; `None` if the slot is empty.
///
/// Erased flash is all ones, and the emulator's flash is all zeros.
///
/// # Errors
/// Fails if the bytes cannot be a model.
pub fn contents(slot: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    let Some(preamble) = slot.first_chunk::<PREAMBLE_BYTES>() else { return Ok(None) };
    if preamble.iter().all(|byte| *byte == 0xff) || preamble.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let [m, o, r, e, _, _, _, _, a, b, c, d, ..] = *preamble;
    let found = [m, o, r, e];
    if found != MAGIC {
        return Err(Refusal::Format(FormatError::BadMagic { found }));
    }
    let need = u32::from_le_bytes([a, b, c, d]) as usize;
    slot.get(..need).map(Some).ok_or(Refusal::TooLarge { need, have: slot.len() })
}

/// Returns the model in the slot, after its self-test; `None` if the slot is empty.
///
/// # Errors
/// Returns why the contents cannot be used.
pub fn model<'a, const WORDS: usize>(slot: &'a [u8], state: &mut State<WORDS>) -> Result<Option<Model<'a>>, Refusal> {
    let Some(blob) = contents(slot)? else { return Ok(None) };
    let model = Model::new(blob).map_err(Refusal::Format)?;
    model.self_test(state).map_err(|error| match error {
        Error::State(error) => Refusal::State(error),
        Error::SelfTest(error) => Refusal::SelfTest(error),
        // Never happens: `Model::new` has accepted the blob.
        Error::Format(error) => Refusal::Format(error),
        _ => Refusal::Format(FormatError::BadHeader),
    })?;
    Ok(Some(model))
}

/// Returns the bytes of the region SLOT.
#[cfg(target_os = "none")]
pub fn region() -> &'static [u8] {
    #![allow(unsafe_code, reason = "reads memory between two addresses of the linker script")]
    unsafe extern "C" {
        static _slot_start: u8;
        static _slot_end: u8;
    }
    let (start, end) = (&raw const _slot_start, &raw const _slot_end);
    // SAFETY: the memory map puts readable flash between the two symbols, and each byte of flash has some value.
    // Nothing is linked there, and the program does not write flash. The start is before the end.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::Aligned;
    use runtime::format::checksum;

    /// Slot for the tests.
    type Slot = Aligned<[u8; 64 * 1_024]>;

    /// Returns a slot with a blob in it, followed by erased flash.
    fn slot(blob: &[u8]) -> Box<Slot> {
        let mut slot = Box::new(Aligned([0xff; 64 * 1_024]));
        slot.0[..blob.len()].copy_from_slice(blob);
        slot
    }

    fn tiny() -> Vec<u8> {
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tiny.int8.blob")).unwrap()
    }

    fn refusal<const WORDS: usize>(blob: &[u8]) -> Refusal {
        model(&slot(blob).0, &mut State::<WORDS>::new()).map(|_| ()).unwrap_err()
    }

    #[test]
    fn a_model_is_found() {
        let slot = slot(&tiny());
        let mut state = State::<STATE_WORDS>::new();
        assert_eq!(model(&slot.0, &mut state).unwrap().unwrap().provenance().preset, "tiny");
    }

    #[test]
    fn an_empty_slot_is_none() {
        for byte in [0, 0xff] {
            assert_eq!(contents(&[byte; 1_024]), Ok(None));
        }
        assert_eq!(contents(&[]), Ok(None));
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        assert_eq!(refusal::<1_024>(b"hello"), Refusal::Format(FormatError::BadMagic { found: *b"hell" }));
        let mut damaged = tiny();
        damaged[500] ^= 1;
        assert!(matches!(refusal::<1_024>(&damaged), Refusal::Format(FormatError::ChecksumMismatch { .. })));
        let mut long = tiny();
        long[8..12].copy_from_slice(&70_000_u32.to_le_bytes());
        assert_eq!(refusal::<1_024>(&long), Refusal::TooLarge { need: 70_000, have: 65_536 });
        let mut huge = tiny();
        huge[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(refusal::<1_024>(&huge), Refusal::TooLarge { .. }));
        assert!(matches!(refusal::<4>(&tiny()), Refusal::State(StateError::TooSmall { have: 4, .. })));
        // The length in the header is shorter than that of any blob.
        let mut short = tiny();
        short[8..12].copy_from_slice(&3_u32.to_le_bytes());
        assert!(matches!(refusal::<1_024>(&short), Refusal::Format(FormatError::Truncated { have: 3, .. })));
    }

    #[test]
    fn other_logits_are_refused() {
        let mut other = tiny();
        // Changes the last byte of the golden text, which is a token, then corrects the blob's checksum.
        let golden = other.iter().rposition(|&byte| byte != 0).unwrap();
        other[golden] -= 1;
        let crc = checksum(&other);
        other[16..20].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(refusal::<1_024>(&other), Refusal::SelfTest(_)));
    }
}
