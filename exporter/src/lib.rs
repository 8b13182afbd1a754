//! Trains a hierarchical character model, folds it, packs it for a microcontroller, evaluates and samples it.
//!
//! ```text
//! words.txt -> data -> nn + train (tch) -> fold -> file (model.safetensors) -> pack (model.blob) -> runtime
//! ```
//!
//! The arithmetic of the deployed model is not here: [`eval`] and [`sample`] call the `runtime` crate, so that the loss
//! reported belongs to the model that ships.

pub mod activation;
pub mod activations;
pub mod architecture;
pub mod arrays;
pub mod bench;
pub mod complete;
pub mod costs;
pub mod data;
pub mod eval;
pub mod file;
pub mod finetune;
pub mod fold;
pub mod gptq;
pub mod import;
pub mod inspect;
pub mod loss;
pub mod nn;
pub mod normalize;
pub mod pack;
pub mod plot;
pub mod preset;
pub mod python_random;
pub mod quantize;
pub mod race;
pub mod read;
pub mod recipe;
pub mod run;
pub mod sample;
pub mod score;
pub mod sweep;
pub mod tensors;
pub mod train;
pub mod write;
