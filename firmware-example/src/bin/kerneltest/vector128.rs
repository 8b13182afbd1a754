//! Layout `vector128`: the vector instructions against [`portable`], on random words (which need not be a model's: sums
//! wrap alike) and on extremes; then instructions for the shapes of the shipped model.

use core::hint::black_box;

use cortex_m::singleton;
use firmware_example::board::Stopwatch;
use firmware_example::println;
use runtime::kernels::vector128::{self as layout, portable};
use runtime::sampling::fixed;

/// Columns of the largest case.
const COLUMNS: usize = 21 * layout::GROUP;
/// Rows of the largest case.
const ROWS: usize = 128;
/// Words of the largest matrix: 256 columns, 128 rows.
const BLOCKS: usize = layout::block_words_i8(256) * ROWS / layout::ROWS;

/// Everything a case needs.
struct Bench {
    blocks: [u32; BLOCKS],
    prepared: [u32; COLUMNS / 4],
    x: u64,
    cases: u32,
    mismatches: u32,
}

type Rows<T> = fn(&[u32], &[u32], i32, &mut [T]);

impl Bench {
    /// The upper half of a linear congruential generator.
    fn random(&mut self) -> u32 {
        self.x = self.x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.x >> 32) as u32
    }

    fn compare(&mut self, equal: bool) {
        self.cases += 1;
        self.mismatches += u32::from(!equal);
    }

    fn rows<T: Copy + PartialEq>(&mut self, words: usize, columns: usize, rows: usize, zero: T, both: [Rows<T>; 2]) {
        let (blocks, prepared) = (&self.blocks[..words * rows / layout::ROWS], &self.prepared[..columns / 4]);
        let mut out = [[zero; ROWS]; 2];
        for (run, out) in both.into_iter().zip(&mut out) {
            run(blocks, prepared, 0, &mut out[..rows]);
        }
        self.compare(out[0] == out[1]);
    }

    fn all_rows(&mut self, columns: usize, rows: usize) {
        let words = layout::block_words_i8(columns);
        self.rows(words, columns, rows, 9, [layout::rows_i8, portable::rows_i8]);
        self.rows(words, columns, rows, 9, [layout::rows_tanh_i8, portable::rows_tanh_i8]);
        #[cfg(feature = "int4")]
        {
            let words = layout::block_words_i4(columns);
            self.rows(words, columns, rows, 9, [layout::rows_i4, portable::rows_i4]);
            self.rows(words, columns, rows, 9, [layout::rows_tanh_i4, portable::rows_tanh_i4]);
        }
    }

    /// Random words in random shapes.
    fn random_rows(&mut self) {
        for _ in 0..2_500 {
            let columns = self.random() as usize % (COLUMNS / layout::GROUP + 1) * layout::GROUP;
            let rows = (self.random() as usize % 4) * layout::ROWS;
            // Multipliers of all magnitudes among them.
            let shift = self.random() % 24;
            for at in 0..layout::block_words_i8(columns) * rows / layout::ROWS {
                self.blocks[at] = (self.random() as i32 >> if at % 3 == 0 { shift } else { 0 }) as u32;
            }
            for at in 0..columns / 4 {
                self.prepared[at] = self.random();
            }
            self.all_rows(columns, rows);
        }
    }

    /// Bytes at both ends, in many patterns.
    fn extreme_rows(&mut self) {
        for pattern in 0..256_usize {
            let word = |at: usize| {
                [0x7f7f_7f7f, 0x8181_8181, 0x8080_8080, 0x7f81_7f81, 0x7777_7777, 0x8989_8989, 0x8888_8888, 0x7979_8787]
                    [(at ^ pattern).wrapping_mul(0x9e37) >> 5 & 7]
            };
            for at in 0..layout::block_words_i8(64) * 2 {
                self.blocks[at] = word(at);
            }
            for at in 0..16 {
                self.prepared[at] = word(at ^ pattern >> 3);
            }
            self.all_rows(64, 16);
        }
    }

    fn tanh(&mut self) {
        for len in 0..600 {
            let mut pre = [0; 600];
            for (at, value) in pre.iter_mut().enumerate() {
                *value = if len % 2 == 0 { at as i32 - 300 } else { self.random() as i32 >> (self.random() % 31) };
            }
            let mut out = [[9; 600]; 2];
            layout::tanh_i8_slice(&pre[..len], &mut out[0]);
            portable::tanh_i8_slice(&pre[..len], &mut out[1]);
            self.compare(out[0] == out[1]);
        }
    }

    fn copy(&mut self) {
        for len in 0..300 {
            let mut from = [0; 300];
            from.iter_mut().for_each(|byte| *byte = self.random() as i8);
            // Any alignment.
            let begin = len % 7;
            let mut out = [[9; 310]; 2];
            layout::copy_i8(&from[..len], &mut out[0][begin..]);
            portable::copy_i8(&from[..len], &mut out[1][begin..]);
            self.compare(out[0] == out[1]);
        }
    }

    fn table(&mut self) {
        for case in 0..2_000 {
            let len = case % (ROWS + 1);
            let mut words = [[0; ROWS]; 2];
            words.as_flattened_mut().iter_mut().for_each(|word| *word = self.random() as i32 >> (self.random() % 31));
            let mut bytes = [[0; ROWS]; 2];
            bytes.as_flattened_mut().iter_mut().for_each(|byte| *byte = self.random() as i8);
            let entries = [&bytes[0][..len], &bytes[1][..len]];
            let mut out = [[9; ROWS]; 2];
            layout::table_tanh_i8(&words[0][..len], &words[1][..len], entries, &mut out[0][..len]);
            portable::table_tanh_i8(&words[0][..len], &words[1][..len], entries, &mut out[1][..len]);
            self.compare(out[0] == out[1]);
        }
    }

    fn weigh(&mut self) {
        for case in 0..5_000_usize {
            let len = case % 257;
            let shift = self.random() % 31;
            // Temperatures of all magnitudes, and 0.
            let temperature = (self.random() >> 16 >> (self.random() % 17)) as u16;
            let mut out = [[0; 256]; 2];
            out[0].iter_mut().for_each(|logit| *logit = self.random() as i32 >> shift);
            if case % 7 == 0 {
                out[0][case % 256] = i32::MIN;
                out[0][case % 255] = i32::MAX;
            }
            out[1] = out[0];
            let totals =
                (layout::weigh(&mut out[0][..len], temperature), portable::weigh(&mut out[1][..len], temperature));
            self.compare(out[0] == out[1] && totals.0 == totals.1);
        }
        // Every exponent up to where the weights end, and the ends of the table's steps: at this temperature a
        // difference of 1 is one of 2^-1.4 steps.
        for first in 0..2_000 {
            let mut out = [[0; 16]; 2];
            for (at, logit) in out[0].iter_mut().enumerate().skip(1) {
                *logit = -(15 * first + at as i32);
            }
            out[1] = out[0];
            let temperature = 1_000 + (first % 3) as u16 * 400;
            let totals = (layout::weigh(&mut out[0], temperature), portable::weigh(&mut out[1], temperature));
            self.compare(out[0] == out[1] && totals.0 == totals.1);
        }
    }

    /// Instructions of every part, calls included, an empty region taken off.
    fn count(&mut self, stopwatch: &mut Stopwatch) {
        let nothing = stopwatch.count(|| ()).0;
        let mut report = |name: &str, shape: &str, run: &mut dyn FnMut()| {
            println!("{name}_{shape}_instructions={}", stopwatch.count(run).0 - nothing);
        };
        let (mut words, mut bytes) = ([0; ROWS], [0; ROWS]);
        for (shape, columns, rows) in [("256_128", 256, 128), ("128_32", 128, 32), ("112_32", 112, 32)] {
            let blocks = &self.blocks[..layout::block_words_i8(columns) * rows / layout::ROWS];
            let x = &self.prepared[..columns / 4];
            report("rows_i8", shape, &mut || layout::rows_i8(blocks, x, 0, &mut words[..rows]));
            report("rows_tanh_i8", shape, &mut || layout::rows_tanh_i8(blocks, x, 0, &mut bytes[..rows]));
            #[cfg(feature = "int4")]
            {
                let blocks = &self.blocks[..layout::block_words_i4(columns) * rows / layout::ROWS];
                report("rows_i4", shape, &mut || layout::rows_i4(blocks, x, 0, &mut words[..rows]));
                report("rows_tanh_i4", shape, &mut || layout::rows_tanh_i4(blocks, x, 0, &mut bytes[..rows]));
            }
        }
        let entries = [bytes, bytes];
        let entries = [&entries[0][..], &entries[1][..]];
        let mut prepared = [0; ROWS / 4];
        report("tanh", "128", &mut || layout::tanh_i8_slice(&words, &mut bytes));
        report("table", "128", &mut || layout::table_tanh_i8(&words, &words, entries, &mut bytes));
        report("copy", "128", &mut || layout::copy_i8(entries[0], black_box(&mut bytes)));
        report("prepare", "128", &mut || _ = layout::prepare_i8(entries[0], black_box(&mut prepared)));
        let mut logits: [i32; 27] = core::array::from_fn(|at| 300 * (at as i32 % 7) - 90 * at as i32);
        let mut same = logits;
        let mut totals = [0; 2];
        report("portable_weigh", "27", &mut || totals[0] = fixed::weigh(&mut same, 1000));
        report("weigh", "27", &mut || totals[1] = layout::weigh(&mut logits, 1000));
        let mut token = 0;
        report("pick", "27", &mut || token = fixed::pick(black_box(&logits), totals[1], 0x8000_0000));

        // What a character of the shipped shape takes: a table of pairs, two levels of 256 -> 128 with a ring each, 27
        // logits, a draw.
        let blocks = &self.blocks[..];
        let output = &self.blocks[..layout::block_words_i8(128) * 32 / layout::ROWS];
        let (mut inputs, mut rings) = ([[0_u32; 64]; 2], [[0_i8; 128]; 2]);
        let mut hidden = [0; 32];
        report("character", "i8", &mut || {
            let [first, second] = &mut inputs;
            let [older, newer] = halves(first);
            layout::copy_i8(&rings[0], older);
            layout::table_tanh_i8(&words, &words, entries, newer);
            layout::copy_i8(newer, &mut rings[0]);
            let [older, newer] = halves(second);
            layout::copy_i8(&rings[1], older);
            layout::rows_tanh_i8(blocks, first, 0, newer);
            layout::copy_i8(newer, &mut rings[1]);
            layout::rows_tanh_i8(blocks, second, 0, bytemuck::cast_slice_mut(&mut hidden));
            let mut logits = [0; 32];
            layout::rows_i8(output, &hidden, 0, &mut logits);
            let total = layout::weigh(&mut logits[..27], 1000);
            token = fixed::pick(&logits[..27], total, 0x8000_0000);
        });
        // So that nothing is left out.
        println!("vector128_checksum={:08x}", words[0] as u32 ^ prepared[0] ^ bytes[0] as u32 ^ u32::from(token));
    }
}

/// The two segments of an input.
fn halves(input: &mut [u32; 64]) -> [&mut [i8]; 2] {
    let (older, newer) = bytemuck::cast_slice_mut(input).split_at_mut(128);
    [older, newer]
}

/// Compares, counts, and reports.
pub fn run(stopwatch: &mut Stopwatch) {
    let bench = singleton!(BENCH: Bench = Bench {
        blocks: [0; BLOCKS],
        prepared: [0; COLUMNS / 4],
        x: 1,
        cases: 0,
        mismatches: 0,
    })
    .expect("the only taker");
    println!("vector128_assembly={}", layout::ASSEMBLY);
    bench.random_rows();
    bench.extreme_rows();
    bench.tanh();
    bench.copy();
    bench.table();
    bench.weigh();
    println!("vector128_cases={}", bench.cases);
    println!("vector128_mismatches={}", bench.mismatches);
    bench.count(stopwatch);
}
