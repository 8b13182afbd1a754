//! Checks that the chip computes the same as the host: the blob's own self-test, then checksums of logits and words for
//! the tests to compare.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("selftest");
}

#[cfg(target_os = "none")]
firmware_example::program!(on_chip::selftest);

#[cfg(target_os = "none")]
mod on_chip {
    use firmware_example::arguments::{self, SelfTest};
    use firmware_example::measured_words::MeasuredWords;
    use firmware_example::model::Booted;
    use firmware_example::{Error, checksum, println};
    use runtime::{Generator, Sampling, Stream};

    pub fn selftest(Booted { model, state }: Booted) -> Result<(), Error> {
        // `boot` has run the self-test, and ends the program if it fails.
        println!("self_test=pass");
        let SelfTest { seed, contexts, n } = arguments::read()?;

        let logits = checksum::of_logits(&mut Stream::new(model, &mut *state)?, contexts, seed);
        println!("contexts={contexts}");
        println!("logits_crc32={logits:08x}");

        let mut generator = Generator::new(model, state, Sampling::default(), seed)?;
        let mut words = MeasuredWords::new();
        let mut names = checksum::Words::default();
        for _ in 0..n {
            names.add(words.draw(&mut generator, "")?);
        }
        println!("names_crc32={:08x}", names.finish());
        words.report();
        Ok(())
    }
}
