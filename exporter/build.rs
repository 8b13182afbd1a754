//! Tells the linker where libtorch is, so that the program runs without LD_LIBRARY_PATH. Refuses a chip as the target.

fn main() {
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "none" {
        println!(
            "cargo::error=the exporter runs on this computer, and in this folder Cargo builds for chips: `cd ..` first"
        );
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Ok(libtorch) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        if os == "linux" || os == "macos" {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}");
        }
        if os == "linux" {
            // libtorch_cpu registers its kernels when it is loaded: keep it although nothing refers to it by name.
            println!("cargo:rustc-link-arg=-Wl,--no-as-needed");
        }
    }
}
