//! What reads files in the exporter, without libtorch: its own sources, as they are, and what is done with any bytes
//! ([`bodies`], which `exporter/tests/fuzz.rs` takes in as well).

pub mod bodies;

pub use exporter::*;

// Of a folder, so that the modules' own modules are found.
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
        pub mod pack;
        pub mod quantize;
    }
}
