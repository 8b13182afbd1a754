//! Estimates cycles, instruction by instruction.
//!
//! The emulator counts instructions but has no notion of time. On a core, an LDM of four words is one instruction but
//! takes five cycles. Each core's Technical Reference Manual lists the cycles of its instructions. The tables here are
//! copied from these manuals and assume memory without wait states. The result is an estimate, not a measurement:
//! caches, flash, dual issue and most dependences between instructions are left out.
//!
//! There is no disassembler here: `yaxpeax-arm`, the available crate, supports neither VFP nor the vector extension.
//! The estimate only needs an instruction's length and which of a dozen classes it belongs to.

/// Class of an instruction, which determines its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everything else: arithmetic, moves, branches.
    Other,
    /// BL.
    Call,
    /// A load of up to 32 bits.
    Load,
    /// Loads of that many words: LDM, POP, LDRD, VLDM, VLDR of 64 bits.
    LoadMany(u32),
    /// A store of up to 32 bits.
    Store,
    /// Stores of that many words.
    StoreMany(u32),
    /// MUL, and the multiplications of the DSP extension.
    Multiply,
    /// MLA, MLS.
    MultiplyAdd,
    /// SMULL, UMULL.
    MultiplyLong,
    /// SMLAL, UMLAL and similar.
    MultiplyLongAdd,
    /// SDIV, UDIV.
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
    /// What it is.
    pub kind: Kind,
}

/// Decodes a Thumb instruction from its halfword and the following one. Encodings: Armv7-M Architecture Reference
/// Manual, A5; Armv8-M, C2.
pub fn decode(first: u16, second: u16) -> Instruction {
    // 0b11101, 0b11110 and 0b11111 begin an instruction of two halfwords.
    if first >> 11 < 0b11101 {
        return Instruction { bytes: 2, kind: decode_narrow(first) };
    }
    Instruction { bytes: 4, kind: decode_wide(first, second) }
}

fn decode_narrow(word: u16) -> Kind {
    let low_registers = (word & 0xff).count_ones();
    match word {
        0x4340..=0x437f => Kind::Multiply,
        // Loads of literals.
        0x4800..=0x4fff => Kind::Load,
        // Register offsets: three stores, then five loads.
        0x5000..=0x55ff => Kind::Store,
        0x5600..=0x5fff => Kind::Load,
        // Constant offsets.
        0x6000..=0x9fff if word & 0x0800 == 0 => Kind::Store,
        0x6000..=0x9fff => Kind::Load,
        // PUSH and POP; bit 8 is lr or pc.
        0xb400..=0xb5ff => Kind::StoreMany(low_registers + u32::from(word >> 8 & 1)),
        0xbc00..=0xbdff => Kind::LoadMany(low_registers + u32::from(word >> 8 & 1)),
        0xc000..=0xc7ff => Kind::StoreMany(low_registers),
        0xc800..=0xcfff => Kind::LoadMany(low_registers),
        _ => Kind::Other,
    }
}

fn decode_wide(first: u16, second: u16) -> Kind {
    let load = first & 0x0010 != 0;
    let many = |words: u32| if load { Kind::LoadMany(words) } else { Kind::StoreMany(words) };
    let one = if load { Kind::Load } else { Kind::Store };
    let coprocessor = second >> 8 & 15;
    match first {
        // LE, LETP; then BL.
        0xf00f | 0xf01f | 0xf02f if second & 0xf001 == 0xc001 => Kind::LoopEnd,
        0xf000..=0xf7ff if second & 0xd000 == 0xd000 => Kind::Call,
        // LDM and STM; LDRD and STRD, whose bits for pre-index and write-back are not both clear; exclusives and TBB.
        _ if first & 0xfe40 == 0xe800 => many(second.count_ones()),
        _ if first & 0xfe40 == 0xe840 && first & 0x0120 != 0 => many(2),
        _ if first & 0xfe40 == 0xe840 => one,
        // PLD is encoded as a load of a byte or halfword into the program counter.
        _ if first & 0xfe00 == 0xf800 && load && second >> 12 == 15 && first & 0x0040 == 0 => Kind::Other,
        _ if first & 0xfe00 == 0xf800 => one,
        _ if first & 0xff80 == 0xfb00 => match (first >> 4 & 7, second >> 4 & 15) {
            (0, 0) if second >> 12 != 15 => Kind::MultiplyAdd,
            (0, 1) => Kind::MultiplyAdd,
            _ => Kind::Multiply,
        },
        _ if first & 0xff80 == 0xfb80 => match first >> 4 & 7 {
            1 | 3 => Kind::Divide,
            0 | 2 => Kind::MultiplyLong,
            _ => Kind::MultiplyLongAdd,
        },
        // Loads, stores and two-register moves of coprocessors: 10 and 11 are the FPU, 14 and 15 the vector extension.
        _ if first & 0xec00 == 0xec00 && first & 0x0200 == 0 => match coprocessor {
            10 | 11 if first & 0xffe0 == 0xec40 => Kind::Other,
            // VLDR and VSTR: pre-indexed, without write-back.
            10 if first & 0x0120 == 0x0100 => one,
            11 if first & 0x0120 == 0x0100 => many(2),
            10 | 11 => many(u32::from(second & 0xff)),
            14 | 15 => Kind::VectorMemory,
            _ => Kind::VectorArithmetic,
        },
        // Arithmetic in the same space: 0xeexx and 0xfexx use a coprocessor, 0xefxx and 0xffxx are vector instructions.
        _ if first & 0xef00 == 0xef00 => Kind::VectorArithmetic,
        _ if first & 0xef00 == 0xee00 => match coprocessor {
            10 | 11 if first & 0x1000 == 0 && second & 0x0010 == 0 => decode_float(first, second),
            10 | 11 => Kind::Other,
            _ => Kind::VectorArithmetic,
        },
        _ => Kind::Other,
    }
}

/// Decodes arithmetic of the scalar FPU from the opcode in bits 7, 5 and 4 of the first halfword (bit 6 belongs to a
/// register).
fn decode_float(first: u16, second: u16) -> Kind {
    match first >> 4 & 0b1011 {
        0b0000 | 0b0001 | 0b1001 | 0b1010 => Kind::FloatMultiplyAdd,
        0b1000 => Kind::FloatDivide,
        // VSQRT.
        0b1011 if first & 15 == 1 && second & 0x00c0 == 0x00c0 => Kind::FloatDivide,
        _ => Kind::Other,
    }
}

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
    /// Extra cycles of BL and POP of the program counter, in addition to `refill`.
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

impl Timing {
    /// Returns the table of a core by its name in `boards.toml`, or `None` if the core has no table.
    pub fn of(core: &str) -> Option<Self> {
        Some(match core.strip_prefix("Cortex-")? {
            "M0" => M0,
            "M3" => M3,
            "M4" | "M4F" => M4,
            "M7" => M7,
            "M33" => M33,
            "M55" => M55,
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

    /// Encodings come from an assembler.
    #[test]
    fn known_encodings() {
        let narrow = [
            (0x4348, Multiply, "muls r0, r1, r0"),
            (0x1840, Other, "adds r0, r0, r1"),
            (0x4801, Load, "ldr r0, [pc, #4]"),
            (0x5688, Load, "ldrsb r0, [r1, r2]"),
            (0x5488, Store, "strb r0, [r1, r2]"),
            (0x6808, Load, "ldr r0, [r1]"),
            (0x7008, Store, "strb r0, [r1]"),
            (0x9001, Store, "str r0, [sp, #4]"),
            (0xb5f0, StoreMany(5), "push {r4-r7, lr}"),
            (0xbdf0, LoadMany(5), "pop {r4-r7, pc}"),
            (0xc83c, LoadMany(4), "ldm r0!, {r2-r5}"),
            (0xc003, StoreMany(2), "stm r0!, {r0, r1}"),
            (0xd1fe, Other, "bne ."),
            (0x4770, Other, "bx lr"),
        ];
        for (first, kind, text) in narrow {
            assert_eq!(decode(first, 0xffff), Instruction { bytes: 2, kind }, "{text}");
        }
        let wide = [
            (0xf000, 0xf800, Call, "bl ."),
            (0xe8b0, 0x03c0, LoadMany(4), "ldm.w r0!, {r6-r9}"),
            (0xe92d, 0x4ff0, StoreMany(9), "push {r4-r11, lr}"),
            (0xe9dd, 0xac0e, LoadMany(2), "ldrd r10, r12, [sp, #56]"),
            (0xe9cd, 0x0100, StoreMany(2), "strd r0, r1, [sp]"),
            (0xe8df, 0xf000, Load, "tbb [pc, r0]"),
            (0xf8df, 0x0004, Load, "ldr.w r0, [pc, #4]"),
            (0xf850, 0x4b04, Load, "ldr r4, [r0], #4"),
            (0xf991, 0x0000, Load, "ldrsb.w r0, [r1]"),
            (0xf891, 0xf000, Other, "pld [r1]"),
            (0xf8c1, 0x0000, Store, "str.w r0, [r1]"),
            (0xfb00, 0xf001, Multiply, "mul r0, r0, r1"),
            (0xfb00, 0x2001, MultiplyAdd, "mla r0, r0, r1, r2"),
            (0xfb00, 0x2011, MultiplyAdd, "mls r0, r0, r1, r2"),
            (0xfb26, 0x220a, Multiply, "smlad r2, r6, r10, r2"),
            (0xfb52, 0xf216, Multiply, "smmulr r2, r2, r6"),
            (0xfb80, 0x0102, MultiplyLong, "smull r0, r1, r0, r2"),
            (0xfbc0, 0x0102, MultiplyLongAdd, "smlal r0, r1, r0, r2"),
            (0xfb90, 0xf0f1, Divide, "sdiv r0, r0, r1"),
            (0xfbb0, 0xf0f1, Divide, "udiv r0, r0, r1"),
            (0xfa2e, 0xf686, Other, "sxtab16 r6, lr, r6"),
            (0xecb2, 0x4a08, LoadMany(8), "vldmia r2!, {s8-s15}"),
            (0xed2d, 0x8a10, StoreMany(16), "vpush {s16-s31}"),
            (0xed90, 0x0a00, Load, "vldr s0, [r0]"),
            (0xed90, 0x0b00, LoadMany(2), "vldr d0, [r0]"),
            (0xee08, 0x0a04, FloatMultiplyAdd, "vmla.f32 s0, s16, s8"),
            (0xeea0, 0x0a81, FloatMultiplyAdd, "vfma.f32 s0, s1, s2"),
            (0xee20, 0x0a81, Other, "vmul.f32 s0, s1, s2"),
            (0xee30, 0x0a81, Other, "vadd.f32 s0, s1, s2"),
            (0xee80, 0x0a81, FloatDivide, "vdiv.f32 s0, s1, s2"),
            (0xeeb1, 0x0ae0, FloatDivide, "vsqrt.f32 s0, s1"),
            (0xeeb5, 0x0a40, Other, "vcmp.f32 s0, #0"),
            (0xee00, 0x0a10, Other, "vmov s0, r0"),
            (0xec41, 0x0b10, Other, "vmov d0, r0, r1"),
            (0xecb0, 0x1f04, VectorMemory, "vldrw.u32 q0, [r0], #16"),
            (0xed90, 0x1e00, VectorMemory, "vldrb.u8 q0, [r0]"),
            (0xeef0, 0x0f02, VectorArithmetic, "vmladav.s8 r0, q0, q1"),
            (0xef22, 0x0844, VectorArithmetic, "vadd.i32 q0, q1, q2"),
            (0xf00f, 0xc80b, LoopEnd, "le lr, ."),
        ];
        for (first, second, kind, text) in wide {
            assert_eq!(decode(first, second), Instruction { bytes: 4, kind }, "{text}");
        }
    }

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
