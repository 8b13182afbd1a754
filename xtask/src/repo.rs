//! Where things lie in this repository, and how to start Cargo in it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::run_for_output;

/// The repository this program was started in.
pub struct Repo {
    root: PathBuf,
    /// Where Cargo keeps the sources of dependencies, unless that is its own affair.
    cargo_home: Option<PathBuf>,
}

impl Repo {
    /// Finds the repository: the folder above this crate's.
    pub fn find() -> Self {
        // Cargo tells where the crate is now; the path compiled in is where it was when built.
        let manifest =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().expect("this crate lies in a folder of the repository").to_path_buf();
        Self { root, cargo_home: None }
    }

    /// A copy of it; with another CARGO_HOME, if one is given.
    pub fn copy(root: &Path, cargo_home: Option<&Path>) -> Self {
        Self { root: root.to_owned(), cargo_home: cargo_home.map(Path::to_owned) }
    }

    /// The top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The ignored folder for everything that is fetched.
    pub fn tools(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// The firmware's folder. Cargo started in it picks up `firmware-example/.cargo/config.toml`:
    /// the chip's target and, where set-up had to build one, the compiler for it.
    pub fn firmware(&self) -> PathBuf {
        self.root.join("firmware-example")
    }

    /// `path` as seen from the top folder, for printing.
    pub fn short(&self, path: &Path) -> String {
        let path = normalize(path);
        let short = path.strip_prefix(&self.root).unwrap_or(&path);
        short.display().to_string()
    }

    /// Where Cargo keeps the sources of dependencies.
    pub fn cargo_home(&self) -> Option<PathBuf> {
        let own = || env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
        self.cargo_home.clone().or_else(own)
    }

    /// Cargo, in the top folder, with the environment it would have if started by hand.
    pub fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// A program, in the top folder, with the environment it would have if started by hand.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        if let Some(home) = &self.cargo_home {
            command.env("CARGO_HOME", home);
        }
        // `cargo xtask` is a `cargo run`: it gave us variables about this crate and those of
        // `[env]`. Handed down, they would differ from a plain command's, and a build script that
        // watches one (torch-sys: two minutes) would run again at each change between the two.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        if let Some(libtorch) = env::var_os("LIBTORCH")
            && normalize(Path::new(&libtorch)) == self.tools().join("libtorch")
        {
            command.env_remove("LIBTORCH");
        }
        command
    }

    /// Copies everything that Git has, or would add, as it is now. Files that are there and the same stay untouched, so that they are
    /// not built anew.
    ///
    /// # Errors
    /// Without Git, or a folder that cannot be written to.
    pub fn copy_sources(&self, to: &Path) -> Result<()> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(&self.root);
        let names = run_for_output(&mut git).context("the list of sources comes from Git")?;
        names.split_terminator('\0').try_for_each(|name| self.copy_file(name, to))
    }

    /// Copies one file; a name that stands for none is passed over, such as one that was removed and is still known to Git.
    pub fn copy_file(&self, name: &str, to: &Path) -> Result<()> {
        let to = to.join(name);
        let Ok(bytes) = fs::read(self.root.join(name)) else { return Ok(()) };
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        fs::create_dir_all(to.parent().context("a folder")?)?;
        fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))
    }

    /// Cargo in the firmware's folder.
    pub fn firmware_cargo(&self) -> Command {
        let mut cargo = self.cargo();
        cargo.current_dir(self.firmware());
        cargo
    }
}

/// Takes `.` and `x/..` out of a path without asking the file system: Cargo writes
/// configuration-relative paths as `.cargo/../.tools/libtorch`, and the folder may not exist.
pub fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalize_is_lexical() {
        let cases =
            [("/a/.cargo/../.tools/libtorch", "/a/.tools/libtorch"), ("/a/./b", "/a/b"), ("/a/b/../../c", "/c")];
        for (from, to) in cases {
            assert_eq!(normalize(Path::new(from)), Path::new(to));
        }
    }

    #[test]
    fn the_repository_is_found() {
        let repo = Repo::find();
        assert!(repo.root().join("xtask/Cargo.toml").exists());
        assert_eq!(repo.short(&repo.root().join(".cargo/../.tools/x")), ".tools/x");
    }
}
