//! Draws, completes and scores words with the runtime, as on a chip.
//!
//! | module | contents |
//! |---|---|
//! | [`sample`] | draws words |
//! | [`complete`] | finds the most probable words that begin with a prefix |
//! | [`score`] | computes how probable words are |
//! | [`activations`] | computes every node of the tree for a word |

pub mod activations;
pub mod complete;
pub mod sample;
pub mod score;
