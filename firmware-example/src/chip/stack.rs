//! Measures how much stack a program has used. Start-up paints the stack before `main`; the lowest word that has
//! changed marks the deepest use.
#![allow(unsafe_code, reason = "reads and paints memory between two addresses of the linker script")]

use super::{PAINT, sections, stack_pointer};

/// Returns the bytes between the top of the stack and the lowest word that was ever written.
pub fn high_water_mark_bytes() -> usize {
    let top = sections::stack_top();
    let mut address = sections::stack_end().next_multiple_of(4);
    while address < top {
        // SAFETY: `read_volatile` requires a valid, aligned address of an initialised u32. The linker script puts RAM
        // between the two addresses, start-up has written all of it, and the address is a multiple of four.
        let word = unsafe { core::ptr::read_volatile(address as *const u32) };
        if word != PAINT {
            break;
        }
        address += 4;
    }
    top - address
}

/// Bytes below the stack pointer that [`Painted`] covers: more than any measured function takes.
const WINDOW_BYTES: usize = 4096;

/// Bytes that [`Painted::new`] itself may still need below the stack pointer that it reads.
const OWN_BYTES: usize = 64;

/// Stack that is painted again below the stack pointer, to measure how much the following calls take.
pub struct Painted {
    sp: usize,
}

impl Painted {
    /// Paints the stack. Call [`high_water_mark_bytes`] before: the earlier paint is lost.
    #[inline(never)]
    pub fn new() -> Self {
        let sp = stack_pointer();
        let painted = Self { sp };
        let mut address = painted.end();
        while address < sp - OWN_BYTES {
            // SAFETY: `write_volatile` requires a valid, aligned address. The addresses from `end` to the stack pointer
            // are multiples of four in the stack's part of RAM. This function's frame is the only data there, and it is
            // smaller than the bytes left out; an interrupt's frame is gone when this function resumes.
            unsafe { core::ptr::write_volatile(address as *mut u32, PAINT) };
            address += 4;
        }
        painted
    }

    /// Returns the lowest painted address.
    fn end(&self) -> usize {
        let end = sections::stack_end().next_multiple_of(4);
        end.max(self.sp.saturating_sub(WINDOW_BYTES) & !3)
    }

    /// Returns the bytes between the stack pointer at the time of [`Self::new`] and the lowest word written since.
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
