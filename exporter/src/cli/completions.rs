use std::process::ExitCode;

use clap_complete::Shell;

use super::streams;

#[derive(clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// The script for a shell, on stdout.
pub fn run(args: &Args, mut command: clap::Command) -> anyhow::Result<ExitCode> {
    // First into memory: the library panics where a pipe is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "exporter", &mut script);
    streams::result_bytes(&script);
    Ok(ExitCode::SUCCESS)
}
