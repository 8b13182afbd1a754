//! Words from a model and through a model, computed by the runtime as on a chip.
//!
//! | module | contents |
//! |---|---|
//! | [`sample`] | draws words |
//! | [`complete`] | the most probable words that begin with a prefix |
//! | [`score`] | how probable given words are |
//! | [`activations`] | the values of every node of the tree for a word |

pub mod activations;
pub mod complete;
pub mod sample;
pub mod score;
