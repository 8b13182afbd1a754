//! The folded network, from its tensors in f32 to the blob of a chip.
//!
//! | module | contents |
//! |---|---|
//! | [`architecture`], [`activation`], [`forward`] | levels and widths; the functions between levels, and in libtorch |
//! | [`fold`], [`normalize`] | BatchNorm into weights and biases; levels of an unbounded activation scaled to about 1 |
//! | [`file`](mod@file) | `model.safetensors`: the folded network and its origin |
//! | [`torch_model`], [`tensors`], [`arrays`] | the folded network in libtorch; tensors from and to arrays |
//! | [`loss`] | nats per character |
//! | [`quantize`], [`gptq`] | weights in 8 and 4 bits, rounded to nearest or with error compensation |
//! | [`pack`] | the blob, written and read |

pub mod activation;
pub mod architecture;
pub mod arrays;
pub mod file;
pub mod fold;
pub mod forward;
pub mod gptq;
pub mod loss;
pub mod normalize;
pub mod pack;
pub mod quantize;
pub mod tensors;
pub mod torch_model;
