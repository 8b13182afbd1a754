//! Packages of the workspace and their features, as Cargo reads them from the manifests.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::run_for_output;
use crate::repo::Repo;

/// A package of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Name in the manifest.
    pub name: String,
    /// Each feature with the entries of its list in the manifest.
    features: BTreeMap<String, Vec<String>>,
}

/// Returns the workspace's packages.
///
/// # Errors
/// Returns an error if Cargo fails, for instance because `Cargo.lock` does not match the manifests.
pub fn all(repo: &Repo) -> Result<Vec<Package>> {
    let mut cargo = repo.cargo();
    cargo.args(["metadata", "--no-deps", "--format-version=1", "--locked"]);
    parse(&run_for_output(&mut cargo)?).context("cannot read the output of `cargo metadata`")
}

fn parse(metadata: &str) -> Result<Vec<Package>> {
    let metadata: Value = serde_json::from_str(metadata)?;
    let packages = metadata["packages"].as_array().context("the output has no packages")?;
    packages.iter().map(Package::read).collect()
}

impl Package {
    fn read(package: &Value) -> Result<Self> {
        let name = package["name"].as_str().context("a package has no name")?.to_owned();
        let features =
            serde_json::from_value(package["features"].clone()).with_context(|| format!("{name}'s features"))?;
        Ok(Self { name, features })
    }

    /// Returns all features except `default`, in alphabetical order.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.features.keys().map(String::as_str).filter(|feature| *feature != "default")
    }

    /// Returns the feature itself and all features of the same package that it enables.
    pub fn enabled_by<'a>(&'a self, feature: &'a str) -> BTreeSet<&'a str> {
        let (mut enabled, mut next) = (BTreeSet::new(), vec![feature]);
        while let Some(feature) = next.pop() {
            // `dep:serde` and `postcard/alloc` are not in the table.
            if let Some((feature, entries)) = self.features.get_key_value(feature)
                && enabled.insert(feature.as_str())
            {
                next.extend(entries.iter().map(String::as_str));
            }
        }
        enabled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_enable_features() {
        let text = r#"{"packages": [{"name": "a", "features": {
            "default": ["small"], "small": ["dep:b"], "large": ["small", "c/std"], "all": ["large", "all"]
        }}]}"#;
        let packages = parse(text).unwrap();
        let [package] = &packages[..] else { panic!("{packages:?}") };
        assert_eq!(package.name, "a");
        assert_eq!(package.features().collect::<Vec<_>>(), ["all", "large", "small"]);
        assert_eq!(package.enabled_by("small"), BTreeSet::from(["small"]));
        assert_eq!(package.enabled_by("all"), BTreeSet::from(["all", "large", "small"]));
        assert!(parse("{}").is_err());
    }

    #[test]
    fn the_workspace_is_read() {
        let packages = all(&Repo::find()).unwrap();
        for name in ["runtime", "exporter", "xtask"] {
            assert!(packages.iter().any(|package| package.name == name), "{name}");
        }
    }
}
