//! Tests each error of the loader. Those of integer models are in `format_integer.rs`, damage of all kinds in
//! `shipped.rs`.
#![cfg(feature = "f32")]

use runtime::format::{
    AlignedBlob, Header, Layout, MAX_WEIGHT, PREAMBLE_BYTES, Precision, WeightFormat, checksum, slab_offset,
};
use runtime::limits::MAX_GOLDEN;
use runtime::write::{EncodeError, Layers, LinearWeights, encode};
use runtime::{Activation, FormatError, Level, Model, Provenance, State, StateError, Stream, state_words};

static TINY: &[u8] = runtime::include_blob!("../models/tiny.blob");

fn open(bytes: &[u8]) -> Result<(), FormatError> {
    Model::new(AlignedBlob::from(bytes).as_bytes()).map(drop)
}

/// Corrects the checksum, so that the loader reaches its next checks.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = checksum(&bytes);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn changed(at: usize, values: &[u8]) -> Vec<u8> {
    let mut bytes = TINY.to_vec();
    bytes[at..at + values.len()].copy_from_slice(values);
    sealed(bytes)
}

/// Returns a small model with this header and embedding.
fn small(header: &Header<'_>, embedding: &[f32]) -> Result<Vec<u8>, EncodeError> {
    encode(
        header,
        &Layers::F32 {
            embedding,
            layers: vec![
                LinearWeights { weight: &[0.5, 2.0], bias: &[0.25] },
                LinearWeights { weight: &[1.0, 2.0, 3.0], bias: &[0.0; 3] },
            ],
        },
        &[0, 1, 2],
    )
}

fn header(vocab: &str) -> Header<'_> {
    Header {
        precision: Precision::F32,
        layout: Layout::Rows8,
        activation: Activation::Tanh,
        n_embd: 1,
        levels: [Level { fuse: 2, width: 1 }].into_iter().collect(),
        skip: false,
        weights: [WeightFormat::F32; 2].into_iter().collect(),
        golden_len: 0,
        golden_crc32: 0,
        vocab,
        provenance: Provenance { exporter_version: "test", ..Provenance::UNKNOWN },
    }
}

fn slab_start() -> usize {
    slab_offset(u16::from_le_bytes([TINY[6], TINY[7]]).into())
}

#[test]
fn the_tiny_model_opens() {
    let model = Model::new(TINY).unwrap();
    assert_eq!(model.vocab().as_str(), ".abcdefghijklmnopqrstuvwxyz");
    assert_eq!(model.config().block_size(), 4);
    assert_eq!(state_words(TINY), model.state_words());
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = TINY.to_vec();
    bytes.extend([0; 3]);
    assert_eq!(open(&bytes), Err(FormatError::TrailingBytes { extra: 3 }));
}

#[test]
fn another_magic_and_another_version_are_refused() {
    assert_eq!(open(&changed(0, b"GGUF")), Err(FormatError::BadMagic { found: *b"GGUF" }));
    assert_eq!(open(&changed(4, &[1, 0])), Err(FormatError::UnsupportedVersion { found: 1, supported: 2 }));
}

#[test]
fn misaligned_bytes_are_refused() {
    let mut padded = vec![0];
    padded.extend(TINY);
    let shifted = AlignedBlob::from(padded.as_slice());
    assert_eq!(Model::new(&shifted.as_bytes()[1..]).map(drop), Err(FormatError::Misaligned { need: 4 }));
}

#[test]
fn a_header_that_does_not_decode_is_refused() {
    // Precision 9 does not exist.
    assert_eq!(open(&changed(PREAMBLE_BYTES, &[9])), Err(FormatError::BadHeader));
    // If the header's length is one too large, a byte of padding is left over; if one too small, the last field is cut.
    let bytes = small(&header(".ab"), &[0.0; 3]).unwrap();
    let len = u16::from_le_bytes([bytes[6], bytes[7]]);
    for wrong in [len + 1, len - 1] {
        assert_eq!(slab_offset(wrong.into()), slab_offset(len.into()), "the slab must stay where it is for this test");
        let mut bytes = bytes.clone();
        bytes[6..8].copy_from_slice(&wrong.to_le_bytes());
        assert!(matches!(open(&sealed(bytes)), Err(FormatError::BadHeader | FormatError::NonZeroPadding)));
    }
    // A header that reaches beyond the blob.
    let need = slab_offset(u16::MAX.into());
    let error = FormatError::Truncated { need, have: TINY.len() };
    assert_eq!(open(&changed(6, &u16::MAX.to_le_bytes())), Err(error));
}

#[test]
fn padding_must_be_zero() {
    let mut bytes = small(&header(".ab"), &[0.0; 3]).unwrap();
    let end = PREAMBLE_BYTES + usize::from(u16::from_le_bytes([bytes[6], bytes[7]]));
    bytes[end] = 1;
    assert_eq!(open(&sealed(bytes)), Err(FormatError::NonZeroPadding));
}

#[test]
fn the_state_size_must_be_true() {
    let need = state_words(TINY);
    let error = FormatError::StateSizeMismatch { need, have: need + 1 };
    assert_eq!(open(&changed(12, &((need + 1) as u32).to_le_bytes())), Err(error));
}

#[test]
fn weights_must_fill_the_slab() {
    let mut bytes = TINY.to_vec();
    bytes.extend([0; 16]);
    let total = (bytes.len() as u32).to_le_bytes();
    bytes[8..12].copy_from_slice(&total);
    let need = TINY.len() - slab_start();
    assert_eq!(open(&sealed(bytes)), Err(FormatError::SlabSizeMismatch { need, have: need + 16 }));
}

#[test]
fn weights_must_be_finite_and_of_sane_size() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.2e12, -1.2e12] {
        let bytes = changed(slab_start() + 4 * 7, &bad.to_le_bytes());
        assert_eq!(open(&bytes), Err(FormatError::BadWeight { index: 7 }), "{bad}");
    }
    assert_eq!(open(&changed(slab_start() + 4 * 7, &1e12_f32.to_le_bytes())), Ok(()));
    // The largest weight allowed and the next float, at places counted from the start of the slab, padding included.
    for (at, value) in [(0, MAX_WEIGHT), (TINY.len() - 64, MAX_WEIGHT.next_up()), (TINY.len() - 64, -MAX_WEIGHT)] {
        let index = (TINY.len() - 64 - slab_start()) / 4;
        let at = if at == 0 { slab_start() } else { at };
        let expected = if value.abs() > MAX_WEIGHT { Err(FormatError::BadWeight { index }) } else { Ok(()) };
        assert_eq!(open(&changed(at, &value.to_le_bytes())), expected, "{value} at {at}");
    }
}

#[test]
fn dimensions_and_vocabulary_are_checked() {
    assert!(open(&small(&header(".ab"), &[0.0; 3]).unwrap()).is_ok());
    assert_eq!(small(&header(".aa"), &[0.0; 3]), Err(FormatError::DuplicateCharacter { character: 'a' }.into()));
    // The boundary's sign may be an ordinary character too.
    assert!(open(&small(&header("..a"), &[0.0; 3]).unwrap()).is_ok());
    let bad = |what, found, min, max| Err(FormatError::BadDimension { what, found, min, max }.into());
    assert_eq!(small(&header(".a"), &[0.0; 2]), bad("vocab_size", 2, 3, 256));
    let long: String = ('一'..).take(257).collect();
    assert_eq!(small(&header(&long), &[0.0; 257]), bad("vocab_size", 257, 3, 256));
    assert_eq!(small(&Header { n_embd: 0, ..header(".ab") }, &[]), bad("n_embd", 0, 1, 4096));
    let short = EncodeError::WrongLength { what: "embedding weights", found: 2, expected: 3 };
    assert_eq!(small(&header(".ab"), &[0.0; 2]), Err(short));
    let levels = |levels: &[Level]| Header { levels: levels.iter().copied().collect(), ..header(".ab") };
    let refused = |fuse, width| small(&levels(&[Level { fuse, width }]), &[0.0; 3]);
    assert_eq!(small(&levels(&[]), &[0.0; 3]), bad("number of levels", 0, 1, 8));
    assert_eq!(refused(1, 1), bad("fuse factor", 1, 2, 64));
    assert_eq!(refused(65, 1), bad("fuse factor", 65, 2, 64));
    assert_eq!(refused(2, 0), bad("level width", 0, 1, 4096));
    assert_eq!(refused(2, 4097), bad("level width", 4097, 1, 4096));
    let wide = [Level { fuse: 2, width: 4096 }, Level { fuse: 17, width: 1 }];
    assert_eq!(small(&levels(&wide), &[0.0; 3]), bad("fan_in", 69_632, 1, 65_536));
    let deep = [Level { fuse: 64, width: 1 }; 2];
    assert_eq!(small(&levels(&deep), &[0.0; 3]), bad("block_size", 4096, 1, 1024));
}

#[test]
fn the_golden_text_must_be_of_the_vocabulary() {
    let layers = || Layers::F32 {
        embedding: &[0.0; 3],
        layers: vec![
            LinearWeights { weight: &[0.5, 2.0], bias: &[0.25] },
            LinearWeights { weight: &[1.0, 2.0, 3.0], bias: &[0.0; 3] },
        ],
    };
    let outside = encode(&header(".ab"), &layers(), &[0, 3, 1]);
    assert_eq!(outside, Err(FormatError::BadValue { layer: 2 }.into()), "counted after the last layer");
    let long = encode(&header(".ab"), &layers(), &vec![1; MAX_GOLDEN + 1]);
    let (found, max) = (MAX_GOLDEN + 1, MAX_GOLDEN);
    let what = "length of the golden text";
    assert_eq!(long, Err(FormatError::BadDimension { what, found, min: 0, max }.into()));
    assert!(encode(&header(".ab"), &layers(), &[2; MAX_GOLDEN]).is_ok());
}

#[test]
fn a_state_that_is_too_small_says_what_is_needed() {
    let model = Model::new(TINY).unwrap();
    let need = state_words(TINY);
    let mut state = State::<8>::new();
    let error = Stream::new(&model, &mut state).map(drop).unwrap_err();
    assert_eq!(error, StateError::TooSmall { need, have: 8 });
    assert_eq!(error.to_string(), format!("state is too small: 8 words, the model needs State::<{need}>"));
    // A larger state is accepted.
    assert!(Stream::new(&model, &mut State::<{ state_words(TINY) + 5 }>::new()).is_ok());
}

/// A layout, its feature and `LAYOUT` of the firmware's build have the same name.
#[test]
fn layouts_have_the_names_of_their_features() {
    let all = [Layout::Rows8, Layout::RowMajor, Layout::Dual16, Layout::Lanes16, Layout::Vector128];
    assert_eq!(all.map(Layout::name), ["rows8", "row-major", "dual16", "lanes16", "vector128"]);
}

/// The slab of a blob on the heap begins with a cache line, at whatever address the allocator puts the blob.
#[test]
fn a_slab_on_the_heap_begins_with_a_cache_line() {
    for header_len in 0..=100_u16 {
        let mut bytes = [1; 300];
        bytes[6..8].copy_from_slice(&header_len.to_le_bytes());
        let blobs: Vec<_> = (0..5).map(|_| AlignedBlob::from(&bytes[..])).collect();
        for blob in blobs.iter().chain(&blobs.clone()) {
            assert_eq!(blob.as_bytes(), bytes);
            let slab = blob.as_bytes()[slab_offset(header_len.into())..].as_ptr();
            assert!(slab.addr().is_multiple_of(64), "header of {header_len} bytes");
        }
    }
    // Bytes too short for a header are kept as they are.
    assert_eq!(AlignedBlob::from(&b"MORE"[..]).as_bytes(), b"MORE");
}

#[test]
fn errors_read_as_one_lower_case_line() {
    let errors = [
        FormatError::Truncated { need: 20, have: 3 },
        FormatError::TrailingBytes { extra: 1 },
        FormatError::BadMagic { found: *b"GGUF" },
        FormatError::UnsupportedVersion { found: 2, supported: 1 },
        FormatError::Misaligned { need: 4 },
        FormatError::ChecksumMismatch { stored: 1, computed: 2 },
        FormatError::BadHeader,
        FormatError::BadDimension { what: "n_embd", found: 0, min: 1, max: 2 },
        FormatError::DuplicateCharacter { character: 'a' },
        FormatError::SlabSizeMismatch { need: 1, have: 2 },
        FormatError::StateSizeMismatch { need: 1, have: 2 },
        FormatError::UnsupportedFormat,
        FormatError::AccumulatorOverflow { layer: 1, row: 2 },
        FormatError::BadValue { layer: 1 },
        FormatError::NonZeroPadding,
        FormatError::BadWeight { index: 1 },
    ];
    for error in errors {
        let text = runtime::Error::from(error).to_string();
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
        assert!(text.chars().next().is_some_and(|first| !first.is_uppercase()), "{text}");
    }
}
