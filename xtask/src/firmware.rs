//! Builds the firmware.

mod fingerprint;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use runtime::format::{self, Layout, Precision, WeightFormat};
use runtime::{Activation, Model};

use crate::blob;
use crate::board::{Board, LARGE_FLASH, MEASURING};
use crate::command::run_for_output;
use crate::repo::Repo;
use crate::watched;

/// The default program, which writes words.
pub const DEFAULT_BIN: &str = "generate";

/// The program whose console is the board's UART.
pub const CONSOLE: &str = "console";

/// The precisions of models, which are features of `firmware-example`.
pub const PRECISIONS: [&str; Precision::ALL.len()] = {
    let mut names = [""; Precision::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Precision::ALL[at].name();
        at += 1;
    }
    names
};

/// The precision without integers.
const F32: &str = Precision::F32.name();

/// Feature of the console that is also on the board's USB connector.
pub const USB: &str = "usb";

/// Environment variable that leaves out [`USB`], for a smaller console that is only on the UART.
const WITHOUT_USB: &str = "WITHOUT_USB";

/// Cargo profile of flashed programs; see the root manifest.
const PROFILE: &str = "firmware";

/// Returns the path of the default model from the repository's top: f32 if the core has an FPU. The console has the
/// model that fits every board.
fn default_model(board: &Board, bin: &str) -> &'static str {
    if board.has_fpu() && bin != CONSOLE { "models/names.blob" } else { "models/names.int8.blob" }
}

/// The core where code outside the kernels takes a tenth of the time. That code is compiled for speed on this core and
/// for size on all others.
const SPEED_MATTERS: &str = "Cortex-M55";

/// The core of [`LARGE_FLASH`].
const SMALL_FLASH: &str = "Cortex-M0";

/// Name of the plain layout of integers.
pub const ROW_MAJOR: &str = Layout::RowMajor.name();

/// Folder of finished programs, from the repository's top.
const PROGRAMS: &str = "target/elf";

/// Cargo's target folders, one per target and core, from the repository's top, so that programs for two cores build in
/// parallel.
const BUILDS: &str = "target/chips";

/// Builds a program of `firmware-example` for a board and returns the path of its ELF file.
///
/// The model is `model`, or the file that the environment variable MODEL names, or the shipped model. The program
/// contains only the code for the model's precision.
///
/// Cargo has one path for a program of a target, whatever its features are. The file is therefore copied, under a lock,
/// to a name with board, precision and model, so that tests can build in parallel. A program whose inputs have not
/// changed is not rebuilt.
pub fn build(repo: &Repo, board: &Board, bin: &str, model: Option<&Path>) -> Result<PathBuf> {
    build_in_layout(repo, board, bin, model, None)
}

/// Does the same as [`build`] with the integers in a layout named by its feature, instead of the board's own layout.
pub fn build_in_layout(
    repo: &Repo,
    board: &Board,
    bin: &str,
    model: Option<&Path>,
    layout: Option<&str>,
) -> Result<PathBuf> {
    let has_usb = bin == CONSOLE && board.usb_console && env::var_os(WITHOUT_USB).is_none();
    build_with_features(repo, board, bin, model, layout, if has_usb { &[USB] } else { &[] })
}

/// Does the same as [`build_in_layout`] with these features of the firmware in addition to those of board and model. A
/// console is on USB only if they include it.
pub fn build_with_features(
    repo: &Repo,
    board: &Board,
    bin: &str,
    model: Option<&Path>,
    layout: Option<&str>,
    more: &[&str],
) -> Result<PathBuf> {
    let model = model_file(repo, board, bin, model)?;
    let Facts { precision, activation, has_halves, checksum } = facts(&model)?;

    let core = board.cpu.map_or_else(|| board.target.to_owned(), |cpu| format!("{}-{cpu}", board.target));
    let folder = repo.root().join(BUILDS).join(core);
    let programs = repo.root().join(PROGRAMS);
    for folder in [&programs, &folder] {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    // The lock is released when this process ends, for whatever reason.
    let lock = File::create(folder.join("lock")).context("cannot create a lock file")?;
    lock.lock().with_context(|| format!("cannot lock {}", folder.display()))?;

    let mut cargo = board.cargo(repo);
    cargo.args(["build", "--package", "firmware-example", "--bin", bin]);
    cargo.args(["--profile", PROFILE, "--target", board.target]).arg("--target-dir").arg(&folder);
    if board.core == SPEED_MATTERS {
        cargo.args(["--config", &format!("profile.{PROFILE}.package.runtime.opt-level=3")]);
    }
    let mut features = [&[board.name, precision], more].concat();
    // The console accepts any model later, in its slot.
    let activations = Activation::ALL.iter().filter(|&&any| any == activation || bin == CONSOLE);
    features.extend(activations.filter_map(|activation| activation.feature()));
    features.extend(WeightFormat::Halves.feature().filter(|_| has_halves || bin == CONSOLE && precision != F32));
    let mut features = features.join(",");
    if let Some(layout) = layout {
        cargo.env("LAYOUT", layout);
        features += &format!(",{layout}");
    }
    cargo.arg("--no-default-features").args(["--features", &features]);
    if MEASURING.contains(&bin) {
        cargo.env("WITHOUT_SLOT", "1");
        if has_halves && board.core == SMALL_FLASH {
            cargo.env("FLASH", LARGE_FLASH.to_string());
        }
    }
    // Cargo's messages name the program's path.
    cargo.arg("--message-format=json-render-diagnostics").env("MODEL", &model);

    let layout = layout.map_or_else(String::new, |layout| format!("-{layout}"));
    let more: String = more.iter().map(|feature| format!("-{feature}")).collect();
    let place = programs.join(format!("{bin}{more}-{}-{precision}{layout}-{checksum:08x}.elf", board.name));
    let made_from = place.with_extension("fingerprint");
    let fingerprint = fingerprint::of(repo, &cargo, &model)?;
    if place.exists() && fs::read_to_string(&made_from).is_ok_and(|known| known == fingerprint) {
        watched::show(&format!("{} is up to date", repo.short(&place)));
        return Ok(place);
    }

    let messages = run_for_output(&mut cargo)?;
    let built = executable(&messages, bin).with_context(|| format!("cargo built no program named `{bin}`"))?;
    // The rename is safe while another process runs the old program.
    let partial = place.with_extension("partial");
    fs::copy(&built, &partial).with_context(|| format!("cannot copy {}", built.display()))?;
    fs::rename(&partial, &place).with_context(|| format!("cannot write {}", place.display()))?;
    // Written last, so that the fingerprint is never newer than its program.
    fs::write(&made_from, fingerprint).with_context(|| format!("cannot write {}", made_from.display()))?;
    Ok(place)
}

/// Returns the path of the model: `model`, or the file that the environment variable MODEL names, or the shipped model
/// that suits board and program.
pub fn model_file(repo: &Repo, board: &Board, bin: &str, model: Option<&Path>) -> Result<PathBuf> {
    let model = match model {
        Some(model) => model.to_path_buf(),
        None => repo.root().join(env::var_os("MODEL").unwrap_or_else(|| default_model(board, bin).into())),
    };
    // The build script runs in another folder, so the path must be absolute.
    model.canonicalize().with_context(|| format!("cannot find the model {}", model.display()))
}

/// Returns the path of the shipped model in a precision.
pub fn shipped_model(repo: &Repo, precision: &str) -> PathBuf {
    let precision = if precision == "f32" { String::new() } else { format!(".{precision}") };
    repo.root().join(format!("models/names{precision}.blob"))
}

/// Facts from a blob's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Feature of `firmware-example` for the model's precision.
    pub precision: &'static str,
    /// The model's activation, which may be a feature, too.
    pub activation: Activation,
    /// True if its level 1 is stored in [`WeightFormat::Halves`], which is a feature.
    pub has_halves: bool,
    /// Its checksum.
    pub checksum: u32,
}

/// Reads and checks a blob.
pub fn facts(model: &Path) -> Result<Facts> {
    let (bytes, blob) = blob::read(model)?;
    let model = Model::new(blob.as_bytes()).context("the blob is not valid")?;
    let (precision, activation) = (model.precision().name(), model.config().activation());
    let has_halves = model.weight_formats().contains(&WeightFormat::Halves);
    Ok(Facts { precision, activation, has_halves, checksum: format::checksum(&bytes) })
}

/// Returns the path that Cargo's messages name for a program.
pub(crate) fn executable(messages: &str, bin: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| message["target"]["name"] == bin)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_names_the_file() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"build-script-build"},"executable":"/t/b"}
{"reason":"compiler-artifact","target":{"name":"generate"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"generate"},"executable":"/t/generate"}
{"reason":"build-finished","success":true}
"#;
        let file = executable(messages, "generate");
        assert_eq!(file, Some(PathBuf::from("/t/generate")));
        assert_eq!(executable(messages, "bench"), None);
    }
}
