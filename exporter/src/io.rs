//! Files: read up to a size, written whole or not at all.

pub mod memory;
pub mod read;
pub mod shell;
pub mod write;
