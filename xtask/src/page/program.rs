//! The console for a Pico inside the page, without its model: the page has the model already.

use std::path::Path;

use anyhow::{Context, Result};
use runtime::format::Precision;
use serde_json::{Value, json};

use super::pack::Parts;
use crate::board;
use crate::firmware::{self, CONSOLE};
use crate::image::Segment;
use crate::memory::MemoryMap;
use crate::payload::Built;
use crate::repo::Repo;
use crate::slot;

/// Board of the program.
const BOARD: &str = "pico";

/// Builds the console with a model of this precision, adds it, and returns it for the page's data, with its size when
/// it is packed. `web/src/worker.js` describes the fields.
pub fn pico(repo: &Repo, model: &Path, precision: Precision, parts: &mut Parts) -> Result<(Value, usize)> {
    let board = board::find(BOARD)?;
    let elf = firmware::build(repo, board, CONSOLE, Some(model))?;
    let built = Built::of_program(repo, &elf, CONSOLE)?;
    // The firmware's build includes the model in this form.
    let bytes = slot::for_core_of(board, model)?;
    let (address, segments) = without(&built.segments, &bytes).context("the program does not contain its model")?;
    let size = Parts::size(&segments.iter().flat_map(|segment| segment.bytes.clone()).collect::<Vec<_>>())?;
    let mut add = |Segment { address, bytes }| json!({ "address": address, "bytes": parts.add(bytes) });
    let segments: Vec<Value> = segments.into_iter().map(&mut add).collect();
    let slot = MemoryMap::read(repo, board)?.region("SLOT").context("the board has no slot")?;
    let program = json!({
        "board": board.name,
        "family": board.uf2_family.context("the board accepts no UF2 files")?,
        "layout": board.layout().name(),
        "precisions": runs(precision),
        "model": address,
        "segments": segments,
        "slot": { "address": slot.start, "length": slot.end - slot.start },
    });
    Ok((program, size))
}

/// Returns the precisions that a program for this precision can run.
fn runs(precision: Precision) -> Vec<&'static str> {
    match precision {
        Precision::F32 | Precision::Int8 => vec![precision.name()],
        // The feature of `firmware-example` enables int8, too.
        Precision::Int4 => vec![Precision::Int8.name(), precision.name()],
    }
}

/// Returns the address of the model in the segments, and the segments without it.
fn without(segments: &[Segment], model: &[u8]) -> Option<(u64, Vec<Segment>)> {
    let mut rest = Vec::new();
    let mut found = None;
    for segment in segments {
        let at = segment.bytes.windows(model.len()).position(|part| part == model).filter(|_| found.is_none());
        let Some(at) = at else {
            rest.push(Segment { address: segment.address, bytes: segment.bytes.clone() });
            continue;
        };
        let end = at + model.len();
        found = Some(segment.address + at as u64);
        for (start, part) in [(0, &segment.bytes[..at]), (end, &segment.bytes[end..])] {
            if !part.is_empty() {
                rest.push(Segment { address: segment.address + start as u64, bytes: part.to_vec() });
            }
        }
    }
    Some((found?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_cut_out() {
        let segments = [
            Segment { address: 100, bytes: vec![0, 1] },
            Segment { address: 200, bytes: vec![1, 2, 7, 8, 9, 3] },
            Segment { address: 300, bytes: vec![7, 8, 9] },
        ];
        let (address, rest) = without(&segments, &[7, 8, 9]).unwrap();
        assert_eq!(address, 202);
        let rest: Vec<_> = rest.into_iter().map(|segment| (segment.address, segment.bytes)).collect();
        let expected = [(100, vec![0, 1]), (200, vec![1, 2]), (205, vec![3]), (300, vec![7, 8, 9])];
        assert_eq!(rest, expected);
        assert!(without(&segments, &[9, 9]).is_none());
    }
}
