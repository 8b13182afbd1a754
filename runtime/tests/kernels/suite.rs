//! The cases, and the checks of every layout.

use std::marker::PhantomData;

use runtime::activation::TANH;
use runtime::kernels::layout::PackedLayout;
use runtime::quant::ACC_LIMIT;

use crate::oracle;

/// Layer with an input. Weights are `[rows][sum of the positions' widths]`.
struct Case {
    positions: Vec<Vec<i8>>,
    weights: Vec<Vec<i8>>,
    bias: Vec<i32>,
    multiplier: Vec<i32>,
}

/// Random numbers by xorshift, so that a failing case is the same in every run.
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Returns a number from -max to max.
    fn within(&mut self, max: i32) -> i32 {
        ((u64::from(self.next()) * (2 * max as u64 + 1)) >> 32) as i32 - max
    }
}

/// Pattern of values.
#[derive(Clone, Copy)]
enum Pattern {
    Random,
    /// The largest magnitude with random signs.
    Extreme,
    /// The largest magnitude with one sign.
    Largest,
    Smallest,
    /// The largest magnitude with alternating signs.
    Alternating,
    Zero,
}

const PATTERNS: [Pattern; 6] =
    [Pattern::Random, Pattern::Extreme, Pattern::Largest, Pattern::Smallest, Pattern::Alternating, Pattern::Zero];

impl Pattern {
    fn value(self, random: &mut Random, index: usize, max: i32) -> i8 {
        (match self {
            Self::Random => random.within(max),
            Self::Extreme if random.next() & 1 == 0 => max,
            Self::Extreme | Self::Smallest => -max,
            Self::Largest => max,
            Self::Alternating => max - 2 * max * (index as i32 & 1),
            Self::Zero => 0,
        }) as i8
    }
}

/// Suite of tests for a layout.
pub struct Suite<L>(PhantomData<L>);

impl<L: PackedLayout> Suite<L> {
    /// Minimum number of columns of a layer.
    const LEAST: usize = if matches!(L::LAYOUT, runtime::format::Layout::Lanes16) { 1 } else { 0 };

    fn padded(width: usize) -> usize {
        width.next_multiple_of(L::GROUP)
    }

    fn case(random: &mut Random, widths: &[usize], rows: usize, weights: Pattern, x: Pattern) -> Case {
        let positions: Vec<Vec<i8>> =
            widths.iter().map(|&width| (0..width).map(|at| x.value(random, at, 127)).collect()).collect();
        let columns: usize = widths.iter().sum();
        let weights: Vec<Vec<i8>> = (0..rows)
            .map(|row| {
                (0..columns).map(|at| weights.value(random, at + row % 2, L::FORMAT.weight_max() as i32)).collect()
            })
            .collect();
        let bias = weights
            .iter()
            .map(|weights: &Vec<i8>| {
                // Up to the largest bias that the loader accepts.
                let sum: i32 = weights.iter().map(|&weight| 127 * i32::from(weight).abs()).sum();
                let room = ACC_LIMIT - 1 - sum;
                match random.next() % 3 {
                    0 => room,
                    1 => -room,
                    _ => random.within(room),
                }
            })
            .collect();
        let multiplier = (0..rows)
            .map(|_| match random.next() % 8 {
                0 => i32::MAX,
                1 => i32::MAX - 1,
                2 => 1,
                3 => 0,
                _ => (random.next() >> 1 >> (random.next() % 20)) as i32,
            })
            .collect();
        Case { positions, weights, bias, multiplier }
    }

    /// Checks that the layout computes the naive sums of a case, and that the blocks contain the packed weights.
    fn check_case(case: &Case) {
        let widths: Vec<usize> = case.positions.iter().map(Vec::len).collect();
        let columns: usize = widths.iter().map(|&width| Self::padded(width)).sum();
        // Column of the weights for each padded column.
        let mut origin = vec![None; columns];
        let (mut padded, mut plain) = (0, 0);
        for &width in &widths {
            (0..width).for_each(|at| origin[padded + at] = Some(plain + at));
            padded += Self::padded(width);
            plain += width;
        }
        let rows = case.weights.len();
        let weight = |row: usize, column: usize| origin[column].map_or(0, |column| case.weights[row][column]);
        let blocks = L::pack(&case.bias, &case.multiplier, weight, rows, columns);
        let block_words = L::block_words(columns);
        assert_eq!(blocks.len(), rows.div_ceil(L::ROWS) * block_words, "size of the blocks, widths {widths:?}");
        assert_eq!(block_words % 4, 0, "blocks stay aligned to 16 bytes");

        let mut prepared = vec![0xdead_beef; L::prepared_words(columns)];
        let mut rest = &mut prepared[..];
        let mut constant = 0_i32;
        for x in &case.positions {
            let (position, behind) = rest.split_at_mut(L::prepared_words(Self::padded(x.len())));
            constant = constant.wrapping_add(L::prepare(x, position));
            rest = behind;
        }
        assert!(rest.is_empty());
        let mut out = vec![i32::MIN; rows.div_ceil(L::ROWS) * L::ROWS];
        L::rows(&blocks, &prepared, constant, &mut out);
        let mut tanh = vec![99; out.len()];
        L::rows_curve(&blocks, &prepared, constant, &TANH, &mut tanh);

        let x: Vec<i8> = case.positions.concat();
        for row in 0..out.len() {
            let (block, within) = (&blocks[row / L::ROWS * block_words..][..block_words], row % L::ROWS);
            let expected =
                if row < rows { oracle::row(case.bias[row], &case.weights[row], &x, case.multiplier[row]) } else { 0 };
            assert_eq!(out[row], expected, "row {row} of {rows}, widths {widths:?}");
            assert_eq!(tanh[row], oracle::tanh(expected), "tanh of row {row} of {rows}, widths {widths:?}");
            assert_eq!(L::bias(block, columns, within), Some(case.bias.get(row).copied().unwrap_or(0)), "bias {row}");
            let multiplier = case.multiplier.get(row).copied().unwrap_or(0);
            assert_eq!(L::multiplier(block, columns, within), multiplier, "multiplier {row}");
            for column in 0..columns {
                let expected = if row < rows { weight(row, column) } else { 0 };
                assert_eq!(L::weight(block, columns, within, column), expected, "weight {row}, {column}");
            }
        }
    }

    /// Runs the whole suite.
    pub fn check() {
        let mut random = Random(0x2545_f491);
        // Rows of 300 columns are near the limit of 2^23: 300 * 127 * 127 fits.
        for width in Self::LEAST..=300 {
            let rows = 1 + width % (2 * L::ROWS + 1);
            let patterns = [Pattern::Random, PATTERNS[width % PATTERNS.len()], Pattern::Extreme];
            for (weights, x) in patterns.into_iter().zip([Pattern::Random, Pattern::Extreme, Pattern::Largest]) {
                let case = Self::case(&mut random, &[width], rows, weights, x);
                Self::check_case(&case);
            }
        }
        for weights in PATTERNS {
            for x in PATTERNS {
                for widths in [&[1][..], &[17], &[64], &[300], &[128, 128], &[86, 86], &[10, 10, 10], &[1, 2, 3, 33]] {
                    let case = Self::case(&mut random, widths, L::ROWS + 1, weights, x);
                    Self::check_case(&case);
                }
            }
        }
        // 10,000 random rows.
        for _ in 0..10_000 / (3 * L::ROWS) + 1 {
            let widths = [1 + random.next() as usize % 80, 1 + random.next() as usize % 80];
            let case = Self::case(&mut random, &widths, 3 * L::ROWS, Pattern::Random, Pattern::Random);
            Self::check_case(&case);
        }
        Self::check_outside();
        Self::check_mismatched_lengths();
    }

    /// Returns a checksum of blocks and prepared inputs.
    ///
    /// The words themselves are a promise too: existing blobs must remain readable, also by the assembly of a core.
    pub fn golden() -> u32 {
        let mut random = Random(0x1234_5678);
        let mut checksum = 0x811c_9dc5_u32;
        let mut add = |word: u32| checksum = (checksum ^ word).wrapping_mul(0x0100_0193).rotate_left(5);
        for width in 1..=100 {
            let case = Self::case(&mut random, &[width], L::ROWS + 1, Pattern::Random, Pattern::Random);
            let columns = Self::padded(width);
            let weight = |row: usize, column: usize| case.weights[row].get(column).copied().unwrap_or(0);
            L::pack(&case.bias, &case.multiplier, weight, L::ROWS + 1, columns).into_iter().for_each(&mut add);
            let mut prepared = vec![0; L::prepared_words(columns)];
            add(L::prepare(&case.positions[0], &mut prepared) as u32);
            prepared.into_iter().for_each(&mut add);
        }
        checksum
    }

    /// Checks that a weight outside the block is 0, for any contents of the block.
    fn check_outside() {
        let columns = 4 * L::GROUP;
        let block = vec![0x1122_1122; L::block_words(columns)];
        for row in 0..L::ROWS {
            (columns..columns + 40).for_each(|column| assert_eq!(L::weight(&block, columns, row, column), 0));
        }
        for column in 0..columns {
            (L::ROWS..L::ROWS + 9).for_each(|row| assert_eq!(L::weight(&block, columns, row, column), 0));
        }
        let there = |row| (0..columns).any(|column| L::weight(&block, columns, row, column) != 0);
        assert!((0..L::ROWS).all(there));
    }

    /// Checks that lengths which do not match do no harm.
    fn check_mismatched_lengths() {
        let words = vec![0x8181_8181; 200];
        let x = [127; 100];
        for len in 0..100 {
            let mut prepared = vec![0; len];
            let constant = L::prepare(&x[..(len * 7) % 100], &mut prepared);
            for blocks in [0, 1, len, 3 * len % 200, 200] {
                let mut out = vec![0; len % 13];
                L::rows(&words[..blocks], &prepared, constant, &mut out);
            }
            for at in [0, 1, 7, 100, usize::MAX] {
                let block = &words[..len];
                L::weight(block, len, at, len);
                L::weight(block, 64, len, at);
                L::bias(block, len, at);
                L::multiplier(block, len, at);
            }
        }
    }
}
