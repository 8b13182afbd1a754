//! The console of a Raspberry Pi Pico in rp2040js, an emulator of the RP2040 that others made. It runs the UF2 file
//! that a person copies onto the board, with a wire on the UART and a computer on the USB connector.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use runtime::Sampling;
use tests::{Firmware, assert_section, blob, host_words, uf2_for_pico};
use xtask::budget::Budget;
use xtask::firmware;
use xtask::pico::{Action, Link, Pico};
use xtask::repo::Repo;
use xtask::size;

/// Model in the console.
const MODEL: &str = "names.int8.blob";
/// Time limit of an answer, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The console's program.
static CONSOLE: LazyLock<Firmware> = LazyLock::new(|| Firmware::build("pico", "console", MODEL));

/// The UF2 file of the console.
static UF2: LazyLock<PathBuf> = LazyLock::new(|| uf2_for_pico(CONSOLE.elf()));

/// Starts the board.
fn start() -> Pico {
    Pico::start(&Repo::find(), &UF2, TIMEOUT).unwrap_or_else(|error| panic!("{error:#}"))
}

/// Returns everything up to the next prompt.
fn read(pico: &mut Pico, link: Link) -> String {
    let bytes = pico.read_to_prompt(link).unwrap_or_else(|error| panic!("{error:#}"));
    String::from_utf8(bytes).expect("text")
}

/// Types a line and returns everything up to the next prompt.
fn ask(pico: &mut Pico, link: Link, line: &str) -> String {
    pico.send(link, line.as_bytes()).expect("a running emulator");
    read(pico, link)
}

/// Returns the console's answer to an empty line: the next names of a host.
fn names(seed: u64, count: usize) -> String {
    host_words(&blob(MODEL), Sampling::default(), seed, "", count).join("\r\n")
}

/// Runs the emulated chip for a time.
fn wait(pico: &mut Pico, time: Duration) {
    pico.wait(time).unwrap_or_else(|error| panic!("{error:#}"));
}

fn act(pico: &mut Pico, action: Action) {
    pico.act(action).expect("a running emulator");
}

#[test]
fn both_links_hold_the_whole_conversation() {
    let expected = std::fs::read_to_string(tests::workspace("tests/expected/console.txt")).expect("the transcript");
    for link in [Link::Usb, Link::Uart] {
        let mut pico = start();
        let mut text = read(&mut pico, link).into_bytes();
        for line in tests::conversation::script() {
            pico.send(link, line).expect("a running emulator");
            text.extend(pico.read_to_prompt(link).unwrap_or_else(|error| panic!("{error:#}")));
        }
        assert_eq!(tests::conversation::transcript(&text), expected, "{}", link.name());
    }
}

/// The other link has the same output, and a line typed there is answered there.
#[test]
fn both_links_have_all_output() {
    let mut pico = start();
    assert_eq!(read(&mut pico, Link::Usb), read(&mut pico, Link::Uart));
    for link in [Link::Uart, Link::Usb, Link::Uart] {
        let answer = ask(&mut pico, link, ":seed 7\r\r");
        let names = read(&mut pico, link);
        assert_eq!(names, format!("\r\n{}\r\n> ", self::names(7, 5)));
        let other = if link == Link::Usb { Link::Uart } else { Link::Usb };
        assert_eq!((read(&mut pico, other), read(&mut pico, other)), (answer, names));
    }
}

#[test]
fn a_long_paste_over_usb_loses_nothing() {
    let mut pico = start();
    read(&mut pico, Link::Usb);
    ask(&mut pico, Link::Usb, ":n 1\r");
    let count = 300;
    let paste = ":score emma\r".repeat(count);
    pico.send(Link::Usb, paste.as_bytes()).expect("a running emulator");
    let answers: Vec<String> = (0..count).map(|_| read(&mut pico, Link::Usb)).collect();
    assert!(answers[0].starts_with(":score emma\r\nnll "), "{}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[test]
fn an_unplugged_cable_hangs_and_loses_nothing() {
    let mut pico = start();
    read(&mut pico, Link::Usb);
    pico.wait_for("configured").expect("a computer that knows the port");
    pico.send(Link::Usb, b":seed 42\r:n 100\r\r").expect("a running emulator");
    let mut text = pico.read_to(Link::Usb, b"leightyn\r\n").expect("a name");
    act(&mut pico, Action::Unplug);
    // The console goes on while no one reads. Somebody at the UART can use it.
    wait(&mut pico, Duration::from_millis(100));
    let uart = pico.read_to(Link::Uart, b", n 100\r\n> ").expect("the settings");
    assert!(!uart.is_empty());
    act(&mut pico, Action::Plug);
    pico.wait_for("configured").expect("a computer that knows the port again");
    read(&mut pico, Link::Uart);
    assert!(ask(&mut pico, Link::Uart, ":n 2\r").ends_with(", n 2\r\n> "));
    // The last output, up to a kilobyte, waited for the computer.
    text.extend(pico.read_to(Link::Usb, b", n 2\r\n> ").expect("the answer to the UART"));
    let text = String::from_utf8_lossy(&text);
    let all = names(42, 100);
    let last = all.lines().rev().take(50).collect::<Vec<_>>();
    assert!(last.iter().all(|name| text.contains(&format!("{name}\r\n"))), "{text}");
}

#[test]
fn a_terminal_that_opens_late_sees_the_banner() {
    let mut pico = start();
    act(&mut pico, Action::Close);
    let banner = read(&mut pico, Link::Uart);
    wait(&mut pico, Duration::from_secs(1));
    assert_eq!(pico.take(Link::Usb), b"");
    act(&mut pico, Action::Open);
    assert_eq!(read(&mut pico, Link::Usb), banner);
    assert_eq!(ask(&mut pico, Link::Usb, ":n 3\r"), ":n 3\r\nseed 42, temp 1.000, topk all, n 3\r\n> ");
}

/// Output waits for the computer that typed the line, and the conversation goes on where it stopped.
#[test]
fn a_computer_that_stops_reading_for_ten_seconds_loses_nothing() {
    let mut pico = start();
    read(&mut pico, Link::Usb);
    ask(&mut pico, Link::Usb, ":n 400\r");
    act(&mut pico, Action::Stop);
    pico.send(Link::Usb, b"\r").expect("a running emulator");
    wait(&mut pico, Duration::from_secs(10));
    assert_eq!(pico.take(Link::Usb), b"");
    act(&mut pico, Action::Go);
    assert_eq!(read(&mut pico, Link::Usb), format!("\r\n{}\r\n> ", names(42, 400)));
}

#[test]
fn somebody_at_the_uart_need_not_wait_for_a_computer_that_stopped() {
    let mut pico = start();
    read(&mut pico, Link::Usb);
    read(&mut pico, Link::Uart);
    ask(&mut pico, Link::Usb, ":n 400\r");
    read(&mut pico, Link::Uart);
    act(&mut pico, Action::Stop);
    pico.send(Link::Usb, b"\r").expect("a running emulator");
    wait(&mut pico, Duration::from_secs(2));
    // The buffer for the computer is full, and the console waits. A key at the UART frees it.
    pico.send(Link::Uart, b"\x03").expect("a running emulator");
    pico.read_to(Link::Uart, b"^C\r\n> ").expect("a console that does not wait");
    assert!(ask(&mut pico, Link::Uart, ":n 1\r").contains(", n 1\r\n"));
}

#[test]
fn a_reset_restarts_the_port() {
    let mut pico = start();
    let banner = read(&mut pico, Link::Usb);
    let answer = ask(&mut pico, Link::Usb, ":reset\r");
    assert_eq!(answer, format!(":reset\r\nreset\r\n{banner}"));
}

#[test]
fn the_console_fits_its_memory() {
    let size = size::of_file(CONSOLE.elf()).expect("an ELF file");
    println!("pico, console with USB: {} bytes of flash, {} bytes of static RAM", size.flash(), size.ram());
    let mut pico = start();
    read(&mut pico, Link::Usb);
    ask(&mut pico, Link::Usb, "\r");
    ask(&mut pico, Link::Usb, ":score emma\r");
    let info = ask(&mut pico, Link::Usb, ":info\r");
    let stack = info.lines().find_map(|line| line.strip_prefix("stack")).expect("the stack");
    let used: u64 = stack.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number");
    println!("pico, console with USB: {used} bytes of stack");
    let budget = Budget::read(&Repo::find()).expect("the budget");
    let most = budget.most(firmware::CONSOLE, "pico", "int8", "memory_bytes").expect("a budget");
    assert!(size.ram() + used <= most, "{} + {used}, the budget is {most}", size.ram());
}

/// Compares the cycles that another emulator counts with our table's estimate.
#[test]
fn cycles_are_recorded() {
    let mut pico = start();
    read(&mut pico, Link::Usb);
    let bench = ask(&mut pico, Link::Usb, ":bench\r");
    println!("{bench}");
    let cycles: u64 = bench.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number");
    let table = format!(
        "| emulator | program | cycles per character |\n|---|---|---:|\n| rp2040js 1.4.1, Cortex-M0+ | the console's UF2 \
         file, `:bench` | {} |\n",
        tests::thousands(cycles)
    );
    assert_section("docs/trust/record/performance.md", "pico", &table);
}
