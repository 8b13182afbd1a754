//! Tests 4-bit weights: error-compensated rounding compared with plain rounding, and fine-tuning.

mod common;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use common::{words, workspace};
use exporter::data::Words;
use exporter::measure::eval::runtime_loss;
use exporter::model::architecture::Architecture;
use exporter::model::file::{FoldedModel, Origin};
use exporter::model::gptq::{calibration_contexts, quantize};
use exporter::model::pack::{pack_f32, pack_integer};
use exporter::model::quantize::{Range, quantize_nearest};
use exporter::model::tensors::examples;
use exporter::train::finetune::{self, finetune};
use exporter::train::fold_network::fold_network;
use exporter::train::nn::Sequential;
use runtime::format::{AlignedBlob, Layout, Precision, WeightFormat};
use runtime::{Activation, Model};
use tch::Device;
use tch::nn::VarStore;

fn model(name: &str) -> FoldedModel {
    FoldedModel::read(&workspace("models").join(name)).unwrap()
}

fn calibration(model: &FoldedModel, words: &Words) -> tch::Tensor {
    calibration_contexts(&examples(model, "list", &words.split().unwrap().train).unwrap())
}

fn loss(blob: &AlignedBlob, words: &[String]) -> f64 {
    runtime_loss(&Model::new(blob.as_bytes()).unwrap(), "list", words).unwrap().nll
}

#[test]
fn four_bits_cost_little_and_compensation_pays() {
    let model = model("names.safetensors");
    let (words, lecture) = words();
    let dev = words.split().unwrap().dev;
    let contexts = calibration(&model, &words);
    let pack = |quantized| pack_integer(&model, &quantized, Layout::RowMajor).unwrap();
    let f32 = loss(&pack_f32(&model).unwrap(), &dev);
    let int8 = loss(&pack(quantize(&model, &contexts, Range::INT8)), &dev) - f32;
    let plain = pack(quantize_nearest(&model, Range::INT4));
    let compensated = pack(quantize(&model, &contexts, Range::INT4));
    let again = pack(quantize(&model, &contexts, Range::INT4));
    assert_eq!(compensated.as_bytes(), again.as_bytes(), "the same words must result in the same bytes");
    assert!(compensated.as_bytes().len() <= 48_000, "{} bytes", compensated.as_bytes().len());
    let (plain, compensated) = (loss(&plain, &dev) - f32, loss(&compensated, &dev) - f32);
    println!("f32 {f32:.4}, delta int8 {int8:+.4}, int4 rounded {plain:+.4}, compensated {compensated:+.4}");
    // On names that it was not trained on, the model is poor, and a coarser network may even be better.
    let int8_tolerance = if lecture { 0.001 } else { 0.002 };
    assert!(int8.abs() <= int8_tolerance, "{int8:+.4}");
    assert!(compensated.abs() <= 0.005, "{compensated:+.4}");
    if lecture {
        assert!(compensated < plain, "{compensated:+.4} against {plain:+.4}");
    }
}

#[test]
fn finetuned_weights_lie_on_steps_that_the_blob_keeps() {
    check_finetuning(&model("tiny.safetensors"));
}

#[test]
fn finetuned_gates_round_as_the_runtimes() {
    tch::manual_seed(5);
    let activation = Activation::Gated;
    let architecture =
        Architecture { activation, skip: activation == Activation::Gated, ..Architecture::tree(4, 6, 12).unwrap() };
    let tiny = model("tiny.safetensors");
    let network = Sequential::new(&VarStore::new(Device::Cpu).root(), &architecture, tiny.vocab_size(), 0.0);
    // Larger sums, so that rounding matters in both halves.
    for level in &network.levels {
        let _ = tch::no_grad(|| level.batch_norm.weight.shallow_clone().fill_(3.0));
    }
    check_finetuning(&fold_network(&network, &architecture, &tiny.vocab, Origin::default()).unwrap());
}

fn check_finetuning(model: &FoldedModel) {
    let words = Words::shipped().unwrap();
    let options = finetune::Options { epochs: 0.3, ..finetune::Options::default() };
    let mut dev = Vec::new();
    let mut observe = |event| match event {
        finetune::Event::Start { dev: at, .. } | finetune::Event::Dev { dev: at, .. } => dev.push(at),
        finetune::Event::Step { .. } => {}
    };
    let tuned = finetune(model, &words, &options, &AtomicBool::new(false), &mut observe).unwrap();
    // The model is written and read again.
    let tuned = FoldedModel::from_safetensors(&tuned.to_safetensors(), Path::new("tuned")).unwrap();
    let steps = tuned.levels[1].int4_step.as_ref().expect("level 1 has steps");
    for (row, &step) in tuned.levels[1].weight.rows().into_iter().zip(steps) {
        for &weight in row {
            let multiple = weight / step;
            assert!(
                (multiple - multiple.round()).abs() < 1e-3 && multiple.abs() < 7.5,
                "{weight} is no step of {step}"
            );
        }
    }
    let quantized = quantize(&tuned, &calibration(&tuned, &words), Range::INT4);
    assert_eq!(quantized.precision, Precision::Int4);
    assert_eq!(quantized.layers[1].format, WeightFormat::Int4);
    // The chip computes the trained model: fake quantization and runtime agree on the loss.
    let runtime = loss(&pack_integer(&tuned, &quantized, Layout::RowMajor).unwrap(), &words.split().unwrap().dev);
    let best = dev.iter().min_by(|a, b| a.kl.total_cmp(&b.kl)).unwrap();
    assert!((runtime - best.nll).abs() < 2e-3, "runtime {runtime:.4}, fake quantization {best:?}");
}
