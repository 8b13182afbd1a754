//! The console: the same conversation on the host and on every emulated board, byte by byte; its handling of slots,
//! faults and Ctrl-C; and its memory and speed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use embedded_io::{ErrorType, Read, ReadReady, Write};
use firmware_example::console::Session;
use firmware_example::console::banner::Slot;
use runtime::format::{AlignedBlob, Layout};
use runtime::write::relayout;
use runtime::{Generator, Model, Sampling, State};
use tests::conversation::{script, transcript};
use tests::{Firmware, NoBoard, assert_expected, assert_section, blob, emulated_here, host_words, workspace};
use xtask::board::{self, Board};
use xtask::call_graph::CallGraph;
use xtask::emulator::report;
use xtask::memory::MemoryMap;
use xtask::repo::Repo;
use xtask::uart::Terminal;

/// Model used on every board.
const MODEL: &str = "names.int8.blob";
/// Limit for the console and the model together: 115 KiB of flash.
const MAX_FLASH_BYTES: u64 = 115 << 10;
/// Time limit of an answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the console program for a board, built once.
fn console(board: &Board) -> Firmware {
    static BUILT: LazyLock<Mutex<BTreeMap<&'static str, Firmware>>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().unwrap();
    let name = board::find(board.name).expect("a board").name;
    built.entry(name).or_insert_with(|| Firmware::build(name, "console", MODEL)).clone()
}

/// Runs a check for all boards that the installed QEMU emulates, in parallel: one program is built while another runs.
fn on_every_board(check: impl Fn(&'static Board) + Sync) {
    thread::scope(|scope| {
        for &board in emulated_here() {
            scope.spawn(|| check(board));
        }
    });
}

/// Writes a file for one test.
fn scratch(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = workspace("target/console");
    fs::create_dir_all(&folder).expect("a folder for scratch files");
    let file = folder.join(name);
    fs::write(&file, bytes).expect("a scratch file");
    file
}

/// Returns the banner's line that begins with a name.
fn fact<'t>(text: &'t str, key: &str) -> &'t str {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(key));
    line.unwrap_or_else(|| panic!("no {key} in {text}")).trim_start_matches(key).trim()
}

/// Returns the numbers in a text.
fn numbers(text: &str) -> Vec<u64> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

fn ask(terminal: &mut Terminal, line: &str) -> String {
    terminal.send(line.as_bytes()).expect("a running emulator");
    read(terminal)
}

fn read(terminal: &mut Terminal) -> String {
    let bytes = terminal.read_to_prompt().unwrap_or_else(|error| panic!("{error:#}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Host as a machine with a terminal.
struct Host<'s> {
    typed: std::slice::Iter<'s, u8>,
    written: Vec<u8>,
}

impl ErrorType for Host<'_> {
    type Error = Infallible;
}

impl ReadReady for Host<'_> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(false)
    }
}

impl Read for Host<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.typed.next().map_or(0, |&byte| {
            bytes[0] = byte;
            1
        }))
    }
}

impl Write for Host<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.written.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Returns the conversation on the host.
fn on_host() -> String {
    talk(&Model::new(blob(MODEL).as_bytes()).expect("a shipped model"), &script().concat())
}

/// Returns the conversation of a model on the host.
fn talk(model: &Model<'_>, typed: &[u8]) -> String {
    let mut host = Host { typed: typed.iter(), written: Vec::new() };
    loop {
        let mut state = State::<1_024>::new();
        Session::new(&mut host, NoBoard, model, &mut state, Slot::Empty).run();
        if host.written.ends_with(b"\n> ") {
            return transcript(&host.written);
        }
    }
}

#[test]
fn the_conversation_is_as_expected() {
    let text = on_host();
    assert_expected("console.txt", &text);
    // The same names as in the other tests.
    let names = host_words(&blob(MODEL), Sampling::default(), 7, "", 20);
    assert!(text.contains(&format!("> \n{}\n> ", names.join("\n"))), "{names:?}");
}

/// The shipped model with a line feed in the place of the z: a model of text.
#[test]
fn a_model_of_text_answers_with_text() {
    let mut bytes = blob(MODEL).as_bytes().to_vec();
    let vocab = b".abcdefghijklmnopqrstuvwxyz";
    let at = bytes.windows(vocab.len()).position(|part| part == vocab).expect("the vocabulary");
    bytes[at + vocab.len() - 1] = b'\n';
    let checksum = runtime::format::checksum(&bytes);
    bytes[16..20].copy_from_slice(&checksum.to_le_bytes());
    let blob = AlignedBlob::from(&bytes[..]);
    let model = Model::new(blob.as_bytes()).expect("only a character has changed");
    let mut state = State::<1_024>::new();
    let mut generator = Generator::new(&model, &mut state, Sampling::default(), 42).expect("a state");
    // 200 characters for a line and the number after `:text`, from one series of random numbers.
    let mut text = |prompt, length| generator.text(prompt).unwrap().take(length).collect::<String>();
    let (line, long) = (text("ma", 200), text("jo", 3_000));
    assert!(line.starts_with("ma") && long.contains('\n'), "{long}");
    let said = talk(&model, b"ma\r:text 3000 jo\r:reset\r");
    let expected = format!("> ma\n{line}\n> :text 3000 jo\n{long}\n> :reset\n");
    assert!(said.contains(&expected), "{said}\n\n{expected}");
}

#[test]
fn boards_answer_as_the_host_does() {
    let expected = on_host();
    on_every_board(|board| {
        let mut terminal = console(board).terminal(None, TIMEOUT);
        let mut text = read(&mut terminal).into_bytes();
        for line in script() {
            terminal.send(line).unwrap();
            text.extend(terminal.read_to_prompt().unwrap_or_else(|error| panic!("{}: {error:#}", board.name)));
        }
        assert_eq!(transcript(&text), expected, "{}", board.name);
    });
}

/// Checks that nothing is lost when all input arrives at once: the UARTs buffer only a few bytes, and drawing names
/// takes a while.
#[test]
fn a_whole_script_can_be_typed_at_once() {
    let expected = on_host();
    on_every_board(|board| {
        // Input with Ctrl-C is left out: it would discard the input typed before it.
        let script: Vec<_> = script().into_iter().filter(|line| !line.contains(&0x03)).collect();
        let expected = expected.replace("> abandoned^C\n", "");
        let mut terminal = console(board).terminal(None, TIMEOUT);
        let mut text = terminal.read_to_prompt().unwrap();
        terminal.send(&script.concat()).unwrap();
        for _ in &script {
            text.extend(terminal.read_to_prompt().unwrap_or_else(|error| panic!("{}: {error:#}", board.name)));
        }
        assert_eq!(transcript(&text), expected, "{}", board.name);
    });
}

#[test]
fn the_banner_tells_the_truth() {
    on_every_board(|board| {
        let firmware = console(board);
        let size = xtask::size::of_file(firmware.elf()).expect("an ELF file");
        let mut terminal = firmware.terminal(None, TIMEOUT);
        let banner = read(&mut terminal);
        println!("{banner}");
        assert!(fact(&banner, "board").starts_with(&format!("{}, {} at ", board.name, board.core)), "{banner}");
        assert!(fact(&banner, "self-test").starts_with("PASS, logits "), "{banner}");
        let [program, model] = numbers(fact(&banner, "flash"))[..] else { panic!("{banner}") };
        // Sections may have gaps between them.
        assert!((size.flash()..size.flash() + 32).contains(&(program + model)), "{banner}{size}");
        assert!(program + model <= MAX_FLASH_BYTES, "{}: {} bytes of flash", board.name, program + model);
        let [static_bytes, state, needed] = numbers(fact(&banner, "RAM"))[..] else { panic!("{banner}") };
        assert!((size.ram()..size.ram() + 8).contains(&static_bytes), "{banner}{size}");
        assert!(needed <= state && state < static_bytes, "{banner}");

        ask(&mut terminal, "\r");
        ask(&mut terminal, ":score emma\r");
        let bench = ask(&mut terminal, ":bench\r");
        let instructions = numbers(&bench)[0];
        // The program `generate` takes as many instructions, to within one per cent.
        let run = Firmware::build(board.name, "generate", MODEL).run(&["n=16"]);
        let reported: u64 = report(&run.lines).1["instructions_per_char"].parse().expect("a number");
        assert!(instructions.abs_diff(reported) <= reported / 100, "{}: {bench}, {reported}", board.name);
        let info = ask(&mut terminal, ":info\r");
        let [used, have] = numbers(fact(&info, "stack"))[..] else { panic!("{info}") };
        let ram = MemoryMap::read(&Repo::find(), board).expect("a memory map").ram();
        assert_eq!(static_bytes + have, ram.end - ram.start, "{info}");
        println!("{}: flash {} + {model}, RAM {static_bytes} + stack {used} of {have}", board.name, program);
        // The stack has at least twice the space that it uses.
        assert!(2 * used <= have, "{}: {info}", board.name);
    });
}

#[test]
fn ctrl_c_stops_between_two_names() {
    on_every_board(|board| {
        let mut terminal = console(board).terminal(None, TIMEOUT);
        read(&mut terminal);
        ask(&mut terminal, ":n 9999\r");
        terminal.send(b"ma\r").unwrap();
        terminal.read_to(b"ma\r\nma").unwrap();
        // Ctrl-C discards the input before it.
        let stopped = ask(&mut terminal, "jo\r\x03");
        assert!(stopped.ends_with("\r\n^C\r\n> "), "{}: {stopped}", board.name);
        assert!(stopped.lines().count() < 5_000, "{}", board.name);
        assert!(!stopped.contains("jo\r"), "{}: {stopped}", board.name);
        assert!(ask(&mut terminal, ":n 1\r").contains(", n 1\r\n"), "{}", board.name);
    });
}

#[test]
fn ctrl_c_stops_a_text() {
    on_every_board(|board| {
        let mut terminal = console(board).terminal(None, TIMEOUT);
        read(&mut terminal);
        terminal.send(b":text 4294967295 ma\r").unwrap();
        terminal.read_to(b" ma\r\nma").unwrap();
        let stopped = ask(&mut terminal, "\x03");
        assert!(stopped.ends_with("^C\r\n> "), "{}: {stopped}", board.name);
        assert!(ask(&mut terminal, ":n 1\r").contains(", n 1\r\n"), "{}", board.name);
    });
}

#[test]
fn panics_and_faults_say_where_and_restart() {
    for name in ["microbit", "mps3-an547", "riscv-virt"] {
        let firmware = Firmware::build_with_features(name, "console", MODEL, &["faults"]);
        let mut terminal = firmware.terminal(None, TIMEOUT);
        let banner = read(&mut terminal);
        let panic = ask(&mut terminal, ":panic\r");
        assert!(panic.starts_with(":panic\r\n\r\npanic at firmware-example/src/console.rs:"), "{name}: {panic}");
        assert!(panic.ends_with(&format!("; reset\r\n{banner}")), "{name}: {panic}");
        let fault = ask(&mut terminal, ":fault\r");
        assert!(fault.starts_with(":fault\r\n\r\nhard fault at "), "{name}: {fault}");
        assert!(fault.ends_with(&format!("; reset\r\n{banner}")), "{name}: {fault}");
        assert!(ask(&mut terminal, ":n 1\r").contains(", n 1\r\n"));
    }
    // The program that is flashed does not have these commands.
    let mut terminal = console(board::find("microbit").unwrap()).terminal(None, TIMEOUT);
    read(&mut terminal);
    assert!(ask(&mut terminal, ":panic\r").contains("unknown command :panic"));
}

/// Semihosting without a debugger would hang the board at the first call.
#[test]
fn there_is_no_semihosting_in_it() {
    for board in board::emulated().chain(board::emulated_by_newer()) {
        let program = CallGraph::of_elf(&fs::read(console(board).elf()).unwrap()).unwrap();
        let callers: Vec<_> = program.callers_of_debugger().collect();
        assert!(callers.is_empty(), "{}: {callers:?}", board.name);
    }
}

/// Returns the banner and a few names with a file in the slot.
fn with_slot(board: &Board, name: &str, bytes: &[u8]) -> (String, String) {
    let file = scratch(&format!("{}-{name}.blob", board.name), bytes);
    let mut terminal = console(board).terminal(Some(&file), TIMEOUT);
    (read(&mut terminal), ask(&mut terminal, "\r"))
}

#[test]
fn a_model_in_the_slot_takes_the_place_of_the_built_in_one() {
    let tiny = blob("tiny.int8.blob");
    let names = host_words(&tiny, Sampling::default(), 42, "", 5).join("\r\n");
    on_every_board(|board| {
        let model = Model::new(tiny.as_bytes()).unwrap();
        let (banner, text) = with_slot(board, "tiny", &relayout(&model, board.layout()).unwrap());
        assert_eq!(fact(&banner, "model"), "tiny, int8, in the slot", "{}", board.name);
        assert_eq!((fact(&banner, "layout"), fact(&banner, "slot")), (board.layout().name(), "used"));
        assert!(fact(&banner, "self-test").starts_with("PASS"), "{banner}");
        assert_eq!(text, format!("\r\n{names}\r\n> "), "{}", board.name);
    });
}

#[test]
fn a_slot_that_cannot_be_used_is_refused_with_a_reason() {
    let board = board::find("microbit").unwrap();
    let tiny = blob("tiny.int8.blob");
    let model = Model::new(tiny.as_bytes()).unwrap();
    let room = MemoryMap::read(&Repo::find(), board).unwrap().region("SLOT").unwrap();
    let room = (room.end - room.start) as usize;
    let mut damaged = tiny.as_bytes().to_vec();
    damaged[1_000] ^= 0x10;
    let mut too_long = tiny.as_bytes().to_vec();
    too_long[8..12].copy_from_slice(&300_000_u32.to_le_bytes());
    let mut later = tiny.as_bytes().to_vec();
    later[4] = 9;
    let unread = "refused: unsupported precision or layout; this program reads int8 lanes16";
    let (f32, int4) = (blob("tiny.blob"), blob("tiny.int4.blob"));
    let cases: [(&str, &[u8], &str); 10] = [
        ("zeros", &vec![0; room], "empty"),
        ("ones", &vec![0xff; room], "empty"),
        ("text", b"hello, world, this is not a model", "refused: not a model blob"),
        ("damaged", &damaged, "refused: damaged, checksum "),
        ("long", &too_long, &format!("refused: 300000 bytes, the slot has {room}")),
        ("later", &later, "refused: format version 9, this program reads 2"),
        ("f32", f32.as_bytes(), unread),
        ("int4", int4.as_bytes(), unread),
        ("row-major", tiny.as_bytes(), unread),
        ("dual16", &relayout(&model, Layout::Dual16).unwrap(), unread),
    ];
    let names = host_words(&blob(MODEL), Sampling::default(), 42, "", 5).join("\r\n");
    let mut table = "| in the slot | line of the console | running model |\n|---|---|---|\n".to_owned();
    for (name, bytes, slot) in cases {
        let (banner, text) = with_slot(board, name, bytes);
        table += &format!("| {name} | `slot {}` | `{}` |\n", fact(&banner, "slot"), fact(&banner, "model"));
        assert!(fact(&banner, "slot").starts_with(slot), "{name}: {banner}");
        assert!(fact(&banner, "model").ends_with("int8, built in"), "{name}: {banner}");
        assert!(fact(&banner, "self-test").starts_with("PASS"), "{name}: {banner}");
        assert_eq!(text, format!("\r\n{names}\r\n> "), "{name}");
    }
    assert_section("docs/trust/record/reliability.md", "slot", &table);
}

/// The build reports it, with numbers, before the linker does.
#[test]
fn a_model_that_does_not_fit_is_refused_when_it_is_built() {
    let (repo, board) = (Repo::find(), board::find("microbit").unwrap());
    let model = workspace("models/names.blob").canonicalize().unwrap();
    let mut cargo = board.cargo(&repo);
    cargo.args(["check", "--package", "firmware-example", "--bin", "console", "--target", board.target]);
    cargo.args(["--no-default-features", "--features", "microbit,f32"]).env("MODEL", &model);
    let output = cargo.output().expect("cargo");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{message}");
    let expected = [
        "the model does not fit: ".to_owned(),
        format!("takes {} bytes of flash", fs::metadata(&model).unwrap().len()),
        format!("the board has {}", 128 << 10),
    ];
    assert!(expected.iter().all(|part| message.contains(part)), "{message}");
}
