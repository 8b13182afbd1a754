//! Shared code of this crate's programs: the chip, the board, the console, panic and fault handlers, the model.
//!
//! The crate is an ordinary member of the workspace: on a host its programs only print how to run them.

#![cfg_attr(target_os = "none", no_std)]

#[cfg(target_os = "none")]
pub mod arguments;
#[cfg(target_os = "none")]
pub mod board;
pub mod checksum;
#[cfg(target_os = "none")]
pub mod chip;
pub mod console;
#[cfg(target_os = "none")]
mod error;
#[cfg(target_os = "none")]
pub mod handlers;
#[cfg(target_os = "none")]
pub mod measured_words;
pub mod model;
pub mod slot;
#[cfg(target_os = "none")]
pub mod trace_marks;

#[cfg(target_os = "none")]
pub use error::Error;

/// Prints a line on the console.
#[cfg(target_os = "none")]
pub use semihosting::println;

/// Ends the program with its result: prints an error on the console, and exits with a status other than zero.
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

/// Makes a function the program's entry point on a chip. The function gets the model and its state from
/// [`model::boot`], and returns `Result<(), Error>`.
#[cfg(target_os = "none")]
#[macro_export]
macro_rules! program {
    ($run:path) => {
        $crate::semihosting_handlers!();

        /// Runs after start-up.
        #[$crate::chip::entry]
        fn entry() -> ! {
            // Not inlined: this frame must not exist while `boot` runs, which needs the most stack.
            #[inline(never)]
            fn run(booted: $crate::model::Booted) -> Result<(), $crate::Error> {
                $run(booted)
            }
            $crate::finish($crate::model::boot().and_then(run))
        }
    };
}

/// Prints how to run a program: its `main` on a host.
#[cfg(not(target_os = "none"))]
pub fn how_to_run(program: &str) {
    println!("{program} is a program for a microcontroller. To run it in QEMU:");
    println!("  cargo xtask qemu {program}");
    println!("or, in the folder firmware-example: cargo run --bin {program}");
}
