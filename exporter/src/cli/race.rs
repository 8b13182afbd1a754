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
    /// Train this preset in the plain loop
    #[arg(long, default_value = "wavenet-128", value_parser = super::train::preset_names())]
    plain: String,
    /// Run this many steps of the plain loop and extrapolate the time of the others
    #[arg(long, default_value_t = 200_000, value_parser = limits::steps)]
    plain_steps: usize,
    /// Train this preset for comparison
    #[arg(long, default_value = FAST_PRESET, value_parser = super::train::preset_names())]
    preset: String,
    /// Set the seed of the preset's training
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Set the dev loss to reach, in nats per character
    #[arg(long, default_value_t = 1.993)]
    target: f64,
    /// Use this many threads for both trainings [default: one per core]
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
        // The learning rate falls to the end, so only the last measurement counts.
        evaluations: 1,
        checkpoints: None,
    };
    let (sooner, outcome) = ours(&words, &options)?;
    let dev = outcome.losses[1];
    line(fast.name, &sooner, dev, outcome.best_step);
    if dev > args.target {
        println!("  above the target of {}: not reached", args.target);
    }

    let all = plain.recipe.length.steps(outcome.examples[0], plain.recipe.batch_size);
    let steps = args.plain_steps.clamp(1, all);
    let (took, dev) = plain_loop(&words, &plain, steps, threads)?;
    line(&format!("{} in a plain loop", plain.name), &took, dev, steps);
    let whole = all as f64 / steps as f64;
    if steps < all {
        println!("  all {} steps: {:.0} s, extrapolated", count(all), took.seconds * whole);
    }
    println!("{:.1} times faster by the clock", took.seconds * whole / sooner.seconds);
    if let (Some(theirs), Some(ours)) = (took.cpu_seconds, sooner.cpu_seconds) {
        println!("{:.1} times less CPU time", theirs * whole / ours);
    }
    Ok(ExitCode::SUCCESS)
}

fn line(name: &str, took: &Took, dev: f64, steps: usize) {
    let cpu = took.cpu_seconds.map_or(String::new(), |cpu| format!(", {cpu:.1} s of CPU time"));
    println!("{name}: dev {dev:.4} after {} steps, {:.1} s{cpu}", count(steps), took.seconds);
}
