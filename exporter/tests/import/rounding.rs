//! Loss by rounding to integers, on the shipped networks, the fixtures, and networks next to the repository.

use std::ops::ControlFlow;

use exporter::data::Words;
use exporter::inference::sample::words_in_parallel;
use exporter::measure::eval::compare::{Candidate, Comparison, Distance};
use exporter::model::file::FoldedModel;
use exporter::model::gptq::{calibration_contexts, quantize};
use exporter::model::normalize::normalize;
use exporter::model::pack::{ModelFile, pack_f32, pack_integer};
use exporter::model::quantize::{Range, quantize_nearest};
use exporter::model::tensors::examples;
use runtime::format::Layout;
use runtime::{DEFAULT_MAX_LEN, Model, Sampling};
use tch::Tensor;

use super::common::{words, workspace};
use super::golden::{fixture, fixtures, read};
use super::networks;

/// Largest divergence of int8 where each level has at least 48 values, nats per character: measured 0.0002.
const KL_TOLERANCE: f64 = 0.001;
/// Largest divergence of int8 for narrower networks: measured 0.0004.
const KL_TOLERANCE_NARROW: f64 = 0.003;
/// Number of words to evaluate.
const WORDS: usize = 400;

struct Network {
    name: &'static str,
    model: FoldedModel,
    words: Words,
}

fn networks() -> Vec<Network> {
    let names = words().0;
    let shipped = |name: &str| FoldedModel::read(&workspace("models").join(name)).unwrap();
    let of_names = |name, model| Network { name, model, words: names.clone() };
    let [(_, deep16, _), (_, letters60, _)] = fixtures();
    let letters = Words::read(&fixture("letters60.txt")).unwrap();
    let mut networks = vec![
        of_names("names", shipped("names.safetensors")),
        of_names("tiny", shipped("tiny.safetensors")),
        of_names("deep16", deep16),
        Network { name: "letters60", model: letters60, words: letters },
    ];
    for name in ["relu", "conv_dilated", "gated_wide", "skip"] {
        let (model, _) = networks::model(name);
        networks.push(Network { name, words: drawn(&model), model });
    }
    let a_to_z: String = std::iter::once('.').chain('a'..='z').collect();
    let beside = |name: &str| workspace("../shared/golden").join(format!("{name}.safetensors"));
    for name in ["wavenet128_pytorch", "wavenet128_adamw_pytorch"] {
        if beside(name).exists() {
            networks.push(of_names(name, read(&beside(name), Some(&a_to_z)).0));
        } else {
            println!("skipped: {name} is not there");
        }
    }
    for name in ["notebook_relu", "notebook_conv", "notebook_gated"] {
        if beside(name).exists() {
            networks.push(of_names(name, networks::settled(&beside(name), &beside(&format!("{name}_golden"))).0));
        } else {
            println!("skipped: {name} is not there");
        }
    }
    networks
}

/// Draws words from a network that has no list.
fn drawn(model: &FoldedModel) -> Words {
    let blob = pack_f32(model).unwrap();
    let mut list = String::new();
    words_in_parallel(
        &Model::new(blob.as_bytes()).unwrap(),
        Sampling::default(),
        1,
        "",
        DEFAULT_MAX_LEN,
        3_000,
        |word| {
            list += &format!("{}\n", word.0);
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    Words::from_bytes("drawn words", list.as_bytes()).unwrap()
}

impl Network {
    /// Returns the model with its levels scaled for integers, and contexts of the training words.
    fn prepared(&self) -> (FoldedModel, Tensor) {
        let train = self.words.split().unwrap().train;
        let contexts = calibration_contexts(&examples(&self.model, &self.words.name, &train).unwrap());
        let mut model = self.model.clone();
        normalize(&mut model, &contexts);
        (model, contexts)
    }

    /// Returns the distances from f32 of int8 rounded to nearest, int8 and int4, on words outside the calibration.
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
