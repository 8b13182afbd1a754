//! Finds which crate each byte of flash comes from.
//!
//! Code is assigned by the debug information's line table: each address has the source file of its instruction, which
//! is that of the innermost inlined function. So `core`'s iterators count as `core` wherever they were inlined, and a
//! generic function counts as the crate that defines it, whichever crate instantiated it. Assembly without lines is
//! assigned by its symbol.
//!
//! The same code is also counted by functions, each with everything inlined into it. Their symbols name the crate. The
//! first path in a name decides, so `<core::slice::Iter<T> as ..>::next` belongs to `core`.
//!
//! Constants are assigned by their symbols. Unnamed texts and arrays have meaningless symbols, or none; the report has
//! a line for them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use gimli::{AttributeValue, DebugLine, DebugLineOffset, DebugStr, EndianSlice, LineProgramHeader, LittleEndian};
use object::{Architecture, Object, ObjectSection, ObjectSymbol, Section, SectionKind, SymbolKind};
use runtime::format::Layout;

use super::sections::is_in_flash;
use super::weights;

/// Constants without a meaningful symbol.
pub const UNNAMED: &str = "(constants without a name)";
/// Tables that the processor or a boot loader reads.
pub const TABLES: &str = "(vector table, boot blocks)";
/// Code without a line or a symbol: padding, or foreign assembly.
pub const NOBODY: &str = "(code without a name)";

pub(crate) type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Flash that a crate takes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Bytes of instructions and of the constants between them.
    pub code: u64,
    /// Bytes of the same code by functions: those of this crate with everything inlined into them.
    pub functions: u64,
    /// Bytes of constants and of variables' initial values, without the model.
    pub constants: u64,
}

impl Share {
    /// Returns the sum of code and constants.
    pub fn total(self) -> u64 {
        self.code + self.constants
    }
}

/// A piece of memory and its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    start: u64,
    end: u64,
    owner: String,
}

/// Returns the flash of a program by crates, without the model. The shares and the model add up to the sections.
pub fn of_elf(file: &object::File<'_>) -> Result<BTreeMap<String, Share>> {
    let lines = lines(file)?;
    let symbols = symbols(file);
    let mut crates = BTreeMap::<String, Share>::new();
    for section in file.sections().filter(is_in_flash) {
        let (start, end) = (section.address(), section.address() + section.size());
        if section.kind() == SectionKind::Text {
            let owned = owners(start, end, &[&lines, &symbols], NOBODY);
            for (owner, bytes) in owned {
                crates.entry(owner).or_default().code += bytes;
            }
            for (owner, bytes) in owners(start, end, &[&symbols], NOBODY) {
                crates.entry(owner).or_default().functions += bytes;
            }
        } else if is_read_by_hardware(&section) {
            crates.entry(TABLES.to_owned()).or_default().constants += section.size();
        } else {
            for (owner, bytes) in owners(start, end, &[&symbols], UNNAMED) {
                crates.entry(owner).or_default().constants += bytes;
            }
            // The model has its own line in the report. Its symbol names the crate that it is linked into, or there is
            // none.
            for blob in weights::in_section(&section) {
                for (owner, bytes) in owners(blob.start, blob.end, &[&symbols], UNNAMED) {
                    crates.entry(owner).or_default().constants -= bytes;
                }
            }
        }
    }
    crates.retain(|_, share| share.total() + share.functions > 0);
    Ok(crates)
}

/// Returns whether the hardware, not the program, reads a section.
fn is_read_by_hardware(section: &Section<'_, '_>) -> bool {
    section.name().is_ok_and(|name| name == ".vector_table" || name.contains("boot") || name.ends_with("_block"))
}

/// Divides `start..end` among owners. The first list that contains an address decides. Addresses in no list belong to
/// `nobody`.
fn owners(start: u64, end: u64, lists: &[&[Range]], nobody: &str) -> BTreeMap<String, u64> {
    let mut bytes = BTreeMap::<String, u64>::new();
    let Some((&list, rest)) = lists.split_first() else {
        if start < end {
            bytes.insert(nobody.to_owned(), end - start);
        }
        return bytes;
    };
    let mut add = |owner: &str, count: u64| *bytes.entry(owner.to_owned()).or_default() += count;
    let gap = |start: u64, end: u64, add: &mut dyn FnMut(&str, u64)| {
        for (owner, count) in owners(start, end, rest, nobody) {
            add(&owner, count);
        }
    };
    let mut at = start;
    // The ranges are sorted. Where two overlap, the first one gets the common part.
    for range in &list[list.partition_point(|range| range.end <= start)..] {
        if range.start >= end {
            break;
        }
        let (from, to) = (range.start.max(at), range.end.min(end));
        if from >= to {
            continue;
        }
        gap(at, from, &mut add);
        add(&range.owner, to - from);
        at = to;
    }
    gap(at, end, &mut add);
    bytes
}

/// Reads the line table and returns the source crate of each stretch of code.
fn lines(file: &object::File<'_>) -> Result<Vec<Range>> {
    let data = |name: &str| -> Result<&[u8]> {
        file.section_by_name(name)
            .map_or(Ok(&[][..]), |section| section.data())
            .with_context(|| format!("section {name}"))
    };
    let (lines, strings) = (data(".debug_line")?, data(".debug_str")?);
    let line_strings = data(".debug_line_str")?;
    let strings = Strings { own: DebugStr::new(strings, LittleEndian), of_lines: line_strings };
    let table = DebugLine::new(lines, LittleEndian);
    let mut ranges = Vec::new();
    let mut offset = 0;
    while offset < lines.len() {
        // Addresses have 4 bytes, since the targets are 32-bit processors. (DWARF 5 states this itself.)
        let program = table.program(DebugLineOffset(offset), 4, None, None).context("in .debug_line")?;
        let header = program.header().clone();
        offset += header.unit_length() + usize::from(header.format().initial_length_size());
        let mut rows = program.rows();
        let mut last: Option<(u64, u64)> = None;
        // Only linked code counts: the linker moved the rest to address 0.
        let mut sequence_start = None;
        while let Some((_, row)) = rows.next_row().context("in .debug_line")? {
            let start = *sequence_start.get_or_insert(row.address());
            if let Some((address, source)) = last
                && address < row.address()
                && start != 0
                && let Some(owner) = strings.path(&header, source).as_deref().and_then(crate_of_path)
            {
                ranges.push(Range { start: address, end: row.address(), owner });
            }
            last = Some((row.address(), row.file_index()));
            if row.end_sequence() {
                (last, sequence_start) = (None, None);
            }
        }
    }
    ranges.sort_by_key(|range| (range.start, range.end));
    Ok(ranges)
}

/// Sections with the line table's names.
pub(crate) struct Strings<'a> {
    pub(crate) own: DebugStr<Slice<'a>>,
    pub(crate) of_lines: &'a [u8],
}

impl<'a> Strings<'a> {
    /// Returns a source file's path with its folder.
    pub(crate) fn path(&self, header: &LineProgramHeader<Slice<'a>>, file: u64) -> Option<String> {
        let file = header.file(file)?;
        let name = self.text(file.path_name())?;
        let folder = file.directory(header).and_then(|folder| self.text(folder)).unwrap_or_default();
        Some(if name.starts_with('/') || folder.is_empty() { name } else { format!("{folder}/{name}") })
    }

    fn text(&self, value: AttributeValue<Slice<'a>>) -> Option<String> {
        let bytes = match value {
            AttributeValue::String(text) => text.slice(),
            AttributeValue::DebugStrRef(offset) => self.own.get_str(offset).ok()?.slice(),
            AttributeValue::DebugLineStrRef(offset) => {
                self.of_lines.get(offset.0..)?.split(|&byte| byte == 0).next().unwrap_or_default()
            }
            _ => return None,
        };
        Some(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// Returns the crate that a source file belongs to.
///
/// Dependencies are in `.../registry/src/INDEX/NAME-VERSION/`, the standard library is in `/rustc/HASH/library/NAME/`
/// or `.../lib/rustlib/src/rust/library/NAME/`, and the workspace's own files are named from its top.
fn crate_of_path(path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let behind = |name: &str, skip: usize| {
        let at = parts.iter().position(|part| *part == name)?;
        parts.get(at + skip).copied()
    };
    let name = if let Some(package) = behind("registry", 3) {
        // `cortex-m-rt-0.7.7`: the version begins at the last hyphen before a digit.
        let version =
            package.match_indices('-').find(|(at, _)| package[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
        version.map_or(package, |(at, _)| &package[..at])
    } else if let Some(library) = behind("library", 1) {
        if library == "stdarch" { "core" } else { library }
    } else {
        let of_target = parts.iter().position(|part| *part == "target");
        // Build scripts write to `target/.../build/NAME-HASH/out/`.
        match of_target.and_then(|_| behind("build", 1)) {
            Some(built) => built.rsplit_once('-').map_or(built, |(name, _)| name),
            // Also skips the repository's top folder if the path contains it.
            None => {
                let source = parts.iter().rposition(|part| ["src", "rigs"].contains(part))?;
                parts.get(source.checked_sub(1)?)?
            }
        }
    };
    Some(name.replace('_', "-"))
}

/// Returns all symbols with a size: functions and named constants.
fn symbols(file: &object::File<'_>) -> Vec<Range> {
    let mut ranges = Vec::new();
    for symbol in file.symbols() {
        let is_sized = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data) && symbol.size() > 0;
        let Ok(name) = symbol.name() else { continue };
        if let Some(owner) = crate_of_symbol(name, file.architecture())
            && is_sized
        {
            // Bit 0 of a function's address marks Thumb code.
            let start = if symbol.kind() == SymbolKind::Text { symbol.address() & !1 } else { symbol.address() };
            ranges.push(Range { start, end: start + symbol.size(), owner });
        }
    }
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges
}

/// Returns whether a symbol is one of the runtime's assembly functions, whose names begin with their layout.
pub fn is_assembly_of_runtime(symbol: &str) -> bool {
    let layouts = Layout::INTEGERS.iter().map(|layout| layout.name().to_owned());
    layouts.chain(["runtime", "vfp"].map(str::to_owned)).any(|name| symbol.starts_with(&format!("{name}_")))
}

/// Returns the crate that a symbol of a program names, if any.
fn crate_of_symbol(symbol: &str, architecture: Architecture) -> Option<String> {
    if is_assembly_of_runtime(symbol) {
        return Some("runtime".to_owned());
    }
    if symbol.starts_with("__aeabi_") {
        return Some("compiler-builtins".to_owned());
    }
    if ["Reset", "DefaultHandler_", "HardFaultTrampoline", "__INTERRUPTS", "__EXCEPTIONS", "__pre_init"]
        .contains(&symbol)
    {
        let start_up = if architecture == Architecture::Riscv32 { "riscv-rt" } else { "cortex-m-rt" };
        return Some(start_up.to_owned());
    }
    let name = format!("{:#}", rustc_demangle::try_demangle(symbol).ok()?);
    // For `<&mut core::str::Chars as ..>::next`, takes the first part of the first path.
    let parts = name.match_indices("::").map(|(end, _)| {
        let start = name[..end].rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        &name[start..end]
    });
    match parts.into_iter().find(|part| !part.is_empty()) {
        // The compiler names the panic handler and similar symbols.
        Some("__rustc") => None,
        Some(part) => Some(part.replace('_', "-")),
        // Methods of built-in types, such as `<[u8]>::fill`.
        None => Some("core".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_of_files() {
        for (path, expected) in [
            ("/h/.cargo/registry/src/index-1949cf8c6b5b557f/cortex-m-rt-0.7.7/src/lib.rs", "cortex-m-rt"),
            ("/h/.cargo/registry/src/index-1949cf8c6b5b557f/serde_core-1.0.0-rc.1/src/de.rs", "serde-core"),
            ("/rustc/59807616e1fa/library/core/src/slice/mod.rs", "core"),
            ("/rustc/59807616e1fa/library/compiler-builtins/compiler-builtins/src/mem.rs", "compiler-builtins"),
            ("runtime/src/kernels/dual16/dsp.rs", "runtime"),
            ("/home/me/src/words/runtime/src/kernels.rs", "runtime"),
            ("firmware-example/src/bin/console.rs", "firmware-example"),
            ("firmware-example/rigs/bench/main.rs", "firmware-example"),
            ("/w/target/thumbv7em-none-eabihf/firmware/build/some-pac-0123abcd/out/device.rs", "some-pac"),
        ] {
            assert_eq!(crate_of_path(path).as_deref(), Some(expected), "{path}");
        }
        assert_eq!(crate_of_path("a.rs"), None);
    }

    #[test]
    fn crates_of_symbols() {
        for (symbol, expected) in [
            ("_ZN7runtime5quant4TANH17h998529171c1698d4E", Some("runtime")),
            ("_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17h0ce2ba2f430111f8E", Some("core")),
            ("_RNvNtCs7NhdfSRABLd_17compiler_builtins3mem6memcpy", Some("compiler-builtins")),
            ("_RNvMNtCs7ldSeZOOJos_4core3strSe8trim_end", Some("core")),
            ("dual16_rows_i8", Some("runtime")),
            ("Reset", Some("cortex-m-rt")),
            (".Lanon.88b94e7312261267de5bd5db2f6d1e4d.185", None),
        ] {
            assert_eq!(crate_of_symbol(symbol, Architecture::Arm).as_deref(), expected, "{symbol}");
        }
        assert_eq!(crate_of_symbol("__EXCEPTIONS", Architecture::Riscv32).as_deref(), Some("riscv-rt"));
    }

    #[test]
    fn every_byte_has_one_owner() {
        let range = |start, end, owner: &str| Range { start, end, owner: owner.to_owned() };
        let first = [range(0, 10, "before"), range(20, 30, "a"), range(25, 40, "b")];
        let second = [range(8, 22, "c"), range(50, 90, "d")];
        let owned = owners(10, 60, &[&first, &second], "nobody");
        let expected = [("a", 10), ("b", 10), ("c", 10), ("d", 10), ("nobody", 10)];
        assert_eq!(owned, expected.map(|(owner, bytes)| (owner.to_owned(), bytes)).into());
        assert!(owners(5, 5, &[], "nobody").is_empty());
    }
}
