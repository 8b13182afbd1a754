//! What a running program takes of flash and RAM, from the addresses of the linker script.
#![allow(unsafe_code, reason = "names symbols of the linker script")]

unsafe extern "C" {
    // Of cortex-m-rt's script.
    static __sidata: u8;
    static __sdata: u8;
    static __edata: u8;
    static __sheap: u8;
    static _ram_start: u8;
    static _stack_start: u8;
    // Of the memory map; see `SYMBOLS` in build.rs.
    static _flash_start: u8;
}

/// Bytes of flash: vectors, code, constants and first values of variables.
pub fn flash_bytes() -> usize {
    let first_values = (&raw const __edata).addr() - (&raw const __sdata).addr();
    (&raw const __sidata).addr() + first_values - (&raw const _flash_start).addr()
}

/// Bytes of RAM that are taken before the program starts.
pub fn static_bytes() -> usize {
    (&raw const __sheap).addr() - (&raw const _ram_start).addr()
}

/// Bytes of RAM that are left for the stack.
pub fn stack_bytes() -> usize {
    (&raw const _stack_start).addr() - (&raw const __sheap).addr()
}
