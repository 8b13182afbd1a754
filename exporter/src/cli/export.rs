use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use exporter::io::write::write_atomically;
use exporter::measure::eval::lost::lost;
use exporter::model::file::{Finetuned, FoldedModel};
use exporter::model::gptq::{MAX_FAN_IN, largest_fan_in, quantize};
use exporter::model::lost::Lost;
use exporter::model::normalize::{apply, are_far, scales};
use exporter::model::pack::{ModelFile, pack_f32, pack_integer};
use exporter::model::quantize::{Range, quantize_nearest};
use runtime::Model;
use runtime::format::{AlignedBlob, Core, Layout, Precision};
use runtime::write::{relayout, tabulate_halves, tabulate_pairs};
use tch::Tensor;

use super::calibration::{self, Calibration};
use super::{Choice, count, named, named_or, quoted, refuse_overwriting};

#[derive(clap::Args)]
pub struct Args {
    /// Read this model: a folded model, as `train` writes it, or an integer blob, to change its layout
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Set the number format of weights and activations [default: f32; for a blob, its own]
    #[arg(long, value_parser = named(Precision::ALL, Precision::name))]
    precision: Option<Precision>,
    /// Set the order of the integer weights in the blob. Every core computes the same logits from every layout, but is
    /// fastest with its own; `auto` is the layout of --core
    #[arg(long, default_value = "auto", value_parser = named_or("auto", Layout::INTEGERS, Layout::name))]
    layout: Choice<Layout>,
    /// Pack for this core [default: host; for a blob, keep its layout]
    #[arg(long, value_parser = named_or("host", Core::ALL, Core::name))]
    core: Option<Choice<Core>>,
    /// Look levels up in tables (int8, int4): the same words faster, for more flash. `pairs` stores the output of level
    /// 0 for every pair of characters; `halves` also stores the sums of level 1, in two halves, for every pair. Both
    /// grow with the square of the vocabulary size [default without a value: halves]
    #[arg(long, value_name = "TABLES", num_args = 0..=1, default_missing_value = "halves", hide_default_value = true,
          value_parser = named(Tables::ALL, Tables::name))]
    tables: Option<Tables>,
    /// Same as `--tables pairs`
    #[arg(long, conflicts_with = "tables")]
    pairs: bool,
    /// Calibrate the rounding on this word list, ideally the list of the training (int8, int4) [default: the shipped
    /// list of names if the model was trained on it, otherwise words drawn from the model]
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Round each weight to the nearest step, without error compensation, for comparison (int8, int4)
    #[arg(long)]
    nearest: bool,
    /// Store the output layer in 4 bits as well (int4)
    #[arg(long)]
    int4_output: bool,
    /// Write the blob to this file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Levels that are looked up in tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tables {
    /// Level 0.
    Pairs,
    /// Levels 0 and 1.
    Halves,
}

impl Tables {
    const ALL: &[Self] = &[Self::Pairs, Self::Halves];

    const fn name(self) -> &'static str {
        match self {
            Self::Pairs => "pairs",
            Self::Halves => "halves",
        }
    }
}

/// Returns the layout that the options ask for, or `own` if they ask for none.
fn layout(args: &Args, own: Layout) -> Layout {
    match (args.layout, args.core) {
        (Choice::Of(layout), _) => layout,
        (Choice::Word, Some(Choice::Of(core))) => core.layout(),
        (Choice::Word, Some(Choice::Word)) => Layout::RowMajor,
        (Choice::Word, None) => own,
    }
}

/// Returns the model's blob in the precision that the options ask for. For integers, also returns their loss against
/// f32, and the name of the words on which that was measured.
fn pack(args: &Args) -> anyhow::Result<(AlignedBlob, Option<(Lost, String)>)> {
    let model = match ModelFile::read(&args.model)? {
        ModelFile::Blob(blob) => {
            let model = Model::new(blob.as_bytes())?;
            let own = model.precision();
            if !own.is_integer() {
                let (blob, own) = (quoted(&args.model), own.name());
                bail!("{blob} is a blob in {own}, which has only one layout: export the model that it was made from");
            }
            if args.calibration.is_some() || args.nearest || args.int4_output {
                bail!(
                    "{} is a blob, whose weights are rounded already: --calibration, --nearest and --int4-output need \
                     the model that it was made from",
                    quoted(&args.model)
                );
            }
            if args.precision.is_some_and(|asked| asked != own) {
                let (blob, own) = (quoted(&args.model), own.name());
                bail!("{blob} is a blob in {own}: for another precision, export the model that it was made from");
            }
            return Ok((AlignedBlob::from(relayout(&model, layout(args, model.layout()))?.as_slice()), None));
        }
        ModelFile::Folded(model) => model,
    };
    let precision = args.precision.unwrap_or(Precision::F32);
    if !precision.is_integer() && args.layout != Choice::Word {
        bail!("--layout is only for integers: add --precision int8 or int4");
    }
    let layout = layout(args, Layout::RowMajor);
    let Some(range) = range(precision, args.int4_output) else { return Ok((pack_f32(&model)?, None)) };
    let calibration = calibration::words(args.calibration.as_deref(), &model)?;
    let (blob, lost, words) = pack_integers(&model, range, layout, args.nearest, &calibration)?;
    Ok((blob, Some((lost, words))))
}

/// Returns the range of a precision's integers; `None` for f32.
fn range(precision: Precision, int4_output: bool) -> Option<Range> {
    match precision {
        Precision::F32 => None,
        Precision::Int8 => Some(Range::INT8),
        Precision::Int4 if int4_output => Some(Range::INT4_OUTPUT),
        Precision::Int4 => Some(Range::INT4),
    }
}

/// Packs a folded model in a precision. Calibrates integers on `words`.
///
/// # Panics
/// If the precision is an integer precision and `words` is `None`.
pub fn pack_in(model: &FoldedModel, precision: Precision, words: Option<&Calibration>) -> anyhow::Result<AlignedBlob> {
    let Some(range) = range(precision, false) else { return Ok(pack_f32(model)?) };
    let words = words.expect("integers come with words");
    Ok(pack_integers(model, range, Layout::RowMajor, false, words)?.0)
}

/// Packs a folded model in integers. Returns the blob, the loss of the integers against f32, and the name of the words
/// on which that was measured.
///
/// The header stores the loss on the calibration words. For a fine-tuned model it stores the loss that `finetune`
/// measured on the dev words, against the model before fine-tuning.
fn pack_integers(
    model: &FoldedModel,
    range: Range,
    layout: Layout,
    nearest: bool,
    calibration: &Calibration,
) -> anyhow::Result<(AlignedBlob, Lost, String)> {
    if let Some(fan_in) = largest_fan_in(model).filter(|&fan_in| fan_in > MAX_FAN_IN && !nearest) {
        let (fan_in, most) = (count(fan_in), count(MAX_FAN_IN));
        bail!(
            "a layer reads {fan_in} values, but error-compensated rounding handles at most {most}: use `export --nearest`, \
             which rounds each weight by itself"
        );
    }
    let contexts = calibration.contexts(model)?;
    let scaled = rescaled(model, &contexts);
    let mut quantized = if nearest { quantize_nearest(&scaled, range) } else { quantize(&scaled, &contexts, range) };
    let (lost, words) = match model.finetuned().filter(|_| range == Range::INT4) {
        Some(Finetuned { lost, .. }) => (lost, "dev words, before fine-tuning".to_owned()),
        None => {
            let blob = pack_integer(&scaled, &quantized, layout)?;
            let of = if model.is_finetuned() { ", against the fine-tuned model" } else { "" };
            (lost(model, blob, &calibration.source, &calibration.words)?, format!("{}{of}", calibration.source))
        }
    };
    quantized.lost = Some(lost);
    Ok((pack_integer(&scaled, &quantized, layout)?, lost, words))
}

/// Returns the model, rescaled if its activation is unbounded and its levels' values are far from 1 on the calibration
/// words.
fn rescaled<'m>(model: &'m FoldedModel, contexts: &Tensor) -> Cow<'m, FoldedModel> {
    let scales = scales(model, contexts);
    if !are_far(&scales) {
        return Cow::Borrowed(model);
    }
    let by: Vec<String> = scales.iter().map(|scale| format!("{scale:.2}")).collect();
    eprintln!(
        "note: on the calibration words the levels' values are far from 1; the blob divides them by {}",
        by.join(", ")
    );
    let mut scaled = model.clone();
    apply(&mut scaled, &scales);
    Cow::Owned(scaled)
}

/// Returns the blob with these tables.
fn tabulated(blob: &AlignedBlob, tables: Tables) -> anyhow::Result<AlignedBlob> {
    let model = Model::new(blob.as_bytes())?;
    if !model.precision().is_integer() {
        bail!("--tables and --pairs are only for integers: add --precision int8 or int4");
    }
    let tabulated = match tables {
        Tables::Pairs => tabulate_pairs(&model).context("tables need a model whose level 0 fuses two characters")?,
        Tables::Halves => tabulate_halves(&model)
            .context("tables of halves need a model whose levels 0 and 1 both fuse two: try --tables pairs")?,
    };
    Ok(AlignedBlob::from(tabulated.as_slice()))
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let inputs: Vec<&Path> = [Some(args.model.as_path()), args.calibration.as_deref()].into_iter().flatten().collect();
    refuse_overwriting(&args.out, &inputs)?;
    let integer = args.precision.is_some_and(Precision::is_integer);
    if !integer && (args.calibration.is_some() || args.nearest) {
        bail!("--calibration and --nearest are only for integers: add --precision int8 or int4");
    }
    if args.int4_output && args.precision != Some(Precision::Int4) {
        bail!("--int4-output needs --precision int4");
    }
    let (blob, lost) = pack(args)?;
    let blob = match args.tables.or(args.pairs.then_some(Tables::Pairs)) {
        Some(tables) => tabulated(&blob, tables)?,
        None => blob,
    };
    write_atomically(&args.out, blob.as_bytes())?;
    let packed = Model::new(blob.as_bytes())?;
    eprintln!("wrote {}", quoted(&args.out));
    eprintln!("  flash      {:>9} bytes", count(blob.as_bytes().len()));
    eprintln!("  RAM        {:>9} bytes of state", count(4 * packed.state_words()));
    eprintln!("  work       {:>9} multiply-accumulates per character", count(packed.macs_streaming()));
    if let Some((Lost { kl, delta }, words)) = lost {
        eprintln!("  lost       {delta:>+9.5} nats per character against f32 ({words})");
        let same = if packed.vocab().is_of_text() { "text" } else { "words" };
        eprintln!("  KL         {kl:>9.5} nats per character from f32 (the same {same})");
    }
    Ok(ExitCode::SUCCESS)
}
