//! Console for people at a serial terminal: names, scores and settings, line by line.
//!
//! The console does not depend on a board: it runs on a [`Machine`], and its terminal is any type that implements the
//! traits of `embedded_io`. So the tests hold the same conversation on the host as on every board.
//!
//! ```text
//!  UART -> keyboard   type-ahead, Ctrl-C               banner, print -> UART
//!          line       echo, backspace, line ends
//!          command    parses the line
//!          Session    executes the command
//! ```

pub mod banner;
pub mod command;
mod keyboard;
#[cfg(target_os = "none")]
pub mod last_words;
pub mod line;
pub mod machine;
pub mod print;

use embedded_io::{Read, ReadReady, Write};
use rand_xoshiro::Xoshiro128PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use runtime::{End, Generator, Model, PromptError, Sampling, State, Stream};

use banner::{Boot, Slot, amount};
use command::{Command, HELP, Refusal};
use keyboard::Keyboard;
use line::{Event, Line, MAX_BYTES, Unreadable};
use machine::Machine;
use print::{NEW_LINE, Print};

/// Prompt at the beginning of a line.
pub const PROMPT: &str = "> ";

/// Seed when the console starts, and for `:bench`.
const SEED: u64 = 42;
/// Number of names per line when the console starts.
const WORDS: u16 = 5;
/// Number of characters that a model of text writes for a line.
const LINE: u32 = 200;
/// Number of names that `:bench` draws.
const BENCH_WORDS: u16 = 16;
/// Size of the buffer for a name: the longest word, in characters of four bytes.
const WORD_BYTES: usize = 4 * runtime::DEFAULT_MAX_LEN;

/// Settings that apply to every line.
#[derive(Clone, Copy, Debug)]
struct Settings {
    sampling: Sampling,
    temperature_milli: u16,
    top_k: u16,
    words: u16,
    seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sampling: Sampling::default(), temperature_milli: 1_000, top_k: 0, words: WORDS, seed: SEED }
    }
}

/// Next step after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// Read the next line.
    Line,
    /// Start again with the banner.
    Restart,
}

/// Conversation at a terminal.
pub struct Session<'m, C, M, const STATE_WORDS: usize> {
    console: Keyboard<C>,
    machine: M,
    model: &'m Model<'m>,
    state: &'m mut State<STATE_WORDS>,
    boot: Boot,
    rng: Xoshiro128PlusPlus,
    settings: Settings,
}

impl<'m, C: Read + ReadReady + Write, M: Machine, const STATE_WORDS: usize> Session<'m, C, M, STATE_WORDS> {
    /// Returns a session with a model that fits the state.
    pub fn new(console: C, machine: M, model: &'m Model<'m>, state: &'m mut State<STATE_WORDS>, slot: Slot) -> Self {
        let self_test = match model.self_test(&mut *state) {
            Err(runtime::Error::SelfTest(error)) => Err(error),
            _ => Ok(()),
        };
        let boot = Boot { slot, self_test, state_bytes: size_of::<State<STATE_WORDS>>() };
        let (console, rng) = (Keyboard::new(console), Xoshiro128PlusPlus::seed_from_u64(SEED));
        Self { console, machine, model, state, boot, rng, settings: Settings::default() }
    }

    /// Prints the banner, then executes line after line. Returns when the board would restart, or when the input ends,
    /// which never happens on a UART.
    pub fn run(&mut self) {
        self.console.text(NEW_LINE);
        self.banner();
        self.console.line(":help lists the commands");
        let mut line = Line::default();
        self.console.text(PROMPT);
        while let Some(byte) = self.console.next_byte() {
            match line.take_byte(byte, &mut self.console) {
                Event::None => continue,
                Event::Abandoned => {}
                Event::Ended => {
                    if self.obey(&line) == After::Restart {
                        return;
                    }
                }
            }
            line.clear();
            self.console.text(PROMPT);
        }
    }

    fn banner(&mut self) {
        banner::print(&mut self.console, self.model, &self.boot, &self.machine.facts());
    }

    fn obey(&mut self, line: &Line) -> After {
        let out = &mut self.console;
        match line.text() {
            Err(Unreadable::TooLong) => {
                out.text("the line is too long: at most ");
                amount(out, MAX_BYTES, " bytes; ignored");
                out.text(NEW_LINE);
            }
            Err(Unreadable::NotUtf8) => out.line("the line is not UTF-8; ignored"),
            Ok(text) => match command::parse(text) {
                Ok(command) => return self.do_command(command),
                Err(Refusal::Unknown(name)) => {
                    out.text("unknown command :");
                    out.text(name);
                    out.line("; try :help");
                }
                Err(Refusal::Takes(name, what)) => {
                    out.text(":");
                    out.text(name);
                    out.text(" takes ");
                    out.line(what);
                }
            },
        }
        After::Line
    }

    fn do_command(&mut self, command: Command<'_>) -> After {
        match command {
            Command::Draw(prompt) if self.model.vocab().is_of_text() => self.text(LINE, prompt),
            Command::Draw(prompt) => self.draw(prompt),
            Command::Seed(seed) => {
                self.settings.seed = seed;
                self.rng = Xoshiro128PlusPlus::seed_from_u64(seed);
                self.say_settings();
            }
            Command::Temperature(milli) => {
                self.settings.temperature_milli = milli;
                self.settings.sampling = self.settings.sampling.temperature_milli(milli);
                self.say_settings();
            }
            Command::TopK(k) => {
                self.settings.top_k = k;
                self.settings.sampling = self.settings.sampling.top_k(k);
                self.say_settings();
            }
            Command::Words(words) => {
                self.settings.words = words;
                self.say_settings();
            }
            Command::Text(length, prompt) => self.text(length, prompt),
            Command::Score(word) => self.score(word),
            Command::Info => self.info(),
            Command::Bench => self.bench(),
            Command::Reset => {
                self.console.line("reset");
                let _ = self.console.flush();
                self.machine.reset();
                return After::Restart;
            }
            Command::Help => {
                for (command, meaning) in HELP {
                    self.console.text(command);
                    self.console.text("            ".get(command.len()..).unwrap_or(" "));
                    self.console.line(meaning);
                }
            }
            #[cfg(feature = "faults")]
            Command::Panic => panic!("as asked"),
            #[cfg(all(feature = "faults", target_os = "none"))]
            Command::Fault => crate::chip::fault(),
            #[cfg(all(feature = "faults", not(target_os = "none")))]
            Command::Fault => panic!("as asked"),
        }
        After::Line
    }

    fn say_settings(&mut self) {
        let (out, settings) = (&mut self.console, &self.settings);
        out.text("seed ");
        out.number(settings.seed);
        out.text(", temp ");
        out.thousandths(settings.temperature_milli.into());
        out.text(", topk ");
        match settings.top_k {
            0 => out.text("all"),
            k => out.number(k.into()),
        }
        out.text(", n ");
        amount(out, settings.words.into(), NEW_LINE);
    }

    /// Draws words that begin with `prompt`, and prints them.
    fn draw(&mut self, prompt: &str) {
        let Self { console, model, state, rng, settings, .. } = self;
        let mut word = heapless::String::<WORD_BYTES>::new();
        // Never fails: the model fits the state, as the self-test has shown.
        let Ok(mut generator) = Generator::with_rng(model, &mut **state, settings.sampling, rng) else { return };
        for _ in 0..settings.words {
            match generator.word(prompt, &mut word) {
                Ok(_) => console.line(&word),
                Err(error) => return refuse(console, model, error),
            }
            if console.is_interrupted() {
                console.line("^C");
                return;
            }
        }
    }

    /// Writes a text of `length` characters that begins with `prompt`.
    fn text(&mut self, length: u32, prompt: &str) {
        let Self { console, model, state, rng, settings, .. } = self;
        // Never fails: the model fits the state, as the self-test has shown.
        let Ok(mut generator) = Generator::with_rng(model, &mut **state, settings.sampling, rng) else { return };
        match generator.text(prompt) {
            Ok(text) => {
                for character in text.take(length as usize) {
                    match character {
                        '\n' => console.text(NEW_LINE),
                        character => console.character(character),
                    }
                    if console.is_interrupted() {
                        return console.line("^C");
                    }
                }
                console.text(NEW_LINE);
            }
            Err(error) => refuse(console, model, error),
        }
    }

    /// Prints how surprising a word is to the model.
    fn score(&mut self, word: &str) {
        let Self { console, model, state, .. } = self;
        let Ok(mut stream) = Stream::new(model, &mut **state) else { return };
        match stream.score(word) {
            Ok(score) => {
                let characters = score.characters as u64;
                console.text("nll ");
                console.millionths(score.nll_micronats);
                console.text(" nats, ");
                console.millionths((score.nll_micronats + characters / 2) / characters);
                console.text(" per character (");
                console.number(characters);
                console.line(", end included)");
            }
            Err(error) => refuse(console, model, error),
        }
    }

    fn info(&mut self) {
        self.banner();
        let (used, have) = (self.machine.stack_used(), self.machine.facts().stack_bytes);
        self.console.text("stack     ");
        amount(&mut self.console, used, " bytes used at most, of ");
        amount(&mut self.console, have, NEW_LINE);
        self.console.text("settings  ");
        self.say_settings();
    }

    /// Prints the average time of a character, measured over the same words on every board.
    fn bench(&mut self) {
        let Self { console, machine, model, state, .. } = self;
        let mut word = heapless::String::<WORD_BYTES>::new();
        let Ok(mut generator) = Generator::new(model, &mut **state, Sampling::default(), SEED) else { return };
        let (mut characters, mut ticks) = (0, 0);
        for _ in 0..BENCH_WORDS {
            let before = machine.now();
            let end = generator.word("", &mut word);
            ticks += machine.now() - before;
            // The boundary at the end of a word was drawn, too.
            let letters = word.bytes().filter(|&byte| !line::is_continuation(byte)).count();
            characters += letters as u64 + u64::from(end == Ok(End::Boundary));
            if console.is_interrupted() {
                console.line("^C");
                return;
            }
        }
        let characters = characters.max(1);
        let per_character = (ticks + characters / 2) / characters;
        console.number(per_character);
        console.text(" ");
        console.text(machine.unit());
        console.text(" per character, over ");
        console.number(characters);
        if machine.unit() == "cycles" {
            console.text("; ");
            console.number(u64::from(machine.facts().clock_hz) / per_character.max(1));
            console.text(" characters per second");
        }
        console.text(NEW_LINE);
    }
}

/// Prints why the model cannot read a text, and which characters it knows.
fn refuse(out: &mut impl Write, model: &Model<'_>, error: PromptError) {
    match error {
        PromptError::UnknownCharacter { character } => {
            out.text("the model does not know '");
            out.character(character);
            out.text("', only ");
            // The first character is the sign for the boundary, which is no character of a name.
            let mut known = model.vocab().as_str().chars();
            known.next();
            out.line(known.as_str());
        }
        PromptError::TooLong { max, .. } => {
            out.text("too long: at most ");
            amount(out, max, " characters");
            out.text(NEW_LINE);
        }
        _ => out.line("the model cannot read that"),
    }
}
