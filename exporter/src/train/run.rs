//! `runs/NAME/`: what a training leaves behind, written while it runs.
//!
//! ```text
//! config.json               settings, as `--resume` reads them, and what they come to
//! metrics.jsonl             losses, statistics, dev losses: a JSON object per line
//! checkpoint.safetensors    the state to go on from; gone when the training is done
//! result.json               losses and counts, when it is done
//! model.safetensors         the model
//! lock                      held by the process that trains
//! *.svg, *.png              plots
//! ```

pub mod metrics;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::io::write::{WriteError, check_room, remove_leftovers, write_atomically};
use metrics::Row;

/// Where runs go that were not told.
pub const DEFAULT_PARENT: &str = "runs";
const CONFIG: &str = "config.json";
const METRICS: &str = "metrics.jsonl";
const CHECKPOINT: &str = "checkpoint.safetensors";
const RESULT: &str = "result.json";
const MODEL: &str = "model.safetensors";
const LOCK: &str = "lock";

/// Why a folder cannot hold a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It cannot be made, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is one in it.
    #[error("{path} holds a run already: `train --resume {path}` continues it, another --run-dir starts a new one", path = path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// Another process is at it.
    #[error("{path}: another process is training there")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing to continue.
    #[error("{path} holds no run to continue: {reason}")]
    NoRun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A file of it cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// A folder that this process trains into.
pub struct RunFolder {
    path: PathBuf,
    /// Whether this process made the folder.
    is_new: bool,
    metrics: File,
    /// Held until the process ends, however it ends.
    _lock: File,
}

impl RunFolder {
    /// A new folder at `path`, which must not hold a run.
    ///
    /// # Errors
    /// [`RunError`] names the folder.
    pub fn create(path: &Path) -> Result<Self, RunError> {
        let is_new = !path.exists();
        std::fs::create_dir_all(path).map_err(|source| io(path, source))?;
        Self::claim(path, is_new)
    }

    /// A new folder in `parent`: `name`, or `name-2` and so on where that is taken.
    ///
    /// # Errors
    /// [`RunError`] names the folder.
    pub fn create_numbered(parent: &Path, name: &str) -> Result<Self, RunError> {
        std::fs::create_dir_all(parent).map_err(|source| io(parent, source))?;
        for number in 1.. {
            let path = parent.join(if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
            // Making the folder is what claims the name, should two start at once.
            match std::fs::create_dir(&path) {
                Ok(()) => return Self::claim(&path, true),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(io(&path, source)),
            }
        }
        unreachable!("there is always another number")
    }

    /// The folder of a run to go on with, its metrics cut back to what was known at `step`.
    ///
    /// # Errors
    /// [`RunError`] names the folder.
    pub fn resume(path: &Path, step: usize) -> Result<Self, RunError> {
        let lock = lock(path)?;
        remove_leftovers(path)?;
        let rows = match metrics::read(&path.join(METRICS)) {
            // It was killed before it had any.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            rows => rows.map_err(|source| io(&path.join(METRICS), source))?,
        };
        let kept: String = rows.iter().filter(|row| row.step() <= step).map(Row::to_line).collect();
        write_atomically(&path.join(METRICS), kept.as_bytes())?;
        Self::open(path, lock, false)
    }

    /// Removes the files of a folder that holds no training yet.
    ///
    /// Removes the folder too if this process made it, and then its parent if that is the default one and empty.
    ///
    /// An error here is not told: the error that made the folder useless is.
    pub fn abandon(self) {
        // In a folder that was there before, metrics may be of something else.
        let is_empty = self.metrics.metadata().is_ok_and(|metadata| metadata.len() == 0);
        let metrics = (self.is_new || is_empty).then_some(METRICS);
        for file in [CONFIG, LOCK].into_iter().chain(metrics) {
            drop(std::fs::remove_file(self.path.join(file)));
        }
        // Neither removes a folder with something in it.
        if self.is_new
            && std::fs::remove_dir(&self.path).is_ok()
            && let Some(parent) = self.path.parent()
            && parent == Path::new(DEFAULT_PARENT)
        {
            drop(std::fs::remove_dir(parent));
        }
    }

    /// Takes a folder that is there.
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

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a folder on a disk that is full before the work is done.
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
        // One write per line: a line is there whole or is the last one, cut short.
        let mut write = || {
            let end = self.metrics.metadata()?.len();
            // What a full disk has cut short would have the next line behind it.
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

    /// Writes how it ended and takes the checkpoint away.
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

/// `checkpoint.safetensors` of a run.
pub fn checkpoint_path(run: &Path) -> PathBuf {
    run.join(CHECKPOINT)
}

/// `model.safetensors` of a run.
pub fn model_path(run: &Path) -> PathBuf {
    run.join(MODEL)
}

/// `result.json` of a run, which is there when the run is done.
pub fn result_path(run: &Path) -> PathBuf {
    run.join(RESULT)
}

/// `metrics.jsonl` of a run.
pub fn metrics_path(run: &Path) -> PathBuf {
    run.join(METRICS)
}

/// Settings of a run.
///
/// # Errors
/// [`RunError::NoRun`] if it has none that can be read.
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
