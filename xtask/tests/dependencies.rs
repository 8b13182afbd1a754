//! Checks licences and sources of dependencies without cargo-deny, and the pinned versions. `cargo xtask deny` checks
//! more.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use toml::Table;
use xtask::examples::EXAMPLES;
use xtask::repo::Repo;

fn read(file: &str) -> String {
    fs::read_to_string(Repo::find().root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn table(file: &str) -> Table {
    read(file).parse().unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns whether an SPDX expression offers only allowed licences: `A OR B`, `(A OR B) AND C`, `A/B`, as crates write
/// them.
fn allows(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let choices = |text: &str| {
        text.trim_matches(['(', ')']).replace('/', " OR ").split(" OR ").any(|name| allowed.contains(name.trim()))
    };
    expression.split(" AND ").all(choices)
}

/// Compares `deny.toml` with every crate in `Cargo.lock` of the workspace and of the examples, as `cargo metadata` reports
/// them.
#[test]
fn licences_and_sources_are_those_of_deny_toml() {
    compare_with_deny_toml("Cargo.toml", 100);
    for example in EXAMPLES {
        compare_with_deny_toml(&example.manifest(), 50);
    }
}

/// Compares the crates of a manifest, which are more than `least`.
fn compare_with_deny_toml(manifest: &str, least: usize) {
    let deny = table("deny.toml");
    let licences = deny["licenses"]["allow"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let allowed: BTreeSet<&str> = licences.collect();
    let excepted: Vec<&toml::Value> = deny["licenses"]["exceptions"].as_array().unwrap().iter().collect();
    let registries = deny["sources"]["allow-registry"].as_array().unwrap();
    // Fails if Cargo.lock does not match the manifests.
    let output =
        Repo::find().cargo().args(["metadata", "--format-version=1", "--locked", "--manifest-path", manifest]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > least, "{manifest}: {} packages", packages.len());
    for package in packages {
        let (name, licence) = (package["name"].as_str().unwrap(), package["license"].as_str().unwrap_or_default());
        let exception = excepted.iter().find(|exception| exception["crate"].as_str() == Some(name));
        let excepted = exception.is_some_and(|exception| exception["allow"][0].as_str() == Some(licence));
        assert!(
            excepted || allows(licence, &allowed),
            "{name} has the licence {licence:?}, which deny.toml does not allow"
        );
        // Packages of this workspace have no source.
        if let Some(source) = package["source"].as_str() {
            let known = registries.iter().any(|registry| source.strip_prefix("registry+") == registry.as_str());
            assert!(known, "{name} comes from {source}, which deny.toml does not allow");
        }
    }
}

#[test]
fn expressions_of_licences() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Unicode-3.0"]);
    for yes in ["MIT", "GPL-3.0 OR MIT", "MPL-2.0/MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
        assert!(allows(yes, &allowed), "{yes}");
    }
    for no in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND ISC"] {
        assert!(!allows(no, &allowed), "{no}");
    }
}

/// The oldest supported compiler is the pinned one, so that every build tests it.
#[test]
fn the_pinned_compiler_is_the_oldest_one() {
    let manifest = table("Cargo.toml");
    let oldest = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    let toolchain = table("rust-toolchain.toml");
    let pinned = toolchain["toolchain"]["channel"].as_str().unwrap();
    assert_eq!(pinned.rsplit_once('.').map(|(version, _)| version), Some(oldest));
    for member in manifest["workspace"]["members"].as_array().unwrap() {
        let member = table(&format!("{}/Cargo.toml", member.as_str().unwrap()));
        assert_eq!(member["package"]["rust-version"]["workspace"].as_bool(), Some(true), "{member:?}");
    }
    for example in EXAMPLES {
        let manifest = table(&example.manifest());
        assert_eq!(manifest["package"]["rust-version"].as_str(), Some(oldest), "{}", example.name);
    }
}

/// Checks that every build of `cargo xtask` uses the versions of Cargo.lock: Cargo checks the whole workspace before it
/// starts this program.
#[test]
fn the_lock_is_kept() {
    let config = table(".cargo/config.toml");
    assert!(config["alias"]["xtask"].as_str().unwrap().contains(" --locked "));
    let runner = config["target"]["cfg(target_os = \"none\")"]["runner"].as_array().unwrap();
    assert!(runner.iter().any(|argument| argument.as_str() == Some("--locked")));
}
