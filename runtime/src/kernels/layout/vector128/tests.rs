//! Compares the layout on the host with sums too naive to be wrong. On the chip, `kerneltest` of `firmware-example`
//! compares the instructions with `portable`.

extern crate std;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::activation::{Curve, TANH};
use crate::kernels::layout::PackedLayout;
use crate::kernels::{copy_i8, exchange_i8, look_up_pair, weigh};
use crate::quant::{ACC_LIMIT, requantize, tanh_i8};

/// The layout in one precision.
struct Precision {
    weight_max: i8,
    block_words: fn(usize) -> usize,
    prepare: fn(&[i8], &mut [u32]) -> i32,
    rows: fn(&[u32], &[u32], i32, &mut [i32]),
    rows_curve: fn(&[u32], &[u32], i32, &Curve, &mut [i8]),
    weight: fn(&[u32], usize, usize, usize) -> i8,
    bias: fn(&[u32], usize, usize) -> Option<i32>,
    multiplier: fn(&[u32], usize, usize) -> i32,
    pack: fn(&Layer) -> Vec<u32>,
}

impl Precision {
    const fn of<L: PackedLayout>() -> Self {
        Self {
            weight_max: L::FORMAT.weight_max() as i8,
            block_words: L::block_words,
            prepare: L::prepare,
            rows: L::rows,
            rows_curve: L::rows_curve,
            weight: L::weight,
            bias: L::bias,
            multiplier: L::multiplier,
            pack: |l| L::pack(&l.bias, &l.multiplier, |row, column| l.padded(row, column), l.rows, l.columns()),
        }
    }
}

const PRECISIONS: &[Precision] = &[
    Precision::of::<Vector128I8>(),
    #[cfg(feature = "int4")]
    Precision::of::<Vector128I4>(),
];

/// Layer without a packed layout.
struct Layer {
    bias: Vec<i32>,
    multiplier: Vec<i32>,
    /// Weights, `[rows][sum of widths]`.
    weights: Vec<i8>,
    rows: usize,
    widths: Vec<usize>,
}

impl Layer {
    fn fan_in(&self) -> usize {
        self.widths.iter().sum()
    }

    fn columns(&self) -> usize {
        self.widths.iter().map(|&width| width.next_multiple_of(COLUMNS)).sum()
    }

    /// Returns the weight at a column, where columns include padding.
    fn padded(&self, row: usize, mut column: usize) -> i8 {
        let mut begin = row * self.fan_in();
        for &width in &self.widths {
            if column < width.next_multiple_of(COLUMNS) {
                return if column < width { self.weights[begin + column] } else { 0 };
            }
            column -= width.next_multiple_of(COLUMNS);
            begin += width;
        }
        panic!("no such column")
    }

    fn prepare(&self, precision: &Precision, x: &[i8]) -> (Vec<u32>, i32) {
        let mut prepared = vec![0xdead_beef; self.columns() / 4];
        let (mut constant, mut from, mut to) = (0_i32, 0, 0);
        for &width in &self.widths {
            let words = width.next_multiple_of(COLUMNS) / 4;
            constant =
                constant.wrapping_add((precision.prepare)(&x[from..from + width], &mut prepared[to..to + words]));
            (from, to) = (from + width, to + words);
        }
        (prepared, constant)
    }

    fn oracle(&self, x: &[i8]) -> Vec<i32> {
        let row = |row: usize| {
            let weights = &self.weights[row * self.fan_in()..(row + 1) * self.fan_in()];
            let sum: i64 = weights.iter().zip(x).map(|(&w, &x)| i64::from(w) * i64::from(x)).sum();
            let acc = i64::from(self.bias[row]) + sum;
            assert!(acc.abs() < i64::from(ACC_LIMIT), "a case that no model has");
            requantize(acc as i32, self.multiplier[row])
        };
        (0..self.rows).map(row).collect()
    }

    fn check(&self, precision: &Precision, x: &[i8]) {
        let blocks = (precision.pack)(self);
        let (prepared, constant) = self.prepare(precision, x);
        let padded_rows = self.rows.next_multiple_of(ROWS);
        assert_eq!(blocks.len(), padded_rows / ROWS * (precision.block_words)(self.columns()));
        let mut out = vec![i32::MIN; padded_rows];
        (precision.rows)(&blocks, &prepared, constant, &mut out);
        let mut expected = self.oracle(x);
        expected.resize(padded_rows, 0);
        assert_eq!(out, expected, "{} rows, {:?} columns", self.rows, self.widths);
        let mut out = vec![i8::MIN; padded_rows];
        (precision.rows_curve)(&blocks, &prepared, constant, &TANH, &mut out);
        let expected: Vec<i8> = expected.into_iter().map(tanh_i8).collect();
        assert_eq!(out, expected, "{} rows, {:?} columns", self.rows, self.widths);
    }

    /// Decodes the blocks and encodes them again.
    fn check_codec(&self, precision: &Precision) {
        let blocks = (precision.pack)(self);
        let (words, columns) = ((precision.block_words)(self.columns()), self.columns());
        assert!(words.is_multiple_of(4));
        let block = |row: usize| (&blocks[row / ROWS * words..(row / ROWS + 1) * words], row % ROWS);
        for row in 0..self.rows.next_multiple_of(ROWS) {
            let (block, line) = block(row);
            let real = row < self.rows;
            assert_eq!((precision.bias)(block, columns, line), Some(if real { self.bias[row] } else { 0 }));
            assert_eq!((precision.multiplier)(block, columns, line), if real { self.multiplier[row] } else { 0 });
            for column in 0..columns {
                let expected = if real { self.padded(row, column) } else { 0 };
                assert_eq!((precision.weight)(block, columns, line, column), expected, "row {row}, column {column}");
            }
        }
    }
}

/// Upper halves of a linear congruential generator (with the constants of Knuth's MMIX).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    /// Returns a number in `-most..=most`.
    fn within(&mut self, most: i32) -> i32 {
        (self.next() % (2 * most as u32 + 1)) as i32 - most
    }

    fn layer(&mut self, rows: usize, widths: &[usize], weight_max: i8) -> Layer {
        let fan_in: usize = widths.iter().sum();
        // The bias uses the rest of the limit, or is 0.
        let most = (ACC_LIMIT - 1 - 127 * i32::from(weight_max) * fan_in as i32).max(0);
        Layer {
            bias: (0..rows).map(|_| self.within(most)).collect(),
            multiplier: (0..rows).map(|_| (self.next() >> (1 + self.next() % 24)) as i32).collect(),
            weights: (0..rows * fan_in).map(|_| self.within(weight_max.into()) as i8).collect(),
            rows,
            widths: widths.to_vec(),
        }
    }

    fn activations(&mut self, len: usize) -> Vec<i8> {
        (0..len).map(|_| self.within(127) as i8).collect()
    }
}

#[test]
fn every_width_and_many_shapes() {
    let mut random = Random(1);
    for precision in PRECISIONS {
        for width in 0..=300 {
            let rows = 1 + width % 27;
            let layer = random.layer(rows, &[width], precision.weight_max);
            layer.check_codec(precision);
            for _ in 0..4 {
                layer.check(precision, &random.activations(width));
            }
        }
        for widths in [[128, 128], [24, 24], [1, 300], [17, 15], [100, 36]] {
            let layer = random.layer(27, &widths, precision.weight_max);
            layer.check_codec(precision);
            layer.check(precision, &random.activations(layer.fan_in()));
        }
    }
}

#[test]
fn random_vectors() {
    let mut random = Random(2);
    for precision in PRECISIONS {
        for shape in 0..100 {
            let layer = random.layer(1 + shape % 20, &[1 + shape % 70], precision.weight_max);
            for _ in 0..150 {
                layer.check(precision, &random.activations(layer.fan_in()));
            }
        }
    }
}

/// Weights and activations of one magnitude, with every pattern of signs of two neighbours in both directions.
#[test]
fn extremes() {
    for precision in PRECISIONS {
        for width in [1, 15, 16, 17, 64, 128, 256, 520] {
            for pattern in 0..64_u32 {
                let sign = |bit: u32| if pattern >> bit & 1 == 0 { 1_i8 } else { -1 };
                let mut layer = Random(3).layer(16, &[width], precision.weight_max);
                for row in 0..16 {
                    for column in 0..width {
                        let at = (row % 2) as u32 * 2 + (column % 2) as u32;
                        layer.weights[row * width + column] = precision.weight_max * sign(at);
                    }
                }
                let x: Vec<i8> = (0..width).map(|column| 127 * sign(4 + (column % 2) as u32)).collect();
                let most = 127 * i32::from(precision.weight_max) * width as i32;
                if most >= ACC_LIMIT {
                    continue;
                }
                // The largest sums possible, with both ends of the multiplier's range.
                for row in 0..16 {
                    layer.bias[row] = (ACC_LIMIT - 1 - most) * if row & 4 == 0 { 1 } else { -1 };
                    layer.multiplier[row] = if row & 8 == 0 { i32::MAX } else { 1 };
                }
                layer.check(precision, &x);
                layer.check_codec(precision);
            }
        }
    }
}

#[test]
fn shapes_that_do_not_match_do_nothing() {
    for precision in PRECISIONS {
        let layer = Random(4).layer(16, &[32], precision.weight_max);
        let blocks = (precision.pack)(&layer);
        let (prepared, _) = layer.prepare(precision, &[1; 32]);
        for (blocks, prepared, rows) in [
            (&blocks[1..], &prepared[..], 16),
            (&blocks[..], &prepared[1..], 16),
            (&blocks[..], &prepared[..], 15),
            (&blocks[..], &prepared[..], 0),
            (&[], &prepared[..], 16),
            (&[], &[], 16),
        ] {
            let mut out = vec![7; rows];
            (precision.rows)(blocks, prepared, 0, &mut out);
            assert!(out.iter().all(|&value| value == 7));
            let mut out = vec![7; rows];
            (precision.rows_curve)(blocks, prepared, 0, &TANH, &mut out);
            assert!(out.iter().all(|&value| value == 7));
        }
        let mut short = [5; 7];
        assert_eq!((precision.prepare)(&[1; 32], &mut short), 0);
        assert_eq!(short, [0x0101_0101; 7], "no more than there is room for");
        for (row, column) in [(8, 0), (0, 32), (usize::MAX, usize::MAX)] {
            assert_eq!((precision.weight)(&blocks, 32, row, column), 0);
            assert_eq!((precision.weight)(&[], 32, row, column), 0);
            assert_eq!((precision.multiplier)(&[], 32, row), 0);
        }
        assert_eq!((precision.bias)(&blocks, 32, 8), None);
    }
}

#[test]
#[cfg(feature = "int4")]
fn start_values_that_no_biases_have() {
    let mut block = vec![0; Vector128I4::block_words(16)];
    block[0] = 8;
    assert_eq!((Vector128I4::bias(&block, 16, 0), Vector128I4::bias(&block, 16, 1)), (None, None));
    block[0] = 16;
    assert_eq!((Vector128I4::bias(&block, 16, 0), Vector128I4::bias(&block, 16, 1)), (Some(1), None));
    block[1] = 33;
    assert_eq!(Vector128I4::bias(&block, 16, 1), Some(2));
    (block[0], block[1]) = (0x8000_0000, 0x7fff_ffff);
    assert_eq!(Vector128I4::bias(&block, 16, 1), None);
}

#[test]
fn a_table_of_pairs() {
    let mut random = Random(6);
    for len in 0..200 {
        let bias: Vec<i32> = (0..len).map(|_| random.within(ACC_LIMIT - 1 - 254)).collect();
        let multiplier: Vec<i32> = (0..len).map(|_| (random.next() >> (1 + random.next() % 24)) as i32).collect();
        let [first, second] = [random.activations(len), random.activations(len)];
        let mut out = vec![9; len];
        look_up_pair(&bias, &multiplier, [&first, &second], &TANH, &mut out);
        for row in 0..len {
            let acc = bias[row] + i32::from(first[row]) + i32::from(second[row]);
            assert_eq!(out[row], tanh_i8(requantize(acc, multiplier[row])));
        }
    }
}

#[test]
fn copies_and_weights() {
    copy_i8(&[1, 2], &mut []);
    let mut to = [9; 3];
    copy_i8(&[1, 2], &mut to);
    assert_eq!(to, [1, 2, 9]);
    let (mut slot, mut input) = ([1, 2, 7], [9; 5]);
    assert!(exchange_i8(&[3, 4], &mut slot, &mut input, 2));
    assert_eq!((slot, input), ([3, 4, 7], [1, 2, 3, 4, 9]));
    for (newest, last) in [(&[5; 2][..], 1), (&[5; 2], 4), (&[5; 4], 1), (&[5; 2], usize::MAX)] {
        assert!(!exchange_i8(newest, &mut slot, &mut input, last), "{newest:?} at {last} does not fit");
        assert_eq!((slot, input), ([3, 4, 7], [1, 2, 3, 4, 9]));
    }
    assert_eq!(weigh(&mut [], 1000), 0);
    let mut logits = [0, -1024];
    assert_eq!(weigh(&mut logits, 1000), (logits[0] + logits[1]) as u32);
    assert_eq!(logits[0], 1 << 23);
}
