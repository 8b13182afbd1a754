use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use exporter::measure::bench::{Contender, measure};
use exporter::model::architecture::describe;
use exporter::model::pack::ModelFile;
use exporter::model::torch_model::TorchModel;
use runtime::Model;
use runtime::kernels::host::VectorUnit;
use tch::Device;

use super::{count, default_threads, limits};

#[derive(clap::Args)]
pub struct Args {
    /// Measure this model, safetensors or blob; may be given several times, for one row each. libtorch runs the weights
    /// of the first safetensors, or random weights of the same shape, which are as fast
    #[arg(long, value_name = "FILE", required = true)]
    model: Vec<PathBuf>,
    /// Draw N words at once in the batch rows
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(2..=1 << 20))]
    batch: u32,
    /// Use this many threads in the rows with several threads [default: one per core]
    #[arg(long, value_parser = limits::threads)]
    threads: Option<usize>,
    /// Measure each row this many times, 100 ms each; the table shows the median
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    turns: u32,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Time that each contender draws in one turn.
const TURN: Duration = Duration::from_millis(100);

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let files = args.model.iter().map(|path| ModelFile::read(path)).collect::<Result<Vec<_>, _>>()?;
    let folded = files.iter().find_map(|file| match file {
        ModelFile::Folded(model) => Some(TorchModel::new(model, Device::Cpu)),
        ModelFile::Blob(_) => None,
    });
    let blobs = files.into_iter().map(ModelFile::into_blob).collect::<Result<Vec<_>, _>>()?;
    let models = blobs.iter().map(|blob| Model::new(blob.as_bytes())).collect::<Result<Vec<_>, _>>()?;
    let config = models.first().context("a model")?.config();
    for (model, path) in models.iter().zip(&args.model) {
        let same = model.config() == config;
        let (path, first) = (path.display(), args.model[0].display());
        anyhow::ensure!(same, "{path} and {first} have different shapes: `bench` compares models of one shape");
    }
    let torch = folded.unwrap_or_else(|| TorchModel::untrained(config, Device::Cpu));
    let words = args.batch as usize;
    let all = args.threads.unwrap_or_else(default_threads);
    // Rows with one thread, and rows with all threads if there are several.
    let threads = if all > 1 { vec![1, all] } else { vec![1] };

    let mut contenders: Vec<Contender<'_>> = Vec::new();
    contenders.extend(threads.iter().map(|&threads| Contender::torch_single(&torch, config.block_size(), threads)));
    contenders.extend(models.iter().map(Contender::single));
    let batch = |&threads: &usize| Contender::torch_batch(&torch, config.block_size(), words, threads);
    contenders.extend(threads.iter().map(batch));
    for model in &models {
        contenders.extend(threads.iter().map(|&threads| Contender::batch(model, words, threads)));
    }
    measure(&mut contenders, args.turns as usize, TURN);

    show!("{}, kernels of the runtime: {}\n", shape(config), VectorUnit::best().name());
    show!("engine    precision  words  threads  characters/s  us/character  against libtorch");
    let rows: Vec<serde_json::Value> = contenders.iter().map(|contender| row(contender, &contenders)).collect();
    show!(
        "\none character is one draw, the ends of words included; median of {} turns of {} ms; the last column compares with\n\
         libtorch's fastest row for the same number of words at once",
        args.turns,
        TURN.as_millis()
    );
    if args.json {
        println!("{}", serde_json::json!({ "kernels": VectorUnit::best().name(), "turns": args.turns, "rows": rows }));
    }
    Ok(ExitCode::SUCCESS)
}

/// Describes the network in one line.
fn shape(config: &runtime::Config) -> String {
    format!("{} characters, {}", config.vocab_size(), describe(config))
}

/// Prints a row of the table and returns it as JSON.
fn row(contender: &Contender<'_>, all: &[Contender<'_>]) -> serde_json::Value {
    let Contender { engine, precision, words_at_once, threads, .. } = contender;
    let seconds = contender.seconds();
    let rivals = all.iter().filter(|other| other.engine == "libtorch" && other.words_at_once == *words_at_once);
    let ratio = rivals.map(Contender::seconds).fold(f64::INFINITY, f64::min) / seconds;
    let per_second = count((1.0 / seconds) as usize);
    let micros = seconds * 1e6;
    let words = count(*words_at_once);
    show!("{engine:<8}  {precision:<9}  {words:>5}  {threads:>7}  {per_second:>12}  {micros:>12.3}  {ratio:>15.1}x");
    serde_json::json!({
        "engine": engine,
        "precision": precision,
        "words_at_once": words_at_once,
        "threads": threads,
        "characters_per_second": 1.0 / seconds,
        "microseconds_per_character": micros,
        "against_libtorch": ratio,
    })
}
