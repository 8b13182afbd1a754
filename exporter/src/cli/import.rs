mod loss;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use exporter::data::{MAX_WORDS, SplitRule, Words, hex};
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
    /// Read this state_dict, as `safetensors.torch.save_file` writes it
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Write the folded model to this file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Name the characters in the order of the embedding's rows: .abcdefghijklmnopqrstuvwxyz, or a JSON list [default:
    /// `vocab` in the file's metadata, otherwise the characters of --data]
    #[arg(long, value_name = "CHARACTERS", allow_hyphen_values = true)]
    vocab: Option<String>,
    /// Name the boundary, the character that pads the context and ends a word. Needed only if the vocabulary has no
    /// usual sign, such as `.` or `<pad>`, or has several
    #[arg(long, value_name = "CHARACTER", allow_hyphen_values = true)]
    boundary: Option<String>,
    /// Read logits of the network, as `validate --golden` reads them. Of all networks that the shapes allow, take the
    /// one that computes these logits
    #[arg(long, value_name = "FILE")]
    golden: Option<PathBuf>,
    /// Measure the loss on this word list, the one that the network was trained on. Without --vocab, the list's sorted
    /// characters are the vocabulary
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Drop repeated words of the list (the lecture keeps them)
    #[arg(long, requires = "data")]
    dedup: bool,
    /// Split the list as the network's training did: as the lecture, or as makemore.py
    #[arg(long, value_name = "RULE", requires = "data", default_value = SplitRule::Lecture.name(),
        value_parser = named(SplitRule::OF_WORDS, SplitRule::name))]
    split: SplitRule,
    /// Check that the context is N characters: fail if the shapes say otherwise
    #[arg(long, value_name = "N")]
    block_size: Option<usize>,
    /// Read matrices as [fan_in, fan_out], as in the lecture's own Linear. Needed only if the shapes fit both ways
    #[arg(long, conflicts_with = "not_transposed")]
    transposed: bool,
    /// Read matrices as [fan_out, fan_in], as in nn.Linear. Needed only if the shapes fit both ways
    #[arg(long)]
    not_transposed: bool,
    /// Name the layers in order, from the embedding to the output, if their names do not tell the order
    #[arg(long, value_name = "NAME,NAME,...", value_delimiter = ',')]
    order: Vec<String>,
    /// Leave out these tensors or modules, by name or by the beginning of the name: the logits must not depend on them
    #[arg(long, value_name = "NAME,NAME,...", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Set the constant that BatchNorm adds to the variance [default: 1e-5; with --golden, the one that fits]
    #[arg(long, value_parser = parse_eps)]
    eps: Option<f64>,
    /// Set the function after every level and its BatchNorm [default: gated if the halves of gated units are
    /// recognised, otherwise tanh; with --golden, the one that fits]
    #[arg(long, value_parser = named(Activation::ALL, Activation::name))]
    activation: Option<Activation>,
}

fn parse_eps(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(eps) if (0.0..1.0).contains(&eps) => Ok(eps),
        _ => Err("must be a number from 0 to 1".to_owned()),
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
    let mut words = args.data.as_ref().map(|path| read_words(Some(path), args.dedup, MAX_WORDS)).transpose()?;
    if let Some(words) = &mut words {
        words.split_rule = Some(args.split);
    }
    let alphabet = alphabet(args, &input, &state, &network, words.as_ref())?;
    let Network { structure, options, .. } = &network;
    let origin = origin(args, &bytes, &network, alphabet.rows);
    let mut model =
        import::fold_alphabet(&state, structure, options, &alphabet, origin).with_context(|| input.clone())?;
    let scaled = scale_levels(&mut model, words.as_ref()).with_context(|| input.clone())?;
    // Packs before anything is written: a model that no chip accepts is an error.
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

/// Structure of the imported network, and the golden file that determined it.
struct Network {
    structure: Structure,
    options: Options,
    golden: Option<(String, Golden, Settled)>,
}

impl Network {
    /// Fails if the logits of the model to write differ from the golden file.
    fn check(&self, alphabet: &Alphabet, model: &Model<'_>) -> anyhow::Result<()> {
        let Some((name, golden, _)) = &self.golden else { return Ok(()) };
        let limit = default_limit(Precision::F32) + golden.rounding();
        let golden = golden.reordered(&alphabet.rows).with_context(|| name.clone())?;
        let found = golden.compare_within(model, limit).with_context(|| name.clone())?;
        if found.max_abs_dlogit > limit {
            bail!(
                "{name}: a logit of the folded model differs by {:.2e}, more than the tolerance {limit:.0e}",
                found.max_abs_dlogit
            );
        }
        Ok(())
    }

    /// Returns the row that pads the golden contexts.
    fn padding(&self) -> Option<usize> {
        self.golden.as_ref()?.1.padding().map(usize::from)
    }
}

/// Finds the network's structure by names, shapes and options, or with the golden file.
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
        bail!("{input}: the shapes say block_size {found} ({product}), not {block_size}: correct or omit --block-size");
    }
    Ok(Network { structure, options, golden })
}

/// Keys of the metadata that may hold the characters, the commonest first.
const VOCAB_KEYS: [&str; 7] = ["vocab", "itos", "stoi", "chars", "alphabet", "characters", "vocabulary"];

/// Finds the characters of the embedding's rows.
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
            let lecture =
                if rows == 27 { "; for the lecture's names: --vocab .abcdefghijklmnopqrstuvwxyz" } else { "" };
            bail!(
                "{input}: the file does not say which characters the {rows} rows of {tensor:?} are: name them with \
                 --vocab CHARACTERS or --data FILE{lecture}"
            );
        }
    };
    Alphabet::find(&text, rows, args.boundary.as_deref(), network.padding()).with_context(|| input.to_owned())
}

/// Returns the sorted characters of a list, with the boundary first, or in the row that pads the golden contexts.
fn vocab_of_words(input: &str, network: &Network, words: &Words) -> anyhow::Result<String> {
    let vocab = words.vocab()?;
    let (rows, tensor) = (network.structure.vocab_size, &network.structure.embedding);
    let mut characters: Vec<char> = vocab.chars().collect();
    let found = characters.len();
    if found != rows {
        bail!(
            "{input}: tensor {tensor:?} has {rows} rows, but {} has {found} characters with the boundary: if the \
             model was trained on another list, name that list, or the characters with --vocab",
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

/// Number of words to draw from a model whose levels are scaled without a list, and their maximum length.
const DRAWN: (i64, usize) = (3_000, 100);

/// Scales the levels of an unbounded activation. Returns a line with the divisors and the words they were measured on.
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
            (contexts, format!("{count} words drawn from the model; to measure on its training words: --data FILE"))
        }
    };
    let scales: Vec<String> = normalize(model, &contexts).iter().map(|scale| format!("{scale:.3}")).collect();
    Ok(Some(format!("the levels' values are divided by {}, measured on {of}", scales.join(", "))))
}
