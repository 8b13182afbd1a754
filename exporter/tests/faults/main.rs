//! What goes wrong around the program: killed at any moment, no room, no permission, damaged files, lists without end.
//! What it then says is kept in `docs/trust/record/reliability.md`; BLESS=1 rewrites the tables there.

#![cfg(target_os = "linux")]

mod bits;
mod disks;
mod inputs;
mod kills;
mod memory;
mod seen;
