//! Tests accuracy and size of the shipped 8-bit model.

mod common;

use common::{words, workspace};
use exporter::measure::eval::compare::{Candidate, Comparison};
use exporter::model::pack::ModelFile;
use runtime::Model;

/// Largest |nll(int8) - nll(f32)| on the list that the model was trained on, in nats per character: measured 0.0004.
const NLL_TOLERANCE: f64 = 0.001;
/// Largest |nll(int8) - nll(f32)| on the shipped list. Its names are so improbable for the model (2.67 nats) that the
/// slight flattening by int8 lowers the loss by 0.0012.
const NLL_TOLERANCE_ELSEWHERE: f64 = 0.002;
/// Largest mean divergence, in nats: measured 0.0005. A coarse tanh can lower the nll by chance, not the divergence.
const KL_TOLERANCE: f64 = 0.001;
/// Most bytes of flash.
const FILE_BYTES: usize = 82_000;
/// Most bytes of RAM.
const STATE_BYTES: usize = 2_560;

#[test]
fn eight_bits_lose_nothing() {
    let files = ["names.safetensors", "names.int8.blob"]
        .map(|name| (name, ModelFile::read(&workspace("models").join(name)).unwrap()));
    let candidates = files.iter().map(|(name, file)| Candidate::new(name, file).unwrap()).collect();
    let comparison = Comparison::new(candidates).unwrap();
    assert_eq!(comparison.candidates()[1].kind(), "runtime int8");
    let (words, lecture) = words();
    let tolerance = if lecture { NLL_TOLERANCE } else { NLL_TOLERANCE_ELSEWHERE };
    let distances = comparison.over(&words.name, &words.split().unwrap().dev).unwrap();
    let [f32, int8] = distances[..] else { panic!("two models") };
    println!(
        "dev nll {:.5} in f32, {:.5} in int8 ({:+.5}), KL {:.6}, top-1 {:.2} %",
        f32.loss.nll, int8.loss.nll, int8.delta, int8.kl, int8.top1
    );
    assert_eq!(f32.loss.characters, int8.loss.characters);
    assert!(int8.delta.abs() <= tolerance, "delta nll {}", int8.delta);
    assert!(int8.kl <= KL_TOLERANCE, "KL {}", int8.kl);
    // A divergence of zero would mean that both are the same model.
    assert!(int8.kl > 1e-6, "KL {}", int8.kl);
}

#[test]
fn eight_bits_fit_a_small_chip() {
    let ModelFile::Blob(blob) = ModelFile::read(&workspace("models/names.int8.blob")).unwrap() else {
        panic!("a blob");
    };
    let model = Model::new(blob.as_bytes()).unwrap();
    let (file_bytes, state_bytes) = (blob.as_bytes().len(), 4 * model.state_words());
    println!("{file_bytes} bytes of flash, {state_bytes} bytes of state");
    assert!(file_bytes <= FILE_BYTES, "{file_bytes} bytes of flash");
    assert!(state_bytes <= STATE_BYTES, "{state_bytes} bytes of state");
    // The limit means something only if the f32 model exceeds it.
    let ModelFile::Blob(f32) = ModelFile::read(&workspace("models/names.blob")).unwrap() else { panic!("a blob") };
    assert!(f32.as_bytes().len() > FILE_BYTES);
}
