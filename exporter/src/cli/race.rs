use std::process::ExitCode;

use anyhow::Context;
use exporter::measure::race::{Took, ours, plain_loop};
use exporter::train::options::Options;
use exporter::train::preset::{self, FAST_PRESET};
use tch::Device;

use super::{DataArgs, count, default_threads, limits};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// Preset of the plain loop
    #[arg(long, default_value = "wavenet-128", value_parser = super::train::preset_names())]
    plain: String,
    /// Steps of the plain loop; the rest of them is extrapolated
    #[arg(long, default_value_t = 200_000, value_parser = limits::steps)]
    plain_steps: usize,
    /// Preset that is to be sooner
    #[arg(long, default_value = FAST_PRESET, value_parser = super::train::preset_names())]
    preset: String,
    /// Seed of that preset
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The loss to be reached
    #[arg(long, default_value_t = 1.993)]
    target: f64,
    /// Threads of both [default: one per core]
    #[arg(long, value_parser = limits::threads)]
    threads: Option<usize>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let words = args.data.read()?;
    let threads = args.threads.unwrap_or_else(default_threads);
    let plain = preset::find(&args.plain).context("clap checked the name")?;
    let fast = preset::find(&args.preset).context("clap checked the name")?;
    let options = Options {
        preset: fast.name.to_owned(),
        architecture: fast.architecture(),
        statistics: fast.statistics,
        recipe: fast.recipe.clone(),
        seed: args.seed,
        threads,
        device: Device::Cpu,
        // The schedule ends low, so that only the last measurement counts.
        evaluations: 1,
        checkpoints: None,
    };
    let (sooner, outcome) = ours(&words, &options)?;
    let dev = outcome.losses[1];
    line(fast.name, &sooner, dev, outcome.best_step);
    if dev > args.target {
        println!("  which is above {}: not reached", args.target);
    }

    let all = plain.recipe.length.steps(outcome.examples[0], plain.recipe.batch_size);
    let steps = args.plain_steps.clamp(1, all);
    let (took, dev) = plain_loop(&words, &plain, steps, threads)?;
    line(&format!("{} in a plain loop", plain.name), &took, dev, steps);
    let whole = all as f64 / steps as f64;
    if steps < all {
        println!("  all {} steps: {:.0} s, extrapolated", count(all), took.seconds * whole);
    }
    println!("{:.1} times sooner on the clock", took.seconds * whole / sooner.seconds);
    if let (Some(theirs), Some(ours)) = (took.cpu_seconds, sooner.cpu_seconds) {
        println!("{:.1} times less processor time", theirs * whole / ours);
    }
    Ok(ExitCode::SUCCESS)
}

fn line(name: &str, took: &Took, dev: f64, steps: usize) {
    let cpu = took.cpu_seconds.map_or(String::new(), |cpu| format!(", {cpu:.1} s of the processor"));
    println!("{name}: dev {dev:.4} after {} steps, {:.1} s{cpu}", count(steps), took.seconds);
}
