//! Prepares the model and, on a chip, the facts about the board, its memory map and the linker script.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "build/anomaly.rs"]
mod anomaly;
#[path = "build/boards.rs"]
#[allow(dead_code, reason = "most of it is for xtask, which compiles the file, too")]
mod boards;

use boards::Board;
use runtime::Model;
use runtime::format::{AlignedBlob, Layout, WeightFormat};
use runtime::write::relayout;

/// Models to build in when the environment variable MODEL names none: the first one that fits and whose precision is
/// enabled.
const DEFAULT_MODELS: [(&str, &str); 3] =
    [("f32", "../models/names.blob"), ("int8", "../models/names.int8.blob"), ("int4", "../models/names.int4.blob")];

/// Least number of bytes that a program takes in addition to its model.
const PROGRAM_BYTES: u64 = 20 << 10;

/// The table of boards.
const BOARDS: &str = "boards.toml";

/// Linker symbols for the bounds of the memory regions, which the program reads.
const SYMBOLS: &str = "
PROVIDE(_flash_start = ORIGIN(FLASH));
_ram_begin = ORIGIN(RAM);
_slot_start = ORIGIN(SLOT);
_slot_end = ORIGIN(SLOT) + LENGTH(SLOT);
";

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for file in ["build.rs", "build/anomaly.rs", "build/boards.rs", BOARDS] {
        println!("cargo::rerun-if-changed={file}");
    }
    let boards = boards::read(&fs::read_to_string(BOARDS)?).map_err(|error| format!("{BOARDS}: {error}"))?;
    let is_for_chip = env::var("CARGO_CFG_TARGET_OS")? == "none";
    let flash = if is_for_chip { Flash::of_board(&boards)? } else { None };
    let needed = copy_model(&out, flash)?;
    if has_feature("int8") {
        fs::write(out.join("anomaly.rs"), anomaly::source(layout()?.unwrap_or(Layout::RowMajor)))?;
    }
    for board in &boards {
        println!("cargo::rustc-check-cfg=cfg(board_code, values({:?}))", board.code);
    }
    for stopwatch in boards::STOPWATCHES {
        println!("cargo::rustc-check-cfg=cfg(stopwatch, values({stopwatch:?}))");
    }
    if is_for_chip {
        for feature in needed.into_iter().filter(|feature| !has_feature(feature)) {
            println!("cargo::error=the model needs {feature}: enable the feature {feature}");
        }
        if let Some(board) = chosen(&boards)? {
            describe(board, &out)?;
            link(board, &out)?;
        }
    }
    Ok(())
}

/// Copies the blob to where the program includes it, with its integers in the layout that is fastest on the board.
/// Checks here what the chip would otherwise refuse. Returns the features that the model needs.
fn copy_model(out: &Path, flash: Option<Flash>) -> Result<Vec<&'static str>, Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=MODEL");
    // MODEL is relative to the user's directory, which a build script cannot know: the workspace is the best guess.
    let path = match env::var_os("MODEL") {
        Some(path) => Path::new("..").join(path),
        None => default_model(flash)?,
    };
    println!("cargo::rerun-if-changed={}", path.display());
    let bytes = fs::read(&path).map_err(|error| format!("cannot read the model {}: {error}", path.display()))?;
    // A safetensors file starts with the header's length in eight bytes, then JSON.
    if bytes.get(8) == Some(&b'{') {
        let model = path.display();
        return Err(format!(
            "{model} is a safetensors file, but a chip needs a blob: export the model first (exporter export)"
        )
        .into());
    }
    let aligned = AlignedBlob::from(bytes.as_slice());
    let model =
        Model::new(aligned.as_bytes()).map_err(|error| format!("the model {} is refused: {error}", path.display()))?;
    let formats = model.weight_formats();
    let precision_and_activation = [Some(model.precision().name()), model.config().activation().feature()];
    let needed = precision_and_activation.into_iter().chain(formats.iter().map(|format| format.feature())).flatten();
    let needed = needed.collect();
    let is_tabulated = formats.iter().any(|format| matches!(format, WeightFormat::Pairs | WeightFormat::Halves));
    let layout = layout()?;
    let bytes = match layout {
        Some(layout) if model.precision().is_integer() => relayout(&model, layout)?,
        _ => bytes,
    };
    if let Some(Flash { program: flash, slot }) = flash
        && !fits(bytes.len() as u64, flash)
    {
        let smaller = if is_tabulated {
            "export it without --tables"
        } else {
            "train a smaller model, or export it in fewer bits (--precision int8)"
        };
        let advice = if fits(bytes.len() as u64, flash + slot) {
            format!("{smaller}, or set WITHOUT_SLOT=1 for {slot} more bytes, those of the slot for a second model")
        } else {
            smaller.to_owned()
        };
        println!(
            "cargo::error=the model does not fit: {} takes {} bytes of flash, a program at least {PROGRAM_BYTES} more, \
             and the board has {flash}: {advice}",
            path.display(),
            bytes.len(),
        );
    }
    fs::write(out.join("model.rs"), runtime::built_in::source(&bytes, "model.blob")?)?;
    fs::write(out.join("model.blob"), bytes)?;
    Ok(needed)
}

/// Returns the shipped model that suits the features and the board.
fn default_model(flash: Option<Flash>) -> Result<PathBuf, Box<dyn Error>> {
    for (precision, path) in DEFAULT_MODELS {
        if has_feature(precision)
            && flash.is_none_or(|flash| fs::metadata(path).is_ok_and(|file| fits(file.len(), flash.program)))
        {
            return Ok(path.into());
        }
    }
    // None fits. The first one makes the build fail with the reason.
    Ok(DEFAULT_MODELS[0].1.into())
}

/// Returns whether flash has room for the model and a program.
fn fits(model: u64, flash: u64) -> bool {
    model + PROGRAM_BYTES <= flash
}

/// Bytes of a board's flash.
#[derive(Clone, Copy)]
struct Flash {
    /// Bytes for the program, with its model.
    program: u64,
    /// Bytes for a second model.
    slot: u64,
}

impl Flash {
    /// Reads the lengths of the chosen board's regions from its memory map: `FLASH : ORIGIN = a, LENGTH = b`.
    fn of_board(boards: &[Board]) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(Board { name, .. }) = boards.iter().find(|board| has_feature(board.name)) else { return Ok(None) };
        let map = memory_map(name)?;
        let length = |region: &str| {
            length_of(region, &map).ok_or_else(|| format!("memory/{name}.x has no valid line for {region}"))
        };
        Ok(Some(Self { program: length("FLASH")?, slot: length("SLOT")? }))
    }
}

/// Returns the length of a region in a memory map.
fn length_of(region: &str, map: &str) -> Option<u64> {
    let line = map.lines().find(|line| line.trim_start().starts_with(region))?;
    // The last one: a region may begin after another, at `ORIGIN(FLASH) + LENGTH(FLASH)`.
    let length = line.rsplit_once("LENGTH")?.1.trim_start().strip_prefix('=')?;
    sum(length.split("/*").next().unwrap_or(length))
}

/// Returns the board's memory map. If the environment variable WITHOUT_SLOT is set, the map has no slot and FLASH
/// extends to the slot's end, or has the length that the environment variable FLASH says. `cargo xtask bench` needs
/// this to measure larger programs, which look for no model in the slot.
fn memory_map(board: &str) -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=WITHOUT_SLOT");
    println!("cargo::rerun-if-env-changed=FLASH");
    let map = fs::read_to_string(format!("memory/{board}.x"))?;
    if env::var_os("WITHOUT_SLOT").is_none() {
        return Ok(map);
    }
    let slot = length_of("SLOT", &map).ok_or_else(|| format!("memory/{board}.x has no valid line for SLOT"))?;
    let more = match env::var("FLASH") {
        Ok(flash) => {
            let own =
                length_of("FLASH", &map).ok_or_else(|| format!("memory/{board}.x has no valid line for FLASH"))?;
            let flash = sum(&flash).ok_or_else(|| format!("FLASH={flash} is no number of bytes"))?;
            flash.checked_sub(own).ok_or_else(|| format!("FLASH={flash} is less than the board's {own} bytes"))?
        }
        Err(_) => slot,
    };
    let change = |line: &str| match line.trim_start().split_once(char::is_whitespace) {
        Some(("FLASH", _)) => format!("{line} + {more}\n"),
        Some(("SLOT", _)) => "  SLOT : ORIGIN = ORIGIN(FLASH) + LENGTH(FLASH), LENGTH = 0\n".to_owned(),
        _ => format!("{line}\n"),
    };
    Ok(map.lines().map(change).collect())
}

/// Evaluates `1M`, `256K`, `0x100`, and their sums and differences.
fn sum(text: &str) -> Option<u64> {
    let (mut total, mut sign) = (0_i64, 1);
    for part in text.split_inclusive(['+', '-']) {
        let term = part.trim_end_matches(['+', '-']).trim();
        let (digits, unit) = match term.strip_suffix('K') {
            Some(digits) => (digits, 1 << 10),
            None => term.strip_suffix('M').map_or((term, 1), |digits| (digits, 1 << 20)),
        };
        let number = match digits.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16),
            None => digits.parse(),
        };
        total += sign * number.ok()? * unit;
        sign = if part.ends_with('-') { -1 } else { 1 };
    }
    total.try_into().ok()
}

/// Returns the layout of integer weights: the one that the environment variable LAYOUT names, or the board's.
fn layout() -> Result<Option<Layout>, Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=LAYOUT");
    match env::var("LAYOUT") {
        Ok(name) => {
            let layout = Layout::from_name(&name).filter(|layout| layout.is_integer());
            let layout = layout.ok_or_else(|| format!("no layout {name:?}"))?;
            if !has_feature(layout.name()) {
                return Err(format!("LAYOUT={name} needs the feature {name}").into());
            }
            Ok(Some(layout))
        }
        // The board enables the feature of its layout.
        Err(_) => Ok(Layout::INTEGERS.iter().copied().find(|layout| has_feature(layout.name()))),
    }
}

/// Returns the board whose feature is enabled. Fails if there is not exactly one, or if the target is not the board's.
fn chosen(boards: &[Board]) -> Result<Option<&Board>, Box<dyn Error>> {
    let chosen: Vec<_> = boards.iter().filter(|board| has_feature(board.name)).collect();
    let [board] = chosen[..] else {
        println!("cargo::error=enable the feature of exactly one board, not of {}. One of:", chosen.len());
        for Board { name, target, .. } in boards {
            println!("cargo::error=  --target {target} --no-default-features --features {name},PRECISION");
        }
        return Ok(None);
    };
    let compiled_for = env::var("TARGET")?;
    if compiled_for != board.target {
        println!("cargo::error={} needs --target {}, not {compiled_for}", board.name, board.target);
    }
    Ok(Some(board))
}

/// Writes the facts about the board that `src/board.rs` includes, and selects the board's code and stopwatch.
fn describe(board: &Board, out: &Path) -> Result<(), Box<dyn Error>> {
    let Board { name, core, clock_hz, code, stopwatch, .. } = board;
    let mut facts = format!(
        "/// Name of the board and of its feature.\npub const NAME: &str = {name:?};\n\
         /// Name of the processor.\npub const CORE: &str = {core:?};\n\
         /// Frequency of the processor's clock.\npub const CLOCK_HZ: u32 = {clock_hz};\n\
         /// True if QEMU emulates the board. Only then may a program use semihosting: on a chip without a debugger\n\
         /// the first call would hang it.\npub const EMULATED: bool = {};\n",
        board.machine.is_some(),
    );
    if let Some(uart) = board.uart {
        facts += &format!("/// Address of the UART.\nconst UART: u32 = {uart:#010x};\n");
    }
    fs::write(out.join("board.rs"), facts)?;
    println!("cargo::rustc-cfg=board_code={code:?}");
    println!("cargo::rustc-cfg=stopwatch={stopwatch:?}");
    Ok(())
}

/// Passes the board's memory map and the architecture's linker script to the linker.
fn link(board: &Board, out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=memory/{}.x", board.name);
    // `cargo run` finds the board to start the program on by this symbol; see xtask/src/image.rs.
    let symbol = format!("_board_{} = 1;\n", board.name.replace('-', "_"));
    fs::write(out.join("memory.x"), memory_map(board.name)? + SYMBOLS + &symbol)?;
    println!("cargo::rustc-link-search={}", out.display());
    for argument in link_arguments(&env::var("CARGO_CFG_TARGET_ARCH")?)? {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    Ok(())
}

/// Returns the linker arguments of an architecture: the script of its start-up code, which includes memory.x.
fn link_arguments(architecture: &str) -> Result<&'static [&'static str], Box<dyn Error>> {
    match architecture {
        // cortex-m-rt's script. `--nmagic`: no gap at the start of flash for ELF headers.
        "arm" => Ok(&["-Tlink.x", "--nmagic"]),
        // riscv-rt's script, which does not include memory.x.
        "riscv32" => Ok(&["-Tmemory.x", "-Tlink.x", "--nmagic"]),
        other => Err(format!("no start-up code for {other}: add it to src/chip and to `link_arguments`").into()),
    }
}

/// Returns whether a feature of this package is enabled.
fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{}", name.to_uppercase().replace('-', "_"))).is_some()
}
