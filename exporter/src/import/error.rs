//! Errors of an import, one line each.

use runtime::{Activation, FormatError};

/// Python commands that convert a pickle to safetensors.
const RECIPE: &str = "import torch; from safetensors.torch import save_file; \
                      save_file(torch.load(\"notebook.pt\", weights_only=True), \"notebook.safetensors\")";

/// Reason why a file cannot be imported. Messages name tensors as the file does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file was written by `torch.save`.
    #[error(
        "it is a pickle of torch.save, which this program does not read, because pickles can run code; convert it in \
         Python: {RECIPE}"
    )]
    Pickle,
    /// The file is not safetensors, or is damaged.
    #[error("it is not a safetensors file: {reason}")]
    NotSafetensors {
        /// The fault.
        reason: String,
    },
    /// This program wrote the file.
    #[error("it is already a folded model of this program: use it without import")]
    AlreadyFolded,
    /// Two tensors have the same name.
    #[error("the file has two tensors named {tensor:?}")]
    Twice {
        /// Name of both tensors.
        tensor: String,
    },
    /// A tensor is not floating point.
    #[error(
        "tensor {tensor:?} is {dtype}{what}, but only F32, F64, F16 and BF16 can be imported; to leave it out: \
         --ignore {tensor:?}"
    )]
    Dtype {
        /// Name of the tensor.
        tensor: String,
        /// Type, as safetensors names it.
        dtype: String,
        /// Kind that the name suggests, after a comma; empty if none.
        what: String,
    },
    /// A value is NaN or infinite.
    #[error("tensor {tensor:?} has a value that is not finite: {value}")]
    NotFinite {
        /// Name of the tensor.
        tensor: String,
        /// NaN or infinity.
        value: f64,
    },
    /// A shape fits no part of the network.
    #[error("tensor {tensor:?} has shape {found:?}: {reason}")]
    Shape {
        /// Name of the tensor.
        tensor: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// The fault.
        reason: &'static str,
    },
    /// A tensor belongs to no known module.
    #[error(
        "tensor {tensor:?} {found:?} is {what}, which does not belong to an embedding, a linear layer or a BatchNorm: \
         if the logits do not depend on it, leave it out with --ignore {tensor:?}"
    )]
    Extra {
        /// Name of the tensor.
        tensor: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Kind that the name suggests.
        what: &'static str,
    },
    /// `--ignore` matches no tensor.
    #[error("--ignore {name:?}: the file has no tensor or module of this name, and no name that begins with it")]
    NothingToIgnore {
        /// Name in the option.
        name: String,
    },
    /// Two tensors have the same role in a module.
    #[error("tensors {first:?} and {second:?} are the same part of one module")]
    SamePart {
        /// Name of the first tensor.
        first: String,
        /// Name of the second tensor.
        second: String,
    },
    /// A necessary tensor is missing.
    #[error("{tensor} is missing: {reason}")]
    Missing {
        /// Name that the tensor would have.
        tensor: String,
        /// Reason why it is necessary.
        reason: String,
    },
    /// The file has too few matrices.
    #[error("it has {found} matrices, but an embedding, at least one level and the output layer are needed")]
    TooFew {
        /// Number of matrices found.
        found: usize,
    },
    /// No matrix can be the embedding.
    #[error(
        "no embedding: the first matrix {tensor:?} has a bias or a BatchNorm, which an embedding does not have; if \
         another matrix is the embedding, name all layers: --order EMBEDDING,...,OUTPUT"
    )]
    NoEmbedding {
        /// First matrix.
        tensor: String,
    },
    /// Names do not say the order of two layers. A golden file does.
    #[error(
        "{first:?} and {second:?} have the same shape, and their names do not say which comes first: name all layers \
         with --order EMBEDDING,...,OUTPUT, or add logits with --golden FILE"
    )]
    Order {
        /// First module.
        first: String,
        /// Second module.
        second: String,
    },
    /// `--order` does not fit the file.
    #[error("--order: {reason}; the modules with a matrix are {modules}")]
    BadOrder {
        /// The fault.
        reason: String,
        /// Modules of the file.
        modules: String,
    },
    /// A matrix does not fit the layer below it.
    #[error("tensor {tensor:?} {found:?}{transposed} does not fit on {below:?}: {reason}")]
    Chain {
        /// Name of the tensor.
        tensor: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Note that the tensor was read as transposed, or empty.
        transposed: &'static str,
        /// Tensor of the layer below.
        below: String,
        /// The fault.
        reason: String,
    },
    /// Both ways of storing matrices fit.
    #[error(
        "the shapes fit both for matrices [fan_out, fan_in], as in nn.Linear, and [fan_in, fan_out], as in the \
         lecture's Linear: add --not-transposed or --transposed, or logits with --golden FILE"
    )]
    Ambiguous,
    /// The option asks for one way of storing matrices, and only the other fits.
    #[error("with {flag} the shapes do not fit, without it they do: {source}")]
    OtherWay {
        /// The option.
        flag: &'static str,
        /// Error with the option.
        source: Box<ImportError>,
    },
    /// A vector does not have one value per row of its layer.
    #[error("tensor {tensor:?} has {found} values, but {layer:?} has {expected} rows")]
    Channels {
        /// Name of the tensor.
        tensor: String,
        /// Length of the tensor.
        found: usize,
        /// Weight of the layer.
        layer: String,
        /// Number of rows of the layer.
        expected: usize,
    },
    /// A BatchNorm has the lecture's bug.
    #[error(
        "tensor {tensor:?} {found:?} has statistics per position, as a BatchNorm over the batch only: folded, every \
         position would have another matrix, so it cannot be imported; train with a BatchNorm over batch and positions"
    )]
    PerPosition {
        /// Name of the tensor.
        tensor: String,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A BatchNorm belongs to no layer.
    #[error("BatchNorm {module:?} ({tensor:?}): {reason}")]
    Unpaired {
        /// Module of the BatchNorm.
        module: String,
        /// Tensor of the BatchNorm.
        tensor: String,
        /// The fault.
        reason: String,
    },
    /// A variance or deviation is impossible.
    #[error("tensor {tensor:?} is {value} in channel {channel}: {reason}")]
    Variance {
        /// Name of the tensor.
        tensor: String,
        /// The value.
        value: f64,
        /// Channel of the value.
        channel: usize,
        /// The fault.
        reason: &'static str,
    },
    /// A value is too large for f32.
    #[error("tensor {tensor:?}: its values are too large for f32, or become too large when BatchNorm is folded in")]
    Overflow {
        /// Weight of the layer.
        tensor: String,
    },
    /// The chosen activation does not fit the file.
    #[error("--activation {name}: {reason}", name = .activation.name())]
    Activation {
        /// Activation in the option.
        activation: Activation,
        /// The fault.
        reason: String,
    },
    /// A layer does not fit, maybe because of a wrong guess.
    #[error(
        "{source}; this assumes that {embedding:?} is the embedding and {output:?} the output layer: if that is wrong, \
         name all layers with --order EMBEDDING,...,OUTPUT"
    )]
    Roles {
        /// Assumed embedding.
        embedding: String,
        /// Assumed output layer.
        output: String,
        /// Error with these roles.
        source: Box<ImportError>,
    },
    /// Several matrices can be the embedding.
    #[error(
        "{first:?} and {second:?} can both be the embedding: name all layers with --order EMBEDDING,...,OUTPUT, or add \
         logits with --golden FILE"
    )]
    Embedding {
        /// First module.
        first: String,
        /// Second module.
        second: String,
    },
    /// The network has a connection around a level.
    #[error(
        "tensor {tensor:?} {found:?} looks like {what}, which this program does not support: a level reads only the \
         level below, and its activation is the last step; train the network without it"
    )]
    Residual {
        /// Name of the tensor.
        tensor: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Kind that the name or the module suggests.
        what: &'static str,
    },
    /// A vocabulary does not say which character is the boundary.
    #[error(
        "the vocabulary {vocab} does not say which character is the boundary, which pads the context and ends a word: \
         name it with --boundary CHARACTER"
    )]
    Boundary {
        /// The vocabulary or its beginning.
        vocab: String,
    },
    /// The boundary or a sign of the vocabulary cannot be used.
    #[error("{0}")]
    BadBoundary(String),
    /// The network is outside the runtime's limits.
    #[error("the network exceeds the limits of the runtime: {0}")]
    Dimensions(#[from] FormatError),
    /// The network cannot be packed.
    #[error("{reason}")]
    Packing {
        /// The fault.
        reason: String,
    },
    /// The vocabulary is invalid.
    #[error("--vocab: {0}")]
    BadVocabulary(FormatError),
    /// The vocabulary has another number of characters than the embedding has rows.
    #[error(
        "the vocabulary has {found} characters, the boundary included, but tensor {tensor:?} has {rows} rows{hint}"
    )]
    Vocabulary {
        /// Number of characters.
        found: usize,
        /// Name of the embedding.
        tensor: String,
        /// Rows of the embedding.
        rows: usize,
        /// Possible cause, or empty.
        hint: &'static str,
    },
}
