use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::ValueEnum;
use exporter::data::{Examples, Split, hex};
use exporter::eval::{Loss, TorchModel, runtime_loss};
use exporter::pack::ModelFile;
use runtime::{Model, Vocab};
use tch::Device;

use super::{DataArgs, count};

#[derive(clap::Args)]
pub struct Args {
    /// A model: safetensors are evaluated through libtorch, a blob through the code of the chip
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// Which part of the list
    #[arg(long, value_enum, default_value_t = SplitArg::Dev)]
    split: SplitArg,
    /// One JSON object with losses and counts on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum SplitArg {
    Train,
    Dev,
    Test,
    /// Train, dev and test, one after the other
    All,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let model = ModelFile::read(&args.model)?;
    let words = args.data.read()?;
    let trained_on = match &model {
        ModelFile::Folded(model) => model.origin.data_sha256.clone(),
        ModelFile::Blob(blob) => hex(&Model::new(blob.as_bytes())?.provenance().data_sha256),
    };
    if trained_on != hex(&words.sha256) {
        eprintln!(
            "note: the model was trained on another list than {}: parts of it may have been trained on",
            words.name
        );
    }
    let Split { train, dev, test } = words.split()?;
    let parts = [(SplitArg::Train, "train", train), (SplitArg::Dev, "dev", dev), (SplitArg::Test, "test", test)];
    let through = match &model {
        ModelFile::Folded(_) => "libtorch, F32".to_owned(),
        ModelFile::Blob(blob) => format!("the runtime, {:?}", Model::new(blob.as_bytes())?.precision()),
    };
    eprintln!("{} through {through}\n", args.model.display());
    eprintln!("         nll     words  characters");
    let mut json = serde_json::Map::new();
    for (which, name, part) in parts {
        if args.split != which && args.split != SplitArg::All {
            continue;
        }
        let Loss { nll, characters } = match &model {
            ModelFile::Folded(model) => {
                let config = model.architecture.config(model.vocab_size())?;
                let examples = Examples::new(&words.name, &part, Vocab::new(&model.vocab)?, config.block_size())?;
                TorchModel::new(model, Device::Cpu).loss(&examples)
            }
            ModelFile::Blob(blob) => runtime_loss(&Model::new(blob.as_bytes())?, &words.name, &part)?,
        };
        eprintln!("{name:<5} {nll:.4}  {:>8}  {:>10}", count(part.len()), count(characters));
        json.insert(format!("{name}_nll"), nll.into());
        json.insert(format!("{name}_words"), part.len().into());
        json.insert(format!("{name}_characters"), characters.into());
    }
    if args.json {
        json.insert("seconds".to_owned(), started.elapsed().as_secs_f64().into());
        println!("{}", serde_json::Value::Object(json));
    }
    Ok(ExitCode::SUCCESS)
}
