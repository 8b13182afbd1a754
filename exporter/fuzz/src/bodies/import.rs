//! Reads arbitrary bytes as a `state_dict`, and as a model of this program.

use std::path::Path;

use runtime::{HeapState, Model};

use crate::import::{ImportError, Options, Orientation, StateDict, Structure, fold, readings, understand};
use crate::model::file::{FoldedModel, Origin};
use crate::model::pack::pack_f32;

/// Imports the bytes, folds and packs the networks in them; returns how many ways to read them led to a network.
pub fn import(bytes: &[u8]) -> usize {
    if let Ok(model) = FoldedModel::from_safetensors(bytes, Path::new("model")) {
        check(&model);
    }
    let state = match StateDict::from_safetensors(bytes) {
        Ok(state) => state,
        Err(error) => {
            check_message(&error);
            return 0;
        }
    };
    let order: Vec<String> =
        state.tensors.keys().filter_map(|name| Some(name.rsplit_once('.')?.0.to_owned())).collect();
    let ways = [
        Options::default(),
        Options { orientation: Some(Orientation::FanInFanOut), ..Options::default() },
        Options { order, eps: 0.0, ..Options::default() },
    ];
    // The networks among which a golden file would choose.
    for structure in readings(&state, &Options::default()).inspect_err(check_message).unwrap_or_default().iter().take(8)
    {
        let _ = folded(&state, structure, &Options::default()).inspect_err(check_message);
    }
    ways.iter().filter(|options| network(&state, options).inspect_err(check_message).is_ok()).count()
}

fn network(state: &StateDict, options: &Options) -> Result<(), ImportError> {
    folded(state, &understand(state, options)?, options)
}

fn folded(state: &StateDict, structure: &Structure, options: &Options) -> Result<(), ImportError> {
    let vocab = match state.metadata.get("vocab") {
        Some(vocab) => vocab.clone(),
        None => ('.'..).take(structure.vocab_size).collect(),
    };
    check(&fold(state, structure, options, &vocab, Origin::default())?);
    Ok(())
}

/// Checks that an error is one line.
fn check_message(error: &ImportError) {
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text:?}");
}

/// Checks that a model is the same after writing and reading, and that it runs if the runtime accepts it.
fn check(model: &FoldedModel) {
    let bytes = model.to_safetensors();
    let again = FoldedModel::from_safetensors(&bytes, Path::new("model")).expect("what was written is read");
    assert_eq!(again.to_safetensors(), bytes);
    if let Ok(blob) = pack_f32(model) {
        let model = Model::new(blob.as_bytes()).expect("what was packed is read");
        assert_eq!(model.self_test(&mut HeapState::new(&model)), Ok(()));
    }
}
