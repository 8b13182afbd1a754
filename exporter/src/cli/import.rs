mod loss;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use exporter::data::{MAX_WORDS, Words, hex};
use exporter::import::{self, Alphabet, DEFAULT_EPS, Options, Orientation, Rows, StateDict, Structure};
use exporter::io::read::read_bounded;
use exporter::io::write::check_writable;
use exporter::measure::eval::golden::{Golden, default_limit};
use exporter::measure::eval::settle::{Settled, settle};
use exporter::model::activation;
use exporter::model::file::{FoldedModel, Origin};
use exporter::model::gptq::calibration_contexts;
use exporter::model::normalize::normalize;
use exporter::model::pack::pack_f32;
use exporter::model::tensors;
use exporter::model::torch_model::TorchModel;
use runtime::format::Precision;
use runtime::{Activation, Model};
use sha2::{Digest, Sha256};
use tch::Device;

use super::{named, quoted, read_words, refuse_overwriting};

#[derive(clap::Args)]
pub struct Args {
    /// The state_dict, as `safetensors.torch.save_file` writes it
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Where the folded model goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The characters in the order of the embedding's rows: .abcdefghijklmnopqrstuvwxyz, or a JSON list [default:
    /// `vocab` of the file's metadata, else that of --data]
    #[arg(long, value_name = "CHARACTERS", allow_hyphen_values = true)]
    vocab: Option<String>,
    /// The character that pads the context and ends a word, where the vocabulary does not have it first and has none of
    /// the usual signs
    #[arg(long, value_name = "CHARACTER", allow_hyphen_values = true)]
    boundary: Option<String>,
    /// Logits of the network, as `validate --golden` reads them: they settle what the state_dict does not say. All
    /// networks that the shapes allow are tried
    #[arg(long, value_name = "FILE")]
    golden: Option<PathBuf>,
    /// The words it was trained on: the loss is measured on them, split as in the lecture; without --vocab their
    /// characters, sorted, are the vocabulary
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Drop words that are in the list before (the lecture keeps them)
    #[arg(long, requires = "data")]
    dedup: bool,
    /// Characters of context, to be sure: it must be what the shapes say
    #[arg(long, value_name = "N")]
    block_size: Option<usize>,
    /// Matrices are [fan_in, fan_out], as in the lecture's own Linear. Found out by itself unless the shapes fit
    /// either way
    #[arg(long, conflicts_with = "not_transposed")]
    transposed: bool,
    /// Matrices are [fan_out, fan_in], as in nn.Linear
    #[arg(long)]
    not_transposed: bool,
    /// The layers, the embedding first, the output last, where their names do not say the order
    #[arg(long, value_name = "NAME,NAME,...", value_delimiter = ',')]
    order: Vec<String>,
    /// Tensors or modules that the logits do not depend on, or first parts of their names, to be left out
    #[arg(long, value_name = "NAME,NAME,...", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Constant that BatchNorm adds to the variance [default: 1e-5; with --golden, the one that fits]
    #[arg(long, value_parser = parse_eps)]
    eps: Option<f64>,
    /// The function after every level and its BatchNorm [default: gated where the halves of gated units are
    /// recognised, otherwise tanh; with --golden, the one that fits]
    #[arg(long, value_parser = named(Activation::ALL, Activation::name))]
    activation: Option<Activation>,
}

fn parse_eps(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(eps) if (0.0..1.0).contains(&eps) => Ok(eps),
        _ => Err("must be 0 to 1".to_owned()),
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let inputs = [Some(args.input.as_path()), args.data.as_deref(), args.golden.as_deref()];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().collect();
    refuse_overwriting(&args.out, &inputs)?;
    check_writable(&args.out)?;
    let input = quoted(&args.input);
    let bytes = read_bounded(&args.input).with_context(|| format!("cannot read {input}"))?;
    let state = StateDict::without(&bytes, &args.ignore).with_context(|| input.clone())?;
    let network = network(args, &input, &state)?;
    let words = args.data.as_ref().map(|path| read_words(Some(path), args.dedup, MAX_WORDS)).transpose()?;
    let alphabet = alphabet(args, &input, &state, &network, words.as_ref())?;
    let Network { structure, options, .. } = &network;
    let origin = origin(args, &bytes, &network, alphabet.rows);
    let mut model =
        import::fold_alphabet(&state, structure, options, &alphabet, origin).with_context(|| input.clone())?;
    let scaled = scale_levels(&mut model, words.as_ref()).with_context(|| input.clone())?;
    // What no chip would take is not written.
    let blob = pack_f32(&model).with_context(|| input.clone())?;
    network.check(&alphabet, &Model::new(blob.as_bytes())?)?;

    let mut measured = Vec::new();
    if let Some(words) = &words {
        measured = loss::measure(&mut model, words).with_context(|| input.clone())?;
        loss::refuse_guessing(&input, args, &network, &model, words, &measured)?;
    }
    report::describe(&input, &state, &network, &alphabet, &model);
    if let Some(scaled) = scaled {
        eprintln!("{scaled}");
    }
    loss::show(&measured);
    model.write(&args.out)?;
    report::next(args);
    Ok(ExitCode::SUCCESS)
}

/// A network as it was understood, and the golden file that has settled it.
struct Network {
    structure: Structure,
    options: Options,
    golden: Option<(String, Golden, Settled)>,
}

impl Network {
    /// Fails if the model that is written has other logits than the golden file.
    fn check(&self, alphabet: &Alphabet, model: &Model<'_>) -> anyhow::Result<()> {
        let Some((name, golden, _)) = &self.golden else { return Ok(()) };
        let limit = default_limit(Precision::F32) + golden.rounding();
        let golden = golden.reordered(&alphabet.rows).with_context(|| name.clone())?;
        let found = golden.compare_within(model, limit).with_context(|| name.clone())?;
        if found.max_abs_dlogit > limit {
            bail!("{name}: the folded model is off by {:.2e}, {limit:.0e} passes", found.max_abs_dlogit);
        }
        Ok(())
    }

    /// The row that pads the golden contexts.
    fn padding(&self) -> Option<usize> {
        self.golden.as_ref()?.1.padding().map(usize::from)
    }
}

/// Finds the network by names, shapes and options, or by the golden file.
fn network(args: &Args, input: &str, state: &StateDict) -> anyhow::Result<Network> {
    let orientation = match (args.transposed, args.not_transposed) {
        (true, _) => Some(Orientation::FanInFanOut),
        (_, true) => Some(Orientation::FanOutFanIn),
        _ => None,
    };
    let eps = args.eps.unwrap_or(DEFAULT_EPS);
    let mut options = Options { orientation, order: args.order.clone(), eps, activation: args.activation };
    let mut golden = None;
    let structure = match &args.golden {
        None => import::understand(state, &options).with_context(|| input.to_owned())?,
        Some(path) => {
            let name = quoted(path);
            let read = Golden::read(path).with_context(|| name.clone())?;
            let settled = settle(state, &options, args.eps, &read).with_context(|| format!("{input} with {name}"))?;
            options.eps = settled.eps;
            let structure = settled.structure.clone();
            golden = Some((name, read, settled));
            structure
        }
    };
    if let Some(block_size) = args.block_size.filter(|&block_size| block_size != structure.block_size()) {
        let (found, product) = (structure.block_size(), report::product(&structure));
        bail!("{input}: the shapes say block_size {found} ({product}), not {block_size}");
    }
    Ok(Network { structure, options, golden })
}

/// Keys of the metadata that have the characters, the most usual first.
const VOCAB_KEYS: [&str; 7] = ["vocab", "itos", "stoi", "chars", "alphabet", "characters", "vocabulary"];

/// The characters of the embedding's rows.
fn alphabet(
    args: &Args,
    input: &str,
    state: &StateDict,
    network: &Network,
    words: Option<&Words>,
) -> anyhow::Result<Alphabet> {
    let (rows, tensor) = (network.structure.vocab_size, &network.structure.embedding);
    let of_metadata = || VOCAB_KEYS.iter().find_map(|key| state.metadata.get(*key)).cloned();
    let text = match (args.vocab.clone().or_else(of_metadata), words) {
        (Some(text), _) => text,
        (None, Some(words)) => vocab_of_words(input, network, words)?,
        (None, None) => {
            let alphabet =
                if rows == 27 { ", for the lecture's names --vocab .abcdefghijklmnopqrstuvwxyz" } else { "" };
            bail!(
                "{input}: which characters do the {rows} rows of {tensor:?} stand for? Say --vocab or --data{alphabet}"
            );
        }
    };
    Alphabet::find(&text, rows, args.boundary.as_deref(), network.padding()).with_context(|| input.to_owned())
}

/// Returns the characters of a list, sorted after the boundary, or with the boundary where the golden contexts have it.
fn vocab_of_words(input: &str, network: &Network, words: &Words) -> anyhow::Result<String> {
    let vocab = words.vocab()?;
    let (rows, tensor) = (network.structure.vocab_size, &network.structure.embedding);
    let mut characters: Vec<char> = vocab.chars().collect();
    let found = characters.len();
    if found != rows {
        bail!(
            "{input}: tensor {tensor:?} has {rows} rows, {} {found} characters with the boundary: say --vocab if the \
             model was trained on another list",
            words.name
        );
    }
    if let Some(padding) = network.padding().filter(|&padding| padding < rows) {
        let boundary = characters.remove(0);
        characters.insert(padding, boundary);
    }
    Ok(characters.into_iter().collect())
}

fn origin(args: &Args, bytes: &[u8], network: &Network, rows: Rows) -> Origin {
    let file = args.input.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut recipe = serde_json::json!({
        "imported": file,
        "sha256": hex(&Sha256::digest(bytes)),
        "transposed": network.structure.orientation == Orientation::FanInFanOut,
        "eps": network.options.eps,
    });
    if !rows.are_in_order() {
        // `validate --golden` reads golden files in the order of the imported file.
        recipe["rows"] = rows.to_json();
    }
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
    let (contexts, of) = match words {
        Some(words) => {
            let examples = tensors::examples(model, &words.name, &words.split()?.train)?;
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
