use std::process::ExitCode;

use exporter::model::architecture;
use exporter::train::nn::Statistics;
use exporter::train::preset::{DEFAULT_PRESET, PRESETS};

use super::count;

#[derive(clap::Args)]
pub struct Args {
    /// Print a JSON array on stdout instead of the table
    #[arg(long)]
    json: bool,
}

/// Vocabulary size of the shipped list and of the lecture's list, the boundary included.
const VOCAB_SIZE: usize = 27;

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut rows = Vec::new();
    if !args.json {
        println!(
            "{:<20} {:>7} {:>6} {:<30} {:>10} {:>9}  recipe",
            "preset", "context", "n_embd", "levels", "parameters", "MACs/char"
        );
    }
    for preset in &PRESETS {
        let architecture = preset.architecture();
        let config = architecture.config(VOCAB_SIZE)?;
        // Folding turns a channel's gamma and beta into one bias.
        let gammas: usize = config.shapes().map(|shape| shape.fan_out).sum();
        let parameters = config.parameters() + gammas;
        let macs = config.macs_streaming();
        let fuses: Vec<String> = preset.levels.iter().map(|level| level.fuse.to_string()).collect();
        let marks = architecture::marks(preset.activation, preset.skip);
        let levels = format!("{} x {}{marks}", fuses.join(","), preset.widths());
        let default = preset.name == DEFAULT_PRESET;
        let exportable = preset.statistics == Statistics::BatchAndPositions;
        if args.json {
            rows.push(serde_json::json!({
                "preset": preset.name, "about": preset.about, "default": default, "exportable": exportable,
                "block_size": preset.block_size(), "n_embd": preset.n_embd, "levels": preset.levels,
                "activation": preset.activation, "skip": preset.skip, "parameters": parameters, "macs_per_character": macs,
                "recipe": preset.recipe,
            }));
        } else {
            println!(
                "{:<20} {:>7} {:>6} {levels:<30} {:>10} {:>9}  {}{}{}",
                preset.name,
                preset.block_size(),
                preset.n_embd,
                count(parameters),
                count(macs),
                preset.recipe,
                if default { " (the default)" } else { "" },
                if exportable { "" } else { " (for comparison only, cannot be exported)" },
            );
        }
    }
    if args.json {
        println!("{}", serde_json::Value::from(rows));
    } else {
        println!(
            "\nparameters: during training, for a vocabulary of {VOCAB_SIZE}; MACs/char: multiply-accumulates per character on\n\
             the chip"
        );
    }
    Ok(ExitCode::SUCCESS)
}
