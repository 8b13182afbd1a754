//! Compares the runtime in f32 with libtorch over every dev context of the lecture's or the shipped list.

mod common;

use std::path::Path;

use common::{words, workspace};
use exporter::data::Examples;
use exporter::measure::eval::runtime_loss;
use exporter::model::file::{FoldedModel, Origin};
use exporter::model::pack::pack_f32;
use exporter::model::tensors;
use exporter::model::torch_model::TorchModel;
use exporter::train::fold_network::fold_network;
use exporter::train::nn::Sequential;
use exporter::train::preset;
use runtime::math::TANH_MAX_ERROR;
use runtime::{HeapState, Model, Stream};
use tch::Device;
use tch::nn::VarStore;

/// Largest |delta logit|, in nats: measured 5e-6. The runtime's tanh is off by up to [`TANH_MAX_ERROR`], and 256
/// weights of about 0.3 carry the error through three levels.
const LOGIT_TOLERANCE: f32 = 1e-4;
/// Largest |delta nll|, in nats per character: measured 1.6e-8.
const NLL_TOLERANCE: f64 = 1e-5;

/// Largest |delta logit| for random weights of PyTorch's initial size.
const GATED_LOGIT_TOLERANCE: f32 = 1e-5;

/// Returns an untrained network with gated units and skip connections.
fn gated() -> FoldedModel {
    tch::manual_seed(3);
    let architecture = preset::find("gated").unwrap().architecture();
    let vocab: String = ('.'..='.').chain('a'..='z').collect();
    let network = Sequential::new(&VarStore::new(Device::Cpu).root(), &architecture, 27, 0.0);
    let folded = fold_network(&network, &architecture, &vocab, Origin::default()).unwrap();
    // The network is written and read again.
    let read = FoldedModel::from_safetensors(&folded.to_safetensors(), Path::new("gated.safetensors")).unwrap();
    assert_eq!(read.architecture, architecture);
    assert_eq!(read.output.weight.dim(), (27, 64 + 88 + 104));
    read
}

#[test]
fn runtime_f32_agrees_with_libtorch() {
    const { assert!(TANH_MAX_ERROR < 1e-6) };
    let shipped = ["names", "tiny"].map(|name| {
        (name, FoldedModel::read(&workspace(&format!("models/{name}.safetensors"))).unwrap(), LOGIT_TOLERANCE)
    });
    for (name, folded, tolerance) in shipped.into_iter().chain([("gated", gated(), GATED_LOGIT_TOLERANCE)]) {
        let blob = pack_f32(&folded).unwrap();
        let model = Model::new(blob.as_bytes()).unwrap();
        let (words, _) = words();
        let dev = words.split().unwrap().dev;
        let examples = Examples::new(&words.name, &dev, model.vocab(), model.config().block_size()).unwrap();

        let torch = TorchModel::new(&folded, Device::Cpu);
        let logits = torch.forward(&tensors::of_examples(&examples, Device::Cpu).0);
        let expected = Vec::<f32>::try_from(logits.reshape([-1])).unwrap();
        let mut state = HeapState::new(&model);
        let mut stream = Stream::new(&model, &mut state).unwrap();
        let mut largest = 0.0_f32;
        let mut at = 0;
        for word in &dev {
            stream.reset();
            let tokens = word.chars().map(|character| model.vocab().encode(character).unwrap());
            for token in tokens.chain([0]) {
                for token in 0..stream.logits().len() {
                    let logit = stream.logits().get(token as u8).unwrap();
                    largest = largest.max((logit - expected[at]).abs());
                    at += 1;
                }
                stream.push(token);
            }
        }
        assert_eq!(at, expected.len());
        let torch_loss = torch.loss(&examples);
        let runtime_loss = runtime_loss(&model, &words.name, &dev).unwrap();
        let delta = (torch_loss.nll - runtime_loss.nll).abs();
        println!(
            "{name}: {at} logits, max |delta logit| {largest:e}, nll {:.6}, |delta nll| {delta:e}",
            torch_loss.nll
        );
        assert_eq!(torch_loss.characters, runtime_loss.characters);
        assert!(largest <= tolerance, "{name}: max |delta logit| {largest:e}");
        assert!(delta <= NLL_TOLERANCE, "{name}: |delta nll| {delta:e}");
    }
}
