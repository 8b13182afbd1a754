//! Brings in the model and, on a chip, the memory map and linker script.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use runtime::Model;
use runtime::format::AlignedBlob;

/// The model that is built in when the environment variable MODEL names none.
const DEFAULT_MODEL: &str = "../models/names.blob";

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed=build.rs");
    copy_model(&out)?;
    if env::var("CARGO_CFG_TARGET_OS")? == "none" {
        let board = "mps2-an386";
        let map = format!("memory/{board}.x");
        println!("cargo:rerun-if-changed={map}");
        fs::copy(&map, out.join("memory.x"))?;
        println!("cargo:rustc-link-search={}", out.display());
        println!("cargo:rustc-link-arg-bins=-Tlink.x");
        // No unwinding information on the chip, and no gap at the start of flash for ELF headers.
        println!("cargo:rustc-link-arg-bins=--nmagic");
    }
    Ok(())
}

/// Copies the blob to where the program includes it, after the checks it would otherwise fail on the chip.
fn copy_model(out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=MODEL");
    // A path of the user's is relative to where the user is, which a build script cannot know: the workspace it is.
    let path = match env::var_os("MODEL") {
        Some(path) => Path::new("..").join(path),
        None => PathBuf::from(DEFAULT_MODEL),
    };
    println!("cargo:rerun-if-changed={}", path.display());
    let bytes = fs::read(&path).map_err(|error| format!("cannot read the model {}: {error}", path.display()))?;
    Model::new(AlignedBlob::from(bytes.as_slice()).as_bytes())
        .map_err(|error| format!("the model {} is refused: {error}", path.display()))?;
    fs::write(out.join("model.blob"), bytes)?;
    Ok(())
}
