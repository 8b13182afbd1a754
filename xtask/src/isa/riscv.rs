//! RISC-V: RV32I with multiplication, atomics and compressed instructions. Encodings: The RISC-V Instruction Set
//! Manual, Volume I, chapters "RV32I", "M", "A" and "C".

use super::{Code, Instruction, Kind, Read, signed};

/// The stack pointer, and the register for return addresses.
const SP: usize = 2;
const RA: usize = 1;

/// Decodes an instruction from its halfword and the following one.
pub fn decode(first: u16, second: u16) -> Instruction {
    if first & 3 != 3 {
        return Instruction { bytes: 2, kind: decode_compressed(first) };
    }
    let word = u32::from(second) << 16 | u32::from(first);
    let kind = match (word & 0x7f, word >> 12 & 7, word >> 25) {
        (0x03, _, _) => Kind::Load,
        (0x23, _, _) => Kind::Store,
        // Atomic operations.
        (0x2f, _, _) => Kind::Load,
        (0x33, 0, 1) => Kind::Multiply,
        (0x33, 1..=3, 1) => Kind::MultiplyLong,
        (0x33, _, 1) => Kind::Divide,
        (0x6f | 0x67, _, _) if word >> 7 & 31 != 0 => Kind::Call,
        _ => Kind::Other,
    };
    Instruction { bytes: 4, kind }
}

fn decode_compressed(half: u16) -> Kind {
    match operation(half) {
        Operation::Jump { link: true, .. } | Operation::JumpRegister { link: true, .. } => return Kind::Call,
        _ => {}
    }
    match (half & 3, half >> 13) {
        // C.LW and C.LWSP, C.SW and C.SWSP.
        (0 | 2, 0b010) => Kind::Load,
        (0 | 2, 0b110) => Kind::Store,
        _ => Kind::Other,
    }
}

/// An instruction, as far as [`read`] needs it. Offsets are relative to the instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    /// A jump; with `link`, a call.
    Jump { link: bool, offset: i64 },
    /// A conditional jump.
    Branch { offset: i64 },
    /// A jump to a register's value plus a number; with `link`, a call.
    JumpRegister { link: bool, register: usize, offset: i64 },
    /// The upper 20 bits of a number; with `relative`, of a distance from the instruction.
    Upper { to: usize, value: i64, relative: bool },
    /// A register plus a number.
    AddNumber { to: usize, from: usize, number: i64 },
    /// The stack pointer plus (or minus) a register.
    MoveStack { by: usize, sign: i64 },
    /// The first instruction of a call for a debugger.
    Debugger,
    /// Another change of the stack pointer, or an instruction of more than 32 bits.
    Unknown,
    /// All other operations.
    Other,
}

/// Returns the operation of a compressed instruction.
fn operation(half: u16) -> Operation {
    let bits = |at: u32, count: u32| u64::from(half >> at) & ((1 << count) - 1);
    let (register, other) = (bits(7, 5) as usize, bits(2, 5) as usize);
    let small = signed(bits(12, 1) << 5 | bits(2, 5), 6);
    match (half & 3, half >> 13) {
        // C.JAL and C.J.
        (1, 0b001 | 0b101) => {
            let offset = bits(12, 1) << 11
                | bits(11, 1) << 4
                | bits(9, 2) << 8
                | bits(8, 1) << 10
                | bits(7, 1) << 6
                | bits(6, 1) << 7
                | bits(3, 3) << 1
                | bits(2, 1) << 5;
            Operation::Jump { link: half >> 13 == 1, offset: signed(offset, 12) }
        }
        // C.BEQZ and C.BNEZ.
        (1, 0b110 | 0b111) => {
            let offset = bits(12, 1) << 8 | bits(10, 2) << 3 | bits(5, 2) << 6 | bits(3, 2) << 1 | bits(2, 1) << 5;
            Operation::Branch { offset: signed(offset, 9) }
        }
        // C.ADDI.
        (1, 0b000) => Operation::AddNumber { to: register, from: register, number: small },
        // C.ADDI16SP and C.LUI.
        (1, 0b011) if register == SP => {
            let number = bits(12, 1) << 9 | bits(6, 1) << 4 | bits(5, 1) << 6 | bits(3, 2) << 7 | bits(2, 1) << 5;
            Operation::AddNumber { to: SP, from: SP, number: signed(number, 10) }
        }
        (1, 0b011) => Operation::Upper { to: register, value: small << 12, relative: false },
        // C.JR and C.JALR; the same with a second register are C.MV and C.ADD.
        (2, 0b100) if other == 0 && register != 0 => {
            Operation::JumpRegister { link: bits(12, 1) == 1, register, offset: 0 }
        }
        (2, 0b100) if bits(12, 1) == 1 && register == SP => Operation::MoveStack { by: other, sign: 1 },
        // C.LI; C.SLLI, C.LWSP and C.MV.
        (1, 0b010) | (2, 0b000 | 0b010 | 0b100) if register == SP => Operation::Unknown,
        _ => Operation::Other,
    }
}

/// Returns the operation of an instruction of 32 bits.
fn long_operation(word: u32) -> Operation {
    let bits = |at: u32, count: u32| u64::from(word >> at) & ((1 << count) - 1);
    let (to, from, by) = (bits(7, 5) as usize, bits(15, 5) as usize, bits(20, 5) as usize);
    let number = signed(bits(20, 12), 12);
    // Stores and branches have no register for a result.
    let has_result = !matches!(word & 0x7f, 0x23 | 0x63 | 0x0f);
    match (word & 0x7f, bits(12, 3), bits(25, 7)) {
        (0x6f, _, _) => {
            let offset = bits(31, 1) << 20 | bits(12, 8) << 12 | bits(20, 1) << 11 | bits(21, 10) << 1;
            Operation::Jump { link: to != 0, offset: signed(offset, 21) }
        }
        (0x67, _, _) => Operation::JumpRegister { link: to != 0, register: from, offset: number },
        (0x63, _, _) => {
            let offset = bits(31, 1) << 12 | bits(7, 1) << 11 | bits(25, 6) << 5 | bits(8, 4) << 1;
            Operation::Branch { offset: signed(offset, 13) }
        }
        (0x37 | 0x17, _, _) if to != SP => {
            Operation::Upper { to, value: signed(bits(12, 20) << 12, 32), relative: word & 0x7f == 0x17 }
        }
        // `slli x0, x0, 31`: RISC-V Semihosting, "Call".
        _ if word == 0x01f0_1013 => Operation::Debugger,
        (0x13, 0, _) if to != SP || from == SP => Operation::AddNumber { to, from, number },
        (0x33, 0, 0 | 0x20) if to == SP && from == SP => {
            Operation::MoveStack { by, sign: if bits(25, 7) == 0 { 1 } else { -1 } }
        }
        _ if word & 0x1f == 0x1f || (has_result && to == SP) => Operation::Unknown,
        _ => Operation::Other,
    }
}

/// Reads a function's instructions.
pub fn read(code: &Code<'_>) -> Read {
    let mut read = Read::default();
    let mut next = code.start;
    // The last value of each register that LUI or AUIPC loaded, and the same after an addition.
    let (mut upper, mut sum) = ([0_i64; 32], [0_i64; 32]);
    // The register that LUI or AUIPC has just loaded: with a JALR directly after it, the two are a jump to a known
    // address.
    let mut just_loaded = None;
    while let Some((address, first)) = code.next(next) {
        let is_long = first & 3 == 3;
        let operation = match code.half(address + 2).filter(|_| is_long) {
            Some(second) => long_operation(u32::from(second) << 16 | u32::from(first)),
            None => operation(first),
        };
        let loaded = just_loaded.take();
        let (mut target, mut is_call) = (None, false);
        match operation {
            Operation::Jump { link, offset } => (target, is_call) = (Some(address.wrapping_add_signed(offset)), link),
            Operation::Branch { offset } => target = Some(address.wrapping_add_signed(offset)),
            Operation::JumpRegister { link, register, offset } if loaded == Some(register) => {
                // Addresses have 32 bits.
                let sum = upper[register].wrapping_add(offset) as u32;
                (target, is_call) = (Some(sum.into()), link);
            }
            // Everything else than a return. A table of a `match` counts as well, which is a false alarm.
            Operation::JumpRegister { link, register, offset } => {
                read.calls_pointer |= link || (register, offset) != (RA, 0);
            }
            Operation::Upper { to, value, relative } => {
                upper[to] = if relative { address.cast_signed().wrapping_add(value) } else { value };
                sum[to] = upper[to];
                just_loaded = Some(to);
            }
            Operation::AddNumber { to: SP, from: SP, number } => read.pushed += number.min(0).unsigned_abs(),
            Operation::AddNumber { to, from, number } => {
                sum[to] = upper[from].wrapping_add(number);
                read.constants.insert(u64::from(sum[to] as u32));
            }
            Operation::MoveStack { by, sign } => read.pushed += (sign * sum[by]).min(0).unsigned_abs(),
            Operation::Debugger => read.calls_debugger = true,
            Operation::Unknown => read.is_unknown = true,
            Operation::Other => {}
        }
        if let Some(target) = target {
            read.jump(code, target, is_call);
        }
        next = address + if is_long { 4 } else { 2 };
    }
    read
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Encodings come from an assembler.
    #[test]
    fn classes() {
        let short = [
            (0x4188, Kind::Load, "lw a0, 0(a1)"),
            (0x45b2, Kind::Load, "lw a1, 12(sp)"),
            (0xc188, Kind::Store, "sw a0, 0(a1)"),
            (0xc62e, Kind::Store, "sw a1, 12(sp)"),
            (0x9502, Kind::Call, "jalr a0"),
            (0x2001, Kind::Call, "jal ."),
            (0x8082, Kind::Other, "ret"),
            (0x952e, Kind::Other, "add a0, a0, a1"),
            (0xa001, Kind::Other, "j ."),
        ];
        for (half, kind, text) in short {
            assert_eq!(decode(half, 0xffff), Instruction { bytes: 2, kind }, "{text}");
        }
        let long = [
            (0x0005_8503_u32, Kind::Load, "lb a0, 0(a1)"),
            (0x00a5_8023, Kind::Store, "sb a0, 0(a1)"),
            (0x02b5_0533, Kind::Multiply, "mul a0, a0, a1"),
            (0x02b5_1533, Kind::MultiplyLong, "mulh a0, a0, a1"),
            (0x02b5_3533, Kind::MultiplyLong, "mulhu a0, a0, a1"),
            (0x02b5_5533, Kind::Divide, "divu a0, a0, a1"),
            (0x02b5_6533, Kind::Divide, "rem a0, a0, a1"),
            (0x0000_00ef, Kind::Call, "jal ra, ."),
            (0x0000_006f, Kind::Other, "j ."),
            (0x0000_80e7, Kind::Call, "jalr ra"),
            (0x4105_5513, Kind::Other, "srai a0, a0, 16"),
        ];
        for (word, kind, text) in long {
            assert_eq!(decode(word as u16, (word >> 16) as u16), Instruction { bytes: 4, kind }, "{text}");
        }
    }

    fn of(code: &[u8]) -> Read {
        read(&Code { start: 0x1000, bytes: code, data: &BTreeMap::new() })
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn halves(halves: &[u16]) -> Vec<u8> {
        halves.iter().flat_map(|half| half.to_le_bytes()).collect()
    }

    #[test]
    fn what_is_called() {
        let calls = |code: &[u8]| of(code).calls.into_iter().collect::<Vec<_>>();
        // jal ra, +0x234; jal ra, -0x100; j +0x1000; beq a0, a1, +0x80
        assert_eq!(calls(&words(&[0x2340_00ef])), [0x1234]);
        assert_eq!(calls(&words(&[0xf01f_f0ef])), [0xf00]);
        assert_eq!(calls(&words(&[0x0000_106f])), [0x2000]);
        assert_eq!(calls(&words(&[0x08b5_0063])), [0x1080]);
        // c.jal +0x100; c.j +0x100; c.beqz a0, +0x80
        assert_eq!(calls(&halves(&[0x2201])), [0x1100]);
        assert_eq!(calls(&halves(&[0xa201])), [0x1100]);
        assert_eq!(calls(&halves(&[0xc141])), [0x1080]);
        // j . and bnez a0, . stay in the function; a call to itself does not.
        assert_eq!(calls(&halves(&[0xa001, 0xe101])), [0; 0]);
        assert_eq!(calls(&words(&[0x0000_00ef])), [0x1000]);
        // auipc ra, 1; jalr ra, 8(ra): a call of a known address
        let far = of(&words(&[0x0000_1097, 0x0080_80e7]));
        assert_eq!((far.calls.into_iter().collect::<Vec<_>>(), far.calls_pointer), (vec![0x2008], false));
        // lui ra, 0x80000; jr 8(ra)
        let far = of(&words(&[0x8000_00b7, 0x0080_8067]));
        assert_eq!((far.calls.into_iter().collect::<Vec<_>>(), far.calls_pointer), (vec![0x8000_0008], false));
        // jalr a0 and jr a5 are calls through a pointer; ret is not.
        for half in [0x9502, 0x8782] {
            assert!(of(&halves(&[half])).calls_pointer, "{half:x}");
        }
        assert!(!of(&halves(&[0x8082])).calls_pointer);
    }

    #[test]
    fn a_debugger_is_called() {
        // slli zero, zero, 31; ebreak; srai zero, zero, 7
        assert!(of(&words(&[0x01f0_1013, 0x0010_0073, 0x4070_5013])).calls_debugger);
        // ebreak without the two; c.ebreak
        assert!(!of(&words(&[0x0010_0073, 0x9002_9002])).calls_debugger);
    }

    #[test]
    fn what_is_pushed() {
        // addi sp, sp, -16; addi sp, sp, -64; addi sp, sp, 64; ret
        assert_eq!(of(&halves(&[0x1141, 0x7139, 0x6121, 0x8082])).pushed, 80);
        // addi sp, sp, -2032
        assert_eq!(of(&words(&[0x8101_0113])).pushed, 2032);
        // lui t0, 1; sub sp, sp, t0
        assert_eq!(of(&words(&[0x0000_12b7, 0x4051_0133])).pushed, 4096);
        // lui t0, 0xfffff; addi t0, t0, -16; add sp, sp, t0
        assert_eq!(of(&words(&[0xffff_f2b7, 0xff02_8293, 0x0051_0133])).pushed, 4112);
    }

    #[test]
    fn an_unknown_stack_is_noticed() {
        // andi sp, sp, -64; addi sp, s0, -16; mv sp, a0 (in 32 bits: addi sp, a0, 0); lw sp, 0(a0); lui sp, 1
        for word in [0xfc01_7113_u32, 0xff04_0113, 0x0005_0113, 0x0005_2103, 0x0000_1137] {
            assert!(of(&words(&[word])).is_unknown, "{word:08x}");
        }
        // c.mv sp, a0; c.lwsp sp, 0(sp); c.li sp, 0; c.slli sp, 1
        for half in [0x812a, 0x4102, 0x4101, 0x0106] {
            assert!(of(&halves(&[half])).is_unknown, "{half:04x}");
        }
        // An instruction of 48 bits.
        assert!(of(&halves(&[0x001f, 0, 0])).is_unknown);
        // addi sp, sp, -16; sw sp, 0(a0); c.swsp sp, 0(sp); mv a0, sp; addi s0, sp, 16; bne sp, a0, +0
        let known = [0x1141, 0x2023, 0x0025, 0xc00a, 0x850a, 0x0800, 0x1063, 0x00a1];
        assert!(!of(&halves(&known)).is_unknown);
    }

    #[test]
    fn numbers_in_two_parts() {
        // lui a0, 0x80001; addi a0, a0, -0x10
        let read = of(&words(&[0x8000_1537, 0xff05_0513]));
        assert_eq!(read.constants.into_iter().collect::<Vec<_>>(), [0x8000_0ff0]);
    }
}
