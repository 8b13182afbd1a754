//! Tests the fitted temperature.

mod common;

use common::{words, workspace};
use exporter::data::{SplitRule, Words};
use exporter::model::file::FoldedModel;
use exporter::model::loss::mean_nll;
use exporter::model::temperature::fit;
use exporter::model::tensors::{examples, of_examples};
use exporter::model::torch_model::TorchModel;
use exporter::train::options::{Options, check};
use exporter::train::preset;
use exporter::train::recipe::Recipe;
use tch::{Device, Tensor};

fn scaled(model: &FoldedModel, factor: f32) -> FoldedModel {
    let mut model = model.clone();
    model.output.weight *= factor;
    model.output.bias *= factor;
    model
}

fn loss(model: &FoldedModel, contexts: &Tensor, targets: &Tensor) -> f64 {
    let torch = TorchModel::new(model, Device::Cpu);
    mean_nll(|x| torch.forward(x), contexts, targets)
}

#[test]
fn the_fitted_temperature_has_the_lowest_loss() {
    let tiny = FoldedModel::read(&workspace("models/tiny.safetensors")).unwrap();
    let (words, _) = words();
    let dev = words.split().unwrap().dev;
    let (contexts, targets) = of_examples(&examples(&tiny, "list", &dev).unwrap(), Device::Cpu);

    let mut fitted = tiny.clone();
    let temperature = fit(&mut fitted, &contexts, &targets);
    assert!((0.8..1.25).contains(&temperature), "{temperature}");
    let best = loss(&fitted, &contexts, &targets);
    for factor in [0.95, 0.99, 1.01, 1.05] {
        let other = loss(&scaled(&fitted, factor), &contexts, &targets);
        assert!(other > best + 1e-6, "logits times {factor}: {other}, fitted: {best}");
    }

    // A model that is too sure gets the same output layer.
    let mut sure = scaled(&tiny, 1.5);
    assert!((fit(&mut sure, &contexts, &targets) / temperature - 1.5).abs() < 1e-4);
    for (found, expected) in sure.output.weight.iter().zip(&fitted.output.weight) {
        assert!((found - expected).abs() < 1e-4 * expected.abs().max(0.01), "{found} instead of {expected}");
    }

    // Far from every limit, nothing changes.
    let mut wrong = scaled(&tiny, 10.0);
    assert_eq!(fit(&mut wrong, &contexts, &targets), 1.0);
    assert_eq!(wrong, scaled(&tiny, 10.0));
}

#[test]
fn a_split_without_dev_words_of_its_own_fits_no_temperature() {
    let preset = preset::find("tiny").unwrap();
    let options = |fit_temperature| Options {
        preset: preset.name.to_owned(),
        architecture: preset.architecture(),
        statistics: preset.statistics,
        recipe: Recipe { fit_temperature, ..preset.recipe.clone() },
        seed: 42,
        threads: 1,
        device: Device::Cpu,
        evaluations: 2,
        checkpoints: None,
    };
    for (rule, refused) in [(SplitRule::Lecture, false), (SplitRule::Makemore, true), (SplitRule::Text, true)] {
        let words = Words { split_rule: Some(rule), ..words().0 };
        let result = check(&words, &options(true));
        assert_eq!(result.is_err_and(|error| error.to_string().contains("set fit_temperature to false")), refused);
        check(&words, &options(false)).unwrap();
    }
}
