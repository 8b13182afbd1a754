//! The gates of a level for cores with the DSP instructions, four values to a word. The code is safe and the same on
//! every target: functions of [`crate::insn`] are the instructions that have no name in Rust, and the compiler finds
//! the others.

use super::portable;
use crate::insn::{smulwb, sxtab16, sxtab16_ror8, sxtb16, sxtb16_ror8};

/// 127 in both halves of a word.
const ONES: u32 = 0x007f_007f;

/// Computes [`portable::gate_i8`], for values and gates of -127 to 127, with 22 instructions for four values:
///
/// ```text
/// for each 4 values v and gates g:                           two LDR, one STR, at any address
///     v02, v13 = the bytes of v as half words                two SXTB16
///     g02, g13 = 127 + the bytes of g                        two SXTAB16
///     for each value:
///         p = v * (127 + g) + 127                            SMLABB, or SMLATT
///         out = (p * 258) >> 16                              SMULWB
///     pack the lowest bytes                                  five, of BFI, UXTB, ORR
/// ```
///
/// The definition adds 2^15; this function adds `127 * 258 = 2^15 - 2`. The results would differ only if
/// `258 * v * (127 + g)` were 2^15 above a multiple of 2^16, that is, if `v * (127 + g)` were 2^14 above a multiple of
/// 2^15. It never is: its magnitude is below 2^15, and 2^14 is not a product of two factors of up to 127 and 254.
#[inline(never)]
pub fn gate_i8(values: &mut [i8], gates: &[i8]) {
    let len = values.len().min(gates.len());
    let (values, gates) = (values.get_mut(..len).unwrap_or(&mut []), gates.get(..len).unwrap_or(&[]));
    let (words, rest) = values.as_chunks_mut::<4>();
    let (gates, rest_of_gates) = gates.as_chunks::<4>();
    for (to, gate) in words.iter_mut().zip(gates) {
        let (value, gate) = (word(to), word(gate));
        let (value_02, value_13) = (sxtb16(value), sxtb16_ror8(value));
        let (gate_02, gate_13) = (sxtab16(ONES, gate), sxtab16_ror8(ONES, gate));
        let [low, high] = [|x: u32| i32::from(x as i16), |x: u32| (x as i32) >> 16];
        let gated = [
            scale(low(value_02), low(gate_02)),
            scale(low(value_13), low(gate_13)),
            scale(high(value_02), high(gate_02)),
            scale(high(value_13), high(gate_13)),
        ];
        let [a, b, c, d] = gated;
        *to = (a & 0xff | (b & 0xff) << 8 | (c & 0xff) << 16 | d << 24).to_le_bytes().map(|byte| byte as i8);
    }
    if !rest.is_empty() {
        portable::gate_i8(rest, rest_of_gates);
    }
}

fn word(bytes: &[i8; 4]) -> u32 {
    u32::from_le_bytes(bytes.map(|byte| byte as u8))
}

/// Returns `(value * gate + 127) * 258 / 2^16`, rounded down.
#[inline(always)]
fn scale(value: i32, gate: i32) -> u32 {
    smulwb(value * gate + 127, 258) as u32
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    /// All values and gates, and every length and place.
    #[test]
    fn the_gate_is_the_definition() {
        let pairs = || (-127..=127_i8).flat_map(|value| (-127..=127_i8).map(move |gate| (value, gate)));
        let (values, gates): (Vec<i8>, Vec<i8>) = pairs().unzip();
        let both = |values: &[i8], gates: &[i8]| {
            let mut out = [values.to_vec(), values.to_vec()];
            gate_i8(&mut out[0], gates);
            portable::gate_i8(&mut out[1], gates);
            assert!(out[0] == out[1], "{} values, {} gates", values.len(), gates.len());
        };
        both(&values, &gates);
        for len in 0..=40 {
            for start in 0..8 {
                let values = &values[601 * len + start..];
                both(&values[..len], &gates[601 * len..]);
                both(values, &gates[601 * len..][..len]);
            }
        }
    }
}
