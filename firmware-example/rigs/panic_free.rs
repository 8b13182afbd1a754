//! Calls everything that `runtime` offers for inference, and nothing else. The test `tests/panic_free.rs` checks that
//! the program contains no panic, no checked division, no allocation and no recursion. It also runs the program, to
//! compare the stack used with the bound computed from the code.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("panic_free");
}

#[cfg(target_os = "none")]
mod on_chip {
    use core::hint::black_box;
    use core::panic::PanicInfo;

    use firmware_example::chip::stack;
    use firmware_example::model::built_in::{BLOB, MODEL, STATE_WORDS};
    use runtime::built_in::is_intact;
    use runtime::{
        Activations, COUNTER_WORDS, Error, FormatError, Generator, Logits, Model, PromptError, Sampling, State,
        StateMut, Stream, Vocab,
    };
    use semihosting::io::{self, Write};
    use semihosting::process::exit;

    /// Calls everything with one blob, whose bytes are not known at compile time.
    #[inline(never)]
    fn load(blob: &[u8], text: &str, number: u32) -> Result<u32, Error> {
        every_call(&Model::new(blob)?, text, number)
    }

    /// Calls everything with a model, from a blob or built in.
    #[inline(never)]
    fn every_call(model: &Model<'_>, text: &str, number: u32) -> Result<u32, Error> {
        let mut sum = describe(model);
        let mut state = State::<STATE_WORDS>::new();
        model.self_test(&mut state)?;
        sum ^= model.golden_checksum(&mut state)?;

        let mut stream = Stream::new(model, &mut state)?;
        let token = model.vocab().encode(text.chars().next().unwrap_or('.'))?;
        stream.push(token);
        stream.push_observed(number as u8, &mut |level, values: Activations<'_>| {
            black_box((level, values.len(), values.get(number as usize)));
        });
        sum ^= stream.nll_micronats(number as u8);
        sum ^= logits(stream.logits());
        let score = stream.score(text)?;
        sum ^= (score.nll_micronats as u32) ^ score.characters as u32;
        stream.reset();

        let mut words = [0; COUNTER_WORDS + STATE_WORDS];
        let memory = StateMut::new(black_box(&mut words[..]))?;
        let sampling = Sampling::default().temperature_milli(number as u16).top_k((number >> 16) as u16);
        let mut generator = Generator::new(model, memory, sampling, number.into())?.max_len(number as usize);
        sum ^= generator.score(text)?.characters as u32;
        let mut word = heapless::String::<64>::new();
        sum ^= generator.word(text, &mut word)? as u32;
        let mut characters = generator.start(text)?;
        sum ^= characters.by_ref().map(u32::from).fold(0, u32::wrapping_add);
        Ok(sum ^ u32::from(characters.end().is_some()))
    }

    /// Reads the facts about a model.
    fn describe(model: &Model<'_>) -> u32 {
        let config = model.config();
        let provenance = model.provenance();
        let sizes = [
            config.block_size(),
            config.parameters(),
            config.macs_streaming(),
            config.shapes().map(|shape| shape.fan_in).fold(0, usize::wrapping_add),
            model.state_words(),
            model.golden().len(),
            model.vocab().as_str().len(),
            model.vocab().len(),
            provenance.preset.len(),
            usize::from(provenance.data_sha256[0]),
        ];
        let decoded = model.vocab().decode(sizes[0] as u8).map_or(0, u32::from);
        sizes.iter().fold(decoded, |sum, &size| sum.wrapping_add(size as u32))
    }

    fn logits(logits: Logits<'_>) -> u32 {
        let mut sum = logits.len() as u32;
        logits.for_each_bytes(|bytes| sum ^= u32::from_le_bytes(bytes));
        sum
    }

    /// Calls the parts that work without a model.
    #[inline(never)]
    fn parts(text: &str) -> Result<usize, FormatError> {
        let vocab = Vocab::new(text)?;
        let refused = matches!(vocab.encode('?'), Err(PromptError::UnknownCharacter { .. }));
        Ok(vocab.len() + usize::from(refused))
    }

    /// Runs after start-up.
    #[firmware_example::chip::entry]
    fn entry() -> ! {
        // Uses the bytes of the blob, so that they are in flash only once.
        let words = black_box(&BLOB.0[..]);
        let (text, number) = (black_box("ma"), black_box(1000));
        let succeeded = load(bytemuck::cast_slice(words), text, number).is_ok()
            & every_call(black_box(&MODEL), text, number).is_ok()
            & is_intact(words)
            & parts(black_box(".ma")).is_ok();
        report(stack::high_water_mark_bytes() as u32);
        exit(if succeeded { 0 } else { 1 })
    }

    /// Prints the stack used, in hexadecimal. Does not use formatting or `write_all`, which may panic.
    fn report(bytes: u32) {
        let mut line = *b"stack_bytes=00000000\n";
        let digits = line.iter_mut().rev().skip(1).take(8);
        digits.enumerate().for_each(|(at, to)| {
            let digit = (bytes >> (4 * at) & 15) as u8;
            *to = if digit < 10 { b'0' + digit } else { b'a' - 10 + digit };
        });
        if let Ok(mut console) = io::stdout() {
            // If the line is missing, the test fails.
            let _ = console.write(&line);
        }
    }

    /// Panic handler, which the linker removes if no code can panic: the test looks for its name.
    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        exit(101)
    }
}
