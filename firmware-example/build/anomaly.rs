//! Dense network with random weights, in the shape of MLPerf Tiny's anomaly detector (an autoencoder of spectrograms,
//! <https://github.com/mlcommons/tiny>): 640-128-128-128-128-8-128-128-128-128-640, 264,192 multiply-accumulates. The
//! result is Rust source that `rigs/anomaly` includes: weights in the layout of the board, an input, and the outputs
//! that plain loops compute.

use std::fmt::Write as _;

use runtime::format::{Layout, WeightFormat};
use runtime::kernels::layout::PackedKernel;
use runtime::quant::{ACTIVATION_MAX, MULTIPLIER_FRACTION_BITS, requantize};

/// Number of values of a spectrogram, of a hidden layer, and of the layer in the middle.
const SPECTROGRAM: usize = 640;
const HIDDEN: usize = 128;
const MIDDLE: usize = 8;

/// Root mean square of weights drawn uniformly from -127 to 127. The input is drawn in the same way.
const UNIFORM_RMS: f64 = 73.3;
/// Intended root mean square of a layer's sums after requantization: about one sum in thirty saturates.
const TARGET_RMS: f64 = 60.0;

/// Weight matrix with its biases, and one multiplier for all rows.
struct Dense {
    name: &'static str,
    rows: usize,
    columns: usize,
    weights: Vec<i8>,
    bias: Vec<i32>,
    multiplier: i32,
}

/// Returns the source. The six layers of 128 x 128 share one matrix: six of them would not fit the smallest board's
/// flash.
pub fn source(layout: Layout) -> String {
    let mut random = Random(0x9e37_79b9);
    let input: Vec<i8> = (0..SPECTROGRAM).map(|_| random.weight()).collect();
    let mut dense = |name, columns, rows, input_rms| Dense::random(name, columns, rows, input_rms, &mut random);
    // After a ReLU, half of the values of a symmetrical distribution are zero.
    let relu_rms = TARGET_RMS / 2_f64.sqrt();
    let matrices = [
        dense("FIRST", SPECTROGRAM, HIDDEN, UNIFORM_RMS),
        dense("INNER", HIDDEN, HIDDEN, relu_rms),
        dense("NARROW", HIDDEN, MIDDLE, relu_rms),
        dense("WIDE", MIDDLE, HIDDEN, relu_rms),
        dense("LAST", HIDDEN, SPECTROGRAM, relu_rms),
    ];
    let order = [0, 1, 1, 1, 2, 3, 1, 1, 1, 4];
    let output = order.iter().fold(input.clone(), |x, &index| matrices[index].compute(&x));

    let kernel = PackedKernel::new(layout, WeightFormat::Int8);
    let prepared = |columns: usize| kernel.map_or(0, |kernel| kernel.prepared_words(kernel.padded(columns, true)));
    let mut text = String::new();
    let macs: usize = order.iter().map(|&index| matrices[index].weights.len()).sum();
    writeln!(text, "/// Multiply-accumulates.\npub const MACS: u64 = {macs};").unwrap();
    writeln!(text, "/// The layout.\npub const LAYOUT: Layout = Layout::{layout:?};").unwrap();
    let words = order.iter().map(|&index| prepared(matrices[index].columns)).max().unwrap_or(0);
    writeln!(text, "/// Words of the largest input in its kernel's form.\npub const PREPARED: usize = {words};")
        .unwrap();
    array(&mut text, "INPUT", "The input.", "i8", &input);
    array(&mut text, "OUTPUT", "The outputs.", "i8", &output);
    for matrix in &matrices {
        matrix.write(&mut text, kernel);
    }
    writeln!(text, "/// The layers, in their order.\npub static LAYERS: [Layer; {}] = [", order.len()).unwrap();
    for index in order {
        writeln!(text, "    {},", matrices[index].name).unwrap();
    }
    text + "];\n"
}

impl Dense {
    fn random(name: &'static str, columns: usize, rows: usize, input_rms: f64, random: &mut Random) -> Self {
        let weights = (0..rows * columns).map(|_| random.weight()).collect();
        let bias = (0..rows).map(|_| i32::from(random.weight()) * 32).collect();
        let sum_rms = (columns as f64).sqrt() * UNIFORM_RMS * input_rms;
        let multiplier = (f64::from(1 << MULTIPLIER_FRACTION_BITS) * TARGET_RMS / sum_rms).round() as i32;
        Self { name, rows, columns, weights, bias, multiplier }
    }

    /// Returns whether the layer has a ReLU: each has one, except the last.
    fn is_rectified(&self) -> bool {
        self.name != "LAST"
    }

    /// Computes the layer with loops as plain as possible, as the reference.
    fn compute(&self, x: &[i8]) -> Vec<i8> {
        let lowest = if self.is_rectified() { 0 } else { -ACTIVATION_MAX };
        let mut out = Vec::new();
        for (row, weights) in self.weights.chunks(self.columns).enumerate() {
            let mut sum = self.bias[row];
            for column in 0..self.columns {
                sum += i32::from(weights[column]) * i32::from(x[column]);
            }
            out.push(requantize(sum, self.multiplier).clamp(lowest, ACTIVATION_MAX) as i8);
        }
        out
    }

    fn write(&self, text: &mut String, kernel: Option<PackedKernel>) {
        let Self { name, rows, columns, .. } = *self;
        let multiplier = vec![self.multiplier; rows];
        let weights = match kernel {
            Some(kernel) => {
                let padded = kernel.padded(columns, true);
                let weight =
                    |row: usize, column: usize| if column < columns { self.weights[row * columns + column] } else { 0 };
                let blocks = kernel.pack(&self.bias, &multiplier, weight, rows, padded);
                array(text, &format!("{name}_BLOCKS"), "Blocks.", "u32", &blocks);
                format!("Packed(&{name}_BLOCKS)")
            }
            None => {
                array(text, &format!("{name}_BIAS"), "Biases.", "i32", &self.bias);
                array(text, &format!("{name}_MULTIPLIER"), "Multipliers.", "i32", &multiplier);
                array(text, &format!("{name}_WEIGHTS"), "Weights.", "i8", &self.weights);
                format!("RowMajor(&{name}_BIAS, &{name}_MULTIPLIER, &{name}_WEIGHTS)")
            }
        };
        let lowest = if self.is_rectified() { 0 } else { -ACTIVATION_MAX };
        writeln!(
            text,
            "/// A layer.\nconst {name}: Layer =\n    Layer {{ rows: {rows}, columns: {columns}, lowest: {lowest}, weights: Weights::{weights} }};"
        )
        .unwrap();
    }
}

fn array<T: std::fmt::Debug>(text: &mut String, name: &str, what: &str, of: &str, values: &[T]) {
    writeln!(text, "/// {what}\npub static {name}: [{of}; {}] = {values:?};", values.len()).unwrap();
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

    /// Returns a weight, uniformly from -127 to 127.
    fn weight(&mut self) -> i8 {
        (((u64::from(self.next()) * 255) >> 32) as i32 - 127) as i8
    }
}
