//! `key=value` arguments that the emulator hands over: `cargo xtask qemu generate -- seed=7 n=3 prompt=ma`.

use core::fmt;
use core::str::FromStr;

use runtime::Sampling;
use semihosting::experimental::env::args;

/// Longest command line in bytes, the program's name included.
const MAX_BYTES: usize = 512;

/// A text from the command line.
pub type Text = heapless::String<64>;

/// What the `generate` program can be told.
#[derive(Debug)]
pub struct Settings {
    /// Seed of the words.
    pub seed: u64,
    /// How many words.
    pub n: u32,
    /// Thousandths; 0 takes the most probable character always.
    pub temperature_milli: u16,
    /// Draw from so many characters only; 0 for all.
    pub top_k: u16,
    /// Most characters of a word.
    pub max_len: usize,
    /// What every word begins with.
    pub prompt: Text,
}

/// An argument that is not understood.
#[derive(Debug)]
pub enum ArgumentError {
    /// The command line is too long, or not UTF-8.
    Unreadable,
    /// Unknown, or with a value that does not fit.
    Refused(Text),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => write!(f, "the command line is not UTF-8, or longer than {MAX_BYTES} bytes"),
            Self::Refused(argument) => write!(
                f,
                "argument {argument:?}: takes seed=N n=N temperature_milli=0..65535 top_k=N max_len=N prompt=TEXT"
            ),
        }
    }
}

impl Settings {
    /// Reads the command line. A debugger that has none gives the defaults.
    ///
    /// # Errors
    /// [`ArgumentError`] for an argument that is unknown or out of range.
    pub fn from_command_line() -> Result<Self, ArgumentError> {
        let mut settings =
            Self { seed: 42, n: 20, temperature_milli: 1000, top_k: 0, max_len: 32, prompt: Text::new() };
        let Ok(arguments) = args::<MAX_BYTES>() else { return Ok(settings) };
        // The first is the name of the program.
        for argument in (&arguments).skip(1) {
            let argument = argument.map_err(|_| ArgumentError::Unreadable)?;
            settings.set(argument).ok_or_else(|| {
                let mut text = Text::new();
                argument.chars().take_while(|&character| text.push(character).is_ok()).for_each(drop);
                ArgumentError::Refused(text)
            })?;
        }
        Ok(settings)
    }

    fn set(&mut self, argument: &str) -> Option<()> {
        fn number<T: FromStr>(value: &str) -> Option<T> {
            value.parse().ok()
        }
        let (key, value) = argument.split_once('=')?;
        match key {
            "seed" => self.seed = number(value)?,
            "n" => self.n = number(value)?,
            "temperature_milli" => self.temperature_milli = number(value)?,
            "top_k" => self.top_k = number(value)?,
            "max_len" => self.max_len = number(value)?,
            "prompt" => self.prompt = Text::try_from(value).ok()?,
            _ => return None,
        }
        Some(())
    }

    /// Temperature and top-k for the runtime.
    pub fn sampling(&self) -> Sampling {
        Sampling::default().temperature_milli(self.temperature_milli).top_k(self.top_k)
    }
}
