//! Dense network; `build/anomaly.rs` writes its weights, input and expected outputs.

use runtime::format::{Layout, WeightFormat};
use runtime::kernels::dot_i8;
use runtime::kernels::layout::PackedKernel;
use runtime::quant::{ACTIVATION_MAX, requantize};

/// Number of rows computed per call: enough to make the cost of a call small, few enough for a small stack.
const ROWS_AT_ONCE: usize = 64;

/// `y = clamp(requantize(W x + b), lowest, 127)`.
pub struct Layer {
    rows: usize,
    columns: usize,
    /// Lower limit of the outputs: 0 if the layer has a ReLU.
    lowest: i32,
    weights: Weights,
}

/// Weights in one of the layouts; each program uses only one.
#[allow(dead_code, reason = "which one depends on the layout")]
enum Weights {
    /// Blocks of a packed layout.
    Packed(&'static [u32]),
    /// Biases, multipliers and weights.
    RowMajor(&'static [i32], &'static [i32], &'static [i8]),
}

include!(concat!(env!("OUT_DIR"), "/anomaly.rs"));

/// Buffers, and the kernel of packed layouts.
pub struct Network {
    kernel: Option<PackedKernel>,
    values: [i8; INPUT.len()],
    prepared: [u32; PREPARED],
    rows: [i32; ROWS_AT_ONCE],
}

impl Network {
    pub fn new() -> Self {
        let kernel = PackedKernel::new(LAYOUT, WeightFormat::Int8);
        Self { kernel, values: [0; INPUT.len()], prepared: [0; PREPARED], rows: [0; ROWS_AT_ONCE] }
    }

    /// Runs the network and returns its outputs.
    pub fn run(&mut self, input: &[i8]) -> &[i8] {
        self.values.iter_mut().zip(input).for_each(|(to, &from)| *to = from);
        for layer in &LAYERS {
            match (&layer.weights, self.kernel) {
                (Weights::Packed(blocks), Some(kernel)) => self.packed(layer, kernel, blocks),
                (Weights::RowMajor(bias, multiplier, weights), _) => self.row_major(layer, bias, multiplier, weights),
                // The build script packs weights only for layouts that have a kernel here.
                _ => {}
            }
        }
        &self.values[..OUTPUT.len()]
    }

    fn packed(&mut self, layer: &Layer, kernel: PackedKernel, blocks: &[u32]) {
        let columns = kernel.padded(layer.columns, true);
        let prepared = &mut self.prepared[..kernel.prepared_words(columns)];
        // The outputs may overwrite the input, which is not read again.
        let constant = kernel.prepare(&self.values[..layer.columns], prepared);
        let (per_block, words) = (kernel.rows_per_block(), kernel.block_words(columns));
        let blocks = blocks.chunks(ROWS_AT_ONCE / per_block * words);
        for (blocks, out) in blocks.zip(self.values[..layer.rows].chunks_mut(ROWS_AT_ONCE)) {
            let rows = &mut self.rows[..blocks.len() / words * per_block];
            kernel.rows(blocks, prepared, constant, rows);
            activate(layer, rows, out);
        }
    }

    fn row_major(&mut self, layer: &Layer, bias: &[i32], multiplier: &[i32], weights: &[i8]) {
        let x = self.values;
        let x = &x[..layer.columns];
        let scaling = bias.iter().zip(multiplier);
        let rows = weights
            .chunks_exact(layer.columns)
            .zip(scaling)
            .map(|(weights, (bias, &multiplier))| requantize(bias.wrapping_add(dot_i8(weights, x)), multiplier));
        for (out, row) in self.values.iter_mut().zip(rows) {
            *out = row.clamp(layer.lowest, ACTIVATION_MAX) as i8;
        }
    }
}

fn activate(layer: &Layer, rows: &[i32], out: &mut [i8]) {
    out.iter_mut().zip(rows).for_each(|(out, row)| *out = (*row).clamp(layer.lowest, ACTIVATION_MAX) as i8);
}
