//! The slot: a board's flash region for a model apart from the program.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use runtime::Model;
use runtime::write::relayout;

use crate::blob;
use crate::board::Board;
use crate::memory::MemoryMap;
use crate::repo::Repo;

/// Returns the address of the board's slot and a model's bytes for it, with integers in the layout of the board's core.
pub fn model_for(board: &Board, memory: &MemoryMap, file: &Path) -> Result<(u64, Vec<u8>)> {
    let slot = memory.region("SLOT").filter(|slot| !slot.is_empty());
    let slot = slot.with_context(|| {
        format!("{} has no slot for a model: build a program with the model, `--model FILE`", board.name)
    })?;
    let bytes = for_core_of(board, file)?;
    let room = slot.end - slot.start;
    ensure!(
        bytes.len() as u64 <= room,
        "the model has {} bytes, but the slot of {} holds only {room}",
        bytes.len(),
        board.name
    );
    Ok((slot.start, bytes))
}

/// Returns a model's bytes with integers in the layout of the board's core.
pub fn for_core_of(board: &Board, file: &Path) -> Result<Vec<u8>> {
    let (bytes, blob) = blob::read(file)?;
    let model = Model::new(blob.as_bytes()).context("the blob is not valid")?;
    Ok(if model.precision().is_integer() { relayout(&model, board.layout())? } else { bytes })
}

/// Writes the bytes for the board's slot to a file. Returns the file's path.
pub fn write(repo: &Repo, board: &Board, bytes: &[u8]) -> Result<PathBuf> {
    let file = repo.root().join(format!("target/elf/slot-{}.bin", board.name));
    fs::create_dir_all(file.parent().expect("a folder")).context("cannot create target/elf")?;
    fs::write(&file, bytes).with_context(|| format!("cannot write {}", repo.short(&file)))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board;
    use runtime::format::AlignedBlob;

    #[test]
    fn a_model_comes_in_the_layout_of_the_core() {
        let repo = Repo::find();
        let model = repo.root().join("models/names.int8.blob");
        let place = |board: &str, model: &Path| {
            let board = board::find(board).unwrap();
            model_for(board, &MemoryMap::read(&repo, board).unwrap(), model)
        };
        let (address, bytes) = place("pico", &model).unwrap();
        assert_eq!(address, 0x1010_0000);
        let blob = AlignedBlob::from(bytes.as_slice());
        assert_eq!(Model::new(blob.as_bytes()).unwrap().layout(), board::find("pico").unwrap().layout());
        // The f32 model does not fit into the 128 KiB of an nRF51822.
        assert!(
            place("microbit", &repo.root().join("models/names.blob")).unwrap_err().to_string().contains("the slot of")
        );
        assert!(place("pico", Path::new("README.md")).is_err());
        assert!(place("esp32c3", &model).unwrap_err().to_string().contains("esp32c3 has no slot"));
    }
}
