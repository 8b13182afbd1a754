//! `runs/NAME/`: the folder that a training writes to while it runs.
//!
//! ```text
//! config.json               settings for `--resume`, and the values that follow from them
//! metrics.jsonl             losses, statistics, dev losses: one JSON object per line
//! checkpoint.safetensors    the state from which `--resume` continues; removed at the end of the training
//! result.json               losses and counts, written at the end of the training
//! model.safetensors         the model
//! lock                      held by the training process
//! *.svg, *.png              plots
//! ```

pub mod metrics;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::io::write::{WriteError, check_room, remove_leftovers, write_atomically};
use metrics::Row;

/// Parent folder of runs without `--run-dir`.
pub const DEFAULT_PARENT: &str = "runs";
const CONFIG: &str = "config.json";
const METRICS: &str = "metrics.jsonl";
const CHECKPOINT: &str = "checkpoint.safetensors";
const RESULT: &str = "result.json";
const MODEL: &str = "model.safetensors";
const LOCK: &str = "lock";

/// Reason why a folder cannot be used for a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The folder or a file in it cannot be made, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// The folder already has a run.
    #[error("{path} already has a run: continue it with `train --resume {path}`, or choose another --run-dir", path = path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// Another process holds the lock.
    #[error("{path}: another process is training in this folder")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The run ended while this process waited for the lock.
    #[error("the run in {path} is finished: there is nothing to continue", path = path.display())]
    Finished {
        /// The folder.
        path: PathBuf,
    },
    /// The folder has no run to continue.
    #[error("{path} has no run to continue: {reason}")]
    NoRun {
        /// The folder.
        path: PathBuf,
        /// The missing file or its fault.
        reason: String,
    },
    /// A file of the run cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Folder of the training in this process.
pub struct RunFolder {
    path: PathBuf,
    /// `true` if this process made the folder.
    is_new: bool,
    metrics: File,
    /// Locked until the process ends, even if it is killed.
    _lock: File,
}

impl RunFolder {
    /// Makes the folder `path`, which must not have a run.
    ///
    /// # Errors
    /// [`RunError`] names the folder.
    pub fn create(path: &Path) -> Result<Self, RunError> {
        let is_new = !path.exists();
        std::fs::create_dir_all(path).map_err(|source| io(path, source))?;
        Self::claim(path, is_new)
    }

    /// Makes a folder in `parent`: `name`, or `name-2` and so on if that exists.
    ///
    /// # Errors
    /// [`RunError`] names the folder.
    pub fn create_numbered(parent: &Path, name: &str) -> Result<Self, RunError> {
        std::fs::create_dir_all(parent).map_err(|source| io(parent, source))?;
        for number in 1.. {
            let path = parent.join(if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
            // Of two processes that start at once, the one that makes the folder gets the name.
            match std::fs::create_dir(&path) {
                Ok(()) => return Self::claim(&path, true),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(io(&path, source)),
            }
        }
        unreachable!("there is always another number")
    }

    /// Opens the folder of a run to continue, and removes the metrics after `step`.
    ///
    /// # Errors
    /// [`RunError`] names the folder.
    pub fn resume(path: &Path, step: usize) -> Result<Self, RunError> {
        let lock = lock(path)?;
        if result_path(path).exists() {
            return Err(RunError::Finished { path: path.to_owned() });
        }
        remove_leftovers(path)?;
        let rows = match metrics::read(&path.join(METRICS)) {
            // The run was killed before it recorded metrics.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            rows => rows.map_err(|source| io(&path.join(METRICS), source))?,
        };
        let kept: String = rows.iter().filter(|row| row.step() <= step).map(Row::to_line).collect();
        write_atomically(&path.join(METRICS), kept.as_bytes())?;
        Self::open(path, lock, false)
    }

    /// Removes the files of a run that has not started. If this process made the folder, removes it as well, and then
    /// its parent if that is `runs` and empty.
    ///
    /// Ignores errors: the caller reports the error that came before.
    pub fn abandon(self) {
        // In a folder that existed before, the metrics may belong to something else.
        let is_empty = self.metrics.metadata().is_ok_and(|metadata| metadata.len() == 0);
        let metrics = (self.is_new || is_empty).then_some(METRICS);
        for file in [CONFIG, LOCK].into_iter().chain(metrics) {
            drop(std::fs::remove_file(self.path.join(file)));
        }
        // `remove_dir` only removes empty folders.
        if self.is_new
            && std::fs::remove_dir(&self.path).is_ok()
            && let Some(parent) = self.path.parent()
            && parent == Path::new(DEFAULT_PARENT)
        {
            drop(std::fs::remove_dir(parent));
        }
    }

    /// Locks an existing folder, which must not have a run.
    fn claim(path: &Path, is_new: bool) -> Result<Self, RunError> {
        let lock = lock(path)?;
        if path.join(CONFIG).exists() {
            return Err(RunError::Taken { path: path.to_owned() });
        }
        Self::open(path, lock, is_new)
    }

    fn open(path: &Path, lock: File, is_new: bool) -> Result<Self, RunError> {
        let file = path.join(METRICS);
        let metrics = OpenOptions::new().create(true).append(true).open(&file).map_err(|source| io(&file, source))?;
        Ok(Self { path: path.to_owned(), is_new, metrics, _lock: lock })
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if the folder's disk has not `bytes` bytes left.
    ///
    /// # Errors
    /// [`RunError::Write`] names the folder.
    pub fn check_room(&self, bytes: usize) -> Result<(), RunError> {
        Ok(check_room(&self.path, bytes)?)
    }

    /// Adds a line to the metrics.
    ///
    /// # Errors
    /// [`RunError::Io`] names the file.
    pub fn record(&mut self, row: &Row) -> Result<(), RunError> {
        // Each line is one write, so only the last line can be incomplete.
        let mut write = || {
            let end = self.metrics.metadata()?.len();
            // If the disk is full, removes the incomplete line: the next line would be appended to it.
            self.metrics.write_all(row.to_line().as_bytes()).inspect_err(|_| drop(self.metrics.set_len(end)))
        };
        write().map_err(|source| io(&self.path.join(METRICS), source))
    }

    /// Writes the settings.
    ///
    /// # Errors
    /// [`RunError::Write`] names the file.
    pub fn write_config(&self, config: &serde_json::Value) -> Result<(), RunError> {
        Ok(write_atomically(&self.path.join(CONFIG), pretty(config).as_bytes())?)
    }

    /// Writes the result and removes the checkpoint.
    ///
    /// # Errors
    /// [`RunError`] names the file.
    pub fn finish(&self, result: &serde_json::Value) -> Result<(), RunError> {
        write_atomically(&result_path(&self.path), pretty(result).as_bytes())?;
        let checkpoint = checkpoint_path(&self.path);
        match std::fs::remove_file(&checkpoint) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(io(&checkpoint, source)),
            _ => Ok(()),
        }
    }
}

/// Returns the path of a run's `config.json`, which exists once the run has started.
pub fn config_path(run: &Path) -> PathBuf {
    run.join(CONFIG)
}

/// Returns the path of a run's `checkpoint.safetensors`.
pub fn checkpoint_path(run: &Path) -> PathBuf {
    run.join(CHECKPOINT)
}

/// Returns the path of a run's `model.safetensors`.
pub fn model_path(run: &Path) -> PathBuf {
    run.join(MODEL)
}

/// Returns the path of a run's `result.json`, which exists once the run is finished.
pub fn result_path(run: &Path) -> PathBuf {
    run.join(RESULT)
}

/// Returns the path of a run's `metrics.jsonl`.
pub fn metrics_path(run: &Path) -> PathBuf {
    run.join(METRICS)
}

/// Reads the settings of a run.
///
/// # Errors
/// [`RunError::NoRun`] if the settings cannot be read.
pub fn read_config(run: &Path) -> Result<serde_json::Value, RunError> {
    let no_run = |reason: String| RunError::NoRun { path: run.to_owned(), reason };
    let text = std::fs::read_to_string(run.join(CONFIG)).map_err(|error| no_run(format!("{CONFIG}: {error}")))?;
    serde_json::from_str(&text).map_err(|error| no_run(format!("{CONFIG}: {error}")))
}

fn lock(run: &Path) -> Result<File, RunError> {
    let path = run.join(LOCK);
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(|source| io(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RunError::Locked { path: run.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(&path, source)),
    }
}

fn io(path: &Path, source: std::io::Error) -> RunError {
    RunError::Io { path: path.to_owned(), source }
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("plain JSON") + "\n"
}
