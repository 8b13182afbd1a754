//! What the console asks of what it runs on: a board, or a host that tests it.

/// The board and what the program takes of it.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The board's name.
    pub board: &'static str,
    /// Its processor.
    pub core: &'static str,
    /// The processor's clock.
    pub clock_hz: u32,
    /// Bytes of flash, the model that is linked in included.
    pub flash_bytes: usize,
    /// Bytes of that model.
    pub model_bytes: usize,
    /// Bytes of RAM that are taken all the time, the state included.
    pub static_bytes: usize,
    /// Bytes of RAM that the stack has.
    pub stack_bytes: usize,
}

/// What the console runs on.
pub trait Machine {
    /// The board, and what the program takes of it.
    fn facts(&self) -> Facts;

    /// The most bytes the stack has had.
    fn stack_used(&self) -> usize;

    /// What [`Machine::now`] counts: "instructions" or "cycles".
    fn unit(&self) -> &'static str;

    /// The stopwatch.
    fn now(&mut self) -> u64;

    /// Restarts. Returns only on a host.
    fn reset(&mut self);
}
