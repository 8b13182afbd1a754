//! Prints how probable a model finds each of some words.
//!
//! `cargo run -p runtime --example score -- models/names.int8.blob emma xqzw`

use runtime::format::AlignedBlob;
use runtime::{HeapState, Model, Stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("which model? FILE.blob WORD...")?;
    let bytes = AlignedBlob::from(std::fs::read(file)?.as_slice());
    let model = Model::new(bytes.as_bytes())?;
    let mut state = HeapState::new(&model);
    let mut stream = Stream::new(&model, &mut state)?;
    println!("nats per character  word");
    for word in arguments {
        match stream.score(&word) {
            Ok(score) => {
                let nats = score.nll_micronats as f64 / 1e6 / score.characters as f64;
                println!("{nats:19.3} {word}");
            }
            Err(error) => println!("{:>19} {word}: {error}", "-"),
        }
    }
    Ok(())
}
