use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use exporter::plot::{RunData, plot_run, plot_runs};

use super::quoted;

#[derive(clap::Args)]
pub struct Args {
    /// Plot these folders of `train`; several folders share each plot
    #[arg(required = true, value_name = "FOLDER")]
    runs: Vec<PathBuf>,
    /// Write the plots to this folder [default: the run's folder; for several runs, the folder plots]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runs = args.runs.iter().map(|folder| RunData::read(folder)).collect::<Result<Vec<_>, _>>()?;
    let single = runs.len() == 1;
    let default = || if single { args.runs[0].clone() } else { PathBuf::from("plots") };
    let out = args.out.clone().unwrap_or_else(default);
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    let written = if single { plot_run(&runs[0], &out)? } else { plot_runs(&runs.iter().collect::<Vec<_>>(), &out)? };
    eprintln!("wrote {} as .svg and .png to {}", written.join(", "), quoted(&out));
    Ok(ExitCode::SUCCESS)
}
