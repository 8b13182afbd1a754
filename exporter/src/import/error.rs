//! Why a `state_dict` is not imported, in one line each.

use runtime::{Activation, FormatError};

/// From a pickle to a file that can be read.
const RECIPE: &str = "import torch; from safetensors.torch import save_file; \
                      save_file(torch.load(\"notebook.pt\", weights_only=True), \"notebook.safetensors\")";

/// Why a file is not imported. Tensors are named as in the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file of `torch.save`.
    #[error("it is a pickle of torch.save, which can run programs and is not read here; in Python: {RECIPE}")]
    Pickle,
    /// Not safetensors, or damaged.
    #[error("it is not a safetensors file: {reason}")]
    NotSafetensors {
        /// What is wrong.
        reason: String,
    },
    /// What this program has written itself.
    #[error("it is a folded model of this program already: there is nothing to import")]
    AlreadyFolded,
    /// A name stands twice.
    #[error("tensor {tensor:?} stands twice")]
    Twice {
        /// Its name.
        tensor: String,
    },
    /// Not floating point.
    #[error(
        "tensor {tensor:?} is {dtype}{what}: only F32, F64, F16 and BF16 are read; --ignore {tensor:?} leaves it out"
    )]
    Dtype {
        /// Its name.
        tensor: String,
        /// As safetensors calls it.
        dtype: String,
        /// Kind that the name suggests, after a comma; empty if none.
        what: String,
    },
    /// NaN or infinite.
    #[error("tensor {tensor:?} has a value that is not finite: {value}")]
    NotFinite {
        /// Its name.
        tensor: String,
        /// NaN or infinity.
        value: f64,
    },
    /// A shape that no part of the network has.
    #[error("tensor {tensor:?} has shape {found:?}: {reason}")]
    Shape {
        /// Its name.
        tensor: String,
        /// As stored.
        found: Vec<usize>,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A name that says nothing.
    #[error(
        "tensor {tensor:?} {found:?} is {what}, no part of an embedding, linear layers and BatchNorms: if the logits \
         do not depend on it, --ignore {tensor:?}"
    )]
    Extra {
        /// Its name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// Kind that the name suggests.
        what: &'static str,
    },
    /// `--ignore` names nothing.
    #[error("--ignore {name:?}: no tensor, module or first part of a name is called so")]
    NothingToIgnore {
        /// The name given.
        name: String,
    },
    /// A module has one of each.
    #[error("tensors {first:?} and {second:?} are the same part of one module")]
    SamePart {
        /// A name.
        first: String,
        /// The other.
        second: String,
    },
    /// One is needed that is not there.
    #[error("{tensor} is missing: {reason}")]
    Missing {
        /// Its name as it would be.
        tensor: String,
        /// What needs it.
        reason: String,
    },
    /// Too few matrices.
    #[error("it has {found} matrices: an embedding, at least one level and the output layer are needed")]
    TooFew {
        /// Matrices found.
        found: usize,
    },
    /// No embedding.
    #[error(
        "no embedding: {tensor:?} comes first and has a bias or a BatchNorm, which an embedding has not; if another \
         is the embedding, give all layers as --order EMBEDDING,...,OUTPUT"
    )]
    NoEmbedding {
        /// The first matrix.
        tensor: String,
    },
    /// Names do not say which comes first. A golden file does.
    #[error(
        "{first:?} and {second:?} have one shape, and their names do not say which comes first: give all layers as \
         --order EMBEDDING,...,OUTPUT, or logits as --golden FILE"
    )]
    Order {
        /// A module.
        first: String,
        /// Another.
        second: String,
    },
    /// `--order` does not fit the file.
    #[error("--order: {reason}; the modules with a matrix are {modules}")]
    BadOrder {
        /// What is wrong.
        reason: String,
        /// Those of the file.
        modules: String,
    },
    /// A matrix does not fit the layer below it.
    #[error("tensor {tensor:?} {found:?}{transposed} does not follow {below:?}: {reason}")]
    Chain {
        /// Its name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// Empty, or that it was taken as transposed.
        transposed: &'static str,
        /// The tensor below.
        below: String,
        /// What would fit.
        reason: String,
    },
    /// Both ways of storing matrices fit.
    #[error(
        "the shapes fit whether matrices are [fan_out, fan_in], as in nn.Linear, or [fan_in, fan_out], as in the \
         lecture's Linear: say --not-transposed or --transposed, or give logits as --golden FILE"
    )]
    Ambiguous,
    /// One way was asked for and the other fits.
    #[error("with {flag} the shapes do not fit, without it they do: {source}")]
    OtherWay {
        /// The flag given.
        flag: &'static str,
        /// What does not fit.
        source: Box<ImportError>,
    },
    /// A vector is not as long as its layer is wide.
    #[error("tensor {tensor:?} has {found} values, {layer:?} gives {expected}")]
    Channels {
        /// Its name.
        tensor: String,
        /// Its length.
        found: usize,
        /// The weight of the layer.
        layer: String,
        /// Its fan-out.
        expected: usize,
    },
    /// The lecture's bug.
    #[error(
        "tensor {tensor:?} {found:?} has statistics per position, as a BatchNorm has that takes them over the batch \
         alone: they make another matrix of every position, and cannot be folded into one"
    )]
    PerPosition {
        /// Its name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A BatchNorm belongs to no layer.
    #[error("BatchNorm {module:?} ({tensor:?}): {reason}")]
    Unpaired {
        /// The module.
        module: String,
        /// One of its tensors.
        tensor: String,
        /// Why.
        reason: String,
    },
    /// A variance that no batch has.
    #[error("tensor {tensor:?} is {value} in channel {channel}: {reason}")]
    Variance {
        /// Its name.
        tensor: String,
        /// The value.
        value: f64,
        /// Which.
        channel: usize,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// Larger than an f32.
    #[error("tensor {tensor:?}: its values are too large for f32, or become so when BatchNorm is folded in")]
    Overflow {
        /// The weight.
        tensor: String,
    },
    /// The activation asked for has another number of rows per value than the file.
    #[error("--activation {name}: {reason}", name = .activation.name())]
    Activation {
        /// The activation that was asked for.
        activation: Activation,
        /// What the file has.
        reason: String,
    },
    /// A role that was guessed may be wrong.
    #[error(
        "{source}; {embedding:?} was taken for the embedding and {output:?} for the output layer: if they are others, \
         give all layers as --order EMBEDDING,...,OUTPUT"
    )]
    Roles {
        /// Taken for the embedding.
        embedding: String,
        /// Taken for the output layer.
        output: String,
        /// What does not fit.
        source: Box<ImportError>,
    },
    /// Several matrices can be the embedding.
    #[error(
        "{first:?} and {second:?} can both be the embedding: give all layers as --order EMBEDDING,...,OUTPUT, or \
         logits as --golden FILE"
    )]
    Embedding {
        /// A module.
        first: String,
        /// Another.
        second: String,
    },
    /// A way around a level.
    #[error(
        "tensor {tensor:?} {found:?} looks like {what}: what goes around a level has no place in this network, where \
         a level reads only the level below and its activation is the last step; it has to be trained without"
    )]
    Residual {
        /// Its name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// Kind that the name or the place suggests.
        what: &'static str,
    },
    /// A vocabulary does not say which character ends a word.
    #[error(
        "the vocabulary {vocab} does not say which character is the boundary, which pads the context and ends a word: \
         say --boundary CHARACTER"
    )]
    Boundary {
        /// The vocabulary, or its beginning.
        vocab: String,
    },
    /// `--boundary` or a sign of the vocabulary cannot be one.
    #[error("{0}")]
    BadBoundary(String),
    /// Outside the runtime's limits.
    #[error("no runtime would run it: {0}")]
    Dimensions(#[from] FormatError),
    /// It cannot be packed.
    #[error("{reason}")]
    Packing {
        /// Why.
        reason: String,
    },
    /// The vocabulary is none.
    #[error("--vocab: {0}")]
    BadVocabulary(FormatError),
    /// The vocabulary does not fit.
    #[error("the vocabulary has {found} characters, the boundary included; tensor {tensor:?} has {rows} rows{hint}")]
    Vocabulary {
        /// Characters given.
        found: usize,
        /// The embedding.
        tensor: String,
        /// Its rows.
        rows: usize,
        /// What may have happened.
        hint: &'static str,
    },
}
