//! Counts the instructions of a character, and of each part of it. Writes the words it drew, so that a host can see that
//! they are the right ones; `cargo xtask bench` does.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("bench");
}

#[cfg(target_os = "none")]
firmware_example::program!(chip::bench);

#[cfg(target_os = "none")]
mod chip {
    use firmware_example::arguments::{self, Bench};
    use firmware_example::board::Stopwatch;
    use firmware_example::model::{BLOB, Booted};
    use firmware_example::words::Words;
    use firmware_example::{Error, parts, println, window};
    use runtime::{Generator, Sampling, Stream};

    pub fn bench(Booted { model, state }: Booted) -> Result<(), Error> {
        let Bench { seed, n, parts } = arguments::read()?;
        let mut stopwatch = Stopwatch::new();
        if parts > 0 {
            parts::report(&mut Stream::new(model, &mut *state)?, &mut stopwatch, seed, parts);
        }
        let mut generator = Generator::new(model, state, Sampling::default(), seed)?;
        let mut words = Words::with(stopwatch);
        for _ in 0..n {
            println!("{}", window::of(|| words.draw(&mut generator, ""))?);
        }
        words.report_work();
        println!("layout={:?}", model.layout());
        println!("model_bytes={}", BLOB.len());
        Ok(())
    }
}
