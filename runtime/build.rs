//! Chooses the kernels: sets the cfg `kernel` from the compiler's target and the features, and the cfg `fpu` if f32 is
//! built for a core with a floating-point unit.
//!
//! Stable Rust does not tell a crate whether the core has the DSP instructions or the vector extension, so this script
//! reads the names of target and core. To force a choice, for instance to compare:
//! `RUSTFLAGS='--cfg kernel="portable"'`.

use std::env;

/// Names of all kernels. `src/kernels` has a file for each name, with assembly for chips or intrinsics for hosts.
const KERNELS: [&str; 8] = ["v6m", "v7m", "rv32im", "dsp", "mve", "neon", "x86", "portable"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let names = KERNELS.map(|name| format!("{name:?}")).join(", ");
    println!("cargo::rustc-check-cfg=cfg(kernel, values({names}))");
    // The ASCII unit separator separates the flags. Cargo runs this script again when they change.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    println!("cargo::rustc-check-cfg=cfg(fpu)");
    let target = env::var("TARGET").unwrap_or_default();
    // For the assembler: any core of the architecture that has the DSP instructions.
    let cpu = if target.starts_with("thumbv8m") { "cortex-m33" } else { "cortex-m4" };
    println!("cargo::rustc-env=DSP_CPU={cpu}");
    println!("cargo::rustc-check-cfg=cfg(keeps_layers)");
    let forced = KERNELS.iter().copied().find(|name| flags.contains(&format!("kernel=\"{name}\"")));
    // Where memory is plentiful, the prepared layers are kept. Small chips prepare a layer each time that they use it.
    if !["v6m", "v7m", "rv32im", "dsp"].contains(&forced.unwrap_or(kernel(&target, &flags))) {
        println!("cargo::rustc-cfg=keeps_layers");
    }
    if forced.is_none() {
        println!("cargo::rustc-cfg=kernel=\"{}\"", kernel(&target, &flags));
        // This ABI passes numbers in registers of the floating-point unit.
        if target.starts_with("thumb") && target.ends_with("eabihf") && has_feature("f32") {
            println!("cargo::rustc-cfg=fpu");
        }
    }
}

/// Returns the kernels for a target and for the core that the compiler's flags name.
fn kernel(target: &str, flags: &str) -> &'static str {
    // All special kernels compute in integers.
    if !has_feature("int8") {
        return "portable";
    }
    let architecture = target.split('-').next().unwrap_or_default();
    match architecture {
        "thumbv6m" | "thumbv8m.base" => "v6m",
        "thumbv7m" => "v7m",
        "thumbv7em" => "dsp",
        // Start-up code enables the vector unit if the ABI passes numbers in its registers. A feature may be switched
        // off.
        "thumbv8m.main"
            if has_core(flags, &["cortex-m55", "cortex-m85"])
                && target.ends_with("eabihf")
                && !flags.contains("-mve")
                // The vector instructions are only useful with the layout that is made for them.
                && has_feature("vector128") =>
        {
            "mve"
        }
        "thumbv8m.main" if has_core(flags, &["cortex-m33", "cortex-m35p"]) && !flags.contains("-dsp") => "dsp",
        // In Armv8-M the DSP instructions are optional, and the flags name no core.
        "thumbv8m.main" => "v7m",
        // With the extension for multiplication. Cores with 16 registers (riscv32em) are too small for the kernels.
        riscv if riscv.starts_with("riscv32im") => "rv32im",
        "aarch64" => "neon",
        "x86_64" => "x86",
        _ => "portable",
    }
}

/// Returns whether the runtime is built with a feature.
fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{}", name.to_uppercase())).is_some()
}

/// Returns whether the compiler's flags name one of the cores.
fn has_core(flags: &str, cores: &[&str]) -> bool {
    cores.iter().any(|core| flags.contains(&format!("target-cpu={core}")))
}
