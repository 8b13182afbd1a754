//! Networks of every kind that can be imported: compared with the logits of `tests/fixtures/make_network_fixtures.py`,
//! and with PyTorch's logits if they are next to the repository.

use std::path::{Path, PathBuf};

use exporter::import::{Alphabet, Options, StateDict, fold_alphabet, readings, understand};
use exporter::measure::eval::golden::{Agreement, Golden, GoldenError};
use exporter::measure::eval::settle::{Settled, settle};
use exporter::model::file::{FoldedModel, Origin};
use exporter::model::pack::pack_f32;
use runtime::{Activation, Model};

use super::common::workspace;

/// Largest |delta logit| of f32: measured 2e-7 to 3e-6.
const TOLERANCE: f64 = 1e-5;

/// Returns the paths of a fixture in `tests/fixtures/networks` and of its golden file.
pub fn files(name: &str) -> (PathBuf, PathBuf) {
    let path = |end: &str| workspace("tests/fixtures/networks").join(format!("{name}{end}.safetensors"));
    (path(""), path("_golden"))
}

/// Imports a file with its golden file. Returns the model, the golden logits in the model's order, and the choices that
/// the golden file made.
pub fn settled(file: &Path, golden: &Path) -> (FoldedModel, Golden, Settled) {
    let state = StateDict::from_safetensors(&std::fs::read(file).unwrap()).unwrap();
    let golden = Golden::read(golden).unwrap();
    let settled = settle(&state, &Options::default(), None, &golden).unwrap();
    let rows = settled.structure.vocab_size;
    let padding = golden.padding().map(usize::from);
    let alphabet = Alphabet::find(&state.metadata["vocab"], rows, None, padding).unwrap();
    let options = Options { eps: settled.eps, ..Options::default() };
    let origin = Origin { preset: "imported".to_owned(), ..Origin::default() };
    let model = fold_alphabet(&state, &settled.structure, &options, &alphabet, origin).unwrap();
    (model, golden.reordered(&alphabet.rows).unwrap(), settled)
}

/// Imports a fixture with its golden file. Returns the model and the golden logits.
pub fn model(name: &str) -> (FoldedModel, Golden) {
    let (file, golden) = files(name);
    let (model, golden, _) = settled(&file, &golden);
    (model, golden)
}

fn agreement(model: &FoldedModel, golden: &Golden) -> Agreement {
    golden.compare(&Model::new(pack_f32(model).unwrap().as_bytes()).unwrap()).unwrap()
}

#[test]
fn every_kind_has_the_logits_of_its_definition() {
    use Activation::{Gated, Relu, Tanh};
    // Activation, gates first, skip connections, the last level first.
    for (name, activation, gates_first, skip, reversed) in [
        ("relu", Relu, false, false, false),
        ("boundary_last", Tanh, false, false, false),
        ("conv_strided", Tanh, false, false, false),
        ("conv_dilated", Relu, false, false, false),
        ("gated_pairs", Gated, false, false, false),
        ("gated_wide", Gated, false, true, false),
        ("gates_first", Gated, true, true, false),
        ("skip", Tanh, false, true, false),
        ("skip_last_first", Tanh, false, true, true),
    ] {
        let (file, golden) = files(name);
        let (model, golden, Settled { structure, .. }) = settled(&file, &golden);
        let found = (structure.activation, structure.gates_first, structure.skip, structure.skip_reversed);
        assert_eq!(found, (activation, gates_first, skip, reversed), "{name}");
        let found = agreement(&model, &golden);
        println!("{name}: {found:?}");
        assert!(found.max_abs_dlogit <= TOLERANCE && found.max_abs_dlogit > 0.0, "{name}: {found:?}");
    }
}

#[test]
fn names_and_shapes_decide_what_they_can() {
    // Without a golden file, import assumes the usual order, and the activation of --activation.
    for (name, activation) in [
        ("relu", Some(Activation::Relu)),
        ("conv_strided", None),
        ("conv_dilated", Some(Activation::Relu)),
        ("gated_pairs", None),
        ("gated_wide", None),
        ("gated_wide", Some(Activation::Gated)),
        ("skip", None),
    ] {
        let (file, golden) = files(name);
        let state = StateDict::from_safetensors(&std::fs::read(file).unwrap()).unwrap();
        let structure = understand(&state, &Options { activation, ..Options::default() }).unwrap();
        let (_, _, settled) = settled(&files(name).0, &golden);
        assert_eq!(structure, settled.structure, "{name}");
    }
}

#[test]
fn a_golden_file_that_fits_nothing_names_the_nearest() {
    let (file, golden) = files("skip");
    let state = StateDict::from_safetensors(&std::fs::read(file).unwrap()).unwrap();
    let options = Options { activation: Some(Activation::Relu), ..Options::default() };
    let error = settle(&state, &options, None, &Golden::read(&golden).unwrap()).unwrap_err();
    assert!(matches!(error, GoldenError::NoneFits { tried: 2, .. }), "{error}");
    assert!(error.to_string().contains("relu after every level; skip connections"), "{error}");
    // A golden file of another network.
    let error = settle(&state, &Options::default(), None, &Golden::read(&files("conv_dilated").1).unwrap());
    assert!(matches!(error.unwrap_err(), GoldenError::OtherModel { found: 6, expected: 4, .. }));
}

#[test]
fn a_golden_file_settles_squares_and_orders() {
    use super::file::{File, numbers};
    // Levels of the same square shape, with names that have no numbers.
    let mut file = File::default();
    file.add("emb.weight", &[8, 4], &numbers(32, 1));
    for (seed, name) in [(2, "one"), (3, "two"), (4, "three")] {
        file.add(&format!("{name}.weight"), &[8, 8], &numbers(64, seed).iter().map(|x| 2.0 * x).collect::<Vec<_>>());
    }
    file.add("out.weight", &[8, 8], &numbers(64, 5));
    // With gated units, eight rows are four values.
    let state = StateDict::from_safetensors(&file.bytes()).unwrap();
    let options = Options { activation: Some(Activation::Gated), ..Options::default() };
    assert!(readings(&state, &options).is_err(), "the output layer reads eight values, not four");
    file.set("out.weight", &[8, 4], &numbers(32, 5));
    let state = StateDict::from_safetensors(&file.bytes()).unwrap();
    let all = readings(&state, &Options::default()).unwrap();
    assert_eq!(all.len(), 12, "every order of three levels, and two matrices that can be the embedding");
    assert!(understand(&state, &Options::default()).is_err());
    // Golden logits of one of these networks.
    let chosen = all.iter().find(|structure| structure.levels[0].module == "two").unwrap();
    let vocab = ".abcdefg";
    let alphabet = Alphabet::in_order(vocab);
    let model = fold_alphabet(&state, chosen, &Options::default(), &alphabet, Origin::default()).unwrap();
    let golden = logits_of(&model);
    let settled = settle(&state, &Options::default(), None, &golden).unwrap();
    assert_eq!(settled.structure.levels, chosen.levels);
}

/// Computes golden logits with a model.
fn logits_of(model: &FoldedModel) -> Golden {
    use super::file::{File, f32s};
    let blob = pack_f32(model).unwrap();
    let model = Model::new(blob.as_bytes()).unwrap();
    let block_size = model.config().block_size();
    let mut state = runtime::HeapState::new(&model);
    let mut stream = runtime::Stream::new(&model, &mut state).unwrap();
    let (mut contexts, mut logits) = (Vec::new(), Vec::new());
    for row in 0..40_usize {
        stream.reset();
        for at in 0..block_size {
            let token = if at < row % block_size { 0 } else { (row * 7 + at * at * 3) % 8 };
            contexts.extend((token as i64).to_le_bytes());
            stream.push(token as u8);
        }
        let found = stream.logits();
        logits.extend((0..found.len()).map(|at| f64::from(found.get(at as u8).unwrap()) as f32));
    }
    let mut file = File::default();
    file.raw("contexts", "I64", &[40, block_size], contexts);
    file.raw("logits", "F32", &[40, 8], f32s(&logits));
    Golden::from_safetensors(&file.bytes()).unwrap()
}

/// Compares networks with logits that PyTorch computed on another machine.
#[test]
fn notebooks_of_pytorch_are_reproduced() {
    let folder = workspace("../shared/golden");
    for name in ["relu", "conv", "gated"] {
        let path = |end: &str| folder.join(format!("notebook_{name}{end}.safetensors"));
        if !path("").exists() {
            println!("skipped: {} is not there; only the committed networks are tested", path("").display());
            continue;
        }
        let (model, golden, settled) = settled(&path(""), &path("_golden"));
        let found = agreement(&model, &golden);
        println!("{name}: {}, {found:?}", settled.says);
        assert!(found.max_abs_dlogit <= TOLERANCE, "{name}: {found:?}");
    }
}
