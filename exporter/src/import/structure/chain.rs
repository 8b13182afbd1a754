//! Fourth pass: the storage of matrices, the fuse of each level, and the inputs of the output layer.

use runtime::limits::MAX_FUSE;

use super::modules::Matrix;
use super::{Layer, Orientation};
use crate::import::ImportError;

/// Interpretation of the shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Storage of the matrices; convolutions have only one.
    pub(super) orientation: Orientation,
    /// `true` if the units are gated: two rows per value of a level.
    pub(super) gated: bool,
    /// `true` if the output layer reads all levels.
    pub(super) skip: bool,
}

/// Returns the storage of the matrices, and the layers with their fuses.
pub(super) fn oriented(
    embedding: &Matrix,
    layers: &[Matrix],
    asked: Option<Orientation>,
    (gated, skip): (bool, bool),
) -> Result<(Orientation, Vec<Layer>), ImportError> {
    let both = [Orientation::FanOutFanIn, Orientation::FanInFanOut];
    let [as_is, transposed] = both.map(|orientation| chain(embedding, layers, Form { orientation, gated, skip }));
    match (asked, as_is, transposed) {
        // If all layers are convolutions, both ways are the same.
        (None, Ok(as_is), Ok(transposed)) if as_is == transposed && only_convolutions(layers) => Ok((both[0], as_is)),
        (None, Ok(_), Ok(_)) => Err(ImportError::Ambiguous),
        (None | Some(Orientation::FanOutFanIn), Ok(layers), _) => Ok((both[0], layers)),
        (None | Some(Orientation::FanInFanOut), _, Ok(layers)) => Ok((both[1], layers)),
        (Some(Orientation::FanOutFanIn), Err((_, source)), Ok(_)) => {
            Err(ImportError::OtherWay { flag: "--not-transposed", source: Box::new(source) })
        }
        (Some(Orientation::FanInFanOut), Ok(_), Err((_, source))) => {
            Err(ImportError::OtherWay { flag: "--transposed", source: Box::new(source) })
        }
        // The error of the way that fits more layers is the more helpful one.
        (_, Err((first, as_is)), Err((second, transposed))) => Err(if second > first { transposed } else { as_is }),
    }
}

fn only_convolutions(layers: &[Matrix]) -> bool {
    layers.iter().all(|layer| layer.kernel.is_some())
}

/// Returns the layers if the shapes fit this form; otherwise the number of layers that fit, and the error of the next
/// one.
pub(super) fn chain(embedding: &Matrix, matrices: &[Matrix], form: Form) -> Result<Vec<Layer>, (usize, ImportError)> {
    let [vocab_size, mut width] = embedding.shape;
    let mut below = embedding;
    // Number of values that an output layer with skip connections reads.
    let mut sum = 0_usize;
    let mut layers: Vec<Layer> = Vec::new();
    for (index, matrix) in matrices.iter().enumerate() {
        let refuse = |reason: String| {
            let turned = form.orientation == Orientation::FanInFanOut && matrix.kernel.is_none();
            let error = ImportError::Chain {
                tensor: matrix.weight.clone(),
                found: shape(matrix),
                transposed: if turned { ", read as [fan_in, fan_out]," } else { "" },
                below: below.weight.clone(),
                reason,
            };
            (index, error)
        };
        let layer = if index + 1 == matrices.len() {
            output(matrix, form, [width, sum, vocab_size]).map_err(refuse)?
        } else {
            level(matrix, form, width).map_err(refuse)?
        };
        width = layer.rows() / if form.gated { 2 } else { 1 };
        sum = sum.saturating_add(width);
        below = matrix;
        layers.push(layer);
    }
    Ok(layers)
}

/// Returns the shape of a matrix as stored, without dimensions of one position.
fn shape(matrix: &Matrix) -> Vec<usize> {
    matrix.shape.into_iter().chain(matrix.kernel).collect()
}

/// Returns the level above nodes of `width` values, or the reason why the matrix is no such level.
fn level(matrix: &Matrix, form: Form, width: usize) -> Result<Layer, String> {
    let (fan_in, fan_out) = matrix.fans(form.orientation);
    let channels = matrix.shape[1];
    match matrix.kernel {
        Some(kernel) if kernel > 1 && channels != width => {
            let reason = if width.is_multiple_of(channels) {
                "grouped convolutions are not supported"
            } else {
                "the two numbers must be equal"
            };
            return Err(format!(
                "the convolution reads {channels} channels, but the level below has {width} values: {reason}"
            ));
        }
        _ if !fan_in.is_multiple_of(width) => {
            return Err(format!("it reads {fan_in} values, which is no multiple of the {width} values below it"));
        }
        _ => {}
    }
    let fuse = fan_in / width;
    if fuse < 2 {
        return Err(format!(
            "it reads {fan_in} values, only one neighbour of {width} values: a level fuses at least 2"
        ));
    }
    if fuse > MAX_FUSE {
        return Err(format!("it would fuse {fuse} neighbours of {width} values, but the limit is {MAX_FUSE}"));
    }
    let layer = layer(matrix, form.orientation, fuse);
    if form.gated && !layer.rows().is_multiple_of(2) {
        return Err(format!("it has {fan_out} rows, an odd number, but gated units need two rows per value"));
    }
    Ok(layer)
}

/// Returns the output layer above a level of `width` values, or above all levels with `sum` values; or the reason why
/// the matrix is no such layer.
fn output(matrix: &Matrix, form: Form, [width, sum, vocab_size]: [usize; 3]) -> Result<Layer, String> {
    let (fan_in, fan_out) = matrix.fans(form.orientation);
    if matrix.gate.is_some() {
        return Err("the output layer cannot have gates".to_owned());
    }
    if form.skip && fan_in != sum {
        return Err(format!(
            "with skip connections the output layer reads all {sum} values of the levels, not {fan_in}"
        ));
    }
    if !form.skip && fan_in != width {
        return Err(format!(
            "the output layer reads {fan_in} values, but the last level has {width} and all levels have {sum}"
        ));
    }
    if matrix.kernel.is_some_and(|kernel| kernel > 1) {
        return Err("the output layer cannot be a convolution over several positions".to_owned());
    }
    if fan_out != vocab_size {
        return Err(format!("the output layer must have {vocab_size} rows, one per character, not {fan_out}"));
    }
    Ok(layer(matrix, form.orientation, 1))
}

fn layer(matrix: &Matrix, orientation: Orientation, fuse: usize) -> Layer {
    let (fan_in, fan_out) = matrix.fans(orientation);
    Layer {
        module: matrix.module.clone(),
        weight: matrix.weight.clone(),
        kernel: matrix.kernel,
        bias: matrix.bias.clone(),
        batch_norm: matrix.norm.clone(),
        fan_in,
        fan_out,
        fuse,
        gate: matrix.gate.as_ref().map(|gate| Box::new(layer(gate, orientation, fuse))),
    }
}
