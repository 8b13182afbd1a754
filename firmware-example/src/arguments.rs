//! Arguments `key=value` from the emulator's command line: `cargo xtask qemu generate -- seed=7 n=3 prompt=ma`.

use core::fmt;
use core::str::FromStr;

use runtime::Sampling;
use semihosting::experimental::env::args;
use semihosting::println;

/// Length limit of the command line in bytes, including the program's name.
const MAX_BYTES: usize = 512;

/// Text from the command line.
pub type Text = heapless::String<64>;

/// Settings of a program. The defaults apply if there are no arguments.
pub trait Settings: Default {
    /// List of the arguments, for the message about an unknown one.
    const USAGE: &'static str;

    /// Sets one argument. Returns `None` if the key is unknown or the value is out of range.
    fn set(&mut self, key: &str, value: &str) -> Option<()>;
}

/// Error in the command line.
#[derive(Debug)]
pub enum ArgumentError {
    /// The command line is too long, or not UTF-8.
    Unreadable,
    /// The argument is unknown, or its value is out of range.
    Refused {
        /// The argument, cut to the buffer's length.
        argument: Text,
        /// The arguments that the program knows.
        usage: &'static str,
    },
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => write!(f, "the command line is not UTF-8"),
            Self::Refused { argument, usage } => write!(f, "argument {argument:?}: expected {usage}"),
        }
    }
}

/// Reads the command line. If there is none, as with some debuggers, prints a note and returns the defaults.
///
/// # Errors
/// Returns [`ArgumentError`] if an argument is unknown or out of range.
// Not inlined: otherwise the buffer would stay on the stack while the program runs.
#[inline(never)]
pub fn read<S: Settings>() -> Result<S, ArgumentError> {
    let mut settings = S::default();
    let Ok(arguments) = args::<MAX_BYTES>() else {
        println!("note: no command line, or one over {MAX_BYTES} bytes: using the defaults");
        return Ok(settings);
    };
    let mut arguments_begun = false;
    for argument in &arguments {
        let argument = argument.map_err(|_| ArgumentError::Unreadable)?;
        // The program's name comes first. If it is a path with blanks, it is several words, and nothing marks its end.
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

/// Settings of the `generate` program.
#[derive(Debug)]
pub struct Generate {
    /// Seed of the random numbers.
    pub seed: u64,
    /// Number of words.
    pub n: u32,
    /// Temperature in thousandths; 0 always takes the most probable character.
    pub temperature_milli: u16,
    /// Number of most probable characters to draw from; 0 for all.
    pub top_k: u16,
    /// Length limit of a word in characters.
    pub max_len: usize,
    /// Number of characters of a text; 0 for words.
    pub length: u32,
    /// Beginning of every word, or of the text.
    pub prompt: Text,
}

impl Default for Generate {
    fn default() -> Self {
        Self { seed: 42, n: 20, temperature_milli: 1000, top_k: 0, max_len: 32, length: 0, prompt: Text::new() }
    }
}

impl Generate {
    /// Returns temperature and top-k for the runtime.
    pub fn sampling(&self) -> Sampling {
        Sampling::default().temperature_milli(self.temperature_milli).top_k(self.top_k)
    }
}

impl Settings for Generate {
    const USAGE: &'static str =
        "seed=N n=N temperature_milli=0..65535 top_k=N max_len=N length=N prompt=TEXT (64 bytes at most)";

    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "seed" => self.seed = number(value)?,
            "n" => self.n = number(value)?,
            "temperature_milli" => self.temperature_milli = number(value)?,
            "top_k" => self.top_k = number(value)?,
            "max_len" => self.max_len = number(value)?,
            "length" => self.length = number(value)?,
            "prompt" => self.prompt = Text::try_from(value).ok()?,
            _ => return None,
        }
        Some(())
    }
}

/// Settings of the `selftest` program.
#[derive(Debug)]
pub struct SelfTest {
    /// Seed of the contexts and of the words.
    pub seed: u64,
    /// Number of contexts.
    pub contexts: u32,
    /// Number of words.
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

/// Settings of the `bench` program.
#[derive(Debug)]
pub struct Bench {
    /// Seed of the random numbers.
    pub seed: u64,
    /// Number of words.
    pub n: u32,
    /// Number of characters over which the parts of the model are measured.
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
