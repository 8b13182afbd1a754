//! Comparison with PyTorch: the committed networks, and the lecture's networks if they are next to the repository.

use std::path::Path;

use exporter::data::Words;
use exporter::import::{Options, StateDict, Structure, fold, understand};
use exporter::measure::eval::compare::{Candidate, Comparison};
use exporter::measure::eval::golden::{Agreement, Golden};
use exporter::measure::eval::runtime_loss;
use exporter::model::file::{FoldedModel, Origin};
use exporter::model::gptq::{calibration_contexts, quantize};
use exporter::model::pack::{ModelFile, pack_f32, pack_integer};
use exporter::model::quantize::Range;
use runtime::Model;
use runtime::format::{AlignedBlob, Layout};

use super::common::{words, workspace};

/// Largest |delta logit| of f32: measured 2e-6 to 7e-6, logits are of the order of ten.
const LOGIT_TOLERANCE: f64 = 1e-4;
/// Largest |delta nll| from PyTorch's printed loss: measured 3e-8.
const NLL_TOLERANCE: f64 = 1e-5;
/// Largest |nll(int8) - nll(f32)|: measured 0.0002.
const INT8_NLL_TOLERANCE: f64 = 0.001;
/// Largest divergence of int8 on the golden contexts, a third of which are chosen as extreme: measured 0.0004.
const INT8_KL_TOLERANCE: f64 = 0.001;

pub fn read(path: &Path, vocab: Option<&str>) -> (FoldedModel, Structure) {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let state = StateDict::from_safetensors(&bytes).unwrap();
    let options = Options::default();
    let structure = understand(&state, &options).unwrap();
    let vocab = vocab.map(str::to_owned).unwrap_or_else(|| state.metadata["vocab"].clone());
    let origin = Origin { preset: "imported".to_owned(), ..Origin::default() };
    (fold(&state, &structure, &options, &vocab, origin).unwrap(), structure)
}

/// Returns the path of a fixture in `tests/fixtures/pytorch`.
pub fn fixture(name: &str) -> std::path::PathBuf {
    workspace("tests/fixtures/pytorch").join(name)
}

/// Returns the vocabulary of `letters60`.
pub fn letters() -> String {
    Words::read(&fixture("letters60.txt")).unwrap().vocab().unwrap()
}

/// Reads two networks trained in PyTorch; see `tests/fixtures/make_pytorch_fixtures.py`.
pub fn fixtures() -> [(&'static str, FoldedModel, Structure); 2] {
    let (deep, deep_structure) = read(&fixture("deep16.safetensors"), None);
    let (letters, letters_structure) = read(&fixture("letters60.safetensors"), Some(&letters()));
    [("deep16", deep, deep_structure), ("letters60", letters, letters_structure)]
}

pub fn blobs(model: &FoldedModel, golden: &Golden) -> [(&'static str, AlignedBlob); 3] {
    let contexts = calibration_contexts(&golden.examples());
    let integers = |range| pack_integer(model, &quantize(model, &contexts, range), Layout::RowMajor).unwrap();
    [("f32", pack_f32(model).unwrap()), ("int8", integers(Range::INT8)), ("int4", integers(Range::INT4))]
}

fn agreement(golden: &Golden, blob: &AlignedBlob) -> Agreement {
    golden.compare(&Model::new(blob.as_bytes()).unwrap()).unwrap()
}

#[test]
fn committed_networks_compute_what_pytorch_computed() {
    for (name, model, structure) in fixtures() {
        let golden = Golden::read(&fixture(&format!("{name}_golden.safetensors"))).unwrap();
        assert_eq!((golden.rows(), golden.has_targets()), (64, true));
        assert_eq!(golden.block_size, structure.block_size());
        for (precision, blob) in blobs(&model, &golden) {
            let found = agreement(&golden, &blob);
            println!("{name} {precision}: {found:?}");
            let (logit, top1) = match precision {
                "f32" => (LOGIT_TOLERANCE, 100.0),
                "int8" => (0.5, 98.0),
                _ => (1.5, 90.0),
            };
            assert!(found.max_abs_dlogit <= logit && found.top1 >= top1, "{name} {precision}: {found:?}");
            // Zero would mean that the golden file is compared with itself.
            assert!(found.max_abs_dlogit > 0.0, "{name} {precision}");
        }
    }
}

#[test]
fn structures_are_understood() {
    let [(_, deep, deep_structure), (_, letters, letters_structure)] = fixtures();
    assert_eq!(deep_structure.block_size(), 16);
    assert_eq!((deep.architecture.n_embd, deep_structure.levels.len()), (12, 4));
    assert!(deep_structure.levels.iter().all(|level| (level.fuse, level.fan_out) == (2, 96)));
    assert!(deep_structure.levels.iter().all(|level| level.bias.is_some() && level.batch_norm.is_some()));
    assert_eq!(letters_structure.orientation, exporter::import::Orientation::FanInFanOut);
    assert_eq!(letters.vocab.chars().count(), 61);
    assert!(letters.vocab.chars().skip(1).all(|character| !character.is_ascii()));
}

/// Compares the lecture's networks with reference logits and losses, which PyTorch computed on another machine.
#[test]
fn the_lectures_networks_are_reproduced() {
    let folder = workspace("../shared/golden");
    let (words, lecture) = words();
    if !lecture || !folder.exists() {
        println!(
            "skipped: {} or the lecture's list is not there; only the committed networks are tested",
            folder.display()
        );
        return;
    }
    let dev = words.split().unwrap().dev;
    for name in ["wavenet128", "wavenet128_adamw"] {
        let file = |end: &str| folder.join(format!("{name}_{end}"));
        let (model, structure) = read(&file("pytorch.safetensors"), Some(&words.vocab().unwrap()));
        assert_eq!((structure.block_size(), structure.levels.len(), model.architecture.n_embd), (8, 3, 24));
        let golden = Golden::read(&file("contexts.safetensors")).unwrap();
        let [(_, f32), (_, int8), _] = blobs(&model, &golden);
        let (in_f32, in_int8) = (agreement(&golden, &f32), agreement(&golden, &int8));
        assert!(in_f32.max_abs_dlogit <= LOGIT_TOLERANCE, "{name}: {in_f32:?}");
        assert!(in_int8.dnll <= INT8_KL_TOLERANCE, "{name}: {in_int8:?}");

        let meta: serde_json::Value = serde_json::from_slice(&std::fs::read(file("meta.json")).unwrap()).unwrap();
        let printed = meta["dev_nll_f64"].as_f64().unwrap();
        let runtime = runtime_loss(&Model::new(f32.as_bytes()).unwrap(), &words.name, &dev).unwrap();
        assert_eq!(runtime.characters as u64, meta["dev_examples"].as_u64().unwrap());
        let files = [ModelFile::Folded(Box::new(model)), ModelFile::Blob(int8)];
        let candidates = files.iter().map(|file| Candidate::new(name, file).unwrap()).collect();
        let distances = Comparison::new(candidates).unwrap().over(&words.name, &dev).unwrap();
        println!(
            "{name}: max |delta logit| {:.2e} in f32, {:.3} in int8; dev nll {:.7} in the runtime, {:.7} in libtorch, PyTorch {printed:.7}; int8 {:+.6}",
            in_f32.max_abs_dlogit, in_int8.max_abs_dlogit, runtime.nll, distances[0].loss.nll, distances[1].delta
        );
        assert!((runtime.nll - printed).abs() <= NLL_TOLERANCE, "{name}: {} instead of {printed}", runtime.nll);
        assert!((distances[0].loss.nll - printed).abs() <= NLL_TOLERANCE, "{name}");
        assert!(distances[1].delta.abs() <= INT8_NLL_TOLERANCE, "{name}: int8 {:+}", distances[1].delta);
    }
}
