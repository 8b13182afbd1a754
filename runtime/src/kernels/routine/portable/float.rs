//! Routines in single precision.

use crate::activation::Activation;
use crate::rows::LANES;

/// Calls [`Activation::apply_f32`].
#[inline]
pub fn activate_f32(activation: Activation, values: &mut [f32]) {
    activation.apply_f32(values);
}

/// Computes `y = W x + b` with f32 weights in layout `Rows8` (see [`crate::kernels`]).
///
/// `y[row] = (...((bias[row] + w[row][0] * x[0]) + w[row][1] * x[1]) + ...)`
///
/// Shapes: `weights` `[padded(rows) / 8][x.len()][8]`, `bias` and `y` `[padded(rows)]`. Values beyond the shortest of
/// them remain unchanged; [`crate::Model`] always passes matching shapes.
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
// Not inlined, so that one copy serves all layers, compiled for speed even if its caller is compiled for size.
#[inline(never)]
pub fn vec_mat_f32(weights: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]) {
    let (columns, _) = weights.as_chunks::<LANES>();
    let (bias, _) = bias.as_chunks::<LANES>();
    let (y, _) = y.as_chunks_mut::<LANES>();
    // `max(1)`, because chunks of zero would panic. A matrix without columns is only its bias.
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

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::kernels::rows8_index;
    use crate::rows::padded;

    /// Oracle too naive to be wrong: row by row, column by column.
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
