//! Traces a program instruction by instruction, to estimate its cycles.
//!
//! With `-singlestep` the emulator translates each instruction as a block of its own, and with `-d exec,nochain` it
//! writes one line for every block that it runs:
//!
//! ```text
//! Trace 0: 0x7f1f0c000240 [00800408/000035e8/00000110/ff020201] main
//!                                   program counter
//! ```
//!
//! Instructions count between the calls of two functions, `trace_marks::begin` and `trace_marks::end` in
//! `firmware-example`. A program's long start-up lies before them: functions that run only during start-up are left out
//! of the trace, for speed.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

use crate::board::Board;
use crate::command::show;
use crate::cycles::Timing;
use crate::emulator::{self, Emulator};
use crate::isa::{Instruction, Isa, Kind};
use crate::repo::Repo;
use crate::setup::qemu;

/// Instructions and cycles between the two marks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Instructions.
    pub instructions: u64,
    /// Estimated cycles.
    pub cycles: u64,
}

/// Parts of the names of functions that run only before the first mark: painting the stack, checking the model.
const BEFORE: [&str; 11] = [
    "Reset",
    "on_chip4load",
    "5model4load",
    "NetInt4load",
    "NetInt10load_layer",
    "Stored4take",
    "Stored9magnitude",
    "stored10has_lowest",
    "NetF323new",
    "__pre_init",
    "_start_rust",
];

/// The code of a program.
pub struct Code {
    isa: Isa,
    /// Address of the first instruction.
    start: u32,
    bytes: Vec<u8>,
    begin: u32,
    end: u32,
    /// Address ranges that are traced, as first and last address.
    traced: Vec<(u32, u32)>,
}

impl Code {
    /// Reads an ELF file.
    pub fn read(elf: &Path) -> Result<Self> {
        let bytes = std::fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
        let file = object::File::parse(&*bytes).with_context(|| format!("cannot read {}", elf.display()))?;
        let text = file
            .sections()
            .find(|section| section.kind() == SectionKind::Text && section.size() > 0)
            .context("the program has no code section")?;
        let start = u32::try_from(text.address()).context("the code's address does not fit in 32 bits")?;
        let bytes = text.data().context("cannot read the code section")?.to_vec();
        let isa = Isa::of(&file)?;
        let mut code = Self { isa, start, bytes, begin: 0, end: 0, traced: Vec::new() };
        let mut left_out = Vec::new();
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
            let name = symbol.name().unwrap_or_default();
            // On Arm, bit 0 marks Thumb code.
            let address = symbol.address() as u32 & !1;
            if name.contains("11trace_marks5begin") {
                code.begin = address;
            } else if name.contains("11trace_marks3end") {
                code.end = address;
            } else if BEFORE.iter().any(|part| name.contains(part)) && symbol.size() > 0 {
                left_out.push((address, address + symbol.size() as u32));
            }
        }
        ensure!(
            code.begin != 0 && code.end != 0,
            "the program has no trace marks: call `trace_marks::around` (firmware-example) around the work"
        );
        code.traced = complement(start, start + code.bytes.len() as u32, left_out);
        Ok(code)
    }

    fn halfword(&self, address: u32) -> u16 {
        let at = address.wrapping_sub(self.start) as usize;
        self.bytes.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn instruction(&self, address: u32) -> Instruction {
        self.isa.decode(self.halfword(address), self.halfword(address + 2))
    }
}

/// Returns the rest of `start..end` without the given ranges, as first and last addresses.
fn complement(start: u32, end: u32, mut left_out: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    left_out.sort_unstable();
    let mut from = start;
    let mut rest = Vec::new();
    for (first, behind) in left_out {
        if first > from {
            rest.push((from, first - 1));
        }
        from = from.max(behind);
    }
    if end > from {
        rest.push((from, end - 1));
    }
    rest
}

/// Adds up the instructions and cycles of a trace.
struct Counter<'c> {
    code: &'c Code,
    timing: Timing,
    work: Work,
    inside: bool,
    /// The last address. Its instruction is counted when the next address is known.
    last: Option<u32>,
    previous: Kind,
}

impl<'c> Counter<'c> {
    fn new(code: &'c Code, timing: Timing) -> Self {
        Self { code, timing, work: Work::default(), inside: false, last: None, previous: Kind::Other }
    }

    /// Processes a line of the trace.
    fn line(&mut self, line: &[u8]) {
        if line.starts_with(b"Stopped") {
            // The block of the previous line did not run; the trace repeats it.
            self.last = None;
        } else if let Some(address) = program_counter(line) {
            self.step(address);
        }
    }

    fn step(&mut self, address: u32) {
        if self.inside
            && let Some(last) = self.last
        {
            let instruction = self.code.instruction(last);
            let jumps = address != last + instruction.bytes;
            self.work.instructions += 1;
            self.work.cycles += u64::from(self.timing.cycles(self.previous, instruction, jumps));
            self.previous = instruction.kind;
        }
        self.last = Some(address);
        if address == self.code.begin {
            self.inside = true;
        } else if address == self.code.end {
            self.inside = false;
        }
    }
}

/// Returns the program counter in a line of the trace; `None` for any other line.
fn program_counter(line: &[u8]) -> Option<u32> {
    let line = std::str::from_utf8(line.strip_prefix(b"Trace ")?).ok()?;
    let (_, fields) = line.split_once('[')?;
    u32::from_str_radix(fields.split('/').nth(1)?, 16).ok()
}

/// Runs a program and traces it between its marks.
pub fn run(repo: &Repo, board: &Board, elf: &Path, arguments: &[String], timeout: Duration) -> Result<Option<Work>> {
    let Some(timing) = Timing::of(board.core) else { return Ok(None) };
    let code = Code::read(elf)?;
    let ranges: Vec<_> = code.traced.iter().map(|(first, last)| format!("{first:#x}..{last:#x}")).collect();
    let mut qemu = emulator::command_line(&qemu::of(board).file(repo), board, elf, arguments)?;
    qemu.args(["-singlestep", "-d", "exec,nochain", "-dfilter", &ranges.join(",")]);
    eprintln!("$ {}", show(&qemu));
    let child = qemu.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut emulator = Emulator(child.with_context(|| emulator::cannot_start(board))?);
    let trace = emulator.0.stderr.take().context("QEMU has no stderr to read the trace from")?;
    let work = read(trace, Counter::new(&code, timing), Instant::now() + timeout)?;
    let status = emulator.0.wait().context("cannot wait for QEMU")?;
    ensure!(status.success(), "the traced program ended with {status}");
    ensure!(work.instructions > 0, "the trace is empty: check that this version of QEMU supports `-d exec`");
    Ok(Some(work))
}

fn read(trace: impl Read, mut counter: Counter<'_>, end: Instant) -> Result<Work> {
    let mut trace = BufReader::with_capacity(1 << 16, trace);
    let mut line = Vec::new();
    for index in 0_u64.. {
        line.clear();
        if trace.read_until(b'\n', &mut line).context("cannot read the trace")? == 0 {
            break;
        }
        counter.line(&line);
        if index.is_multiple_of(1 << 16) && Instant::now() > end {
            bail!("the traced program did not end within the time limit");
        }
    }
    Ok(counter.work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_trace() {
        let line = b"Trace 0: 0x7f1f0c000240 [00800408/000035e8/00000110/ff020201] main\n";
        assert_eq!(program_counter(line), Some(0x35e8));
        assert_eq!(program_counter(b"Stopped execution of TB chain before 0x7f74600019c0 [00000420] Reset"), None);
        assert_eq!(program_counter(b"Trace 0"), None);
    }

    #[test]
    fn what_is_not_left_out_is_traced() {
        assert_eq!(complement(0, 100, vec![]), [(0, 99)]);
        assert_eq!(complement(0, 100, vec![(40, 50), (0, 10), (90, 100)]), [(10, 39), (50, 89)]);
    }

    #[test]
    fn work_between_the_marks() {
        // At 100: ldr r0, [r1]; ldr r0, [r1]; b.n back to 100.
        let code = Code {
            isa: Isa::Thumb,
            start: 100,
            bytes: [0x6808_u16, 0x6808, 0xe7fc].iter().flat_map(|half| half.to_le_bytes()).collect(),
            begin: 10,
            end: 20,
            traced: Vec::new(),
        };
        let mut counter = Counter::new(&code, Timing::of("Cortex-M4F").unwrap());
        for address in [100, 102, 10, 100, 102, 104, 100, 20, 100, 102] {
            counter.step(address);
            if address == 104 {
                // QEMU repeats a block that did not run.
                counter.line(b"Stopped execution of TB chain before 0x7f [00000068] main");
                counter.step(address);
            }
        }
        // The mark itself (outside this code: one cycle and a jump), a load, a second load after it, a jump, a load and
        // a jump.
        assert_eq!(counter.work, Work { instructions: 5, cycles: 3 + 2 + 1 + 3 + 4 });
    }
}
