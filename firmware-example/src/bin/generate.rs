//! Draws words from the model in flash, one a line, then reports what it took.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("generate");
}

#[cfg(target_os = "none")]
firmware_example::program!(chip::generate);

#[cfg(target_os = "none")]
mod chip {
    use firmware_example::arguments::Settings;
    use firmware_example::board::Stopwatch;
    use firmware_example::model::{BLOB, STATE_WORDS};
    use firmware_example::{Error, println, stack};
    use runtime::{End, Generator, Model, State};
    use static_cell::ConstStaticCell;

    static STATE: ConstStaticCell<State<STATE_WORDS>> = ConstStaticCell::new(State::new());

    pub fn generate() -> Result<(), Error> {
        let settings = Settings::from_command_line()?;
        let mut stopwatch = Stopwatch::new();

        let model = Model::new(BLOB)?;
        let mut generator =
            Generator::new(&model, STATE.take(), settings.sampling(), settings.seed)?.max_len(settings.max_len);
        let mut word = heapless::String::<128>::new();
        let (mut characters, mut instructions, mut cut) = (0, 0, 0);
        for _ in 0..settings.n {
            let (count, end) = stopwatch.count(|| generator.word(&settings.prompt, &mut word));
            // The end of a word is a character, too: it was drawn.
            let boundary = match end? {
                End::Boundary => 1,
                End::Limit => 0,
            };
            characters += word.chars().count() as u64 + boundary;
            cut += 1 - boundary;
            instructions += count;
            println!("{word}");
        }

        println!("words={}", settings.n);
        println!("cut={cut}");
        println!("characters={characters}");
        println!("instructions_per_char={}", instructions / characters.max(1));
        println!("stack_bytes={}", stack::high_water_mark_bytes());
        println!("state_bytes={}", size_of_val(&STATE));
        println!("model_bytes={}", BLOB.len());
        Ok(())
    }
}
