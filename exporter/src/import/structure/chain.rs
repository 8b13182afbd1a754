//! Fourth pass: how matrices are stored, how many positions each level fuses, and what the output layer reads.

use runtime::limits::MAX_FUSE;

use super::modules::Matrix;
use super::{Layer, Orientation};
use crate::import::ImportError;

/// A reading of the shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// How matrices are stored; convolutions are always stored one way.
    pub(super) orientation: Orientation,
    /// Whether two rows make a value of a level.
    pub(super) gated: bool,
    /// Whether the output layer reads all levels.
    pub(super) skip: bool,
}

/// Returns how matrices are stored, and the layers with their fuse factors.
pub(super) fn oriented(
    embedding: &Matrix,
    layers: &[Matrix],
    asked: Option<Orientation>,
    (gated, skip): (bool, bool),
) -> Result<(Orientation, Vec<Layer>), ImportError> {
    let both = [Orientation::FanOutFanIn, Orientation::FanInFanOut];
    let [as_is, transposed] = both.map(|orientation| chain(embedding, layers, Form { orientation, gated, skip }));
    match (asked, as_is, transposed) {
        // Convolutions alone are the same either way.
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
        // The way that fits further up says more about what is wrong.
        (_, Err((first, as_is)), Err((second, transposed))) => Err(if second > first { transposed } else { as_is }),
    }
}

fn only_convolutions(layers: &[Matrix]) -> bool {
    layers.iter().all(|layer| layer.kernel.is_some())
}

/// Returns the layers if the shapes are read that way; otherwise how many fit, and what does not.
pub(super) fn chain(embedding: &Matrix, matrices: &[Matrix], form: Form) -> Result<Vec<Layer>, (usize, ImportError)> {
    let [vocab_size, mut width] = embedding.shape;
    let mut below = embedding;
    // What an output layer with skip connections reads.
    let mut sum = 0_usize;
    let mut layers: Vec<Layer> = Vec::new();
    for (index, matrix) in matrices.iter().enumerate() {
        let refuse = |reason: String| {
            let turned = form.orientation == Orientation::FanInFanOut && matrix.kernel.is_none();
            let error = ImportError::Chain {
                tensor: matrix.weight.clone(),
                found: shape(matrix),
                transposed: if turned { ", taken as [fan_in, fan_out]," } else { "" },
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

/// The shape of a matrix as stored, but for positions of one.
fn shape(matrix: &Matrix) -> Vec<usize> {
    matrix.shape.into_iter().chain(matrix.kernel).collect()
}

/// A level above values of `width`, or why it is none.
fn level(matrix: &Matrix, form: Form, width: usize) -> Result<Layer, String> {
    let (fan_in, fan_out) = matrix.fans(form.orientation);
    let channels = matrix.shape[1];
    match matrix.kernel {
        Some(kernel) if kernel > 1 && channels != width => {
            let reason = if width.is_multiple_of(channels) {
                "groups: every row must read all channels"
            } else {
                "its channels must be the values of the level below"
            };
            return Err(format!("a convolution of {channels} channels a row reads values of {width}; {reason}"));
        }
        _ if !fan_in.is_multiple_of(width) => {
            return Err(format!("it reads {fan_in} values, no multiple of the {width} below it"));
        }
        _ => {}
    }
    let fuse = fan_in / width;
    if fuse < 2 {
        return Err(format!("it reads {fan_in} values, one position of {width}: a level fuses at least 2"));
    }
    if fuse > MAX_FUSE {
        return Err(format!("it would fuse {fuse} positions of {width}, at most {MAX_FUSE} are possible"));
    }
    let layer = layer(matrix, form.orientation, fuse);
    if form.gated && !layer.rows().is_multiple_of(2) {
        return Err(format!("it gives {fan_out} values, which are no two halves of gated units"));
    }
    Ok(layer)
}

/// The output layer above a level of `width`, or all levels of `sum` together; or why it is none.
fn output(matrix: &Matrix, form: Form, [width, sum, vocab_size]: [usize; 3]) -> Result<Layer, String> {
    let (fan_in, fan_out) = matrix.fans(form.orientation);
    if matrix.gate.is_some() {
        return Err("the output layer has no gates".to_owned());
    }
    if form.skip && fan_in != sum {
        return Err(format!("with skip connections the output layer reads all levels, {sum} values, not {fan_in}"));
    }
    if !form.skip && fan_in != width {
        let skip = format!("with skip connections it would read {sum}");
        return Err(format!("the output layer reads {fan_in} values, the last level gives {width}; {skip}"));
    }
    if matrix.kernel.is_some_and(|kernel| kernel > 1) {
        return Err("a convolution over several positions is no output layer".to_owned());
    }
    if fan_out != vocab_size {
        return Err(format!("the last layer must give {vocab_size} logits, not {fan_out}"));
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
