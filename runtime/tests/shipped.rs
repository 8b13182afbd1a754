//! Tests the blobs in `models/`: every truncation and every flipped bit of the tiny ones, and the self-test of all. The
//! package has fewer blobs than the repository.

use std::fs;
use std::path::{Path, PathBuf};

use runtime::format::{AlignedBlob, Header, PREAMBLE_BYTES, checksum};
use runtime::{Error, FormatError, HeapState, Model, SelfTestError, State, StateError, Stream, state_words};

/// Models small enough for a test per bit, and whether this build can run them.
const TINY: [(&str, bool); 3] = [
    ("tiny.blob", cfg!(feature = "f32")),
    ("tiny.int8.blob", cfg!(feature = "int8")),
    ("tiny.int4.blob", cfg!(feature = "int4")),
];

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

/// Returns the bytes of the tiny models that this build can run, in every layout if integers; or, if `runs` is false,
/// of all others.
fn tiny(runs: bool) -> Vec<(String, Vec<u8>)> {
    let names = TINY.into_iter().filter(|&(_, can)| can == runs).map(|(name, _)| name);
    let files = names.filter_map(|name| Some((name.to_owned(), fs::read(models().join(name)).ok()?)));
    files.flat_map(|(name, bytes)| if runs { in_every_layout(&name, bytes) } else { vec![(name, bytes)] }).collect()
}

#[cfg(feature = "int8")]
fn in_every_layout(name: &str, bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    use runtime::format::{Layout, Precision};
    use runtime::write::relayout;

    let blob = AlignedBlob::from(bytes.as_slice());
    let model = Model::new(blob.as_bytes()).unwrap();
    if model.precision() == Precision::F32 {
        return vec![(name.to_owned(), bytes)];
    }
    let layouts = Layout::INTEGERS.iter();
    layouts.map(|&layout| (format!("{name} as {layout:?}"), relayout(&model, layout).unwrap())).collect()
}

#[cfg(not(feature = "int8"))]
fn in_every_layout(name: &str, bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    vec![(name.to_owned(), bytes)]
}

/// Corrects the checksum, so that the loader reaches its next checks.
fn seal(bytes: &mut [u8]) {
    let crc = checksum(bytes);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
}

/// Calls `each` with an aligned copy that is changed in place: making a copy for every bit would be most of the work.
fn with_each_bit_flipped(bytes: &[u8], sealed: bool, mut each: impl FnMut(usize, &[u8])) {
    let mut words = vec![0_u32; bytes.len().div_ceil(4)];
    let copy = &mut bytemuck::cast_slice_mut::<u32, u8>(&mut words)[..bytes.len()];
    copy.copy_from_slice(bytes);
    for bit in 0..bytes.len() * 8 {
        copy[bit / 8] ^= 1 << (bit % 8);
        if sealed {
            seal(copy);
        }
        each(bit, copy);
        copy[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn the_tiny_models_are_there() {
    assert!(!tiny(true).is_empty());
    for (name, bytes) in tiny(true) {
        let blob = AlignedBlob::from(bytes.as_slice());
        let model = Model::new(blob.as_bytes()).unwrap();
        assert_eq!(state_words(&bytes), model.state_words(), "{name}");
    }
}

#[test]
#[cfg(not(all(feature = "f32", feature = "int8")))]
fn a_precision_that_was_left_out_is_refused() {
    assert!(!tiny(false).is_empty());
    for (name, bytes) in tiny(false) {
        let blob = AlignedBlob::from(bytes.as_slice());
        assert_eq!(Model::new(blob.as_bytes()).map(drop), Err(runtime::write::EncodeError::NotInteger), "{name}");
    }
}

#[test]
fn every_truncation_is_refused() {
    for (name, bytes) in tiny(true) {
        for have in 0..bytes.len() {
            let cut = AlignedBlob::from(&bytes[..have]);
            let need = if have < PREAMBLE_BYTES { PREAMBLE_BYTES } else { bytes.len() };
            let error = FormatError::Truncated { need, have };
            assert_eq!(Model::new(cut.as_bytes()).map(drop), Err(error), "{name}, {have} bytes");
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for (name, bytes) in tiny(true) {
        with_each_bit_flipped(&bytes, false, |bit, damaged| {
            let error = Model::new(damaged).expect_err("a bit has flipped");
            let expected = match bit / 8 {
                0..4 => matches!(error, FormatError::BadMagic { .. }),
                4..6 => matches!(error, FormatError::UnsupportedVersion { .. }),
                8..12 => matches!(error, FormatError::Truncated { .. } | FormatError::TrailingBytes { .. }),
                _ => matches!(error, FormatError::ChecksumMismatch { .. }),
            };
            assert!(expected, "{name}, bit {bit}: {error}");
        });
    }
}

/// Damage that the checksum does not detect leads to a typed error, or to a model that runs, but never to a panic.
#[test]
fn every_flipped_bit_under_a_right_checksum_is_refused_or_harmless() {
    for (name, bytes) in tiny(true) {
        let (mut refused, mut ran) = (0, 0);
        with_each_bit_flipped(&bytes, true, |bit, damaged| match Model::new(damaged) {
            Err(_) => refused += 1,
            Ok(model) => {
                let mut state = HeapState::new(&model);
                let result = model.self_test(&mut state);
                assert!(matches!(result, Ok(()) | Err(Error::SelfTest(_))), "{name}, bit {bit}: {result:?}");
                let mut stream = Stream::new(&model, &mut state).unwrap();
                stream.push(u8::MAX);
                stream.nll_micronats(1);
                ran += 1;
            }
        });
        // The loader checks most of the header and the padding; most flips of a weight make another valid weight.
        assert!(refused > 200 && ran > bytes.len(), "{name}: {refused} refused, {ran} ran");
    }
}

/// Returns all of `models/*.blob` that this build can run.
fn all() -> Vec<(String, AlignedBlob)> {
    let files = fs::read_dir(models()).unwrap().map(|entry| entry.unwrap().path());
    let blobs = files.filter(|path| path.extension().is_some_and(|extension| extension == "blob")).map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, AlignedBlob::from(fs::read(path).unwrap().as_slice()))
    });
    blobs.filter(|(_, blob)| Model::new(blob.as_bytes()).err() != Some(FormatError::UnsupportedFormat)).collect()
}

#[test]
fn the_self_test_of_every_shipped_model_passes() {
    let all = all();
    let mut expected = Vec::new();
    if cfg!(feature = "f32") {
        expected.push("tiny.blob");
    }
    if cfg!(feature = "int8") {
        expected.extend(["names.int8.blob", "tiny.int8.blob"]);
    }
    for name in expected {
        assert!(all.iter().any(|(found, _)| found == name), "{name} is not there");
    }
    for (name, blob) in all {
        let model = Model::new(blob.as_bytes()).unwrap();
        assert!(!model.golden().is_empty(), "{name} has no golden text");
        assert_eq!(model.self_test(&mut HeapState::new(&model)), Ok(()), "{name}");
    }
}

/// Moving a model from any layout to any other keeps the logits, and writes the bytes that an export in that layout
/// writes.
#[cfg(feature = "int8")]
#[test]
fn layouts_are_exchangeable() {
    use runtime::format::{Layout, Precision};
    use runtime::write::relayout;

    for (name, blob) in all() {
        let model = Model::new(blob.as_bytes()).unwrap();
        if model.precision() == Precision::F32 {
            assert_eq!(relayout(&model, Layout::RowMajor), Err(runtime::write::EncodeError::NotInteger), "{name}");
            continue;
        }
        assert_eq!(relayout(&model, Layout::Rows8), Err(runtime::write::EncodeError::NotInteger), "{name}");
        let plain = relayout(&model, Layout::RowMajor).unwrap();
        let checksum = model.golden_checksum(&mut HeapState::new(&model));
        for &layout in Layout::INTEGERS {
            let packed = AlignedBlob::from(relayout(&model, layout).unwrap().as_slice());
            let packed = Model::new(packed.as_bytes()).unwrap();
            assert_eq!((packed.layout(), packed.precision()), (layout, model.precision()), "{name}");
            assert_eq!(packed.golden_checksum(&mut HeapState::new(&packed)), checksum, "{name} as {layout:?}");
            assert_eq!(relayout(&packed, Layout::RowMajor).unwrap(), plain, "{name} as {layout:?} and back");
            assert_eq!(packed.self_test(&mut HeapState::new(&packed)), Ok(()), "{name} as {layout:?}");
        }
    }
}

/// Level 0 stored for all pairs of characters, and level 1 in halves, have the same logits as levels that are computed.
#[cfg(feature = "int8")]
#[test]
fn tables_have_the_same_logits() {
    use runtime::format::{Layout, Precision, WeightFormat};
    use runtime::write::{relayout, tabulate_halves, tabulate_pairs};

    for (name, blob) in all() {
        let model = Model::new(blob.as_bytes()).unwrap();
        if model.precision() == Precision::F32 {
            assert_eq!(tabulate_halves(&model), Err(runtime::write::EncodeError::NotInteger), "{name}");
            assert_eq!(tabulate_pairs(&model), Err(runtime::write::EncodeError::NotInteger), "{name}");
            continue;
        }
        let checksum = model.golden_checksum(&mut HeapState::new(&model));
        let pairs = AlignedBlob::from(tabulate_pairs(&model).unwrap().as_slice());
        let halves = AlignedBlob::from(tabulate_halves(&model).unwrap().as_slice());
        let halves = Model::new(halves.as_bytes()).unwrap();
        assert_eq!(halves.self_test(&mut HeapState::new(&halves)), Ok(()), "{name}");
        assert!(halves.state_words() < model.state_words(), "{name}: no ring of level 0's values");
        for &layout in Layout::INTEGERS {
            let packed = AlignedBlob::from(relayout(&model, layout).unwrap().as_slice());
            let tabulated = tabulate_pairs(&Model::new(packed.as_bytes()).unwrap()).unwrap();
            let moved = relayout(&Model::new(pairs.as_bytes()).unwrap(), layout).unwrap();
            assert_eq!(tabulated, moved, "{name} as {layout:?}: in either order");
            let tabulated = AlignedBlob::from(tabulated.as_slice());
            let tabulated = Model::new(tabulated.as_bytes()).unwrap();
            assert_eq!(tabulated.golden_checksum(&mut HeapState::new(&tabulated)), checksum, "{name} as {layout:?}");
            assert_eq!(tabulated.weight_formats()[0], WeightFormat::Pairs, "{name}");
            let tabulated = tabulate_halves(&Model::new(packed.as_bytes()).unwrap()).unwrap();
            assert_eq!(tabulated, relayout(&halves, layout).unwrap(), "{name} as {layout:?}: in either order");
            let tabulated = AlignedBlob::from(tabulated.as_slice());
            let tabulated = Model::new(tabulated.as_bytes()).unwrap();
            assert_eq!(tabulated.golden_checksum(&mut HeapState::new(&tabulated)), checksum, "{name} as {layout:?}");
            assert_eq!(tabulated.weight_formats()[1], WeightFormat::Halves, "{name}");
        }
    }
}

#[test]
fn the_self_test_finds_a_wrong_checksum() {
    for (name, bytes) in tiny(true) {
        let header_len = usize::from(u16::from_le_bytes([bytes[6], bytes[7]]));
        let range = PREAMBLE_BYTES..PREAMBLE_BYTES + header_len;
        let mut header: Header<'_> = postcard::from_bytes(&bytes[range.clone()]).unwrap();
        let computed = header.golden_crc32;
        // The lowest bit, so that the varint keeps its length.
        header.golden_crc32 ^= 1;
        let mut patched = bytes.clone();
        patched[range].copy_from_slice(&postcard::to_allocvec(&header).unwrap());
        seal(&mut patched);
        let blob = AlignedBlob::from(patched.as_slice());
        let model = Model::new(blob.as_bytes()).unwrap();
        let error = SelfTestError { expected: computed ^ 1, computed };
        assert_eq!(model.self_test(&mut HeapState::new(&model)), Err(Error::SelfTest(error)), "{name}");
        #[cfg(feature = "int8")]
        if model.precision() != runtime::format::Precision::F32 {
            // Another layout does not repair a wrong checksum either.
            let moved = runtime::write::relayout(&model, runtime::format::Layout::RowMajor).unwrap();
            let moved = AlignedBlob::from(moved.as_slice());
            let moved = Model::new(moved.as_bytes()).unwrap();
            assert!(matches!(moved.self_test(&mut HeapState::new(&moved)), Err(Error::SelfTest(_))), "{name}");
        }
        let text = error.to_string();
        assert!(text.contains(&format!("{computed:08x}")) && !text.ends_with('.'), "{text}");
    }
}

#[test]
fn the_self_test_asks_for_a_state_that_is_large_enough() {
    for (name, blob) in all() {
        let model = Model::new(blob.as_bytes()).unwrap();
        let error = model.self_test(&mut State::<1>::new()).unwrap_err();
        let too_small = StateError::TooSmall { need: model.state_words(), have: 1 };
        assert_eq!(error, Error::State(too_small), "{name}");
    }
}
