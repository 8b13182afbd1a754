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

use crate::isa::{Isa, Read, data_ranges};
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
    /// True if its stack cannot be read from its instructions.
    is_unknown: bool,
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
    /// Reads an ELF file for a chip.
    ///
    /// # Errors
    /// Returns an error if the bytes are not an ELF file, or if an instruction lies outside every function.
    pub fn of_elf(bytes: &[u8]) -> Result<Self> {
        let file = object::File::parse(bytes)?;
        let isa = Isa::of(&file)?;
        let mut functions = BTreeMap::new();
        let mut constants = words(&file)?;
        let frames = frames(&file)?;
        let data = data_ranges(&file);
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
            // On Arm, the lowest bit marks Thumb code; on RISC-V it is 0.
            let (start, size) = (symbol.address() & !1, symbol.size());
            let section = symbol.section_index().context("a function has no section")?;
            let section = file.section_by_index(section)?;
            let code = section.data_range(start, size)?.context("a function lies outside its section")?;
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name()?));
            let read = isa.read(start, code, &data);
            constants.extend(&read.constants);
            let frame = frames.get(&start).copied().unwrap_or(0).max(read.pushed);
            let Read { calls, calls_pointer, calls_debugger, is_unknown, .. } = read;
            let function =
                Function { name, end: start + size, frame, calls, calls_pointer, calls_debugger, is_unknown };
            // If two names share one function, either name will do.
            functions.insert(start, function);
        }
        let pointed_to = functions.keys().copied().filter(|&start| constants.contains(&isa.pointer(start))).collect();
        Ok(Self { functions, pointed_to })
    }

    /// Returns the names of all functions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.values().map(|function| function.name.as_str())
    }

    /// Returns the names of the functions that call a debugger through semihosting.
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
        ensure!(!function.is_unknown, "the stack of {} is unknown: an instruction is not understood", function.name);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, start: u64, frame: u64, calls: &[u64]) -> (u64, Function) {
        let calls = calls.iter().copied().collect();
        let (name, calls_pointer, is_unknown) = (name.to_owned(), name == "d", name == "u");
        (start, Function { name, end: start + 16, frame, calls, calls_pointer, calls_debugger: false, is_unknown })
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
        graph.functions.extend([function("u", 48, 12, &[])]);
        assert!(graph.bound("a").unwrap_err().to_string().contains("stack of u is unknown"));
    }
}
