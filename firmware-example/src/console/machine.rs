//! Interface between the console and the machine it runs on: a board, or a host that tests it.

/// Facts about the board, and the memory that the program takes.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Name of the board.
    pub board: &'static str,
    /// Name of the processor.
    pub core: &'static str,
    /// Frequency of the processor's clock.
    pub clock_hz: u32,
    /// Bytes of flash in use, including the built-in model.
    pub flash_bytes: usize,
    /// Bytes of the built-in model.
    pub model_bytes: usize,
    /// Bytes of RAM that statics take, including the state.
    pub static_bytes: usize,
    /// Bytes of RAM that are left for the stack.
    pub stack_bytes: usize,
}

/// Machine that the console runs on.
pub trait Machine {
    /// Returns the facts about the board and the program.
    fn facts(&self) -> Facts;

    /// Returns the largest number of bytes that the stack has used.
    fn stack_used(&self) -> usize;

    /// Returns the unit of [`Machine::now`]: "instructions" or "cycles".
    fn unit(&self) -> &'static str;

    /// Reads the stopwatch.
    fn now(&mut self) -> u64;

    /// Restarts the board. Returns only on a host.
    fn reset(&mut self);
}
