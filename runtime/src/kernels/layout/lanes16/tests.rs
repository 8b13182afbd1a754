//! Compares the portable definition with an oracle too naive to be wrong. `kerneltest` in firmware-example compares the
//! assembly with the definition on the chip.

extern crate std;
use std::vec;
use std::vec::Vec;

use super::basis::Basis;
use super::basis::masked::Masked;
use super::basis::swapped::Swapped;
use super::*;
use crate::kernels::layout::PackedLayout;
use crate::quant::{ACC_LIMIT, requantize};

/// Function that writes a block. Arguments: block, columns, biases, multipliers, weights.
type Write = fn(&mut [u32], usize, [i32; 4], [i32; 4], &dyn Fn(usize, usize) -> i8);

/// A kind of block, as the tests see it.
#[derive(Clone, Copy)]
struct Kind {
    largest: i8,
    /// Columns of a group.
    columns: usize,
    block_words: fn(usize) -> usize,
    prepared_words: fn(usize) -> usize,
    prepare: fn(&[i8], &mut [u32]) -> i32,
    rows: fn(&[u32], &[u32], i32, &mut [i32]),
    write: Write,
    weight: fn(&[u32], usize, usize, usize) -> i8,
    bias: fn(&[u32], usize, usize) -> Option<i32>,
    multiplier: fn(&[u32], usize, usize) -> i32,
}

impl Kind {
    fn padded(self, width: usize) -> usize {
        width.next_multiple_of(self.columns)
    }

    /// Returns the kind of a layout, computed by its definition in one of the bases.
    const fn of<L: PackedLayout>(
        prepare: fn(&[i8], &mut [u32]) -> i32,
        rows: fn(&[u32], &[u32], i32, &mut [i32]),
    ) -> Self {
        Self {
            largest: L::FORMAT.weight_max() as i8,
            columns: L::GROUP,
            block_words: L::block_words,
            prepared_words: L::prepared_words,
            prepare,
            rows,
            write: |block, columns, bias, multiplier, weight| {
                L::write_block(block, columns, &bias, &multiplier, weight)
            },
            weight: L::weight,
            bias: L::bias,
            multiplier: L::multiplier,
        }
    }

    const fn int8<B: Basis>() -> Self {
        Self::of::<Lanes16I8>(
            |x, prepared| {
                portable::int8::prepare_in::<B>(x, prepared);
                0
            },
            |blocks, prepared, _, out| portable::int8::rows_in::<B>(blocks, prepared, out),
        )
    }

    #[cfg(feature = "int4")]
    const fn int4<B: Basis>() -> Self {
        Self::of::<Lanes16I4>(
            |x, prepared| {
                portable::int4::prepare_in::<B>(x, prepared);
                0
            },
            |blocks, prepared, _, out| portable::int4::rows_in::<B>(blocks, prepared, out),
        )
    }
}

const KINDS: &[Kind] = &[
    // As in this build.
    Kind::of::<Lanes16I8>(Lanes16I8::prepare, Lanes16I8::rows),
    #[cfg(feature = "int4")]
    Kind::of::<Lanes16I4>(Lanes16I4::prepare, Lanes16I4::rows),
    Kind::int8::<Swapped>(),
    Kind::int8::<Masked>(),
    #[cfg(feature = "int4")]
    Kind::int4::<Swapped>(),
    #[cfg(feature = "int4")]
    Kind::int4::<Masked>(),
];

/// Linear congruential generator. Every message names its seed.
struct Random(u32);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(self.0) * u64::from(limit)) >> 32) as u32
    }

    fn within(&mut self, largest: i8) -> i8 {
        (self.below(2 * largest as u32 + 1) as i32 - i32::from(largest)) as i8
    }

    fn sign(&mut self, largest: i8) -> i8 {
        if self.below(2) == 0 { largest } else { -largest }
    }
}

/// Checks the rows of padded weights, biases and multipliers for the activations of some positions, and the round trip
/// of the block.
fn check(kind: Kind, weights: &[Vec<i8>], bias: &[i32], multiplier: &[i32], segments: &[&[i8]], message: &str) {
    let columns: usize = segments.iter().map(|x| kind.padded(x.len())).sum();
    let words = (kind.block_words)(columns);
    assert!(words.is_multiple_of(4));
    let mut prepared = vec![0; (kind.prepared_words)(columns)];
    let mut rest = prepared.as_mut_slice();
    let mut padded_x = Vec::new();
    let mut constant = 0_i32;
    for x in segments {
        let (part, behind) = rest.split_at_mut((kind.prepared_words)(kind.padded(x.len())));
        constant = constant.wrapping_add((kind.prepare)(x, part));
        padded_x.extend_from_slice(x);
        padded_x.resize(padded_x.len() + kind.padded(x.len()) - x.len(), 0);
        rest = behind;
    }
    let mut blocks = vec![0; words * weights.len().div_ceil(ROWS)];
    for (block, block_words) in blocks.chunks_exact_mut(words).enumerate() {
        let at = |r: usize| block * ROWS + r;
        let value = |values: &[i32], r: usize| values.get(at(r)).copied().unwrap_or(0);
        let weight = |r: usize, c: usize| weights.get(at(r)).map_or(0, |row| row[c]);
        let biases = core::array::from_fn(|r| value(bias, r));
        let multipliers = core::array::from_fn(|r| value(multiplier, r));
        (kind.write)(block_words, columns, biases, multipliers, &weight);
        for r in 0..ROWS {
            assert_eq!((kind.bias)(block_words, columns, r), Some(biases[r]), "{message}");
            assert_eq!((kind.multiplier)(block_words, columns, r), multipliers[r], "{message}");
            assert!((0..columns).all(|c| (kind.weight)(block_words, columns, r, c) == weight(r, c)), "{message}");
        }
    }
    let mut out = vec![-1; weights.len().next_multiple_of(ROWS)];
    (kind.rows)(&blocks, &prepared, constant, &mut out);
    for (row, &out) in out.iter().enumerate() {
        let Some(weights) = weights.get(row) else {
            assert_eq!(out, 0, "{message}");
            continue;
        };
        let products = weights.iter().zip(&padded_x).map(|(&w, &x)| i64::from(w) * i64::from(x));
        let acc = i64::from(bias[row]) + products.sum::<i64>();
        assert!(acc.abs() < i64::from(ACC_LIMIT), "{message}");
        assert_eq!(out, requantize(acc as i32, multiplier[row]), "{message}, row {row}");
    }
}

/// Checks random weights and activations. `style` is how extreme they are.
fn random_case(kind: Kind, random: &mut Random, rows: usize, widths: &[usize], style: u32) {
    let seed = random.0;
    let mut x: Vec<Vec<i8>> = Vec::new();
    for &width in widths {
        x.push(
            (0..width).map(|_| if style.is_multiple_of(2) { random.within(127) } else { random.sign(127) }).collect(),
        );
    }
    let mut weights = Vec::new();
    let (mut bias, mut multiplier) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let mut row = Vec::new();
        for x in &x {
            let start = row.len();
            for &x in x {
                row.push(match style {
                    0 | 1 => random.within(kind.largest),
                    2 | 3 => random.sign(kind.largest),
                    // The largest sums possible.
                    _ => {
                        if x < 0 {
                            -kind.largest
                        } else {
                            kind.largest
                        }
                    }
                });
            }
            row.resize(start + kind.padded(x.len()), 0);
        }
        let magnitude: i32 = row.iter().map(|w| i32::from(w.unsigned_abs()) * 127).sum();
        let room = ACC_LIMIT - 1 - magnitude;
        let drawn = random.below(room as u32 + 1) as i32;
        bias.push(match random.below(4) {
            0 => room,
            1 => -room,
            2 => drawn,
            _ => -drawn,
        });
        multiplier.push(match random.below(4) {
            0 => i32::MAX,
            1 => random.below(1 << 20) as i32,
            _ => random.below(1 << 31) as i32,
        });
        weights.push(row);
    }
    let segments: Vec<&[i8]> = x.iter().map(Vec::as_slice).collect();
    check(
        kind,
        &weights,
        &bias,
        &multiplier,
        &segments,
        &std::format!("seed {seed}, {rows} x {widths:?}, style {style}"),
    );
}

#[test]
fn every_width_equals_the_oracle() {
    let mut random = Random(1);
    for &kind in KINDS {
        for width in 1..=300 {
            for style in 0..6 {
                random_case(kind, &mut random, 1 + width % 9, &[width], style);
            }
        }
    }
}

#[test]
fn segments_lie_one_after_the_other() {
    let mut random = Random(2);
    for &kind in KINDS {
        for widths in [[24, 24], [1, 17], [128, 128], [33, 7], [16, 32], [3, 96]] {
            for style in 0..6 {
                random_case(kind, &mut random, 27, &widths, style);
            }
        }
    }
}

#[test]
fn random_vectors_equal_the_oracle() {
    let mut random = Random(3);
    for &kind in KINDS {
        for _ in 0..10_000 {
            let (rows, width, style) = (1 + random.below(8), 1 + random.below(70), random.below(6));
            random_case(kind, &mut random, rows as usize, &[width as usize], style);
        }
    }
}

/// Every combination of extreme weights and activations in four columns, in all rows.
#[test]
fn extremes_in_all_sign_patterns() {
    for &kind in KINDS {
        let most = i32::from(kind.largest);
        for pattern in 0..3_usize.pow(8) {
            let digit = |at: u32| (pattern / 3_usize.pow(at) % 3) as i32 - 1;
            let x: Vec<i8> = (0..4).map(|at| (digit(at) * 127) as i8).collect();
            let mut row: Vec<i8> = (4..8).map(|at| (digit(at) * most) as i8).collect();
            row.resize(kind.padded(4), 0);
            let turned = row.iter().map(|w| -w).collect();
            let rows = vec![row.clone(), turned, row.clone(), row];
            check(kind, &rows, &[0, 1, -1, 2], &[1 << 24; 4], &[&x], &std::format!("pattern {pattern}"));
        }
    }
}

/// The largest sums that a lane must hold: all columns of a split at their limit, with both signs in the other lane.
#[test]
fn full_lanes() {
    for &kind in KINDS {
        for quad in [[127; 4], [127, 0, 127, 0], [0, 127, 127, 0], [127, 127, 4, 1]] {
            let quad = quad.map(|w: i8| w.min(kind.largest));
            for signs in 0..16 {
                let x: Vec<i8> = (0..64).map(|at| if signs >> (at % 4) & 1 == 0 { 127 } else { -127 }).collect();
                let up: Vec<i8> = x.iter().enumerate().map(|(at, x)| quad[at % 4] * x.signum()).collect();
                let down: Vec<i8> = up.iter().map(|w| -w).collect();
                let rows = vec![up.clone(), down.clone(), down.clone(), up.clone(), up.clone(), up, down.clone(), down];
                check(kind, &rows, &[0; 8], &[1 << 24; 8], &[&x], &std::format!("{quad:?}, signs {signs}"));
            }
        }
    }
}

#[test]
fn what_does_not_match_is_left_alone() {
    for &kind in KINDS {
        let columns = kind.padded(20);
        let words = (kind.block_words)(columns);
        for (blocks, prepared, out) in [(2, 0, 12), (1, 0, 8), (2, 1, 8), (2, 0, 7), (0, 0, 4), (2, 2, 8)] {
            let blocks = vec![0; blocks * words];
            let prepared = vec![0; (kind.prepared_words)(columns) - prepared];
            let mut out = vec![7; out];
            (kind.rows)(&blocks, &prepared, 0, &mut out);
            assert!(out.iter().all(|&value| value == 7));
        }
        for wrong in [0, 1, (kind.prepared_words)(columns) - 1, (kind.prepared_words)(columns) + 1] {
            let mut prepared = vec![7; wrong];
            assert_eq!((kind.prepare)(&[1; 20], &mut prepared), 0);
            assert!(prepared.iter().all(|&word| word == 7));
        }
        let mut short = vec![7; words - 1];
        (kind.write)(&mut short, columns, [0; 4], [0; 4], &|_, _| 0);
        assert!(short.iter().all(|&word| word == 7));
        assert_eq!((kind.bias)(&[0; 3], columns, 3), None);
        assert_eq!((kind.multiplier)(&[], columns, 9), 0);
        (kind.weight)(&[], columns, usize::MAX, 5);
        // No columns.
        let mut out = [7; 4];
        (kind.rows)(&vec![0; (kind.block_words)(0)], &[], 0, &mut out);
        assert_eq!(out, [7; 4]);
    }
}

#[test]
fn start_values_that_stand_for_no_bias() {
    for &kind in KINDS {
        let columns = kind.padded(1);
        let mut block = vec![0; (kind.block_words)(columns)];
        let largest = ACC_LIMIT - 1;
        (kind.write)(&mut block, columns, [largest, -largest, 0, 0], [0; 4], &|_, _| 0);
        assert_eq!((kind.bias)(&block, columns, 0), Some(largest));
        assert_eq!((kind.bias)(&block, columns, 1), Some(-largest));
        block[0] = block[0].wrapping_add(1);
        assert_eq!((kind.bias)(&block, columns, 0), None);
        (kind.write)(&mut block, columns, [0, ACC_LIMIT, 0, 0], [0; 4], &|_, _| 0);
        assert_eq!((kind.bias)(&block, columns, 1), None);
        assert_eq!((kind.bias)(&block, columns, 2), Some(0));
    }
}

/// The steps by which the assembly for RV32IM requantizes.
#[test]
fn requantize_by_one_product() {
    let by_one_product = |acc: i32, m: i32| {
        // Tests check for overflow, so an overflow would panic here.
        let upper = (i64::from(acc * 256) * i64::from(m as u32 * 2)) >> 32;
        (i32::try_from(upper).expect("32 bits") + 1) >> 1
    };
    let mut random = Random(6);
    let largest = ACC_LIMIT - 1;
    for acc in [0, 1, -1, 255, -256, 65_536, largest, -largest] {
        for m in [0, 1, 2, (1 << 23) - 1, 1 << 23, (1 << 23) + 1, 1 << 24, i32::MAX - 1, i32::MAX] {
            assert_eq!(by_one_product(acc, m), requantize(acc, m), "{acc} * {m}");
        }
    }
    for _ in 0..1_000_000 {
        let acc = random.below(2 * ACC_LIMIT as u32 - 1) as i32 - largest;
        let m = random.below(1 << 31) as i32 >> random.below(31);
        assert_eq!(by_one_product(acc, m), requantize(acc, m), "{acc} * {m}");
    }
}

/// The steps by which the assembly for Armv6-M avoids a long multiplication.
#[test]
fn requantize_by_halves() {
    let by_halves = |acc: i32, m: i32| {
        let (p, q) = (acc >> 8, acc & 255);
        let (s, t) = (m >> 16, m & 0xffff);
        // Tests check for overflow, so an overflow would panic here.
        let u = p * t + ((q * t) >> 8);
        let v = q * s + (u >> 8) + 128;
        p * s + (v >> 8)
    };
    let mut random = Random(4);
    let edges = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 0x7f_ff00, ACC_LIMIT - 1];
    let multipliers = [0, 1, 255, 256, 65_535, 65_536, 65_537, 0x7fff_0000, 0x7ffe_ffff, i32::MAX];
    for acc in edges.into_iter().flat_map(|edge| [edge, -edge]) {
        for m in multipliers {
            assert_eq!(by_halves(acc, m), requantize(acc, m), "{acc} * {m}");
        }
    }
    for _ in 0..1_000_000 {
        let acc = random.below(2 * ACC_LIMIT as u32 - 1) as i32 - (ACC_LIMIT - 1);
        let m = random.below(1 << 31) as i32 >> random.below(31);
        assert_eq!(by_halves(acc, m), requantize(acc, m), "{acc} * {m}");
    }
}

#[cfg(feature = "alloc")]
#[test]
fn a_packed_layer_is_packed_from_its_own_contents() {
    let mut random = Random(5);
    let (rows, columns) = (27, 32);
    let weights: Vec<i8> = (0..rows * columns).map(|_| random.within(64)).collect();
    let bias: Vec<i32> = (0..rows).map(|_| random.below(1 << 20) as i32).collect();
    let multiplier: Vec<i32> = (0..rows).map(|_| random.below(1 << 31) as i32).collect();
    let at = |row: usize, column: usize| weights[row * columns + column];
    let blocks = Lanes16I8::pack(&bias, &multiplier, at, rows, columns);
    assert_eq!(blocks.len(), 7 * Lanes16I8::block_words(columns));
    let block = |row: usize| &blocks[row / ROWS * Lanes16I8::block_words(columns)..][..Lanes16I8::block_words(columns)];
    let again = Lanes16I8::pack(
        &(0..rows).map(|row| Lanes16I8::bias(block(row), columns, row % ROWS).unwrap()).collect::<Vec<_>>(),
        &(0..rows).map(|row| Lanes16I8::multiplier(block(row), columns, row % ROWS)).collect::<Vec<_>>(),
        |row, column| Lanes16I8::weight(block(row), columns, row % ROWS, column),
        rows,
        columns,
    );
    assert_eq!(again, blocks);
    #[cfg(feature = "int4")]
    {
        let blocks = Lanes16I4::pack(&bias, &multiplier, |row, column| at(row, column) / 10, rows, columns);
        assert_eq!(blocks.len(), 7 * Lanes16I4::block_words(columns));
        assert_eq!(Lanes16I4::weight(&blocks, columns, 1, 5), at(1, 5) / 10);
    }
}
