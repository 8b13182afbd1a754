//! `key=value` arguments that the emulator hands over: `cargo xtask qemu generate -- seed=7 n=3 prompt=ma`.

use core::fmt;
use core::str::FromStr;

use runtime::Sampling;
use semihosting::experimental::env::args;
use semihosting::println;

/// Longest command line in bytes, the program's name included.
const MAX_BYTES: usize = 512;

/// A text from the command line.
pub type Text = heapless::String<64>;

/// What a program can be told. The defaults are those of a command line without arguments.
pub trait Settings: Default {
    /// The arguments, for the message about one that is not among them.
    const USAGE: &'static str;

    /// Takes an argument; `None` for an unknown key or a value that does not fit.
    fn set(&mut self, key: &str, value: &str) -> Option<()>;
}

/// An argument that is not understood.
#[derive(Debug)]
pub enum ArgumentError {
    /// The command line is too long, or not UTF-8.
    Unreadable,
    /// Unknown, or with a value that does not fit.
    Refused {
        /// The argument, as much of it as there is room for.
        argument: Text,
        /// What would be understood.
        usage: &'static str,
    },
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => write!(f, "the command line is not UTF-8"),
            Self::Refused { argument, usage } => write!(f, "argument {argument:?}: takes {usage}"),
        }
    }
}

/// Reads the command line. Where there is none, as with some debuggers, the defaults hold, and a line says so.
///
/// # Errors
/// [`ArgumentError`] for an argument that is unknown or out of range.
// Not in the caller's frame: the buffer would stay on the stack while the program runs.
#[inline(never)]
pub fn read<S: Settings>() -> Result<S, ArgumentError> {
    let mut settings = S::default();
    let Ok(arguments) = args::<MAX_BYTES>() else {
        println!("note: no command line, or one over {MAX_BYTES} bytes: the defaults hold");
        return Ok(settings);
    };
    let mut arguments_begun = false;
    for argument in &arguments {
        let argument = argument.map_err(|_| ArgumentError::Unreadable)?;
        // The program's name comes first: several words where it is a path with blanks, which nothing marks as one.
        arguments_begun |= argument.contains('=');
        if !arguments_begun {
            continue;
        }
        let accepted = argument.split_once('=').and_then(|(key, value)| settings.set(key, value));
        accepted.ok_or_else(|| {
            let mut text = Text::new();
            argument.chars().take_while(|&character| text.push(character).is_ok()).for_each(drop);
            ArgumentError::Refused { argument: text, usage: S::USAGE }
        })?;
    }
    Ok(settings)
}

fn number<T: FromStr>(value: &str) -> Option<T> {
    value.parse().ok()
}

/// What the `generate` program can be told.
#[derive(Debug)]
pub struct Generate {
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

impl Default for Generate {
    fn default() -> Self {
        Self { seed: 42, n: 20, temperature_milli: 1000, top_k: 0, max_len: 32, prompt: Text::new() }
    }
}

impl Generate {
    /// Temperature and top-k for the runtime.
    pub fn sampling(&self) -> Sampling {
        Sampling::default().temperature_milli(self.temperature_milli).top_k(self.top_k)
    }
}

impl Settings for Generate {
    const USAGE: &'static str =
        "seed=N n=N temperature_milli=0..65535 top_k=N max_len=N prompt=TEXT (64 bytes at most)";

    fn set(&mut self, key: &str, value: &str) -> Option<()> {
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
}

/// What the `selftest` program can be told.
#[derive(Debug)]
pub struct SelfTest {
    /// Seed of the contexts, and of the words.
    pub seed: u64,
    /// How many contexts.
    pub contexts: u32,
    /// How many words.
    pub n: u32,
}

impl Default for SelfTest {
    fn default() -> Self {
        Self { seed: 1, contexts: 100, n: 20 }
    }
}

impl Settings for SelfTest {
    const USAGE: &'static str = "seed=N contexts=N n=N";

    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "seed" => self.seed = number(value)?,
            "contexts" => self.contexts = number(value)?,
            "n" => self.n = number(value)?,
            _ => return None,
        }
        Some(())
    }
}

/// What the `bench` program can be told.
#[derive(Debug)]
pub struct Bench {
    /// Seed of the words.
    pub seed: u64,
    /// How many words.
    pub n: u32,
    /// Over how many characters the parts are measured.
    pub parts: u32,
}

impl Default for Bench {
    fn default() -> Self {
        Self { seed: 42, n: 64, parts: 64 }
    }
}

impl Settings for Bench {
    const USAGE: &'static str = "seed=N n=N parts=N";

    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "seed" => self.seed = number(value)?,
            "n" => self.n = number(value)?,
            "parts" => self.parts = number(value)?,
            _ => return None,
        }
        Some(())
    }
}
