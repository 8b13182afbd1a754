//! A piece of the set-up, and whether it is there.

/// Whether a piece is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Found, and it starts.
    There,
    /// Not found, or it does not work.
    Missing,
    /// Not found, and everything else works without it.
    Skipped,
}

/// A piece: a row of the table that `cargo xtask doctor` prints.
#[derive(Debug)]
pub struct Piece {
    /// Its name.
    pub what: &'static str,
    /// Whether it is there.
    pub state: State,
    /// Its version, empty where it is missing.
    pub version: String,
    /// Where it was found, or what to do.
    pub place: String,
}

impl Piece {
    /// A piece that is there.
    pub fn there(what: &'static str, version: impl Into<String>, place: impl Into<String>) -> Self {
        Self { what, state: State::There, version: version.into(), place: place.into() }
    }

    /// A piece that is missing, and what to do about it.
    pub fn missing(what: &'static str, todo: impl Into<String>) -> Self {
        Self { what, state: State::Missing, version: String::new(), place: todo.into() }
    }

    /// A piece that is not needed here, or cannot be had, and why.
    pub fn skipped(what: &'static str, reason: impl Into<String>) -> Self {
        Self { what, state: State::Skipped, version: String::new(), place: reason.into() }
    }
}
