use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::ValueEnum;
use exporter::data::{Examples, Words};
use exporter::file::FoldedModel;
use exporter::gptq::{Options as Int4Options, Rounding, calibration_contexts, quantize_int4};
use exporter::pack::{pack_f32, pack_integer};
use exporter::quantize::quantize_int8;
use exporter::write::write_atomically;
use runtime::{Model, Vocab};
use tch::Tensor;

use super::{count, quoted, refuse_overwriting};

#[derive(clap::Args)]
pub struct Args {
    /// A folded model, as `train` writes it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Number format of weights and activations
    #[arg(long, value_enum, default_value_t = PrecisionArg::F32)]
    precision: PrecisionArg,
    /// int4: words that the rounding is calibrated on, best those of the training [default: the shipped list of names]
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// int4: round each weight by itself, for comparison
    #[arg(long)]
    nearest: bool,
    /// int4: four bits for the output layer as well
    #[arg(long)]
    int4_output: bool,
    /// Where the blob goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Contexts of the train split of the calibration words.
fn calibration(args: &Args, model: &FoldedModel) -> anyhow::Result<Tensor> {
    let words = match &args.calibration {
        Some(path) => Words::read(path)?,
        None => Words::shipped()?,
    };
    let vocab = Vocab::new(&model.vocab)?;
    let config = model.architecture.config(vocab.len())?;
    let train = words.split()?.train;
    let examples = Examples::new(&words.name, &train, vocab, config.block_size());
    Ok(calibration_contexts(&examples.context("four bits are calibrated on words of the model: see --calibration")?))
}

fn int4_options(args: &Args) -> Int4Options {
    Int4Options {
        rounding: if args.nearest { Rounding::Nearest } else { Rounding::Compensated },
        int4_output: args.int4_output,
        ..Int4Options::default()
    }
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum PrecisionArg {
    F32,
    Int8,
    Int4,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let inputs: Vec<&Path> = [Some(args.model.as_path()), args.calibration.as_deref()].into_iter().flatten().collect();
    refuse_overwriting(&args.out, &inputs)?;
    let for_int4 = args.calibration.is_some() || args.nearest || args.int4_output;
    if for_int4 && args.precision != PrecisionArg::Int4 {
        bail!("--calibration, --nearest and --int4-output belong to --precision int4");
    }
    let model = FoldedModel::read(&args.model)?;
    let blob = match args.precision {
        PrecisionArg::F32 => pack_f32(&model)?,
        PrecisionArg::Int8 => pack_integer(&model, &quantize_int8(&model))?,
        PrecisionArg::Int4 => {
            pack_integer(&model, &quantize_int4(&model, &calibration(args, &model)?, int4_options(args)))?
        }
    };
    write_atomically(&args.out, blob.as_bytes())?;
    let packed = Model::new(blob.as_bytes())?;
    let config = packed.config();
    eprintln!("wrote {}", quoted(&args.out));
    eprintln!("  flash      {:>9} bytes", count(blob.as_bytes().len()));
    eprintln!("  RAM        {:>9} bytes of state", count(4 * packed.state_words()));
    eprintln!("  work       {:>9} multiply-accumulates per character", count(config.macs_streaming()));
    Ok(ExitCode::SUCCESS)
}
