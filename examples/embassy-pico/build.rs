//! Checks the model, brings it into the layout of the core, and hands the memory map to the linker.

use std::{env, error::Error, fs, path::PathBuf};

use runtime::Model;
use runtime::format::{AlignedBlob, Layout};

const MODEL: &str = "../../models/names.int8.blob";

fn main() -> Result<(), Box<dyn Error>> {
    for file in [MODEL, "memory.x"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let file = AlignedBlob::from(fs::read(MODEL)?.as_slice());
    let blob = runtime::write::relayout(&Model::new(file.as_bytes())?, Layout::Lanes16)?;
    fs::write(out.join("model.rs"), runtime::built_in::source(&blob, "model.blob")?)?;
    fs::write(out.join("model.blob"), blob)?;

    fs::copy("memory.x", out.join("memory.x"))?;
    println!("cargo::rustc-link-search={}", out.display());
    // cortex-m-rt's script, and embassy-rp's for the second stage of the boot loader.
    for script in ["link.x", "link-rp.x"] {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
    Ok(())
}
