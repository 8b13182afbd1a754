use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::ValueEnum;
use exporter::file::FoldedModel;
use exporter::pack::{pack_f32, pack_integer};
use exporter::quantize::quantize_int8;
use exporter::write::write_atomically;
use runtime::Model;

use super::{count, quoted};

#[derive(clap::Args)]
pub struct Args {
    /// A folded model, as `train` writes it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Number format of weights and activations
    #[arg(long, value_enum, default_value_t = PrecisionArg::F32)]
    precision: PrecisionArg,
    /// Where the blob goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum PrecisionArg {
    F32,
    Int8,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.model == args.out {
        bail!("--out {} would overwrite the model", args.out.display());
    }
    let model = FoldedModel::read(&args.model)?;
    let blob = match args.precision {
        PrecisionArg::F32 => pack_f32(&model)?,
        PrecisionArg::Int8 => pack_integer(&model, &quantize_int8(&model))?,
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
