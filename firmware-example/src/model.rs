//! The model that is linked into flash.

use runtime::State;

/// The blob chosen at build time by the environment variable MODEL (default: `models/names.blob`).
pub static BLOB: &[u8] = runtime::include_blob!(concat!(env!("OUT_DIR"), "/model.blob"));

/// The same, checked when this was built: nothing is left to be done when the program starts.
#[cfg(target_os = "none")]
pub mod built_in {
    include!(concat!(env!("OUT_DIR"), "/model.rs"));
}

/// Words of state the blob asks for.
pub const STATE_WORDS: usize = runtime::state_words(BLOB);

/// RAM the model runs in.
pub const STATE_BYTES: usize = size_of::<State<STATE_WORDS>>();

#[cfg(target_os = "none")]
pub use on_chip::{Booted, boot};

#[cfg(target_os = "none")]
mod on_chip {
    use runtime::{Model, State};

    use super::{BLOB, STATE_WORDS};
    use crate::chip::singleton;
    use crate::error::Error;

    /// What a program works with.
    pub struct Booted {
        /// The model, checked.
        pub model: &'static Model<'static>,
        /// Its state.
        pub state: &'static mut State<STATE_WORDS>,
    }

    /// Checks the model and tests it: what every program begins with.
    ///
    /// # Errors
    /// A blob that is refused, or that gives other logits here than on the host that exported it.
    ///
    /// # Panics
    /// If it has been called before: there is one model and one state.
    #[inline(never)]
    pub fn boot() -> Result<Booted, Error> {
        let model = load()?;
        let state = singleton!(STATE: State<STATE_WORDS> = State::new()).expect("the only taker");
        model.self_test(&mut *state)?;
        Ok(Booted { model, state })
    }

    // A frame of its own: checking a blob takes more stack than running a model, and gives it back.
    #[inline(never)]
    fn load() -> Result<&'static Model<'static>, Error> {
        let model = Model::new(BLOB)?;
        Ok(singleton!(MODEL: Model<'static> = model).expect("the only taker"))
    }
}
