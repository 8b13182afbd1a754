//! PyTorch's networks come in: as they are, under all sorts of names, onto the chip; and what is no network is refused in a line.

#[path = "../common/mod.rs"]
mod common;

mod chip;
mod file;
mod golden;
mod malformed;
mod naming;
mod networks;
mod program;
mod rounding;
