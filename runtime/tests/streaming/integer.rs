//! Streaming in integers: the oracle is QUANTIZATION.md, written out in 64 bits.

use proptest::prelude::*;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro128PlusPlus;
use runtime::format::{AlignedBlob, Header, Layout, Precision, WeightFormat};
use runtime::write::{EncodeError, IntegerLayer, Layers, encode, relayout, tabulate_halves, tabulate_pairs};
use runtime::{Activation, HeapState, Level, Model, Stream};

use super::{NO_PROVENANCE, fuses, push_observed, vocab};

/// Limit that every sum must remain below.
const ACC_LIMIT: i64 = 1 << 23;

/// Row of a layer: `weights` in the order of its inputs, for a table `[fuse * vocab_size]`.
#[derive(Clone, Debug)]
struct Row {
    bias: i64,
    multiplier: i64,
    weights: Vec<i64>,
}

#[derive(Clone, Debug)]
struct Layer {
    format: WeightFormat,
    rows: Vec<Row>,
}

impl Row {
    fn requantized(&self, sum: i64) -> i64 {
        let acc = self.bias + sum;
        assert!(acc.abs() < ACC_LIMIT, "the loader must not let this through: {acc}");
        // `>>` of an i64 is arithmetic.
        (acc * self.multiplier + (1 << 23)) >> 24
    }
}

impl Layer {
    /// Returns pre-activations or logits for the inputs `x`.
    fn linear(&self, x: &[i64]) -> Vec<i64> {
        let product = |row: &Row| row.weights.iter().zip(x).map(|(w, x)| w * x).sum();
        self.rows.iter().map(|row| row.requantized(product(row))).collect()
    }

    /// Returns pre-activations of a table for the characters of its positions.
    fn look_up(&self, vocab_size: usize, tokens: &[u8]) -> Vec<i64> {
        let entries = |row: &Row| -> i64 {
            let positions = tokens.iter().enumerate();
            positions.map(|(position, &token)| row.weights[position * vocab_size + usize::from(token)]).sum()
        };
        self.rows.iter().map(|row| row.requantized(entries(row))).collect()
    }
}

/// Returns `round(127 tanh(i / 64))`, and 127 from 256 on.
fn tanh(pre_activation: i64) -> i64 {
    let i = pre_activation.abs();
    let y = if i < 256 { (127.0 * (i as f64 / 64.0).tanh()).round() as i64 } else { 127 };
    if pre_activation < 0 { -y } else { y }
}

/// Returns `round(value * (1 + gate) / 2)`, where dividing by 2 * 127 is multiplying by 258 / 65,536.
fn gate(value: i64, gate: i64) -> i64 {
    (value * (127 + gate) * 258 + (1 << 15)) >> 16
}

/// Network that computes every node of the window again.
#[derive(Clone, Debug)]
struct Naive {
    activation: Activation,
    skip: bool,
    vocab_size: usize,
    n_embd: usize,
    /// Embedding; empty if level 0 is a table.
    embedding: Vec<Vec<i64>>,
    levels: Vec<(u8, Layer)>,
    output: Layer,
}

impl Naive {
    /// Returns the values for the rows of a level.
    fn activate(&self, pre_activations: Vec<i64>) -> Vec<i64> {
        let curve = match self.activation {
            Activation::Tanh | Activation::Gated => tanh,
            Activation::Relu => |pre_activation: i64| pre_activation.clamp(0, 127),
        };
        let rows: Vec<i64> = pre_activations.into_iter().map(curve).collect();
        if self.activation != Activation::Gated {
            return rows;
        }
        let (values, gates) = rows.split_at(rows.len() / 2);
        values.iter().zip(gates).map(|(&value, &other)| gate(value, other)).collect()
    }

    /// Returns the newest node of every level, then the logits.
    fn forward(&self, window: &[u8]) -> Vec<Vec<i64>> {
        let mut newest = Vec::new();
        let mut nodes: Vec<Vec<i64>> = Vec::new();
        for (index, (fuse, layer)) in self.levels.iter().enumerate() {
            let fuse = usize::from(*fuse);
            let pre_activations: Vec<Vec<i64>> = if index > 0 {
                nodes.chunks(fuse).map(|group| layer.linear(&group.concat())).collect()
            } else if layer.format == WeightFormat::Table {
                window.chunks(fuse).map(|tokens| layer.look_up(self.vocab_size, tokens)).collect()
            } else {
                let embedded = |tokens: &[u8]| -> Vec<i64> {
                    tokens.iter().flat_map(|&token| self.embedding[usize::from(token)].clone()).collect()
                };
                window.chunks(fuse).map(|tokens| layer.linear(&embedded(tokens))).collect()
            };
            nodes = pre_activations.into_iter().map(|node| self.activate(node)).collect();
            newest.push(nodes[nodes.len() - 1].clone());
        }
        assert_eq!(nodes.len(), 1);
        let input = if self.skip { newest.concat() } else { nodes[0].clone() };
        newest.push(self.output.linear(&input));
        newest
    }

    fn blob(&self, layout: Layout) -> AlignedBlob {
        let all: Vec<&Layer> = self.levels.iter().map(|(_, layer)| layer).chain([&self.output]).collect();
        let four_bits = all.iter().any(|layer| layer.format == WeightFormat::Int4);
        let activation = self.activation;
        let width = |layer: &Layer| (layer.rows.len() / activation.rows_per_value()) as u16;
        let levels = self.levels.iter().map(|(fuse, layer)| Level { fuse: *fuse, width: width(layer) }).collect();
        let vocab = vocab(self.vocab_size);
        let header = Header {
            precision: if four_bits { Precision::Int4 } else { Precision::Int8 },
            layout,
            activation,
            n_embd: self.n_embd as u16,
            levels,
            skip: self.skip,
            weights: all.iter().map(|layer| layer.format).collect(),
            golden_len: 0,
            golden_crc32: 0,
            vocab: &vocab,
            provenance: NO_PROVENANCE,
        };
        let embedding: Vec<i8> = self.embedding.concat().iter().map(|&value| value as i8).collect();
        let layers: Vec<IntegerLayer> = all.iter().map(|layer| flat(layer)).collect();
        let layers = Layers::Integer { embedding: &embedding, layers: &layers };
        AlignedBlob::from(encode(&header, &layers, &[]).unwrap().as_slice())
    }
}

/// Returns a layer in the form that the encoder takes.
fn flat(layer: &Layer) -> IntegerLayer {
    let rows = &layer.rows;
    let weights: Vec<i8> = if layer.format == WeightFormat::Table {
        // `[fuse][vocab_size][fan_out]`: entry by entry, the rows side by side.
        let entries = 0..rows[0].weights.len();
        entries.flat_map(|entry| rows.iter().map(move |row| row.weights[entry] as i8)).collect()
    } else {
        rows.iter().flat_map(|row| row.weights.iter().map(|&weight| weight as i8)).collect()
    };
    IntegerLayer {
        format: layer.format,
        bias: rows.iter().map(|row| row.bias as i32).collect(),
        multiplier: rows.iter().map(|row| row.multiplier as i32).collect(),
        weights,
    }
}

/// Fills a network of a given shape with numbers of all kinds, the largest allowed ones included.
struct Filler(Xoshiro128PlusPlus);

impl Filler {
    /// Returns a number from `low` to `high`.
    fn within(&mut self, low: i64, high: i64) -> i64 {
        low + i64::from(self.0.next_u32()) % (high - low + 1)
    }

    /// Returns weights of at most `max` in magnitude: of all sizes, only the largest, or only zeros.
    fn weights(&mut self, len: usize, max: i64) -> Vec<i64> {
        match self.within(0, 7) {
            0 => vec![max; len],
            1 => (0..len).map(|_| max * (2 * self.within(0, 1) - 1)).collect(),
            2 => vec![0; len],
            _ => (0..len).map(|_| self.within(-max, max)).collect(),
        }
    }

    /// Returns a row of `columns` weights; in a table, `fuse` of them are added up.
    fn row(&mut self, format: WeightFormat, columns: usize, fuse: u8) -> Row {
        let max = if format == WeightFormat::Int4 { 7 } else { 127 };
        let weights = self.weights(columns, max);
        let mut row = Row { bias: 0, multiplier: 0, weights };
        let reach = 127
            * match format {
                WeightFormat::Table => i64::from(fuse),
                _ => row.weights.iter().map(|weight| weight.abs()).sum(),
            };
        // With the bias, the sum may come as close to the limit as possible.
        let left = ACC_LIMIT - 1 - reach;
        row.bias = match self.within(0, 7) {
            0 => left,
            1 => -left,
            2 => self.within(-left, left),
            _ => self.within(-left.min(reach / 4), left.min(reach / 4)),
        };
        row.multiplier = match self.within(0, 15) {
            0 => i64::from(i32::MAX),
            1 => self.within(0, 1),
            2 => 1 << self.within(0, 30),
            // Puts most outputs on the slope of tanh, which ends at 256.
            _ => ((256 << 24) / reach.max(1) * self.within(1, 800) / 100).min(i64::from(i32::MAX)),
        };
        row
    }

    /// Returns a weight format. Level 0 may be a table; other layers read activations.
    fn format(&mut self, first: bool) -> WeightFormat {
        match self.within(0, if first { 8 } else { 5 }) {
            #[cfg(feature = "int4")]
            0..3 => WeightFormat::Int4,
            0..6 => WeightFormat::Int8,
            _ => WeightFormat::Table,
        }
    }

    fn network(
        &mut self,
        (activation, skip): (Activation, bool),
        fuses: &[u8],
        n_embd: usize,
        vocab_size: usize,
        widths: &[u16],
    ) -> Naive {
        let mut levels: Vec<(u8, Layer)> = Vec::new();
        let mut width_in = n_embd;
        for (&fuse, &width) in fuses.iter().zip(widths) {
            let format = self.format(levels.is_empty());
            let columns = usize::from(fuse) * if format == WeightFormat::Table { vocab_size } else { width_in };
            let rows = activation.rows_per_value() as u16 * width;
            let rows = (0..rows).map(|_| self.row(format, columns, fuse)).collect();
            levels.push((fuse, Layer { format, rows }));
            width_in = usize::from(width);
        }
        let format = self.format(false);
        let columns = super::output_columns(skip, widths);
        let output = Layer { format, rows: (0..vocab_size).map(|_| self.row(format, columns, 1)).collect() };
        let embedding = match levels[0].1.format {
            WeightFormat::Table => Vec::new(),
            _ => (0..vocab_size).map(|_| self.weights(n_embd, 127)).collect(),
        };
        Naive { activation, skip, vocab_size, n_embd, embedding, levels, output }
    }
}

fn naive(fuses: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Naive> {
    fuses
        .prop_flat_map(|fuses| {
            let widths = prop::collection::vec(1_u16..20, fuses.len());
            (
                (prop::sample::select(Activation::ALL), any::<bool>()),
                Just(fuses),
                1_usize..8,
                3_usize..30,
                widths,
                any::<u64>(),
            )
        })
        .prop_map(|(kind, fuses, n_embd, vocab_size, widths, seed)| {
            Filler(Xoshiro128PlusPlus::seed_from_u64(seed)).network(kind, &fuses, n_embd, vocab_size, &widths)
        })
}

/// Compares a stream with whole windows, and with the same model in every layout and with tables.
fn check(naive: &Naive, tokens: &[u8], layout: Layout) -> Result<(), TestCaseError> {
    let blob = naive.blob(layout);
    let model = Model::new(blob.as_bytes()).unwrap();
    super::check_stream(&model, tokens, |window| naive.forward(window))?;
    super::check_batch(&model);
    for &other in Layout::INTEGERS {
        let moved = AlignedBlob::from(relayout(&model, other).unwrap().as_slice());
        let moved = Model::new(moved.as_bytes()).unwrap();
        prop_assert_eq!(relayout(&moved, layout).unwrap(), blob.as_bytes(), "there and back");
    }
    if let Ok(pairs) = tabulate_pairs(&model) {
        let pairs = AlignedBlob::from(pairs.as_slice());
        let pairs = Model::new(pairs.as_bytes()).unwrap();
        super::check_same(&model, &pairs, tokens);
        super::check_batch(&pairs);
        check_halves(&model, &pairs, tokens);
    } else {
        prop_assert_eq!(tabulate_halves(&model), Err(EncodeError::NotPairs));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn streaming_equals_whole_windows(
        naive in naive(fuses()),
        tokens in prop::collection::vec(any::<u8>(), 1..40),
        layout in prop::sample::select(Layout::INTEGERS),
    ) {
        check(&naive, &tokens, layout)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    /// Compares the tree of a model of text over more characters than its context has.
    #[test]
    fn streaming_equals_windows_of_64_characters(
        naive in naive(Just(vec![2; 6])),
        tokens in prop::collection::vec(any::<u8>(), 140),
        layout in prop::sample::select(Layout::INTEGERS),
    ) {
        check(&naive, &tokens, layout)?;
    }
}

/// Checks the model with both levels as tables, made from the model itself and from the one with pairs: its logits, the
/// outputs of its levels, and its sizes.
fn check_halves(model: &Model<'_>, pairs: &Model<'_>, tokens: &[u8]) {
    let levels = model.config().levels();
    let blob = tabulate_halves(model);
    if levels.get(1).is_none_or(|level| level.fuse != 2) {
        assert_eq!(blob, Err(EncodeError::NotHalves));
        return;
    }
    let blob = AlignedBlob::from(blob.unwrap().as_slice());
    let halves = Model::new(blob.as_bytes()).unwrap();
    assert_eq!(halves.weight_formats()[..2], [WeightFormat::Pairs, WeightFormat::Halves]);
    assert_eq!(tabulate_halves(pairs).unwrap(), blob.as_bytes(), "from pairs");
    assert_eq!(tabulate_halves(&halves).unwrap(), blob.as_bytes(), "again");
    assert!(tabulate_pairs(&halves).unwrap() == blob.as_bytes(), "pairs are part of it");
    super::check_same(model, &halves, tokens);
    super::check_batch(&halves);
    let (mut plain, mut looked_up) = (HeapState::new(model), HeapState::new(&halves));
    let mut plain = Stream::new(model, &mut plain).unwrap();
    let mut looked_up = Stream::new(&halves, &mut looked_up).unwrap();
    for &token in tokens {
        assert_eq!(push_observed(&mut looked_up, token), push_observed(&mut plain, token));
    }
    let shapes: Vec<_> = model.config().linear_shapes().collect();
    let saved: usize = shapes[..2].iter().map(|shape| shape.fan_in() * shape.fan_out).sum();
    assert_eq!(halves.macs_streaming(), model.config().macs_streaming() - saved);
    assert!(halves.state_words() <= pairs.state_words());
    for &layout in Layout::INTEGERS {
        let moved = AlignedBlob::from(relayout(&halves, layout).unwrap().as_slice());
        let moved = Model::new(moved.as_bytes()).unwrap();
        super::check_same(model, &moved, tokens);
        assert_eq!(relayout(&moved, model.layout()).unwrap(), blob.as_bytes(), "there and back");
    }
}

/// Checks that the random networks are useful: they have every format, and many activations between the ends.
#[test]
fn the_networks_are_of_all_kinds() {
    let mut formats = std::collections::BTreeMap::<String, usize>::new();
    let mut activations = [0_usize; 2];
    for seed in 0..200 {
        let mut filler = Filler(Xoshiro128PlusPlus::seed_from_u64(seed));
        let naive = filler.network((Activation::ALL[seed as usize % 3], seed % 4 > 1), &[2, 3], 5, 9, &[7, 11]);
        for layer in naive.levels.iter().map(|(_, layer)| layer).chain([&naive.output]) {
            *formats.entry(format!("{:?}", layer.format)).or_default() += 1;
        }
        let nodes = naive.forward(&[0, 1, 2, 3, 4, 5]);
        for &value in nodes[..2].iter().flatten() {
            activations[usize::from((1..127).contains(&value.abs()))] += 1;
        }
    }
    let expected = if cfg!(feature = "int4") { 3 } else { 2 };
    assert_eq!(formats.len(), expected, "{formats:?}");
    assert!(formats.values().all(|&count| count >= 20), "{formats:?}");
    assert!(activations[1] > activations[0] / 3, "{activations:?}: at the ends or zero, and between");
}
