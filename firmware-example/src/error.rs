use core::fmt;

use runtime::{FormatError, PromptError, StateError};

use crate::arguments::ArgumentError;

/// Error that ends a program with one line on the console and a status other than zero.
#[derive(Debug)]
pub enum Error {
    /// Error in the command line.
    Arguments(ArgumentError),
    /// Error of the model, the state or the prompt.
    Runtime(runtime::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments(error) => error.fmt(f),
            Self::Runtime(error) => error.fmt(f),
        }
    }
}

impl From<ArgumentError> for Error {
    fn from(error: ArgumentError) -> Self {
        Self::Arguments(error)
    }
}

impl From<runtime::Error> for Error {
    fn from(error: runtime::Error) -> Self {
        Self::Runtime(error)
    }
}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        Self::Runtime(error.into())
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        Self::Runtime(error.into())
    }
}

impl From<PromptError> for Error {
    fn from(error: PromptError) -> Self {
        Self::Runtime(error.into())
    }
}
