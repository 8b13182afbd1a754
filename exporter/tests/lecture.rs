//! Repeats the beginning of the lecture's run: first weights, batch and losses equal those of PyTorch.
//!
//! This test has its own program, because a program has one random generator of libtorch.

mod common;

use std::sync::atomic::AtomicBool;

use common::{words, workspace};
use exporter::train::draws::Batches;
use exporter::train::event::Event;
use exporter::train::nn::Sequential;
use exporter::train::options::Options;
use exporter::train::preset;
use exporter::train::recipe::{Length, Sampling};
use exporter::train::training::train;
use tch::nn::VarStore;
use tch::{Device, Tensor};

/// Largest difference of a first weight: both sides scale the same draws in f32.
const WEIGHT_TOLERANCE: f64 = 1e-6;
/// Largest difference of a loss in the first five steps.
const LOSS_TOLERANCE: f64 = 1e-4;

#[test]
fn the_lectures_first_steps_are_repeated() {
    let reference = workspace("../shared/golden/rng.json");
    let (words, lecture) = words();
    if !lecture || !reference.exists() {
        println!("{} or the lecture's list is not there: nothing to compare with", reference.display());
        return;
    }
    let reference: serde_json::Value = serde_json::from_slice(&std::fs::read(reference).unwrap()).unwrap();
    for (preset, key) in [("wavenet-68", "d_hier_fix"), ("wavenet-128", "e_scaled")] {
        let reference = &reference[key];
        let expected = |name: &str| -> Vec<f64> { serde_json::from_value(reference[name].clone()).unwrap() };
        let preset = preset::find(preset).unwrap();

        tch::manual_seed(42);
        let store = VarStore::new(Device::Cpu);
        let network = Sequential::with(
            &store.root(),
            &preset.architecture(),
            27,
            preset.recipe.dropout,
            preset.recipe.modules,
            preset.statistics,
        );
        // The lecture's matrices are the transposes of ours.
        let first = |tensor: Tensor| Vec::<f64>::try_from(tensor.reshape([-1]).narrow(0, 0, 4).detach()).unwrap();
        for (name, found) in [
            ("emb_first4", first(network.embedding.weight.shallow_clone())),
            ("lin1_first4", first(network.levels[0].linear.weight.tr())),
            ("last_w_first4", first(network.output.weight.tr())),
        ] {
            for (found, expected) in found.iter().zip(expected(name)) {
                assert!((found - expected).abs() <= WEIGHT_TOLERANCE, "{key} {name}: {found} instead of {expected}");
            }
        }
        assert_eq!(preset.recipe.sampling, Sampling::WithReplacement);
        let batch =
            Vec::<f64>::try_from(Batches::new(182_625, 32, preset.recipe.sampling, Device::Cpu).next_batch()).unwrap();
        assert_eq!(batch, expected("batch0_ix"), "{key}");

        let mut recipe = preset.recipe.clone();
        recipe.length = Length::Steps(5);
        let options = Options {
            preset: preset.name.to_owned(),
            architecture: preset.architecture(),
            statistics: preset.statistics,
            recipe,
            seed: 42,
            threads: 1,
            device: Device::Cpu,
            evaluations: 1,
            checkpoints: None,
        };
        let mut losses: Vec<f64> = Vec::new();
        train(&words, &options, None, &AtomicBool::new(false), &mut |event| {
            if let Event::Step { losses: some, .. } = event {
                losses.extend(some.iter().map(|&loss| f64::from(loss)));
            }
        })
        .unwrap();
        let expected = expected("first5_losses");
        println!("{}: {losses:?}, PyTorch {expected:?}", preset.name);
        assert_eq!(losses.len(), expected.len());
        for (found, expected) in losses.iter().zip(expected) {
            assert!((found - expected).abs() <= LOSS_TOLERANCE, "{key}: {found} instead of {expected}");
        }
    }
}
