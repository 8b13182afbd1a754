//! Hashes everything that a firmware program is built from: a program with an unchanged hash is not rebuilt.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::command::{ask, show};
use crate::repo::Repo;

/// Files and folders that programs are built from, relative to the repository's top. `Cargo.lock` covers dependencies.
const SOURCES: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo",
    ".tools/cargo.toml",
    "firmware-example",
    "runtime/Cargo.toml",
    "runtime/build.rs",
    "runtime/src",
];

/// Prefixes of variables of Cargo and the compiler that change the program.
const VARIABLES: [&str; 5] = ["CARGO_BUILD_", "CARGO_ENCODED_", "CARGO_PROFILE_", "CARGO_TARGET_", "RUST"];

/// Returns the hash of the sources, the model, the command and its environment, and the compiler's version.
///
/// # Errors
/// Returns an error if a file cannot be read.
pub fn of(repo: &Repo, command: &Command, model: &Path) -> Result<String> {
    static COMPILER: OnceLock<Option<String>> = OnceLock::new();
    let compiler = || ask(Command::new("rustc").arg("-vV").current_dir(repo.root()));
    let mut hash = DefaultHasher::new();
    COMPILER.get_or_init(compiler).hash(&mut hash);
    show(command).hash(&mut hash);
    let variables = env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        // rustup and `RUST_BACKTRACE=1 cargo test` set such variables, which do not affect programs.
        VARIABLES.iter().any(|start| name.starts_with(start)) && !name.starts_with("RUST_")
    });
    variables.collect::<BTreeMap<_, _>>().hash(&mut hash);
    for source in SOURCES {
        add(&repo.root().join(source), &mut hash)?;
    }
    add(model, &mut hash)?;
    Ok(format!("{:016x}", hash.finish()))
}

/// Adds a file, or all files of a folder except Cargo's own. A missing path is added as missing.
fn add(path: &Path, hash: &mut DefaultHasher) -> Result<()> {
    path.hash(hash);
    if path.is_dir() {
        let entries = fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let mut entries = entries.with_context(|| format!("cannot read {}", path.display()))?;
        entries.retain(|entry| entry.file_name() != "target");
        entries.sort_by_key(fs::DirEntry::file_name);
        return entries.iter().try_for_each(|entry| add(&entry.path(), hash));
    }
    if path.exists() {
        fs::read(path).with_context(|| format!("cannot read {}", path.display()))?.hash(hash);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_there() {
        // `cargo xtask setup` writes .tools/cargo.toml.
        for source in SOURCES.into_iter().filter(|source| *source != ".tools/cargo.toml") {
            assert!(Repo::find().root().join(source).exists(), "{source}");
        }
    }

    #[test]
    fn every_input_changes_the_hash() {
        let root = env::temp_dir().join(format!("fingerprint-{}", std::process::id()));
        let repo = Repo::copy(&root, None);
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("runtime/src/a/b.rs", "1");
        write("model.blob", "m");
        let model = root.join("model.blob");
        let hash = |argument: &str| of(&repo, Command::new("cargo").arg(argument), &model).unwrap();
        let mut seen = vec![hash("build")];
        assert_eq!(hash("build"), seen[0]);
        seen.push(hash("check"));
        for (name, text) in [
            ("runtime/src/a/b.rs", "2"),
            ("runtime/src/a/c.rs", ""),
            ("firmware-example/memory/x.x", "FLASH"),
            ("Cargo.lock", "1"),
            ("model.blob", "n"),
        ] {
            write(name, text);
            seen.push(hash("build"));
        }
        let before = seen.len();
        write("firmware-example/target/x", "not a source");
        write("runtime/tests/x.rs", "not part of a program");
        assert_eq!(hash("build"), seen[before - 1]);
        fs::remove_dir_all(&root).unwrap();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), before);
    }
}
