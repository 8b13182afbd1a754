//! Tests each error of the loader that only integer models can have.
#![cfg(feature = "int8")]

use runtime::format::{AlignedBlob, Header, Layout, PREAMBLE_BYTES, Precision, WeightFormat, checksum, slab_offset};
use runtime::quant::ACC_LIMIT;
use runtime::write::{EncodeError, IntegerLayer, Layers, encode};
use runtime::{Activation, FormatError, Level, Model, Provenance};

/// Size of `.ab`, boundary included.
const VOCAB_SIZE: usize = 3;
const N_EMBD: usize = 3;
const LEVELS: [Level; 2] = [Level { fuse: 2, width: 2 }, Level { fuse: 2, width: 3 }];
/// Rows and columns of the levels and the output layer, if level 0 is not a table.
const SHAPES: [[usize; 2]; 3] = [[2, 2 * N_EMBD], [3, 4], [VOCAB_SIZE, 3]];

/// Model of two levels for the tests to spoil; all weights are 1 at first.
#[derive(Clone)]
struct Draft {
    precision: Precision,
    layout: Layout,
    embedding: Vec<i8>,
    layers: Vec<IntegerLayer>,
    golden: Vec<u8>,
}

impl Draft {
    fn new(formats: [WeightFormat; 3]) -> Self {
        let layers = formats.iter().zip(SHAPES).map(|(&format, [rows, columns])| {
            let columns = if format == WeightFormat::Table { 2 * VOCAB_SIZE } else { columns };
            IntegerLayer {
                format,
                bias: vec![0; rows],
                multiplier: vec![1 << 20; rows],
                weights: vec![1; rows * columns],
            }
        });
        let table = formats[0] == WeightFormat::Table;
        Self {
            precision: Precision::Int8,
            layout: Layout::RowMajor,
            embedding: if table { Vec::new() } else { vec![1; VOCAB_SIZE * N_EMBD] },
            layers: layers.collect(),
            golden: vec![0, 1, 2],
        }
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let header = Header {
            precision: self.precision,
            layout: self.layout,
            activation: Activation::Tanh,
            n_embd: N_EMBD as u16,
            levels: LEVELS.into_iter().collect(),
            skip: false,
            weights: self.layers.iter().map(|layer| layer.format).collect(),
            golden_len: 0,
            golden_crc32: 0,
            vocab: ".ab",
            provenance: Provenance { exporter_version: "test", ..Provenance::UNKNOWN },
        };
        encode(&header, &Layers::Integer { embedding: &self.embedding, layers: &self.layers }, &self.golden)
    }

    fn error(&self) -> Option<FormatError> {
        match self.encode() {
            Err(EncodeError::Refused(error)) => Some(error),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        }
    }
}

/// Returns the loader's result for bytes whose checksum is corrected first.
fn read(mut bytes: Vec<u8>) -> Result<(), FormatError> {
    let crc = checksum(&bytes);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    let blob = AlignedBlob::from(bytes.as_slice());
    Model::new(blob.as_bytes()).map(drop)
}

fn int8() -> Draft {
    Draft::new([WeightFormat::Int8; 3])
}

fn table() -> Draft {
    Draft::new([WeightFormat::Table, WeightFormat::Int8, WeightFormat::Int8])
}

/// Four-bit rows with an even number of columns, then with an odd one.
#[cfg(feature = "int4")]
fn int4() -> Draft {
    let formats = [WeightFormat::Int8, WeightFormat::Int4, WeightFormat::Int4];
    Draft { precision: Precision::Int4, ..Draft::new(formats) }
}

fn drafts() -> Vec<Draft> {
    vec![
        int8(),
        table(),
        #[cfg(feature = "int4")]
        int4(),
    ]
}

#[test]
fn the_drafts_are_models() {
    for draft in drafts() {
        let bytes = draft.encode().unwrap();
        assert_eq!(read(bytes.clone()), Ok(()));
        assert_eq!(bytes, draft.encode().unwrap(), "the same input makes other bytes");
    }
}

#[test]
fn formats_that_do_not_go_together_are_refused() {
    let unsupported = Some(FormatError::UnsupportedFormat);
    let rows8 = int8().with(|draft| draft.layout = Layout::Rows8);
    assert_eq!(rows8.error(), unsupported, "integers in the layout of f32");
    let f32 = int8().with(|draft| draft.precision = Precision::F32);
    assert_eq!(f32.error(), unsupported, "f32 in the layout of integers");
    for layer in 0..3 {
        let mixed = int8().with(|draft| draft.layers[layer].format = WeightFormat::F32);
        assert_eq!(mixed.error(), unsupported, "layer {layer} in f32");
    }
    for layer in 1..3 {
        let late = int8().with(|draft| draft.layers[layer].format = WeightFormat::Table);
        assert_eq!(late.error(), unsupported, "layer {layer} as a table");
    }
    #[cfg(feature = "f32")]
    {
        let both = int8().with(|draft| (draft.precision, draft.layout) = (Precision::F32, Layout::Rows8));
        assert_eq!(both.error(), unsupported, "f32 with weights in 8 bits");
    }
}

/// One weight format too few or too many. The encoder never writes that, so the test replaces the header.
#[test]
fn every_layer_needs_a_format() {
    let bytes = int8().encode().unwrap();
    let end = PREAMBLE_BYTES + usize::from(u16::from_le_bytes([bytes[6], bytes[7]]));
    let header: Header<'_> = postcard::from_bytes(&bytes[PREAMBLE_BYTES..end]).unwrap();
    for count in [0, 2, 4, 9] {
        let mut header = header.clone();
        header.weights = vec![WeightFormat::Int8; count].into_iter().collect();
        let encoded = postcard::to_allocvec(&header).unwrap();
        let mut changed = bytes[..PREAMBLE_BYTES].to_vec();
        changed.extend(&encoded);
        changed.resize(slab_offset(encoded.len()), 0);
        changed.extend(&bytes[slab_offset(end - PREAMBLE_BYTES)..]);
        let total = changed.len() as u32;
        changed[6..8].copy_from_slice(&(encoded.len() as u16).to_le_bytes());
        changed[8..12].copy_from_slice(&total.to_le_bytes());
        assert_eq!(read(changed), Err(FormatError::UnsupportedFormat), "{count} formats");
    }
}

/// Returns the largest sum that the weights of a row can reach, without the bias.
fn reach(layer: &IntegerLayer, row: usize) -> i32 {
    let weights = layer.weights.len() / layer.bias.len();
    let largest = |weight: i8| i32::from(weight.unsigned_abs());
    match layer.format {
        // One entry for each of two characters.
        WeightFormat::Table => 2 * 127,
        _ => layer.weights[row * weights..(row + 1) * weights].iter().map(|&w| 127 * largest(w)).sum(),
    }
}

#[test]
fn sums_must_stay_below_the_limit() {
    for draft in drafts() {
        let max = |layer: &IntegerLayer| if layer.format == WeightFormat::Int4 { 7 } else { 127 };
        for (layer, [rows, _]) in SHAPES.into_iter().enumerate() {
            // The largest weights allowed, of both signs.
            let draft = draft.with(|draft| {
                let layer = &mut draft.layers[layer];
                let max = max(layer);
                layer
                    .weights
                    .iter_mut()
                    .enumerate()
                    .for_each(|(at, weight)| *weight = if at % 3 == 0 { -max } else { max });
            });
            for row in 0..rows {
                let left = ACC_LIMIT - 1 - reach(&draft.layers[layer], row);
                let error = |bias: i32| draft.with(|draft| draft.layers[layer].bias[row] = bias).error();
                let overflow = Some(FormatError::AccumulatorOverflow { layer, row });
                for (allowed, refused) in [(left, left + 1), (-left, -left - 1), (0, i32::MAX), (0, i32::MIN)] {
                    assert_eq!(error(allowed), None, "layer {layer}, row {row}, bias {allowed}");
                    assert_eq!(error(refused), overflow, "layer {layer}, row {row}, bias {refused}");
                }
            }
        }
    }
}

#[test]
fn values_without_a_negative_are_refused() {
    let bad = |layer| Some(FormatError::BadValue { layer });
    let embedding = int8().with(|draft| draft.embedding[4] = -128);
    assert_eq!(embedding.error(), bad(0));
    for layer in 0..3 {
        for draft in [int8(), table()] {
            let draft = draft.with(|draft| *draft.layers[layer].weights.last_mut().unwrap() = -128);
            assert_eq!(draft.error(), bad(layer));
        }
    }
}

#[test]
fn multipliers_must_not_be_negative() {
    for draft in drafts() {
        for layer in 0..3 {
            let with = |multiplier| draft.with(|draft| draft.layers[layer].multiplier[1] = multiplier).error();
            assert_eq!((with(0), with(i32::MAX)), (None, None));
            assert_eq!(
                (with(-1), with(i32::MIN)),
                (Some(FormatError::BadValue { layer }), Some(FormatError::BadValue { layer }))
            );
        }
    }
}

#[test]
fn the_golden_text_must_be_of_the_vocabulary() {
    for draft in drafts() {
        let outside = draft.with(|draft| draft.golden = vec![1, VOCAB_SIZE as u8]);
        assert_eq!(outside.error(), Some(FormatError::BadValue { layer: 3 }), "counted after the last layer");
        // Also if the token is changed after encoding: the text is the last array of the slab.
        let mut bytes = draft.encode().unwrap();
        let text = bytes.len() - 16;
        assert_eq!(bytes[text..text + 4], [0, 1, 2, 0]);
        bytes[text] = u8::MAX;
        assert_eq!(read(bytes), Err(FormatError::BadValue { layer: 3 }));
    }
}

/// Pairs are not scaled, so biases and multipliers with them are refused.
#[test]
fn pairs_come_alone() {
    let width = usize::from(LEVELS[0].width);
    let weights = vec![1; VOCAB_SIZE * VOCAB_SIZE * width];
    let pairs = IntegerLayer { format: WeightFormat::Pairs, bias: Vec::new(), multiplier: Vec::new(), weights };
    let draft = table().with(|draft| draft.layers[0] = pairs);
    assert_eq!(draft.error(), None);
    let refused = |what, found, expected| Err(EncodeError::WrongLength { what, found, expected });
    for (biases, multipliers) in [(1, 0), (0, 1), (2, 2), (3, 2)] {
        let scaled = draft.with(|draft| {
            draft.layers[0].bias = vec![0; biases];
            draft.layers[0].multiplier = vec![1; multipliers];
        });
        assert_eq!(scaled.encode(), refused("biases of pairs", biases + multipliers, 0));
    }
    let short = draft.with(|draft| {
        draft.layers[0].weights.pop();
    });
    let entries = VOCAB_SIZE * VOCAB_SIZE * width;
    assert_eq!(short.encode(), refused("entries of pairs", entries - 1, entries));
}

/// Model whose level 1 is stored in halves, for three rows and one of padding.
fn halves() -> Draft {
    let pairs = vec![1; VOCAB_SIZE * VOCAB_SIZE * usize::from(LEVELS[0].width)];
    let layer = |format, multiplier, weights| IntegerLayer { format, bias: Vec::new(), multiplier, weights };
    table().with(|draft| {
        draft.layers[0] = layer(WeightFormat::Pairs, Vec::new(), pairs);
        draft.layers[1] = layer(WeightFormat::Halves, vec![1 << 20; 3], vec![0; 2 * PAIRS * HALF]);
        for pair in 0..PAIRS {
            for row in 0..3 {
                set(draft, [0, pair, row], 1000 * pair as i32);
                set(draft, [1, pair, row], ACC_LIMIT + 500 * pair as i32 - 9000);
            }
        }
    })
}

/// Number of pairs of characters, and bytes of a half of four sums.
const PAIRS: usize = VOCAB_SIZE * VOCAB_SIZE;
const HALF: usize = 12;

/// Sets a number of level 1: of the older or newer half, a pair and a row.
fn set(draft: &mut Draft, [half, pair, row]: [usize; 3], number: i32) {
    let [low, middle, high, _] = number.to_le_bytes().map(|byte| byte as i8);
    draft.layers[1].weights[(half * PAIRS + pair) * HALF + 3 * row..][..3].copy_from_slice(&[low, middle, high]);
}

/// The sum of any two halves must be a sum that other formats allow, and there is only one way to divide it.
#[test]
fn sums_of_halves_are_checked() {
    let draft = halves();
    assert_eq!(draft.error(), None);
    let with = |places: &[([usize; 3], i32)]| {
        draft.with(|draft| places.iter().for_each(|&(place, number)| set(draft, place, number))).error()
    };
    let bad = Some(FormatError::BadValue { layer: 1 });
    for row in 0..3 {
        let overflow = Some(FormatError::AccumulatorOverflow { layer: 1, row });
        let last = [0, PAIRS - 1, row];
        // The largest newer half belongs to the last pair.
        let room = 2 * ACC_LIMIT - 1 - (ACC_LIMIT + 500 * (PAIRS as i32 - 1) - 9000);
        assert_eq!((with(&[(last, room)]), with(&[(last, room + 1)])), (None, overflow));
        assert_eq!((with(&[([1, 4, row], 1)]), with(&[([1, 4, row], 0)])), (None, overflow));
        assert_eq!(with(&[([0, 0, row], 1)]), bad, "no older half is zero");
        assert_eq!(with(&[([0, 0, row], 1), ([0, 7, row], 0)]), None, "another one is");
        for (multiplier, expected) in [(0, None), (i32::MAX, None), (-1, bad), (i32::MIN, bad)] {
            assert_eq!(draft.with(|draft| draft.layers[1].multiplier[row] = multiplier).error(), expected);
        }
    }
    for half in 0..2 {
        for pair in [0, 5, PAIRS - 1] {
            assert_eq!(with(&[([half, pair, 3], 1)]), bad, "padding of half {half}, pair {pair}");
        }
    }
}

/// Halves are only for level 1, above pairs.
#[test]
fn halves_elsewhere_are_refused() {
    let unsupported = Some(FormatError::UnsupportedFormat);
    let below = |layer: &IntegerLayer, embedding: &[i8]| {
        halves()
            .with(|draft| {
                draft.layers[0] = layer.clone();
                draft.embedding = embedding.to_vec();
            })
            .error()
    };
    assert_eq!(below(&table().layers[0], &[]), unsupported, "above a table");
    assert_eq!(below(&int8().layers[0], &int8().embedding), unsupported, "above weights");
    assert_eq!(table().with(|draft| draft.layers[0].format = WeightFormat::Halves).error(), unsupported, "level 0");
    assert_eq!(halves().with(|draft| draft.layers[2].format = WeightFormat::Halves).error(), unsupported, "output");
}

#[test]
fn halves_of_another_length_are_refused() {
    let refused = |what, found, expected| Err(EncodeError::WrongLength { what, found, expected });
    let bytes = 2 * PAIRS * HALF;
    let short = halves().with(|draft| draft.layers[1].weights.truncate(bytes - 1));
    assert_eq!(short.encode(), refused("bytes of halves", bytes - 1, bytes));
    let biased = halves().with(|draft| draft.layers[1].bias.push(0));
    assert_eq!(biased.encode(), refused("biases of halves", 1, 0));
    let long = halves().with(|draft| draft.layers[1].multiplier.push(0));
    assert_eq!(long.encode(), refused("multipliers of a layer", 4, 3));
}

#[test]
fn arrays_of_another_length_are_refused() {
    let what = |draft: Draft| match draft.encode() {
        Err(EncodeError::WrongLength { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(int8().with(|draft| draft.embedding.truncate(8))), "embedding weights");
    assert_eq!(what(table().with(|draft| draft.embedding.push(0))), "embedding weights");
    assert_eq!(what(int8().with(|draft| draft.layers[1].bias.push(0))), "biases of a layer");
    assert_eq!(what(int8().with(|draft| draft.layers[1].multiplier.truncate(2))), "multipliers of a layer");
    assert_eq!(what(table().with(|draft| draft.layers[0].weights.truncate(11))), "weights of a layer");
}

#[cfg(feature = "int4")]
mod four_bits {
    use super::*;

    #[test]
    fn weights_beyond_7_are_refused() {
        for layer in 1..3 {
            for weight in [-128, -8, 8, 127] {
                let draft = int4().with(|draft| draft.layers[layer].weights[3] = weight);
                assert_eq!(draft.error(), Some(FormatError::BadValue { layer }), "{weight}");
            }
        }
        // -8 in either half of a byte, which the encoder does not check: the last array, three rows of three columns.
        let bytes = int4().with(|draft| draft.golden.clear()).encode().unwrap();
        let rows = bytes.len() - 16;
        assert_eq!(bytes[rows..rows + 7], [0x11, 0x01, 0x11, 0x01, 0x11, 0x01, 0x00]);
        for (at, byte) in [(0, 0x81), (0, 0x18), (1, 0x08), (2, 0x81), (5, 0x08)] {
            let mut bytes = bytes.clone();
            bytes[rows + at] = byte;
            assert_eq!(read(bytes), Err(FormatError::BadValue { layer: 2 }), "byte {at}");
        }
        // The half byte after the last column of a row belongs to no column.
        for byte in [0x11, 0xf1, 0x71] {
            let mut bytes = bytes.clone();
            bytes[rows + 1] = byte;
            assert_eq!(read(bytes), Err(FormatError::BadValue { layer: 2 }), "{byte:02x}");
        }
    }

    /// The precision says what the runtime must support, which may be more than the layers need.
    #[test]
    fn int8_has_no_layer_in_four_bits() {
        for layer in 0..3 {
            let mut formats = [WeightFormat::Int8; 3];
            formats[layer] = WeightFormat::Int4;
            let mixed = Draft::new(formats);
            assert_eq!(mixed.error(), Some(FormatError::UnsupportedFormat), "layer {layer}");
            assert_eq!(mixed.with(|draft| draft.precision = Precision::Int4).error(), None, "layer {layer}");
        }
        assert_eq!(int8().with(|draft| draft.precision = Precision::Int4).error(), None, "no layer at all");
    }
}

/// Layouts that cannot hold a layer refuse it; all others compute the same.
#[test]
fn very_wide_layers() {
    let encode_in = |layout, format, fuse: usize, wide: usize| {
        let header = Header {
            precision: if format == WeightFormat::Int8 { Precision::Int8 } else { Precision::Int4 },
            layout,
            activation: Activation::Tanh,
            n_embd: wide as u16,
            levels: [Level { fuse: fuse as u8, width: 1 }].into_iter().collect(),
            skip: false,
            weights: [format, WeightFormat::Int8].into_iter().collect(),
            golden_len: 0,
            golden_crc32: 0,
            vocab: ".ab",
            provenance: Provenance { exporter_version: "test", ..Provenance::UNKNOWN },
        };
        let embedding: Vec<i8> = (0..VOCAB_SIZE * wide).map(|at| (at % 251) as i8).map(|x| x.max(-127)).collect();
        let weights: Vec<i8> = (0..fuse * wide).map(|at| i8::from(at % 19 == 0) - i8::from(at % 23 == 0)).collect();
        let level = IntegerLayer { format, bias: vec![5], multiplier: vec![1 << 20], weights };
        let output = IntegerLayer {
            format: WeightFormat::Int8,
            bias: vec![0; VOCAB_SIZE],
            multiplier: vec![1 << 20; VOCAB_SIZE],
            weights: vec![1, 2, 3],
        };
        encode(&header, &Layers::Integer { embedding: &embedding, layers: &[level, output] }, &[1, 2, 1, 1, 2])
    };
    let formats = [
        WeightFormat::Int8,
        #[cfg(feature = "int4")]
        WeightFormat::Int4,
    ];
    // With padding, the last one has more columns than any layer may have without.
    for (format, (fuse, wide)) in formats
        .into_iter()
        .flat_map(|format| [(15, 2048), (16, 2048), (31, 2048), (62, 1057)].map(|case| (format, case)))
    {
        let mut checksums = Vec::new();
        for &layout in Layout::INTEGERS {
            let encoded = encode_in(layout, format, fuse, wide);
            if layout == Layout::Lanes16 && fuse > 15 {
                let what = "number of padded columns";
                let refused = matches!(encoded, Err(EncodeError::Refused(FormatError::BadDimension { what: found, .. })) if found == what);
                assert!(refused, "{format:?}, {fuse}");
                continue;
            }
            let bytes = encoded.unwrap_or_else(|error| panic!("{layout:?}, {format:?}, {fuse}: {error}"));
            let blob = AlignedBlob::from(bytes.as_slice());
            let model = Model::new(blob.as_bytes()).unwrap();
            checksums.push(model.golden_checksum(&mut runtime::HeapState::new(&model)).unwrap());
        }
        assert!(checksums.windows(2).all(|two| two[0] == two[1]), "{format:?}, {fuse}: {checksums:?}");
    }
}

/// Every layout refuses a bias that no reader accepts, even layouts that have no room for it.
#[test]
fn a_bias_out_of_range_is_refused_in_every_layout() {
    for &layout in Layout::INTEGERS {
        for draft in drafts() {
            for bias in [1 << 23, (1 << 24) + 5, (1 << 28) + 5, i32::MAX, i32::MIN] {
                let wrong = draft.with(|draft| {
                    draft.layout = layout;
                    draft.layers[1].bias[2] = bias;
                });
                let error = Some(FormatError::AccumulatorOverflow { layer: 1, row: 2 });
                assert_eq!(wrong.error(), error, "{bias} in {layout:?}");
            }
        }
    }
}
