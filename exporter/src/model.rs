//! The folded network, from tensors in f32 to the blob of a chip.
//!
//! | module | contents |
//! |---|---|
//! | [`architecture`], [`activation`], [`forward`] | levels and widths; activations, and activations in libtorch |
//! | [`fold`], [`normalize`] | folds BatchNorm into the layers; scales levels of an unbounded activation to about 1 |
//! | [`file`](mod@file) | `model.safetensors`: the folded network and its origin |
//! | [`torch_model`], [`tensors`], [`arrays`] | the folded network in libtorch; conversion of tensors and arrays |
//! | [`loss`], [`lost`] | nats per character; the loss of integers against f32 |
//! | [`quantize`], [`gptq`] | rounds weights to 8 and 4 bits, to nearest or with error compensation |
//! | [`pack`] | writes and reads the blob |

pub mod activation;
pub mod architecture;
pub mod arrays;
pub mod file;
pub mod fold;
pub mod forward;
pub mod gptq;
pub mod loss;
pub mod lost;
pub mod normalize;
pub mod pack;
pub mod quantize;
pub mod temperature;
pub mod tensors;
pub mod torch_model;
