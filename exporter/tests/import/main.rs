//! Import of PyTorch's networks: under all usual names, with the same logits, and up to the chip. Files that are no
//! network are refused with a one-line error.

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
