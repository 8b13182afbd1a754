//! Words with a count of the instructions, the stack and the RAM that drawing them takes.

use runtime::{End, Generator, Model};
use semihosting::println;

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
    /// Bytes of stack up to the first word, and the most that a word took without an interrupt. `None`, not measured,
    /// after [`Self::with`].
    stack: Option<[usize; 2]>,
}

impl MeasuredWords {
    /// No words yet.
    ///
    /// # Panics
    /// If it has been called before: there is one [`Stopwatch`].
    #[expect(clippy::new_without_default, reason = "takes the stopwatch, of which there is one")]
    pub fn new() -> Self {
        Self { stack: Some([0; 2]), ..Self::with(Stopwatch::new()) }
    }

    /// No words yet, with a stopwatch that has been used before. The stack is not measured.
    pub fn with(stopwatch: Stopwatch) -> Self {
        let word = heapless::String::new();
        Self { stopwatch, word, words: 0, cut: 0, characters: 0, instructions: 0, stack: None }
    }

    /// Draws a word that begins with `prompt`.
    ///
    /// # Errors
    /// The model cannot read the prompt.
    pub fn draw(&mut self, generator: &mut Generator<'_>, prompt: &str) -> Result<&str, Error> {
        // First: `Painted::new` paints over the stack that was painted at the start.
        let before =
            self.stack.map(|[before, word]| (before.max(stack::high_water_mark_bytes()), word, Painted::new()));
        let interrupts = self.stopwatch.interrupts();
        let (instructions, end) = self.stopwatch.count(|| generator.word(prompt, &mut self.word));
        // An interrupt's frame would count where the stack is deepest in some word. The first word always counts: it
        // has an interrupt only where every word has one.
        let is_interrupted = self.stopwatch.interrupts() != interrupts;
        self.stack = before.map(|(before, word, painted)| {
            [before, if is_interrupted && word > 0 { word } else { word.max(painted.used_bytes()) }]
        });
        // The boundary counts as a character: it was drawn.
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

    /// Prints the report of [`Self::report_work`], then stack, state and model in bytes, and the board.
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
