//! `cargo xtask page`: makes the browser page, one file with the runtime and models inside.

mod join;
mod pack;
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use lexopt::prelude::*;
use runtime::{Config, Model};
use serde_json::{Value, json};

use crate::blob;
use crate::command::run_for_output;
use crate::payload::save;
use crate::repo::Repo;
use crate::setup::thumb::BROWSER;
use crate::setup::{self, Purpose};
use crate::subcommand::{Subcommand, usage};
use join::join;
use pack::pack;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "page",
    summary: Some("make a browser page that shows a model at work, as one file"),
    help: "\
cargo xtask page [--model FILE]... [--without-pico] [--out FILE]
  Makes a page with the runtime and the model inside: one file that opens by a double click, without
  a server or a network. The page also makes a UF2 file for a Raspberry Pi Pico.

  --model FILE      put this blob into the page; repeat it for other precisions of the same network
                    [default: models/names.int8.blob]
  --without-pico    leave out the program for a Pico, which takes about 50 kB
  --out FILE        write to FILE [default: target/page.html]
",
    run: |args| {
        let options = Options::parse(args)?;
        let repo = Repo::find();
        setup::ensure(&repo, Purpose::Emulate)?;
        run(&repo, &options)
    },
};

/// Folder of the page's sources, from the repository's top.
const WEB: &str = "web";
/// Vector instructions double the speed. All browsers with `DecompressionStream`, which the page needs, have them.
const SIMD: &str = "-Ctarget-feature=+simd128";
/// Cargo's target folder of the runtime's module, from the repository's top.
const BUILDS: &str = "target/web";
/// Measured costs of the cores, from the repository's top.
const COSTS: &str = "exporter/data/costs.json";
/// Model of the page if none is named, from the repository's top.
const DEFAULT_MODEL: &str = "models/names.int8.blob";

/// The command line.
#[derive(Debug, Default)]
struct Options {
    models: Vec<PathBuf>,
    without_pico: bool,
    out: Option<PathBuf>,
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let mut options = Self::default();
        while let Some(arg) = args.next()? {
            match arg {
                Long("model") => options.models.push(args.value()?.into()),
                Long("without-pico") => options.without_pico = true,
                Long("out") => options.out = Some(args.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }
}

/// Makes the page and prints the size of each part.
fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    let models = match &options.models[..] {
        [] => vec![repo.root().join(DEFAULT_MODEL)],
        models => models.to_vec(),
    };
    let page = make(repo, &models, !options.without_pico)?;
    let out = options.out.clone().unwrap_or_else(|| repo.root().join("target/page.html"));
    save(&out, page.html.as_bytes())?;
    for (part, bytes) in &page.parts {
        println!("{bytes:>9} bytes  {part}");
    }
    println!("{:>9} bytes  in {}", page.html.len(), repo.short(&out));
    println!("next: open the file in a browser");
    Ok(ExitCode::SUCCESS)
}

/// A finished page.
#[derive(Debug)]
pub struct Page {
    /// The file.
    pub html: String,
    /// Names and sizes of the parts in the file.
    pub parts: Vec<(String, usize)>,
}

/// Makes a page of models, and of the console with the first model for a Pico.
///
/// # Errors
/// Returns an error if a model is refused or is of another network, or if the module or the program does not build.
pub fn make(repo: &Repo, models: &[PathBuf], with_pico: bool) -> Result<Page> {
    let blobs: Vec<Vec<u8>> = read_models(models)?;
    let read = |file: &str| {
        let file = repo.root().join(WEB).join(file);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let packed_models = models.iter().zip(&blobs).map(|(file, bytes)| model_entry(file, bytes));
    let packed_models = packed_models.collect::<Result<Vec<_>>>()?;
    let engine = pack(&engine(repo)?)?;
    let program = match models.first() {
        Some(model) if with_pico => program::pico(repo, model)?,
        _ => Value::Null,
    };
    let costs: Value = serde_json::from_str(&fs::read_to_string(repo.root().join(COSTS))?).context(COSTS)?;
    let parts = [
        ("HTML", read("page.html")?.len()),
        ("CSS", read("style.css")?.len()),
        ("the runtime as WebAssembly, packed", engine.len()),
        ("models, packed", packed_models.iter().map(|model| model["blob"].as_str().map_or(0, str::len)).sum()),
        ("program for a Pico, packed", program.to_string().len()),
        ("costs of the cores", costs["rows"].to_string().len()),
    ];
    let mut parts: Vec<_> = parts.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    let data = json!({
        "models": packed_models,
        "has_pico_program": !program.is_null(),
        "engine": engine,
        "costs": costs["rows"],
        "program": program,
    });
    let sources = repo.root().join(WEB).join("src");
    let (page, worker) = (join(&sources, "main.js")?, join(&sources, "worker.js")?);
    parts.push(("JavaScript".to_owned(), page.len() + worker.len()));
    let mut html = read("page.html")?;
    let inserts = [
        ("/*STYLE*/", read("style.css")?),
        ("/*PAGE*/", page),
        ("/*WORKER*/", worker),
        // A `<` in a file name must not end the element.
        ("/*DATA*/", data.to_string().replace('<', "\\u003c")),
    ];
    for (place, text) in inserts {
        ensure!(html.matches(place).count() == 1, "{WEB}/page.html must have {place} once");
        html = html.replacen(place, &text, 1);
    }
    Ok(Page { html, parts })
}

/// Reads blobs, which must be of one network.
fn read_models(models: &[PathBuf]) -> Result<Vec<Vec<u8>>> {
    let mut first: Option<(Config, String)> = None;
    let mut read = |file: &PathBuf| {
        let (bytes, blob) = blob::read(file)?;
        let model = Model::new(blob.as_bytes())?;
        let network = (model.config().clone(), model.vocab().as_str().to_owned());
        if *first.get_or_insert_with(|| network.clone()) != network {
            return Err(usage(format_args!(
                "{} is of another network than {}: a page shows several precisions of one network",
                file.display(),
                models[0].display()
            )));
        }
        Ok(bytes)
    };
    models.iter().map(&mut read).collect()
}

/// Returns a model for the page's data.
fn model_entry(file: &Path, bytes: &[u8]) -> Result<Value> {
    let (_, blob) = blob::read(file)?;
    let precision = Model::new(blob.as_bytes())?.precision().name();
    let name = file.file_name().context("the model has no file name")?.to_string_lossy();
    Ok(json!({ "name": name, "precision": precision, "bytes": bytes.len(), "blob": pack(bytes)? }))
}

/// Builds the runtime's module.
fn engine(repo: &Repo) -> Result<Vec<u8>> {
    let builds = repo.root().join(BUILDS);
    // Cargo finds the compiler with this target in the firmware's folder, as for the chips.
    let mut cargo = repo.target_cargo(Some(SIMD.to_owned()));
    cargo.args(["build", "--package", "web-engine", "--profile", "web", "--target", BROWSER, "--target-dir"]);
    run_for_output(cargo.arg(&builds))?;
    let file = builds.join(BROWSER).join("web/web_engine.wasm");
    fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let options = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        let read = options(&["--model", "a.blob", "--model=b.blob", "--without-pico", "--out", "c.html"]).unwrap();
        assert_eq!(read.models, [PathBuf::from("a.blob"), PathBuf::from("b.blob")]);
        assert_eq!((read.without_pico, read.out), (true, Some(PathBuf::from("c.html"))));
        assert!(options(&["a.blob"]).is_err());
    }

    #[test]
    fn models_of_two_networks_are_refused() {
        let models = Repo::find().root().join("models");
        let [names, names4, tiny] = ["names.int8.blob", "names.int4.blob", "tiny.blob"].map(|name| models.join(name));
        assert_eq!(read_models(&[names.clone(), names4]).unwrap().len(), 2);
        let error = read_models(&[names, tiny]).unwrap_err().to_string();
        assert!(error.contains("tiny.blob is of another network than"), "{error}");
        assert!(read_models(&["Cargo.toml".into()]).is_err());
    }
}
