//! `cargo xtask emulate`: runs the UF2 file of a Pico in an emulator of the whole chip.

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lexopt::prelude::*;

use crate::board::{self, Board};
use crate::emulator;
use crate::firmware;
use crate::payload::Payload;
use crate::pico::{Link, Pico};
use crate::repo::Repo;
use crate::streams;
use crate::subcommand::{self, Subcommand, usage};
use crate::talk::{Keys, Raw};
use crate::uart;
use crate::uf2;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "emulate",
    summary: Some("run the UF2 file of a Pico in an emulator of the whole chip"),
    help: "\
cargo xtask emulate --board pico [BIN] [--model FILE] [--link usb|uart] [--timeout SECONDS]
cargo xtask emulate --uf2 FILE [--link usb|uart] [--timeout SECONDS]
  Makes the UF2 file of a program, by default of the console with the shipped int8 model, or takes
  a finished one, and runs it as a Pico does: boot code, clocks, UART and USB. Your terminal is a
  program on a computer at the USB connector. Ctrl-] ends, or Ctrl-A X.

  --link LINK          connect the terminal to usb [default] or uart
  --timeout SECONDS    with input from a pipe: time limit of an answer [default: 60]

  The emulator is rp2040js, which is independent of this project. `cargo xtask setup` fetches it.
",
    run: |args| run(&Repo::find(), &Options::parse(args)?),
};

/// Name of the board that the emulator has.
const BOARD: &str = "pico";

/// Time between two looks at the keyboard.
const LOOK: Duration = Duration::from_millis(20);

/// The command line.
struct Options {
    board: &'static Board,
    bin: String,
    model: Option<PathBuf>,
    uf2: Option<PathBuf>,
    link: Link,
    timeout: Duration,
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let (mut board, mut bin, mut model, mut uf2) = (None, None, None, None);
        let (mut link, mut timeout) = (Link::Usb, emulator::TIMEOUT);
        while let Some(arg) = args.next()? {
            match arg {
                Long("board") => board = Some(subcommand::board(&mut args)?),
                Long("model") => model = Some(args.value()?.into()),
                Long("uf2") => uf2 = Some(args.value()?.into()),
                Long("link") => link = parse_link(&args.value()?.string()?)?,
                Long("timeout") => timeout = Duration::from_secs(args.value()?.parse()?),
                Value(value) if bin.is_none() => bin = Some(value.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        if uf2.is_some() && (bin.is_some() || model.is_some()) {
            return Err(usage("--uf2 names a finished program: leave out BIN and --model"));
        }
        if board.is_none() && uf2.is_none() {
            return Err(usage("no board is named: add --board pico"));
        }
        let board = board.map_or_else(|| board::find(BOARD), Ok)?;
        if board.name != BOARD {
            return Err(usage(format!("the emulator has only the board {BOARD}, not {}", board.name)));
        }
        let bin = bin.unwrap_or_else(|| firmware::CONSOLE.to_owned());
        Ok(Self { board, bin, model, uf2, link, timeout })
    }
}

fn parse_link(name: &str) -> Result<Link> {
    let links = [Link::Usb, Link::Uart];
    let found = links.into_iter().find(|link| link.name() == name);
    found.ok_or_else(|| usage(format!("--link is `{name}`: it must be usb or uart")))
}

fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    let Options { board, bin, model, uf2: file, link, timeout } = options;
    let file = match file {
        Some(file) => file.clone(),
        None => {
            let payload = Payload { board, bin: bin.clone(), model: model.clone(), slot: None };
            let built = payload.build(repo)?;
            built.runs_alone()?;
            let file = uf2::default_file(repo, &built.name);
            uf2::save_as(board, &built.segments, &file)?;
            file
        }
    };
    ensure!(file.exists(), "cannot read {}: no such file", file.display());
    let mut pico = Pico::start(repo, &file, *timeout)?;
    if io::stdin().is_terminal() {
        return person(&mut pico, *link);
    }
    uart::type_lines(|line| {
        pico.send(*link, line)?;
        pico.read_to_prompt(*link)
    })
}

/// Connects a person's terminal to the board until the person ends it.
fn person(pico: &mut Pico, link: Link) -> Result<ExitCode> {
    eprintln!("Ctrl-] or Ctrl-A X ends; all other keys go to the board, Ctrl-C too.");
    let (sender, typed) = mpsc::channel();
    let _raw = Raw::enter()?;
    thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok(count @ 1..) = io::stdin().read(&mut bytes)
            && sender.send(bytes[..count].to_vec()).is_ok()
        {}
    });
    let mut keys = Keys::default();
    loop {
        let has_ended = match typed.recv_timeout(LOOK) {
            Ok(typed) => {
                let (bytes, has_ended) = keys.take(&typed);
                pico.send(link, &bytes)?;
                has_ended
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        streams::result_bytes(&pico.take(link));
        if has_ended || streams::is_lost() {
            return Ok(ExitCode::SUCCESS);
        }
        if pico.has_ended() {
            bail!("the emulator has ended; its message is above");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let options = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        let some = options(&["--board=pico", "name", "--link", "uart", "--timeout=5"]).unwrap();
        assert_eq!((some.bin.as_str(), some.link, some.timeout), ("name", Link::Uart, Duration::from_secs(5)));
        let file = options(&["--uf2", "a.uf2"]).unwrap();
        assert_eq!((file.bin.as_str(), file.link, file.uf2), ("console", Link::Usb, Some(PathBuf::from("a.uf2"))));
        for wrong in [
            &[][..],
            &["--board=pico2"],
            &["--board=pico", "--link=spi"],
            &["--uf2=a.uf2", "console"],
            &["--board=pico", "one", "two"],
        ] {
            assert!(options(wrong).is_err_and(|error| subcommand::is_usage(&error)), "{wrong:?}");
        }
    }
}
