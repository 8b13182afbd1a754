//! The command line of the exporter: see `exporter help`.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = match cli::run() {
        Ok(code) => code,
        Err(error) => {
            // One line: the chain of causes, without a cause whose text is already part of the line.
            let mut line = String::new();
            for cause in error.chain().map(ToString::to_string) {
                if line.is_empty() {
                    line = cause;
                } else if !line.contains(&cause) {
                    line += &format!(": {cause}");
                }
            }
            cli::streams::note(format_args!("error: {line}\n"));
            ExitCode::FAILURE
        }
    };
    cli::streams::finish(code)
}
