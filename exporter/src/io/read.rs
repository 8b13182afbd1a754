//! Reads model files into memory, up to a size limit.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Size limit of a model file: 64 Mi parameters in f32. Without a limit, a pipe or a device could fill the memory.
pub const MAX_BYTES: usize = 256 << 20;

/// Reads a whole file.
///
/// # Errors
/// The operating system's error; [`ErrorKind::IsADirectory`] for a folder; [`ErrorKind::FileTooLarge`] for more than
/// [`MAX_BYTES`].
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
        let message = format!("it is larger than {} MiB, the limit for a model", MAX_BYTES >> 20);
        return Err(Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}
