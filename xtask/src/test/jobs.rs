//! Runs jobs, up to as many at the same time as the machine has processors.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::show;
use crate::watched::{self, Shortage};

/// A check.
pub struct Job<'r> {
    /// Name for the report.
    pub name: String,
    /// Cargo's target folder. The jobs of one folder wait for each other, since Cargo locks the folder.
    pub folder: Option<&'static str>,
    /// Its work.
    pub work: Work<'r>,
}

/// Returns the jobs that follow from the stdout of a command.
type Then<'r> = Box<dyn FnOnce(&str) -> anyhow::Result<Vec<Job<'r>>> + Send + 'r>;

/// Work of a job.
pub enum Work<'r> {
    /// Passes if all commands succeed.
    Commands(Vec<Command>),
    /// Passes if the command succeeds. Its stdout is the input of a function that returns more jobs.
    Then(Command, Then<'r>),
    /// Cannot run on this machine, for this reason.
    Skip(String),
}

/// Result of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All commands succeeded.
    Passed,
    /// At least one command failed.
    Failed {
        /// Failed commands as a user would type them, or the reason why there is no command.
        commands: Vec<String>,
        /// Resource that the machine ran out of, if the output says so.
        shortage: Option<Shortage>,
    },
    /// Skipped for this reason.
    Skipped(String),
}

/// A job that has ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub name: String,
    pub verdict: Verdict,
    /// Wall time.
    pub time: Duration,
}

/// State that the workers share.
struct Board<'r> {
    waiting: Vec<Job<'r>>,
    /// Folders of the running jobs.
    busy: Vec<&'static str>,
    running: usize,
    outcomes: Vec<Outcome>,
}

/// Runs all jobs and the jobs that they lead to. Among the jobs that can start, the first one that leads to others is
/// started first, then a job with unknown time, then the job that took longest by `known`, in seconds.
pub fn run(jobs: Vec<Job<'_>>, known: &BTreeMap<String, f64>) -> Vec<Outcome> {
    let board = Mutex::new(Board { waiting: jobs, busy: Vec::new(), running: 0, outcomes: Vec::new() });
    let changed = Condvar::new();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| work(&board, &changed, known));
        }
    });
    board.into_inner().unwrap_or_else(PoisonError::into_inner).outcomes
}

fn lock<'b, 'r>(board: &'b Mutex<Board<'r>>) -> MutexGuard<'b, Board<'r>> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one worker, which takes jobs until none is left that could start or lead to others.
fn work(board: &Mutex<Board<'_>>, changed: &Condvar, known: &BTreeMap<String, f64>) {
    let mut guard = lock(board);
    loop {
        let Some(index) = next(&guard, known) else {
            if guard.waiting.is_empty() && guard.running == 0 {
                changed.notify_all();
                return;
            }
            guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let job = guard.waiting.remove(index);
        guard.busy.extend(job.folder);
        guard.running += 1;
        drop(guard);
        let folder = job.folder;
        let (outcome, more) = done(job);
        guard = lock(board);
        guard.running -= 1;
        guard.busy.retain(|busy| Some(*busy) != folder);
        guard.outcomes.push(outcome);
        guard.waiting.extend(more);
        changed.notify_all();
    }
}

/// Returns the index of the job to start next, or `None` while the folders of all waiting jobs are busy.
fn next(board: &Board<'_>, known: &BTreeMap<String, f64>) -> Option<usize> {
    let can_start = |job: &Job<'_>| job.folder.is_none_or(|folder| !board.busy.contains(&folder));
    let rank = |job: &Job<'_>| match &job.work {
        Work::Then(..) => f64::INFINITY,
        _ => known.get(&job.name).copied().unwrap_or(f64::MAX),
    };
    let startable = board.waiting.iter().enumerate().filter(|(_, job)| can_start(job));
    // `max_by` returns the last of equal elements; the reversed order keeps unknown jobs in their order.
    startable.rev().max_by(|(_, a), (_, b)| rank(a).total_cmp(&rank(b))).map(|(index, _)| index)
}

/// Runs a job and prints its output in one piece.
fn done(job: Job<'_>) -> (Outcome, Vec<Job<'_>>) {
    let start = Instant::now();
    let mut log = format!("== {}\n", job.name);
    let mut more = Vec::new();
    let verdict = match job.work {
        Work::Skip(reason) => {
            log += &format!("skipped: {reason}\n");
            Verdict::Skipped(reason)
        }
        Work::Commands(commands) => all(commands.into_iter().map(|command| output(command, &mut log)).collect()),
        Work::Then(command, then) => match output(command, &mut log) {
            Ok(stdout) => match then(&stdout) {
                Ok(jobs) => {
                    more = jobs;
                    Verdict::Passed
                }
                Err(error) => Verdict::Failed { commands: vec![format!("{error:#}")], shortage: None },
            },
            Err(failure) => all(vec![Err(failure)]),
        },
    };
    println!("{log}");
    (Outcome { name: job.name, verdict, time: start.elapsed() }, more)
}

/// A failed command, and the resource that the machine ran out of.
type Failure = (String, Option<Shortage>);

fn all(results: Vec<Result<String, Failure>>) -> Verdict {
    let failures: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() {
        return Verdict::Passed;
    }
    let shortage = failures.iter().find_map(|(_, shortage)| *shortage);
    Verdict::Failed { commands: failures.into_iter().map(|(command, _)| command).collect(), shortage }
}

/// Runs a command and adds it and its output to the log, without JSON messages. Returns its stdout.
fn output(mut command: Command, log: &mut String) -> Result<String, Failure> {
    let shown = show(&command);
    *log += &format!("$ {shown}\n");
    let (mut stdout, mut shortage) = (String::new(), None);
    let status = watched::run(&mut command, |stream, line| {
        if stream == watched::Stream::Stdout {
            stdout += line;
            stdout.push('\n');
        }
        // Leaves out Cargo's messages for programs.
        if !line.starts_with("{\"reason\":") {
            *log += line;
            log.push('\n');
        }
        shortage = shortage.or_else(|| Shortage::in_line(line));
    });
    match status {
        Ok(status) if status.success() => Ok(stdout),
        Ok(status) => {
            *log += &format!("ended with {status}\n");
            Err((shown, shortage))
        }
        Err(error) => {
            *log += &format!("cannot start: {error}\n");
            Err((shown, Shortage::in_line(&error.to_string())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, folder: Option<&'static str>, script: &str) -> Job<'static> {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        Job { name: name.to_owned(), folder, work: Work::Commands(vec![shell]) }
    }

    #[test]
    fn the_longest_goes_first_and_folders_wait() {
        let known = BTreeMap::from([("a".to_owned(), 1.0), ("b".to_owned(), 3.0), ("c".to_owned(), 2.0)]);
        let jobs = vec![job("a", None, ""), job("b", Some("x"), ""), job("c", None, ""), job("new", Some("x"), "")];
        let mut board = Board { waiting: jobs, busy: Vec::new(), running: 0, outcomes: Vec::new() };
        assert_eq!(next(&board, &known), Some(3));
        board.busy.push("x");
        assert_eq!(next(&board, &known), Some(2));
        board.waiting.retain(|job| job.folder.is_some());
        assert_eq!(next(&board, &known), None);
    }

    #[cfg(unix)]
    #[test]
    fn every_job_is_done_once_and_failures_are_told() {
        let mut lead = Command::new("sh");
        lead.args(["-c", "echo one; echo two"]);
        let then: Then<'_> = Box::new(|stdout| Ok(stdout.lines().map(|line| job(line, None, "exit 0")).collect()));
        let jobs = vec![
            job("fails", Some("x"), "echo 'No space left on device' >&2; exit 1"),
            job("passes", Some("x"), "exit 0"),
            Job { name: "lead".to_owned(), folder: None, work: Work::Then(lead, then) },
            Job { name: "skipped".to_owned(), folder: None, work: Work::Skip("no such thing".to_owned()) },
        ];
        let mut outcomes = run(jobs, &BTreeMap::new());
        outcomes.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<_> = outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
        assert_eq!(names, ["fails", "lead", "one", "passes", "skipped", "two"]);
        let Verdict::Failed { commands, shortage } = &outcomes[0].verdict else { panic!("{:?}", outcomes[0]) };
        assert!(commands[0].starts_with("sh -c"), "{commands:?}");
        assert_eq!(*shortage, Some(Shortage::Disk));
        assert_eq!(outcomes[4].verdict, Verdict::Skipped("no such thing".to_owned()));
        assert!([1, 2, 3, 5].iter().all(|&index| outcomes[index].verdict == Verdict::Passed));
    }
}
