//! The command line of the exporter: see `exporter help`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            // One line: the chain of causes, each of which says something the one before does not.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
