//! Inputs of real users on which version 0.1.0 failed: networks, lists and terminals.
//!
//! Each test makes its input, runs a command and checks the outcome. `cargo xtask cases` prints the outcomes as a
//! table.

#![cfg(unix)]

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod common;

mod calibration;
mod chip_folder;
mod files;
mod import;
mod limits;
mod lists;
mod program;
mod resume;
mod signals;
// Only Linux has /dev/full.
#[cfg(target_os = "linux")]
mod streams;
mod table;
