//! Computes a model in f32 from FORMAT.md and nothing else: every node of a window, with the portable kernel.

use runtime::activation::LARGEST_F32;
use runtime::format::{Header, slab_offset};
use runtime::kernels::routine::portable;
use runtime::math::{gate, tanh};
use runtime::rows::padded;
use runtime::{Activation, Token};

/// Returns the logits for the character after a window of `block_size` tokens. The blob must have been loaded before.
pub fn logits(blob: &[u8], window: &[Token]) -> Vec<f32> {
    let header_len = usize::from(u16::from_le_bytes([blob[6], blob[7]]));
    let header: Header<'_> = postcard::from_bytes(&blob[20..20 + header_len]).expect("it was loaded");
    let slab: Vec<f32> =
        blob[slab_offset(header_len)..].as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let mut rest = slab.as_slice();
    let mut take = |len: usize| {
        let (array, behind) = rest.split_at(len.next_multiple_of(4));
        rest = behind;
        &array[..len]
    };
    let vocab_size = header.vocab.chars().count();
    let embedding = take(vocab_size * usize::from(header.n_embd));
    let row =
        |&token: &Token| embedding[usize::from(token) * usize::from(header.n_embd)..][..header.n_embd.into()].to_vec();
    let mut nodes: Vec<Vec<f32>> = window.iter().map(row).collect();
    let mut newest = Vec::new();
    for level in &header.levels {
        let (fuse, width) = (usize::from(level.fuse), usize::from(level.width));
        let fan_out = width * header.activation.rows_per_value();
        let fan_in = fuse * nodes[0].len();
        let (bias, weights) = (take(padded(fan_out)), take(padded(fan_out) * fan_in));
        let node = |group: &[Vec<f32>]| {
            let mut rows = vec![0.0; padded(fan_out)];
            portable::vec_mat_f32(weights, bias, &group.concat(), &mut rows);
            let value = |index: usize| match header.activation {
                Activation::Gated => gate(tanh(rows[index]), tanh(rows[width + index])),
                Activation::Tanh => tanh(rows[index]),
                Activation::Relu => rows[index].clamp(0.0, LARGEST_F32) + 0.0,
            };
            (0..width).map(value).collect::<Vec<f32>>()
        };
        nodes = nodes.chunks(fuse).map(node).collect();
        newest.push(nodes[nodes.len() - 1].clone());
    }
    let input = if header.skip { newest.concat() } else { nodes[0].clone() };
    let mut logits = vec![0.0; padded(vocab_size)];
    let (bias, weights) = (take(padded(vocab_size)), take(padded(vocab_size) * input.len()));
    portable::vec_mat_f32(weights, bias, &input, &mut logits);
    logits.truncate(vocab_size);
    logits
}
