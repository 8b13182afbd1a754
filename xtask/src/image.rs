//! Reads what a program's ELF file writes to a chip, and checks before flashing whether the chip could start it.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use object::read::elf::{ElfFile32, ProgramHeader};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, SectionKind, elf};

use crate::board::{BOARDS, Board};
use crate::memory::MemoryMap;

/// Prefix of the symbol with which the firmware's build script names the board. The rest is the board's name with `_`
/// for `-`.
const BOARD_SYMBOL: &str = "_board_";

/// `bkpt 0xab`, the instruction that calls a debugger: Arm's semihosting specification, 3.1.
const SEMIHOSTING: [u8; 2] = [0xab, 0xbe];
/// `slli x0, x0, 0x1f`, `ebreak`, `srai x0, x0, 7`, which call a debugger on RISC-V: RISC-V Semihosting 1.0, 2.1.
const SEMIHOSTING_RISCV: [u8; 12] = [0x13, 0x10, 0xf0, 0x01, 0x73, 0, 0x10, 0, 0x13, 0x50, 0x70, 0x40];

/// Size of the second stage of the RP2040's boot loader: 252 bytes and their checksum; RP2040 datasheet, 2.8.1.3.1.
const BOOT2_BYTES: usize = 256;
/// Number of bytes at the start of flash in which the RP2350's boot ROM looks for a block; RP2350 datasheet, 5.1.5.1.
const BLOCK_WINDOW: usize = 4096;
/// First and last word of a block: RP2350 datasheet, 5.1.5.1.
const BLOCK_START: u32 = 0xffff_ded3;
const BLOCK_END: u32 = 0xab12_3579;
/// Item of one word for the image's type, and its value: a program for the RP2350's Arm cores in Secure state, or for
/// its RISC-V cores; RP2350 datasheet, 5.9.5.
const IMAGE_TYPE_ARM: u32 = 0x1021_0142;
const IMAGE_TYPE_RISCV: u32 = 0x1101_0142;

/// Size of the pages in which Espressif's boot loader maps flash, and the bits of an address that the mapping decides:
/// ESP32-C3 Technical Reference Manual, 3.3.2.2.
const ESPRESSIF_PAGE: u64 = 64 << 10;
const ESPRESSIF_WINDOW: u64 = 0x7f_ffff;
/// First word of the description of a program, and the place of the base-2 logarithm of the page size: `esp_app_desc_t`
/// of ESP-IDF.
const DESCRIPTION_MAGIC: u32 = 0xabcd_5432;
const DESCRIPTION_PAGE_LOG2: u64 = 180;

/// A piece of memory that is written when a program is flashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Address of the first byte.
    pub address: u64,
    /// Contents.
    pub bytes: Vec<u8>,
}

impl Segment {
    fn range(&self) -> Range<u64> {
        self.address..self.address + self.bytes.len() as u64
    }
}

/// A program as it is flashed.
#[derive(Debug)]
pub struct Image {
    /// Segments in the order of their addresses.
    pub segments: Vec<Segment>,
    /// Board that the program was built for.
    pub board: &'static Board,
    /// Entry point, with bit 0 set for Thumb code.
    pub entry: u64,
    /// Address of the vector table, which only Arm cores have.
    pub vector_table: Option<u64>,
    /// Number of calls for a debugger. Without a debugger attached, the first call stops the processor for good.
    pub semihosting_calls: usize,
}

impl Image {
    /// Reads an ELF file of this firmware.
    pub fn read(file: &Path) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&bytes, board_of).with_context(|| format!("{} is not a program of this firmware", file.display()))
    }

    /// Reads an ELF file of any project, which names no board.
    pub fn read_for(board: &'static Board, file: &Path) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&bytes, |_| Ok(board))
            .with_context(|| format!("{} is not a program for {}", file.display(), board.name))
    }

    fn parse(bytes: &[u8], board: impl Fn(&ElfFile32<'_, Endianness>) -> Result<&'static Board>) -> Result<Self> {
        let file = ElfFile32::<Endianness>::parse(bytes)?;
        let endian = file.endian();
        let board = board(&file)?;
        let mut segments = Vec::new();
        for header in file.elf_program_headers() {
            let data = header.data(endian, bytes).map_err(|()| anyhow::anyhow!("a segment lies outside the file"))?;
            if header.p_type(endian) == elf::PT_LOAD && !data.is_empty() {
                segments.push(Segment { address: header.p_paddr(endian).into(), bytes: data.to_vec() });
            }
        }
        segments.sort_by_key(|segment| segment.address);
        let mut semihosting_calls = 0;
        for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
            // Instructions take two or four bytes and begin at even addresses. Matching bytes inside another
            // instruction or a constant also count: a false alarm is better than a missed call.
            let calls: &[u8] = if board.is_riscv() { &SEMIHOSTING_RISCV } else { &SEMIHOSTING };
            let code = section.data()?;
            semihosting_calls += (0..code.len()).step_by(2).filter(|&at| code[at..].starts_with(calls)).count();
        }
        let vectors = file.section_by_name(".vector_table").map(|section| section.address());
        ensure!(vectors.is_some() || board.is_riscv(), "the program has no section .vector_table");
        Ok(Self { segments, board, entry: file.entry(), vector_table: vectors, semihosting_calls })
    }

    /// Returns the bytes at an address.
    fn at(&self, address: u64, length: usize) -> Option<&[u8]> {
        let segment = self.segments.iter().find(|segment| segment.range().contains(&address))?;
        let start = (address - segment.address) as usize;
        segment.bytes.get(start..start + length)
    }

    fn word(&self, address: u64) -> Result<u32> {
        let bytes = self.at(address, 4).and_then(|bytes| bytes.first_chunk());
        Ok(u32::from_le_bytes(*bytes.with_context(|| format!("the program has no bytes at {address:#010x}"))?))
    }

    /// Checks that the chip can start the program: all of it is in the board's flash for programs, stack and entry
    /// point are in range, and the boot ROM finds the tables that it needs.
    pub fn check(&self, memory: &MemoryMap) -> Result<()> {
        if self.board.chip == Some("esp32c3") {
            return self.check_espressif(memory);
        }
        let places: Vec<_> = [Some(memory.flash()), memory.region("BOOT2")].into_iter().flatten().collect();
        for segment in &self.segments {
            let Range { start, end } = segment.range();
            let fits = places.iter().any(|place| place.start <= start && end <= place.end);
            ensure!(fits, "{start:#010x}..{end:#010x} is outside the flash for programs, {places:#x?}");
        }
        match self.vector_table {
            Some(vectors) => self.check_vector_table(memory, vectors)?,
            None => ensure!(
                self.entry.is_multiple_of(2) && memory.flash().contains(&self.entry),
                "the entry point {:#010x} is not in flash",
                self.entry
            ),
        }
        match (self.board.chip, self.vector_table) {
            (Some("RP2040"), Some(vectors)) => self.check_boot2(memory, vectors),
            (Some("RP235x"), _) => self.check_image_definition(memory),
            // Other Arm cores read the vector table at the start of flash.
            (_, Some(vectors)) => {
                let start = memory.flash().start;
                ensure!(vectors == start, "the vector table is at {vectors:#010x}, not at {start:#010x}");
                Ok(())
            }
            (_, None) => Ok(()),
        }
    }

    /// Checks the first two words of an Arm core's vector table: the stack pointer, and the address of the first
    /// instruction.
    fn check_vector_table(&self, memory: &MemoryMap, vectors: u64) -> Result<()> {
        let (stack, reset) = (self.word(vectors)?, self.word(vectors + 4)?);
        let (ram, flash) = (memory.ram(), memory.flash());
        // The stack grows downwards, so it may begin at the end of RAM.
        ensure!(
            ram.start < stack.into() && u64::from(stack) <= ram.end,
            "the stack begins at {stack:#010x}, outside RAM"
        );
        ensure!(stack % 8 == 0, "the stack begins at {stack:#010x}, which is not a multiple of 8");
        ensure!(reset % 2 == 1, "the reset vector {reset:#010x} has bit 0 clear, so the code is not Thumb");
        ensure!(flash.contains(&(reset - 1).into()), "the reset vector {reset:#010x} is outside flash");
        ensure!(
            self.entry == u64::from(reset),
            "the entry point {:#010x} is not the reset vector {reset:#010x}",
            self.entry
        );
        Ok(())
    }

    /// Checks the second stage: the RP2040's boot ROM runs the first 252 bytes of flash if the next four are their
    /// checksum. These bytes then start the program, whose vector table follows.
    fn check_boot2(&self, memory: &MemoryMap, vector_table: u64) -> Result<()> {
        let start = memory.region("BOOT2").context("the memory map has no region BOOT2")?.start;
        let boot2 = self.at(start, BOOT2_BYTES).context("the program has no second stage of the boot loader")?;
        let (code, expected) = boot2.split_at(BOOT2_BYTES - 4);
        let sum = crc32_mpeg_2(code);
        ensure!(
            sum.to_le_bytes() == expected,
            "the checksum of the second stage is {sum:#010x}, but the program has {expected:x?}"
        );
        let vectors = start + BOOT2_BYTES as u64;
        ensure!(vector_table == vectors, "the vector table is at {vector_table:#010x}, not at {vectors:#010x}");
        Ok(())
    }

    /// Checks the block near the start of flash: the RP2350's boot ROM starts only a program that has one, on the kind
    /// of core that the block names. It enters a RISC-V program at the start of flash; RP2350 datasheet, 5.9.5.2.
    fn check_image_definition(&self, memory: &MemoryMap) -> Result<()> {
        let start = memory.flash().start;
        let is_riscv = self.board.is_riscv();
        let image_type = if is_riscv { IMAGE_TYPE_RISCV } else { IMAGE_TYPE_ARM };
        ensure!(
            !is_riscv || self.entry == start,
            "the entry point {:#010x} is not the start of flash, {start:#010x}",
            self.entry
        );
        for address in (start..start + BLOCK_WINDOW as u64).step_by(4) {
            if self.word(address).ok() != Some(BLOCK_START) {
                continue;
            }
            ensure!(self.word(address + 4)? == image_type, "the block describes another kind of program");
            // The items take one word, the next word repeats this length, and the last is the offset to the next block:
            // here to itself.
            let rest = [self.word(address + 8)?, self.word(address + 12)?, self.word(address + 16)?];
            ensure!(rest == [0x0000_01ff, 0, BLOCK_END], "the block has an unexpected end: {rest:#x?}");
            return Ok(());
        }
        bail!("no image definition in the first {BLOCK_WINDOW} bytes of flash")
    }
}

impl Image {
    /// Checks what Espressif's boot loader requires: each segment is in RAM or in one of the two mappings of flash, no
    /// page of flash is in both mappings, and the description is at the start of the constants.
    fn check_espressif(&self, memory: &MemoryMap) -> Result<()> {
        let (constants, ram) = (memory.flash(), memory.ram());
        let code = memory.region("IROM").context("the memory map has no region IROM")?;
        let mut pages = [BTreeSet::new(), BTreeSet::new()];
        for segment in &self.segments {
            let range = segment.range();
            let is_in = |place: &Range<u64>| place.start <= range.start && range.end <= place.end;
            let mapping = match (is_in(&constants), is_in(&code)) {
                (true, _) => &mut pages[0],
                (_, true) => &mut pages[1],
                _ if is_in(&ram) => continue,
                _ => bail!("{:#010x}..{:#010x} is in neither flash nor RAM", range.start, range.end),
            };
            let page = |address: u64| (address & ESPRESSIF_WINDOW) / ESPRESSIF_PAGE;
            mapping.extend(page(range.start)..=page(range.end - 1));
        }
        let shared = pages[0].intersection(&pages[1]).next();
        ensure!(shared.is_none(), "code and constants are both in page {shared:?} of flash");
        let first = self.segments.iter().map(|segment| segment.address).find(|address| constants.contains(address));
        let first = first.context("the program has no constants")?;
        ensure!(
            self.word(first)? == DESCRIPTION_MAGIC
                && self.word(first + DESCRIPTION_PAGE_LOG2)? & 0xff == ESPRESSIF_PAGE.ilog2(),
            "the program has no description at {first:#010x}, the start of its constants"
        );
        ensure!(
            self.entry.is_multiple_of(2) && code.contains(&self.entry) && self.at(self.entry, 2).is_some(),
            "the entry point {:#010x} is not in the program's code",
            self.entry
        );
        Ok(())
    }
}

/// Returns the board that a program names.
fn board_of(file: &ElfFile32<'_, Endianness>) -> Result<&'static Board> {
    let mut names = file.symbols().filter_map(|symbol| symbol.name().ok()?.strip_prefix(BOARD_SYMBOL));
    let name = names.next().with_context(|| format!("the program has no symbol {BOARD_SYMBOL}NAME"))?;
    let board = BOARDS.iter().find(|board| board.name.replace('-', "_") == name);
    board.with_context(|| format!("the program is for `{name}`, which is not in firmware-example/boards.toml"))
}

/// Returns the CRC of the RP2040's boot ROM: polynomial 0x04c11db7, initial value all ones, most significant bit first,
/// nothing inverted.
fn crc32_mpeg_2(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte) << 24,
            |crc, _| {
                if crc & 1 << 31 == 0 { crc << 1 } else { crc << 1 ^ 0x04c1_1db7 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board;
    use crate::repo::Repo;

    /// Returns a minimal program that only starts.
    fn image(board: &str) -> (Image, MemoryMap) {
        let board = board::find(board).unwrap();
        let memory = MemoryMap::read(&Repo::find(), board).unwrap();
        let start = memory.flash().start;
        let mut bytes = vec![0; 512];
        bytes[..4].copy_from_slice(&(memory.ram().end as u32).to_le_bytes());
        bytes[4..8].copy_from_slice(&(start as u32 + 0x101).to_le_bytes());
        let mut segments = vec![Segment { address: start, bytes }];
        if let Some(boot2) = memory.region("BOOT2") {
            let code = [0x55; BOOT2_BYTES - 4];
            let bytes = [&code[..], &crc32_mpeg_2(&code).to_le_bytes()].concat();
            segments.insert(0, Segment { address: boot2.start, bytes });
        }
        let (entry, vector_table) = if board.is_riscv() { (start, None) } else { (start + 0x101, Some(start)) };
        (Image { segments, board, entry, vector_table, semihosting_calls: 0 }, memory)
    }

    fn error(image: &Image, memory: &MemoryMap) -> String {
        image.check(memory).unwrap_err().to_string()
    }

    #[test]
    fn what_the_chip_would_not_start_is_refused() {
        let (mut image, memory) = image("nrf52840-dk");
        image.check(&memory).unwrap();
        let bytes = image.segments[0].bytes.clone();
        for (word, value, expected) in [
            (0, 0x2000_0004_u32, "not a multiple of 8"),
            (0, 0x2004_0008, "outside RAM"),
            (4, 0x0000_0100, "not Thumb"),
            (4, 0x2000_0101, "outside flash"),
            (4, 0x0000_0201, "is not the reset vector"),
        ] {
            image.segments[0].bytes[word..word + 4].copy_from_slice(&value.to_le_bytes());
            let error = error(&image, &memory);
            assert!(error.contains(expected), "{error}");
            image.segments[0].bytes.clone_from(&bytes);
        }
        image.vector_table = Some(0x100);
        assert!(image.check(&memory).is_err());
        // This segment is in the slot for models.
        image.segments.push(Segment { address: memory.region("SLOT").unwrap().start, bytes: vec![0] });
        assert!(error(&image, &memory).contains("outside the flash for programs"));
    }

    #[test]
    fn the_boot_rom_of_the_pico_wants_a_checksum() {
        // Check value of CRC-32/MPEG-2.
        assert_eq!(crc32_mpeg_2(b"123456789"), 0x0376_e6e7);
        let (mut image, memory) = image("pico");
        image.check(&memory).unwrap();
        image.segments[0].bytes[17] ^= 1;
        assert!(error(&image, &memory).contains("checksum"));
        image.segments.remove(0);
        assert!(error(&image, &memory).contains("no second stage"));
    }

    #[test]
    fn the_boot_rom_of_the_pico_2_wants_a_block() {
        for (board, own, other) in
            [("pico2", IMAGE_TYPE_ARM, IMAGE_TYPE_RISCV), ("pico2-riscv", IMAGE_TYPE_RISCV, IMAGE_TYPE_ARM)]
        {
            let (mut image, memory) = image(board);
            assert!(error(&image, &memory).contains("no image definition"));
            let block = [BLOCK_START, own, 0x0000_01ff, 0, BLOCK_END].map(u32::to_le_bytes).concat();
            image.segments[0].bytes[0x110..0x124].copy_from_slice(&block);
            image.check(&memory).unwrap();
            image.segments[0].bytes[0x114..0x118].copy_from_slice(&other.to_le_bytes());
            assert!(error(&image, &memory).contains("another kind"), "{board}");
        }
    }

    #[test]
    fn the_boot_rom_of_the_pico_2_enters_riscv_programs_at_the_start() {
        let (mut image, memory) = image("pico2-riscv");
        image.entry += 4;
        assert!(error(&image, &memory).contains("is not the start of flash"));
        image.entry = memory.ram().start;
        assert!(error(&image, &memory).contains("is not in flash"));
    }

    #[test]
    fn the_boot_loader_of_espressif_wants_pages_and_a_description() {
        let board = board::find("esp32c3").unwrap();
        let memory = MemoryMap::read(&Repo::find(), board).unwrap();
        let mut description = vec![0; 256];
        description[..4].copy_from_slice(&DESCRIPTION_MAGIC.to_le_bytes());
        description[180] = 16;
        let good = || Image {
            segments: vec![
                Segment { address: 0x3c01_0020, bytes: description.clone() },
                Segment { address: 0x3fc8_0000, bytes: vec![0; 8] },
                Segment { address: 0x4200_0020, bytes: vec![0; 0x1_0000 - 0x20] },
            ],
            board,
            entry: 0x4200_0020,
            vector_table: None,
            semihosting_calls: 0,
        };
        good().check(&memory).unwrap();
        type Fault = fn(&mut Image);
        let faults: [(Fault, &str); 6] = [
            (|image| image.segments[2].bytes.push(0), "both in page Some(1)"),
            (|image| image.segments[0].address -= 0x1_0000, "both in page Some(0)"),
            (|image| image.segments[1].address = 0x4038_0000, "neither flash nor RAM"),
            (|image| image.segments[0].bytes[0] ^= 1, "no description"),
            (|image| image.segments[0].bytes[180] = 15, "no description"),
            (|image| image.entry = 0x4201_0000, "not in the program's code"),
        ];
        for (fault, expected) in faults {
            let mut image = good();
            fault(&mut image);
            let error = error(&image, &memory);
            assert!(error.contains(expected), "{error}");
        }
    }
}
