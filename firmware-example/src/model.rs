//! The model that is linked into flash.

/// The blob chosen at build time by the environment variable MODEL (default: `models/names.blob`).
pub static BLOB: &[u8] = runtime::include_blob!(concat!(env!("OUT_DIR"), "/model.blob"));

/// Words of state the blob asks for.
pub const STATE_WORDS: usize = runtime::state_words(BLOB);
