//! Draws names from a model file.
//!
//! `cargo run -p runtime --example generate -- models/names.int8.blob`

use runtime::format::AlignedBlob;
use runtime::{Generator, HeapState, Model, Sampling};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("which model? FILE.blob")?;
    let bytes = AlignedBlob::from(std::fs::read(file)?.as_slice());
    let model = Model::new(bytes.as_bytes())?; // checks everything: nothing fails later
    let mut state = HeapState::new(&model);
    let sampling = Sampling::default().temperature_milli(900).top_k(10);
    let mut generator = Generator::new(&model, &mut state, sampling, 42)?;
    for _ in 0..8 {
        let name: String = generator.start("")?.collect();
        println!("{name}");
    }
    Ok(())
}
