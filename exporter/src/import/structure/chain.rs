//! Fourth pass: how matrices are stored, and how many positions each level fuses.

use runtime::limits::MAX_FUSE;

use super::modules::Matrix;
use super::{Layer, Orientation};
use crate::import::ImportError;

/// Returns how matrices are stored, and the layers with their fuse factors.
pub(super) fn oriented(
    embedding: &Matrix,
    layers: &[Matrix],
    asked: Option<Orientation>,
) -> Result<(Orientation, Vec<Layer>), ImportError> {
    let both = [Orientation::FanOutFanIn, Orientation::FanInFanOut];
    let [as_is, transposed] = both.map(|orientation| chain(embedding, layers, orientation));
    match (asked, as_is, transposed) {
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

/// Returns the layers if matrices are stored that way; otherwise how many fit, and what does not.
fn chain(
    embedding: &Matrix,
    matrices: &[Matrix],
    orientation: Orientation,
) -> Result<Vec<Layer>, (usize, ImportError)> {
    let [vocab_size, mut width] = embedding.shape;
    let mut below = embedding;
    let mut layers: Vec<Layer> = Vec::new();
    for (index, matrix) in matrices.iter().enumerate() {
        let (fan_in, fan_out) = matrix.fans(orientation);
        let refuse = |reason: String| {
            let error = ImportError::Chain {
                tensor: matrix.weight.clone(),
                found: matrix.shape.to_vec(),
                transposed: if orientation == Orientation::FanInFanOut { ", taken as [fan_in, fan_out]," } else { "" },
                below: below.weight.clone(),
                reason,
            };
            (index, error)
        };
        let last = index + 1 == matrices.len();
        let fuse = fan_in / width;
        if last && fan_in != width {
            let why = "skip connections and fusing before the output layer are not imported";
            return Err(refuse(format!("the output layer reads {fan_in} values, of {width}; {why}")));
        }
        if last && fan_out != vocab_size {
            return Err(refuse(format!("the last layer must give {vocab_size} logits, not {fan_out}")));
        }
        if !last && fan_in % width != 0 {
            return Err(refuse(format!("it reads {fan_in} values, no multiple of the {width} below it")));
        }
        if !last && fuse < 2 {
            return Err(refuse(format!("it reads {fan_in} values, one position of {width}: a level fuses at least 2")));
        }
        if fuse > MAX_FUSE {
            return Err(refuse(format!("it would fuse {fuse} positions of {width}, at most {MAX_FUSE} are possible")));
        }
        layers.push(Layer {
            module: matrix.module.clone(),
            weight: matrix.weight.clone(),
            bias: matrix.bias.clone(),
            batch_norm: matrix.norm.clone(),
            fan_in,
            fan_out,
            fuse,
        });
        width = fan_out;
        below = matrix;
    }
    Ok(layers)
}
