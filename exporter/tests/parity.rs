//! The runtime in f32 against libtorch: every dev context of the lecture's list, or of the shipped one.

mod common;

use common::{words, workspace};
use exporter::data::Examples;
use exporter::eval::{TorchModel, runtime_loss, tensors};
use exporter::file::FoldedModel;
use exporter::pack::pack_f32;
use runtime::math::TANH_MAX_ERROR;
use runtime::{HeapState, Model, Stream};
use tch::Device;

/// Largest |delta logit|. The runtime's tanh is off by up to [`TANH_MAX_ERROR`], which 256 weights of the size of 0.3 carry
/// through three levels; measured 5e-6.
const LOGIT_TOLERANCE: f32 = 1e-4;
/// Largest |delta nll|: measured 1.6e-8.
const NLL_TOLERANCE: f64 = 1e-5;

#[test]
fn runtime_f32_agrees_with_libtorch() {
    const { assert!(TANH_MAX_ERROR < 1e-6) };
    for name in ["names", "tiny"] {
        let folded = FoldedModel::read(&workspace(&format!("models/{name}.safetensors"))).unwrap();
        let blob = pack_f32(&folded).unwrap();
        let model = Model::new(blob.as_bytes()).unwrap();
        let (words, _) = words();
        let dev = words.split().unwrap().dev;
        let examples = Examples::new(&words.name, &dev, model.vocab(), model.config().block_size()).unwrap();

        let torch = TorchModel::new(&folded, Device::Cpu);
        let logits = torch.forward(&tensors(&examples, Device::Cpu).0);
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
        assert!(largest <= LOGIT_TOLERANCE, "{name}: max |delta logit| {largest:e}");
        assert!(delta <= NLL_TOLERANCE, "{name}: |delta nll| {delta:e}");
    }
}
