//! Countable terms that add up to the work of a network.
//!
//! ```text
//! a level of integers, packed     one term each: per call, per position after the second, per group of columns (to
//!                                 prepare the input for the kernel), per value that goes into the ring,
//!                                 per block of rows, per block and group, per block and round of the unrolled loop
//! level 0 as a table              per call, per row; if it fuses other than two characters, per row and character
//! level 1 in halves               per call, per block of four rows; and per call of the level 0 that is passed on
//! gated units                     per call, per value
//! the output layer                as a level, without an activation; per skip connection
//! drawing                         per call, per character of the vocabulary
//! between them                    per call, per level; filling the rings at a word's beginning, spread over the
//!                                 characters of a word of usual length
//! ```
//!
//! The size of a block depends on the layout; the runtime's own kernels say it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use runtime::config::LinearShape;
use runtime::format::{Core, Layout, Precision, WeightFormat};
use runtime::kernels::half_words;
use runtime::kernels::layout::PackedKernel;
use runtime::rows::{LANES, padded};
use runtime::{Activation, Config, Model};

/// Number of units of each term, by the term's name.
pub type Terms = BTreeMap<&'static str, f64>;

/// Mean number of characters of a word in the shipped list, the end included: the work at a word's beginning is spread
/// over them.
pub const USUAL_WORD: f64 = 7.1;

/// Properties of a network on which its work depends.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// The dimensions.
    pub config: Config,
    /// The precision.
    pub precision: Precision,
    /// The order of integer weights.
    pub layout: Layout,
    /// Weight formats of the levels and the output layer.
    pub formats: Vec<WeightFormat>,
    /// True if each character of the vocabulary is one byte, which makes decoding a look-up.
    pub is_ascii: bool,
    /// Characters per word.
    pub word: f64,
}

/// Position of a layer in the network.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Reads embeddings.
    First,
    Inner,
    Output,
}

impl Network {
    /// Returns the network of a model on a core, in the layout of that core.
    pub fn of(model: &Model<'_>, core: Core) -> Self {
        Self {
            config: model.config().clone(),
            precision: model.precision(),
            layout: core.layout(),
            formats: model.weight_formats().to_vec(),
            is_ascii: model.vocab().as_str().is_ascii(),
            word: USUAL_WORD,
        }
    }

    /// Returns the terms of each level, of the output layer, of drawing, and of the code between them.
    pub fn parts(&self) -> Vec<Terms> {
        let levels = self.config.levels().len();
        let mut parts: Vec<Terms> = (0..levels).map(|level| self.level(level)).collect();
        parts.push(self.output());
        parts.push(Terms::from([("draw", 1.0), ("draw.character", real(self.config.vocab_size()))]));
        let mut between = Terms::from([("between", 1.0), ("between.level", real(levels))]);
        between.insert("between.filled", self.filled() / self.word);
        if !self.is_ascii {
            between.extend([("decode", 1.0), ("decode.character", real(self.config.vocab_size()))]);
        }
        parts.push(between);
        parts
    }

    /// Returns the number of values with which the rings are filled at the beginning of a word.
    fn filled(&self) -> f64 {
        let values = |(level, shape): (usize, runtime::config::LevelShape)| match self.precision {
            Precision::Int8 | Precision::Int4 if level == 0 => shape.ring_len,
            // Of characters, two for each node of level 0.
            Precision::Int8 | Precision::Int4 if self.formats[level] == WeightFormat::Halves => 2 * shape.ring_len,
            Precision::F32 | Precision::Int8 | Precision::Int4 => shape.ring_len * shape.width_in,
        };
        real(self.config.shapes().enumerate().map(values).sum())
    }

    fn level(&self, level: usize) -> Terms {
        let shape = self.config.shapes().nth(level).expect("a level");
        let linear = self.config.linear_shapes().nth(level).expect("a level");
        let format = self.formats[level];
        let mut terms = match format {
            WeightFormat::F32 => {
                let mut terms = single(linear.fan_in(), linear.fan_out);
                terms.extend([("level", 1.0), ("level.position", real(shape.fuse))]);
                terms.extend([
                    ("copy", real(shape.fan_in + shape.width_in)),
                    (cost_term(self.config.activation()), real(shape.fan_out)),
                ]);
                if level == 0 {
                    terms.insert("embed", real(shape.width_in));
                }
                terms
            }
            WeightFormat::Table if shape.fuse == 2 => {
                let (rows, together, left) = match self.layout {
                    // The vector unit's kernel computes eight rows at once, and the remaining rows one by one.
                    Layout::Vector128 => (0, shape.fan_out / 8, shape.fan_out % 8),
                    Layout::Rows8 | Layout::RowMajor | Layout::Dual16 | Layout::Lanes16 => (shape.fan_out, 0, 0),
                };
                let counts = [1, rows, together, left, left.min(1)];
                let names = ["table2", "table2.row", "table2.eight", "table2.left", "table2.ragged"];
                names.into_iter().zip(counts.map(real)).collect()
            }
            WeightFormat::Table => {
                let (rows, entries) = (real(shape.fan_out), real(shape.fan_out * shape.fuse));
                Terms::from([("table", 1.0), ("table.row", rows), ("table.entry", entries)])
            }
            // The level above reads the characters instead.
            WeightFormat::Pairs if self.formats[1] == WeightFormat::Halves => Terms::from([("pairs.passed_on", 1.0)]),
            WeightFormat::Pairs => Terms::from([("pairs", 1.0), ("pairs.value", real(shape.width_out))]),
            WeightFormat::Halves => {
                Terms::from([("halves", 1.0), ("halves.block", real(half_words(shape.fan_out) / half_words(1)))])
            }
            WeightFormat::Int8 | WeightFormat::Int4 => {
                let (mut terms, kernel) =
                    self.packed(&linear, format, if level == 0 { Place::First } else { Place::Inner });
                if level == 0 {
                    terms.extend([("embed", 1.0), ("embed.position", real(shape.fuse))]);
                } else {
                    let quick = kernel.reads_bytes() && kernel.padded(shape.width_in, false) == shape.width_in;
                    terms.extend([("level", 1.0), ("level.position", real(shape.fuse - 2))]);
                    terms.insert(if quick { "ring.quick" } else { "ring" }, real(shape.width_in));
                }
                terms
            }
        };
        let has_rows = match format {
            WeightFormat::Pairs => false,
            WeightFormat::F32
            | WeightFormat::Table
            | WeightFormat::Int8
            | WeightFormat::Int4
            | WeightFormat::Halves => true,
        };
        if self.config.activation().is_gated() && has_rows {
            terms.extend([("gate", 1.0), ("gate.value", real(shape.width_out))]);
        }
        terms
    }

    fn output(&self) -> Terms {
        let linear = self.config.output_shape();
        let format = *self.formats.last().expect("an output layer");
        let mut terms = match format {
            WeightFormat::F32 => {
                let mut terms = single(linear.fan_in(), linear.fan_out);
                if self.config.skip() {
                    terms.insert("copy", real(linear.fan_in()));
                }
                terms
            }
            WeightFormat::Int8 | WeightFormat::Int4 => self.packed(&linear, format, Place::Output).0,
            WeightFormat::Table | WeightFormat::Pairs | WeightFormat::Halves => {
                unreachable!("the output layer reads no characters")
            }
        };
        terms.insert("output", 1.0);
        // A single level that is read in place, with no part to prepare, takes no work for skip connections.
        let is_read_in_place =
            linear.positions == 1 && ["int8.part", "int4.part"].iter().any(|part| terms.get(part) == Some(&0.0));
        if self.config.skip() && !is_read_in_place {
            terms.insert("skip", real(linear.positions));
        }
        terms
    }

    /// Returns the terms of a layer on a packed kernel, and the kernel.
    fn packed(&self, linear: &LinearShape<'_>, format: WeightFormat, place: Place) -> (Terms, PackedKernel) {
        let kernel = PackedKernel::new(self.layout, format).expect("all layouts are in this build");
        let columns = kernel.columns(linear);
        let Loop { groups_per_round, groups_per_turn } = Loop::of(self.layout);
        let groups = columns / kernel.group();
        let blocks = linear.fan_out.div_ceil(kernel.rows_per_block());
        // Rounds of the unrolled loop after the first round, which is part of every block.
        let rounds = groups.div_ceil(groups_per_round) - 1;
        let is_i4 = match format {
            WeightFormat::Int4 => true,
            WeightFormat::Int8 => false,
            WeightFormat::F32 | WeightFormat::Table | WeightFormat::Pairs | WeightFormat::Halves => {
                unreachable!("not in blocks")
            }
        };
        let names = match (is_i4, place == Place::Output) {
            (false, false) => ["int8", "int8.block"],
            (false, true) => ["int8", "int8.last"],
            (true, false) => ["int4", "int4.block"],
            (true, true) => ["int4", "int4.last"],
        };
        let others = match is_i4 {
            false => {
                ["int8.group", "int8.round", "int8.single", "int8.part", "int8.filled", "int8.left", "int8.ragged"]
            }
            true => ["int4.group", "int4.round", "int4.single", "int4.part", "int4.filled", "int4.left", "int4.ragged"],
        };
        let singles = groups % groups_per_turn;
        // The input is prepared in parts: whole parts together, parts that need padding one by one.
        let part = kernel.part();
        let [mut whole, mut filled, mut left, mut ragged] = [0; 4];
        for position in 0..linear.positions {
            let padded = kernel.start(linear, position + 1) - kernel.start(linear, position);
            let width = linear.width_of(position);
            whole += width / part;
            filled += padded / part - width / part;
            left += width % part;
            ragged += usize::from(padded != width);
        }
        // The vector unit's kernels read activations without preparation: an output layer without skip connections
        // copies nothing, and a level copies them while they go into the ring.
        let as_it_is = kernel.reads_bytes()
            && match place {
                Place::First => false,
                Place::Inner => kernel.padded(linear.width, false) == linear.width,
                Place::Output => linear.positions == 1 && ragged == 0,
            };
        let whole = if as_it_is { 0 } else { whole };
        let counts = [blocks * groups, blocks * rounds, blocks * singles, whole, filled, left, ragged];
        let terms = names.into_iter().zip([1, blocks]).chain(others.into_iter().zip(counts));
        (terms.map(|(name, count)| (name, real(count))).collect(), kernel)
    }
}

/// Loop of an integer kernel over the columns of a block.
struct Loop {
    /// Groups per round of the unrolled loop.
    groups_per_round: usize,
    /// Groups that a round computes together; remaining groups are computed one by one.
    groups_per_turn: usize,
}

impl Loop {
    fn of(layout: Layout) -> Self {
        match layout {
            Layout::Dual16 | Layout::Lanes16 => Self { groups_per_round: 8, groups_per_turn: 1 },
            Layout::Vector128 => Self { groups_per_round: 16, groups_per_turn: 4 },
            Layout::Rows8 | Layout::RowMajor => unreachable!("{} has no packed kernel", layout.name()),
        }
    }
}

/// Returns the terms of a layer in single precision.
fn single(fan_in: usize, fan_out: usize) -> Terms {
    let blocks = padded(fan_out) / LANES;
    // The loop computes eight columns per turn, and the remaining columns one by one.
    let counts = [("f32.block", blocks), ("f32.turn", blocks * (fan_in / 8)), ("f32.single", blocks * (fan_in % 8))];
    counts.into_iter().map(|(name, count)| (name, real(count))).collect()
}

/// Returns the term that counts the activation of a row in single precision.
const fn cost_term(activation: Activation) -> &'static str {
    match activation {
        Activation::Tanh | Activation::Gated => "tanh",
        // Not counted, since a maximum takes next to nothing.
        Activation::Relu => "relu",
    }
}

fn real(count: usize) -> f64 {
    count as f64
}
