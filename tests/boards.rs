//! Tests of real boards that need no board: the chip could start the programs built for it.
//!
//! The chips' memory comes from probe-rs, which writes to it: `expected/chips.txt`, printed by `probe-rs chip info`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::Command;

use tests::{Firmware, assert_expected, workspace};
use xtask::board::{BOARDS, Board};
use xtask::image::{Image, Segment};
use xtask::memory::MemoryMap;
use xtask::repo::Repo;
use xtask::{firmware, flash, slot, uf2};

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

/// Returns the chips by name. A chip is a line with its name, then lines `NVM: 0x00000000..0x00040000 (256.0 KiB)`, or
/// `RAM`.
fn chips() -> BTreeMap<String, Chip> {
    let text = std::fs::read_to_string(workspace("tests/expected/chips.txt")).expect("the chips");
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
    for (board, chip) in boards() {
        let chip = chips.get(chip).unwrap_or_else(|| panic!("no {chip} in chips.txt"));
        let memory = memory(board);
        let (flash, slot) = (memory.flash(), memory.region("SLOT").expect("a slot"));
        for region in [Some(&flash), Some(&slot), memory.region("BOOT2").as_ref()].into_iter().flatten() {
            assert!(Chip::holds(&chip.nvm, region), "{}: {region:#x?} is not in flash", board.name);
        }
        assert!(Chip::holds(&chip.ram, &memory.ram()), "{}: {:#x?} is not in RAM", board.name, memory.ram());
        assert!(flash.end <= slot.start, "{}: program and slot overlap", board.name);
        // Largest unit that is erased at once: 128 KiB in a sector of the STM32F405.
        let sector = if board.chip.is_some_and(|chip| chip.starts_with("STM32F4")) { 128 << 10 } else { 4 << 10 };
        assert_eq!(slot.start % sector, 0, "{}: erasing the slot erases the program", board.name);
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
            assert!(Chip::holds(&chips[chip].nvm, &range), "{}: {range:#x?} is not in flash", board.name);
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

#[test]
fn shipped_models_fit_the_slots() {
    for (board, _) in boards() {
        for precision in ["int8", "int4"] {
            let model = workspace(&format!("models/names.{precision}.blob"));
            let (address, _) = slot::model_for(board, &memory(board), &model).expect("a model that fits");
            assert_eq!(address, memory(board).region("SLOT").expect("a slot").start);
        }
    }
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
    for (_, chip) in boards() {
        if !chips.contains(&chip) {
            chips.push(chip);
        }
    }
    assert_expected("chips.txt", &chips.into_iter().map(info).collect::<Vec<_>>().join("\n"));
}
