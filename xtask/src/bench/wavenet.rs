//! The lecture's larger network, 76,195 parameters once folded, with random weights: what it takes stays comparable whatever model is shipped,
//! and with the figures of others for this shape. And the same of gated units.

use anyhow::{Context, Result};
use runtime::format::{Header, IntegerLayer, Layers, Layout, LinearWeights, Precision, WeightFormat, encode};
use runtime::quant::{LOGIT_FRACTION_BITS, MULTIPLIER_FRACTION_BITS, PRE_ACTIVATION_FRACTION_BITS};
use runtime::{Activation, Level, Provenance};

/// The boundary and the letters.
const VOCAB: &str = ".abcdefghijklmnopqrstuvwxyz";
const EMBEDDING: usize = 24;

/// Three levels of two.
pub struct Network {
    activation: Activation,
    widths: [u16; 3],
    /// Whether the output layer reads all levels.
    skip: bool,
    /// The root mean square of a level's outputs, roughly, where that of the sums is one.
    activation_rms: f64,
}

/// The lecture's.
pub const WAVENET: Network =
    Network { activation: Activation::Tanh, widths: [128; 3], skip: false, activation_rms: 0.63 };
/// The shape of the preset `gated`. Gated units are a tanh times a sigmoid around a half.
pub const GATED: Network =
    Network { activation: Activation::Gated, widths: [64, 88, 104], skip: true, activation_rms: 0.37 };

impl Network {
    /// Columns and rows of the layers.
    fn shapes(&self) -> [(usize, usize); 4] {
        let [a, b, c] = self.widths.map(usize::from);
        let rows = self.activation.rows_per_value();
        let columns = if self.skip { a + b + c } else { c };
        [(2 * EMBEDDING, rows * a), (2 * a, rows * b), (2 * b, rows * c), (columns, VOCAB.len())]
    }
}

/// The network in a precision that `firmware-example` knows; integers in the plain layout.
pub fn blob(network: &Network, precision: &str) -> Result<Vec<u8>> {
    let mut random = Random(0x2545_f491);
    let (precision, inner) = match precision {
        "f32" => return single(network, &mut random).context("a network that is refused"),
        "int4" => (Precision::Int4, WeightFormat::Int4),
        _ => (Precision::Int8, WeightFormat::Int8),
    };
    let formats = [WeightFormat::Table, inner, inner, WeightFormat::Int8];
    let layers = network.shapes().into_iter().zip(formats);
    let layers = layers.map(|(shape, format)| Integers::random(shape, network.activation_rms, format, &mut random));
    let layers: Vec<_> = layers.collect();
    let layers = layers.iter().map(|layer| IntegerLayer {
        bias: &layer.bias,
        multiplier: &layer.multiplier,
        weights: &layer.weights,
    });
    let layers = Layers::Integer { embedding: &[], layers: layers.collect() };
    encode(&header(network, precision, Layout::RowMajor, formats), &layers, &[1, 2, 3])
        .context("a network that is refused")
}

fn header(network: &Network, precision: Precision, layout: Layout, formats: [WeightFormat; 4]) -> Header<'static> {
    Header {
        precision,
        layout,
        activation: network.activation,
        n_embd: EMBEDDING as u16,
        levels: network.widths.into_iter().map(|width| Level { fuse: 2, width }).collect(),
        skip: network.skip,
        weights: formats.into_iter().collect(),
        golden_len: 0,
        golden_crc32: 0,
        vocab: VOCAB,
        provenance: Provenance {
            preset: "random",
            exporter_version: "",
            data_sha256: [0; 32],
            seed: 0,
            dev_nll_micronats: u32::MAX,
        },
    }
}

fn single(network: &Network, random: &mut Random) -> Result<Vec<u8>, runtime::FormatError> {
    let mut values = |len: usize, rms: f64| -> Vec<f32> { (0..len).map(|_| (random.even() * rms) as f32).collect() };
    let embedding = values(VOCAB.len() * EMBEDDING, 1.0);
    let rms = network.activation_rms;
    let layers = network.shapes().into_iter().zip([1.0, rms, rms, rms]).map(|((columns, rows), input)| {
        (values(columns * rows, 1.0 / (columns as f64).sqrt() / input), values(rows, 0.1))
    });
    let layers: Vec<_> = layers.collect();
    let layers = layers.iter().map(|(weight, bias)| LinearWeights { weight, bias }).collect();
    let header = header(network, Precision::F32, Layout::Rows8, [WeightFormat::F32; 4]);
    encode(&header, &Layers::F32 { embedding: &embedding, layers }, &[1, 2, 3])
}

/// A layer in integers.
struct Integers {
    bias: Vec<i32>,
    multiplier: Vec<i32>,
    weights: Vec<i8>,
}

impl Integers {
    /// Evenly distributed weights, and a multiplier that brings sums to a root mean square of one.
    fn random((columns, rows): (usize, usize), activation_rms: f64, format: WeightFormat, random: &mut Random) -> Self {
        let largest = if format == WeightFormat::Int4 { 7 } else { 127 };
        let table = format == WeightFormat::Table;
        let len = if table { 2 * VOCAB.len() * rows } else { columns * rows };
        let weights: Vec<i8> = (0..len).map(|_| random.weight(largest)).collect();
        let weight_rms = f64::from(2 * largest + 1) / 12_f64.sqrt();
        let (terms, input_rms) = if table { (2, 1.0) } else { (columns, 127.0 * activation_rms) };
        let sum_rms = (terms as f64).sqrt() * weight_rms * input_rms;
        let is_output = rows == VOCAB.len();
        let one = if is_output { LOGIT_FRACTION_BITS } else { PRE_ACTIVATION_FRACTION_BITS };
        let multiplier = f64::from(MULTIPLIER_FRACTION_BITS + one).exp2() / sum_rms;
        let bias = (0..rows).map(|_| (random.even() * sum_rms / 10.0) as i32).collect();
        Self { bias, multiplier: vec![multiplier.round() as i32; rows], weights }
    }
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

    /// Evenly from -largest to largest.
    fn weight(&mut self, largest: i32) -> i8 {
        let count = 2 * largest as u64 + 1;
        (((u64::from(self.next()) * count) >> 32) as i32 - largest) as i8
    }

    /// Evenly, around 0, with a root mean square of one.
    fn even(&mut self) -> f64 {
        (f64::from(self.next()) / f64::from(u32::MAX) - 0.5) * 12_f64.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::Model;
    use runtime::format::AlignedBlob;

    /// The multiply-accumulates that the figures of others are about, and the state that a chip keeps.
    #[test]
    fn the_networks_have_their_shapes() {
        let shapes = [(&WAVENET, 76_195, 75_136, 68_992), (&GATED, 73_379, 72_192, 66_048)];
        for (network, parameters, macs_f32, macs) in shapes {
            for (precision, macs) in [("f32", macs_f32), ("int8", macs), ("int4", macs)] {
                let blob = blob(network, precision).unwrap();
                assert_eq!(blob, super::blob(network, precision).unwrap());
                let blob = AlignedBlob::from(blob.as_slice());
                let model = Model::new(blob.as_bytes()).unwrap();
                assert_eq!(model.macs_streaming(), macs, "{precision}");
                assert_eq!(model.config().parameters(), parameters);
            }
        }
    }
}
