//! Draws words, and counts the instructions, the stack and the RAM that this takes.

use runtime::{End, Generator, Model};
use semihosting::{print, println};

use crate::board::{self, Stopwatch};
use crate::chip::stack::{self, Painted};
use crate::error::Error;
use crate::model::{BLOB, STATE_BYTES};

/// Draws words and counts what they take.
pub struct MeasuredWords {
    stopwatch: Stopwatch,
    word: heapless::String<128>,
    words: u32,
    cut: u32,
    characters: u32,
    instructions: u64,
    /// Bytes of stack used up to the first word, and the largest number that a word without an interrupt took. `None`
    /// if not measured: after [`Self::with`].
    stack: Option<[usize; 2]>,
}

impl MeasuredWords {
    /// Returns an empty count.
    ///
    /// # Panics
    /// Panics if it is called a second time: there is only one [`Stopwatch`].
    #[expect(clippy::new_without_default, reason = "takes the only stopwatch")]
    pub fn new() -> Self {
        Self { stack: Some([0; 2]), ..Self::with(Stopwatch::new()) }
    }

    /// Returns an empty count with a stopwatch that has been used before. The stack is not measured.
    pub fn with(stopwatch: Stopwatch) -> Self {
        let word = heapless::String::new();
        Self { stopwatch, word, words: 0, cut: 0, characters: 0, instructions: 0, stack: None }
    }

    /// Draws a word that begins with `prompt`.
    ///
    /// # Errors
    /// Fails if the model cannot read the prompt.
    pub fn draw(&mut self, generator: &mut Generator<'_>, prompt: &str) -> Result<&str, Error> {
        // Must come first: `Painted::new` paints over the stack that was painted at the start.
        let before =
            self.stack.map(|[before, word]| (before.max(stack::high_water_mark_bytes()), word, Painted::new()));
        let interrupts = self.stopwatch.interrupts();
        let (instructions, end) = self.stopwatch.count(|| generator.word(prompt, &mut self.word));
        // An interrupt's frame would count where a word's use of the stack is deepest. The first word always counts: if
        // an interrupt hits it, one hits every word.
        let is_interrupted = self.stopwatch.interrupts() != interrupts;
        self.stack = before.map(|(before, word, painted)| {
            [before, if is_interrupted && word > 0 { word } else { word.max(painted.used_bytes()) }]
        });
        // The boundary was drawn, so it counts as a character.
        let boundary = match end? {
            End::Boundary => 1,
            End::Limit => 0,
        };
        self.words += 1;
        self.cut += 1 - boundary;
        self.characters += self.word.chars().count() as u32 + boundary;
        self.instructions += instructions;
        Ok(&self.word)
    }

    /// Writes a text of `length` characters that begins with `prompt`. The stack includes the frame of an interrupt.
    ///
    /// # Errors
    /// Fails if the model cannot read the prompt.
    pub fn write(&mut self, generator: &mut Generator<'_>, prompt: &str, length: u32) -> Result<(), Error> {
        let before = self.stack.map(|[before, _]| (before.max(stack::high_water_mark_bytes()), Painted::new()));
        let (instructions, text) = self.stopwatch.count(|| generator.text(prompt));
        let mut text = text?;
        self.instructions += instructions;
        self.word.clear();
        for index in 0..length {
            let (instructions, character) = self.stopwatch.count(|| text.next());
            self.instructions += instructions;
            if index == 0 {
                // Measured before anything is printed, which takes more.
                self.stack = before.as_ref().map(|(before, painted)| [*before, painted.used_bytes()]);
            }
            let Some(character) = character else { break };
            // Each call of the debugger takes long, so a line is printed as a whole.
            if character == '\n' {
                println!("{}", self.word);
                self.word.clear();
            } else if self.word.push(character).is_err() {
                print!("{}{character}", self.word);
                self.word.clear();
            }
            self.characters += 1;
        }
        println!("{}", self.word);
        self.words += 1;
        self.cut += 1;
        Ok(())
    }

    /// Prints the lines of [`Self::report_work`], then stack, state and model in bytes, and the board.
    pub fn report(&self) {
        self.report_work();
        let [before, word] = self.stack.unwrap_or_default();
        println!("stack_bytes={}", before.max(stack::high_water_mark_bytes()));
        println!("generation_stack_bytes={word}");
        println!("state_bytes={STATE_BYTES}");
        println!("model_ram_bytes={}", size_of::<Model<'static>>());
        println!("model_bytes={}", BLOB.len());
        println!("board={}", board::NAME);
    }

    /// Prints the number of words and characters, and the instructions per character.
    pub fn report_work(&self) {
        println!("words={}", self.words);
        println!("cut={}", self.cut);
        println!("characters={}", self.characters);
        println!("instructions_per_char={}", self.instructions / u64::from(self.characters.max(1)));
    }
}
