//! How much stack a program has used. Start-up paints the stack before `main`; the lowest word that changed tells.
#![allow(unsafe_code, reason = "reads and paints memory between two addresses of the linker script")]

use super::{PAINT, sections, stack_pointer};

/// Bytes between the top of the stack and the lowest word that was ever written.
pub fn high_water_mark_bytes() -> usize {
    let top = sections::stack_top();
    let mut address = sections::stack_end().next_multiple_of(4);
    while address < top {
        // SAFETY: `read_volatile` asks for a valid, aligned address of an initialised u32. The linker script puts RAM
        // between the two addresses, start-up has written all of it, and the address is a multiple of four.
        let word = unsafe { core::ptr::read_volatile(address as *const u32) };
        if word != PAINT {
            break;
        }
        address += 4;
    }
    top - address
}

/// Bytes below the stack pointer that [`Painted`] covers: more than what it measures should ever take.
const WINDOW_BYTES: usize = 4096;

/// Bytes that [`Painted::new`] may still need itself, wherever in it the stack pointer is read.
const OWN_BYTES: usize = 64;

/// A stack that is painted again below the stack pointer, to see how much the following calls take.
pub struct Painted {
    sp: usize,
}

impl Painted {
    /// Paints. The earlier paint is lost: ask for [`high_water_mark_bytes`] before.
    #[inline(never)]
    pub fn new() -> Self {
        let sp = stack_pointer();
        let painted = Self { sp };
        let mut address = painted.end();
        while address < sp - OWN_BYTES {
            // SAFETY: `write_volatile` asks for a valid, aligned address: those from `end` to the stack pointer are
            // multiples of four in the stack's part of RAM. Nothing is there but this function's frame, which is
            // smaller than what is left out; an interrupt's frame is gone when this function goes on.
            unsafe { core::ptr::write_volatile(address as *mut u32, PAINT) };
            address += 4;
        }
        painted
    }

    /// Where the paint begins.
    fn end(&self) -> usize {
        let end = sections::stack_end().next_multiple_of(4);
        end.max(self.sp.saturating_sub(WINDOW_BYTES) & !3)
    }

    /// Bytes between the stack pointer at the time of [`Self::new`] and the lowest word that was written since.
    pub fn used_bytes(&self) -> usize {
        let mut address = self.end();
        while address < self.sp {
            // SAFETY: as in `high_water_mark_bytes`.
            if unsafe { core::ptr::read_volatile(address as *const u32) } != PAINT {
                break;
            }
            address += 4;
        }
        self.sp - address
    }
}

impl Default for Painted {
    fn default() -> Self {
        Self::new()
    }
}
