use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use exporter::data::{Examples, MAX_WORDS, Words, alphabet, hex};
use exporter::import::{self, DEFAULT_EPS, Layer, Options, Orientation, StateDict, Structure};
use exporter::io::read::read_bounded;
use exporter::io::write::check_writable;
use exporter::model::activation;
use exporter::model::file::{FoldedModel, Origin};
use exporter::model::gptq::calibration_contexts;
use exporter::model::normalize::normalize;
use exporter::model::pack::pack_f32;
use exporter::model::torch_model::TorchModel;
use runtime::{Activation, Vocab};
use sha2::{Digest, Sha256};
use tch::Device;

use super::{count, named, quoted, read_words, refuse_overwriting};

#[derive(clap::Args)]
pub struct Args {
    /// The state_dict, as `safetensors.torch.save_file` writes it
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Where the folded model goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The characters in the order of the embedding's rows, the boundary's sign first: .abcdefghijklmnopqrstuvwxyz [default:
    /// `vocab` of the file's metadata, else that of --data]
    #[arg(long, value_name = "CHARACTERS", allow_hyphen_values = true)]
    vocab: Option<String>,
    /// The words it was trained on: the loss is measured on them, split as in the lecture; without --vocab their characters,
    /// sorted, are the vocabulary
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Drop words that stand in the list before (the lecture keeps them)
    #[arg(long, requires = "data")]
    dedup: bool,
    /// Characters of context, to be sure: it must be what the shapes say
    #[arg(long, value_name = "N")]
    block_size: Option<usize>,
    /// Matrices are [fan_in, fan_out], as in the lecture's own Linear. Found out by itself unless the shapes fit either way
    #[arg(long, conflicts_with = "not_transposed")]
    transposed: bool,
    /// Matrices are [fan_out, fan_in], as in nn.Linear
    #[arg(long)]
    not_transposed: bool,
    /// The layers, the embedding first, the output last, where their names do not say the order
    #[arg(long, value_name = "NAME,NAME,...", value_delimiter = ',')]
    order: Vec<String>,
    /// What BatchNorm adds to the variance
    #[arg(long, default_value_t = DEFAULT_EPS, value_parser = parse_eps)]
    eps: f64,
    /// The function after every level and its BatchNorm
    #[arg(long, default_value = Activation::Tanh.name(), value_parser = named(Activation::ALL, Activation::name))]
    activation: Activation,
}

fn parse_eps(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(eps) if (0.0..1.0).contains(&eps) => Ok(eps),
        _ => Err("must be 0 to 1".to_owned()),
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let inputs: Vec<&Path> = [Some(args.input.as_path()), args.data.as_deref()].into_iter().flatten().collect();
    refuse_overwriting(&args.out, &inputs)?;
    check_writable(&args.out)?;
    let input = quoted(&args.input);
    let bytes = read_bounded(&args.input).with_context(|| format!("cannot read {input}"))?;
    let orientation = match (args.transposed, args.not_transposed) {
        (true, _) => Some(Orientation::FanInFanOut),
        (_, true) => Some(Orientation::FanOutFanIn),
        _ => None,
    };
    let options = Options { orientation, order: args.order.clone(), eps: args.eps, activation: args.activation };
    let state = StateDict::from_safetensors(&bytes).with_context(|| input.clone())?;
    let structure = import::understand(&state, &options).with_context(|| input.clone())?;
    if let Some(block_size) = args.block_size.filter(|&block_size| block_size != structure.block_size()) {
        bail!(
            "{input}: the shapes say block_size {} ({}), not {block_size}",
            structure.block_size(),
            product(&structure)
        );
    }
    let words = args.data.as_ref().map(|path| read_words(Some(path), args.dedup, MAX_WORDS)).transpose()?;
    let vocab = vocab(args, &input, &state, &structure, words.as_ref())?;
    let mut model = import::fold(&state, &structure, &options, &vocab, origin(args, &bytes, &structure))
        .with_context(|| input.clone())?;
    let scaled = scale_levels(&mut model, words.as_ref()).with_context(|| input.clone())?;
    // What no chip would take is not written.
    pack_f32(&model).with_context(|| input.clone())?;

    let mut measured = Vec::new();
    if let Some(words) = &words {
        measured = measure(&mut model, words).with_context(|| input.clone())?;
    }
    describe(&input, args, &state, &structure, &model);
    if let Some(scaled) = scaled {
        eprintln!("{scaled}");
    }
    if !measured.is_empty() {
        eprintln!("\n         nll     words  characters");
        for (part, nll, words, characters) in measured {
            eprintln!("{part:<5} {nll:.4}  {:>8}  {:>10}", count(words), count(characters));
        }
    }
    model.write(&args.out)?;
    let out = quoted(&args.out);
    let blob = quoted(&args.out.with_extension("blob"));
    eprintln!("\nwrote {out}. Next:");
    eprintln!("  cargo run -p exporter -- validate --model {out} --golden golden.safetensors");
    eprintln!("  cargo run -p exporter -- export --model {out} --precision int8 --out {blob}");
    eprintln!("  cargo xtask qemu --model {blob}");
    Ok(ExitCode::SUCCESS)
}

/// The characters of the embedding's rows.
fn vocab(
    args: &Args,
    input: &str,
    state: &StateDict,
    structure: &Structure,
    words: Option<&Words>,
) -> anyhow::Result<String> {
    let rows = structure.vocab_size;
    let tensor = &structure.embedding;
    if let Some(vocab) = &args.vocab {
        return Ok(vocab.clone());
    }
    if let Some(vocab) = state.metadata.get("vocab") {
        return Ok(vocab.clone());
    }
    let Some(words) = words else {
        let alphabet = if rows == 27 { ", for the lecture's names --vocab .abcdefghijklmnopqrstuvwxyz" } else { "" };
        bail!("{input}: which characters do the {rows} rows of {tensor:?} stand for? Say --vocab or --data{alphabet}");
    };
    let vocab = words.vocab()?;
    let found = vocab.chars().count();
    if found != rows {
        bail!(
            "{input}: tensor {tensor:?} has {rows} rows, {} {found} characters with the boundary: say --vocab if the model was trained on another list",
            words.name
        );
    }
    Ok(vocab)
}

fn origin(args: &Args, bytes: &[u8], structure: &Structure) -> Origin {
    let file = args.input.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let recipe = serde_json::json!({
        "imported": file,
        "sha256": hex(&Sha256::digest(bytes)),
        "transposed": structure.orientation == Orientation::FanInFanOut,
        "eps": args.eps,
    });
    Origin {
        preset: "imported".to_owned(),
        recipe: recipe.to_string(),
        exporter_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Origin::default()
    }
}

/// Words that are drawn from a model whose levels are scaled without a list, and their length at most.
const DRAWN: (i64, usize) = (3_000, 100);

/// Scales the levels of an unbounded activation; returns a line that says by how much and what that was measured on.
fn scale_levels(model: &mut FoldedModel, words: Option<&Words>) -> anyhow::Result<Option<String>> {
    if activation::is_bounded(model.architecture.activation) {
        return Ok(None);
    }
    let vocab = Vocab::new(&model.vocab)?;
    let block_size = model.architecture.config(vocab.len())?.block_size();
    let (contexts, of) = match words {
        Some(words) => {
            let examples = Examples::new(&words.name, &words.split()?.train, vocab, block_size)?;
            (calibration_contexts(&examples), format!("the training words of {}", words.name))
        }
        None => {
            let (count, longest) = DRAWN;
            let contexts = TorchModel::new(model, Device::Cpu).draw_contexts(count, longest);
            (contexts, format!("{count} words drawn from the model; --data takes the words it was trained on"))
        }
    };
    let scales: Vec<String> = normalize(model, &contexts).iter().map(|scale| format!("{scale:.3}")).collect();
    Ok(Some(format!("levels are divided by {}, measured on {of}", scales.join(", "))))
}

type Measured = (&'static str, f64, usize, usize);

/// The losses of the list's parts, which the model's file will have.
fn measure(model: &mut FoldedModel, words: &Words) -> anyhow::Result<Vec<Measured>> {
    let vocab = Vocab::new(&model.vocab)?;
    let block_size = model.architecture.config(vocab.len())?.block_size();
    let torch = TorchModel::new(model, Device::Cpu);
    let split = words.split()?;
    let mut measured = Vec::new();
    for (part, list) in [("train", &split.train), ("dev", &split.dev), ("test", &split.test)] {
        let examples = Examples::new(&words.name, list, vocab, block_size)?;
        measured.push((part, torch.loss(&examples).nll, list.len(), examples.len()));
    }
    let origin = &mut model.origin;
    [origin.train_nll, origin.dev_nll, origin.test_nll] = [0, 1, 2].map(|part| Some(measured[part].1));
    origin.data_sha256 = hex(&words.sha256);
    origin.dedup = words.deduplicated;
    origin.sample = words.sample.map(|sample| sample.words);
    Ok(measured)
}

/// `2 * 2 * 2`.
fn product(structure: &Structure) -> String {
    structure.levels.iter().map(|level| level.fuse.to_string()).collect::<Vec<_>>().join(" * ")
}

/// What was understood, layer by layer.
fn describe(input: &str, args: &Args, state: &StateDict, structure: &Structure, model: &FoldedModel) {
    let stored = match structure.orientation {
        Orientation::FanOutFanIn => "[fan_out, fan_in], as in nn.Linear",
        Orientation::FanInFanOut => "[fan_in, fan_out], transposed as in the lecture's own Linear",
    };
    let layers = || structure.levels.iter().chain([&structure.output]);
    let names = layers().map(|layer| &layer.weight).chain([&structure.embedding]);
    let width = names.map(|name| plain(name).chars().count()).max().unwrap_or(0);
    eprintln!("{input}: matrices are {stored}\n");
    let shape = |name: &str| format!("{:?}", state.tensors[name].shape);
    let row = |layer: &str, weight: &str, says: String| {
        eprintln!("{layer:<10} {:<width$}  {:<12} {says}", plain(weight), shape(weight));
    };
    row("embedding", &structure.embedding, format!("{} characters, n_embd {}", structure.vocab_size, structure.n_embd));
    let mut below = structure.n_embd;
    let activation = structure.activation.name();
    for (index, level) in structure.levels.iter().enumerate() {
        row(
            &format!("level {index}"),
            &level.weight,
            format!("fuses {} x {below}{}, {activation}", level.fuse, parts(level)),
        );
        below = level.fan_out;
    }
    row("output", &structure.output.weight, format!("reads {below}{}", parts(&structure.output)));
    eprintln!("\nblock_size {} = {}, vocabulary {:?}", structure.block_size(), product(structure), model.vocab);
    eprintln!("alphabet: {}", alphabet::describe(model.vocab.chars().skip(1)));
    let parameters = model.architecture.config(structure.vocab_size).map_or(0, |config| config.parameters());
    eprintln!("{} parameters folded", count(parameters));
    if !state.counters.is_empty() {
        eprintln!("passed over: {}", state.counters.keys().map(|name| plain(name)).collect::<Vec<_>>().join(", "));
    }
    let norms = || layers().filter_map(|layer| layer.batch_norm.as_ref());
    let behind = if norms().next().is_some() { " and its BatchNorm" } else { "" };
    let eps = if norms().any(|norm| !norm.deviation) { format!(", eps {:e}", args.eps) } else { String::new() };
    eprintln!("taken for granted, because a state_dict does not say it: {activation} after every level{behind}{eps}");
    for note in &structure.notes {
        eprintln!("note: {}", plain(note));
    }
}

/// A name from the file in one line, whatever it holds.
fn plain(name: &str) -> String {
    name.escape_debug().to_string()
}

/// Bias and BatchNorm of a layer, as they are folded.
fn parts(layer: &Layer) -> String {
    let bias = layer.bias.as_ref().map(|bias| format!(", bias {}", plain(bias)));
    let norm = layer.batch_norm.as_ref().map(|norm| format!(", BatchNorm {}", plain(&norm.module)));
    [bias, norm].into_iter().flatten().collect()
}
