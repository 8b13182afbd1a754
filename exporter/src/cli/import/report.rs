//! Messages of `import` about a network.

use exporter::data::alphabet;
use exporter::import::{Alphabet, Layer, Options, Orientation, StateDict, Structure};
use exporter::measure::eval::golden::Golden;
use exporter::measure::eval::settle::Settled;
use exporter::model::file::FoldedModel;

use super::super::{count, quoted};
use super::{Args, Network};

/// Returns the levels' fuses as a product, such as `2 * 2 * 2`.
pub fn product(structure: &Structure) -> String {
    structure.levels.iter().map(|level| level.fuse.to_string()).collect::<Vec<_>>().join(" * ")
}

/// Prints the network, layer by layer.
pub fn describe(input: &str, state: &StateDict, network: &Network, alphabet: &Alphabet, model: &FoldedModel) {
    let Network { structure, options, golden } = network;
    let stored = match structure.orientation {
        Orientation::FanOutFanIn => "[fan_out, fan_in], as in nn.Linear",
        Orientation::FanInFanOut => "[fan_in, fan_out], transposed as in the lecture's own Linear",
    };
    let layers = structure.levels.iter().chain([&structure.output]).flat_map(Layer::halves);
    let names = layers.map(|layer| &layer.weight).chain([&structure.embedding]);
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
        let kind = if level.kernel.is_some() { ", a convolution" } else { "" };
        let says = |layer: &Layer| format!("fuses {} x {below}{kind}{}, {activation}", layer.fuse, parts(layer));
        row(&format!("level {index}"), &level.weight, says(level));
        if let Some(gate) = &level.gate {
            row("  gates", &gate.weight, says(gate));
        }
        below = structure.width(level);
    }
    let reads = if structure.skip {
        let widths: Vec<String> = structure.levels.iter().map(|level| structure.width(level).to_string()).collect();
        widths.join(" + ")
    } else {
        below.to_string()
    };
    row("output", &structure.output.weight, format!("reads {reads}{}", parts(&structure.output)));
    eprintln!("\nblock_size {} = {}, vocabulary {:?}", structure.block_size(), product(structure), model.vocab);
    eprintln!("alphabet: {}", alphabet::describe(model.vocab.chars().skip(1)));
    let parameters = model.architecture.config(structure.vocab_size).map_or(0, |config| config.parameters());
    eprintln!("{} parameters folded", count(parameters));
    let passed_over: Vec<_> = state.counters.keys().chain(&state.passed_over).map(|name| plain(name)).collect();
    if !passed_over.is_empty() {
        eprintln!("not used: {}", passed_over.join(", "));
    }
    match golden {
        Some((name, golden, settled)) => settled_by(name, golden, settled),
        None => taken_for_granted(structure, options),
    }
    for note in structure.notes.iter().map(|note| plain(note)).chain(alphabet.notes.iter().cloned()) {
        eprintln!("note: {note}");
    }
}

/// Prints the choices that the golden file made.
fn settled_by(name: &str, golden: &Golden, settled: &Settled) {
    let Settled { agreement, tried, allowed, says, .. } = settled;
    let constant = if agreement.constant { ", apart from a constant per context" } else { "" };
    eprintln!(
        "{name} determines the network: {}; max |d logit| {:.2e} in f32 over {} contexts{constant}; network {tried} of the \
         {allowed} that the shapes allow",
        says,
        agreement.max_abs_dlogit,
        count(golden.rows())
    );
}

/// Prints the choices that neither the file nor an option made.
fn taken_for_granted(structure: &Structure, options: &Options) {
    let layers = || structure.levels.iter().chain([&structure.output]).flat_map(Layer::halves);
    let norms = || layers().filter_map(|layer| layer.batch_norm.as_ref());
    let after_norm = if norms().next().is_some() { " and its BatchNorm" } else { "" };
    let eps = if norms().any(|norm| !norm.deviation) { format!(", eps {:e}", options.eps) } else { String::new() };
    let mut activation = structure.activation.name().to_owned();
    if structure.activation.is_gated() && structure.levels.iter().any(|level| level.gate.is_none()) {
        activation += " (the filters' rows before the gates' rows)";
    }
    let skip = if structure.skip { ", the output layer reads the levels from the first to the last" } else { "" };
    eprintln!(
        "assumed, because a state_dict does not say it: {activation} after every level{after_norm}{eps}{skip}; to \
         check: --golden FILE"
    );
}

/// Prints the commands for the next steps.
pub fn next(args: &Args) {
    let out = quoted(&args.out);
    let blob = quoted(&args.out.with_extension("blob"));
    let golden = args.golden.as_ref().map_or_else(|| "golden.safetensors".to_owned(), |path| quoted(path));
    eprintln!("\nwrote {out}. Next:");
    eprintln!("  cargo run -p exporter -- validate --model {out} --golden {golden}");
    eprintln!("  cargo run -p exporter -- export --model {out} --precision int8 --out {blob}");
    eprintln!("  cargo xtask qemu --model {blob}");
}

/// Returns a name from the file in one line, with special characters escaped.
fn plain(name: &str) -> String {
    name.escape_debug().to_string()
}

/// Describes the bias and the BatchNorm that are folded into a layer.
fn parts(layer: &Layer) -> String {
    let bias = layer.bias.as_ref().map(|bias| format!(", bias {}", plain(bias)));
    let norm = layer.batch_norm.as_ref().map(|norm| format!(", BatchNorm {}", plain(&norm.module)));
    [bias, norm].into_iter().flatten().collect()
}
