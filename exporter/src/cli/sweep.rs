mod collect;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use exporter::data::{Words, hex};
use exporter::train::options::max_threads;
use exporter::train::run;
use exporter::train::sweep::{Results, Row, Run, grid, parse_set, table};

use super::lists::TrainingData;
use super::{Cli, INTERRUPTED, count, default_threads, limits, quoted, stop_on_interrupt, streams, train};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: TrainingData,
    /// Train this preset; may be given several times
    #[arg(long, required_unless_present = "collect", value_parser = train::preset_names())]
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
    /// Use this many threads per training [default: the number of cores, divided by --jobs; with --plan 1]
    #[arg(long, value_parser = limits::threads)]
    threads: Option<usize>,
    /// Draw no plots
    #[arg(long)]
    no_plots: bool,
    /// Write a folder per run, results.jsonl and results.csv to this folder; skip runs that are finished there
    #[arg(long, value_name = "FOLDER", default_value = "runs/sweep")]
    out: PathBuf,
    /// Print the command of each run, one per line, and train nothing. Run again, a command continues its run, or does
    /// nothing if the run is finished
    #[arg(long, conflicts_with = "jobs")]
    plan: bool,
    /// Rank the finished runs in these folders and all their subfolders, and train nothing. Of several copies of a run,
    /// only the first counts
    #[arg(long, value_name = "FOLDER", num_args = 1.., conflicts_with_all = ["data", "dedup", "max_words",
        "max_characters", "split", "preset", "set", "seeds", "first_seed", "jobs", "threads", "no_plots", "out", "plan"])]
    collect: Vec<PathBuf>,
    /// Print one JSON object with all runs of --collect on stdout, instead of the table
    #[arg(long, requires = "collect")]
    json: bool,
}

/// Run of the grid with its folder and its command line.
struct Job {
    run: Run,
    folder: PathBuf,
    arguments: Vec<String>,
}

/// Time that a training has after Ctrl-C to write its checkpoint.
const GRACE: Duration = Duration::from_secs(10);

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if !args.collect.is_empty() {
        return collect::run(&args.collect, args.json);
    }
    train::check_name("--data", args.data.list.data.as_deref())?;
    let threads = threads(args)?;
    if args.data.text.is_some() {
        bail!("sweep trains on lists of words: start one `train --text` per run");
    }
    let words = args.data.read()?;
    match args.plan {
        true => plan(&checked(args, threads, &words)?),
        false => {
            std::fs::create_dir_all(&args.out)
                .with_context(|| format!("cannot make the folder {}", args.out.display()))?;
            train_all(args, threads, checked(args, threads, &words)?)
        }
    }
}

/// Returns all runs of the grid, after a check of their settings and of the runs that are in their folders.
fn checked(args: &Args, threads: usize, words: &Words) -> anyhow::Result<Vec<Job>> {
    let sha256 = hex(&words.sha256);
    let last = args.first_seed.checked_add(args.seeds).context("--first-seed is too large")?;
    let mut jobs = Vec::new();
    for run in grid(&args.preset, &args.set, args.first_seed..last) {
        let folder = args.out.join(run.name());
        let arguments = arguments(args, &run, threads, &folder);
        let expected = match Cli::try_parse_from(&arguments).map(|cli| cli.command) {
            Ok(super::Command::Train(expected)) => expected,
            Ok(_) => unreachable!("the first argument is train"),
            Err(error) => bail!("{}: {}", run.name(), error.to_string().lines().next().unwrap_or_default()),
        };
        expected.check(words).with_context(|| run.name())?;
        if let Ok(config) = run::read_config(&folder)
            && (config["data_sha256"] != sha256.as_str() || !expected.has_settings(&config))
        {
            bail!("{} holds a run with other settings or another list: choose another --out", folder.display());
        }
        jobs.push(Job { run, folder, arguments });
    }
    Ok(jobs)
}

/// Prints the commands of all runs. A command begins with the name by which this program was started, and its paths are
/// those of the command line.
fn plan(jobs: &[Job]) -> anyhow::Result<ExitCode> {
    let program = std::env::args_os().next().and_then(|name| name.into_string().ok());
    let program = program.context("the path of this program is not UTF-8: move the program")?;
    let mut lines = String::new();
    for job in jobs {
        let words = std::iter::once(&program).chain(&job.arguments[1..]);
        let line: Vec<String> = words.map(|word| quoted(Path::new(word))).collect();
        let line = line.join(" ");
        if line.contains(['\n', '\r']) {
            bail!("a plan has one command per line, but {line:?} has a line break: rename the file or folder");
        }
        lines += &format!("{line}\n");
    }
    eprintln!("{} runs", count(jobs.len()));
    print!("{lines}");
    Ok(ExitCode::SUCCESS)
}

/// Runs every training as a process of its own: libtorch has one random generator and one number of threads per
/// process, and a training that crashes must not end the others.
fn train_all(args: &Args, threads: usize, runs: Vec<Job>) -> anyhow::Result<ExitCode> {
    let jobs = args.jobs;
    let results = Mutex::new(Results::read(&args.out)?);
    let mut open = Vec::new();
    for job in &runs {
        match job.finished()? {
            Some(row) => results.lock().expect("no thread panics").add(row)?,
            None => open.push(job),
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
                    let Some(job) = queue.lock().expect("no thread panics").pop() else { break };
                    let ended = start_and_wait(job, &stop)
                        .and_then(|()| job.finished()?.context("the training wrote no result.json"))
                        .and_then(|row| {
                            eprintln!("{}: dev {:.4}, {:.0} s", row.name, row.dev_nll, row.seconds);
                            Ok(results.lock().expect("no thread panics").add(row)?)
                        });
                    if let Err(error) = ended
                        && !stop.load(Ordering::Relaxed)
                    {
                        eprintln!("{}: {error:#}", job.run.name());
                        failures.lock().expect("no thread panics").push(job.run.name());
                    }
                }
            });
        }
    });

    let names: Vec<String> = runs.iter().map(|job| job.run.name()).collect();
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
    // The machines that will run a plan may have other numbers of cores.
    let default = || if args.plan { 1 } else { (default_threads() / jobs).max(1) };
    let threads = args.threads.unwrap_or_else(default);
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
    if let Some(rule) = args.data.list.split {
        add("split", rule.name().to_owned());
    }
    arguments.push("--continue".to_owned());
    if args.data.list.dedup {
        arguments.push("--dedup".to_owned());
    }
    if args.no_plots {
        arguments.push("--no-plots".to_owned());
    }
    arguments
}

impl Job {
    /// Returns the row of the run, or `None` if the run is not finished.
    fn finished(&self) -> anyhow::Result<Option<Row>> {
        Ok(Row::read(&self.folder, &self.run.name(), &self.run.group())?)
    }
}

/// Starts or continues a training and waits for its end. An error has the last line that the training printed.
fn start_and_wait(job: &Job, stop: &AtomicBool) -> anyhow::Result<()> {
    std::fs::create_dir_all(&job.folder)?;
    let log = job.folder.join("log.txt");
    let file = OpenOptions::new().create(true).append(true).open(&log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(&job.arguments[1..]);
    let state = if run::config_path(&job.folder).exists() { "continues" } else { "starts" };
    eprintln!("{}: {state}", job.run.name());
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
