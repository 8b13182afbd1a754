//! Draws words from the model in flash, prints one per line, or a text; then reports time and memory.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("generate");
}

#[cfg(target_os = "none")]
firmware_example::program!(on_chip::generate);

#[cfg(target_os = "none")]
mod on_chip {
    use firmware_example::arguments::{self, Generate};
    use firmware_example::measured_words::MeasuredWords;
    use firmware_example::model::Booted;
    use firmware_example::{Error, println};
    use runtime::Generator;

    /// Number of characters that a model of text writes if the arguments do not say.
    const TEXT_LENGTH: u32 = 1_000;

    pub fn generate(Booted { model, state }: Booted) -> Result<(), Error> {
        let settings: Generate = arguments::read()?;
        let mut generator = Generator::new(model, state, settings.sampling(), settings.seed)?.max_len(settings.max_len);
        let mut words = MeasuredWords::new();
        match settings.length {
            0 if !model.vocab().is_of_text() => {
                for _ in 0..settings.n {
                    println!("{}", words.draw(&mut generator, &settings.prompt)?);
                }
            }
            0 => words.write(&mut generator, &settings.prompt, TEXT_LENGTH)?,
            length => words.write(&mut generator, &settings.prompt, length)?,
        }
        words.report();
        Ok(())
    }
}
