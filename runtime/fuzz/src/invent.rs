//! Invents models of any dimensions that the format allows, with numbers drawn from a seed.

use arbitrary::{Result, Unstructured};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro128PlusPlus;
use runtime::format::{Header, Layout, Precision, WeightFormat};
use runtime::quant::{ACC_LIMIT, ACTIVATION_MAX};
use runtime::write::{IntegerLayer, Layers, LinearWeights, encode};
use runtime::{Activation, Config, Level, Provenance};

/// Returns the blob of a model whose dimensions follow from the bytes, or `None` if the format does not allow them.
pub fn invent(bytes: &[u8]) -> Option<Vec<u8>> {
    dimensions(&mut Unstructured::new(bytes)).ok().flatten()
}

fn dimensions(u: &mut Unstructured<'_>) -> Result<Option<Vec<u8>>> {
    let precision = *u.choose(&[Precision::Int8, Precision::Int4, Precision::F32])?;
    let layout = *u.choose(Layout::INTEGERS)?;
    let layout = if precision == Precision::F32 { Layout::Rows8 } else { layout };
    let activation = *u.choose(Activation::ALL)?;
    let vocab_size = if u.ratio(1, 100)? { 130 } else { *u.choose(&[3, 4, 5, 7, 8, 9, 16, 17, 27])? };
    let first = *u.choose(&['a', 'à', '一', '😀'])?;
    let vocab: String = (first..).take(vocab_size).collect();
    let n_embd = u.int_in_range(1..=17)?;
    let mut levels = heapless::Vec::new();
    for _ in 0..u.int_in_range(1..=4)? {
        let level = Level {
            fuse: *u.choose(&[2, 2, 2, 3, 4, 5, 8, 64])?,
            width: *u.choose(&[1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 20])?,
        };
        levels.push(level).expect("there is room for eight");
    }
    let skip = u.arbitrary()?;
    let Ok(config) = Config::new(vocab_size, n_embd.into(), activation, &levels) else { return Ok(None) };
    let config = config.with_skip(skip);
    let mut weights = heapless::Vec::new();
    for index in 0..=levels.len() {
        let small = if precision == Precision::Int4 { WeightFormat::Int4 } else { WeightFormat::Int8 };
        let format = match (precision, index) {
            (Precision::F32, _) => WeightFormat::F32,
            (_, 0) => *u.choose(&[WeightFormat::Table, WeightFormat::Int8, small, WeightFormat::Pairs])?,
            // Refused if either of the two levels does not fuse two. Larger vocabularies make large tables.
            (_, 1) if weights[0] == WeightFormat::Pairs && vocab_size <= MAX_HALVES && levels.len() > 1 => {
                *u.choose(&[small, WeightFormat::Halves])?
            }
            _ => *u.choose(&[small, WeightFormat::Int8])?,
        };
        weights.push(format).expect("there is room for nine");
    }
    let golden_len = u.int_in_range(0..=20)?;
    let mut numbers = Numbers(Xoshiro128PlusPlus::seed_from_u64(u.arbitrary()?));
    let golden: Vec<u8> = (0..golden_len).map(|_| numbers.within(0, vocab_size as i64 - 1) as u8).collect();
    let preset = u.arbitrary()?;
    let provenance = Provenance {
        preset,
        exporter_version: "fuzz",
        data_sha256: [7; 32],
        seed: u.arbitrary()?,
        dev_nll_micronats: 0,
        ..Provenance::UNKNOWN
    };
    let header = Header {
        precision,
        layout,
        activation,
        n_embd,
        levels,
        skip,
        weights,
        golden_len: 0,   // both are filled in
        golden_crc32: 0, // by `encode`
        vocab: &vocab,
        provenance,
    };
    Ok(numbers.model(&config, &header, &golden))
}

/// Largest vocabulary of a model whose level 1 is stored in halves.
const MAX_HALVES: usize = 30;

/// Source of random numbers of all kinds, the largest allowed ones included.
struct Numbers(Xoshiro128PlusPlus);

impl Numbers {
    /// Returns a number from `low` to `high`.
    fn within(&mut self, low: i64, high: i64) -> i64 {
        low + i64::from(self.0.next_u32()) % (high - low + 1)
    }

    /// Returns weights of at most `max` in magnitude: of all sizes, only the largest, or only zeros.
    fn weights(&mut self, len: usize, max: i64) -> Vec<i8> {
        match self.within(0, 7) {
            0 => vec![max as i8; len],
            1 => (0..len).map(|_| (max * (2 * self.within(0, 1) - 1)) as i8).collect(),
            2 => vec![0; len],
            _ => (0..len).map(|_| self.within(-max, max) as i8).collect(),
        }
    }

    /// Returns weights of a usual size, or of sizes up to the largest allowed.
    fn floats(&mut self, len: usize) -> Vec<f32> {
        let scale = [0.01, 0.2, 1.0, 3e4, 8e9][self.within(0, 4) as usize];
        (0..len).map(|_| self.within(-127, 127) as f32 * scale).collect()
    }

    fn model(&mut self, config: &Config, header: &Header<'_>, golden: &[u8]) -> Option<Vec<u8>> {
        let shapes: Vec<_> = config.linear_shapes().collect();
        let embeddings = config.vocab_size() * config.n_embd();
        if header.precision == Precision::F32 {
            let embedding = self.floats(embeddings);
            let layers: Vec<_> = shapes
                .iter()
                .map(|shape| (self.floats(shape.fan_in() * shape.fan_out), self.floats(shape.fan_out)))
                .collect();
            let layers = layers.iter().map(|(weight, bias)| LinearWeights { weight, bias }).collect();
            return encode(header, &Layers::F32 { embedding: &embedding, layers }, golden).ok();
        }
        let tabulated = matches!(header.weights[0], WeightFormat::Table | WeightFormat::Pairs);
        let embedding = if tabulated { Vec::new() } else { self.weights(embeddings, 127) };
        let width_out = usize::from(header.levels[0].width);
        let layers: Vec<_> = shapes
            .iter()
            .zip(&header.weights)
            .map(|(shape, &format)| match format {
                WeightFormat::Pairs => {
                    let weights = self.weights(config.vocab_size().pow(2) * width_out, 127);
                    IntegerLayer { format, bias: Vec::new(), multiplier: Vec::new(), weights }
                }
                WeightFormat::Halves => self.halves(shape.fan_out, config.vocab_size().pow(2)),
                WeightFormat::Table => self.layer(format, shape.fan_out, shape.positions * config.vocab_size(), 1),
                _ => self.layer(format, shape.fan_out, shape.fan_in(), ACTIVATION_MAX),
            })
            .collect();
        encode(header, &Layers::Integer { embedding: &embedding, layers: &layers }, golden).ok()
    }

    /// Returns a layer in which no sum of a row can leave its limits.
    fn layer(&mut self, format: WeightFormat, rows: usize, columns: usize, input_max: i32) -> IntegerLayer {
        let max = if format == WeightFormat::Int4 { 7 } else { 127 };
        let weights = self.weights(rows * columns, max);
        // Holds for any order of rows and columns.
        let room = i64::from(ACC_LIMIT) - 1 - columns as i64 * max * i64::from(input_max);
        let bias = (0..rows).map(|_| {
            let bias = match self.within(0, 3) {
                0 => 0,
                1 => room,
                2 => -room,
                _ => self.within(-room.max(0), room.max(0)),
            };
            bias as i32
        });
        let bias = bias.collect();
        IntegerLayer { format, bias, multiplier: self.multipliers(rows), weights }
    }

    fn multipliers(&mut self, rows: usize) -> Vec<i32> {
        let multiplier = |numbers: &mut Self| match numbers.within(0, 5) {
            0 => numbers.within(0, i32::MAX.into()),
            1 => i32::MAX.into(),
            2 => numbers.within(0, 2),
            _ => numbers.within(0, 1 << 20),
        };
        (0..rows).map(|_| multiplier(self) as i32).collect()
    }

    /// Returns the halves of a level's sums, up to the largest allowed.
    fn halves(&mut self, rows: usize, pairs: usize) -> IntegerLayer {
        let row_bytes = 3 * rows.next_multiple_of(4);
        let mut bytes = vec![0; 2 * pairs * row_bytes];
        for row in 0..rows {
            let largest = 2 * i64::from(ACC_LIMIT) - 1;
            let most_older = [0, 1, 1000, largest - 1, self.within(0, largest - 1)][self.within(0, 4) as usize];
            for pair in 0..2 * pairs {
                let (older, first) = (pair < pairs, pair % pairs == 0);
                // Each bound is reached: the first pair of each half has the smallest number.
                let number = match (older, first, self.within(0, 2)) {
                    (true, true, _) => 0,
                    (false, true, _) => 1,
                    (true, _, 0) => most_older,
                    (true, ..) => self.within(0, most_older),
                    (false, _, 0) => largest - most_older,
                    (false, ..) => self.within(1, largest - most_older),
                };
                let number = (number as u32).to_le_bytes().map(|byte| byte as i8);
                bytes[pair * row_bytes + 3 * row..][..3].copy_from_slice(&number[..3]);
            }
        }
        IntegerLayer {
            format: WeightFormat::Halves,
            bias: Vec::new(),
            multiplier: self.multipliers(rows),
            weights: bytes,
        }
    }
}
