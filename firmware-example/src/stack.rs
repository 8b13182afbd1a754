//! How much stack has been used: cortex-m-rt paints it before `main`, the lowest word that changed tells.
#![allow(unsafe_code, reason = "reads memory between two addresses of the linker script")]

/// What cortex-m-rt's `paint-stack` writes.
const PAINT: u32 = 0xcccc_cccc;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Bytes between the top of the stack and the lowest word that was ever written.
pub fn high_water_mark_bytes() -> usize {
    let top = &raw const _stack_start as usize;
    let mut address = (&raw const _stack_end as usize).next_multiple_of(4);
    while address < top {
        // SAFETY: `read_volatile` asks for a valid, aligned address of an initialised u32. The linker script puts RAM
        // between the two symbols, cortex-m-rt has written all of it, and the address is a multiple of four.
        let word = unsafe { core::ptr::read_volatile(address as *const u32) };
        if word != PAINT {
            break;
        }
        address += 4;
    }
    top - address
}
