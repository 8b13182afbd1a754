//! The losses of an imported model on its words, and the check that they beat guessing.

use std::collections::BTreeMap;

use anyhow::bail;
use exporter::data::{Words, hex};
use exporter::model::file::FoldedModel;
use exporter::model::tensors;
use exporter::model::torch_model::TorchModel;
use tch::Device;

use super::super::count;
use super::{Args, Network};

/// Name of a part of the list, its loss, number of words and number of characters.
pub type Measured = (&'static str, f64, usize, usize);

/// Measures the losses on the list's parts and stores them in the model, for its file.
pub fn measure(model: &mut FoldedModel, words: &Words) -> anyhow::Result<Vec<Measured>> {
    let torch = TorchModel::new(model, Device::Cpu);
    let split = words.split()?;
    let mut measured = Vec::new();
    for (part, list) in [("train", &split.train), ("dev", &split.dev), ("test", &split.test)] {
        let examples = tensors::examples(model, &words.name, list)?;
        measured.push((part, torch.loss(&examples).nll, list.len(), examples.len()));
    }
    let origin = &mut model.origin;
    [origin.train_nll, origin.dev_nll, origin.test_nll] = [0, 1, 2].map(|part| Some(measured[part].1));
    origin.data_sha256 = hex(&words.sha256);
    origin.dedup = words.deduplicated;
    origin.split = words.rule();
    origin.sample = words.sample.map(|sample| sample.words);
    Ok(measured)
}

/// Fails if the model's loss is worse than guessing.
pub fn refuse_guessing(
    input: &str,
    args: &Args,
    network: &Network,
    model: &FoldedModel,
    words: &Words,
    measured: &[Measured],
) -> anyhow::Result<()> {
    let characters: usize = measured.iter().map(|(.., characters)| characters).sum();
    let total: f64 = measured.iter().map(|&(_, nll, _, characters)| nll * characters as f64).sum();
    let (nll, guessing) = (total / characters.max(1) as f64, (model.vocab_size() as f64).ln());
    if nll <= guessing {
        let frequencies = of_frequencies(&words.words);
        if nll > frequencies {
            eprintln!(
                "note: a loss of {nll:.2} is worse than {frequencies:.2}, the loss of a model that knows only how \
                 frequent each character is: is an option wrong?"
            );
        }
        return Ok(());
    }
    let (name, vocab_size) = (&words.name, model.vocab_size());
    let mut causes = vec![format!("are the rows in another order than {:?} (--vocab)", model.vocab)];
    if args.boundary.is_none() && args.vocab.is_none() && network.golden.is_none() {
        causes.push("is the boundary another row (--boundary)".to_owned());
    }
    if network.golden.is_none() {
        let activation = network.structure.activation.name();
        causes.push(format!("is the activation not {activation} (--activation, or find out with --golden FILE)"));
    }
    causes.push(format!("was it trained on other words than {name}"));
    bail!(
        "{input}: a loss of {nll:.2} on {name} is worse than guessing among {vocab_size} characters, which has a loss \
         of {guessing:.2}: {}?",
        causes.join(", or ")
    );
}

/// Returns the loss of a model that only knows how frequent each character and the end of a word are, in nats per
/// character.
fn of_frequencies(words: &[String]) -> f64 {
    let mut counts: BTreeMap<Option<char>, usize> = BTreeMap::from([(None, words.len())]);
    words.iter().flat_map(|word| word.chars()).for_each(|character| *counts.entry(Some(character)).or_default() += 1);
    let all = counts.values().sum::<usize>().max(1) as f64;
    counts.values().map(|&count| count as f64 / all).filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum()
}

/// Prints the table of losses.
pub fn show(measured: &[Measured]) {
    if measured.is_empty() {
        return;
    }
    eprintln!("\n         nll     words  characters");
    for (part, nll, words, characters) in measured {
        eprintln!("{part:<5} {nll:.4}  {:>8}  {:>10}", count(*words), count(*characters));
    }
}
