//! Tells the linker where libtorch is, so that the program runs without `LD_LIBRARY_PATH`. Refuses to build for a chip.

fn main() {
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "none" {
        println!(
            "cargo::error=the exporter runs on this computer, but Cargo builds for chips in this folder: run `cd ..` first"
        );
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Ok(libtorch) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        if os == "linux" || os == "macos" {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}");
        }
        if os == "linux" {
            // libtorch_cpu registers its kernels when it is loaded: the linker must keep it, but nothing refers to it.
            println!("cargo:rustc-link-arg=-Wl,--no-as-needed");
        }
    }
}
