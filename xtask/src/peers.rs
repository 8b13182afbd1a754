//! `cargo xtask peers`: counts the instructions of other libraries' fully connected layers on RISC-V, next to ours.
//!
//! `xtask/peers` has the program around a library: one layer, and whole characters of wavenet-128. It is compiled with
//! the library's own source files, which are not part of this repository, and runs on the emulator of our board.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lexopt::prelude::*;

use crate::bench::{self, Case, WAVENET, thousands};
use crate::board::{self, Board};
use crate::command::{on_path, run as run_command, show};
use crate::emulator::{self, Emulator};
use crate::repo::Repo;
use crate::setup::qemu;
use crate::subcommand::{Subcommand, usage};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "peers",
    summary: Some("count other libraries' instructions on RISC-V, next to ours"),
    help: "\
cargo xtask peers [--esp-nn FOLDER] [--muriscv-nn FOLDER]

Counts instructions of a layer of 256 -> 128 and of a character of wavenet-128, in int8, on the
emulated RISC-V: those of other libraries, compiled from their source in FOLDER with
riscv64-unknown-elf-gcc, and those of the runtime. docs/trust/record/performance.md has the sources
and the results.
",
    run: |args| run(&Repo::find(), &Options::parse(args)?),
};

/// A library: the option that names its folder, and what is compiled of it.
struct Library {
    option: &'static str,
    name: &'static str,
    /// File in `xtask/peers` that calls the library.
    adapter: &'static str,
    include: &'static [&'static str],
    sources: &'static [&'static str],
}

const LIBRARIES: [Library; 2] = [
    Library {
        option: "esp-nn",
        name: "ESP-NN",
        adapter: "esp_nn.c",
        include: &["src/common"],
        sources: &["src/fully_connected/esp_nn_fully_connected_ansi.c"],
    },
    Library {
        option: "muriscv-nn",
        name: "muRISCV-NN",
        adapter: "muriscv_nn.c",
        include: &["Include", "Include/Internal", "Include/CMSIS/NN/Include"],
        sources: &[
            "Source/FullyConnectedFunctions/muriscv_nn_fully_connected_s8.c",
            "Source/NNSupportFunctions/muriscv_nn_vec_mat_mult_t_s8.c",
        ],
    },
];

/// Compiler's options: those of ESP-NN's own build, and the fastest that we found.
const OPTIMIZATIONS: [&[&str]; 2] = [&["-O2"], &["-O2", "-funroll-loops"]];

const COMPILER: &str = "riscv64-unknown-elf-gcc";
/// The board on which all of them run.
const BOARD: &str = "riscv-virt";
/// Multiply-accumulates of the layer.
const MACS: u64 = 256 * 128;
/// Time limit of a program, which takes less than a second.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Options of the command line: the folder of each library, if it is given.
struct Options([Option<PathBuf>; LIBRARIES.len()]);

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let mut folders = [const { None }; LIBRARIES.len()];
        while let Some(arg) = args.next()? {
            let known = match &arg {
                Long(option) => LIBRARIES.iter().position(|library| library.option == *option),
                _ => None,
            };
            match known {
                Some(at) => folders[at] = Some(PathBuf::from(args.value()?)),
                None => return Err(arg.unexpected().into()),
            }
        }
        if folders.iter().all(Option::is_none) {
            return Err(usage("no library is named: add --esp-nn FOLDER or --muriscv-nn FOLDER"));
        }
        Ok(Self(folders))
    }
}

/// A row of the table.
struct Row {
    name: String,
    layer: u64,
    window: Option<u64>,
    streaming: u64,
}

fn run(repo: &Repo, Options(folders): &Options) -> Result<ExitCode> {
    ensure!(
        on_path(COMPILER).is_some(),
        "there is no {COMPILER}: install it; Debian's packages are gcc-riscv64-unknown-elf and \
         picolibc-riscv64-unknown-elf"
    );
    let board = board::find(BOARD)?;
    let mut rows = vec![ours(repo, board)?];
    for (library, folder) in LIBRARIES.iter().zip(folders) {
        let Some(folder) = folder else { continue };
        for options in OPTIMIZATIONS {
            rows.push(measure(repo, board, library, folder, options)?);
        }
    }
    print!("{}", table(&rows));
    Ok(ExitCode::SUCCESS)
}

/// Counts the runtime's instructions.
fn ours(repo: &Repo, board: &'static Board) -> Result<Row> {
    let case = Case { board, model: WAVENET, precision: "int8", layout: None };
    let row = bench::measure(repo, &case, false)?;
    let layer = row.parts.iter().find(|(name, _)| name == "level_1").context("the program did not report level 1")?.1;
    Ok(Row { name: "ours".to_owned(), layer, window: None, streaming: row.instructions })
}

/// Compiles a library into the program, and runs it.
fn measure(repo: &Repo, board: &Board, library: &Library, folder: &Path, options: &[&str]) -> Result<Row> {
    let own = repo.root().join("xtask/peers");
    let out = repo.root().join("target/peers");
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", repo.short(&out)))?;
    let elf = out.join(format!("{}{}.elf", library.option, options.concat()));
    let mut compiler = Command::new(COMPILER);
    compiler.args(options);
    compiler.args(["-march=rv32imc", "-misa-spec=2.2", "-mabi=ilp32", "-ffreestanding", "-nostartfiles"]);
    compiler.args(["--specs=picolibc.specs", "-Wl,--no-warn-rwx-segments", "-T"]).arg(own.join("link.ld"));
    compiler.arg("-I").arg(&own);
    for include in library.include {
        compiler.arg("-I").arg(folder.join(include));
    }
    compiler.args(["start.S", "network.c", library.adapter].map(|file| own.join(file)));
    compiler.args(library.sources.iter().map(|file| folder.join(file))).arg("-o").arg(&elf);
    run_command(&mut compiler)?;

    let mut emulator = Command::new(qemu::of(board).file(repo));
    emulator.args(board.qemu_uart_args()?).arg("-kernel").arg(&elf);
    eprintln!("$ {}", show(&emulator));
    let child = emulator.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let child = Emulator(child.with_context(|| emulator::cannot_start(board))?);
    let run = emulator::watch(child, TIMEOUT, |_| ControlFlow::Continue(()))?;
    let (_, facts) = emulator::report(&run.lines);
    let number = |key: &str| emulator::number(&facts, key);
    let wrong = number("wrong")?;
    ensure!(wrong == 0, "{wrong} outputs of {} differ by more than one from a plain loop", library.name);
    let name = format!("{}, {}", library.name, options.join(" "));
    Ok(Row { name, layer: number("layer")?, window: Some(number("window")?), streaming: number("streaming")? })
}

/// Returns the table in Markdown.
fn table(rows: &[Row]) -> String {
    let mut text = "| int8 | 256 -> 128 | per MAC | a character, whole window | a character, streaming |\n\
                    |---|---:|---:|---:|---:|\n"
        .to_owned();
    for Row { name, layer, window, streaming } in rows {
        let per_mac = *layer as f64 / MACS as f64;
        let window = window.map_or_else(String::new, thousands);
        text += &format!("| {name} | {} | {per_mac:.2} | {window} | {} |\n", thousands(*layer), thousands(*streaming));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_table() {
        let row = Row { name: "a".to_owned(), layer: MACS * 3, window: None, streaming: 1_234 };
        assert!(table(&[row]).ends_with("| a | 98,304 | 3.00 |  | 1,234 |\n"));
    }

    #[test]
    fn a_folder_is_needed() {
        let parse = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        assert!(parse(&[]).is_err() && parse(&["--cmsis-nn", "a"]).is_err());
        let Options([esp_nn, muriscv_nn]) = parse(&["--muriscv-nn", "a"]).unwrap();
        assert_eq!((esp_nn, muriscv_nn), (None, Some("a".into())));
    }
}
