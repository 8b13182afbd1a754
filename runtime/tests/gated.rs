//! Tests gated units in a blob: sizes, refusals, the state they need. Their results are tested in `streaming`.

use runtime::format::{AlignedBlob, Header, Layout, PREAMBLE_BYTES, Precision, WeightFormat, checksum};
use runtime::write::{EncodeError, Layers, LinearWeights, encode};
use runtime::{Activation, FormatError, Level, Model, Provenance};

const NO_PROVENANCE: Provenance<'_> = Provenance { preset: "random", ..Provenance::UNKNOWN };

fn header(precision: Precision, layout: Layout, levels: &[Level], formats: &[WeightFormat]) -> Header<'static> {
    Header {
        precision,
        layout,
        activation: Activation::Gated,
        n_embd: 24,
        levels: levels.iter().copied().collect(),
        skip: false,
        weights: formats.iter().copied().collect(),
        golden_len: 0,
        golden_crc32: 0,
        vocab: ".abcdefghijklmnopqrstuvwxyz",
        provenance: NO_PROVENANCE,
    }
}

/// Place of the activation: after precision and layout.
const ACTIVATION_AT: usize = PREAMBLE_BYTES + 2;

/// Returns the loader's result for bytes with another activation.
fn with_activation(bytes: &[u8], activation: u8) -> Result<(), FormatError> {
    let mut bytes = bytes.to_vec();
    bytes[ACTIVATION_AT] = activation;
    let crc = checksum(&bytes);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    Model::new(AlignedBlob::from(bytes.as_slice()).as_bytes()).map(drop)
}

#[cfg(feature = "f32")]
mod single {
    use super::*;

    /// Encodes one level of gated units whose matrix has `rows` rows.
    fn encode_f32(width: u16, rows: usize) -> Result<Vec<u8>, EncodeError> {
        let level = Level { fuse: 2, width };
        let header = header(Precision::F32, Layout::Rows8, &[level], &[WeightFormat::F32; 2]);
        let (first, bias, last) = (vec![0.01; rows * 48], vec![0.5; rows], vec![0.1; 27 * usize::from(width)]);
        let layers =
            vec![LinearWeights { weight: &first, bias: &bias }, LinearWeights { weight: &last, bias: &[0.0; 27] }];
        encode(&header, &Layers::F32 { embedding: &[1.0; 27 * 24], layers }, &[1, 2, 3])
    }

    #[test]
    fn a_level_has_two_rows_for_each_value() {
        let bytes = encode_f32(5, 10).unwrap();
        assert_eq!(bytes[ACTIVATION_AT], 1);
        for rows in [5, 9, 11, 20] {
            let expected = EncodeError::WrongLength { what: "biases of a layer", found: rows, expected: 10 };
            assert_eq!(encode_f32(5, rows), Err(expected));
            assert_eq!(expected.to_string(), format!("{rows} biases of a layer, the dimensions ask for 10"));
        }
        // The same level without gates has fewer rows.
        assert_eq!(with_activation(&bytes, 1), Ok(()));
        assert!(with_activation(&bytes, 0).is_err());
        assert_eq!(
            with_activation(&bytes, Activation::ALL.len() as u8),
            Err(FormatError::BadHeader),
            "there is no such activation"
        );
    }

    #[test]
    fn rows_are_what_is_limited() {
        assert!(encode_f32(2048, 4096).is_ok());
        let (what, found, min, max) = ("level width", 2049, 1, 2048);
        assert_eq!(encode_f32(2049, 4098), Err(FormatError::BadDimension { what, found, min, max }.into()));
    }
}

#[cfg(feature = "int8")]
mod integers {
    use runtime::write::{IntegerLayer, relayout, tabulate_pairs};
    use runtime::{HeapState, SelfTestError};

    use super::*;

    const LEVELS: [Level; 3] = [Level { fuse: 2, width: 88 }; 3];
    /// Rows, and weights of each row; level 0 is a table.
    const SHAPES: [(usize, usize); 4] = [(176, 54), (176, 176), (176, 176), (27, 88)];

    fn encode_integers(precision: Precision, layout: Layout) -> Vec<u8> {
        let inner = if precision == Precision::Int8 { WeightFormat::Int8 } else { WeightFormat::Int4 };
        let formats = [WeightFormat::Table, inner, inner, WeightFormat::Int8];
        let weight = |at: usize| (at * 7919 % 15) as i8 - 7;
        let layers: Vec<IntegerLayer> = SHAPES
            .iter()
            .zip(formats)
            .map(|(&(rows, columns), format)| IntegerLayer {
                format,
                bias: (0..rows).map(|row| row as i32 % 5 - 2).collect(),
                multiplier: vec![if columns == 54 { 3 << 24 } else { 1 << 18 }; rows],
                weights: (0..rows * columns).map(weight).collect(),
            })
            .collect();
        let layers = Layers::Integer { embedding: &[], layers: &layers };
        encode(&header(precision, layout, &LEVELS, &formats), &layers, &[1, 2, 3, 26, 5]).unwrap()
    }

    fn precisions() -> Vec<Precision> {
        vec![
            Precision::Int8,
            #[cfg(feature = "int4")]
            Precision::Int4,
        ]
    }

    #[test]
    fn every_layout_keeps_its_promise() {
        for precision in precisions() {
            let plain = AlignedBlob::from(encode_integers(precision, Layout::RowMajor).as_slice());
            let plain = Model::new(plain.as_bytes()).unwrap();
            for &layout in Layout::INTEGERS {
                let bytes = encode_integers(precision, layout);
                assert_eq!(relayout(&plain, layout).unwrap(), bytes, "{layout:?}");
                let blob = AlignedBlob::from(bytes.as_slice());
                let model = Model::new(blob.as_bytes()).unwrap();
                assert_eq!(model.self_test(&mut HeapState::new(&model)), Ok(()), "{layout:?}");
                assert_eq!(model.macs_streaming(), 64_328);
                let pairs = tabulate_pairs(&model).unwrap();
                // One value of each unit for every pair replaces the table and its scaling.
                let tabulated = (27_usize * 27 * 88).next_multiple_of(16);
                assert_eq!(pairs.len(), bytes.len() - 2 * 27 * 176 - 8 * 176 + tabulated, "{layout:?}");
                let pairs = AlignedBlob::from(pairs.as_slice());
                let pairs = Model::new(pairs.as_bytes()).unwrap();
                assert_eq!(pairs.self_test(&mut HeapState::new(&pairs)), Ok(()), "{layout:?}");
                assert!(with_activation(&bytes, 0).is_err() && with_activation(&bytes, 2).is_err());
            }
        }
    }

    #[test]
    fn a_broken_promise_is_found() {
        let mut bytes = encode_integers(Precision::Int8, Layout::RowMajor);
        let blob = AlignedBlob::from(bytes.as_slice());
        let model = Model::new(blob.as_bytes()).unwrap();
        let text = bytes.len() - model.golden().len().next_multiple_of(16);
        bytes[text] = 9;
        let crc = checksum(&bytes);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
        let blob = AlignedBlob::from(bytes.as_slice());
        let model = Model::new(blob.as_bytes()).unwrap();
        let result = model.self_test(&mut HeapState::new(&model));
        assert!(matches!(result, Err(runtime::Error::SelfTest(SelfTestError { .. }))), "{result:?}");
    }

    /// The bytes are: the input in the kernel's form with the logits at its end; `2 * 88 + 4 * 88` older values and an
    /// older token; 176 rows while a level is computed.
    #[test]
    fn the_state_of_88_values() {
        for (layout, precision, bytes) in STATES {
            let blob = AlignedBlob::from(encode_integers(*precision, *layout).as_slice());
            let words = Model::new(blob.as_bytes()).unwrap().state_words();
            assert_eq!(words * size_of::<u32>(), *bytes, "{layout:?} {precision:?}");
        }
    }

    const STATES: &[(Layout, Precision, usize)] = &[
        (Layout::RowMajor, Precision::Int8, 924),
        #[cfg(feature = "dual16")]
        (Layout::Dual16, Precision::Int8, 1060),
        #[cfg(feature = "lanes16")]
        (Layout::Lanes16, Precision::Int8, 1764),
        #[cfg(feature = "vector128")]
        (Layout::Vector128, Precision::Int8, 932),
        #[cfg(feature = "int4")]
        (Layout::RowMajor, Precision::Int4, 924),
        #[cfg(all(feature = "int4", feature = "dual16"))]
        (Layout::Dual16, Precision::Int4, 1092),
        #[cfg(all(feature = "int4", feature = "lanes16"))]
        (Layout::Lanes16, Precision::Int4, 1500),
        #[cfg(all(feature = "int4", feature = "vector128"))]
        (Layout::Vector128, Precision::Int4, 932),
    ];
}
