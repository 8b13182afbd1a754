//! Draws names from a model that is part of the program: it reads no file, and loads and checks nothing.
//!
//! `cargo run -p runtime --example built_in`
//!
//! `runtime::built_in::source` has written `model.rs`. Your own program calls that function in its build script, as
//! `firmware-example/build.rs` does. Here the file is committed, and a test compares it with the function's result.

use runtime::{Generator, Sampling, State};

// Defines MODEL and STATE_WORDS.
include!("model.rs");

fn main() -> Result<(), runtime::Error> {
    let mut state = State::<STATE_WORDS>::new(); // as large as this model needs, and not on the heap
    let mut generator = Generator::new(&MODEL, &mut state, Sampling::default(), 42)?;
    for _ in 0..8 {
        let mut name = heapless::String::<32>::new();
        generator.word("", &mut name)?;
        println!("{name}");
    }
    Ok(())
}
