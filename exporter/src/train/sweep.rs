//! A grid of trainings, and its results.

pub mod collect;

use std::path::{Path, PathBuf};

use crate::io::write::{WriteError, write_atomically};
use crate::train::run;

/// Options of `train` that a grid may vary.
pub const KEYS: [&str; 10] = [
    "lr",
    "batch-size",
    "weight-decay",
    "dropout",
    "epochs",
    "steps",
    "block-size",
    "n-embd",
    "n-hidden",
    "activation",
];

/// Training of a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Name of the preset.
    pub preset: String,
    /// Options of `train` and their values.
    pub settings: Vec<(String, String)>,
    /// Seed of the training.
    pub seed: u64,
}

impl Run {
    /// Returns the name of the run's folder: preset, settings and seed.
    pub fn name(&self) -> String {
        format!("{}-seed{}", self.group(), self.seed)
    }

    /// Returns the name without the seed: runs that differ only in the seed are one group.
    pub fn group(&self) -> String {
        let settings: String = self.settings.iter().map(|(key, value)| format!("-{key}={value}")).collect();
        format!("{}{settings}", self.preset)
    }
}

/// Parses `key=value,value`.
///
/// # Errors
/// Sentence that describes the fault.
pub fn parse_set(text: &str) -> Result<(String, Vec<String>), String> {
    let (key, values) = text.split_once('=').ok_or("must be KEY=VALUE,VALUE as in lr=1e-3,3e-3")?;
    if !KEYS.contains(&key) {
        return Err(format!("{key:?} cannot be varied: the key must be one of {}", KEYS.join(", ")));
    }
    let values: Vec<String> = values.split(',').map(str::to_owned).collect();
    match values.iter().find(|value| !value.parse::<f64>().is_ok_and(f64::is_finite)) {
        Some(value) => Err(format!("{value:?} is not a number")),
        None => Ok((key.to_owned(), values)),
    }
}

/// Returns a run for every preset, combination of settings and seed.
pub fn grid(presets: &[String], sets: &[(String, Vec<String>)], seeds: impl Iterator<Item = u64> + Clone) -> Vec<Run> {
    let mut combinations: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for (key, values) in sets {
        combinations = combinations
            .into_iter()
            .flat_map(|settings| {
                values.iter().map(move |value| [&settings[..], &[(key.clone(), value.clone())]].concat())
            })
            .collect();
    }
    let mut runs: Vec<Run> = Vec::new();
    // The seed is the outermost loop: every combination runs with one seed before any runs with the next.
    for seed in seeds {
        for preset in presets {
            for settings in &combinations {
                let run = Run { preset: preset.clone(), settings: settings.clone(), seed };
                if !runs.contains(&run) {
                    runs.push(run);
                }
            }
        }
    }
    runs
}

/// Result of a run: a row of the results.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// Name of the run's folder.
    pub name: String,
    /// Name of the group of runs that differ only in the seed.
    pub group: String,
    /// Name of the preset.
    pub preset: String,
    /// Seed of the training.
    pub seed: u64,
    /// Loss of the train split, in nats per character.
    pub train_nll: f64,
    /// Loss of the dev split, in nats per character.
    pub dev_nll: f64,
    /// Loss of the test split, in nats per character.
    pub test_nll: f64,
    /// Number of parameters during training.
    pub parameters: usize,
    /// Step whose weights became the model.
    pub steps: usize,
    /// Duration of the training.
    pub seconds: f64,
}

impl Row {
    /// Reads the result of the run in `folder`; `None` if the run is not finished.
    ///
    /// # Errors
    /// Error of the system, or the fault of a file that cannot be read. Both name the file.
    pub fn read(folder: &Path, name: &str, group: &str) -> std::io::Result<Option<Self>> {
        let path = run::result_path(folder);
        let fault = |error: &dyn std::fmt::Display| std::io::Error::other(format!("{}: {error}", path.display()));
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| fault(&error))?,
        };
        let mut fields: serde_json::Map<_, _> = serde_json::from_str(&text).map_err(|error| fault(&error))?;
        fields.insert("name".to_owned(), name.into());
        fields.insert("group".to_owned(), group.into());
        serde_json::from_value(fields.into()).map(Some).map_err(|error| fault(&error))
    }
}

/// Results of a grid, in `results.jsonl` and `results.csv`.
pub struct Results {
    folder: PathBuf,
    rows: Vec<Row>,
}

impl Results {
    /// Reads the results in a folder; empty if the folder has none.
    ///
    /// # Errors
    /// Error of the system, or the number and the fault of a line that cannot be read.
    pub fn read(folder: &Path) -> std::io::Result<Self> {
        let path = folder.join("results.jsonl");
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let row = |(number, line)| {
            serde_json::from_str(line)
                .map_err(|error| std::io::Error::other(format!("{}, line {}: {error}", path.display(), number + 1)))
        };
        let rows = text.lines().enumerate().map(row).collect::<Result<_, _>>()?;
        Ok(Self { folder: folder.to_owned(), rows })
    }

    /// Returns the rows in the order in which they were added.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Adds a row to both files, unless the run has one.
    ///
    /// # Errors
    /// [`WriteError`] names the file.
    pub fn add(&mut self, row: Row) -> Result<(), WriteError> {
        if self.rows.iter().any(|known| known.name == row.name) {
            return Ok(());
        }
        self.rows.push(row);
        // Writes both files completely: they are small, and neither ever has an incomplete row.
        let line = |row: &Row| serde_json::to_string(row).expect("finite numbers") + "\n";
        write_atomically(
            &self.folder.join("results.jsonl"),
            self.rows.iter().map(line).collect::<String>().as_bytes(),
        )?;
        let mut csv = "name,group,preset,seed,train_nll,dev_nll,test_nll,parameters,steps,seconds\n".to_owned();
        for row in &self.rows {
            // No name has a comma: neither presets nor numbers have one.
            csv += &format!(
                "{},{},{},{},{:.6},{:.6},{:.6},{},{},{:.1}\n",
                row.name,
                row.group,
                row.preset,
                row.seed,
                row.train_nll,
                row.dev_nll,
                row.test_nll,
                row.parameters,
                row.steps,
                row.seconds
            );
        }
        write_atomically(&self.folder.join("results.csv"), csv.as_bytes())
    }
}

/// Mean and standard deviation over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Mean of the runs.
    pub mean: f64,
    /// Standard deviation, estimated from the runs; `None` for a single run.
    pub std: Option<f64>,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Self { mean, std: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.std {
            Some(std) => write!(f, "{:.4} +/- {std:.4}", self.mean),
            None => write!(f, "{:.4}           ", self.mean),
        }
    }
}

/// Returns the ranked table: a line per group, the lowest mean dev loss first.
pub fn table(rows: &[Row]) -> String {
    let mut groups: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|(group, _)| *group == row.group) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((&row.group, vec![row])),
        }
    }
    let spread =
        |rows: &[&Row], value: fn(&Row) -> f64| Spread::of(&rows.iter().map(|row| value(row)).collect::<Vec<_>>());
    groups.sort_by(|(_, a), (_, b)| spread(a, |row| row.dev_nll).mean.total_cmp(&spread(b, |row| row.dev_nll).mean));
    let width = groups.iter().map(|(group, _)| group.len()).max().unwrap_or(0).max(6);
    let mut text =
        format!("     {:<width$} seeds  {:<17}  {:<17}  {:<17}  seconds\n", "preset", "dev", "test", "train");
    for (rank, (group, rows)) in groups.iter().enumerate() {
        text += &format!(
            "{:>3}. {group:<width$} {:>5}  {}  {}  {}  {:>7.0}\n",
            rank + 1,
            rows.len(),
            spread(rows, |row| row.dev_nll),
            spread(rows, |row| row.test_nll),
            spread(rows, |row| row.train_nll),
            spread(rows, |row| row.seconds).mean,
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_every_combination_once() {
        let sets = [parse_set("lr=1e-3,3e-3").unwrap(), parse_set("dropout=0,0.1").unwrap()];
        let runs = grid(&["a".to_owned(), "b".to_owned(), "a".to_owned()], &sets, 42..44);
        assert_eq!(runs.len(), 2 * 2 * 2 * 2);
        assert_eq!(runs[0].name(), "a-lr=1e-3-dropout=0-seed42");
        assert!(runs[..8].iter().all(|run| run.seed == 42));
    }

    #[test]
    fn wrong_sets_are_explained() {
        assert!(parse_set("lr").unwrap_err().contains("KEY=VALUE"));
        assert!(parse_set("out=x").unwrap_err().contains("must be one of lr, batch-size"));
        assert!(parse_set("lr=1e-3,fast").unwrap_err().contains("\"fast\" is not a number"));
        assert!(parse_set("lr=").is_err());
    }

    #[test]
    fn rows_are_kept_once_and_ranked_by_their_mean() {
        let folder = tempfile::tempdir().unwrap();
        let row = |group: &str, seed, dev_nll| Row {
            name: format!("{group}-{seed}"),
            group: group.to_owned(),
            preset: "p".to_owned(),
            seed,
            train_nll: 1.0,
            dev_nll,
            test_nll: 3.0,
            parameters: 10,
            steps: 5,
            seconds: 1.0,
        };
        let mut results = Results::read(folder.path()).unwrap();
        for new in [row("worse", 1, 2.1), row("worse", 2, 2.3), row("better", 1, 2.15), row("worse", 2, 9.0)] {
            results.add(new).unwrap();
        }
        let again = Results::read(folder.path()).unwrap();
        assert_eq!(again.rows(), results.rows());
        let csv = std::fs::read_to_string(folder.path().join("results.csv")).unwrap();
        assert_eq!(csv.lines().count(), 4);
        let table = table(again.rows());
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].starts_with("  1. better     1  2.1500  "), "{table}");
        assert!(lines[2].starts_with("  2. worse      2  2.2000 +/- 0.1414"), "{table}");
    }
}
