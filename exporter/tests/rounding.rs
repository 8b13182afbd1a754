//! What rounding to integers loses, on every network at hand: the shipped ones, the fixtures, and those beside the
//! repository.

mod common;

use std::path::Path;

use common::{words, workspace};
use exporter::data::{Examples, Words};
use exporter::import::{Options, StateDict, fold, understand};
use exporter::measure::eval::compare::{Candidate, Comparison, Distance};
use exporter::model::file::{FoldedModel, Origin};
use exporter::model::gptq::{calibration_contexts, quantize};
use exporter::model::normalize::normalize;
use exporter::model::pack::{ModelFile, pack_integer};
use exporter::model::quantize::{Range, quantize_nearest};
use runtime::format::Layout;
use runtime::{Activation, Vocab};
use tch::Tensor;

/// Largest divergence of int8 where each level has at least 48 values, nats per character: measured 0.0002.
const KL_TOLERANCE: f64 = 0.001;
/// Of narrower networks: measured 0.0004.
const KL_TOLERANCE_NARROW: f64 = 0.003;
/// Words that are evaluated.
const WORDS: usize = 400;

struct Network {
    name: &'static str,
    model: FoldedModel,
    words: Words,
}

fn imported(path: &Path, vocab: Option<&str>, activation: Activation) -> FoldedModel {
    let state = StateDict::from_safetensors(&std::fs::read(path).unwrap()).unwrap();
    let options = Options { activation: Some(activation), ..Options::default() };
    let structure = understand(&state, &options).unwrap();
    let vocab = vocab.map_or_else(|| state.metadata["vocab"].clone(), str::to_owned);
    fold(&state, &structure, &options, &vocab, Origin::default()).unwrap()
}

fn networks() -> Vec<Network> {
    let fixture = |name: &str| workspace("tests/fixtures/pytorch").join(name);
    let names = words().0;
    let letters = Words::read(&fixture("letters60.txt")).unwrap();
    let shipped = |name: &str| FoldedModel::read(&workspace("models").join(name)).unwrap();
    let of_names = |name, model| Network { name, model, words: names.clone() };
    let letters60 = imported(&fixture("letters60.safetensors"), Some(&letters.vocab().unwrap()), Activation::Tanh);
    let mut networks = vec![
        of_names("names", shipped("names.safetensors")),
        of_names("tiny", shipped("tiny.safetensors")),
        of_names("deep16", imported(&fixture("deep16.safetensors"), None, Activation::Tanh)),
        Network { name: "letters60", model: letters60, words: letters },
    ];
    let a_to_z: String = std::iter::once('.').chain('a'..='z').collect();
    for (name, activation) in [
        ("wavenet128_pytorch", Activation::Tanh),
        ("wavenet128_adamw_pytorch", Activation::Tanh),
        ("notebook_relu", Activation::Relu),
        ("notebook_conv", Activation::Tanh),
        ("notebook_gated", Activation::Gated),
    ] {
        let path = workspace("../shared/golden").join(format!("{name}.safetensors"));
        if path.exists() {
            networks.push(of_names(name, imported(&path, Some(&a_to_z), activation)));
        } else {
            println!("skipped: {name} is not there");
        }
    }
    networks
}

impl Network {
    /// The model with its levels scaled for integers, and contexts of the training words.
    fn prepared(&self) -> (FoldedModel, Tensor) {
        let vocab = Vocab::new(&self.model.vocab).unwrap();
        let block_size = self.model.architecture.config(vocab.len()).unwrap().block_size();
        let train = self.words.split().unwrap().train;
        let contexts = calibration_contexts(&Examples::new(&self.words.name, &train, vocab, block_size).unwrap());
        let mut model = self.model.clone();
        normalize(&mut model, &contexts);
        (model, contexts)
    }

    /// How far int8 to nearest, int8 and int4 are from f32, in this order, on words that they were not calibrated on.
    fn distances(&self) -> [Distance; 3] {
        let (scaled, contexts) = self.prepared();
        let pack = |quantized| ModelFile::Blob(pack_integer(&scaled, &quantized, Layout::RowMajor).unwrap());
        let files = [
            ModelFile::Folded(Box::new(self.model.clone())),
            pack(quantize_nearest(&scaled, Range::INT8)),
            pack(quantize(&scaled, &contexts, Range::INT8)),
            pack(quantize(&scaled, &contexts, Range::INT4)),
        ];
        let candidates = files.iter().map(|file| Candidate::new(self.name, file).unwrap()).collect();
        let dev = self.words.split().unwrap().dev;
        let every = dev.len().div_ceil(WORDS);
        let dev: Vec<String> = dev.into_iter().step_by(every).collect();
        let distances = Comparison::new(candidates).unwrap().over(&self.words.name, &dev).unwrap();
        [distances[1], distances[2], distances[3]]
    }
}

#[test]
fn eight_bits_lose_less_than_four_and_than_rounding_to_nearest() {
    println!("{:<25} {:>16} {:>16} {:>16}", "KL, delta nll", "int8 to nearest", "int8", "int4");
    for network in networks() {
        let [nearest, int8, int4] = network.distances();
        let cells = [nearest, int8, int4].map(|of| format!("{:.5} {:+.5}", of.kl, of.delta));
        println!("{:<25} {}", network.name, cells.join(" "));
        let widest = network.model.architecture.levels.iter().all(|level| level.width >= 48);
        let tolerance = if widest { KL_TOLERANCE } else { KL_TOLERANCE_NARROW };
        let Network { name, .. } = network;
        assert!(int8.kl <= tolerance, "{name}: {int8:?}");
        assert!(int8.kl <= int4.kl, "{name}: {int8:?}, {int4:?}");
        assert!(int8.kl <= nearest.kl, "{name}: {int8:?}, {nearest:?}");
        assert!(int8.kl > 0.0, "{name}: the same model twice");
    }
}
