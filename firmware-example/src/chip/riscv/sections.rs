//! Flash and RAM of the running program, from the linker script's symbols.
#![allow(unsafe_code, reason = "names symbols of the linker script")]

unsafe extern "C" {
    // From riscv-rt's script.
    static _sidata: u8;
    static _sdata: u8;
    static _edata: u8;
    static _sheap: u8;
    static _stack_start: u8;
    static _estack: u8;
    // From the memory map; see `SYMBOLS` in build.rs.
    static _flash_start: u8;
    static _ram_begin: u8;
}

/// Returns the bytes of flash in use: code, constants and initial values of variables.
pub fn flash_bytes() -> usize {
    let first_values = (&raw const _edata).addr() - (&raw const _sdata).addr();
    (&raw const _sidata).addr() + first_values - (&raw const _flash_start).addr()
}

/// Returns the bytes of RAM that statics take.
pub fn static_bytes() -> usize {
    (&raw const _sheap).addr() - (&raw const _ram_begin).addr()
}

/// Returns the bytes of RAM that are left for the stack.
pub fn stack_bytes() -> usize {
    stack_top() - (&raw const _sheap).addr()
}

/// Returns the address where the stack begins; the stack grows downwards.
#[inline(always)]
pub fn stack_top() -> usize {
    &raw const _stack_start as usize
}

/// Returns the lowest address that the stack may reach.
#[inline(always)]
pub fn stack_end() -> usize {
    &raw const _estack as usize
}
