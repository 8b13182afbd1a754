//! Layout `lanes16`: the core's kernels against `portable`.

use firmware_example::board::Stopwatch;
use firmware_example::println;
use runtime::kernels::lanes16::{self, ROWS, portable};
use runtime::quant::ACC_LIMIT;

use crate::random::Random;

/// Rows of a case.
const CASE_ROWS: usize = 2 * ROWS;
/// Columns of the widest case.
const CASE_COLUMNS: usize = 256;
/// Cases per kind: shapes and styles in turn.
const CASES: u32 = 600;
/// Cases for requantization alone, of [`CASE_ROWS`] sums each.
const REQUANTIZE_CASES: u32 = 3000;

/// Weights of a layer of 128 rows and 256 columns, in flash: what they are does not matter for counting.
static LAYER: [u32; LAYER_WORDS] = {
    let mut words = [0; LAYER_WORDS];
    let mut random = Random(1);
    let mut at = 0;
    while at < LAYER_WORDS {
        // As a multiplier, it is not negative.
        words[at] = random.next() >> 1;
        at += 1;
    }
    words
};
const LAYER_WORDS: usize = 128 / ROWS * lanes16::block_words_i8(CASE_COLUMNS);

/// Writes a block: columns, biases, multipliers, weights.
type Write = fn(&mut [u32], usize, [i32; ROWS], [i32; ROWS], &dyn Fn(usize, usize) -> i8);

/// A kind of block.
struct Kind {
    name: &'static str,
    largest: i8,
    /// The largest weights that are light whatever their neighbours.
    harmless: i8,
    group: usize,
    block_words: fn(usize) -> usize,
    prepared_words: fn(usize) -> usize,
    prepare: fn(&[i8], &mut [u32]) -> i32,
    prepare_defined: fn(&[i8], &mut [u32]) -> i32,
    rows: fn(&[u32], &[u32], i32, &mut [i32]),
    defined: fn(&[u32], &[u32], i32, &mut [i32]),
    write: Write,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "lanes16_i8",
        largest: 127,
        harmless: 127,
        group: lanes16::GROUP_I8,
        block_words: lanes16::block_words_i8,
        prepared_words: lanes16::prepared_words_i8,
        prepare: lanes16::prepare_i8,
        prepare_defined: portable::prepare_i8,
        rows: lanes16::rows_i8,
        defined: portable::rows_i8,
        write: |block, columns, bias, multiplier, weight| {
            lanes16::write_block_i8(block, columns, bias, multiplier, weight);
        },
    },
    Kind {
        name: "lanes16_i8_light",
        largest: 127,
        harmless: 64,
        group: lanes16::GROUP_I8,
        block_words: lanes16::block_words_i8_light,
        prepared_words: lanes16::prepared_words_i8_light,
        prepare: lanes16::prepare_i8_light,
        prepare_defined: portable::prepare_i8_light,
        rows: lanes16::rows_i8_light,
        defined: portable::rows_i8_light,
        write: |block, columns, bias, multiplier, weight| {
            lanes16::write_block_i8_light(block, columns, bias, multiplier, weight);
        },
    },
    #[cfg(feature = "int4")]
    Kind {
        name: "lanes16_i4",
        largest: 7,
        harmless: 7,
        group: lanes16::GROUP_I4,
        block_words: lanes16::block_words_i4,
        prepared_words: lanes16::prepared_words_i4,
        prepare: lanes16::prepare_i4,
        prepare_defined: portable::prepare_i4,
        rows: lanes16::rows_i4,
        defined: portable::rows_i4,
        write: |block, columns, bias, multiplier, weight| {
            lanes16::write_block_i4(block, columns, bias, multiplier, weight);
        },
    },
];

/// Buffers of a case.
struct Case {
    weights: [[i8; CASE_COLUMNS]; CASE_ROWS],
    x: [i8; CASE_COLUMNS],
    blocks: [u32; 2 * lanes16::block_words_i8(CASE_COLUMNS)],
    prepared: [u32; lanes16::prepared_words_i8(CASE_COLUMNS)],
    prepared_defined: [u32; lanes16::prepared_words_i8(CASE_COLUMNS)],
}

/// How many numbers differ.
fn differences<T: PartialEq>(some: &[T], others: &[T]) -> u32 {
    some.iter().zip(others).filter(|(one, other)| one != other).count() as u32
}

/// Runs all cases and prints what they take; how many numbers differed.
pub fn run(stopwatch: &mut Stopwatch) -> u32 {
    let mut case = Case {
        weights: [[0; CASE_COLUMNS]; CASE_ROWS],
        x: [0; CASE_COLUMNS],
        blocks: [0; 2 * lanes16::block_words_i8(CASE_COLUMNS)],
        prepared: [0; lanes16::prepared_words_i8(CASE_COLUMNS)],
        prepared_defined: [0; lanes16::prepared_words_i8(CASE_COLUMNS)],
    };
    let mut all = 0;
    for kind in KINDS {
        let mut random = Random(7);
        let mut mismatches = 0;
        for index in 0..CASES {
            case.draw(kind, &mut random, index);
            let columns = kind.group * (1 + random.below((CASE_COLUMNS / kind.group) as u32) as usize);
            mismatches += case.compare(kind, &mut random, columns);
        }
        // No weights: the sum is the bias, and may be anything.
        case.weights = [[0; CASE_COLUMNS]; CASE_ROWS];
        for _ in 0..REQUANTIZE_CASES {
            mismatches += case.compare(kind, &mut random, kind.group);
        }
        println!("{}_cases={}", kind.name, (CASES + REQUANTIZE_CASES) * CASE_ROWS as u32);
        println!("{}_mismatches={mismatches}", kind.name);
        all += mismatches;
        case.count(kind, stopwatch);
    }
    all
}

impl Case {
    /// Weights and activations, more or less extreme.
    #[inline(never)]
    fn draw(&mut self, kind: &Kind, random: &mut Random, style: u32) {
        for x in &mut self.x {
            *x = if style & 1 == 0 { random.within(127) } else { random.sign(127) };
        }
        for (row, weights) in self.weights.iter_mut().enumerate() {
            for (column, weight) in weights.iter_mut().enumerate() {
                *weight = match style >> 1 & 3 {
                    0 => random.within(kind.harmless),
                    1 => random.sign(kind.harmless),
                    // The largest sums there are, in both directions.
                    2 if row & 1 == 0 => kind.harmless * self.x[column].signum(),
                    2 => -kind.harmless * self.x[column].signum(),
                    // Light, and as much as that allows.
                    _ => [kind.largest, -kind.largest, 4, 0][(column + row / 2) % 4] * self.x[column].signum(),
                };
            }
        }
    }

    /// The rows by assembly and by definition: how many differ.
    #[inline(never)]
    fn compare(&mut self, kind: &Kind, random: &mut Random, columns: usize) -> u32 {
        let words = (kind.block_words)(columns);
        for (block, weights) in self.blocks.chunks_exact_mut(words).zip(self.weights.chunks_exact(ROWS)) {
            let mut bias = [0; ROWS];
            let mut multiplier = [0; ROWS];
            for ((bias, multiplier), weights) in bias.iter_mut().zip(&mut multiplier).zip(weights) {
                let magnitude: i32 = weights.iter().take(columns).map(|w| 127 * i32::from(w.unsigned_abs())).sum();
                let room = ACC_LIMIT - 1 - magnitude;
                *bias = match random.below(8) {
                    0 => room,
                    1 => -room,
                    2 => (random.next() & 511) as i32 - 256,
                    _ => (random.next() >> 1) as i32 % (room + 1) * i32::from(random.sign(1)),
                };
                *multiplier = (random.next() >> 1 >> random.below(31)) as i32;
                if random.below(16) == 0 {
                    *multiplier = i32::MAX - (*multiplier & 0xffff);
                }
            }
            (kind.write)(block, columns, bias, multiplier, &|row, column| weights[row][column]);
        }
        // The last group may be incomplete.
        let x = &self.x[..columns - random.below(kind.group as u32) as usize];
        let words_prepared = (kind.prepared_words)(columns);
        let prepared = &mut self.prepared[..words_prepared];
        let prepared_defined = &mut self.prepared_defined[..words_prepared];
        let constant = (kind.prepare)(x, prepared);
        let mut mismatches = u32::from(constant != (kind.prepare_defined)(x, prepared_defined));
        mismatches += differences(prepared, prepared_defined);
        let blocks = &self.blocks[..2 * words];
        // The value behind them is not theirs.
        let (mut out, mut defined) = ([1; CASE_ROWS + 1], [1; CASE_ROWS + 1]);
        (kind.rows)(blocks, prepared, constant, &mut out[..CASE_ROWS]);
        (kind.defined)(blocks, prepared_defined, constant, &mut defined[..CASE_ROWS]);
        mismatches + differences(&out, &defined)
    }

    /// Instructions of layers of the shipped sizes.
    #[inline(never)]
    fn count(&mut self, kind: &Kind, stopwatch: &mut Stopwatch) {
        let (nothing, ()) = stopwatch.count(|| ());
        for (columns, rows) in [(256, 128), (128, 28)] {
            let blocks = &LAYER[..rows / ROWS * (kind.block_words)(columns)];
            let prepared = &self.prepared[..(kind.prepared_words)(columns)];
            let mut out = [0; 128];
            let (instructions, ()) = stopwatch.count(|| (kind.rows)(blocks, prepared, 0, &mut out[..rows]));
            println!("{}_{columns}x{rows}_instructions={}", kind.name, instructions - nothing);
        }
        let prepared = &mut self.prepared[..(kind.prepared_words)(128)];
        let (instructions, _) = stopwatch.count(|| (kind.prepare)(&self.x[..128], prepared));
        println!("{}_prepare_128_instructions={}", kind.name, instructions - nothing);
    }
}
