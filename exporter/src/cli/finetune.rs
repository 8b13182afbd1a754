use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::bail;
use exporter::io::write::check_writable;
use exporter::model::file::FoldedModel;
use exporter::train::finetune::{Event, Options, finetune};

use super::lists::{DataArgs, Known, require_list};
use super::{INTERRUPTED, count, default_threads, limits, quoted, refuse_overwriting, stop_on_interrupt};

#[derive(clap::Args)]
pub struct Args {
    /// Read this folded model, as `train` writes it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// Write the fine-tuned model to this file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Round the inner levels' weights to this many bits. 3 and 2 (ternary) are experiments, which the blob also stores
    /// in 4 bits
    #[arg(long, default_value_t = Options::default().bits, value_parser = clap::value_parser!(u32).range(2..=4))]
    bits: u32,
    /// Set the highest learning rate
    #[arg(long, default_value_t = Options::default().lr, value_parser = limits::learning_rate)]
    lr: f64,
    /// Train for this many passes over the training words
    #[arg(long, default_value_t = Options::default().epochs, value_parser = limits::epochs)]
    epochs: f64,
    /// Use this many examples per step
    #[arg(long, default_value_t = Options::default().batch_size, value_parser = limits::batch_size)]
    batch_size: usize,
    /// Draw the batches from this seed
    #[arg(long, default_value_t = Options::default().seed)]
    seed: u64,
    /// Use this many threads, at most 64 or four per core, whichever is more. A run with the same seed and number of
    /// threads writes the same bytes [default: one per core]
    #[arg(long, value_parser = limits::threads)]
    threads: Option<usize>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let inputs: Vec<&Path> = [Some(args.model.as_path()), args.data.data.as_deref()].into_iter().flatten().collect();
    refuse_overwriting(&args.out, &inputs)?;
    check_writable(&args.out)?;
    let model = FoldedModel::read(&args.model)?;
    if model.is_of_text() {
        bail!("{} is a model of text: finetune is for models of words", quoted(&args.model));
    }
    require_list(args.data.data.as_deref(), &args.model, &model)?;
    let words = args.data.read_for(&Known::of(quoted(&args.model), &model))?;
    let options = Options {
        bits: args.bits,
        lr: args.lr,
        epochs: args.epochs,
        batch_size: args.batch_size,
        seed: args.seed,
        threads: args.threads.unwrap_or_else(default_threads),
    };
    let stop = stop_on_interrupt()?;
    let mut train = f64::NAN;
    let tuned = finetune(&model, &words, &options, &stop, &mut |event| match event {
        Event::Start { steps, dev } => {
            eprintln!("{} steps\n", count(steps));
            eprintln!("   step   KL from f32: train      dev   dev nll");
            eprintln!("{:>7}                    -  {:.5}   {:.4}", 0, dev.kl, dev.nll);
        }
        Event::Step { loss, .. } => train = loss,
        Event::Dev { step, dev } => eprintln!("{step:>7}              {train:.5}  {:.5}   {:.4}", dev.kl, dev.nll),
    })?;
    tuned.write(&args.out)?;
    let out = quoted(&args.out);
    eprintln!("\nwrote {out}. Next:");
    let blob = quoted(&args.out.with_extension("blob"));
    let calibration = args.data.data.as_ref().map_or(String::new(), |path| format!(" --calibration {}", quoted(path)));
    eprintln!("  cargo run -p exporter -- export --model {out} --precision int4{calibration} --out {blob}");
    Ok(if stop.load(Ordering::Relaxed) {
        eprintln!("interrupted: {out} holds the best model so far");
        ExitCode::from(INTERRUPTED)
    } else {
        ExitCode::SUCCESS
    })
}
