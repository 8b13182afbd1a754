//! Estimates cycles, instruction by instruction.
//!
//! The emulator counts instructions but has no notion of time. On a core, an LDM of four words is one instruction but
//! takes five cycles. Each core's Technical Reference Manual lists the cycles of its instructions. The tables here are
//! copied from these manuals and assume memory without wait states. The result is an estimate, not a measurement:
//! caches, flash, dual issue and most dependences between instructions are left out.
//!
//! The estimate only needs an instruction's length and which of a dozen classes it belongs to: see [`crate::isa`].

use crate::isa::{Instruction, Kind};

/// Cycles of a core per kind of instruction. Kinds without a field take one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Source of the numbers, and the assumptions.
    pub note: &'static str,
    load: u32,
    /// Cycles of a load directly after a load: the two overlap by one cycle.
    load_behind_load: u32,
    store: u32,
    /// True if loads and stores of several words move two words per cycle, without a cycle to begin.
    wide_bus: bool,
    multiply_add: u32,
    multiply_long: u32,
    multiply_long_add: u32,
    divide: u32,
    float_multiply_add: u32,
    float_divide: u32,
    /// Extra cycles to refill the pipeline, if the next instruction does not follow in memory.
    refill: u32,
    /// Extra cycles of calls and POP of the program counter, in addition to `refill`.
    call: u32,
}

const M0: Timing = Timing {
    note: "Cortex-M0 TRM, 3.3: LDR and STR 2, LDM and STM 1 + N, taken branch 3, BL 4, POP of pc 4 + N, MULS 1 \
           (the fast multiplier)",
    load: 2,
    load_behind_load: 2,
    store: 2,
    wide_bus: false,
    multiply_add: 1,
    multiply_long: 1,
    multiply_long_add: 1,
    divide: 1,
    float_multiply_add: 1,
    float_divide: 1,
    refill: 2,
    call: 1,
};

const M3: Timing = Timing {
    note: "Cortex-M3 TRM, 3.3: LDR 2, 1 after another LDR, STR 1 (write buffer), LDM, LDRD and their stores 1 + N, MUL 1, \
           MLA 2, SMULL 4 (3 to 5), SMLAL 6 (4 to 7), SDIV 7 (2 to 12), taken branch 3 (2 to 4)",
    load_behind_load: 1,
    store: 1,
    multiply_add: 2,
    multiply_long: 4,
    multiply_long_add: 6,
    divide: 7,
    call: 0,
    ..M0
};

const M4: Timing = Timing {
    note: "Cortex-M4 TRM, 3.3 and 7.2: as Cortex-M3, but all multiplications 1; VLDM 1 + N, VMLA and VFMA 3, VMUL and \
           VADD 1, VDIV and VSQRT 14",
    multiply_add: 1,
    multiply_long: 1,
    multiply_long_add: 1,
    float_multiply_add: 3,
    float_divide: 14,
    ..M3
};

const M7: Timing = Timing {
    note: "Cortex-M4's table, an upper estimate: Cortex-M7 issues two instructions in a cycle where it can",
    ..M4
};
const M33: Timing =
    Timing { note: "Cortex-M4's table, an upper estimate: Cortex-M33 pairs some 16-bit instructions", ..M4 };
const M55: Timing = Timing {
    note: "Cortex-M4's table for scalars, an upper estimate; loads and stores of N words take N / 2, as the bus has 64 \
           bits. Vectors: 64 bits per cycle, so 2 for an instruction, and 1 where a load or store and arithmetic \
           alternate, since they overlap by half; LE 0 where it loops",
    wide_bus: true,
    ..M4
};

const RV32IMC: Timing = Timing {
    note: "an in-order core that issues one instruction in a cycle, such as the ESP32-C3's (four stages; its manual lists \
           no cycles) and Hazard3 (its documentation, \"Instruction Cycle Counts\"): LW 2, as if the next instruction \
           always used the value, 1 after another load; SW 1, MUL 1, MULH 1, DIV 18, taken branch and jump 2",
    load_behind_load: 1,
    store: 1,
    divide: 18,
    refill: 1,
    call: 0,
    ..M0
};

impl Timing {
    /// Returns the table of a core by its name in `boards.toml`, or `None` if the core has no table.
    pub fn of(core: &str) -> Option<Self> {
        Some(match core {
            "Cortex-M0" => M0,
            "Cortex-M3" => M3,
            "Cortex-M4" | "Cortex-M4F" => M4,
            "Cortex-M7" => M7,
            "Cortex-M33" => M33,
            "Cortex-M55" => M55,
            "RV32IMC" => RV32IMC,
            _ => return None,
        })
    }

    /// Returns the cycles of an instruction after one of kind `previous`. `jumps` is true if the next instruction does
    /// not follow in memory.
    pub fn cycles(&self, previous: Kind, instruction: Instruction, jumps: bool) -> u32 {
        let cycles = match instruction.kind {
            Kind::Other | Kind::Call | Kind::Multiply => 1,
            Kind::Load if previous == Kind::Load => self.load_behind_load,
            Kind::Load => self.load,
            Kind::Store => self.store,
            Kind::LoadMany(words) | Kind::StoreMany(words) if self.wide_bus => words.div_ceil(2),
            Kind::LoadMany(words) | Kind::StoreMany(words) => 1 + words,
            Kind::MultiplyAdd => self.multiply_add,
            Kind::MultiplyLong => self.multiply_long,
            Kind::MultiplyLongAdd => self.multiply_long_add,
            Kind::Divide => self.divide,
            Kind::FloatMultiplyAdd => self.float_multiply_add,
            Kind::FloatDivide => self.float_divide,
            Kind::VectorMemory if previous == Kind::VectorArithmetic => 1,
            Kind::VectorArithmetic if previous == Kind::VectorMemory => 1,
            Kind::VectorMemory | Kind::VectorArithmetic => 2,
            Kind::LoopEnd if jumps => return 0,
            Kind::LoopEnd => 1,
        };
        let refill = match instruction.kind {
            _ if !jumps => 0,
            Kind::Call | Kind::LoadMany(_) => self.refill + self.call,
            _ => self.refill,
        };
        cycles + refill
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::*;

    #[test]
    fn cycles_by_core() {
        let cycles = |core: &str, previous, kind, jumps| {
            Timing::of(core).unwrap().cycles(previous, Instruction { bytes: 2, kind }, jumps)
        };
        assert_eq!(cycles("Cortex-M0", Other, Load, false), 2);
        assert_eq!(cycles("Cortex-M0", Load, Load, false), 2);
        assert_eq!(cycles("Cortex-M0", Other, Other, true), 3);
        assert_eq!(cycles("Cortex-M0", Other, Call, true), 4);
        assert_eq!(cycles("Cortex-M0", Other, LoadMany(5), true), 9);
        assert_eq!(cycles("Cortex-M3", Other, MultiplyAdd, false), 2);
        assert_eq!(cycles("Cortex-M3", Load, Load, false), 1);
        assert_eq!(cycles("Cortex-M4F", Other, LoadMany(4), false), 5);
        assert_eq!(cycles("Cortex-M4F", Other, FloatMultiplyAdd, false), 3);
        assert_eq!(cycles("Cortex-M4F", Other, Other, true), 3);
        assert_eq!(cycles("Cortex-M55", VectorMemory, VectorArithmetic, false), 1);
        assert_eq!(cycles("Cortex-M55", VectorArithmetic, VectorArithmetic, false), 2);
        assert_eq!(cycles("Cortex-M55", VectorMemory, LoadMany(16), false), 8);
        assert_eq!(cycles("Cortex-M55", VectorMemory, LoopEnd, true), 0);
        assert_eq!(cycles("RV32IMC", Other, Load, false), 2);
        assert_eq!(cycles("RV32IMC", Other, Call, true), 2);
        assert_eq!(Timing::of("Cortex-M1000"), None);
    }

    #[test]
    fn every_emulated_board_has_a_table() {
        for board in crate::board::emulated() {
            assert!(
                Timing::of(board.core).is_some(),
                "{} has no timing: add a table here and a line in docs/trust/record/performance.md",
                board.core
            );
        }
    }
}
