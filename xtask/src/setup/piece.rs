//! A piece of the set-up and its state.

/// State of a piece.
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
    /// Name.
    pub what: &'static str,
    /// State on this machine.
    pub state: State,
    /// Version; empty if the piece is missing.
    pub version: String,
    /// Place of the piece, or what to do about it.
    pub place: String,
}

impl Piece {
    /// Returns an installed piece.
    pub fn there(what: &'static str, version: impl Into<String>, place: impl Into<String>) -> Self {
        Self { what, state: State::There, version: version.into(), place: place.into() }
    }

    /// Returns a missing piece with the next step.
    pub fn missing(what: &'static str, todo: impl Into<String>) -> Self {
        Self { what, state: State::Missing, version: String::new(), place: todo.into() }
    }

    /// Returns a piece that is not needed or not available here, with the reason.
    pub fn skipped(what: &'static str, reason: impl Into<String>) -> Self {
        Self { what, state: State::Skipped, version: String::new(), place: reason.into() }
    }
}
