//! Reads instructions of the two architectures, as far as the call graph and the estimate of cycles need it.
//!
//! There is no disassembler here: `yaxpeax-arm`, the available crate, supports neither VFP nor the vector extension.

mod riscv;
mod thumb;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use object::{Architecture, Object, ObjectSymbol};

/// An architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Thumb, of all Cortex-M.
    Thumb,
    /// RISC-V with 32 bits, multiplication and compressed instructions.
    Riscv,
}

impl Isa {
    /// Returns the architecture of a program.
    ///
    /// # Errors
    /// Returns an error for any other architecture.
    pub fn of(file: &object::File<'_>) -> Result<Self> {
        match file.architecture() {
            Architecture::Arm => Ok(Self::Thumb),
            Architecture::Riscv32 => Ok(Self::Riscv),
            other => bail!("a program for {other:?}, not for a chip"),
        }
    }

    /// Decodes an instruction from its halfword and the following one.
    pub fn decode(self, first: u16, second: u16) -> Instruction {
        match self {
            Self::Thumb => thumb::decode(first, second),
            Self::Riscv => riscv::decode(first, second),
        }
    }

    /// Reads the instructions of a function. `data` says where data lies between them: see [`data_ranges`].
    pub fn read(self, start: u64, code: &[u8], data: &BTreeMap<u64, bool>) -> Read {
        let code = Code { start, bytes: code, data };
        match self {
            Self::Thumb => thumb::read(&code),
            Self::Riscv => riscv::read(&code),
        }
    }

    /// Returns the value of a pointer to the function at this address.
    pub const fn pointer(self, address: u64) -> u64 {
        match self {
            // The lowest bit marks Thumb code.
            Self::Thumb => address | 1,
            Self::Riscv => address,
        }
    }
}

/// Class of an instruction, which determines its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All others: arithmetic, moves, branches.
    Other,
    /// BL, JAL, JALR.
    Call,
    /// A load of up to 32 bits.
    Load,
    /// Loads of that many words: LDM, POP, LDRD, VLDM, VLDR of 64 bits.
    LoadMany(u32),
    /// A store of up to 32 bits.
    Store,
    /// Stores of that many words.
    StoreMany(u32),
    /// MUL, and the multiplications of Arm's DSP extension.
    Multiply,
    /// MLA, MLS.
    MultiplyAdd,
    /// SMULL, UMULL, MULH and its variants.
    MultiplyLong,
    /// SMLAL, UMLAL and similar.
    MultiplyLongAdd,
    /// SDIV, UDIV; DIV, REM and their variants.
    Divide,
    /// VMLA, VFMA and similar, scalar.
    FloatMultiplyAdd,
    /// VDIV, VSQRT, scalar.
    FloatDivide,
    /// A load or store of a vector.
    VectorMemory,
    /// Any other vector instruction.
    VectorArithmetic,
    /// LE, LETP: the end of a low-overhead loop.
    LoopEnd,
}

/// An instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Length in bytes: 2 or 4.
    pub bytes: u32,
    /// Its class.
    pub kind: Kind,
}

/// Facts read from a function's instructions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Addresses that it calls, and jump targets outside the function.
    pub calls: BTreeSet<u64>,
    /// True if it calls through a pointer.
    pub calls_pointer: bool,
    /// True if it calls a debugger through semihosting.
    pub calls_debugger: bool,
    /// Numbers composed by two instructions, such as addresses of functions.
    pub constants: BTreeSet<u64>,
    /// Bytes of everything that the function pushes, as if nothing were popped in between.
    pub pushed: u64,
    /// True if an instruction changes the stack pointer by an unknown amount, or cannot be read.
    pub is_unknown: bool,
}

impl Read {
    /// Adds a jump, or a call. A jump within the function's own code is neither.
    fn jump(&mut self, code: &Code<'_>, target: u64, is_call: bool) {
        if is_call || !(code.start..code.start + code.bytes.len() as u64).contains(&target) {
            self.calls.insert(target);
        }
    }
}

/// Code of a function.
struct Code<'c> {
    /// Address of the first instruction.
    start: u64,
    bytes: &'c [u8],
    /// See [`data_ranges`].
    data: &'c BTreeMap<u64, bool>,
}

impl Code<'_> {
    /// Returns a halfword, or `None` outside the function.
    fn half(&self, address: u64) -> Option<u16> {
        let at = usize::try_from(address - self.start).ok()?;
        Some(u16::from_le_bytes([*self.bytes.get(at)?, *self.bytes.get(at + 1)?]))
    }

    /// Returns the address and the first halfword of the next instruction from an address on, or `None` at the end.
    fn next(&self, mut address: u64) -> Option<(u64, u16)> {
        loop {
            let first = self.half(address)?;
            if self.data.range(..=address).next_back().is_none_or(|(_, &is_data)| !is_data) {
                return Some((address, first));
            }
            address += 2;
        }
    }
}

/// Returns where data lies between instructions, from the mapping symbols `$d` and `$t` or `$x` (Arm, "ELF for the Arm
/// Architecture", 5.5.5; "RISC-V ELF psABI", mapping symbols). Each entry says whether data starts at its address.
pub fn data_ranges(file: &object::File<'_>) -> BTreeMap<u64, bool> {
    let marks = file.symbols().filter_map(|symbol| {
        let name = symbol.name().ok()?;
        let is = |mark: &str| name == mark || name.strip_prefix(mark).is_some_and(|rest| rest.starts_with('.'));
        // `$x` may be followed by the instruction set.
        let is_code = is("$t") || name.starts_with("$x");
        (is("$d") || is_code).then(|| (symbol.address(), is("$d")))
    });
    marks.collect()
}

/// Returns the two's complement number in the lowest `bits` bits.
fn signed(value: u64, bits: u32) -> i64 {
    let unused = 64 - bits;
    (value << unused).cast_signed() >> unused
}
