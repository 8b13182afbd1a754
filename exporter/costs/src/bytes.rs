//! Sizes of the parts of a blob, and the bytes of it that are read per character.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use runtime::Model;
use runtime::config::LinearShape;
use runtime::format::{Layout, PREAMBLE_BYTES, SLAB_ALIGN, WeightFormat, slab_offset};
use runtime::kernels::half_words;
use runtime::kernels::layout::PackedKernel;
use runtime::rows::padded;

/// Bytes of a layer: its weights, biases and multipliers.
struct LayerBytes {
    /// Sizes of the arrays before each is padded to [`SLAB_ALIGN`].
    arrays: Vec<usize>,
    /// Bytes that are read per character.
    read: usize,
}

impl LayerBytes {
    fn new(model: &Model<'_>, layout: Layout, format: WeightFormat, shape: &LinearShape<'_>) -> Self {
        let (rows, columns, vocab_size) = (shape.fan_out, shape.fan_in(), model.config().vocab_size());
        let scaling = [4 * rows, 4 * rows];
        match (layout, format) {
            (_, WeightFormat::F32) => Self::whole(vec![4 * padded(rows), 4 * padded(rows) * columns]),
            (_, WeightFormat::Table) => Self {
                arrays: [&scaling[..], &[shape.positions * vocab_size * rows]].concat(),
                read: 8 * rows + shape.positions * rows,
            },
            (_, WeightFormat::Pairs) => {
                let width = rows / model.config().activation().rows_per_value();
                // Where the level above is looked up as well, only skip connections read the level's values.
                let is_read = !model.weight_formats().contains(&WeightFormat::Halves) || model.config().skip();
                Self { arrays: vec![vocab_size * vocab_size * width], read: if is_read { width } else { 0 } }
            }
            (_, WeightFormat::Halves) => {
                let half = half_words(rows) * size_of::<u32>();
                Self { arrays: vec![4 * rows, 2 * vocab_size * vocab_size * half], read: 4 * rows + 2 * half }
            }
            (layout, WeightFormat::Int8 | WeightFormat::Int4) => match PackedKernel::new(layout, format) {
                Some(kernel) => {
                    let words = kernel.block_words(kernel.columns(shape));
                    Self::whole(vec![4 * rows.div_ceil(kernel.rows_per_block()) * words])
                }
                None => {
                    let row_bytes = match format {
                        // Two weights share a byte.
                        WeightFormat::Int4 => columns.div_ceil(2),
                        WeightFormat::F32
                        | WeightFormat::Table
                        | WeightFormat::Int8
                        | WeightFormat::Pairs
                        | WeightFormat::Halves => columns,
                    };
                    Self::whole([&scaling[..], &[row_bytes * rows]].concat())
                }
            },
        }
    }

    fn whole(arrays: Vec<usize>) -> Self {
        Self { read: arrays.iter().sum(), arrays }
    }
}

/// Returns the bytes of the embedding, and the bytes of it that are read per character.
fn embedding_bytes(model: &Model<'_>, formats: &[WeightFormat]) -> (usize, usize) {
    let (vocab_size, n_embd) = (model.config().vocab_size(), model.config().n_embd());
    let fuse = model.config().levels().first().map_or(1, |level| usize::from(level.fuse));
    match formats.first() {
        Some(WeightFormat::F32) => (4 * vocab_size * n_embd, 4 * n_embd),
        Some(WeightFormat::Table | WeightFormat::Pairs | WeightFormat::Halves) => (0, 0),
        Some(WeightFormat::Int8 | WeightFormat::Int4) | None => (vocab_size * n_embd, fuse * n_embd),
    }
}

/// Returns names and sizes of the parts of a blob; the sum of the sizes is its length.
///
/// `bytes` is the blob that `model` was read from.
///
/// # Panics
/// Panics if `bytes` is too short for a blob.
pub fn parts(model: &Model<'_>, bytes: &[u8]) -> Vec<(String, usize)> {
    let formats = model.weight_formats();
    let header_len = usize::from(u16::from_le_bytes([bytes[6], bytes[7]]));
    let vocab = model.vocab().as_str().len();
    let mut parts =
        vec![("preamble and header".to_owned(), PREAMBLE_BYTES + header_len - vocab), ("vocabulary".to_owned(), vocab)];
    let mut padding = slab_offset(header_len) - PREAMBLE_BYTES - header_len;
    let mut add = |name: String, arrays: &[usize]| {
        padding += arrays.iter().map(|bytes| bytes.next_multiple_of(SLAB_ALIGN) - bytes).sum::<usize>();
        parts.push((name, arrays.iter().sum()));
    };
    add("embedding".to_owned(), &[embedding_bytes(model, formats).0]);
    let last = formats.len() - 1;
    for (index, (shape, &format)) in model.config().linear_shapes().zip(formats).enumerate() {
        let name = if index == last { "output layer".to_owned() } else { format!("level {index}") };
        add(name, &LayerBytes::new(model, model.layout(), format, &shape).arrays);
    }
    add("golden text".to_owned(), &[model.golden().len()]);
    parts.push(("padding".to_owned(), padding));
    parts
}

/// Returns the bytes of the model that are read per character in a layout.
pub fn bytes_read(model: &Model<'_>, layout: Layout) -> usize {
    let formats = model.weight_formats();
    let layers = model.config().linear_shapes().zip(formats);
    let layers = layers.map(|(shape, &format)| LayerBytes::new(model, layout, format, &shape).read);
    embedding_bytes(model, formats).1 + layers.sum::<usize>()
}
