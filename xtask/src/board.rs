//! The boards that firmware is built for. A row here, and in `firmware-example` a feature, a memory map and a few lines
//! of code: set-up, runners, tests and sizes follow.

use std::env;
use std::process::Command;

use anyhow::{Context, Result};
use runtime::format::{Core, Layout};

use crate::repo::Repo;

/// A board, as Cargo and QEMU know it.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// Its feature of `firmware-example`, and its memory map: `firmware-example/memory/<name>.x`.
    pub name: &'static str,
    /// The processor.
    pub core: &'static str,
    /// What the compiler calls its architecture.
    pub target: &'static str,
    /// The compiler's `target-cpu`, where the core has instructions that the architecture leaves open: they choose the
    /// kernels, too.
    pub cpu: Option<&'static str>,
    /// What QEMU calls the board; `None` for one that QEMU does not have.
    pub machine: Option<&'static str>,
    /// What probe-rs calls the chip; `None` where the board is an FPGA, or nobody has it: only its emulator is of use.
    pub chip: Option<&'static str>,
}

/// The boards, the default first.
#[rustfmt::skip]
pub const BOARDS: &[Board] = &[
    Board { name: "mps2-an386", core: "Cortex-M4F", target: "thumbv7em-none-eabihf", cpu: None, machine: Some("mps2-an386"), chip: None },
    Board { name: "mps2-an385", core: "Cortex-M3", target: "thumbv7m-none-eabi", cpu: None, machine: Some("mps2-an385"), chip: None },
    Board { name: "microbit", core: "Cortex-M0", target: "thumbv6m-none-eabi", cpu: None, machine: Some("microbit"), chip: Some("nRF51822_xxAA") },
    // No `target-cpu`: the same code as for Cortex-M4F.
    Board { name: "mps2-an500", core: "Cortex-M7", target: "thumbv7em-none-eabihf", cpu: None, machine: Some("mps2-an500"), chip: None },
    // The DSP instructions.
    Board { name: "mps2-an505", core: "Cortex-M33", target: V8M, cpu: Some("cortex-m33"), machine: Some("mps2-an505"), chip: None },
    // The vector extension (MVE, "Helium").
    Board { name: "mps3-an547", core: "Cortex-M55", target: V8M, cpu: Some("cortex-m55"), machine: Some("mps3-an547"), chip: None },
    Board { name: "netduinoplus2", core: "Cortex-M4F", target: "thumbv7em-none-eabihf", cpu: None, machine: Some("netduinoplus2"), chip: Some("STM32F405RGTx") },
    Board { name: "lm3s6965evb", core: "Cortex-M3", target: "thumbv7m-none-eabi", cpu: None, machine: Some("lm3s6965evb"), chip: None },
    Board { name: "pico", core: "Cortex-M0+", target: "thumbv6m-none-eabi", cpu: None, machine: None, chip: Some("RP2040") },
    Board { name: "pico2", core: "Cortex-M33", target: V8M, cpu: Some("cortex-m33"), machine: None, chip: Some("RP235x") },
    Board { name: "microbit-v2", core: "Cortex-M4F", target: "thumbv7em-none-eabihf", cpu: None, machine: None, chip: Some("nRF52833_xxAA") },
    Board { name: "nrf52840-dk", core: "Cortex-M4F", target: "thumbv7em-none-eabihf", cpu: None, machine: None, chip: Some("nRF52840_xxAA") },
];

/// 2^6 ns of virtual time for each instruction, and never in step with that of the host.
const ICOUNT: &str = "shift=6,align=off,sleep=off";

const V8M: &str = "thumbv8m.main-none-eabihf";

/// The board where none is named.
pub fn default() -> &'static Board {
    &BOARDS[0]
}

/// The board of this name.
pub fn find(name: &str) -> Result<&'static Board> {
    BOARDS.iter().find(|board| board.name == name).with_context(|| {
        let names: Vec<_> = BOARDS.iter().map(|board| board.name).collect();
        format!("no board `{name}`; there are {}", names.join(", "))
    })
}

/// The boards that QEMU plays.
pub fn emulated() -> impl Iterator<Item = &'static Board> {
    BOARDS.iter().filter(|board| board.machine.is_some())
}

/// An emulated board for every core, the first that has it: where only the core matters.
pub fn one_of_each_core() -> impl Iterator<Item = &'static Board> {
    emulated().filter(|board| emulated().find(|other| other.core == board.core) == Some(board))
}

/// The targets of the boards, each once.
pub fn targets() -> Vec<&'static str> {
    let mut targets = Vec::new();
    for board in BOARDS {
        if !targets.contains(&board.target) {
            targets.push(board.target);
        }
    }
    targets
}

impl Board {
    /// Cargo in the firmware's folder, with the compiler's flags for this board's core.
    pub fn cargo(&self, repo: &Repo) -> Command {
        let mut flags = Vec::new();
        if let Some(cpu) = self.cpu {
            flags.push(format!("-Ctarget-cpu={cpu}"));
        }
        if let Some(home) = repo.cargo_home() {
            // Panics name the file: the same bytes for everybody, wherever the sources of dependencies lie. Debuggers find them all
            // the same. Our own files are named from the top folder anyway.
            flags.extend([
                "--remap-path-scope=macro".to_owned(),
                format!("--remap-path-prefix={}=/cargo", home.display()),
            ]);
        }
        let mut cargo = repo.firmware_cargo();
        // Where the first is set Cargo does not look at the second. What the user asks for stays.
        let (variable, separator) = match env::var("CARGO_ENCODED_RUSTFLAGS") {
            Ok(_) => ("CARGO_ENCODED_RUSTFLAGS", "\x1f"),
            // A folder's name with a blank in it would be two flags.
            Err(_) if flags.iter().any(|flag| flag.contains(' ')) => ("CARGO_ENCODED_RUSTFLAGS", "\x1f"),
            Err(_) => ("RUSTFLAGS", " "),
        };
        let given = env::var(variable).or_else(|_| env::var("RUSTFLAGS").map(|flags| flags.replace(' ', separator)));
        flags.splice(0..0, given.ok().filter(|flags| !flags.is_empty()));
        cargo.env(variable, flags.join(separator));
        cargo
    }

    /// The layout of integers that is fastest on the core, which the board's feature enables.
    pub fn layout(&self) -> Layout {
        self.built_for().layout()
    }

    /// Returns whether the core computes single precision in hardware.
    pub fn has_fpu(&self) -> bool {
        self.built_for().has_fpu()
    }

    /// Returns the core that programs are built for: the smallest with the board's target and `target-cpu`.
    fn built_for(&self) -> Core {
        Core::of_target(self.target, self.cpu).expect("a test finds the core of every board")
    }

    /// QEMU's command line but for the program.
    ///
    /// The console is semihosting, on stdout alone. `-icount` advances virtual time by 2^6 ns for each instruction:
    /// SysTick then counts instructions, the same number in every run.
    ///
    /// # Errors
    /// A board that QEMU does not have.
    pub fn qemu_args(&self) -> Result<Vec<&'static str>> {
        let mut args = self.qemu_machine()?;
        args.extend(["-serial", "none", "-icount", ICOUNT, "-semihosting-config", "enable=on,target=native"]);
        Ok(args)
    }

    /// QEMU's command line for a program whose console is the UART: stdin and stdout. No semihosting.
    ///
    /// Ctrl-A X ends the emulator; Ctrl-C is for the program.
    ///
    /// # Errors
    /// A board that QEMU does not have.
    pub fn qemu_uart_args(&self) -> Result<Vec<&'static str>> {
        let mut args = self.qemu_machine()?;
        args.extend(["-serial", "mon:stdio", "-icount", ICOUNT]);
        Ok(args)
    }

    fn qemu_machine(&self) -> Result<Vec<&'static str>> {
        let machine = self.machine.with_context(|| {
            let emulated: Vec<_> = emulated().map(|board| board.name).collect();
            format!("QEMU has no {}; it has {}", self.name, emulated.join(", "))
        })?;
        Ok(vec!["-machine", machine, "-nographic", "-monitor", "none"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_found_by_name() {
        assert_eq!(find("microbit").unwrap().target, "thumbv6m-none-eabi");
        let error = find("microbot").unwrap_err().to_string();
        assert!(error.starts_with("no board `microbot`; there are mps2-an386, mps2-an385, microbit, "), "{error}");
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

    /// The path that `src/board.rs` names behind a feature.
    fn module<'t>(modules: &'t str, feature: &str) -> Option<&'t str> {
        let (_, behind) = modules.split_once(&format!("feature = \"{feature}\""))?;
        behind.split_once("path = \"")?.1.split('"').next()
    }

    #[test]
    fn each_core_once() {
        let boards: Vec<_> = one_of_each_core().map(|board| board.name).collect();
        assert_eq!(boards, ["mps2-an386", "mps2-an385", "microbit", "mps2-an500", "mps2-an505", "mps3-an547"]);
    }

    /// What `firmware-example` has to have for a board.
    #[test]
    fn every_board_has_its_files() {
        let firmware = Repo::find().firmware();
        let manifest = std::fs::read_to_string(firmware.join("Cargo.toml")).unwrap();
        let build = std::fs::read_to_string(firmware.join("build.rs")).unwrap();
        let modules = std::fs::read_to_string(firmware.join("src/board.rs")).unwrap();
        let pages = std::fs::read_to_string(Repo::find().root().join("docs/boards/README.md")).unwrap();
        for board @ Board { name, core, target, machine, .. } in BOARDS {
            assert!(build.contains(&format!("(\"{name}\", \"{target}\")")), "no {name} in build.rs");
            assert!(firmware.join(format!("memory/{name}.x")).exists(), "no memory map of {name}");
            let layout = board.layout().name();
            assert!(manifest.contains(&format!("\n{name} = [\"{layout}\"")), "no feature {name} with {layout}");
            assert!(pages.contains(&format!("`{name}`")), "no row for {name} in docs/boards/README.md");
            let file = module(&modules, name).unwrap_or_else(|| panic!("no file for {name} in src/board.rs"));
            let file = std::fs::read_to_string(firmware.join("src").join(file)).unwrap();
            assert!(file.contains(&format!("\"{core}\"")), "another core of {name}");
            assert_eq!(board.has_fpu(), target.ends_with("eabihf"), "the FPU of {name}");
            let emulated = format!("EMULATED: bool = {};", machine.is_some());
            assert!(file.contains(&emulated), "{name}: EMULATED and what QEMU calls it do not go together");
        }
        assert!(manifest.contains(&format!("\ndefault = [\"{}\"", default().name)));
    }
}
