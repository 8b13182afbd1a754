//! Model that is linked into flash.

use runtime::State;

/// Blob chosen at build time by the environment variable MODEL (default: `models/names.blob`).
pub static BLOB: &[u8] = runtime::include_blob!(concat!(env!("OUT_DIR"), "/model.blob"));

/// Model of [`BLOB`], checked at build time: no check is left for the start of the program.
#[cfg(target_os = "none")]
pub mod built_in {
    include!(concat!(env!("OUT_DIR"), "/model.rs"));
}

/// Number of words of state that the blob needs.
pub const STATE_WORDS: usize = runtime::state_words(BLOB);

/// Bytes of RAM that the model's state takes.
pub const STATE_BYTES: usize = size_of::<State<STATE_WORDS>>();

#[cfg(target_os = "none")]
pub use on_chip::{Booted, boot};

#[cfg(target_os = "none")]
mod on_chip {
    use runtime::{Model, State};

    use super::{BLOB, STATE_WORDS};
    use crate::chip::singleton;
    use crate::error::Error;

    /// Model and state of a program.
    pub struct Booted {
        /// Checked model.
        pub model: &'static Model<'static>,
        /// State of the model.
        pub state: &'static mut State<STATE_WORDS>,
    }

    /// Checks and self-tests the model; every program begins with this.
    ///
    /// # Errors
    /// Fails if the blob is refused, or if its logits differ from those of the host that exported it.
    ///
    /// # Panics
    /// Panics if it is called a second time: there is only one model and one state.
    #[inline(never)]
    pub fn boot() -> Result<Booted, Error> {
        let model = load()?;
        let state = singleton!(STATE: State<STATE_WORDS> = State::new()).expect("the only taker");
        model.self_test(&mut *state)?;
        Ok(Booted { model, state })
    }

    // Not inlined: checking a blob takes more stack than running a model, and this frame is gone when the model runs.
    #[inline(never)]
    fn load() -> Result<&'static Model<'static>, Error> {
        let model = Model::new(BLOB)?;
        Ok(singleton!(MODEL: Model<'static> = model).expect("the only taker"))
    }
}
