//! Building the firmware.

mod fingerprint;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use runtime::format::{self, Layout, Precision};
use runtime::{Activation, Model};

use crate::blob;
use crate::board::Board;
use crate::command::run_for_output;
use crate::repo::Repo;
use crate::watched;

/// The program that is built where none is named: it writes words.
pub const DEFAULT_BIN: &str = "generate";

/// The program whose console is the board's UART.
pub const CONSOLE: &str = "console";

/// The precisions of models, features of `firmware-example`.
pub const PRECISIONS: [&str; Precision::ALL.len()] = {
    let mut names = [""; Precision::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Precision::ALL[at].name();
        at += 1;
    }
    names
};

/// The Cargo profile of what is flashed; see the root manifest.
const PROFILE: &str = "firmware";

/// The model that is built in where none is named, from the repository's top: single precision where the core has it,
/// and for the console the one that fits every board.
fn default_model(board: &Board, bin: &str) -> &'static str {
    if board.has_fpu() && bin != CONSOLE { "models/names.blob" } else { "models/names.int8.blob" }
}

/// The core on which the code around the kernels takes a tenth of the time: it is compiled for speed there, elsewhere for size.
const SPEED_MATTERS: &str = "Cortex-M55";

/// Programs that measure models of any size: they leave no room for another one in the flash.
const MEASURING: [&str; 2] = ["bench", "anomaly"];

/// The plain layout of integers.
pub const ROW_MAJOR: &str = Layout::RowMajor.name();

/// Where finished programs are kept, from the repository's top.
const PROGRAMS: &str = "target/elf";

/// Cargo's folders for programs, one per target and core, from the repository's top: programs for two cores build at the same time.
const BUILDS: &str = "target/chips";

/// Builds a program of `firmware-example` for a board; the path of its ELF file.
///
/// The model is `model`, else what the environment variable MODEL names, else the shipped one. The program gets the
/// code of its precision and no other.
///
/// Cargo knows one place for a program of a target, whatever it was built with. So that tests may build at the same time, the
/// file is copied, under a lock, to a name that tells board, precision and model apart. Where nothing that the program is made
/// from has changed, it is not built again.
pub fn build(repo: &Repo, board: &Board, bin: &str, model: Option<&Path>) -> Result<PathBuf> {
    build_in_layout(repo, board, bin, model, None)
}

/// [`build`], with the integers in another layout than the board's own. Its name is that of its feature.
pub fn build_in_layout(
    repo: &Repo,
    board: &Board,
    bin: &str,
    model: Option<&Path>,
    layout: Option<&str>,
) -> Result<PathBuf> {
    build_with_features(repo, board, bin, model, layout, &[])
}

/// [`build_in_layout`], with features of the firmware besides those of board and precision.
pub fn build_with_features(
    repo: &Repo,
    board: &Board,
    bin: &str,
    model: Option<&Path>,
    layout: Option<&str>,
    more: &[&str],
) -> Result<PathBuf> {
    let model = model_file(repo, board, bin, model)?;
    let Facts { precision, activation, checksum } = facts(&model)?;

    let core = board.cpu.map_or_else(|| board.target.to_owned(), |cpu| format!("{}-{cpu}", board.target));
    let folder = repo.root().join(BUILDS).join(core);
    let programs = repo.root().join(PROGRAMS);
    for folder in [&programs, &folder] {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    // The lock goes with this process, however it ends.
    let lock = File::create(folder.join("lock")).context("cannot create a lock file")?;
    lock.lock().with_context(|| format!("cannot lock {}", folder.display()))?;

    let mut cargo = board.cargo(repo);
    cargo.args(["build", "--package", "firmware-example", "--bin", bin]);
    cargo.args(["--profile", PROFILE, "--target", board.target]).arg("--target-dir").arg(&folder);
    if board.core == SPEED_MATTERS {
        cargo.args(["--config", &format!("profile.{PROFILE}.package.runtime.opt-level=3")]);
    }
    let mut features = [&[board.name, precision], more].concat();
    // The console can be given any model later, in its slot.
    let activations = Activation::ALL.iter().filter(|&&any| any == activation || bin == CONSOLE);
    features.extend(activations.filter_map(|activation| activation.feature()));
    let mut features = features.join(",");
    if let Some(layout) = layout {
        cargo.env("LAYOUT", layout);
        features += &format!(",{layout}");
    }
    cargo.arg("--no-default-features").args(["--features", &features]);
    if MEASURING.contains(&bin) {
        cargo.env("WITHOUT_SLOT", "1");
    }
    // So that nobody has to guess the target folder.
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
    let built = executable(&messages, bin).with_context(|| format!("cargo named no program `{bin}`"))?;
    // Renamed into place: another process may be running the one that is there.
    let partial = place.with_extension("partial");
    fs::copy(&built, &partial).with_context(|| format!("cannot copy {}", built.display()))?;
    fs::rename(&partial, &place).with_context(|| format!("cannot write {}", place.display()))?;
    // Last, so that it is never newer than its program.
    fs::write(&made_from, fingerprint).with_context(|| format!("cannot write {}", made_from.display()))?;
    Ok(place)
}

/// The file of the model that is asked for: `model`, else what the environment variable MODEL names, else the shipped one that
/// suits board and program.
pub fn model_file(repo: &Repo, board: &Board, bin: &str, model: Option<&Path>) -> Result<PathBuf> {
    let model = match model {
        Some(model) => model.to_path_buf(),
        None => repo.root().join(env::var_os("MODEL").unwrap_or_else(|| default_model(board, bin).into())),
    };
    // The build script runs in another folder.
    model.canonicalize().with_context(|| format!("no model {}", model.display()))
}

/// The shipped model in a precision.
pub fn shipped_model(repo: &Repo, precision: &str) -> PathBuf {
    let precision = if precision == "f32" { String::new() } else { format!(".{precision}") };
    repo.root().join(format!("models/names{precision}.blob"))
}

/// What a blob says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The feature of `firmware-example` for its precision.
    pub precision: &'static str,
    /// Its activation, which may be a feature, too.
    pub activation: Activation,
    /// Its checksum.
    pub checksum: u32,
}

/// Reads and checks a blob.
pub fn facts(model: &Path) -> Result<Facts> {
    let (bytes, blob) = blob::read(model)?;
    let model = Model::new(blob.as_bytes()).context("it was accepted before")?;
    let (precision, activation) = (model.precision().name(), model.config().activation());
    Ok(Facts { precision, activation, checksum: format::checksum(&bytes) })
}

/// The file that Cargo's messages name for a program.
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
