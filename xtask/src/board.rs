//! The boards that firmware is built for: the rows of `firmware-example/boards.toml`. Set-up, runners, tests, sizes and
//! the help texts read this list.

use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, Result};
use runtime::format::{Core, Layout};

use crate::repo::Repo;

// The firmware's build script compiles the same file.
#[path = "../../firmware-example/build/boards.rs"]
mod table;

pub use table::{Board, FLASHERS, STOPWATCHES, version};

/// All boards, the default first.
pub static BOARDS: LazyLock<Vec<Board>> = LazyLock::new(|| {
    let table = include_str!("../../firmware-example/boards.toml");
    table::read(table).unwrap_or_else(|error| panic!("firmware-example/boards.toml: {error}"))
});

/// Advances virtual time by 2^6 ns per instruction, independent of the host's time.
const ICOUNT: &str = "shift=6,align=off,sleep=off";

/// Programs that measure models of any size: they reserve no flash for a second model.
pub const MEASURING: [&str; 2] = ["bench", "anomaly"];

/// Bytes of flash with which programs are measured on the emulated Cortex-M0 if their model has tables. Real chips with
/// that core have too little flash, and those with a Cortex-M0+ and enough of it are not emulated.
pub const LARGE_FLASH: u64 = 2 << 20;

/// Returns the default board.
pub fn default() -> &'static Board {
    &BOARDS[0]
}

/// Returns the board of this name.
pub fn find(name: &str) -> Result<&'static Board> {
    let board = BOARDS.iter().find(|board| board.name == name);
    board.with_context(|| format!("no board `{name}`: choose one of {}", names(BOARDS.iter())))
}

/// Returns the boards that every supported QEMU emulates: tests can rely on them.
pub fn emulated() -> impl Iterator<Item = &'static Board> {
    BOARDS.iter().filter(|board| board.machine.is_some() && board.machine_since.is_none())
}

/// Returns the boards that only newer versions of QEMU emulate. [`crate::setup::qemu::lacks`] tells whether the
/// installed one does.
pub fn emulated_by_newer() -> impl Iterator<Item = &'static Board> {
    BOARDS.iter().filter(|board| board.machine.is_some() && board.machine_since.is_some())
}

/// Returns the boards that `cargo xtask flash` writes to.
pub fn flashable() -> impl Iterator<Item = &'static Board> {
    BOARDS.iter().filter(|board| board.flasher.is_some())
}

/// Returns the boards whose boot ROM accepts UF2 files.
pub fn with_uf2() -> impl Iterator<Item = &'static Board> {
    BOARDS.iter().filter(|board| board.uf2_family.is_some())
}

/// Returns the boards whose USB drive accepts Intel HEX files.
pub fn with_hex() -> impl Iterator<Item = &'static Board> {
    BOARDS.iter().filter(|board| board.drive.is_some() && board.uf2_family.is_none())
}

/// Returns the names of boards, with commas between them.
pub fn names(boards: impl Iterator<Item = &'static Board>) -> String {
    boards.map(|board| board.name).collect::<Vec<_>>().join(", ")
}

/// Returns [`names`] wrapped for a help text. The first line begins at column `indent`, every other line is indented by
/// `indent`, and lines have at most `width` characters. The last line has no line end.
pub fn wrapped_names(boards: impl Iterator<Item = &'static Board>, indent: usize, width: usize) -> String {
    let (mut text, mut column) = (String::new(), indent);
    let mut boards = boards.peekable();
    while let Some(board) = boards.next() {
        let name = if boards.peek().is_some() { format!("{},", board.name) } else { board.name.to_owned() };
        if column > indent && column + 1 + name.len() > width {
            text += &format!("\n{:indent$}", "");
            column = indent;
        } else if column > indent {
            text.push(' ');
            column += 1;
        }
        text += &name;
        column += name.len();
    }
    text
}

/// Returns the first emulated board of every core, for checks where only the core matters.
pub fn one_of_each_core() -> impl Iterator<Item = &'static Board> {
    emulated().filter(|board| emulated().find(|other| other.core == board.core) == Some(board))
}

/// Returns the targets of the boards, without repetition.
pub fn targets() -> Vec<&'static str> {
    let mut targets = Vec::new();
    for board in BOARDS.iter() {
        if !targets.contains(&board.target) {
            targets.push(board.target);
        }
    }
    targets
}

impl Board {
    /// Returns Cargo in the firmware's folder, with the compiler flags for this board's core.
    pub fn cargo(&self, repo: &Repo) -> Command {
        repo.target_cargo(self.cpu.map(|cpu| format!("-Ctarget-cpu={cpu}")))
    }

    /// Returns the fastest integer layout on this core, which the board's feature enables.
    pub fn layout(&self) -> Layout {
        self.built_for().layout()
    }

    /// Returns whether the core is a RISC-V, and not an Arm.
    pub fn is_riscv(&self) -> bool {
        self.target.starts_with("riscv")
    }

    /// Returns whether the core computes single precision in hardware.
    pub fn has_fpu(&self) -> bool {
        self.built_for().has_fpu()
    }

    /// Returns the core that programs are built for: the smallest core with the board's target and `target-cpu`.
    fn built_for(&self) -> Core {
        Core::of_target(self.target, self.cpu).expect("a test finds the core of every board")
    }

    /// Returns QEMU's command line without the program.
    ///
    /// The console is semihosting, only on stdout. `-icount` advances virtual time by 2^6 ns for each instruction:
    /// SysTick then counts instructions, the same number in every run.
    ///
    /// # Errors
    /// Returns an error if QEMU does not have the board.
    pub fn qemu_args(&self) -> Result<Vec<&'static str>> {
        let mut args = self.qemu_machine()?;
        args.extend(["-serial", "none", "-icount", ICOUNT, "-semihosting-config", "enable=on,target=native"]);
        Ok(args)
    }

    /// Returns QEMU's command line for a program whose console is the UART, connected to stdin and stdout. There is no
    /// semihosting.
    ///
    /// Ctrl-A X ends the emulator; Ctrl-C goes to the program.
    ///
    /// # Errors
    /// Returns an error if QEMU does not have the board.
    pub fn qemu_uart_args(&self) -> Result<Vec<&'static str>> {
        let mut args = self.qemu_machine()?;
        args.extend(["-serial", "mon:stdio", "-icount", ICOUNT]);
        Ok(args)
    }

    /// Returns QEMU's name for the board.
    ///
    /// # Errors
    /// Returns an error if no version of QEMU has the board.
    pub fn qemu_name(&self) -> Result<&'static str> {
        let others = || names(emulated());
        self.machine.with_context(|| format!("QEMU does not emulate {}: choose one of {}", self.name, others()))
    }

    fn qemu_machine(&self) -> Result<Vec<&'static str>> {
        let mut args = vec!["-machine", self.qemu_name()?, "-nographic", "-monitor", "none"];
        if self.is_riscv() {
            // Without it, QEMU would start firmware of its own before the program.
            args.extend(["-bios", "none"]);
        }
        Ok(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_found_by_name() {
        assert_eq!(find("microbit").unwrap().target, "thumbv6m-none-eabi");
        let error = find("microbot").unwrap_err().to_string();
        assert!(error.starts_with("no board `microbot`: choose one of mps2-an386, mps2-an385, microbit, "), "{error}");
    }

    #[test]
    fn a_core_is_named_to_the_compiler() {
        let flags = |board: &str| {
            let cargo = find(board).unwrap().cargo(&Repo::find());
            let mut flags = cargo.get_envs().filter(|(name, _)| name.to_string_lossy().ends_with("RUSTFLAGS"));
            flags.next().and_then(|(_, value)| value).map(|value| value.to_string_lossy().into_owned())
        };
        assert!(flags("mps3-an547").unwrap().contains("-Ctarget-cpu=cortex-m55"));
        assert!(!flags("mps2-an500").unwrap().contains("-Ctarget-cpu"));
    }

    /// A row with only the required keys.
    const ROW: &str = "[[board]]\nname = 'a'\ncore = 'Cortex-M3'\ntarget = 't'\nclock_hz = 8_000_000\ncode = 'a'\n\
                       stopwatch = 'systick'\n";

    #[test]
    fn errors_name_board_and_field() {
        let board = &table::read(ROW).unwrap()[0];
        assert_eq!((board.name, board.clock_hz, board.uart, board.machine), ("a", 8_000_000, None, None));
        for (from, to, expected) in [
            ("core = 'Cortex-M3'\n", "", "board `a`: `core` is missing"),
            ("'Cortex-M3'", "3", "board `a`: `core` must be a text"),
            ("8_000_000", "'8 MHz'", "board `a`: `clock_hz` must be a number from 0 to 0xffff_ffff"),
            ("8_000_000", "-1", "board `a`: `clock_hz` must be a number from 0 to 0xffff_ffff"),
            (
                "'systick'",
                "'hourglass'",
                "board `a`: `stopwatch` must be one of systick, cycles, either, mcycle, mpccr",
            ),
            ("target", "traget", "board `a`: `target` is missing"),
            ("code = 'a'\n", "code = 'a'\nuarts = 1\n", "board `a`: `uarts` is unknown"),
            ("name = 'a'\n", "", "board 1: `name` is missing"),
            ("core =", "flasher = 'uf2'\ncore =", "board `a`: `flasher` needs a `chip`"),
            ("core =", "machine_since = '9.1'\ncore =", "board `a`: `machine_since` needs a `machine`"),
            (
                "core =",
                "machine = 'm'\nmachine_since = '9'\ncore =",
                "board `a`: `machine_since` must be a version such as \"9.1\"",
            ),
            (
                "core =",
                "chip = 'c'\nflasher = 'dfu'\ncore =",
                "board `a`: `flasher` must be one of probe-rs, espflash, uf2",
            ),
            ("[[board]]", "[[boards]]", "it must hold tables `[[board]]` and nothing else"),
        ] {
            assert_eq!(table::read(&ROW.replace(from, to)).unwrap_err(), expected);
        }
        assert_eq!(table::read(&ROW.repeat(2)).unwrap_err(), "board `a`: there are two of this name");
        assert!(table::read("[[board]").unwrap_err().contains("line 1"));
    }

    #[test]
    fn versions_are_read() {
        for (text, expected) in [
            ("9.1", Some((9, 1))),
            ("7.2.22", Some((7, 2))),
            ("10.0.0-rc1", Some((10, 0))),
            ("9", None),
            ("nine.one", None),
            ("", None),
        ] {
            assert_eq!(version(text), expected, "{text:?}");
        }
        let row = ROW.replace("core =", "machine = 'm'\nmachine_since = '9.1'\ncore =");
        assert_eq!(table::read(&row).unwrap()[0].machine_since, Some((9, 1)));
    }

    #[test]
    fn names_are_wrapped() {
        let rows = ["mps2-an386", "mps2-an385", "microbit", "pico", "lm3s6965evb"];
        let rows: String = rows.iter().map(|name| ROW.replace("name = 'a'", &format!("name = '{name}'"))).collect();
        let boards: &'static [Board] = table::read(&rows).unwrap().leak();
        let expected = "mps2-an386, mps2-an385, microbit,\n    pico, lm3s6965evb";
        assert_eq!(wrapped_names(boards.iter(), 4, 37), expected);
        assert_eq!(wrapped_names(boards.iter(), 4, 36), "mps2-an386, mps2-an385,\n    microbit, pico, lm3s6965evb");
        assert_eq!(wrapped_names(boards.iter(), 0, 120), names(boards.iter()));
        assert_eq!(wrapped_names(boards[..1].iter(), 23, 10), "mps2-an386");
    }

    #[test]
    fn boards_are_chosen_by_what_takes_them() {
        assert!(names(emulated()).starts_with("mps2-an386, mps2-an385, microbit, "));
        assert_eq!(names(emulated_by_newer()), "b-l475e-iot01a");
        assert!(emulated().all(|board| emulated_by_newer().all(|newer| newer != board)));
        assert_eq!(names(with_uf2()), "pico, pico2, pico2-riscv");
        assert_eq!(names(with_hex()), "microbit, microbit-v2");
        assert!(with_uf2().all(|board| board.drive.is_some()), "`flash` finds a board with UF2 files by its drive");
        assert!(flashable().all(|board| board.chip.is_some()) && with_uf2().all(|board| board.chip.is_some()));
    }

    #[test]
    fn each_core_once() {
        let boards: Vec<_> = one_of_each_core().map(|board| board.name).collect();
        assert_eq!(
            boards,
            ["mps2-an386", "mps2-an385", "microbit", "mps2-an500", "mps2-an505", "mps3-an547", "riscv-virt"]
        );
    }

    /// Checks that `firmware-example` and the documentation have what each board needs in addition to its row.
    #[test]
    fn every_board_has_its_files() {
        let firmware = Repo::find().firmware();
        let manifest = std::fs::read_to_string(firmware.join("Cargo.toml")).unwrap();
        let modules = std::fs::read_to_string(firmware.join("src/board.rs")).unwrap();
        let pages = std::fs::read_to_string(Repo::find().root().join("docs/use/boards/README.md")).unwrap();
        for board @ Board { name, core, target, code, .. } in BOARDS.iter() {
            assert!(firmware.join(format!("memory/{name}.x")).exists(), "firmware-example/memory/{name}.x is missing");
            let layout = board.layout().name();
            assert!(
                manifest.contains(&format!("\n{name} = [\"{layout}\"")),
                "firmware-example/Cargo.toml has no feature {name} with {layout}"
            );
            let row = pages.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{name}`")));
            assert!(
                row.is_some_and(|row| row.contains(core)),
                "docs/use/boards/README.md has no row for {name}, {core}"
            );
            let module = format!("#[cfg_attr(board_code = \"{code}\", path = \"board/{code}.rs\")]");
            assert!(modules.contains(&module), "{name}: src/board.rs has no line {module}");
            assert!(
                firmware.join(format!("src/board/{code}.rs")).exists(),
                "src/board/{code}.rs is missing, for {name}"
            );
            assert_eq!(board.has_fpu(), target.ends_with("eabihf"), "target and core of {name} disagree about the FPU");
        }
        assert!(manifest.contains(&format!("\ndefault = [\"{}\"", default().name)));
    }
}
