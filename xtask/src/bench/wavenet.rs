//! Networks with random weights: the lecture's larger network (76,195 parameters once folded) and gated units of the
//! same depth. Their figures stay comparable with earlier ones and with other libraries, whatever model is shipped.

use anyhow::{Context, Result};
use runtime::format::{Header, Layout, Precision, WeightFormat};
use runtime::quant::{LOGIT_FRACTION_BITS, MULTIPLIER_FRACTION_BITS, PRE_ACTIVATION_FRACTION_BITS};
use runtime::write::{EncodeError, IntegerLayer, Layers, LinearWeights, encode};
use runtime::{Activation, Config, Level, Provenance};

/// Dimensions of a network and the formats of its integer weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Number of characters, including the boundary. The letters come first, then characters that take two bytes each.
    pub vocab_size: usize,
    /// Values per embedding.
    pub n_embd: u16,
    /// The levels, from the characters up.
    pub levels: Vec<Level>,
    /// Activation of every level.
    pub activation: Activation,
    /// True if the output layer reads all levels.
    pub skip: bool,
    /// Weight format of level 0 in integer models: [`WeightFormat::Table`] or [`WeightFormat::Int8`].
    pub first: WeightFormat,
    /// Weight format of the output layer in an int4 model.
    pub output: WeightFormat,
}

impl Network {
    /// Returns a network whose levels fuse two characters each and whose level 0 is a table.
    fn of_pairs(activation: Activation, widths: [u16; 3], skip: bool) -> Self {
        let levels = widths.map(|width| Level { fuse: 2, width }).to_vec();
        let (first, output) = (WeightFormat::Table, WeightFormat::Int8);
        Self { vocab_size: 27, n_embd: 24, levels, activation, skip, first, output }
    }

    /// Returns the lecture's network.
    pub fn wavenet() -> Self {
        Self::of_pairs(Activation::Tanh, [128; 3], false)
    }

    /// Returns the lecture's network with ReLU.
    pub fn relu() -> Self {
        Self::of_pairs(Activation::Relu, [128; 3], false)
    }

    /// Returns a network in the shape of the preset `gated`.
    pub fn gated() -> Self {
        Self::of_pairs(Activation::Gated, [64, 88, 104], true)
    }

    /// Returns the dimensions.
    ///
    /// # Errors
    /// Returns [`EncodeError`] for dimensions that the runtime refuses.
    pub fn config(&self) -> Result<Config, EncodeError> {
        let config = Config::new(self.vocab_size, self.n_embd.into(), self.activation, &self.levels)?;
        Ok(config.with_skip(self.skip))
    }

    /// Returns the weight format of each layer in a precision.
    pub fn formats(&self, precision: Precision) -> Vec<WeightFormat> {
        let (first, inner, output) = match precision {
            Precision::F32 => (WeightFormat::F32, WeightFormat::F32, WeightFormat::F32),
            Precision::Int8 => (self.first, WeightFormat::Int8, WeightFormat::Int8),
            Precision::Int4 => (self.first, WeightFormat::Int4, self.output),
        };
        let mut formats = vec![inner; self.levels.len() + 1];
        formats[0] = first;
        formats[self.levels.len()] = output;
        formats
    }

    /// Returns the approximate root mean square of a level's outputs if that of its sums is one. A gated unit is a tanh
    /// times a sigmoid, which is around 0.5.
    fn activation_rms(&self) -> f64 {
        match self.activation {
            Activation::Tanh => 0.63,
            Activation::Gated => 0.37,
            // Half of a pre-activation's 64 units of 1/127.
            Activation::Relu => 0.36,
        }
    }

    /// Returns the boundary, the letters, and the two-byte characters after them.
    fn vocab(&self) -> String {
        let others = ('\u{100}'..).filter(|character| character.is_alphabetic());
        ".".chars().chain('a'..='z').chain(others).take(self.vocab_size).collect()
    }
}

/// Encodes the network in a precision that `firmware-example` knows; integers are in the plain layout.
///
/// # Errors
/// Returns an error if the network does not fit the format.
pub fn blob(network: &Network, precision: &str) -> Result<Vec<u8>> {
    let precision = Precision::from_name(precision)
        .with_context(|| format!("no precision `{precision}`: choose f32, int8 or int4"))?;
    encoded(network, precision).context("cannot encode the network")
}

fn encoded(network: &Network, precision: Precision) -> Result<Vec<u8>, EncodeError> {
    let mut random = Random(0x2545_f491);
    let (config, formats) = (network.config()?, network.formats(precision));
    let shapes = config.linear_shapes().map(|shape| (shape.fan_in(), shape.fan_out));
    if !precision.is_integer() {
        return single(network, shapes.collect(), &formats, &mut random);
    }
    let embedding: Vec<i8> = match network.first {
        WeightFormat::Table | WeightFormat::Pairs | WeightFormat::Halves => Vec::new(),
        WeightFormat::F32 | WeightFormat::Int8 | WeightFormat::Int4 => {
            (0..network.vocab_size * config.n_embd()).map(|_| random.weight(127)).collect()
        }
    };
    let last = formats.len() - 1;
    let layers: Vec<_> = shapes
        .zip(&formats)
        .enumerate()
        .map(|(index, (shape, &format))| {
            let fuse = network.levels.get(index).map_or(1, |level| usize::from(level.fuse));
            // A table has one term of the sum per fused character, and each term has one entry per character.
            let (columns, entries, input_rms) = match format {
                WeightFormat::Table => (fuse, network.vocab_size, 1.0),
                WeightFormat::Int8 | WeightFormat::Int4 => (shape.0, 1, 127.0 * network.activation_rms()),
                WeightFormat::F32 | WeightFormat::Pairs | WeightFormat::Halves => {
                    unreachable!("{} is not an integer format", format.name())
                }
            };
            let one = if index == last { LOGIT_FRACTION_BITS } else { PRE_ACTIVATION_FRACTION_BITS };
            random_layer((columns, entries, shape.1), input_rms, format, one, &mut random)
        })
        .collect();
    let layers = Layers::Integer { embedding: &embedding, layers: &layers };
    let vocab = network.vocab();
    encode(&header(network, &vocab, precision, Layout::RowMajor, &formats), &layers, &[1, 2, 3])
}

fn header<'a>(
    network: &Network,
    vocab: &'a str,
    precision: Precision,
    layout: Layout,
    formats: &[WeightFormat],
) -> Header<'a> {
    Header {
        precision,
        layout,
        activation: network.activation,
        n_embd: network.n_embd,
        levels: network.levels.iter().copied().collect(),
        skip: network.skip,
        weights: formats.iter().copied().collect(),
        golden_len: 0,
        golden_crc32: 0,
        vocab,
        provenance: Provenance { preset: "random", ..Provenance::UNKNOWN },
    }
}

fn single(
    network: &Network,
    shapes: Vec<(usize, usize)>,
    formats: &[WeightFormat],
    random: &mut Random,
) -> Result<Vec<u8>, EncodeError> {
    let mut values = |len: usize, rms: f64| -> Vec<f32> { (0..len).map(|_| (random.even() * rms) as f32).collect() };
    let embedding = values(network.vocab_size * usize::from(network.n_embd), 1.0);
    let layers = shapes.into_iter().enumerate().map(|(index, (columns, rows))| {
        let input = if index == 0 { 1.0 } else { network.activation_rms() };
        (values(columns * rows, 1.0 / (columns as f64).sqrt() / input), values(rows, 0.1))
    });
    let layers: Vec<_> = layers.collect();
    let layers = layers.iter().map(|(weight, bias)| LinearWeights { weight, bias }).collect();
    let vocab = network.vocab();
    let header = header(network, &vocab, Precision::F32, Layout::Rows8, formats);
    encode(&header, &Layers::F32 { embedding: &embedding, layers }, &[1, 2, 3])
}

/// Returns evenly distributed weights, and a multiplier that scales sums of `columns` products to a root mean square of
/// `one`.
fn random_layer(
    (columns, entries, rows): (usize, usize, usize),
    input_rms: f64,
    format: WeightFormat,
    one: u32,
    random: &mut Random,
) -> IntegerLayer {
    let largest = i32::try_from(format.weight_max()).expect("at most 127");
    let weights: Vec<i8> = (0..columns * entries * rows).map(|_| random.weight(largest)).collect();
    let weight_rms = f64::from(2 * largest + 1) / 12_f64.sqrt();
    let sum_rms = (columns as f64).sqrt() * weight_rms * input_rms;
    let multiplier = f64::from(MULTIPLIER_FRACTION_BITS + one).exp2() / sum_rms;
    let bias = (0..rows).map(|_| (random.even() * sum_rms / 10.0) as i32).collect();
    IntegerLayer { format, bias, multiplier: vec![multiplier.round() as i32; rows], weights }
}

/// xorshift32 (Marsaglia, "Xorshift RNGs", 2003).
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Returns an evenly distributed weight from -largest to largest.
    fn weight(&mut self, largest: i32) -> i8 {
        let count = 2 * largest as u64 + 1;
        (((u64::from(self.next()) * count) >> 32) as i32 - largest) as i8
    }

    /// Returns an evenly distributed number around 0 with a root mean square of one.
    fn even(&mut self) -> f64 {
        (f64::from(self.next()) / f64::from(u32::MAX) - 0.5) * 12_f64.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::Model;
    use runtime::format::AlignedBlob;

    /// Checks the multiply-accumulates, which the figures of other libraries share, and the size of a chip's state.
    #[test]
    fn the_networks_have_their_shapes() {
        let shapes = [(Network::wavenet(), 76_195, 75_136, 68_992), (Network::gated(), 73_379, 72_192, 66_048)];
        for (network, parameters, macs_f32, macs) in shapes {
            for (precision, macs) in [("f32", macs_f32), ("int8", macs), ("int4", macs)] {
                let blob = blob(&network, precision).unwrap();
                assert_eq!(blob, super::blob(&network, precision).unwrap());
                let blob = AlignedBlob::from(blob.as_slice());
                let model = Model::new(blob.as_bytes()).unwrap();
                assert_eq!(model.macs_streaming(), macs, "{precision}");
                assert_eq!(model.config().parameters(), parameters);
            }
        }
    }
}
