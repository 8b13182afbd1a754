//! Files of models, read into memory up to a size.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// The largest file of a model: 64 Mi parameters in f32. A pipe or a device may give bytes for ever.
pub const MAX_BYTES: usize = 256 << 20;

/// Reads a whole file.
///
/// # Errors
/// What the system says; [`ErrorKind::IsADirectory`] for a folder; [`ErrorKind::FileTooLarge`] beyond [`MAX_BYTES`].
pub fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        let message = match path.join("model.safetensors").is_file() {
            true => "it is a folder: the model in it is model.safetensors",
            false => "it is a folder, not a file",
        };
        return Err(Error::new(ErrorKind::IsADirectory, message));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        let message = format!("it is larger than {} MiB, which no model is", MAX_BYTES >> 20);
        return Err(Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}
