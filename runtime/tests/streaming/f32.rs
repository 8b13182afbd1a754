//! Streaming in single precision.

use proptest::prelude::*;
use runtime::format::{AlignedBlob, Header, Layout, Precision, WeightFormat};
use runtime::math::tanh;
use runtime::write::{Layers, LinearWeights, encode};
use runtime::{Activation, Level, Model};

use super::{NO_PROVENANCE, bits, fuses, vocab};

/// Network as plain rows, with the arithmetic written out: computes every node of the window and remembers nothing.
#[derive(Clone, Debug)]
struct Naive {
    activation: Activation,
    skip: bool,
    vocab: String,
    embedding: Vec<Vec<f32>>,
    levels: Vec<(Level, Vec<Vec<f32>>, Vec<f32>)>,
    output: (Vec<Vec<f32>>, Vec<f32>),
}

fn linear(weight: &[Vec<f32>], bias: &[f32], x: &[f32]) -> Vec<f32> {
    weight
        .iter()
        .zip(bias)
        .map(|(row, &bias)| row.iter().zip(x).fold(bias, |sum, (&weight, &x)| sum + weight * x))
        .collect()
}

impl Naive {
    /// Returns the values for the rows of a level.
    fn activate(&self, rows: Vec<f32>) -> Vec<f32> {
        let function = match self.activation {
            Activation::Tanh | Activation::Gated => tanh,
            Activation::Relu => |row: f32| if row > 0.0 { row } else { 0.0 },
        };
        let rows: Vec<f32> = rows.into_iter().map(function).collect();
        if self.activation != Activation::Gated {
            return rows;
        }
        let (values, gates) = rows.split_at(rows.len() / 2);
        values.iter().zip(gates).map(|(&value, &other)| value * (0.5 + 0.5 * other)).collect()
    }

    /// Returns the newest node of every level, then the logits.
    fn forward(&self, window: &[u8]) -> Vec<Vec<f32>> {
        let mut newest = Vec::new();
        let mut nodes: Vec<Vec<f32>> = window.iter().map(|&token| self.embedding[usize::from(token)].clone()).collect();
        for (level, weight, bias) in &self.levels {
            nodes = nodes
                .chunks(level.fuse.into())
                .map(|group| self.activate(linear(weight, bias, &group.concat())))
                .collect();
            newest.push(nodes[nodes.len() - 1].clone());
        }
        assert_eq!(nodes.len(), 1);
        let input = if self.skip { newest.concat() } else { nodes[0].clone() };
        newest.push(linear(&self.output.0, &self.output.1, &input));
        newest
    }

    fn blob(&self) -> AlignedBlob {
        let header = Header {
            precision: Precision::F32,
            layout: Layout::Rows8,
            activation: self.activation,
            n_embd: self.embedding[0].len() as u16,
            levels: self.levels.iter().map(|(level, ..)| *level).collect(),
            skip: self.skip,
            weights: vec![WeightFormat::F32; self.levels.len() + 1].into_iter().collect(),
            golden_len: 0,
            golden_crc32: 0,
            vocab: &self.vocab,
            provenance: NO_PROVENANCE,
        };
        let flat: Vec<Vec<f32>> = self.levels.iter().map(|(_, weight, _)| weight.concat()).collect();
        let embedding = self.embedding.concat();
        let output = self.output.0.concat();
        let levels = flat.iter().zip(&self.levels);
        let mut layers: Vec<_> = levels.map(|(weight, (_, _, bias))| LinearWeights { weight, bias }).collect();
        layers.push(LinearWeights { weight: &output, bias: &self.output.1 });
        let layers = Layers::F32 { embedding: &embedding, layers };
        AlignedBlob::from(encode(&header, &layers, &[]).unwrap().as_slice())
    }
}

fn matrix(rows: usize, columns: usize) -> impl Strategy<Value = Vec<Vec<f32>>> {
    prop::collection::vec(prop::collection::vec(-1.5_f32..1.5, columns), rows)
}

fn naive(fuses: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Naive> {
    (fuses, 1_usize..8, 3_usize..30)
        .prop_flat_map(|(fuses, n_embd, vocab_size)| {
            let widths = prop::collection::vec(1_u16..20, fuses.len());
            (
                (prop::sample::select(Activation::ALL), any::<bool>()),
                Just(fuses),
                Just(n_embd),
                Just(vocab_size),
                widths,
            )
        })
        .prop_flat_map(|((activation, skip), fuses, n_embd, vocab_size, widths)| {
            let mut width_in = n_embd;
            let mut levels = Vec::new();
            for (&fuse, &width) in fuses.iter().zip(&widths) {
                let (values, columns) = (usize::from(width), width_in * usize::from(fuse));
                let rows = activation.rows_per_value() * values;
                let bias = prop::collection::vec(-1.0_f32..1.0, rows);
                levels.push((Just(Level { fuse, width }), matrix(rows, columns), bias));
                width_in = values;
            }
            let columns = super::output_columns(skip, &widths);
            let output = (matrix(vocab_size, columns), prop::collection::vec(-1.0_f32..1.0, vocab_size));
            (Just((activation, skip)), matrix(vocab_size, n_embd), levels, output)
        })
        .prop_map(|((activation, skip), embedding, levels, output)| {
            let vocab = vocab(embedding.len());
            Naive { activation, skip, vocab, embedding, levels, output }
        })
}

/// Compares a stream with whole windows.
fn check(naive: &Naive, tokens: &[u8]) -> Result<(), TestCaseError> {
    let blob = naive.blob();
    let model = Model::new(blob.as_bytes()).unwrap();
    super::check_stream(&model, tokens, |window| naive.forward(window).iter().map(|values| bits(values)).collect())?;
    super::check_batch(&model);
    Ok(())
}

proptest! {
    #[test]
    fn streaming_equals_whole_windows(naive in naive(fuses()), tokens in prop::collection::vec(any::<u8>(), 1..40)) {
        check(&naive, &tokens)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    /// Compares the tree of a model of text over more characters than its context has.
    #[test]
    fn streaming_equals_windows_of_64_characters(
        naive in naive(Just(vec![2; 6])),
        tokens in prop::collection::vec(any::<u8>(), 140),
    ) {
        check(&naive, &tokens)?;
    }
}
