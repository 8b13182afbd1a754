//! The two ignored Cargo configuration files through which plain cargo commands find what was
//! fetched. `.cargo/config.toml` and `firmware-example/.cargo/config.toml` include them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{libtorch, prerequisites, remove, thumb};
use crate::repo::Repo;

/// First line of both files.
const HEADER: &str = "# Written by `cargo xtask setup`; rewritten whenever it runs.\n";

/// Brings both files up to date with what is there.
pub fn write(repo: &Repo) -> Result<()> {
    let facts =
        Facts { libtorch: libtorch::home(repo), cxx: prerequisites::cxx_to_name(), rustc: thumb::uses_debian(repo) };
    replace(&repo.tools().join("cargo.toml"), &facts.everywhere())?;
    replace(&repo.tools().join("firmware-cargo.toml"), &facts.in_firmware())
}

/// What the files say, paths relative to the repository.
struct Facts {
    libtorch: Option<&'static str>,
    cxx: Option<&'static str>,
    rustc: bool,
}

impl Facts {
    /// For every cargo command in the repository.
    fn everywhere(&self) -> String {
        let mut env = String::new();
        // `relative` counts from the folder above the one this file is in: the repository's top.
        // Without `force`, a variable of the user's own wins.
        if let Some(home) = self.libtorch {
            writeln!(env, "LIBTORCH = {{ value = \"{home}\", relative = true }}").unwrap();
        }
        if let Some(cxx) = self.cxx {
            writeln!(env, "CXX = \"{cxx}\"").unwrap();
        }
        if env.is_empty() { env } else { format!("[env]\n{env}") }
    }

    /// For cargo commands in `firmware-example`.
    fn in_firmware(&self) -> String {
        let mut text = String::new();
        if self.rustc {
            writeln!(text, "[build]\nrustc = \"{}\"", thumb::RUSTC).unwrap();
        }
        text
    }
}

/// Writes the file where it differs, so that nothing is rebuilt for a new time stamp; a file that
/// would say nothing is removed.
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
