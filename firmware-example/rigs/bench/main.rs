//! Counts the instructions per character, and of each part of the model. Prints the words, which `cargo xtask bench`
//! compares with the host's.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod profile;

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("bench");
}

#[cfg(target_os = "none")]
firmware_example::program!(on_chip::bench);

#[cfg(target_os = "none")]
mod on_chip {
    use firmware_example::arguments::{self, Bench};
    use firmware_example::board::Stopwatch;
    use firmware_example::measured_words::MeasuredWords;
    use firmware_example::model::{BLOB, Booted};
    use firmware_example::{Error, println, trace_marks};
    use runtime::{Generator, Sampling, Stream};

    use crate::profile;

    pub fn bench(Booted { model, state }: Booted) -> Result<(), Error> {
        let Bench { seed, n, parts } = arguments::read()?;
        let mut stopwatch = Stopwatch::new();
        if parts > 0 {
            profile::report(&mut Stream::new(model, &mut *state)?, &mut stopwatch, seed, parts);
        }
        let mut generator = Generator::new(model, state, Sampling::default(), seed)?;
        let mut words = MeasuredWords::with(stopwatch);
        for _ in 0..n {
            println!("{}", trace_marks::around(|| words.draw(&mut generator, ""))?);
        }
        words.report_work();
        println!("layout={:?}", model.layout());
        println!("model_bytes={}", BLOB.len());
        Ok(())
    }
}
