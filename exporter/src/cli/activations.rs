use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use exporter::inference::activations::tree;
use exporter::io::write::write_atomically;
use exporter::model::pack::ModelFile;
use exporter::plot;
use runtime::Model;

use super::{quoted, refuse_overwriting};

#[derive(clap::Args)]
pub struct Args {
    /// Read the model from this file: safetensors or blob
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Evaluate the model on this word
    #[arg(long)]
    word: String,
    /// Stop after N characters of the word [default: all; the model then predicts the end of the word]
    #[arg(long, value_name = "N")]
    position: Option<usize>,
    /// Write the tree to this file: a picture if it ends in .svg or .png, all values if it ends in .json
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    refuse_overwriting(&args.out, &[&args.model])?;
    let kind = args.out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if !["svg", "png", "json"].contains(&kind) {
        bail!("--out {}: the file name must end in .svg, .png or .json", args.out.display());
    }
    let blob = ModelFile::read(&args.model)?.into_blob()?;
    let model = Model::new(blob.as_bytes())?;
    let tree = tree(&model, &args.word, args.position)?;
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = match kind {
        "json" => serde_json::to_vec(&tree)?,
        "svg" => plot::activations(&name(&args.model), &tree)?.into_bytes(),
        _ => plot::png_of(&plot::activations(&name(&args.model), &tree)?)?,
    };
    write_atomically(&args.out, &bytes)?;
    eprintln!("wrote {}", quoted(&args.out));
    Ok(ExitCode::SUCCESS)
}
