//! Safe Rust that defines what every tuned kernel must compute, bit by bit.

#[cfg(feature = "f32")]
use crate::rows::LANES;

/// `y = W x + b` for f32 weights in layout `Rows8` (see [`crate::kernels`]).
///
/// `y[row] = (...((bias[row] + w[row][0] * x[0]) + w[row][1] * x[1]) + ...)`
///
/// Shapes: `weights` `[padded(rows) / 8][x.len()][8]`, `bias` and `y` `[padded(rows)]`. What goes beyond the shortest
/// of them is left alone; [`crate::Model`] never passes anything but matching shapes.
///
/// ```
/// use runtime::kernels::{rows8_index, vec_mat_f32};
/// use runtime::rows::padded;
/// let matrix = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
/// let mut weights = [0.0; 8 * 2];
/// for (r, row) in matrix.iter().enumerate() {
///     for (c, &weight) in row.iter().enumerate() {
///         weights[rows8_index(r, c, 2)] = weight;
///     }
/// }
/// let mut y = [0.0; padded(3)];
/// vec_mat_f32(&weights, &[0.5; padded(3)], &[1.0, -1.0], &mut y);
/// assert_eq!(y[..3], [-0.5; 3]);
/// ```
#[cfg(feature = "f32")]
// Not inlined: one copy serves all layers, compiled for speed whatever its caller is compiled for.
#[inline(never)]
pub fn vec_mat_f32(weights: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]) {
    let (columns, _) = weights.as_chunks::<LANES>();
    let (bias, _) = bias.as_chunks::<LANES>();
    let (y, _) = y.as_chunks_mut::<LANES>();
    // `max(1)`: chunks of zero would panic, and a matrix without columns is only its bias anyway.
    let blocks = columns.chunks_exact(x.len().max(1));
    for ((block, bias), y) in blocks.zip(bias).zip(y) {
        let mut acc = *bias;
        for (column, &x) in block.iter().zip(x) {
            for (acc, &weight) in acc.iter_mut().zip(column) {
                *acc += weight * x;
            }
        }
        *y = acc;
    }
}

/// `sum(w[i] * x[i])` of 8-bit weights and activations, exactly. What goes beyond the shorter one is left out.
///
/// No overflow for up to 2^18 of them; layers have at most that many columns once [`crate::Model::new`] has checked their
/// sums.
///
/// ```
/// assert_eq!(runtime::kernels::dot_i8(&[1, -2, 127], &[3, 4, 127]), 3 - 8 + 16_129);
/// ```
#[cfg(feature = "int8")]
// Not inlined: what is compiled does not depend on what surrounds it.
#[inline(never)]
pub fn dot_i8(weights: &[i8], x: &[i8]) -> i32 {
    // Wrapping: the sum is known to fit, and an overflow check costs more than the addition.
    weights.iter().zip(x).fold(0, |acc: i32, (&weight, &x)| acc.wrapping_add(i32::from(weight) * i32::from(x)))
}

/// `sum(w[i] * x[i])` of 4-bit weights, two to a byte, the even column in the low half, each in two's complement.
///
/// ```
/// // 3 and -2, then 7 alone: its upper half belongs to no column.
/// assert_eq!(runtime::kernels::dot_i4(&[0xe3, 0x07], &[10, 1, 2]), 30 - 2 + 14);
/// ```
#[cfg(feature = "int4")]
#[inline(never)]
pub fn dot_i4(weights: &[u8], x: &[i8]) -> i32 {
    weights.iter().zip(x.chunks(2)).fold(0, |acc: i32, (&byte, x)| {
        let (low, high) = unpack_i4(byte);
        let even = x.first().map_or(0, |&x| i32::from(low) * i32::from(x));
        let odd = x.get(1).map_or(0, |&x| i32::from(high) * i32::from(x));
        acc.wrapping_add(even + odd)
    })
}

/// Copies bytes; what goes beyond the shorter one is left alone.
#[cfg(feature = "int8")]
pub fn copy_i8(from: &[i8], to: &mut [i8]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
}

/// `values[i] = gate_i8(values[i], gates[i])`, see [`crate::quant::gate`]; what goes beyond the shorter is left alone.
#[cfg(feature = "int8")]
#[inline(never)]
pub fn gate_i8(values: &mut [i8], gates: &[i8]) {
    use crate::quant::gate;

    let len = values.len().min(gates.len());
    let (values, gates) = (values.get_mut(..len).unwrap_or(&mut []), gates.get(..len).unwrap_or(&[]));
    // Four at a time: compiled for size, a loop costs a third of what is in it.
    let (fours, rest) = values.as_chunks_mut::<4>();
    let (gates, rest_of_gates) = gates.as_chunks::<4>();
    for ([a, b, c, d], gates) in fours.iter_mut().zip(gates) {
        (*a, *b, *c, *d) = (gate(*a, gates[0]), gate(*b, gates[1]), gate(*c, gates[2]), gate(*d, gates[3]));
    }
    rest.iter_mut().zip(rest_of_gates).for_each(|(value, &other)| *value = gate(*value, other));
}

/// What begins with `slot` goes to the start of `input`; `newest` goes to `input[last..]` and into the slot: a level's input, and
/// its ring. All are as long as `newest`, which does not reach from the start to `last`; where that does not fit, nothing is done,
/// and the answer is `false`.
#[cfg(feature = "int8")]
#[inline]
pub fn exchange_i8(newest: &[i8], slot: &mut [i8], input: &mut [i8], last: usize) -> bool {
    let len = newest.len();
    if let Some(slot) = slot.get_mut(..len)
        && let Some((first, behind)) = input.split_at_mut_checked(last)
        && let (Some(first), Some(last)) = (first.get_mut(..len), behind.get_mut(..len))
    {
        copy_i8(slot, first);
        copy_i8(newest, last);
        copy_i8(newest, slot);
        return true;
    }
    false
}

/// Level 0 from a table, for two characters: `out[row] = tanh_i8(requantize(bias + entries[0] + entries[1], multiplier))`.
///
/// All have the length of `out`; what goes beyond the shortest is left alone.
#[cfg(feature = "int8")]
#[inline(never)]
pub fn table_tanh_i8(bias: &[i32], multiplier: &[i32], entries: [&[i8]; 2], out: &mut [i8]) {
    use crate::quant::{requantize, tanh_i8};

    let [older, newer] = entries;
    let rows = bias.iter().zip(multiplier).zip(older.iter().zip(newer));
    for (out, ((&bias, &multiplier), (&older, &newer))) in out.iter_mut().zip(rows) {
        *out = tanh_i8(requantize(bias.wrapping_add(i32::from(older) + i32::from(newer)), multiplier));
    }
}

/// The two weights of a byte, the low half first.
#[cfg(feature = "int4")]
#[inline]
pub fn unpack_i4(byte: u8) -> (i8, i8) {
    // Shifting up and arithmetically down again spreads the sign.
    (((byte << 4) as i8) >> 4, (byte as i8) >> 4)
}

#[cfg(all(test, feature = "f32"))]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::kernels::rows8_index;
    use crate::rows::padded;

    /// Too naive to be wrong: row by row, column by column.
    fn oracle(matrix: &[Vec<f32>], bias: &[f32], x: &[f32]) -> Vec<f32> {
        let mut y = Vec::new();
        for (row, &bias) in matrix.iter().zip(bias) {
            let mut sum = bias;
            for column in 0..x.len() {
                sum += row[column] * x[column];
            }
            y.push(sum);
        }
        y
    }

    #[test]
    fn every_shape_equals_the_oracle_bit_by_bit() {
        let mut seed = 1_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / 8_388_608.0 - 1.0
        };
        for rows in 1..=27 {
            for fan_in in 1..=35 {
                let matrix: Vec<Vec<f32>> = (0..rows).map(|_| (0..fan_in).map(|_| random()).collect()).collect();
                let mut bias: Vec<f32> = (0..rows).map(|_| random()).collect();
                let x: Vec<f32> = (0..fan_in).map(|_| random()).collect();
                let expected = oracle(&matrix, &bias, &x);
                let mut weights = vec![0.0; padded(rows) * fan_in];
                for (r, row) in matrix.iter().enumerate() {
                    for (c, &weight) in row.iter().enumerate() {
                        weights[rows8_index(r, c, fan_in)] = weight;
                    }
                }
                bias.resize(padded(rows), 0.0);
                let mut y = vec![f32::NAN; padded(rows)];
                vec_mat_f32(&weights, &bias, &x, &mut y);
                let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&y[..rows]), bits(&expected), "{rows} rows, {fan_in} columns");
                assert!(y[rows..].iter().all(|&padding| padding == 0.0));
            }
        }
    }

    #[test]
    fn no_columns_leave_y_alone() {
        let mut y = [7.0; 8];
        vec_mat_f32(&[], &[1.0; 8], &[], &mut y);
        assert_eq!(y, [7.0; 8]);
    }
}

#[cfg(all(test, feature = "int4"))]
mod integer_tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn integer_dots_equal_plain_sums() {
        for byte in 0..=255_u8 {
            let (low, high) = unpack_i4(byte);
            assert!((-8..8).contains(&low) && (-8..8).contains(&high));
            assert_eq!((low as u8 & 15) | (high as u8) << 4, byte);
        }
        let mut seed = 7_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as i8
        };
        for len in 0..=300 {
            let extreme = [127_i8, -127, -128];
            for pick in 0..5 {
                let mut draw = |index: usize| if pick < 3 { extreme[(pick + index % 2) % 3] } else { random() };
                let weights: Vec<i8> = (0..len).map(&mut draw).collect();
                let x: Vec<i8> = (0..len).map(&mut draw).collect();
                let oracle = |weights: &[i8]| -> i64 {
                    weights.iter().zip(&x).map(|(&w, &x)| i64::from(w) * i64::from(x)).sum()
                };
                assert_eq!(i64::from(dot_i8(&weights, &x)), oracle(&weights), "{len}");
                let narrow: Vec<i8> = weights.iter().map(|w| w >> 4).collect();
                let packed: Vec<u8> =
                    narrow.chunks(2).map(|w| w[0] as u8 & 15 | (w.get(1).map_or(0, |&w| w as u8) << 4)).collect();
                assert_eq!(i64::from(dot_i4(&packed, &x)), oracle(&narrow), "{len}");
            }
        }
    }
}
