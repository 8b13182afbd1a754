//! Macros that print. The standard library's own macros panic if nothing can be written.

/// Writes a line of a result to stdout.
macro_rules! println {
    () => { $crate::streams::result(format_args!("\n")) };
    ($($argument:tt)*) => { $crate::streams::result(format_args!("{}\n", format_args!($($argument)*))) };
}

/// Writes a result to stdout.
macro_rules! print {
    ($($argument:tt)*) => { $crate::streams::result(format_args!($($argument)*)) };
}

/// Writes a line to stderr: progress, or a note.
macro_rules! eprintln {
    () => { $crate::streams::note(format_args!("\n")) };
    ($($argument:tt)*) => { $crate::streams::note(format_args!("{}\n", format_args!($($argument)*))) };
}
