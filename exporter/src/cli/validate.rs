mod golden;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use exporter::measure::eval::validate::{Noise, Validation, validate};
use exporter::model::pack::ModelFile;
use runtime::Model;
use serde_json::json;

use super::eval::{Given, PartArg, words_of};
use super::{DataArgs, count};

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("against").required(true).args(["blob", "golden"])))]
pub struct Args {
    /// Read the reference from this file: a folded model, or its blob in f32. With --golden, this is the model to
    /// check: a folded model in every precision, a blob in its own
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Compare this blob with the reference on a word list; may be given several times
    #[arg(long, value_name = "FILE")]
    blob: Vec<PathBuf>,
    #[command(flatten)]
    golden: golden::GoldenArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Use this part of the list
    #[arg(long, value_enum, default_value_t = PartArg::Dev)]
    part: PartArg,
    /// Print one JSON object on stdout; a signal-to-noise ratio is null if all values are equal
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(file) = &args.golden.golden {
        return golden::run(&args.model, file, &args.golden, args.json);
    }
    let started = Instant::now();
    let reference = Given::read(&args.model)?;
    let blobs = args.blob.iter().map(|path| Given::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    if let Some(other) = blobs.iter().find(|given| !matches!(given.file, ModelFile::Blob(_))) {
        bail!("--blob {} is not a blob: make one with `export`", other.name());
    }
    let reference_blob = reference.file.clone().into_blob()?;
    let reference_model = Model::new(reference_blob.as_bytes())?;
    let precision = reference_model.precision();
    if precision.is_integer() {
        bail!(
            "--model {} is in {}, but the reference must be in f32: name the model that it was made from",
            reference.name(),
            precision.name()
        );
    }
    let mut words = args.data.read_as(&reference.known()?)?;
    reference.note_other_list(&mut words)?;
    let packed = blobs.iter().map(|given| given.file.clone().into_blob()).collect::<Result<Vec<_>, _>>()?;

    let names: Vec<String> = blobs.iter().map(Given::name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    let levels = reference_model.config().levels().len();
    let mut parts = serde_json::Map::new();
    for (part, list) in args.part.of(&words)? {
        let (mut rows, mut characters) = (Vec::new(), 0);
        for (index, (name, blob)) in names.iter().zip(&packed).enumerate() {
            let model = Model::new(blob.as_bytes())?;
            let found = validate(&reference_model, &model, &words.name, &list).with_context(|| name.clone())?;
            characters = found.characters;
            if index == 0 {
                show!("\n{part}: {}{} characters", words_of(&words, &list), count(characters));
                heading(width, levels);
            }
            let kind = model.precision().name();
            show!("{name:<width$}  {kind:<4}  {}", row(&found));
            rows.push(json!({
                "model": name,
                "kind": format!("runtime {kind}"),
                "level_snr_db": found.levels.iter().map(Noise::snr_db).collect::<Vec<_>>(),
                "logit_snr_db": found.logits.snr_db(),
                "mean_delta_logit": found.mean_delta_logit,
                "max_delta_logit": found.max_delta_logit,
            }));
        }
        parts.insert(part.to_owned(), json!({ "words": list.len(), "characters": characters, "models": rows }));
    }
    show!(
        "\nsignal-to-noise ratio after each level and of the logits, in dB, against {} in f32 (6 dB are one bit);\n\
         |delta logit| in nats",
        reference.name()
    );
    if args.json {
        parts.insert("seconds".to_owned(), started.elapsed().as_secs_f64().into());
        println!("{}", serde_json::Value::Object(parts));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the two lines above the columns of [`row`].
fn heading(width: usize, levels: usize) {
    // Each column has ten characters; the first lacks two blanks.
    let ratios = 10 * (levels + 1) - 2;
    let above = format!("{:width$}  {:4}  {:^ratios$}  {:^18}", "", "", "signal to noise, dB", "|delta logit|");
    show!("{}", above.trim_end());
    show_part!("{:<width$}  {:<4}", "model", "kind");
    for level in 0..levels {
        show_part!("  {:>8}", format!("level {level}"));
    }
    show!("  {:>8}  {:>8}  {:>8}", "logits", "mean", "max");
}

fn row(found: &Validation) -> String {
    let ratio = |noise: &Noise| noise.snr_db().map_or("exact".to_owned(), |db| format!("{db:.1}"));
    let mut text = String::new();
    for noise in found.levels.iter().chain([&found.logits]) {
        text += &format!("{:>8}  ", ratio(noise));
    }
    text + &format!("{:>8.4}  {:>8.4}", found.mean_delta_logit, found.max_delta_logit)
}
