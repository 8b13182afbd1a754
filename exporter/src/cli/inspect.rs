use std::path::PathBuf;
use std::process::ExitCode;

use costs::{Chip, predicted};
use exporter::data::alphabet;
use exporter::measure::costs::Costs;
use exporter::measure::inspect::{Inspection, inspect};
use exporter::model::pack::ModelFile;
use runtime::Model;
use runtime::format::WeightFormat;

use super::count;

#[derive(clap::Args)]
pub struct Args {
    /// Read the model from this file: safetensors are shown as `export` would pack them in each precision, a blob as it
    /// is
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let file = ModelFile::read(&args.model)?;
    let inspection = inspect(&file, &Costs::shipped())?;
    if args.json {
        println!("{}", serde_json::to_string(&inspection)?);
    } else {
        println!("{}: {}\n", args.model.display(), inspection.kind);
        print_network(&inspection);
        println!("\nalphabet: {}", alphabet(&file)?);
        print_origin(&inspection);
        print_bytes(&inspection);
        print_cores(&inspection);
    }
    Ok(ExitCode::SUCCESS)
}

/// Describes the characters of a model in one line.
fn alphabet(file: &ModelFile) -> anyhow::Result<String> {
    let describe = |vocab: &str| alphabet::describe(vocab.chars().skip(1));
    Ok(match file {
        ModelFile::Folded(model) => describe(&model.vocab),
        ModelFile::Blob(blob) => describe(Model::new(blob.as_bytes())?.vocab().as_str()),
    })
}

fn print_network(inspection: &Inspection) {
    let network = &inspection.network;
    println!("level   fuse  width  fan_in   rows  dilation  sees");
    for (index, level) in network.levels.iter().enumerate() {
        println!(
            "{index:<6}  {:>4}  {:>5}  {:>6}  {:>5}  {:>8}  {:>4}",
            level.fuse, level.width, level.fan_in, level.fan_out, level.dilation, level.receptive_field
        );
    }
    println!("output        {:>5}  {:>6}  {:>5}\n", "", network.output_fan_in, network.vocab_size);
    let skip = if network.skip { ", the output layer reads all levels" } else { "" };
    let row = |name: &str, value: String| println!("{name:<44}  {value:>9}");
    row("characters, the end of a word included", count(network.vocab_size));
    row("context", count(network.block_size));
    row("values per embedding", count(network.n_embd));
    println!("{:<44}  {:>9}{skip}", "activation", network.activation);
    row("parameters, folded", count(network.parameters));
    row("MACs per character, whole window", count(network.macs_window));
    row("  streaming (one node per level)", count(network.macs_streaming));
    for blob in inspection.blobs.iter().filter(|blob| blob.macs != network.macs_streaming) {
        let has_halves = blob.formats.iter().any(|format| format == WeightFormat::Halves.name());
        let levels = if has_halves { "levels 0 and 1" } else { "level 0" };
        row(&format!("  streaming, {levels} looked up ({})", blob.precision), count(blob.macs));
    }
}

fn print_origin(inspection: &Inspection) {
    let origin = &inspection.origin;
    let mut line = format!("\npreset {}, seed {}", origin.preset, origin.seed);
    if let Some(steps) = origin.steps {
        line += &format!(", step {}", count(steps));
    }
    if origin.finetuned == Some(true) {
        line += ", fine-tuned for 4-bit weights";
    }
    let list: String = origin.data_sha256.chars().take(12).collect();
    println!("{line}, word list sha256 {list}\u{2026}, exporter {}", origin.exporter_version);
    let losses = [("train", origin.train_nll), ("dev", origin.dev_nll), ("test", origin.test_nll)];
    let losses: Vec<String> =
        losses.iter().filter_map(|(name, nll)| nll.map(|nll| format!("{name} {nll:.4}"))).collect();
    if losses.is_empty() {
        println!("the file has no losses");
    } else {
        println!("loss in f32, nats per character: {}", losses.join(", "));
    }
    if let Some(lost) = origin.lost.filter(|_| inspection.blobs.iter().any(|blob| blob.precision != "f32")) {
        let (delta, kl) = (lost.delta, lost.kl);
        println!("loss by rounding, nats per character: {delta:+.5}; KL divergence from f32: {kl:.5}");
    }
}

fn print_bytes(inspection: &Inspection) {
    let blobs = &inspection.blobs;
    let line = |name: &str, cells: &dyn Fn(usize) -> String| {
        let cells: String = (0..blobs.len()).map(|at| format!("  {:>10}", cells(at))).collect();
        println!("{name:<20}{cells}");
    };
    println!();
    line("bytes", &|at| blobs[at].precision.to_owned());
    line("layout", &|at| blobs[at].layout.clone());
    let formats = |blob: &exporter::measure::inspect::BlobInfo, part: usize| {
        // The layers come after preamble, vocabulary and embedding.
        part.checked_sub(3).and_then(|layer| blob.formats.get(layer)).cloned()
    };
    for (part, (name, _)) in blobs[0].parts.iter().enumerate() {
        let kinds: Vec<String> = blobs.iter().filter_map(|blob| formats(blob, part)).collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!("   {}", kinds.join(", ")) };
        let cells: String = blobs.iter().map(|blob| format!("  {:>10}", count(blob.parts[part].1))).collect();
        println!("{name:<20}{cells}{kinds}");
    }
    line("total", &|at| count(blobs[at].bytes));
}

fn print_cores(inspection: &Inspection) {
    println!(
        "\ncore     precision     flash = code + model       RAM = state + rest   stack  instructions     cycles  chars/s"
    );
    for row in &inspection.cores {
        let Some(needs) = &row.needs else {
            let missing = row.missing.as_deref().unwrap_or_default();
            println!("{:<7}  {:<9}  {missing}", row.core, row.precision);
            continue;
        };
        let of = |number: u64| count(usize::try_from(number).unwrap_or(usize::MAX));
        let too_large = if needs.fits { "" } else { "  does not fit" };
        println!(
            "{:<7}  {:<9} {:>9} = {:>6} + {:>7}  {:>8} = {:>6} + {:>5}  {:>5}  {:>12}  {:>9}  {:>7}{too_large}",
            row.core,
            row.precision,
            of(needs.flash()),
            of(needs.code_bytes),
            count(needs.model_bytes),
            of(needs.ram()),
            count(needs.state_bytes),
            of(needs.rest_bytes),
            of(needs.stack_bytes),
            of(needs.instructions_per_char),
            of(needs.cycles_per_char),
            of(needs.chars_per_second),
        );
    }
    println!("\nchips:");
    for chip in predicted().filter_map(Chip::of) {
        println!(
            "  {:<7}  {:<16}  {:>3} MHz, {:>3} wait states per {:>2} bytes, {:>4} KiB of flash, {:>3} KiB of RAM",
            chip.core.name(),
            chip.name,
            chip.clock_hz / 1_000_000,
            chip.wait_states,
            chip.flash_read_bytes,
            chip.flash_bytes >> 10,
            chip.ram_bytes >> 10,
        );
    }
    println!(
        "\nBytes are exact. Code, rest and stack are measured on the firmware program `generate` with the shipped model.\n\
         Instructions are per character and predicted from counts in QEMU; cycles and chars/s are estimates. See\n\
         docs/use/inspect.md."
    );
}
