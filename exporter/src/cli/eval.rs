use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::ValueEnum;
use exporter::data::{Split, Words};
use exporter::measure::eval::compare::{Candidate, Comparison, Distance};
use exporter::model::pack::ModelFile;
use runtime::Model;

use super::count;
use super::lists::{DataArgs, Known, for_model};

#[derive(clap::Args)]
pub struct Args {
    /// Read the model from this file: safetensors run through libtorch, a blob through the chip's code. If given
    /// several times, compare the models with the first
    #[arg(long, value_name = "FILE", required = true)]
    model: Vec<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    /// Use this part of the list
    #[arg(long, value_enum, default_value_t = PartArg::Dev)]
    part: PartArg,
    /// Print one JSON object with losses and counts on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum PartArg {
    Train,
    Dev,
    Test,
    /// Train, dev and test, one after the other
    All,
}

impl PartArg {
    /// Returns the chosen parts of a list, with their names.
    pub fn of(self, words: &Words) -> anyhow::Result<Vec<(&'static str, Vec<String>)>> {
        let Split { train, dev, test } = words.split()?;
        let parts = [(Self::Train, "train", train), (Self::Dev, "dev", dev), (Self::Test, "test", test)];
        let asked = parts.into_iter().filter(|(which, ..)| self == *which || self == Self::All);
        Ok(asked.map(|(_, name, part)| (name, part)).collect())
    }
}

/// A model file as given on the command line.
pub struct Given {
    pub path: PathBuf,
    pub file: ModelFile,
    /// Size of the file in bytes.
    bytes: u64,
}

impl Given {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let file = ModelFile::read(path)?;
        let bytes = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
        Ok(Self { path: path.to_owned(), file, bytes })
    }

    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Returns the file's facts about the list that the model was trained on.
    pub fn known(&self) -> anyhow::Result<Known<'_>> {
        match &self.file {
            ModelFile::Folded(model) => Ok(Known::of(self.name(), model)),
            ModelFile::Blob(blob) => Ok(Known::of_blob(self.name(), &Model::new(blob.as_bytes())?)),
        }
    }

    /// Prints a note if the model was trained on another list, or with another split of this list: a dev word here may
    /// have been a training word there. Drops the words that the training dropped.
    pub fn note_other_list(&self, words: &mut Words) -> anyhow::Result<()> {
        for_model(words, &self.known()?);
        if let ModelFile::Folded(model) = &self.file {
            let (name, origin) = (self.path.display(), &model.origin);
            if origin.dedup != words.deduplicated {
                eprintln!(
                    "note: {name} was trained with the other setting of --dedup, so its split of the list differs"
                );
            }
            if origin.sample != words.sample.map(|sample| sample.words) {
                eprintln!("note: {name} was trained with another --max-words, so its split of the list differs");
            }
            if origin.split != words.rule() {
                eprintln!("note: {name} was trained with --split {}: its training words differ", origin.split.name());
            }
        }
        Ok(())
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let models = args.model.iter().map(|path| Given::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let candidates = models.iter().map(|model| Candidate::new(&model.name(), &model.file));
    let comparison = Comparison::new(candidates.collect::<Result<_, _>>()?)?;
    let mut words = args.data.read_as(&models[0].known()?)?;
    models.iter().try_for_each(|model| model.note_other_list(&mut words))?;
    let parts = args.part.of(&words)?;
    let mut json = match &models[..] {
        [model] => alone(model, &comparison, &words, &parts)?,
        _ => compared(&models, &comparison, &words, &parts)?,
    };
    if args.json {
        json.insert("seconds".to_owned(), started.elapsed().as_secs_f64().into());
        println!("{}", serde_json::Value::Object(json));
    }
    Ok(ExitCode::SUCCESS)
}

type Json = serde_json::Map<String, serde_json::Value>;

/// Prints the table for one model, a row per part of the list, and returns it as JSON.
fn alone(
    model: &Given,
    comparison: &Comparison<'_>,
    words: &Words,
    parts: &[(&str, Vec<String>)],
) -> anyhow::Result<Json> {
    let candidate = &comparison.candidates()[0];
    show!("{} through {}\n", model.name(), candidate.kind());
    show!("         nll  {}  characters", if words.is_text() { "  bits" } else { "   words" });
    let mut json = Json::new();
    for (name, part) in parts {
        let loss = candidate.loss(&words.name, part)?;
        let bits = loss.nll / std::f64::consts::LN_2;
        let second = if words.is_text() { format!("{bits:.4}") } else { format!("{:>8}", count(part.len())) };
        show!("{name:<5} {:.4}  {second}  {:>10}", loss.nll, count(loss.characters));
        json.insert(format!("{name}_nll"), loss.nll.into());
        json.insert(format!("{name}_bits"), bits.into());
        if !words.is_text() {
            json.insert(format!("{name}_words"), part.len().into());
        }
        json.insert(format!("{name}_characters"), loss.characters.into());
    }
    Ok(json)
}

/// Prints a table per part of the list with a row per model, and returns them as JSON.
fn compared(
    models: &[Given],
    comparison: &Comparison<'_>,
    words: &Words,
    parts: &[(&str, Vec<String>)],
) -> anyhow::Result<Json> {
    let names: Vec<String> = models.iter().map(Given::name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    let mut json = Json::new();
    let mut rows: Vec<Json> = models
        .iter()
        .zip(comparison.candidates())
        .map(|(model, candidate)| {
            Json::from_iter([
                ("model".to_owned(), model.name().into()),
                ("kind".to_owned(), candidate.kind().into()),
                ("bytes".to_owned(), model.bytes.into()),
            ])
        })
        .collect();
    for (part, list) in parts {
        let distances = comparison.over(&words.name, list)?;
        let characters = distances.first().map_or(0, |distance| distance.loss.characters);
        show!("\n{part}: {}{} characters", words_of(words, list), count(characters));
        show!(
            "{:<width$}  {:<12}  {:>9}  {:>6}  {:>8}  {:>8}  top-1 %",
            "model",
            "kind",
            "bytes",
            "nll",
            "delta",
            "KL"
        );
        if !words.is_text() {
            json.insert(format!("{part}_words"), list.len().into());
        }
        json.insert(format!("{part}_characters"), characters.into());
        for (index, (row, distance)) in rows.iter_mut().zip(&distances).enumerate() {
            let Distance { loss, delta, kl, top1 } = *distance;
            let kind = comparison.candidates()[index].kind();
            let bytes = count(usize::try_from(models[index].bytes)?);
            show_part!("{:<width$}  {kind:<12}  {bytes:>9}  {:.4}", names[index], loss.nll);
            match index {
                0 => show!("  (the reference)"),
                _ => show!("  {}  {kl:>8.6}  {top1:>7.2}", signed(delta)),
            }
            for (key, value) in [("nll", loss.nll), ("delta", delta), ("kl", kl), ("top1", top1)] {
                row.insert(format!("{part}_{key}"), value.into());
            }
        }
    }
    show!(
        "\nnll, delta and KL in nats per character; delta (difference of nll), KL (divergence) and top-1 (agreement on the\n\
         most probable character) compare with {} over the same characters",
        names[0]
    );
    json.insert("models".to_owned(), rows.into());
    Ok(json)
}

/// Returns the number of words of a part for a heading: `3,203 words, `; empty for a text.
pub fn words_of(words: &Words, part: &[String]) -> String {
    if words.is_text() { String::new() } else { format!("{} words, ", count(part.len())) }
}

/// Formats a difference with its sign and five decimals; without a sign if all five are zero.
fn signed(delta: f64) -> String {
    match format!("{delta:>+8.5}") {
        zero if zero.ends_with("0.00000") => format!("{:>8.5}", 0.0),
        text => text,
    }
}
