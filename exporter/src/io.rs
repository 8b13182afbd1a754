//! Files that are read up to a size limit, and written whole or not at all.

pub mod memory;
pub mod read;
pub mod shell;
pub mod write;
