//! Draws names from a model that is part of the program: no file to read, nothing to load or to check.
//!
//! `cargo run -p runtime --example built_in`
//!
//! `model.rs` comes from `runtime::built_in::source`. A program of your own calls it in its build script, as
//! `firmware-example/build.rs` does; here the file is committed, and a test compares it with what the function returns.

use runtime::{Generator, Sampling, State};

// MODEL and STATE_WORDS.
include!("model.rs");

fn main() -> Result<(), runtime::Error> {
    let mut state = State::<STATE_WORDS>::new(); // no heap: as large as this model needs
    let mut generator = Generator::new(&MODEL, &mut state, Sampling::default(), 42)?;
    for _ in 0..8 {
        let mut name = heapless::String::<32>::new();
        generator.word("", &mut name)?;
        println!("{name}");
    }
    Ok(())
}
