//! Finds runs in folders, and counts each run once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Row;
use crate::data::{MAX_WORDS, SHIPPED_NAME};
use crate::train::run::{self, metrics};

/// Runs that were found.
#[derive(Debug, Default)]
pub struct Collection {
    /// Finished runs, each once, by list: losses on different lists cannot be compared.
    pub lists: Vec<(String, Vec<Row>)>,
    /// Runs without a result.
    pub unfinished: Vec<Unfinished>,
    /// Number of copies that do not count.
    pub copies: usize,
    /// Sentences on copies with other results, and on presets with other recipes.
    pub notes: Vec<String>,
    /// Sentences on runs that cannot be read.
    pub faults: Vec<String>,
}

/// Run without a result.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Unfinished {
    /// Folder of the run.
    pub folder: PathBuf,
    /// Last step in the metrics.
    pub step: usize,
    /// Number of steps of the whole run.
    pub steps: Option<u64>,
}

/// Description of a run by its `config.json`. Two runs with the same list, network and seed are copies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    /// List and split.
    list: String,
    /// Preset, network and recipe.
    network: String,
    seed: u64,
}

/// Run that was found first among its copies.
struct Found {
    folder: PathBuf,
    config: Value,
    identity: Identity,
    /// `None` for an unfinished run.
    row: Option<Row>,
    step: usize,
}

/// Keys of `config.json` that describe the network and its recipe.
const NETWORK: [&str; 5] = ["recipe", "levels", "n_embd", "activation", "skip"];
/// Other keys of `config.json` that do not describe the list. All keys that are left do: a later version may add some.
const OTHERS: [&str; 5] = ["settings", "data", "out", "steps", "exporter_version"];

/// Collects the runs in `folders` and in all their subfolders. Does not follow symbolic links in them.
///
/// Of several copies of a run, the first finished one counts: in the order of `folders`, then in the order of names.
///
/// # Errors
/// Error of the system for one of `folders`. Other errors are in [`Collection::faults`].
pub fn collect(folders: &[PathBuf]) -> std::io::Result<Collection> {
    let mut collection = Collection::default();
    let mut runs = Vec::new();
    let mut seen = HashSet::new();
    for folder in folders {
        let named = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
        std::fs::read_dir(folder).map_err(named)?;
        find(folder, &mut seen, &mut runs, &mut collection.faults);
    }
    let mut found: Vec<Found> = Vec::new();
    let mut index: HashMap<Identity, usize> = HashMap::new();
    for folder in runs {
        match Found::read(&folder) {
            Ok(None) => {}
            Ok(Some(run)) => match index.get(&run.identity) {
                None => {
                    index.insert(run.identity.clone(), found.len());
                    found.push(run);
                }
                Some(&at) => {
                    collection.copies += 1;
                    collection.notes.extend(found[at].difference(&run));
                    let first = &mut found[at];
                    if first.row.is_none() && (run.row.is_some() || run.step > first.step) {
                        *first = run;
                    }
                }
            },
            Err(fault) => collection.faults.push(fault),
        }
    }
    collection.sort(found);
    Ok(collection)
}

/// Adds the folders that have a run: `folder` itself, or its subfolders.
fn find(folder: &Path, seen: &mut HashSet<PathBuf>, runs: &mut Vec<PathBuf>, faults: &mut Vec<String>) {
    // The same folder may be named twice, or be in another one.
    if !seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.to_owned())) {
        return;
    }
    if run::config_path(folder).exists() || run::result_path(folder).exists() {
        runs.push(folder.to_owned());
    }
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    match entries {
        Ok(mut entries) => {
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    find(&entry.path(), seen, runs, faults);
                }
            }
        }
        Err(error) => faults.push(format!("{}: {error}", folder.display())),
    }
}

impl Found {
    /// Reads a run; `None` if the folder has a `config.json` of another program. An error is a sentence.
    fn read(folder: &Path) -> Result<Option<Self>, String> {
        let path = run::config_path(folder);
        if !path.exists() {
            let name = folder.display();
            return Err(format!("{name} has result.json without config.json: copy the whole folder of the run"));
        }
        let config = run::read_config(folder).map_err(|error| error.to_string())?;
        let settings = &config["settings"];
        let (Some(fields), Some(preset), Some(seed)) =
            (config.as_object(), settings["preset"].as_str(), settings["seed"].as_u64())
        else {
            return Ok(None);
        };
        let part = |keep: &dyn Fn(&str) -> bool| -> Map<String, Value> {
            fields.iter().filter(|(key, _)| keep(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let list = part(&|key| !NETWORK.contains(&key) && !OTHERS.contains(&key));
        let mut network = part(&|key| NETWORK.contains(&key));
        network.insert("preset".to_owned(), preset.into());
        let identity = Identity { list: text(list), network: text(network), seed };
        let row =
            Row::read(folder, &folder.display().to_string(), &label(settings)).map_err(|error| error.to_string())?;
        if row.as_ref().is_some_and(|row| row.preset != preset || row.seed != seed) {
            return Err(format!("{}: result.json and config.json are of different runs", folder.display()));
        }
        let step = metrics::read(&run::metrics_path(folder)).unwrap_or_default().last().map_or(0, metrics::Row::step);
        Ok(Some(Self { folder: folder.to_owned(), config, identity, row, step }))
    }

    /// Returns a sentence if a copy has another result.
    fn difference(&self, copy: &Self) -> Option<String> {
        let (first, other) = (self.row.as_ref()?, copy.row.as_ref()?);
        let result = |row: &Row| (row.train_nll.to_bits(), row.dev_nll.to_bits(), row.test_nll.to_bits(), row.steps);
        (result(first) != result(other)).then(|| {
            let described = |run: &Self, row: &Row| {
                let threads = &run.config["settings"]["threads"];
                let version = run.config["exporter_version"].as_str().unwrap_or("unknown");
                format!("{} (dev {:.4}, threads {threads}, exporter {version})", run.folder.display(), row.dev_nll)
            };
            let (first, other) = (described(self, first), described(copy, other));
            format!("one run has two results, and the first one counts: {first}, {other}")
        })
    }

    /// Returns the list's name with the options that change its words.
    fn list(&self) -> String {
        let place = &self.config["data"];
        let path = place.as_str().or(place["absolute"].as_str()).map(Path::new);
        let name = path.and_then(Path::file_name).map_or(SHIPPED_NAME.into(), |name| name.to_string_lossy());
        let mut text = name.into_owned();
        let list: BTreeMap<String, Value> = serde_json::from_str(&self.identity.list).unwrap_or_default();
        for (key, value) in list {
            match value {
                Value::Null | Value::Bool(false) => {}
                Value::String(hash) if key == "data_sha256" => text += &format!(", SHA-256 {:.12}", hash),
                value if key == "max_words" && value == MAX_WORDS => {}
                Value::Bool(true) => text += &format!(", {}", key.replace('_', "-")),
                Value::String(value) => text += &format!(", {} {value}", key.replace('_', "-")),
                value => text += &format!(", {} {value}", key.replace('_', "-")),
            }
        }
        text
    }
}

impl Collection {
    /// Sorts the runs by list and state. Networks with equal names get numbers.
    fn sort(&mut self, found: Vec<Found>) {
        let mut lists: Vec<(String, Vec<Row>)> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        // The folder of the first run of each network, and its name.
        let mut networks: HashMap<String, (String, PathBuf)> = HashMap::new();
        for run in found {
            let Some(mut row) = run.row.clone() else {
                let steps = run.config["steps"].as_u64();
                self.unfinished.push(Unfinished { folder: run.folder, step: run.step, steps });
                continue;
            };
            if let Some((name, _)) = networks.get(&run.identity.network) {
                row.group = name.clone();
            } else {
                let base = row.group.clone();
                let first = networks.values().find(|(name, _)| *name == base).map(|(_, folder)| folder.clone());
                let is_taken = |name: &str| networks.values().any(|(taken, _)| taken == name);
                let mut number = 1;
                while is_taken(&row.group) {
                    number += 1;
                    row.group = format!("{base}#{number}");
                }
                if let Some(first) = first {
                    let (a, b) = (run::config_path(&first), run::config_path(&run.folder));
                    let (name, a, b) = (&row.group, a.display(), b.display());
                    self.notes.push(format!("{name} has another network or recipe than {base}: compare {a} and {b}"));
                }
                networks.insert(run.identity.network.clone(), (row.group.clone(), run.folder.clone()));
            }
            let at = *index.entry(run.identity.list.clone()).or_insert_with(|| {
                lists.push((run.list(), Vec::new()));
                lists.len() - 1
            });
            lists[at].1.push(row);
        }
        self.lists = lists;
    }
}

/// Returns the preset with the options that were given, in the form of [`super::Run::group`].
fn label(settings: &Value) -> String {
    let preset = settings["preset"].as_str().unwrap_or_default();
    let mut text = preset.to_owned();
    for (key, value) in settings.as_object().into_iter().flatten() {
        let value = match value {
            Value::Null => continue,
            Value::String(value) => value.clone(),
            value => value.to_string(),
        };
        if !["preset", "seed", "threads", "device"].contains(&key.as_str()) {
            text += &format!("-{}={value}", key.replace('_', "-"));
        }
    }
    text
}

fn text(map: Map<String, Value>) -> String {
    Value::Object(map).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn write(folder: &Path, config: &Value, dev_nll: Option<f64>) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(run::config_path(folder), config.to_string()).unwrap();
        if let Some(dev_nll) = dev_nll {
            let result = json!({
                "preset": config["settings"]["preset"], "seed": config["settings"]["seed"], "train_nll": 1.0,
                "dev_nll": dev_nll, "test_nll": 3.0, "parameters": 10, "steps": 5, "seconds": 1.0,
            });
            std::fs::write(run::result_path(folder), result.to_string()).unwrap();
        }
    }

    fn config(seed: u64, lr: f64) -> Value {
        json!({
            "data": {"from_run": "../words.txt", "absolute": "/lists/words.txt"}, "dedup": false,
            "max_words": MAX_WORDS, "max_characters": null, "out": "/a/model.safetensors", "data_sha256": "0123456789abcdef",
            "settings": {"preset": "tiny", "seed": seed, "lr": lr, "epochs": null, "threads": 1, "device": "cpu"},
            "recipe": {"lr": lr}, "levels": ["2:8"], "n_embd": 4, "activation": "tanh", "skip": false, "steps": 100,
            "exporter_version": "1.0.0",
        })
    }

    fn collected(folder: &Path) -> Collection {
        collect(&[folder.to_owned()]).unwrap()
    }

    #[test]
    fn a_copy_does_not_count_whatever_its_folder_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        write(&here.join("a/x"), &config(1, 0.1), Some(2.0));
        write(&here.join("a/y"), &config(2, 0.1), Some(2.2));
        let mut moved = config(1, 0.1);
        moved["data"] = Value::Null;
        moved["out"] = "elsewhere".into();
        write(&here.join("b/deep/z"), &moved, Some(2.0));
        // A copy from the middle of the run.
        write(&here.join("c"), &config(2, 0.1), None);
        let all = collect(&[here.to_owned(), here.join("a"), here.join("a/x")]).unwrap();
        assert_eq!((all.copies, all.lists.len(), &all.notes, &all.faults), (2, 1, &vec![], &vec![]));
        let (list, rows) = &all.lists[0];
        assert_eq!(list, "words.txt, SHA-256 0123456789ab");
        assert!(rows.iter().all(|row| row.group == "tiny-lr=0.1") && rows.len() == 2 && all.unfinished.is_empty());

        // Another number of threads led to another result. The first in the order of names counts.
        let mut other = config(1, 0.1);
        other["settings"]["threads"] = 2.into();
        write(&here.join("d"), &other, Some(1.5));
        let all = collected(here);
        assert_eq!(all.lists[0].1[0].dev_nll, 2.0);
        assert!(all.notes[0].contains("x (dev 2.0000, threads 1, exporter 1.0.0), "), "{:?}", all.notes);
        assert!(all.notes[0].contains("d (dev 1.5000, threads 2, exporter 1.0.0)"), "{:?}", all.notes);
    }

    #[test]
    fn lists_and_recipes_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        write(&here.join("a"), &config(1, 0.1), Some(2.0));
        for (name, key, value) in
            [("b", "data_sha256", json!("ff")), ("c", "dedup", json!(true)), ("d", "split", json!("new"))]
        {
            let mut other = config(1, 0.1);
            other[key] = value;
            write(&here.join(name), &other, Some(1.0));
        }
        // The preset of another version.
        let mut other = config(1, 0.1);
        other["recipe"]["dropout"] = 0.1.into();
        write(&here.join("e"), &other, Some(1.9));
        let all = collected(here);
        let lists: Vec<(&str, usize)> = all.lists.iter().map(|(list, rows)| (list.as_str(), rows.len())).collect();
        let hash = "words.txt, SHA-256 0123456789ab";
        let (dedup, split) = (format!("{hash}, dedup"), format!("{hash}, split new"));
        assert_eq!(lists, [(hash, 2), ("words.txt, SHA-256 ff", 1), (&dedup, 1), (&split, 1)]);
        assert_eq!(all.lists[0].1[1].group, "tiny-lr=0.1#2");
        assert!(all.notes[0].starts_with("tiny-lr=0.1#2 has another network or recipe than tiny-lr=0.1: "));
    }

    #[test]
    fn damaged_and_unfinished_runs_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        for name in ["a", "b", "c", "d"] {
            write(&here.join(name), &config(1, 0.1), Some(2.0));
        }
        std::fs::write(here.join("a/result.json"), "{").unwrap();
        std::fs::write(here.join("b/config.json"), "").unwrap();
        std::fs::remove_file(here.join("c/config.json")).unwrap();
        write(&here.join("e"), &config(2, 0.1), None);
        std::fs::write(here.join("e/metrics.jsonl"), "{\"kind\":\"loss\",\"step\":7,\"lr\":1,\"losses\":[1]}\n{")
            .unwrap();
        // Another program's file.
        std::fs::create_dir(here.join("f")).unwrap();
        std::fs::write(here.join("f/config.json"), "{\"model\": 1}").unwrap();
        // The result of another run.
        write(&here.join("g"), &config(3, 0.1), Some(2.0));
        std::fs::copy(here.join("d/result.json"), here.join("g/result.json")).unwrap();
        let all = collected(here);
        assert_eq!(all.lists[0].1.len(), 1);
        assert_eq!(all.unfinished, [Unfinished { folder: here.join("e"), step: 7, steps: Some(100) }]);
        let starts = ["a/result.json: ", "b has no run", "c has result.json without config.json", "g: result.json and"];
        assert_eq!(all.faults.len(), starts.len(), "{:?}", all.faults);
        for (fault, expected) in all.faults.iter().zip(starts) {
            assert!(fault.contains(expected), "{fault}");
        }
        assert!(collect(&[here.join("missing")]).unwrap_err().to_string().contains("missing: "));
    }
}
