//! The templates: files with `@name@` where a fact goes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use toml::Table;

use super::save;
use crate::repo::Repo;

/// The URL where the root manifest has no `repository`.
const NO_URL: &str = "https://example.com/makemore";

/// The author where the root manifest has no `authors`.
const NO_AUTHOR: &str = "The authors of makemore in Rust";

/// Facts of the manifests of this workspace.
pub struct Facts {
    pub name: String,
    pub version: String,
    pub description: String,
    pub license: String,
    pub author: String,
    pub url: String,
}

impl Facts {
    /// Reads the root manifest and the one of `runtime-c`.
    pub fn read(repo: &Repo) -> Result<Self> {
        let read = |path: &str| -> Result<Table> {
            let text = fs::read_to_string(repo.root().join(path)).with_context(|| format!("cannot read {path}"))?;
            text.parse().with_context(|| format!("cannot read {path}"))
        };
        let (root, library) = (read("Cargo.toml")?, read("runtime-c/Cargo.toml")?);
        let workspace = &root["workspace"]["package"];
        let text = |table: &toml::Value, key: &str| table.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        let author = workspace.get("authors").and_then(|authors| authors.get(0)?.as_str());
        Ok(Self {
            name: text(&library["lib"], "name").context("runtime-c has no name")?,
            version: text(workspace, "version").context("the workspace has no version")?,
            description: text(&library["package"], "description").context("runtime-c has no description")?,
            license: text(workspace, "license").context("the workspace has no license")?,
            author: author.unwrap_or(NO_AUTHOR).to_owned(),
            url: text(workspace, "repository").unwrap_or_else(|| NO_URL.to_owned()),
        })
    }
}

/// Writes each file of a folder, and of the folders in it, with the values in place of their names.
pub fn fill_folder(from: &Path, to: &Path, values: &[(&str, String)]) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let to = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            fill_folder(&path, &to, values)?;
        } else {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let text = fill(&text, values).with_context(|| path.display().to_string())?;
            save(&to, text.as_bytes())?;
        }
    }
    Ok(())
}

/// Returns the text with the values in place of their names.
///
/// # Errors
/// Returns an error if a name has no value.
fn fill(text: &str, values: &[(&str, String)]) -> Result<String> {
    let filled = values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value));
    match filled.split('@').nth(1) {
        Some(name) => bail!("`@{name}` has no value"),
        None => Ok(filled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced() {
        let values = [("a", "1".to_owned()), ("b", "2".to_owned())];
        assert_eq!(fill("@a@ and @b@, @a@", &values).unwrap(), "1 and 2, 1");
        assert!(fill("@c@", &values).unwrap_err().to_string().contains("`@c`"));
    }

    #[test]
    fn the_manifests_have_the_facts() {
        let facts = Facts::read(&Repo::find()).unwrap();
        assert_eq!((&*facts.name, &*facts.version), ("more", env!("CARGO_PKG_VERSION")));
        // They go into JSON and YAML between quotes.
        for text in [facts.description, facts.license, facts.author, facts.url] {
            assert!(!text.is_empty() && !text.contains(['"', '\\', '\n']), "{text}");
        }
    }
}
