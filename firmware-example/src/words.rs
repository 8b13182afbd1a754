//! Drawing words and counting what they take.

use runtime::{End, Generator, Model};
use semihosting::println;

use crate::board::{self, Stopwatch};
use crate::error::Error;
use crate::model::{BLOB, STATE_BYTES};
use crate::stack::{self, Painted};

/// Draws words, and keeps count.
pub struct Words {
    stopwatch: Stopwatch,
    word: heapless::String<128>,
    words: u32,
    cut: u32,
    characters: u32,
    instructions: u64,
    /// Bytes of stack up to the first word, and of each word the most; not measured for those who bring a stopwatch.
    stack: Option<[usize; 2]>,
}

impl Words {
    /// None yet.
    ///
    /// # Panics
    /// If it has been called before: there is one [`Stopwatch`].
    #[expect(clippy::new_without_default, reason = "takes the stopwatch, of which there is one")]
    pub fn new() -> Self {
        Self { stack: Some([0; 2]), ..Self::with(Stopwatch::new()) }
    }

    /// None yet, with a stopwatch that has been used before.
    pub fn with(stopwatch: Stopwatch) -> Self {
        let word = heapless::String::new();
        Self { stopwatch, word, words: 0, cut: 0, characters: 0, instructions: 0, stack: None }
    }

    /// Draws a word that begins with `prompt`.
    ///
    /// # Errors
    /// A prompt that the model cannot read.
    pub fn draw(&mut self, generator: &mut Generator<'_>, prompt: &str) -> Result<&str, Error> {
        // Before the paint of the start is painted over.
        let before =
            self.stack.map(|[before, word]| (before.max(stack::high_water_mark_bytes()), word, Painted::new()));
        let (instructions, end) = self.stopwatch.count(|| generator.word(prompt, &mut self.word));
        self.stack = before.map(|(before, word, painted)| [before, word.max(painted.used_bytes())]);
        // The end of a word is a character, too: it was drawn.
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

    /// Reports what it took, and what the program takes.
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

    /// Reports what it took.
    pub fn report_work(&self) {
        println!("words={}", self.words);
        println!("cut={}", self.cut);
        println!("characters={}", self.characters);
        println!("instructions_per_char={}", self.instructions / u64::from(self.characters.max(1)));
    }
}
