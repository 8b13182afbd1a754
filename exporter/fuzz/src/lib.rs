//! Fuzzes the exporter's readers of files.
//!
//! This crate compiles the exporter's own source files, except files that need libtorch. The [`bodies`] of the fuzz
//! targets are also run by `exporter/tests/fuzz.rs`.

pub mod bodies;

pub use exporter::*;

// The path is that of a folder, so that the compiler finds the submodules.
#[path = "../../src"]
mod exporter {
    pub mod data;
    pub mod import;
    pub mod io;
    pub mod model {
        pub mod activation;
        pub mod architecture;
        pub mod file;
        pub mod fold;
        pub mod lost;
        pub mod pack;
        pub mod quantize;
    }
}
