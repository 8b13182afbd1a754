//! Builds the call graph of a program and bounds its stack.
//!
//! Functions are the symbols of the ELF file. A function's calls are read from its instructions. Its stack frame is
//! read from the debug information (`.debug_frame`), or from its instructions if assembly has no debug information. A
//! call through a pointer may reach every function whose address occurs in the program. A function that can reach
//! itself in this way counts as recursive.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use gimli::{BaseAddresses, CfaRule, DebugFrame, LittleEndian, UnwindContext, UnwindSection};

use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

use crate::size::weights;

/// Functions of a program by address, with their calls.
#[derive(Debug, Default)]
pub struct CallGraph {
    functions: BTreeMap<u64, Function>,
    /// Functions whose address occurs in the program, outside the vector table: the possible targets of a pointer.
    pointed_to: BTreeSet<u64>,
}

/// A function.
#[derive(Debug, Clone)]
struct Function {
    name: String,
    end: u64,
    /// Bytes of stack that the function itself takes.
    frame: u64,
    /// Addresses of the functions that it calls, or jumps to at its end.
    calls: BTreeSet<u64>,
    /// True if it calls through a pointer.
    calls_pointer: bool,
    /// True if it calls a debugger.
    calls_debugger: bool,
}

/// Upper bound of the stack that a call takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The bound in bytes.
    pub bytes: u64,
    /// Call path that takes the most stack, outermost function first, with the bytes of each function.
    pub path: Vec<(String, u64)>,
}

impl CallGraph {
    /// Reads an ELF file for a Cortex-M.
    ///
    /// # Errors
    /// Returns an error if the bytes are not an ELF file, or if an instruction lies outside every function.
    pub fn of_elf(bytes: &[u8]) -> Result<Self> {
        let file = object::File::parse(bytes)?;
        let mut functions = BTreeMap::new();
        let mut constants = words(&file)?;
        let frames = frames(&file)?;
        let data = data_ranges(&file);
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
            // The lowest bit marks Thumb code.
            let (start, size) = (symbol.address() & !1, symbol.size());
            let section = symbol.section_index().context("a function has no section")?;
            let section = file.section_by_index(section)?;
            let code = section.data_range(start, size)?.context("a function lies outside its section")?;
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name()?));
            let read = read(start, code, &data);
            constants.extend(&read.constants);
            let frame = frames.get(&start).copied().unwrap_or(0).max(read.pushed);
            let Read { calls, calls_pointer, calls_debugger, .. } = read;
            let function = Function { name, end: start + size, frame, calls, calls_pointer, calls_debugger };
            // If two names share one function, either name will do.
            functions.insert(start, function);
        }
        // In code, the lowest bit of a function's address marks Thumb.
        let pointed_to = functions.keys().copied().filter(|start| constants.contains(&(start | 1))).collect();
        Ok(Self { functions, pointed_to })
    }

    /// Returns the names of all functions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.values().map(|function| function.name.as_str())
    }

    /// Returns the names of the functions that call a debugger through Arm's semihosting.
    pub fn callers_of_debugger(&self) -> impl Iterator<Item = &str> {
        self.functions.values().filter(|function| function.calls_debugger).map(|function| function.name.as_str())
    }

    /// Returns the function that contains an address: a call may skip a function's first instruction.
    fn at(&self, address: u64) -> Option<(u64, &Function)> {
        let (&start, function) = self.functions.range(..=address).next_back()?;
        (address < function.end).then_some((start, function))
    }

    /// Returns the most stack that calling a function can take.
    ///
    /// # Errors
    /// Returns an error if there is no function of this name, if functions are recursive (the error lists them), or if
    /// a call leads outside every function.
    pub fn bound(&self, name: &str) -> Result<Bound> {
        let named = self.functions.iter().find(|(_, function)| function.name == name);
        let (&start, _) = named.with_context(|| format!("no function {name}"))?;
        let mut known = BTreeMap::new();
        let bytes = self.deepest(start, &mut Vec::new(), &mut known)?;
        let mut path = Vec::new();
        let mut next = Some(start);
        while let Some(at) = next {
            let function = &self.functions[&at];
            path.push((function.name.clone(), function.frame));
            next = known[&at].1;
        }
        Ok(Bound { bytes, path })
    }

    /// Returns the most stack that a function takes with everything it calls. `known` stores the result and the callee
    /// on the deepest path.
    fn deepest(
        &self,
        start: u64,
        callers: &mut Vec<u64>,
        known: &mut BTreeMap<u64, (u64, Option<u64>)>,
    ) -> Result<u64> {
        if let Some(&(bytes, _)) = known.get(&start) {
            return Ok(bytes);
        }
        let function = &self.functions[&start];
        let cycle = callers.iter().position(|&caller| caller == start).map(|from| &callers[from..]);
        ensure!(
            cycle.is_none(),
            "recursion: {}",
            cycle.unwrap_or(&[]).iter().map(|at| self.functions[at].name.as_str()).collect::<Vec<_>>().join(" -> ")
        );
        callers.push(start);
        let (mut most, mut through) = (0, None);
        let pointed_to = function.calls_pointer.then_some(&self.pointed_to).into_iter().flatten();
        for &called in function.calls.iter().chain(pointed_to) {
            let (called, _) = self
                .at(called)
                .with_context(|| format!("{} calls {called:#x}, which is in no function", function.name))?;
            // A function may jump back to its own start.
            if called == start {
                continue;
            }
            let bytes = self.deepest(called, callers, known)?;
            if bytes > most || through.is_none() {
                (most, through) = (bytes, Some(called));
            }
        }
        callers.pop();
        let bytes = function.frame + most;
        known.insert(start, (bytes, through));
        Ok(bytes)
    }
}

/// Returns the largest frame of every function with debug information, by address.
fn frames(file: &object::File<'_>) -> Result<BTreeMap<u64, u64>> {
    let mut frames = BTreeMap::new();
    let Some(section) = file.section_by_name(".debug_frame") else { return Ok(frames) };
    let mut table = DebugFrame::new(section.data()?, LittleEndian);
    table.set_address_size(4);
    let bases = BaseAddresses::default();
    let mut entries = table.entries(&bases);
    let mut context = UnwindContext::new();
    while let Some(entry) = entries.next()? {
        let gimli::CieOrFde::Fde(partial) = entry else { continue };
        let fde = partial.parse(|section, bases, offset| section.cie_from_offset(bases, offset))?;
        let mut largest = 0;
        let mut rows = fde.rows(&table, &bases, &mut context)?;
        while let Some(row) = rows.next_row()? {
            if let CfaRule::RegisterAndOffset { offset, .. } = row.cfa() {
                largest = largest.max(u64::try_from(*offset).unwrap_or(0));
            }
        }
        frames.insert(fde.initial_address() & !1, largest);
    }
    Ok(frames)
}

/// Returns all words of data that are loaded onto the chip. Left out are the vector table, which only the processor
/// reads, and models, whose small numbers are not pointers.
fn words(file: &object::File<'_>) -> Result<BTreeSet<u64>> {
    let mut words = BTreeSet::new();
    for section in file.sections() {
        let is_loaded = matches!(section.kind(), SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::Data);
        if is_loaded && section.name()? != ".vector_table" {
            let models = weights::in_section(&section);
            let (chunks, _) = section.data()?.as_chunks::<4>();
            let addressed = (section.address()..).step_by(4).zip(chunks);
            let elsewhere = addressed.filter(|(address, _)| !models.iter().any(|model| model.contains(address)));
            words.extend(elsewhere.map(|(_, &word)| u64::from(u32::from_le_bytes(word))));
        }
    }
    Ok(words)
}

/// Returns where data lies between instructions, from the mapping symbols `$d` and `$t` (Arm, "ELF for the Arm
/// Architecture", 5.5.5). Each entry says whether data starts at its address.
fn data_ranges(file: &object::File<'_>) -> BTreeMap<u64, bool> {
    let marks = file.symbols().filter_map(|symbol| {
        let name = symbol.name().ok()?;
        let is = |mark: &str| name == mark || name.strip_prefix(mark).is_some_and(|rest| rest.starts_with('.'));
        (is("$d") || is("$t")).then(|| (symbol.address(), is("$d")))
    });
    marks.collect()
}

/// Facts read from a function's instructions.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    /// Addresses that it calls, and jump targets outside the function.
    calls: BTreeSet<u64>,
    calls_pointer: bool,
    /// True if there is a BKPT 0xab.
    calls_debugger: bool,
    /// Numbers composed by MOVW and MOVT.
    constants: BTreeSet<u64>,
    /// Bytes of everything that the function pushes, as if nothing were popped in between.
    pushed: u64,
}

/// Reads a function's instructions (Armv7-M Architecture Reference Manual, A5 and A7; the same in Armv6-M and Armv8-M).
fn read(start: u64, code: &[u8], data: &BTreeMap<u64, bool>) -> Read {
    let mut read = Read::default();
    let end = start + code.len() as u64;
    let half = |address: u64| {
        let at = usize::try_from(address - start).ok()?;
        Some(u16::from_le_bytes([*code.get(at)?, *code.get(at + 1)?]))
    };
    let mut address = start;
    // The last value of each register that MOVW, or an LDR of a constant after the code, loaded.
    let mut low = [0; 16];
    while let Some(first) = half(address) {
        if data.range(..=address).next_back().is_some_and(|(_, &is_data)| is_data) {
            address += 2;
            continue;
        }
        let pc = address.wrapping_add(4);
        // The second half of a long instruction; `None` for a short one.
        let second = if first >= 0xe800 { half(address + 2) } else { None };
        let target = match (first, second) {
            // B, T2.
            (0xe000..=0xe7ff, None) => Some(pc.wrapping_add_signed(signed(u64::from(first & 0x7ff) << 1, 12))),
            // B<c>, T1; conditions 14 and 15 are UDF and SVC.
            (0xd000..=0xddff, None) => Some(pc.wrapping_add_signed(signed(u64::from(first & 0xff) << 1, 9))),
            // BL and B, T4.
            (0xf000..=0xf7ff, Some(second)) if second & 0x9000 == 0x9000 => {
                Some(pc.wrapping_add_signed(long(first, second)))
            }
            // B<c>, T3.
            (0xf000..=0xf7ff, Some(second)) if second & 0xd000 == 0x8000 && first & 0x380 != 0x380 => {
                Some(pc.wrapping_add_signed(conditional(first, second)))
            }
            _ => None,
        };
        if let Some(target) = target {
            let is_call = second.is_some_and(|second| second & 0xd000 == 0xd000);
            if is_call || !(start..end).contains(&target) {
                read.calls.insert(target);
            }
        }
        // A MOV of a register to pc does not count: it is how a `match` jumps where there is no TBB.
        read.calls_pointer |= match (first, second) {
            // BLX register; BX register, except BX lr, which returns.
            (0x4700..=0x47ff, None) => first & 0x80 != 0 || (first >> 3) & 0xf != 14,
            _ => false,
        };
        read.calls_debugger |= (first, second) == (0xbeab, None);
        // MOVW and MOVT: imm4, i, imm3, imm8.
        if let (first @ (0xf240..=0xf24f | 0xf640..=0xf64f | 0xf2c0..=0xf2cf | 0xf6c0..=0xf6cf), Some(second)) =
            (first, second)
        {
            let number = u64::from(first & 0xf) << 12 | plain(first, second);
            let low = &mut low[usize::from(second >> 8 & 0xf)];
            if first & 0x80 == 0 {
                *low = number;
            } else {
                read.constants.insert(number << 16 | *low);
            }
        }
        read.pushed += match (first, second) {
            // LDR register, [pc, number]: T1.
            (0x4800..=0x4fff, None) => {
                let at = (pc & !3) + 4 * u64::from(first & 0xff);
                let word = half(at).zip(half(at + 2)).map(|(low, high)| u64::from(high) << 16 | u64::from(low));
                low[usize::from(first >> 8 & 7)] = word.unwrap_or(0);
                0
            }
            // ADD sp, register, with a negative number: Armv6-M uses it where the number is too large for SUB.
            (0x4485..=0x44fd, None) if first & 0x87 == 0x85 => {
                u64::from((low[usize::from(first >> 3 & 0xf)] as u32).cast_signed().min(0).unsigned_abs())
            }
            _ => pushed(first, second),
        };
        address += if second.is_some() || first >= 0xe800 { 4 } else { 2 };
    }
    read
}

/// Returns the bytes that an instruction pushes.
fn pushed(first: u16, second: Option<u16>) -> u64 {
    match (first, second) {
        // PUSH, T1: eight registers, and lr.
        (0xb400..=0xb5ff, None) => 4 * u64::from((first & 0x1ff).count_ones()),
        // SUB sp, T1.
        (0xb080..=0xb0ff, None) => 4 * u64::from(first & 0x7f),
        // STMDB sp!, that is PUSH, T2.
        (0xe92d, Some(list)) => 4 * u64::from(list.count_ones()),
        // STR with write-back of sp, a PUSH of one register, T3: from 0xc04 on, the last byte is the offset.
        (0xf84d, Some(second)) if second & 0xf00 == 0xd00 => u64::from(second & 0xff),
        // STRD with write-back of sp, downwards.
        (0xe96d, Some(second)) => 4 * u64::from(second & 0xff),
        // VPUSH of doubles, and of singles: the number of words.
        (0xed2d | 0xed6d, Some(second)) => 4 * u64::from(second & 0xff),
        // SUB.W sp, T2, and SUBW, T3.
        (0xf1ad | 0xf5ad, Some(second)) => expanded(first, second),
        (0xf2ad | 0xf6ad, Some(second)) => plain(first, second),
        _ => 0,
    }
}

/// Returns the immediate of 12 bits: i, imm3, imm8.
fn plain(first: u16, second: u16) -> u64 {
    let (i, imm3, imm8) = (first >> 10 & 1, second >> 12 & 7, second & 0xff);
    u64::from(i << 11 | imm3 << 8 | imm8)
}

/// Returns ThumbExpandImm, A5.3.2.
fn expanded(first: u16, second: u16) -> u64 {
    let bits = plain(first, second);
    let byte = bits & 0xff;
    match bits >> 8 {
        0 => byte,
        1 => byte << 16 | byte,
        2 => byte << 24 | byte << 8,
        3 => byte << 24 | byte << 16 | byte << 8 | byte,
        _ => u64::from((0x80 | (byte as u32 & 0x7f)).rotate_right((bits >> 7) as u32)),
    }
}

/// Returns the two's complement number in the lowest `bits` bits.
fn signed(value: u64, bits: u32) -> i64 {
    let unused = 64 - bits;
    (value << unused).cast_signed() >> unused
}

/// Returns the offset of BL and B, T4: S, I1, I2, imm10, imm11.
fn long(first: u16, second: u16) -> i64 {
    let bit = |half: u16, at: u32| u64::from(half >> at & 1);
    let sign = bit(first, 10);
    let (i1, i2) = (1 - (bit(second, 13) ^ sign), 1 - (bit(second, 11) ^ sign));
    let low = u64::from(first & 0x3ff) << 12 | u64::from(second & 0x7ff) << 1;
    signed(sign << 24 | i1 << 23 | i2 << 22 | low, 25)
}

/// Returns the offset of B<c>, T3: S, J2, J1, imm6, imm11.
fn conditional(first: u16, second: u16) -> i64 {
    let bit = |half: u16, at: u32| u64::from(half >> at & 1);
    let low = u64::from(first & 0x3f) << 12 | u64::from(second & 0x7ff) << 1;
    signed(bit(first, 10) << 20 | bit(second, 11) << 19 | bit(second, 13) << 18 | low, 21)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(halves: &[u16]) -> Read {
        let code: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        read(0x1000, &code, &BTreeMap::new())
    }

    /// Encodings come from an assembler.
    #[test]
    fn what_is_called() {
        let calls = |halves: &[u16]| of(halves).calls.into_iter().collect::<Vec<_>>();
        // bl 0x1234; bl 0xf00; b.w 0x2000; beq.w 0x2000; b 0x1100; beq 0x1080
        assert_eq!(calls(&[0xf000, 0xf918]), [0x1234]);
        assert_eq!(calls(&[0xf7ff, 0xff7e]), [0xf00]);
        assert_eq!(calls(&[0xf000, 0xbffe]), [0x2000]);
        assert_eq!(calls(&[0xf000, 0x87fe]), [0x2000]);
        assert_eq!(calls(&[0xe07e]), [0x1100]);
        assert_eq!(calls(&[0xd03e]), [0x1080]);
        // b . and bne . stay in the function; a call to itself does not.
        assert_eq!(calls(&[0xe7fe, 0xd1fd]), [0; 0]);
        assert_eq!(calls(&[0xf7ff, 0xfffe]), [0x1000]);
        // udf, svc, dmb, cpsid, mrs and msr do not jump.
        assert_eq!(calls(&[0xde00, 0xdf00, 0xf3bf, 0x8f5f, 0xb672, 0xf3ef, 0x8008, 0xf380, 0x8808]), [0; 0]);
        // blx r3 and bx r3 are calls; bx lr, mov r7, r8 and mov pc, r3 are not.
        for half in [0x4798, 0x4718] {
            assert!(of(&[half]).calls_pointer, "{half:x}");
        }
        assert!(!of(&[0x4770, 0x4647, 0x469f]).calls_pointer);
    }

    #[test]
    fn a_debugger_is_called() {
        // bkpt 0xab; b.w, whose second half has the same bits; bkpt 0.
        assert!(of(&[0xbeab]).calls_debugger);
        assert!(!of(&[0xf7fe, 0xbeab, 0xbe00]).calls_debugger);
    }

    #[test]
    fn what_is_pushed() {
        let pushed = |halves: &[u16]| of(halves).pushed;
        assert_eq!(pushed(&[0xb5f0]), 20); // push {r4-r7, lr}
        assert_eq!(pushed(&[0xe92d, 0x4ff0]), 36); // push.w {r4-r11, lr}
        assert_eq!(pushed(&[0xf84d, 0x8d04]), 4); // str r8, [sp, #-4]!
        assert_eq!(pushed(&[0xed2d, 0x8b10]), 64); // vpush {d8-d15}
        assert_eq!(pushed(&[0xed2d, 0x8a01]), 4); // vpush {s16}
        assert_eq!(pushed(&[0xb08a]), 40); // sub sp, #40
        assert_eq!(pushed(&[0xf5ad, 0x6d80]), 1024); // sub.w sp, sp, #1024
        assert_eq!(pushed(&[0xf2ad, 0x4d04]), 1028); // subw sp, sp, #1028
        assert_eq!(pushed(&[0xb00a, 0xbdf0]), 0); // add sp, #40; pop {r4-r7, pc}
        // ldr r6, [pc, #4]; add sp, r6; the same two again, to undo it; then the two numbers
        assert_eq!(pushed(&[0x4e01, 0x44b5, 0x4e01, 0x44b5, 0xf000, 0xffff, 0x1000, 0x0000]), 4096);
    }

    #[test]
    fn numbers_in_two_halves() {
        // movw r5, #0x30dd; movt r5, #0x2001
        let read = of(&[0xf243, 0x05dd, 0xf2c2, 0x0501]);
        assert_eq!(read.constants.into_iter().collect::<Vec<_>>(), [0x2001_30dd]);
    }

    fn function(name: &str, start: u64, frame: u64, calls: &[u64]) -> (u64, Function) {
        let calls = calls.iter().copied().collect();
        let (name, calls_pointer) = (name.to_owned(), name == "d");
        (start, Function { name, end: start + 16, frame, calls, calls_pointer, calls_debugger: false })
    }

    #[test]
    fn the_deepest_way() {
        let mut graph = CallGraph::default();
        graph.functions.extend([
            function("a", 0, 8, &[16, 32]),
            function("b", 16, 100, &[48]),
            function("c", 32, 40, &[48, 52]),
            function("d", 48, 12, &[]),
        ]);
        let bound = graph.bound("a").unwrap();
        assert_eq!(bound.bytes, 120);
        let path = [("a".to_owned(), 8), ("b".to_owned(), 100), ("d".to_owned(), 12)];
        assert_eq!(bound.path, path);
        assert!(graph.bound("f").is_err());

        // `d` calls through a pointer.
        graph.functions.extend([function("e", 64, 30, &[])]);
        graph.pointed_to.insert(64);
        assert_eq!(graph.bound("a").unwrap().bytes, 150);
        graph.pointed_to.insert(0);
        assert!(graph.bound("a").unwrap_err().to_string().starts_with("recursion"));
        graph.pointed_to.clear();

        graph.functions.extend([function("d", 48, 12, &[16])]);
        assert_eq!(graph.bound("a").unwrap_err().to_string(), "recursion: b -> d");
        graph.functions.extend([function("d", 48, 12, &[99])]);
        assert!(graph.bound("a").unwrap_err().to_string().contains("which is in no function"));
    }
}
