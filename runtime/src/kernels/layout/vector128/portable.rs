//! The results of the vector instructions in plain Rust: the definition of the layout, which runs on other cores.
//!
//! Sums wrap, as in registers. With the weights and biases of a checked model, none ever does.

#[cfg(feature = "int4")]
pub mod int4;
pub mod int8;

use super::ROWS;

/// Prepares a position: its bytes, the first one lowest in a word, then zeros.
pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    for (at, word) in prepared.iter_mut().enumerate() {
        let byte = |byte| x.get(4 * at + byte).map_or(0, |&x| x as u8);
        *word = u32::from_le_bytes([0, 1, 2, 3].map(byte));
    }
    0
}

/// Computes VRMULH, which for `256 * acc` equals [`crate::quant::requantize`] if |acc| < 2^23.
#[inline]
fn requantize(acc256: i32, multiplier: i32) -> i32 {
    let product = i64::from(acc256) * i64::from(multiplier);
    ((product + (1 << 31)) >> 32) as i32
}

/// Computes VMLADAVA: adds 16 products to a sum.
#[inline]
fn dot(acc: i32, w: &[i8], x: &[i8]) -> i32 {
    w.iter().zip(x).fold(acc, |acc, (&w, &x)| acc.wrapping_add(i32::from(w) * i32::from(x)))
}

/// Returns the start values, the bytes of weights, and the multipliers of a block.
fn parts(block: &[u32]) -> Option<([i32; ROWS], &[i8], [i32; ROWS])> {
    let (start, rest) = block.split_first_chunk::<ROWS>()?;
    let (weights, multipliers) = rest.split_last_chunk::<ROWS>()?;
    Some((start.map(|word| word as i32), bytemuck::cast_slice(weights), multipliers.map(|word| word as i32)))
}
