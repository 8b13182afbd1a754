//! Compares the folded network with the network with BatchNorm in eval mode.

use exporter::model::architecture::Architecture;
use exporter::model::file::Origin;
use exporter::model::torch_model::TorchModel;
use exporter::train::fold_network::fold_network;
use exporter::train::nn::Sequential;
use runtime::Activation;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

/// Largest difference of a logit by rounding: logits are sums of 256 products, of the order of ten.
const TOLERANCE: f64 = 1e-5;

fn set(tensor: &Tensor, values: &Tensor) {
    tch::no_grad(|| tensor.shallow_clone().copy_(values));
}

/// Returns the largest difference of a logit over 1,000 contexts; `change` changes the network before.
fn largest_difference(seed: i64, activation: Activation, change: impl Fn(&Sequential)) -> f64 {
    tch::manual_seed(seed);
    let vocab: String = ('.'..='.').chain('a'..='z').collect();
    let architecture =
        Architecture { activation, skip: activation == Activation::Gated, ..Architecture::tree(8, 24, 128).unwrap() };
    let store = VarStore::new(Device::Cpu);
    let network = Sequential::new(&store.root(), &architecture, 27, 0.1);
    for level in &network.levels {
        let channels = level.batch_norm.weight.size();
        let random = || Tensor::randn(&channels, (Kind::Float, Device::Cpu));
        set(&level.batch_norm.weight, &random());
        set(&level.batch_norm.bias, &random());
        set(&level.batch_norm.running_mean, &random());
        set(&level.batch_norm.running_var, &(random().square() + 0.05));
    }
    change(&network);
    let folded = fold_network(&network, &architecture, &vocab, Origin::default()).unwrap();
    let contexts = Tensor::randint(27, [1000, 8], (Kind::Int64, Device::Cpu));
    let difference =
        tch::no_grad(|| network.forward(&contexts, false)) - TorchModel::new(&folded, Device::Cpu).forward(&contexts);
    difference.abs().max().double_value(&[])
}

#[test]
fn random_statistics() {
    for (seed, activation) in (0..).zip(Activation::ALL.repeat(3)) {
        let difference = largest_difference(seed, activation, |_| {});
        assert!(difference <= TOLERANCE, "seed {seed}, {activation:?}: {difference:e}");
        assert!(difference > 0.0, "no difference: the test compares a network with itself");
    }
}

#[test]
fn a_zero_gamma() {
    let difference = largest_difference(7, Activation::Gated, |network| {
        for level in &network.levels {
            let _ = tch::no_grad(|| level.batch_norm.weight.narrow(0, 3, 5).fill_(0.0));
        }
    });
    assert!(difference <= TOLERANCE, "{difference:e}");
}

#[test]
fn a_tiny_variance() {
    // A channel that hardly ever changed in training has small weights, so the test scales them down with the variance.
    let difference = largest_difference(8, Activation::Tanh, |network| {
        for level in &network.levels {
            tch::no_grad(|| {
                let _ = level.batch_norm.running_var.narrow(0, 10, 4).fill_(1e-12);
                let _ = level.batch_norm.running_mean.narrow(0, 10, 4).fill_(1e-6);
                let mut rows = level.linear.weight.narrow(0, 10, 4);
                let _ = rows.g_mul_scalar_(1e-3);
            });
        }
    });
    assert!(difference <= TOLERANCE, "{difference:e}");
}

#[test]
fn training_mode_differs_so_that_eval_mode_is_what_is_tested() {
    tch::manual_seed(9);
    let architecture = Architecture::tree(4, 6, 16).unwrap();
    let store = VarStore::new(Device::Cpu);
    let network = Sequential::new(&store.root(), &architecture, 27, 0.0);
    let contexts = Tensor::randint(27, [100, 4], (Kind::Int64, Device::Cpu));
    let eval = tch::no_grad(|| network.forward(&contexts, false));
    let train = tch::no_grad(|| network.forward(&contexts, true));
    assert!((eval - train).abs().max().double_value(&[]) > 0.01);
}
