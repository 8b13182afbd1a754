//! Feeds a model one character at a time and draws the next one, as `Generator` does.
//!
//! `cargo run -p runtime --example stream -- models/names.int8.blob emm`

use rand_xoshiro::Xoshiro128PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use runtime::format::AlignedBlob;
use runtime::{BOUNDARY, HeapState, Model, Sampling, Stream, Token};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("which model? FILE.blob [BEGINNING]")?;
    let bytes = AlignedBlob::from(std::fs::read(file)?.as_slice());
    let model = Model::new(bytes.as_bytes())?;
    let mut state = HeapState::new(&model);
    let mut stream = Stream::new(&model, &mut state)?;
    for character in arguments.next().unwrap_or_default().chars() {
        // One new node per level of the tree; all other inputs come from the rings.
        stream.push(model.vocab().encode(character)?);
    }
    let mut rng = Xoshiro128PlusPlus::seed_from_u64(42);
    for _ in 0..12 {
        // Before `draw`, which overwrites the logits.
        let nll = (0..model.vocab().len()).map(|token| f64::from(stream.nll_micronats(token as Token)) / 1e6);
        let percent: Vec<f64> = nll.map(|nll| 100.0 * (-nll).exp()).collect();
        let token = stream.draw(&Sampling::default(), &mut rng);
        let text = model.vocab().decode(token).filter(|_| token != BOUNDARY).map_or("end".into(), String::from);
        println!("{text:<3} {:5.1} %", percent[usize::from(token)]);
        if token == BOUNDARY {
            break;
        }
        stream.push(token);
    }
    Ok(())
}
