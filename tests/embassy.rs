//! The example `embassy-pico`: the documentation quotes it and has its sizes, and in an emulated Raspberry Pi Pico it
//! draws the names that the host draws.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use runtime::format::{AlignedBlob, Layout};
use runtime::write::relayout;
use runtime::{COUNTER_WORDS, Model, Sampling, state_words};
use tests::{assert_section_within, blob, host_words, table, thousands, uf2_for_pico, workspace};
use xtask::command::advice;
use xtask::examples::EMBASSY_PICO;
use xtask::pico::{Action, Counts, Link, Pico};
use xtask::repo::Repo;
use xtask::size;

/// Model of the example, and seed of its random numbers.
const MODEL: &str = "names.int8.blob";
const SEED: u64 = 42;
/// Beginning of a name.
const PROMPT: &str = "ma";
/// First line of a conversation, and the prompt after it.
const GREETING: &str = "Type the beginning of a name and press Enter.\r\n> ";
/// End of an answer, and the next prompt.
const ANSWER_END: &str = "\r\n> ";
/// Time limit of an answer, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Cycles between two changes of the LED: 250 ms at 125 MHz.
const BLINK_CYCLES: u64 = 31_250_000;

/// The built program.
static ELF: LazyLock<PathBuf> =
    LazyLock::new(|| EMBASSY_PICO.build(&Repo::find()).unwrap_or_else(|error| panic!("{}", advice(&error))));

/// The file that a person copies onto the board.
static UF2: LazyLock<PathBuf> = LazyLock::new(|| uf2_for_pico(&ELF));

/// An emulated board.
struct Board(Pico);

impl Board {
    /// Starts the board with an open port, and reads the greeting.
    fn start() -> Self {
        let pico = Pico::start(&Repo::find(), &UF2, TIMEOUT).unwrap_or_else(|error| panic!("{}", advice(&error)));
        let mut board = Self(pico);
        board.read_to(GREETING);
        board
    }

    fn read_to(&mut self, end: &str) -> String {
        let bytes = self.0.read_to(Link::Usb, end.as_bytes()).unwrap_or_else(|error| panic!("{error:#}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.send(Link::Usb, bytes).expect("a running emulator");
    }

    /// Types a line. Returns the echo and the answer.
    fn ask(&mut self, line: &[u8]) -> (String, String) {
        self.send(line);
        self.send(b"\r");
        let echo = self.read_to("\r\n");
        let answer = self.read_to(ANSWER_END);
        (echo.trim_end_matches("\r\n").to_owned(), answer.trim_end_matches(ANSWER_END).to_owned())
    }

    fn act(&mut self, action: Action) {
        self.0.act(action).expect("a running emulator");
    }

    fn wait(&mut self, milliseconds: u64) {
        self.0.wait(Duration::from_millis(milliseconds)).unwrap_or_else(|error| panic!("{error:#}"));
    }

    fn counts(&mut self) -> Counts {
        self.0.counts().unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Checks that a line gets a name that begins with the line.
    fn draws(&mut self) {
        let (echo, name) = self.ask(PROMPT.as_bytes());
        assert_eq!(echo, PROMPT);
        assert!(name.starts_with(PROMPT) && name.len() > PROMPT.len(), "{name}");
    }
}

/// Checks that the LED kept its rhythm between two counts.
fn assert_blinks(before: Counts, after: Counts) {
    let (toggles, cycles) = (after.toggles - before.toggles, after.cycles - before.cycles);
    assert!(toggles.abs_diff(cycles / BLINK_CYCLES) <= 1, "{toggles} changes of the LED in {cycles} cycles");
}

fn read(file: &str) -> String {
    fs::read_to_string(workspace(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A reader of the page sees lines of the program, in its order.
#[test]
fn the_page_quotes_the_program() {
    let source = "examples/embassy-pico/src/main.rs";
    let page = read("docs/use/in-your-firmware.md");
    let (_, rest) = page.split_once(&format!("\n```rust {source}\n")).expect("a block that names its source");
    let (quoted, _) = rest.split_once("\n```\n").expect("an end of the block");
    let program = read(source);
    let mut program = program.lines().map(str::trim);
    let quoted: Vec<&str> = quoted.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert!(quoted.len() > 5, "{quoted:?}");
    for line in quoted {
        assert!(program.any(|other| other == line), "not in {source}, or in another order: {line}");
    }
}

#[test]
fn the_readme_has_the_sizes() {
    let size = size::of_file(&ELF).expect("an ELF file");
    let file = blob(MODEL);
    let model = Model::new(file.as_bytes()).expect("a shipped model");
    // The size of the state depends on the layout.
    let relaid = AlignedBlob::from(relayout(&model, Layout::Lanes16).expect("an integer model").as_slice());
    let relaid = relaid.as_bytes();
    let state = 4 * (state_words(relaid) + COUNTER_WORDS) as u64;
    let row = [size.flash(), relaid.len() as u64, size.ram(), state].map(thousands).to_vec();
    let header = ["flash, bytes", "of them the model", "static RAM, bytes", "of them the model's state"];
    // Another patch of the compiler changes these figures a little.
    assert_section_within(2.0, "examples/embassy-pico/README.md", "sizes", &table(&header, &[row]));
}

#[test]
fn it_draws_the_names_of_the_host() {
    let mut board = Board::start();
    let mut names: Vec<String> = (0..3).map(|_| board.ask(PROMPT.as_bytes()).1).collect();
    // A refused line takes no random number.
    board.ask(b"?");
    names.push(board.ask(PROMPT.as_bytes()).1);
    assert_eq!(names, host_words(&blob(MODEL), Sampling::default(), SEED, PROMPT, 4));
}

#[test]
fn the_led_blinks_while_names_are_drawn() {
    const NAMES: usize = 150;
    let mut board = Board::start();
    let before = board.counts();
    board.send(format!("{PROMPT}\r").repeat(NAMES).as_bytes());
    let mut after = before;
    for _ in 0..NAMES {
        board.read_to(ANSWER_END);
        after = board.counts();
        assert_blinks(before, after);
    }
    assert!(after.toggles - before.toggles >= 8, "{before:?} {after:?}");
}

#[test]
fn an_unusable_line_gets_a_message() {
    let mut board = Board::start();
    let too_long = "The line is too long: type fewer letters.";
    let longest = "m".repeat(runtime::DEFAULT_MAX_LEN);
    let longer = format!("{longest}m");
    let flood = "abc".repeat(1000);
    for (line, echo, answer) in [
        (&b"M"[..], "M", "The model does not know `M`: type letters from a to z."),
        ("é".as_bytes(), "é", "The model does not know `é`: type letters from a to z."),
        (b"a\xff", "a\u{fffd}", "The line is not UTF-8: type letters from a to z."),
        (longer.as_bytes(), &longest, too_long),
        (flood.as_bytes(), &flood[..runtime::DEFAULT_MAX_LEN], too_long),
        // Nothing is left to draw.
        (longest.as_bytes(), &longest, &longest),
    ] {
        assert_eq!(board.ask(line), (echo.to_owned(), answer.to_owned()));
    }
}

#[test]
fn keys_work_as_in_a_terminal() {
    let mut board = Board::start();
    // Each form of a line end ends one line.
    board.send(b"ma\r\nka\n");
    for line in ["ma", "ka"] {
        assert_eq!(board.read_to("\r\n").trim_end(), line);
        let name = board.read_to(ANSWER_END);
        assert!(name.starts_with(line), "{name}");
    }
    // The backspace key removes a whole character; other control keys have no effect.
    let (echo, name) = board.ask("\u{7f}k\u{1}é\u{7f}\u{8}ma".as_bytes());
    assert_eq!(echo, "ké\u{8} \u{8}\u{8} \u{8}ma");
    assert!(name.starts_with("ma"), "{name}");
    let (_, any) = board.ask(b"");
    assert!(!any.is_empty() && any.bytes().all(|byte| byte.is_ascii_lowercase()), "{any}");
}

/// The board waits for a host that does not read; only the conversation stops.
#[test]
fn a_host_may_stop_reading_or_close_the_port_at_any_time() {
    let mut board = Board::start();
    board.act(Action::Stop);
    board.send(b"ma\r");
    let before = board.counts();
    board.wait(2_000);
    assert_blinks(before, board.counts());
    board.act(Action::Go);
    board.read_to("ma\r\nma");
    board.read_to(ANSWER_END);
    board.draws();

    // Closed while the board waits for a host that has stopped reading.
    board.act(Action::Stop);
    board.send(b"ma\r");
    board.wait(50);
    board.act(Action::Close);
    board.wait(50);
    board.act(Action::Go);
    board.act(Action::Open);
    board.read_to(GREETING);
    board.draws();

    for milliseconds in [1, 5, 9, 13, 17, 21] {
        board.send(b"ma\r");
        board.wait(milliseconds);
        board.act(Action::Close);
        board.wait(50);
        board.act(Action::Open);
        board.read_to(GREETING);
        board.draws();
    }
}

#[test]
fn the_cable_may_be_pulled_out_at_any_time() {
    let mut board = Board::start();
    for milliseconds in [0, 3, 8, 15] {
        board.send(b"ma\r");
        board.wait(milliseconds);
        board.act(Action::Unplug);
        let before = board.counts();
        board.wait(1_000);
        assert_blinks(before, board.counts());
        board.act(Action::Plug);
        board.read_to(GREETING);
        board.draws();
    }
}
