//! Compares training on whole words, which computes every node once, with a window per character: both must compute the
//! same function.

use exporter::data::Examples;
use exporter::model::architecture::Architecture;
use exporter::model::loss::mean_nll;
use exporter::model::tensors;
use exporter::train::batch::Encoded;
use exporter::train::nn::Sequential;
use exporter::train::nn::look_ahead::NO_TARGET;
use runtime::{Activation, Level, Vocab};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

/// Largest difference of a logit, since the sums are in another order.
const LOGIT_TOLERANCE: f64 = 1e-5;
/// Largest difference of a gradient; the largest gradients are of the order of 1.
const GRADIENT_TOLERANCE: f64 = 1e-5;

#[test]
fn whole_words_are_the_windows() {
    let words: Vec<String> = ["emma", "a", "olivia", "maximiliana", "", "isabella-sophia"].map(str::to_owned).into();
    let vocab_text = ".abcdefghijklmnopqrstuvwxyz-";
    let vocab = Vocab::new(vocab_text).unwrap();
    tch::manual_seed(1);
    let shapes = [&[2, 2, 2][..], &[3], &[8], &[2, 3], &[3, 2, 2], &[2, 2, 2, 2]];
    let kinds = [(Activation::Tanh, false), (Activation::Gated, true)];
    for (fuses, (activation, skip)) in shapes.into_iter().flat_map(|fuses| kinds.map(|kind| (fuses, kind))) {
        let levels = fuses.iter().zip(20..).map(|(&fuse, width)| Level { fuse, width }).collect();
        let architecture = Architecture { n_embd: 6, levels, activation, skip };
        let block_size = architecture.config(vocab.len()).unwrap().block_size();
        let store = VarStore::new(Device::Cpu);
        let network = Sequential::new(&store.root(), &architecture, vocab.len(), 0.0);
        // Random running statistics, as if the network had been trained.
        for level in &network.levels {
            let channels = level.batch_norm.weight.size();
            let random = || Tensor::randn(&channels, (Kind::Float, Device::Cpu));
            tch::no_grad(|| {
                level.batch_norm.running_mean.shallow_clone().copy_(&random());
                level.batch_norm.running_var.shallow_clone().copy_(&(random().square() + 0.5));
                level.batch_norm.weight.shallow_clone().copy_(&random());
                level.batch_norm.bias.shallow_clone().copy_(&random());
            });
        }

        let examples = Examples::new("the words", &words, vocab, block_size).unwrap();
        let (contexts, targets) = tensors::of_examples(&examples, Device::Cpu);
        let encoded = Encoded::new("the words", &words, vocab).unwrap();
        let batch = encoded.batch(0..words.len(), &architecture, Device::Cpu);
        assert_eq!(batch.targets, targets);
        let later = words.iter().flat_map(|word| {
            let encode = |c: char| i64::from(vocab.encode(c).unwrap());
            let end = if word.is_empty() { None } else { Some(0) };
            word.chars().skip(1).map(encode).chain(end).chain([NO_TARGET]).collect::<Vec<_>>()
        });
        assert_eq!(batch.later_targets, Tensor::from_slice(&later.collect::<Vec<_>>()));
        assert_eq!(batch.inputs.len(), fuses.len() - 1);

        let gradients = |logits: &Tensor| -> Vec<(String, Tensor)> {
            for mut variable in store.trainable_variables() {
                variable.zero_grad();
            }
            logits.cross_entropy_for_logits(&targets).backward();
            let mut named: Vec<(String, Tensor)> = store
                .variables()
                .into_iter()
                .filter(|(_, variable)| variable.requires_grad())
                .map(|(name, variable)| (name, variable.grad().copy()))
                .collect();
            named.sort_by(|a, b| a.0.cmp(&b.0));
            named
        };
        let windows = network.forward(&contexts, false);
        let whole = batch.logits(&network);
        let difference = (&windows - &whole).abs().max().double_value(&[]);
        assert!(difference <= LOGIT_TOLERANCE, "levels {fuses:?}: logits differ by {difference:e}");
        for ((name, windows), (_, whole)) in gradients(&windows).into_iter().zip(gradients(&whole)) {
            let difference = (&windows - &whole).abs().max().double_value(&[]);
            assert!(difference <= GRADIENT_TOLERANCE, "levels {fuses:?}: gradients of {name} differ by {difference:e}");
            let largest = windows.abs().max().double_value(&[]);
            assert!(
                largest > 2.0 * GRADIENT_TOLERANCE,
                "levels {fuses:?} {activation:?}: the gradient of {name} is {largest:e}"
            );
        }
        let nll = encoded.mean_nll(&network, &architecture, Device::Cpu);
        let expected = mean_nll(|x| network.forward(x, false), &contexts, &targets);
        assert!((nll - expected).abs() < 1e-6, "levels {fuses:?}: {nll} instead of {expected}");
    }
}
