//! Tests faults around the program: kills at any moment, full disks, no permission, damaged files, endless lists.
//! `docs/trust/record/reliability.md` has tables of the messages; BLESS=1 rewrites them.

#![cfg(target_os = "linux")]

mod bits;
mod disks;
mod inputs;
mod kills;
mod memory;
mod seen;
