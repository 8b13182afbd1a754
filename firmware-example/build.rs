//! Brings in the model and, on a chip, the board's memory map and the linker script.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "build/anomaly.rs"]
mod anomaly;

use runtime::Model;
use runtime::format::{AlignedBlob, Layout, Precision, relayout};

/// The model that is built in when the environment variable MODEL names none.
const DEFAULT_MODEL: &str = "../models/names.blob";

/// The boards and their targets, as in xtask/src/board.rs; a test there compares.
const BOARDS: [(&str, &str); 6] = [
    ("mps2-an386", "thumbv7em-none-eabihf"),
    ("mps2-an385", "thumbv7m-none-eabi"),
    ("microbit", "thumbv6m-none-eabi"),
    ("mps2-an500", "thumbv7em-none-eabihf"),
    ("mps2-an505", "thumbv8m.main-none-eabihf"),
    ("mps3-an547", "thumbv8m.main-none-eabihf"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/anomaly.rs");
    let precision = copy_model(&out)?;
    if has_feature("int8") {
        fs::write(out.join("anomaly.rs"), anomaly::source(layout()?.unwrap_or(Layout::RowMajor)))?;
    }
    if env::var("CARGO_CFG_TARGET_OS")? == "none" {
        if !has_feature(precision) {
            println!("cargo::error=the model is {precision}: enable the feature {precision}");
        }
        link(&out)?;
    }
    Ok(())
}

/// Copies the blob to where the program includes it, after the checks it would otherwise fail on the chip, and with its
/// integers in the layout that is fastest there. The feature it needs.
fn copy_model(out: &Path) -> Result<&'static str, Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=MODEL");
    // A path of the user's is relative to where the user is, which a build script cannot know: the workspace it is.
    let path = match env::var_os("MODEL") {
        Some(path) => Path::new("..").join(path),
        None => PathBuf::from(DEFAULT_MODEL),
    };
    println!("cargo::rerun-if-changed={}", path.display());
    let bytes = fs::read(&path).map_err(|error| format!("cannot read the model {}: {error}", path.display()))?;
    let aligned = AlignedBlob::from(bytes.as_slice());
    let model =
        Model::new(aligned.as_bytes()).map_err(|error| format!("the model {} is refused: {error}", path.display()))?;
    let precision = match model.precision() {
        Precision::F32 => "f32",
        Precision::Int8 => "int8",
        Precision::Int4 => "int4",
        other => return Err(format!("the model {} is in {other:?}, which has no feature yet", path.display()).into()),
    };
    let layout = layout()?;
    let bytes = match layout {
        Some(layout) if precision != "f32" => relayout(&model, layout)?,
        _ => bytes,
    };
    fs::write(out.join("model.blob"), bytes)?;
    Ok(precision)
}

/// The layout of integer weights: what the environment variable LAYOUT names, else that of the board.
fn layout() -> Result<Option<Layout>, Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=LAYOUT");
    let layouts = [
        ("row-major", Layout::RowMajor),
        ("dual16", Layout::Dual16),
        ("lanes16", Layout::Lanes16),
        ("vector128", Layout::Vector128),
    ];
    match env::var("LAYOUT") {
        Ok(name) => {
            let found = layouts.iter().find(|(layout, _)| *layout == name);
            let &(name, layout) = found.ok_or_else(|| format!("no layout {name:?}"))?;
            if !has_feature(name) {
                return Err(format!("LAYOUT={name} needs the feature {name}").into());
            }
            Ok(Some(layout))
        }
        // The board enables the feature of its layout.
        Err(_) => Ok(layouts.iter().find(|(name, _)| has_feature(name)).map(|&(_, layout)| layout)),
    }
}

/// Gives the linker the memory map of the one board whose feature is chosen.
fn link(out: &Path) -> Result<(), Box<dyn Error>> {
    let chosen: Vec<_> = BOARDS.iter().filter(|(board, _)| has_feature(board)).collect();
    let [(board, target)] = chosen[..] else {
        println!("cargo::error=a program is for exactly one board, {} are chosen. One of:", chosen.len());
        for (board, target) in BOARDS {
            println!("cargo::error=  --target {target} --no-default-features --features {board},PRECISION");
        }
        return Ok(());
    };
    let compiled_for = env::var("TARGET")?;
    if compiled_for != *target {
        println!("cargo::error={board} takes --target {target}, not {compiled_for}");
    }
    println!("cargo::rustc-env=BOARD={board}");
    let map = format!("memory/{board}.x");
    println!("cargo::rerun-if-changed={map}");
    fs::copy(&map, out.join("memory.x"))?;
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    // No unwinding information on the chip, and no gap at the start of flash for ELF headers.
    println!("cargo::rustc-link-arg-bins=--nmagic");
    Ok(())
}

/// Whether a feature of this package is enabled.
fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{}", name.to_uppercase().replace('-', "_"))).is_some()
}
