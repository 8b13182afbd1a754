//! Measures how good, how large and how fast a model is.
//!
//! | module | contents |
//! |---|---|
//! | [`eval`] | loss, and distance between models, or from PyTorch's logits |
//! | [`inspect`] | dimensions, bytes, and predicted time per character on a chip |
//! | [`costs`] | instructions per character, predicted from counts in the emulator |
//! | [`bench`](mod@bench) | characters per second on this computer |
//! | [`race`] | training time to the lecture's loss, compared with the lecture's own loop |

pub mod bench;
pub mod costs;
pub mod eval;
pub mod inspect;
pub mod race;
