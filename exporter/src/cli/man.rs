use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap_mangen::Man;
use exporter::io::write::write_atomically;

use super::{quoted, streams};

#[derive(clap::Args)]
pub struct Args {
    /// Write one page per command to this folder [default: print only the page of `exporter` on stdout]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Writes the manual, from the text of --help.
pub fn run(args: &Args, mut command: clap::Command) -> anyhow::Result<ExitCode> {
    command.build();
    let Some(out) = &args.out else {
        streams::result_bytes(&page(&command)?);
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    let mut pages = 1;
    write(out, "exporter", &command)?;
    for command in command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        let name = format!("exporter-{}", command.get_name());
        write(out, &name, command)?;
        pages += 1;
    }
    eprintln!("wrote {pages} pages to {}; to read the first: man {}", quoted(out), quoted(&out.join("exporter.1")));
    Ok(ExitCode::SUCCESS)
}

fn write(folder: &Path, name: &str, command: &clap::Command) -> anyhow::Result<()> {
    Ok(write_atomically(&folder.join(format!("{name}.1")), &page(command)?)?)
}

fn page(command: &clap::Command) -> anyhow::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page).context("cannot write the manual page")?;
    Ok(page)
}
