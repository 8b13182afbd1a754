//! Writes the two ignored Cargo configuration files that tell plain cargo commands where the fetched files are.
//! `.cargo/config.toml` and `firmware-example/.cargo/config.toml` include them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{libtorch, prerequisites, remove, thumb};
use crate::repo::Repo;

/// First line of both files.
const HEADER: &str = "# Written by `cargo xtask setup`; rewritten whenever it runs.\n";

/// Updates both files from what is installed.
pub fn write(repo: &Repo) -> Result<()> {
    let facts =
        Facts { libtorch: libtorch::home(repo), cxx: prerequisites::cxx_to_name(), rustc: thumb::uses_debian(repo) };
    replace(&repo.tools().join("cargo.toml"), &facts.everywhere())?;
    replace(&repo.tools().join("firmware-cargo.toml"), &facts.in_firmware())
}

/// Facts for the files; paths are relative to the repository.
struct Facts {
    libtorch: Option<&'static str>,
    cxx: Option<&'static str>,
    rustc: bool,
}

impl Facts {
    /// Returns the configuration of every cargo command in the repository.
    fn everywhere(&self) -> String {
        let mut env = String::new();
        // `relative` starts at the parent of the configuration file's folder: the repository's top. Without `force`, a
        // variable that the user sets wins.
        if let Some(home) = self.libtorch {
            writeln!(env, "LIBTORCH = {{ value = \"{home}\", relative = true }}").unwrap();
        }
        if let Some(cxx) = self.cxx {
            writeln!(env, "CXX = \"{cxx}\"").unwrap();
        }
        if env.is_empty() { env } else { format!("[env]\n{env}") }
    }

    /// Returns the configuration of cargo commands in `firmware-example`.
    fn in_firmware(&self) -> String {
        let mut text = String::new();
        if self.rustc {
            writeln!(text, "[build]\nrustc = \"{}\"", thumb::RUSTC).unwrap();
        }
        text
    }
}

/// Writes the file if its text changed, so that nothing is rebuilt for a new time stamp. Removes a file that would be
/// empty.
fn replace(file: &Path, body: &str) -> Result<()> {
    if body.is_empty() {
        return remove(file);
    }
    let text = format!("{HEADER}{body}");
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let partial = file.with_extension("partial");
    fs::write(&partial, text).with_context(|| format!("cannot write {}", partial.display()))?;
    fs::rename(&partial, file).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_only_what_is_needed() {
        let nothing = Facts { libtorch: None, cxx: None, rustc: false };
        assert_eq!(nothing.everywhere(), "");
        assert_eq!(nothing.in_firmware(), "");

        let all = Facts { libtorch: Some(".tools/libtorch"), cxx: Some("clang++"), rustc: true };
        assert_eq!(
            all.everywhere(),
            "[env]\n\
             LIBTORCH = { value = \".tools/libtorch\", relative = true }\n\
             CXX = \"clang++\"\n"
        );
        assert!(all.in_firmware().starts_with("[build]\nrustc = \".tools/rust-thumb/bin/rustc\"\n"));
    }
}
