use std::process::ExitCode;

use clap_complete::Shell;

use super::streams;

#[derive(clap::Args)]
pub struct Args {
    /// Print the script of this shell
    shell: Shell,
}

/// Prints the completion script for a shell on stdout.
pub fn run(args: &Args, mut command: clap::Command) -> anyhow::Result<ExitCode> {
    // Generates into memory first: clap_complete panics if it writes to a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "exporter", &mut script);
    streams::result_bytes(&script);
    Ok(ExitCode::SUCCESS)
}
