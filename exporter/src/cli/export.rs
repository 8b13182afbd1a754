use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use exporter::io::write::write_atomically;
use exporter::model::activation::is_bounded;
use exporter::model::file::FoldedModel;
use exporter::model::gptq::{Options as Int4Options, Rounding, compensate_int8, quantize_int4};
use exporter::model::normalize::{apply, are_far, scales};
use exporter::model::pack::{ModelFile, pack_f32, pack_integer};
use exporter::model::quantize::quantize_int8;
use runtime::Model;
use runtime::format::{AlignedBlob, Core, Layout, Precision};
use runtime::write::{relayout, tabulate_pairs};
use tch::Tensor;

use super::{Choice, calibration, count, named, named_or, quoted, refuse_overwriting};

#[derive(clap::Args)]
pub struct Args {
    /// A folded model, as `train` writes it; or an integer blob, whose layout alone is then changed
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Number format of weights and activations [default: f32; of a blob, its own]
    #[arg(long, value_parser = named(Precision::ALL, Precision::name))]
    precision: Option<Precision>,
    /// Order of integer weights in the blob: every layout gives the same logits on every core, each is fastest on its own.
    /// auto takes that of --core
    #[arg(long, default_value = "auto", value_parser = named_or("auto", Layout::INTEGERS, Layout::name))]
    layout: Choice<Layout>,
    /// The core that the blob is for [default: host; of a blob, that of its layout]
    #[arg(long, value_parser = named_or("host", Core::ALL, Core::name))]
    core: Option<Choice<Core>>,
    /// Integers: store what level 0 gives for every pair of characters, instead of computing it: faster, and larger by the
    /// square of the vocabulary
    #[arg(long)]
    pairs: bool,
    /// int4, and int8 where the activation has no bound: words that the rounding is calibrated on, best those of the
    /// training [default: the shipped list of names if the model was trained on it, else words drawn from the model]
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// int4, and int8 where the activation has no bound: round each weight by itself, for comparison
    #[arg(long)]
    nearest: bool,
    /// int4: four bits for the output layer as well
    #[arg(long)]
    int4_output: bool,
    /// Where the blob goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn int4_options(args: &Args) -> Int4Options {
    Int4Options {
        rounding: if args.nearest { Rounding::Nearest } else { Rounding::Compensated },
        int4_output: args.int4_output,
        ..Int4Options::default()
    }
}

/// The layout of integer weights that was asked for, or the one there is.
fn layout(args: &Args, own: Layout) -> Layout {
    match (args.layout, args.core) {
        (Choice::Of(layout), _) => layout,
        (Choice::Word, Some(Choice::Of(core))) => core.layout(),
        (Choice::Word, Some(Choice::Word)) => Layout::RowMajor,
        (Choice::Word, None) => own,
    }
}

/// The blob of a model in the precision that was asked for.
fn pack(args: &Args) -> anyhow::Result<AlignedBlob> {
    let model = match ModelFile::read(&args.model)? {
        ModelFile::Blob(blob) => {
            let model = Model::new(blob.as_bytes())?;
            let own = model.precision();
            if !own.is_integer() {
                let (blob, own) = (quoted(&args.model), own.name());
                bail!("{blob} is a blob in {own}, which has one layout: export the model it was made of");
            }
            if args.calibration.is_some() || args.nearest || args.int4_output {
                bail!("a blob's weights are rounded already: only its layout can be changed");
            }
            if args.precision.is_some_and(|asked| asked != own) {
                bail!("a blob keeps its precision: export the model that {} was made of", quoted(&args.model));
            }
            return Ok(AlignedBlob::from(relayout(&model, layout(args, model.layout()))?.as_slice()));
        }
        ModelFile::Folded(model) => model,
    };
    let precision = args.precision.unwrap_or(Precision::F32);
    if !precision.is_integer() && args.layout != Choice::Word {
        bail!("--layout is for integers: see --precision");
    }
    if !is_calibrated(&model, precision) && (args.calibration.is_some() || args.nearest) {
        let name = model.architecture.activation.name();
        bail!("int8 of {name} rounds each weight by itself, without --calibration and --nearest");
    }
    let contexts = || calibration::words(args.calibration.as_deref(), &model)?.contexts(&model);
    pack_in(&model, precision, layout(args, Layout::RowMajor), contexts, int4_options(args))
}

/// Returns whether the rounding of a model is calibrated on words.
pub fn is_calibrated(model: &FoldedModel, precision: Precision) -> bool {
    match precision {
        Precision::F32 => false,
        Precision::Int8 => !is_bounded(model.architecture.activation),
        Precision::Int4 => true,
    }
}

/// Packs a folded model in a precision. `contexts` are asked for where the rounding is calibrated.
pub fn pack_in(
    model: &FoldedModel,
    precision: Precision,
    layout: Layout,
    contexts: impl FnOnce() -> anyhow::Result<Tensor>,
    options: Int4Options,
) -> anyhow::Result<AlignedBlob> {
    let bounded = is_bounded(model.architecture.activation);
    let (model, quantized) = match precision {
        Precision::F32 => return Ok(pack_f32(model)?),
        Precision::Int8 if bounded => (Cow::Borrowed(model), quantize_int8(model)),
        Precision::Int8 => {
            let contexts = contexts()?;
            let model = rescaled(model, &contexts);
            let quantized = compensate_int8(&model, &contexts, options.rounding);
            (model, quantized)
        }
        Precision::Int4 => {
            let contexts = contexts()?;
            let model = rescaled(model, &contexts);
            let quantized = quantize_int4(&model, &contexts, options);
            (model, quantized)
        }
    };
    Ok(pack_integer(&model, &quantized, layout)?)
}

/// The model, or one with other scales where the levels of an unbounded activation are far from 1 on the calibration
/// words.
fn rescaled<'m>(model: &'m FoldedModel, contexts: &Tensor) -> Cow<'m, FoldedModel> {
    let scales = scales(model, contexts);
    if !are_far(&scales) {
        return Cow::Borrowed(model);
    }
    let by: Vec<String> = scales.iter().map(|scale| format!("{scale:.2}")).collect();
    eprintln!(
        "note: on the calibration words the levels are far from 1; in the blob they are divided by {}",
        by.join(", ")
    );
    let mut scaled = model.clone();
    apply(&mut scaled, &scales);
    Cow::Owned(scaled)
}

/// The blob with level 0 tabulated.
fn with_pairs(blob: &AlignedBlob) -> anyhow::Result<AlignedBlob> {
    let model = Model::new(blob.as_bytes())?;
    if !model.precision().is_integer() {
        bail!("--pairs is for integers: see --precision");
    }
    let tabulated = tabulate_pairs(&model).context("--pairs needs a first level of two characters")?;
    Ok(AlignedBlob::from(tabulated.as_slice()))
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let inputs: Vec<&Path> = [Some(args.model.as_path()), args.calibration.as_deref()].into_iter().flatten().collect();
    refuse_overwriting(&args.out, &inputs)?;
    match args.precision {
        Some(Precision::Int8) if !args.int4_output => {}
        Some(Precision::Int4) => {}
        None | Some(Precision::F32 | Precision::Int8) => {
            if args.calibration.is_some() || args.nearest || args.int4_output {
                bail!(
                    "--calibration, --nearest and --int4-output belong to --precision int4, the first two also to int8"
                );
            }
        }
    }
    let blob = pack(args)?;
    let blob = if args.pairs { with_pairs(&blob)? } else { blob };
    write_atomically(&args.out, blob.as_bytes())?;
    let packed = Model::new(blob.as_bytes())?;
    eprintln!("wrote {}", quoted(&args.out));
    eprintln!("  flash      {:>9} bytes", count(blob.as_bytes().len()));
    eprintln!("  RAM        {:>9} bytes of state", count(4 * packed.state_words()));
    eprintln!("  work       {:>9} multiply-accumulates per character", count(packed.macs_streaming()));
    Ok(ExitCode::SUCCESS)
}
