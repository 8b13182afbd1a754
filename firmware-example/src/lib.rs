//! What every program of this crate needs once: entry point, console, panic and fault handlers, the model,
//! the board.
//!
//! The crate is an ordinary member of the workspace: on a host its programs are a `main` that says how to run them.

#![cfg_attr(target_os = "none", no_std)]

#[cfg(target_os = "none")]
pub mod arguments;
#[cfg(target_os = "none")]
pub mod board;
pub mod checksum;
pub mod console;
#[cfg(target_os = "none")]
mod error;
#[cfg(target_os = "none")]
pub mod footprint;
#[cfg(target_os = "none")]
pub mod handlers;
#[cfg(target_os = "none")]
pub mod measured_words;
#[cfg(all(target_os = "none", feature = "int8"))]
mod mem;
pub mod model;
pub mod slot;
#[cfg(target_os = "none")]
pub mod stack;
#[cfg(target_os = "none")]
pub mod trace_marks;

#[cfg(target_os = "none")]
pub use error::Error;

#[cfg(target_os = "none")]
#[doc(hidden)]
pub use cortex_m_rt::entry;
/// Prints a line on the console.
#[cfg(target_os = "none")]
pub use semihosting::println;

/// Ends the program with its result: an error is a line on the console and a status other than zero.
#[cfg(target_os = "none")]
pub fn finish(result: Result<(), Error>) -> ! {
    match result {
        Ok(()) => semihosting::process::exit(0),
        Err(error) => {
            println!("error: {error}");
            semihosting::process::exit(1)
        }
    }
}

/// Makes a function the program's entry point on a chip. It gets the model and its state, as [`model::boot`] gives them,
/// and returns `Result<(), Error>`.
#[cfg(target_os = "none")]
#[macro_export]
macro_rules! program {
    ($run:path) => {
        $crate::semihosting_handlers!();

        #[$crate::entry]
        fn entry() -> ! {
            // Not in one frame with `boot`, which needs the most stack: while it runs, this must not lie there yet.
            #[inline(never)]
            fn run(booted: $crate::model::Booted) -> Result<(), $crate::Error> {
                $run(booted)
            }
            $crate::finish($crate::model::boot().and_then(run))
        }
    };
}

/// What a program does on a host: say how to run it.
#[cfg(not(target_os = "none"))]
pub fn how_to_run(program: &str) {
    println!("{program} is a program for a microcontroller. To run it in QEMU:");
    println!("  cargo xtask qemu {program}");
    println!("or, in the folder firmware-example: cargo run --bin {program}");
}
