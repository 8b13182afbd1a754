use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use exporter::data::hex;
use exporter::train::options::max_threads;
use exporter::train::run;
use exporter::train::sweep::{Results, Row, Run, grid, parse_set, table};

use super::lists::TrainingData;
use super::{Cli, INTERRUPTED, count, default_threads, limits, stop_on_interrupt, streams, train};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: TrainingData,
    /// Train this preset; may be given several times
    #[arg(long, required = true, value_parser = train::preset_names())]
    preset: Vec<String>,
    /// Train with each of these values of an option of `train`, as in lr=1e-3,3e-3; may be given several times
    #[arg(long, value_name = "KEY=VALUES", value_parser = parse_set)]
    set: Vec<(String, Vec<String>)>,
    /// Train each combination with this many seeds
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Count the seeds up from this one
    #[arg(long, default_value_t = 42)]
    first_seed: u64,
    /// Run this many trainings at a time. The threads of all of them together are limited to 64 or four per core,
    /// whichever is more
    #[arg(long, default_value_t = 1, value_parser = limits::threads)]
    jobs: usize,
    /// Use this many threads per training [default: the number of cores, divided by --jobs]
    #[arg(long, value_parser = limits::threads)]
    threads: Option<usize>,
    /// Draw no plots
    #[arg(long)]
    no_plots: bool,
    /// Write a folder per run, results.jsonl and results.csv to this folder; skip runs that are finished there
    #[arg(long, value_name = "FOLDER", default_value = "runs/sweep")]
    out: PathBuf,
}

const NO_PLOTS: &str = "--no-plots";
/// Time that a training has after Ctrl-C to write its checkpoint.
const GRACE: Duration = Duration::from_secs(10);

/// Runs every training as a process of its own: libtorch has one random generator and one number of threads per
/// process, and a training that crashes must not end the others.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    train::check_name("--data", args.data.list.data.as_deref())?;
    let (jobs, threads) = (args.jobs, threads(args)?);
    let words = args.data.read()?;
    let sha256 = hex(&words.sha256);
    let last = args.first_seed.checked_add(args.seeds).context("--first-seed is too large")?;
    let runs = grid(&args.preset, &args.set, args.first_seed..last);
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make the folder {}", args.out.display()))?;
    let results = Mutex::new(Results::read(&args.out)?);

    // Checks the settings of all runs before the first training starts.
    let mut open = Vec::new();
    for run in &runs {
        let folder = args.out.join(run.name());
        let arguments = arguments(args, run, threads, &folder);
        let expected = match Cli::try_parse_from(&arguments).map(|cli| cli.command) {
            Ok(super::Command::Train(expected)) => expected,
            Ok(_) => unreachable!("the first argument is train"),
            Err(error) => bail!("{}: {}", run.name(), error.to_string().lines().next().unwrap_or_default()),
        };
        expected.check(&words).with_context(|| run.name())?;
        if let Ok(config) = run::read_config(&folder)
            && (config["data_sha256"] != sha256.as_str() || !expected.has_settings(&config))
        {
            bail!("{} holds a run with other settings or another list: choose another --out", folder.display());
        }
        match finished(run, &folder)? {
            Some(row) => results.lock().expect("no thread panics").add(row)?,
            None => open.push((run, folder, arguments)),
        }
    }
    eprintln!(
        "{} runs, {} of them already finished; {jobs} at a time, {threads} threads each\n",
        count(runs.len()),
        count(runs.len() - open.len()),
    );

    let stop = stop_on_interrupt()?;
    open.reverse();
    let (queue, failures) = (Mutex::new(open), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let Some((run, folder, arguments)) = queue.lock().expect("no thread panics").pop() else { break };
                    let ended = start_and_wait(run, &folder, arguments, &stop)
                        .and_then(|()| finished(run, &folder)?.context("the training wrote no result.json"))
                        .and_then(|row| {
                            eprintln!("{}: dev {:.4}, {:.0} s", row.name, row.dev_nll, row.seconds);
                            Ok(results.lock().expect("no thread panics").add(row)?)
                        });
                    if let Err(error) = ended
                        && !stop.load(Ordering::Relaxed)
                    {
                        eprintln!("{}: {error:#}", run.name());
                        failures.lock().expect("no thread panics").push(run.name());
                    }
                }
            });
        }
    });

    let names: Vec<String> = runs.iter().map(Run::name).collect();
    let results = results.into_inner().expect("no thread panics");
    // The folder may hold runs of other grids as well.
    let rows: Vec<Row> = results.rows().iter().filter(|row| names.contains(&row.name)).cloned().collect();
    streams::keep(&args.out);
    println!("\n{}", table(&rows));
    let failures = failures.into_inner().expect("no thread panics");
    if stop.load(Ordering::Relaxed) {
        eprintln!(
            "interrupted: {} of {} runs are finished; to continue, run the same command again",
            rows.len(),
            runs.len()
        );
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if !failures.is_empty() {
        bail!("{} of {} runs failed: {}", failures.len(), runs.len(), failures.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the number of threads per training. Fails if all trainings together would use too many.
fn threads(args: &Args) -> anyhow::Result<usize> {
    let jobs = args.jobs;
    let threads = args.threads.unwrap_or_else(|| (default_threads() / jobs).max(1));
    let (all, most) = (jobs * threads, max_threads());
    if all > most {
        bail!("--jobs {jobs} with --threads {threads} need {all} threads, but this machine allows at most {most}");
    }
    Ok(threads)
}

/// Returns the command line of a run.
fn arguments(args: &Args, run: &Run, threads: usize, folder: &Path) -> Vec<String> {
    let mut arguments = vec!["exporter".to_owned(), "train".to_owned()];
    let mut add = |name: &str, value: String| arguments.extend([format!("--{name}={value}")]);
    add("preset", run.preset.clone());
    add("seed", run.seed.to_string());
    add("threads", threads.to_string());
    for (key, value) in &run.settings {
        add(key, value.clone());
    }
    if let Some(data) = &args.data.list.data {
        add("data", data.display().to_string());
    }
    add("max-words", args.data.list.max_words.to_string());
    if let Some(most) = args.data.max_characters {
        add("max-characters", most.to_string());
    }
    add("run-dir", folder.display().to_string());
    if train::is_foldable(&run.preset) {
        add("out", run::model_path(folder).display().to_string());
    }
    if let Some(rule) = args.data.list.split {
        add("split", rule.name().to_owned());
    }
    if args.data.list.dedup {
        arguments.push("--dedup".to_owned());
    }
    if args.no_plots {
        arguments.push(NO_PLOTS.to_owned());
    }
    arguments
}

/// Returns the row of a run, or `None` if the run is not finished.
fn finished(run: &Run, folder: &Path) -> anyhow::Result<Option<Row>> {
    let path = run::result_path(folder);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| path.display().to_string())?,
    };
    let mut row: serde_json::Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    row["name"] = run.name().into();
    row["group"] = run.group().into();
    Ok(Some(serde_json::from_value(row).with_context(|| path.display().to_string())?))
}

/// Starts or continues a training and waits for its end. An error has the last line that the training printed.
fn start_and_wait(run: &Run, folder: &Path, arguments: Vec<String>, stop: &AtomicBool) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let log = folder.join("log.txt");
    let file = OpenOptions::new().create(true).append(true).open(&log)?;
    let mut command = Command::new(std::env::current_exe()?);
    if run::read_config(folder).is_ok() {
        eprintln!("{}: continues", run.name());
        command.arg("train").arg("--resume").arg(folder);
        let is_kept = |argument: &&String| *argument == NO_PLOTS || argument.starts_with("--data=");
        command.args(arguments.iter().filter(is_kept));
    } else {
        eprintln!("{}: starts", run.name());
        command.args(&arguments[1..]);
    }
    // Threads that wait in a loop would occupy the cores that the other trainings need.
    if std::env::var_os("OMP_WAIT_POLICY").is_none() {
        command.env("OMP_WAIT_POLICY", "passive");
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn()?;
    if wait(&mut child, stop)?.success() {
        return Ok(());
    }
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    bail!("{}", said.lines().last().unwrap_or("the training failed").trim_start_matches("error: "))
}

/// Waits for the end of a training. A terminal sends Ctrl-C to the trainings as well, which then write a checkpoint. A
/// training that does not end within [`GRACE`] is killed and loses the steps after its last checkpoint.
fn wait(child: &mut Child, stop: &AtomicBool) -> std::io::Result<std::process::ExitStatus> {
    let mut since = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if stop.load(Ordering::Relaxed) && since.get_or_insert_with(Instant::now).elapsed() > GRACE {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
