//! Tests networks of rectified linear units: training, folding, scales, quantization, and a PyTorch state_dict.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use exporter::data::Words;
use exporter::import::{self, StateDict, fold, understand};
use exporter::model::architecture::Architecture;
use exporter::model::file::{FoldedModel, Origin};
use exporter::model::gptq::quantize;
use exporter::model::normalize::{normalize, scales};
use exporter::model::pack::{pack_f32, pack_integer};
use exporter::model::quantize::{Range, quantize_nearest};
use exporter::model::tensors::level_outputs;
use exporter::model::torch_model::TorchModel;
use exporter::train::fold_network::fold_network;
use exporter::train::nn::Sequential;
use exporter::train::options::Options as TrainOptions;
use exporter::train::preset;
use exporter::train::recipe::Length;
use exporter::train::training::train;
use runtime::format::{AlignedBlob, Layout};
use runtime::{Activation, BOUNDARY, HeapState, Model, Stream};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

const VOCAB: &str = ".abcdefghijklmnopqrstuvwxyz";

/// Returns an untrained network in which the outputs of some channels are much larger than of others.
fn untrained(skip: bool) -> FoldedModel {
    tch::manual_seed(3);
    let architecture = Architecture { activation: Activation::Relu, skip, ..Architecture::tree(8, 10, 32).unwrap() };
    let store = VarStore::new(Device::Cpu);
    let network = Sequential::new(&store.root(), &architecture, 27, 0.0);
    for level in &network.levels {
        let mut gamma = level.batch_norm.weight.shallow_clone();
        let gammas = Tensor::rand(gamma.size(), (Kind::Float, Device::Cpu)) * 3.0 + 0.5;
        tch::no_grad(|| gamma.copy_(&gammas));
    }
    fold_network(&network, &architecture, VOCAB, Origin::default()).unwrap()
}

fn contexts(count: i64) -> Tensor {
    tch::manual_seed(4);
    Tensor::randint(27, [count, 8], (Kind::Int64, Device::Cpu))
}

fn largest(difference: &Tensor) -> f64 {
    difference.abs().max().double_value(&[])
}

#[test]
fn scales_change_levels_and_no_logit() {
    let contexts = contexts(2_000);
    for skip in [false, true] {
        let model = untrained(skip);
        let mut normalized = model.clone();
        let found = normalize(&mut normalized, &contexts);
        assert!(found.len() == 3 && found.iter().all(|&scale| scale > 0.0), "{found:?}");
        let logits = |model: &FoldedModel| tch::no_grad(|| TorchModel::new(model, Device::Cpu).forward(&contexts));
        assert!(largest(&(logits(&model) - logits(&normalized))) < 1e-4, "skip {skip}");
        for (before, (after, scale)) in
            level_outputs(&model, &contexts).iter().zip(level_outputs(&normalized, &contexts).iter().zip(&found))
        {
            assert!(largest(&(before / *scale - after)) < 1e-5, "skip {skip}");
            assert!(
                after.min().double_value(&[]) >= 0.0
                    && after.gt(1.0).to_kind(Kind::Double).mean(None).double_value(&[]) < 0.01
            );
        }
        // Normalised levels need no other scales.
        assert!(scales(&normalized, &contexts).iter().all(|scale| (scale - 1.0).abs() < 0.05));
    }
}

#[test]
fn bounded_activations_have_no_scales() {
    let mut model = untrained(true);
    model.architecture.activation = Activation::Tanh;
    let before = model.clone();
    assert!(normalize(&mut model, &contexts(100)).is_empty());
    assert_eq!(model, before);
}

/// Returns a tensor from a safetensors file.
fn tensor(path: &Path, name: &str) -> Tensor {
    let tensors = Tensor::read_safetensors(path).unwrap();
    tensors.into_iter().find(|(found, _)| found == name).unwrap().1
}

/// Returns a network from PyTorch with contexts and logits. If the files beside the repository are missing, the network
/// is made and computed here.
fn from_pytorch() -> (Vec<u8>, Tensor, Tensor) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/golden");
    let (file, golden) = (folder.join("notebook_relu.safetensors"), folder.join("notebook_relu_golden.safetensors"));
    if file.exists() {
        return (std::fs::read(file).unwrap(), tensor(&golden, "contexts"), tensor(&golden, "logits"));
    }
    // Modules are in the order of nn.Sequential: embedding, then Linear and BatchNorm per level, then the output layer.
    tch::manual_seed(5);
    let mut tensors = Vec::new();
    let mut random = |name: &str, shape: &[i64], offset: f64| {
        let values = Tensor::rand(shape, (Kind::Float, Device::Cpu)) + offset;
        tensors.push((name.to_owned(), values.shallow_clone()));
        values
    };
    let contexts = contexts(512);
    let mut x = Tensor::embedding(&random("0.weight", &[27, 6], -0.5), &contexts, -1, false, false);
    for (level, (width_in, width)) in [(6, 16), (16, 24), (24, 20)].into_iter().enumerate() {
        let name = |module: usize, part: &str| format!("{}.{part}", 4 * level + module);
        let (b, t, c) = x.size3().unwrap();
        let rows =
            x.view([b, t / 2, 2 * c]).linear(&random(&name(2, "weight"), &[width, 2 * width_in], -0.5), None::<Tensor>);
        let [weight, bias] =
            [("weight", 0.5), ("bias", -0.5)].map(|(part, offset)| random(&name(3, part), &[width], offset));
        let [mean, var] = [("running_mean", -0.5), ("running_var", 0.1)]
            .map(|(part, offset)| random(&name(3, part), &[width], offset));
        x = ((rows - mean) / (var + 1e-5).sqrt() * weight + bias).relu();
    }
    let logits = x.squeeze_dim(1).linear(&random("13.weight", &[27, 20], -0.5), Some(&random("13.bias", &[27], -0.5)));
    let file = std::env::temp_dir().join(format!("relu-{}.safetensors", std::process::id()));
    Tensor::write_safetensors(&tensors, &file).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(file).unwrap();
    (bytes, contexts, logits)
}

fn imported() -> (FoldedModel, Tensor, Tensor) {
    let (bytes, contexts, logits) = from_pytorch();
    let state = StateDict::from_safetensors(&bytes).unwrap();
    let options = import::Options { activation: Some(Activation::Relu), ..import::Options::default() };
    let structure = understand(&state, &options).unwrap();
    let mut model = fold(&state, &structure, &options, VOCAB, Origin::default()).unwrap();
    let drawn = TorchModel::new(&model, Device::Cpu).draw_contexts(500, 50);
    normalize(&mut model, &drawn);
    (model, contexts, logits)
}

#[test]
fn a_state_dict_computes_what_pytorch_computed() {
    let (model, contexts, logits) = imported();
    assert_eq!(model.architecture.activation, Activation::Relu);
    let found = tch::no_grad(|| TorchModel::new(&model, Device::Cpu).forward(&contexts));
    assert!(largest(&(found - logits)) < 1e-4);
}

/// Runs a blob over contexts with the runtime; returns the logits, `[N, vocab_size]`.
fn by_the_runtime(blob: &AlignedBlob, contexts: &Tensor) -> Tensor {
    let model = Model::new(blob.as_bytes()).unwrap();
    let mut state = HeapState::new(&model);
    let mut stream = Stream::new(&model, &mut state).unwrap();
    let mut logits: Vec<f64> = Vec::new();
    let rows = Vec::<Vec<i64>>::try_from(contexts).unwrap();
    for row in &rows {
        stream.reset();
        for &token in row.iter().skip_while(|&&token| token == i64::from(BOUNDARY)) {
            stream.push(u8::try_from(token).unwrap());
        }
        let found = stream.logits();
        logits.extend((0..found.len()).map(|index| found.get(index as u8).map_or(f64::NAN, f64::from)));
    }
    Tensor::from_slice(&logits).view([rows.len() as i64, -1])
}

/// Computes the mean Kullback-Leibler divergence of rows of logits from `reference`, in nats.
fn divergence(reference: &Tensor, found: &Tensor) -> f64 {
    let [reference, found] =
        [reference, found].map(|logits| logits.to_kind(Kind::Double).log_softmax(-1, Kind::Double));
    let each: Tensor = reference.exp() * (&reference - found);
    each.sum(Kind::Double).double_value(&[]) / reference.size()[0] as f64
}

/// Trains a small network; training scales its levels.
fn trained() -> FoldedModel {
    let preset = preset::find("tiny").unwrap();
    let options = TrainOptions {
        preset: preset.named(Activation::Relu),
        architecture: Architecture { activation: Activation::Relu, ..preset.architecture() },
        statistics: preset.statistics,
        recipe: exporter::train::recipe::Recipe { length: Length::Steps(600), ..preset.recipe },
        seed: 42,
        threads: 1,
        device: Device::Cpu,
        evaluations: 2,
        checkpoints: None,
    };
    let outcome = train(&Words::shipped().unwrap(), &options, None, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert_eq!(outcome.model.as_ref().unwrap().origin.preset, "tiny-relu");
    outcome.model.unwrap()
}

#[test]
fn training_leaves_scaled_levels() {
    let model = trained();
    let contexts = TorchModel::new(&model, Device::Cpu).draw_contexts(1_000, 50);
    let found = scales(&model, &contexts);
    assert!(found.len() == 2 && found.iter().all(|scale| (scale - 1.0).abs() < 0.2), "{found:?}");
}

#[test]
fn the_runtime_computes_it_in_every_precision() {
    for (name, model) in [("imported", imported().0), ("trained", trained())] {
        let drawn = TorchModel::new(&model, Device::Cpu).draw_contexts(2_000, 50);
        // The test contexts are not among the calibration contexts.
        let (calibration, test) = (drawn.slice(0, 1, None, 2), drawn.slice(0, 0, None, 14));
        let reference = tch::no_grad(|| TorchModel::new(&model, Device::Cpu).forward(&test));
        let f32 = by_the_runtime(&pack_f32(&model).unwrap(), &test);
        assert!(largest(&(&f32 - &reference)) < 1e-4, "{name}");
        let kl = |quantized| {
            let blob = pack_integer(&model, &quantized, Layout::RowMajor).unwrap();
            divergence(&reference, &by_the_runtime(&blob, &test))
        };
        let int8 = kl(quantize(&model, &calibration, Range::INT8));
        let nearest = kl(quantize_nearest(&model, Range::INT8));
        let int4 = kl(quantize(&model, &calibration, Range::INT4));
        println!("{name}: divergence from f32: int8 {int8:.6}, to nearest {nearest:.6}, int4 {int4:.6}");
        assert!(int8 < 0.002 && int4 < 0.05, "{name}");
    }
}
