//! Thumb: Armv6-M, Armv7-M and Armv8-M.

use super::{Code, Instruction, Kind, Read, signed};

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

/// Reads a function's instructions (Armv7-M Architecture Reference Manual, A5 and A7; the same in Armv6-M and Armv8-M).
pub fn read(code: &Code<'_>) -> Read {
    let mut read = Read::default();
    let half = |address: u64| code.half(address);
    let mut next = code.start;
    // The last value of each register that MOVW, or an LDR of a constant after the code, loaded.
    let mut low = [0; 16];
    while let Some((address, first)) = code.next(next) {
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
            read.jump(code, target, is_call);
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
        next = address + if second.is_some() || first >= 0xe800 { 4 } else { 2 };
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
    use std::collections::BTreeMap;

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

    fn of(halves: &[u16]) -> Read {
        let code: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        read(&Code { start: 0x1000, bytes: &code, data: &BTreeMap::new() })
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
}
