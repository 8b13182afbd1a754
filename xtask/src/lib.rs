//! The parts of `cargo xtask`, so that the tests build and run firmware the way a person does.
//!
//! This crate never depends on what it sets up: it builds with nothing but Rust.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

#[macro_use]
mod macros;

pub mod ask;
pub mod bench;
pub mod blob;
pub mod board;
pub mod budget;
pub mod c_package;
pub mod call_graph;
pub mod cases;
pub mod command;
pub mod cycles;
pub mod demo;
pub mod deny;
pub mod doctor;
pub mod drive;
pub mod emulate;
pub mod emulator;
pub mod examples;
pub mod firmware;
pub mod fit;
pub mod flash;
pub mod fuzz;
pub mod hex;
pub mod image;
pub mod isa;
pub mod memory;
pub mod miri;
pub mod mutants;
pub mod page;
mod payload;
pub mod peers;
pub mod pico;
pub mod plugged;
pub mod ports;
pub mod probes;
pub mod qemu;
pub mod reliability;
pub mod repo;
pub mod reproduce;
pub mod runner;
pub mod semver;
pub mod setup;
pub mod size;
pub mod slot;
pub mod streams;
pub mod subcommand;
pub mod talk;
pub mod test;
pub mod uart;
pub mod uf2;
pub mod watched;

use subcommand::Subcommand;

/// The subcommands, in the order a newcomer needs them.
pub const SUBCOMMANDS: [&Subcommand; 25] = [
    &setup::COMMAND,
    &doctor::COMMAND,
    &demo::COMMAND,
    &test::COMMAND,
    &qemu::COMMAND,
    &emulate::COMMAND,
    &flash::COMMAND,
    &talk::COMMAND,
    &uf2::COMMAND,
    &hex::COMMAND,
    &page::COMMAND,
    &size::COMMAND,
    &bench::COMMAND,
    &peers::COMMAND,
    &fit::COMMAND,
    &c_package::COMMAND,
    &reliability::COMMAND,
    &cases::COMMAND,
    &fuzz::COMMAND,
    &miri::COMMAND,
    &mutants::COMMAND,
    &reproduce::COMMAND,
    &deny::COMMAND,
    &semver::COMMAND,
    &runner::COMMAND,
];
