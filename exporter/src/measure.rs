//! How good, how large and how fast a model is.
//!
//! | module | contents |
//! |---|---|
//! | [`eval`] | loss, and how far models are from one another or from PyTorch's logits |
//! | [`inspect`] | dimensions, bytes and predicted time of a model on a chip |
//! | [`costs`] | instructions of a character, predicted from counts in the emulator |
//! | [`bench`](mod@bench) | characters per second on this computer |
//! | [`race`] | time to the lecture's loss, next to a plain loop of the lecture |

pub mod bench;
pub mod costs;
pub mod eval;
pub mod inspect;
pub mod race;
