//! Tests of real boards that need no board: the chip could start the programs built for it.
//!
//! The chips' memory comes from probe-rs, which writes to it: `expected/chips.txt`, printed by `probe-rs chip info`.
//! That of Espressif's chips is in `expected/espressif.txt`, from Espressif's program esptool.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use lexopt::Parser;
use runtime::Sampling;
use tests::{Firmware, assert_expected, blob, host_words, workspace};
use xtask::board::{BOARDS, Board};
use xtask::image::{Image, Segment};
use xtask::memory::MemoryMap;
use xtask::repo::Repo;
use xtask::setup::arm_gcc::ARM_GCC;
use xtask::{firmware, flash, hex, slot, uf2};

/// Returns the boards that can be flashed, and probe-rs' names for their chips.
fn boards() -> impl Iterator<Item = (&'static Board, &'static str)> {
    BOARDS.iter().filter_map(|board| Some((board, board.chip?)))
}

/// Non-volatile memory and RAM, with adjacent regions joined.
#[derive(Default)]
struct Chip {
    nvm: Vec<Range<u64>>,
    ram: Vec<Range<u64>>,
}

impl Chip {
    fn holds(places: &[Range<u64>], range: &Range<u64>) -> bool {
        places.iter().any(|place| place.start <= range.start && range.end <= place.end)
    }
}

/// Returns whether espflash writes the board's programs: the boot loader then loads the initial values of variables.
fn is_espressif(board: &Board) -> bool {
    board.flasher == Some("espflash")
}

/// Returns the region for a model, which some boards lack.
fn slot_of(board: &Board) -> Option<Range<u64>> {
    memory(board).region("SLOT").filter(|slot| !slot.is_empty())
}

/// Returns the chips by name. A chip is a line with its name, then lines `NVM: 0x00000000..0x00040000 (256.0 KiB)`, or
/// `RAM`.
fn chips() -> BTreeMap<String, Chip> {
    let read = |file: &str| std::fs::read_to_string(workspace("tests/expected").join(file)).expect("the chips");
    let text = read("chips.txt") + &read("espressif.txt");
    let mut chips = BTreeMap::<String, Chip>::new();
    let mut name = "";
    for line in text.lines() {
        let Some((key, rest)) = line.split_once(": ") else {
            if !line.starts_with(' ') && !line.contains(':') {
                name = line;
            }
            continue;
        };
        let (start, end) = rest.split(' ').next().and_then(|range| range.split_once("..")).expect("a range");
        let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a number");
        let chip = chips.entry(name.to_owned()).or_default();
        let places = if key == "NVM" { &mut chip.nvm } else { &mut chip.ram };
        match places.last_mut() {
            Some(last) if last.end == number(start) => last.end = number(end),
            _ => places.push(number(start)..number(end)),
        }
    }
    chips
}

/// Returns the console with the shipped int8 model, read from its ELF file.
fn console(board: &Board) -> Image {
    let firmware = Firmware::build(board.name, firmware::CONSOLE, "names.int8.blob");
    Image::read(firmware.elf()).expect("a program")
}

fn memory(board: &Board) -> MemoryMap {
    MemoryMap::read(&Repo::find(), board).expect("a memory map")
}

#[test]
fn memory_maps_lie_in_the_chips_memory() {
    let chips = chips();
    for (board, name) in boards() {
        let chip = chips.get(name).unwrap_or_else(|| panic!("no {name} in chips.txt and espressif.txt"));
        let memory = memory(board);
        let regions = ["FLASH", "SLOT", "BOOT2", "IROM"].map(|name| memory.region(name));
        for region in regions.into_iter().flatten().filter(|region| !region.is_empty()) {
            assert!(Chip::holds(&chip.nvm, &region), "{}: {region:#x?} is not in flash", board.name);
        }
        assert!(Chip::holds(&chip.ram, &memory.ram()), "{}: {:#x?} is not in RAM", board.name, memory.ram());
        let Some(slot) = slot_of(board) else {
            assert!(["esp32c3", "nucleo-g071rb"].contains(&board.name), "{} lacks a slot", board.name);
            continue;
        };
        assert!(memory.flash().end <= slot.start, "{}: program and slot overlap", board.name);
        // Largest unit that is erased at once: 128 KiB in a sector of the STM32F4 and STM32H7.
        let has_large_sectors = ["STM32F4", "STM32H7"].iter().any(|family| name.starts_with(family));
        let sector = if has_large_sectors { 128 << 10 } else { 4 << 10 };
        assert_eq!((slot.start % sector, slot.end % sector), (0, 0), "{}: another part is erased, too", board.name);
    }
}

#[test]
fn chips_can_start_the_console() {
    let chips = chips();
    for (board, chip) in boards() {
        let image = console(board);
        assert_eq!(image.board, board);
        // Checks the vector table, the entry point, the boot ROM's headers, and that everything is in the memory map.
        image.check(&memory(board)).unwrap_or_else(|error| panic!("{}: {error:#}", board.name));
        for Segment { address, bytes } in &image.segments {
            let range = *address..address + bytes.len() as u64;
            let is_loaded = is_espressif(board) && Chip::holds(&chips[chip].ram, &range);
            assert!(is_loaded || Chip::holds(&chips[chip].nvm, &range), "{}: {range:#x?} is not in flash", board.name);
        }
        // Without a debugger the first semihosting call would hang the program.
        assert_eq!(image.semihosting_calls, 0, "{}: semihosting in the console", board.name);
    }
}

/// Proves that the test above would find semihosting calls.
#[test]
fn semihosting_is_found() {
    let firmware = Firmware::build("nrf52840-dk", "generate", "names.int8.blob");
    assert!(Image::read(firmware.elf()).expect("a program").semihosting_calls > 0);
}

/// Returns `address..` and bytes, page by page, as far as the segments reach.
fn pages(segments: &[Segment]) -> BTreeMap<u64, u8> {
    let bytes = segments.iter().flat_map(|segment| (segment.address..).zip(segment.bytes.iter().copied()));
    bytes.collect()
}

#[test]
fn uf2_files_hold_the_program_and_nothing_else() {
    for (board, family) in [("pico", 0xe48b_ff56), ("pico2", 0xe48b_ff59), ("pico2-riscv", 0xe48b_ff5a)] {
        let board = xtask::board::find(board).expect("a board");
        let image = console(board);
        let (found, blocks) = uf2::read(&uf2::write(&image.segments, family).expect("a file")).expect("whole blocks");
        assert_eq!(found, family);
        let (program, written) = (pages(&image.segments), pages(&blocks));
        for (address, byte) in &program {
            assert_eq!(written.get(address), Some(byte), "{} at {address:#x}", board.name);
        }
        for (address, &byte) in written.iter().filter(|(address, _)| !program.contains_key(address)) {
            assert_eq!(byte, 0xff, "{} at {address:#x}", board.name);
            // Bytes that fill the rest of a page, where the program has only a part of the page.
            let page = address & !0xff;
            assert!(program.range(page..page + 0x100).next().is_some(), "{}: page {page:#x}", board.name);
        }
    }
}

/// DAPLink, the software of the micro:bit's interface chip, refuses a file for v2 whose vectors of the memory, bus and
/// usage fault are all zero: it takes the file for one of v1, whose Cortex-M0 does not have them.
const FAULT_VECTORS: Range<u64> = 0x10..0x1c;

#[test]
fn hex_files_hold_the_program_and_nothing_else() {
    let chips = chips();
    for board in xtask::board::with_hex() {
        let image = console(board);
        let file = hex::write(&image.segments).expect("a file");
        let written = hex::read(&file).expect("whole lines");
        let bytes = pages(&written);
        assert_eq!(bytes, pages(&image.segments), "{}", board.name);
        for Segment { address, bytes } in &written {
            let range = *address..address + bytes.len() as u64;
            assert!(Chip::holds(&chips[board.chip.expect("a chip")].nvm, &range), "{}: {range:#x?}", board.name);
        }
        // The first line decides whether DAPLink takes the file for Intel HEX: the vector table begins at 0.
        assert!(file.starts_with(":020000040000FA\n:10000000"), "{}: {:?}", board.name, &file[..40]);
        if board.name == "microbit-v2" {
            assert!(FAULT_VECTORS.clone().any(|address| bytes[&address] != 0), "DAPLink would refuse the file");
        }
    }
}

/// GNU binutils read the file as we wrote it.
#[test]
fn other_programs_read_the_same_bytes_in_a_hex_file() {
    let run = |command: &mut Command| {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: try `cargo xtask setup`"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let objcopy = run(Command::new(ARM_GCC.file(&Repo::find())).arg("-print-prog-name=objcopy"));
    for board in xtask::board::with_hex() {
        let image = console(board);
        let [file, binary] = ["hex", "bin"].map(|end| workspace(&format!("target/elf/console-{}.{end}", board.name)));
        std::fs::write(&file, hex::write(&image.segments).expect("a file")).expect("target/elf");
        let options = ["-I", "ihex", "-O", "binary", "--gap-fill", "0xff"];
        run(Command::new(objcopy.trim()).args(options).arg(&file).arg(&binary));
        let found = std::fs::read(&binary).expect("objcopy's file");
        let program = pages(&image.segments);
        let end = program.keys().next_back().expect("a program") + 1;
        let expected: Vec<u8> = (0..end).map(|address| program.get(&address).copied().unwrap_or(0xff)).collect();
        assert!(found == expected, "{}: {} bytes, not {}", board.name, found.len(), expected.len());
    }
}

/// Runs `cargo xtask flash` with a folder that stands for a board's drive. Returns the name and contents of the copied
/// file.
fn flash_onto(name: &str, info: (&str, &str), args: &[&str]) -> Result<(String, Vec<u8>), String> {
    let folder = workspace("target/drives").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(info.0), info.1).expect("a file");
    let mut command = vec![OsStr::new("--yes"), OsStr::new("--no-talk"), OsStr::new("--drive"), folder.as_os_str()];
    command.extend(args.iter().map(OsStr::new));
    (flash::COMMAND.run)(Parser::from_args(command)).map_err(|error| format!("{error:#}"))?;
    let files = std::fs::read_dir(&folder).expect("a folder").map(|file| file.expect("a file"));
    let mut files = files.filter(|file| file.file_name() != info.0);
    let file = files.next().expect("a file on the drive");
    assert!(files.next().is_none(), "{}", folder.display());
    Ok((file.file_name().into_string().expect("a name"), std::fs::read(file.path()).expect("a file")))
}

/// The files of a Pico's boot ROM and of a micro:bit's interface chip, by which they name themselves.
const RP2040: (&str, &str) =
    ("INFO_UF2.TXT", "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n");
const RP2350: (&str, &str) = ("INFO_UF2.TXT", "UF2 Bootloader v1.0\nModel: Raspberry Pi RP2350\nBoard-ID: RP2350\n");
const MICROBIT: (&str, &str) = ("DETAILS.TXT", "# DAPLink Firmware\r\nUnique ID: 9900000051864e45\r\n");
const MICROBIT_2: (&str, &str) = ("DETAILS.TXT", "# DAPLink Firmware\r\nUnique ID: 9904360254974e45\r\n");

/// The board is found by its drive, built for, and gets its program as a file.
#[test]
fn flash_finds_a_drive_and_copies_the_program() {
    for (name, info, args) in [
        ("pico", RP2040, &[][..]),
        ("pico2", RP2350, &[]),
        ("pico2-riscv", RP2350, &["--board", "pico2-riscv"]),
        ("microbit", MICROBIT, &[]),
        ("microbit-v2", MICROBIT_2, &["console"]),
    ] {
        let (file, bytes) = flash_onto(name, info, args).unwrap_or_else(|error| panic!("{name}: {error}"));
        let segments = console(xtask::board::find(name).expect("a board")).segments;
        let (end, found) = match name.starts_with("pico") {
            true => ("uf2", uf2::read(&bytes).expect("whole blocks").1),
            false => ("hex", hex::read(std::str::from_utf8(&bytes).expect("text")).expect("whole lines")),
        };
        assert_eq!(file, format!("console-{name}.{end}"));
        let (program, written) = (pages(&segments), pages(&found));
        assert!(program.iter().all(|(address, byte)| written.get(address) == Some(byte)), "{name}");
    }
}

#[test]
fn flash_copies_a_model_into_the_slot_of_a_pico() {
    let model = workspace("models/names.int4.blob");
    let args = ["--slot", model.to_str().expect("a path")];
    let (file, bytes) = flash_onto("slot", RP2040, &args).expect("a file");
    assert_eq!(file, "slot-pico.uf2");
    let board = xtask::board::find("pico").expect("a board");
    let (address, expected) = slot::model_for(board, &memory(board), &model).expect("a model that fits");
    let written = pages(&uf2::read(&bytes).expect("whole blocks").1);
    assert!((address..).zip(&expected).all(|(address, byte)| written.get(&address) == Some(byte)));
    assert_eq!(written.len(), expected.len().next_multiple_of(256));
    // The drive of a micro:bit would erase the program.
    let error = flash_onto("slot-microbit", MICROBIT, &args).expect_err("no file");
    assert!(error.contains("use --model FILE"), "{error}");
}

#[test]
fn flash_refuses_a_drive_of_another_board() {
    let error = flash_onto("other", RP2040, &["--board", "pico2"]).expect_err("no file");
    assert!(error.contains("the drive RP2350 of a pico2 is not there"), "{error}");
    assert!(error.contains("`cargo xtask flash --board pico` writes to it"), "{error}");
    let error = flash_onto("none", ("README.TXT", "an ordinary drive"), &[]).expect_err("no file");
    assert!(error.contains("is not the drive of a board"), "{error}");
    // Without a debugger the program would stop at its first line.
    let error = flash_onto("debugger", RP2040, &["generate"]).expect_err("no file");
    assert!(error.contains("it prints through a debugger"), "{error}");
}

#[test]
fn shipped_models_fit_the_slots() {
    for (board, slot) in boards().filter_map(|(board, _)| Some((board, slot_of(board)?))) {
        for precision in ["int8", "int4"] {
            let model = workspace(&format!("models/names.{precision}.blob"));
            let (address, _) = slot::model_for(board, &memory(board), &model).expect("a model that fits");
            assert_eq!(address, slot.start);
        }
    }
}

/// Proves that the bytes of the model are in flash, not in RAM.
#[test]
fn the_model_stays_in_flash() {
    let board = xtask::board::find("esp32c3").expect("a board");
    let ram = memory(board).ram();
    let in_ram: usize = console(board).segments.iter().filter(|segment| ram.contains(&segment.address)).map(size).sum();
    assert!(in_ram < 1 << 10, "{in_ram} bytes are loaded into RAM");
}

fn size(segment: &Segment) -> usize {
    segment.bytes.len()
}

/// Proves that espflash accepts the console of the ESP32-C3, that esptool finds a valid file, and that the console runs
/// as Espressif's boot loader starts it: `fixtures/esp32c3.py` models the chip, its two serial ports and its watchdogs.
#[test]
#[ignore = "needs espflash and Python: cargo install espflash --locked; pip install esptool unicorn"]
fn the_boot_loader_of_the_esp32c3_starts_the_console() {
    let firmware = Firmware::build("esp32c3", firmware::CONSOLE, "names.int8.blob");
    let run = |program: &str, args: &[&OsStr]| {
        let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{program}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let [program, flash] = ["console-esp32c3.bin", "flash-esp32c3.bin"].map(|name| workspace("target/elf").join(name));
    let save = ["save-image", "--chip", "esp32c3", "--merge", "--skip-padding"].map(OsStr::new);
    let elf = firmware.elf().as_os_str();
    run("espflash", &[&save[..3], &[elf, program.as_os_str()]].concat());
    run("espflash", &[&save[..], &[elf, flash.as_os_str()]].concat());
    let info = run("esptool", &[OsStr::new("image-info"), program.as_os_str()]);
    assert_eq!(info.matches("(valid)").count(), 2, "checksum and hash:\n{info}");
    let model = workspace("tests/fixtures/esp32c3.py");
    let text = run("python3", &[model.as_os_str(), flash.as_os_str()]);
    assert!(text.contains("self-test PASS") && text.contains("> ma\nma"), "{text}");
}

/// Proves that the console starts on every chip from ST, prints the same names and restarts. `fixtures/stm32.py` models
/// the chips: it refuses a clock that is too fast, a wrong baud rate, and a register whose clock is off.
#[test]
#[ignore = "needs Python: pip install unicorn"]
fn consoles_run_in_a_model_of_the_stm32() {
    let names = host_words(&blob("names.int8.blob"), Sampling::default(), 42, "ma", 5).join("\n");
    let chips_from_st = boards().filter(|(_, chip)| chip.starts_with("STM32"));
    for (board, _) in chips_from_st {
        let firmware = Firmware::build(board.name, firmware::CONSOLE, "names.int8.blob");
        let model = workspace("tests/fixtures/stm32.py");
        let output = Command::new("python3").args([&*model, Path::new(board.name), firmware.elf()]).output();
        let output = output.unwrap_or_else(|error| panic!("python3: {error}"));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {}", board.name, String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(&format!("board     {}, {} at ", board.name, board.core)), "{text}");
        assert!(text.contains("self-test PASS") && text.contains(&format!("> ma\n{names}\n> :bench\n")), "{text}");
        assert!(text.contains(" cycles per character") && text.ends_with("> :reset\nreset\n"), "{text}");
    }
}

/// Compares `expected/espressif.txt` with esptool itself; BLESS=1 writes the file.
#[test]
#[ignore = "needs esptool: pip install esptool"]
fn chips_are_as_esptool_knows_them() {
    const PROGRAM: &str = "
from esptool.targets.esp32c3 import ESP32C3ROM
print('esp32c3')
for start, end, name in sorted(ESP32C3ROM.MEMORY_MAP):
    if name in ('DROM', 'IROM', 'DRAM', 'IRAM'):
        print(f\"{'NVM' if 'ROM' in name else 'RAM'}: {start:#x}..{end:#x} {name}\")
";
    let output = Command::new("python3").args(["-c", PROGRAM]).output().expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_expected("espressif.txt", &String::from_utf8(output.stdout).expect("text"));
}

/// Compares `expected/chips.txt` with probe-rs itself; BLESS=1 writes the file.
#[test]
#[ignore = "needs probe-rs: cargo install probe-rs-tools --locked"]
fn chips_are_as_probe_rs_knows_them() {
    let info = |chip: &str| {
        let output = Command::new(flash::PROGRAM).args(["chip", "info", chip]).output().expect("probe-rs");
        assert!(output.status.success(), "probe-rs does not know {chip}");
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned() + "\n"
    };
    // Two boards may have the same chip.
    let mut chips = Vec::new();
    for (_, chip) in boards().filter(|(board, _)| !is_espressif(board)) {
        if !chips.contains(&chip) {
            chips.push(chip);
        }
    }
    assert_expected("chips.txt", &chips.into_iter().map(info).collect::<Vec<_>>().join("\n"));
}
