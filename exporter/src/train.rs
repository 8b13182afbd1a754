//! Learning: presets and recipes, the network with BatchNorm, the training loop, and the folders that runs leave.
//!
//! | module | contents |
//! |---|---|
//! | [`preset`], [`recipe`] | networks by name, and how they are trained |
//! | [`nn`] | the lecture's blocks |
//! | [`training`] | the training loop |
//! | [`batch`], [`draws`] | windows or whole words of a step, in the order of libtorch's generator |
//! | [`checkpoint`], [`statistics`] | the state to go on from; activations, gradients and updates of a step |
//! | [`finetune`] | quantization-aware training for 4-bit weights |
//! | [`run`], [`sweep`] | the folder of a run; grids of runs |

pub mod batch;
pub mod checkpoint;
pub mod draws;
pub mod finetune;
pub mod nn;
mod optimizer;
pub mod preset;
pub mod recipe;
pub mod run;
pub mod statistics;
pub mod sweep;
pub mod training;
