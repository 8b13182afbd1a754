//! Training: presets and recipes, the network with BatchNorm, the training loop, and the folders of runs.
//!
//! | module | contents |
//! |---|---|
//! | [`preset`], [`recipe`], [`options`] | networks by name, their training recipes, and the settings of one training |
//! | [`nn`] | the lecture's blocks |
//! | `corpus`, `source`, [`batch`], [`draws`] | the words, and the batches drawn from them |
//! | [`training`], [`event`], [`error`] | the training loop, its events and its errors |
//! | `optimizer` | SGD and AdamW, whose state can be saved |
//! | [`checkpoint`], `fingerprint` | the state from which a training continues, and the settings of that training |
//! | [`statistics`] | activations, gradients and updates of a step |
//! | [`fold_network`](mod@fold_network) | the network in training as a folded model |
//! | [`finetune`](mod@finetune) | quantization-aware training for 4-bit weights |
//! | [`run`], [`sweep`] | the folder of a run; grids of runs, and runs that come back from other machines |

pub mod batch;
pub mod checkpoint;
mod corpus;
pub mod draws;
pub mod error;
pub mod event;
pub mod finetune;
mod fingerprint;
pub mod fold_network;
pub mod nn;
mod optimizer;
pub mod options;
pub mod preset;
pub mod recipe;
pub mod run;
mod source;
pub mod statistics;
pub mod sweep;
pub mod training;
