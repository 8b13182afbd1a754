use alloc::vec::Vec;

use runtime::Model;
use runtime::format::{AlignedBlob, Core, Layout};
use runtime::limits::MAX_LEVELS;
use runtime::write::{EncodeError, relayout};

use crate::bytes::bytes_read;
use crate::terms::{Network, Terms};

/// Memory and work of a model on a core, as far as they follow from the model itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// Size of the model in the layout of the core.
    pub model_bytes: usize,
    /// Size of the model's state.
    pub state_bytes: usize,
    /// Bytes of the model that are read per character.
    pub bytes_read: usize,
    /// Terms of each level, of the output layer, of drawing, and of the code between them.
    pub parts: Vec<Terms>,
}

impl Work {
    /// Returns the work of a model on a core.
    ///
    /// The model can have any layout: integers are counted in the layout of the core. `blob_len` is the length of the
    /// blob that the model was read from.
    ///
    /// # Errors
    /// [`EncodeError`] if the model cannot have the layout of the core.
    pub fn of(model: &Model<'_>, blob_len: usize, core: Core) -> Result<Self, EncodeError> {
        let (layout, model_bytes, state_words) = if model.precision().is_integer() {
            let blob = AlignedBlob::from(relayout(model, core.layout())?.as_slice());
            (core.layout(), blob.as_bytes().len(), Model::new(blob.as_bytes())?.state_words())
        } else {
            (Layout::Rows8, blob_len, model.state_words())
        };
        Ok(Self {
            model_bytes,
            // Size of `runtime::State`: its words, and a 16-bit counter per ring for the largest number of rings.
            state_bytes: size_of::<u32>() * state_words + size_of::<u16>() * MAX_LEVELS,
            bytes_read: bytes_read(model, layout),
            parts: Network::of(model, core).parts(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::format::Precision;

    /// The shipped model and the smallest one, each in every precision.
    const BLOBS: [(&str, Precision, &[u8]); 6] = [
        ("names", Precision::F32, include_bytes!("../../../models/names.blob")),
        ("names", Precision::Int8, include_bytes!("../../../models/names.int8.blob")),
        ("names", Precision::Int4, include_bytes!("../../../models/names.int4.blob")),
        ("tiny", Precision::F32, include_bytes!("../../../models/tiny.blob")),
        ("tiny", Precision::Int8, include_bytes!("../../../models/tiny.int8.blob")),
        ("tiny", Precision::Int4, include_bytes!("../../../models/tiny.int4.blob")),
    ];

    #[test]
    fn figures_are_those_of_the_cores_own_blob() {
        for (name, precision, bytes) in BLOBS {
            let blob = AlignedBlob::from(bytes);
            let model = Model::new(blob.as_bytes()).unwrap();
            assert_eq!(model.precision(), precision, "{name}");
            for &core in Core::ALL {
                let work = Work::of(&model, bytes.len(), core).unwrap();
                // Levels, the output layer, drawing, and the code between them.
                assert_eq!(work.parts.len(), model.config().levels().len() + 3, "{name} on {}", core.name());
                assert!(work.parts.iter().all(|terms| !terms.is_empty()));
                assert!(work.bytes_read > 0 && work.bytes_read < work.model_bytes);
                if !precision.is_integer() {
                    assert_eq!((work.model_bytes, work.state_bytes), (bytes.len(), 4 * model.state_words() + 16));
                    continue;
                }
                let own = AlignedBlob::from(relayout(&model, core.layout()).unwrap().as_slice());
                let own_model = Model::new(own.as_bytes()).unwrap();
                assert_eq!(work.model_bytes, own.as_bytes().len(), "{name} on {}", core.name());
                assert_eq!(work.state_bytes, 4 * own_model.state_words() + 16, "{name} on {}", core.name());
                // The layout in which the model comes makes no difference.
                assert_eq!(work, Work::of(&own_model, own.as_bytes().len(), core).unwrap(), "{name}");
            }
        }
    }

    #[test]
    fn the_parts_of_a_blob_add_up_to_its_length() {
        for (name, _, bytes) in BLOBS {
            let blob = AlignedBlob::from(bytes);
            let model = Model::new(blob.as_bytes()).unwrap();
            let sum: usize = crate::bytes::parts(&model, bytes).iter().map(|(_, bytes)| bytes).sum();
            assert_eq!(sum, bytes.len(), "{name} in {}", model.precision().name());
        }
    }
}
