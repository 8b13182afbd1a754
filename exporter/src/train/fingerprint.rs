//! Compares the fingerprints of two trainings, by the options of `train`.

use std::collections::{BTreeMap, BTreeSet};

/// Describes the differences between the training of a checkpoint and the present one, by option, in one line.
pub fn differences(found: &str, expected: &str) -> String {
    let (found, expected) = (parts(found), parts(expected));
    let keys: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let value =
        |of: &BTreeMap<String, String>, key: &String| of.get(key).cloned().unwrap_or_else(|| "unset".to_owned());
    let differs = |key: &&String| value(&found, key) != value(&expected, key);
    let lines: Vec<String> = keys
        .into_iter()
        .filter(differs)
        .map(|key| match key.as_str() {
            "the list" => "the list has other words".to_owned(),
            _ => format!("{key} is {} in the checkpoint and {} here", value(&found, key), value(&expected, key)),
        })
        .collect();
    if lines.is_empty() { "they are recorded in another form".to_owned() } else { lines.join(", ") }
}

/// Returns the settings in a fingerprint that [`super::options::Options`] wrote, under the names of the options.
fn parts(fingerprint: &str) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    let mut put = |name: &str, value: &str| parts.insert(name.to_owned(), value.to_owned());
    let (start, end) = (fingerprint.find('{'), fingerprint.rfind('}'));
    let Some((start, end)) = start.zip(end).filter(|(start, end)| start < end) else { return parts };
    for part in fingerprint[..start].split(", ").filter(|part| !part.is_empty()) {
        match part.split_once(' ') {
            Some(("n_embd", value)) => put("--n-embd", value),
            Some(("levels", value)) => match value.split_once(' ') {
                Some((levels, activation)) => {
                    put("--levels", levels);
                    put("--activation", activation)
                }
                None => put("--levels", value),
            },
            _ => put("--preset's statistics", part),
        };
    }
    if let Ok(serde_json::Value::Object(recipe)) = serde_json::from_str(&fingerprint[start..=end]) {
        for (key, value) in recipe {
            put(&option(&key), &value.to_string());
        }
    }
    for part in fingerprint[end + 1..].split(", ").filter(|part| !part.is_empty()) {
        match part.split_once(' ') {
            Some(("seed", value)) => put("--seed", value),
            Some(("version", value)) => put("the exporter's version", value),
            Some(("words", value)) => {
                let (hash, rest) = value.split_once(' ').unwrap_or((value, ""));
                put("--max-words, --dedup, --max-characters or --split", if rest.is_empty() { "unset" } else { rest });
                put("the list", hash)
            }
            Some((number, unit)) if unit.starts_with("threads on ") => {
                put("--device", &unit["threads on ".len()..]);
                put("--threads", number)
            }
            Some((number, unit)) => put(unit, number),
            None => put(part, ""),
        };
    }
    parts
}

/// Returns the option that sets a key of the recipe, or `--preset` if there is none.
fn option(key: &str) -> String {
    const OPTIONS: [&str; 7] = ["lr", "weight_decay", "batch_size", "epochs", "steps", "dropout", "look_ahead"];
    match OPTIONS.contains(&key) || key == "form" {
        true => format!("--{}", key.replace('_', "-")),
        false => format!("--preset's {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::differences;

    #[test]
    fn options_are_named() {
        let of = |lr: &str, seed: u32, hash: &str, version: &str| {
            format!(
                "n_embd 4, levels 2:8,2:8 Tanh, BatchAndPositions, {{\"lr\":{lr},\"betas\":[0.9,0.98]}}, seed {seed}, \
                 2 threads on Cpu, 20 evaluations, words {hash}, version {version}"
            )
        };
        let now = of("0.01", 42, "ab", "0.1.0");
        assert_eq!(differences(&of("0.02", 42, "ab", "0.1.0"), &now), "--lr is 0.02 in the checkpoint and 0.01 here");
        assert_eq!(differences(&of("0.01", 42, "cd", "0.1.0"), &now), "the list has other words");
        let two = differences(&of("0.01", 1, "ab", "0.0.9"), &now);
        assert_eq!(
            two,
            "--seed is 1 in the checkpoint and 42 here, the exporter's version is 0.0.9 in the checkpoint and 0.1.0 here"
        );
        assert_eq!(differences("", &now).matches("unset in the checkpoint").count(), 11);
        assert_eq!(differences("} of another kind {", &now).matches("unset in the checkpoint").count(), 11);
    }
}
