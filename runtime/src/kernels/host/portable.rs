//! The kernels of [`super`] in safe Rust: the definition that the kernels for vector units must equal. If the compiler
//! makes fast vector code of a loop, the loop is compiled once more for each unit.
//!
//! `inline(always)` makes a loop part of a function that is compiled for the vector unit.

use super::tile::{Bias, BlockScaling, STREAMS, Table, Tile};
use crate::activation::{Activation, Curve};
use crate::kernels::Out;
use crate::kernels::routine::portable::{dot_i4, dot_i8};
use crate::quant::requantize;
use crate::rows::LANES;
use crate::vocab::Token;

pub fn rows_i8(weights: &[i8], x: &[i8], bias: Bias<'_>, multiplier: &[i32], out: Out<'_>) {
    let sums = weights.chunks_exact(x.len().max(1)).map(|weights| dot_i8(weights, x));
    scale(sums, bias.plain, multiplier, out);
}

pub fn rows_i4(weights: &[u8], x: &[i8], bias: &[i32], multiplier: &[i32], out: Out<'_>) {
    let sums = weights.chunks_exact(x.len().div_ceil(2).max(1)).map(|weights| dot_i4(weights, x));
    scale(sums, bias, multiplier, out);
}

#[inline(always)]
fn scale(sums: impl Iterator<Item = i32>, bias: &[i32], multiplier: &[i32], out: Out<'_>) {
    let rows = sums.zip(bias).zip(multiplier);
    let rows = rows.map(|((sum, &bias), &multiplier)| requantize(bias.wrapping_add(sum), multiplier));
    match out {
        Out::Rows(out) => out.iter_mut().zip(rows).for_each(|(out, row)| *out = row),
        Out::Curve(out, curve) => out.iter_mut().zip(rows).for_each(|(out, row)| *out = curve.at(row)),
    }
}

pub fn look_up(table: Table<'_>, tokens: &[Token], bias: &[i32], multiplier: &[i32], out: Out<'_>) {
    let sums = (0..bias.len()).map(|row| {
        let entry =
            |(position, &token)| table.entries(position, token, row).first().map_or(0, |&entry| i32::from(entry));
        tokens.iter().enumerate().map(entry).fold(0, i32::wrapping_add)
    });
    scale(sums, bias, multiplier, out);
}

pub use crate::kernels::routine::softmax::weigh;

pub fn curve_i8(curve: &Curve, pre_activations: &[i32], out: &mut [i8]) {
    pre_activations.iter().zip(out).for_each(|(&value, out)| *out = curve.at(value));
}

pub fn gate_i8(values: &mut [i8], gates: &[i8]) {
    crate::kernels::routine::portable::gate_i8(values, gates);
}

pub fn tile_i8(weights: &[[u32; LANES]], scaling: &BlockScaling, x: &[Tile<u32>], out: &mut [Tile<i32>; LANES]) {
    for (row, out) in out.iter_mut().enumerate() {
        let mut sums = [scaling.bias[row]; STREAMS];
        for (weights, x) in weights.iter().zip(x) {
            let weights = weights[row].to_le_bytes().map(|weight| weight as i8);
            for (sum, x) in sums.iter_mut().zip(&x.0) {
                let x = x.to_le_bytes().map(|x| x as i8);
                for column in 0..4 {
                    *sum = sum.wrapping_add(i32::from(weights[column]) * i32::from(x[column]));
                }
            }
        }
        out.0 = sums.map(|sum| requantize(sum, scaling.multiplier[row]));
    }
}

pub fn curve_tile_i8(curve: &Curve, pre_activations: &[Tile<i32>; LANES], out: &mut [Tile<u32>; 2]) {
    let (rows, _) = pre_activations.as_chunks::<4>();
    for (rows, out) in rows.iter().zip(out) {
        for (stream, out) in out.0.iter_mut().enumerate() {
            *out = u32::from_le_bytes([0, 1, 2, 3].map(|row| curve.at(rows[row].0[stream]) as u8));
        }
    }
}

pub fn vec_mat_f32(weights: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]) {
    crate::kernels::routine::portable::vec_mat_f32(weights, bias, x, y);
}

#[inline(always)]
pub fn activate_f32(activation: Activation, values: &mut [f32]) {
    activation.apply_f32(values);
}

pub fn tile_f32(weights: &[[f32; LANES]], bias: &[f32; LANES], x: &[Tile<f32>], out: &mut [Tile<f32>; LANES]) {
    for (row, (out, &bias)) in out.iter_mut().zip(bias).enumerate() {
        let mut acc = [bias; STREAMS];
        for (weights, x) in weights.iter().zip(x) {
            for (acc, &x) in acc.iter_mut().zip(&x.0) {
                *acc += weights[row] * x;
            }
        }
        out.0 = acc;
    }
}
