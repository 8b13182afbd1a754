//! `cargo xtask page`: makes the browser page, one file with the runtime and models inside.

mod join;
mod pack;
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use lexopt::prelude::*;
use runtime::format::Precision;
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
use pack::{Parts, utf16};

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
        setup::ensure(&repo, Purpose::Build)?;
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
    save(&out, &page.html)?;
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
    /// The file, in UTF-16.
    pub html: Vec<u8>,
    /// Names and sizes of the parts in the file. Packed together, they are a little smaller.
    pub parts: Vec<(&'static str, usize)>,
}

/// Makes a page of models, and of the console with the first model for a Pico.
///
/// # Errors
/// Returns an error if a model is refused or is of another network, or if the module or the program does not build.
pub fn make(repo: &Repo, models: &[PathBuf], with_pico: bool) -> Result<Page> {
    let (blobs, precisions): (Vec<_>, Vec<_>) = read_models(models)?.into_iter().unzip();
    let read = |file: &str| {
        let file = repo.root().join(WEB).join(file);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let costs = fs::read_to_string(repo.root().join(COSTS)).with_context(|| format!("cannot read {COSTS}"))?;
    let costs: Value = serde_json::from_str(&costs).context(COSTS)?;
    let sources = repo.root().join(WEB).join("src");
    let scripts = [join(&sources, "main.js")?.into_bytes(), join(&sources, "worker.js")?.into_bytes()];
    let (style, body) = (read("style.css")?.into_bytes(), read("body.html")?.into_bytes());
    let boot = join(&sources, "boot.js")?;
    let engine = engine(repo)?;
    let mut sizes = vec![
        ("HTML and the script that unpacks", 2 * (read("page.html")? + &boot).chars().count()),
        ("JavaScript, packed", Parts::size(&scripts.concat())?),
        ("body and style, packed", Parts::size(&[&body[..], &style].concat())?),
        ("the runtime as WebAssembly, packed", Parts::size(&engine)?),
        ("models, packed", Parts::size(&blobs.concat())?),
        ("costs of the cores, packed", Parts::size(costs["rows"].to_string().as_bytes())?),
    ];
    let mut parts = Parts::default();
    // The scripts know the places of the first five: the description of the others, the page's script, that of its
    // worker, the style, the body.
    let description = parts.add(Vec::new());
    for part in scripts.into_iter().chain([style, body]) {
        parts.add(part);
    }
    let engine = parts.add(engine);
    let entries = models.iter().zip(blobs).zip(&precisions);
    let entries = entries.map(|((file, bytes), &precision)| model_entry(file, precision, bytes, &mut parts));
    let entries = entries.collect::<Result<Vec<_>>>()?;
    let program = match models.first().zip(precisions.first()) {
        Some((model, &precision)) if with_pico => {
            let (program, bytes) = program::pico(repo, model, precision, &mut parts)?;
            sizes.push(("program for a Pico, packed", bytes));
            program
        }
        _ => Value::Null,
    };
    let data = json!({
        "models": entries,
        "has_pico_program": !program.is_null(),
        "engine": engine,
        "costs": costs["rows"],
        "program": program,
    });
    parts.set(description, data.to_string().into_bytes());
    let mut html = read("page.html")?;
    for (place, text) in [("/*BOOT*/", boot), ("/*PACKED*/", parts.pack()?)] {
        ensure!(html.matches(place).count() == 1, "{WEB}/page.html must have {place} once");
        html = html.replacen(place, &text, 1);
    }
    let html = utf16(&html);
    Ok(Page { html, parts: sizes })
}

/// Reads blobs and their precisions. The models must be of one network.
fn read_models(models: &[PathBuf]) -> Result<Vec<(Vec<u8>, Precision)>> {
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
        Ok((bytes, model.precision()))
    };
    models.iter().map(&mut read).collect()
}

/// Adds a model and returns it for the page's data.
fn model_entry(file: &Path, precision: Precision, bytes: Vec<u8>, parts: &mut Parts) -> Result<Value> {
    let name = file.file_name().context("the model has no file name")?.to_string_lossy();
    let size = bytes.len();
    Ok(json!({ "name": name, "precision": precision.name(), "bytes": size, "blob": parts.add(bytes) }))
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
