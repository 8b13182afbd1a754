//! Paths in this repository, and how to start Cargo in it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::run_for_output;

/// The repository that this program was started in.
pub struct Repo {
    root: PathBuf,
    /// Cargo's home folder of a copied repository; `None` for Cargo's own default.
    cargo_home: Option<PathBuf>,
}

impl Repo {
    /// Finds the repository: the folder above this crate's folder.
    pub fn find() -> Self {
        // Cargo's variable has the current path of the crate; the compiled-in path may be out of date.
        let manifest =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().expect("this crate is in a folder of the repository").to_path_buf();
        Self { root, cargo_home: None }
    }

    /// Returns a copy of the repository, with another CARGO_HOME if one is given.
    pub fn copy(root: &Path, cargo_home: Option<&Path>) -> Self {
        Self { root: root.to_owned(), cargo_home: cargo_home.map(Path::to_owned) }
    }

    /// Returns the top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the ignored folder of everything that is fetched.
    pub fn tools(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// Returns the firmware's folder. Cargo started here reads `firmware-example/.cargo/config.toml`: the chip's target
    /// and, if set-up had to build one, the compiler for it.
    pub fn firmware(&self) -> PathBuf {
        self.root.join("firmware-example")
    }

    /// Returns `path` relative to the top folder, for messages.
    pub fn short(&self, path: &Path) -> String {
        let path = normalize(path);
        let short = path.strip_prefix(&self.root).unwrap_or(&path);
        short.display().to_string()
    }

    /// Returns the folder in which Cargo keeps the sources of dependencies.
    pub fn cargo_home(&self) -> Option<PathBuf> {
        let own = || env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
        self.cargo_home.clone().or_else(own)
    }

    /// Returns Cargo in the top folder, with the environment of a manual start.
    pub fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// Returns a program in the top folder, with the environment of a manual start.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        if let Some(home) = &self.cargo_home {
            command.env("CARGO_HOME", home);
        }
        // `cargo xtask` is a `cargo run`, which sets variables about this crate and those of `[env]`. If they were
        // passed on, the environment would differ from that of a plain command. A build script that watches one of them
        // (torch-sys: two minutes) would run again at each change between the two.
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

    /// Copies every file that Git tracks or would add, in its current state. Unchanged files of an earlier copy are not
    /// written, so that they are not rebuilt.
    ///
    /// # Errors
    /// Returns an error without Git, or if the folder is not writable.
    pub fn copy_sources(&self, to: &Path) -> Result<()> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(&self.root);
        let names = run_for_output(&mut git).context("cannot list the sources with Git")?;
        names.split_terminator('\0').try_for_each(|name| self.copy_file(name, to))
    }

    /// Copies one file. A name without a file is skipped: Git still knows a removed file.
    pub fn copy_file(&self, name: &str, to: &Path) -> Result<()> {
        let to = to.join(name);
        let Ok(bytes) = fs::read(self.root.join(name)) else { return Ok(()) };
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        fs::create_dir_all(to.parent().context("a folder")?)?;
        fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))
    }

    /// Returns Cargo in the firmware's folder.
    pub fn firmware_cargo(&self) -> Command {
        let mut cargo = self.cargo();
        cargo.current_dir(self.firmware());
        cargo
    }

    /// Returns Cargo in the firmware's folder with a compiler flag for a target, if it needs one. The program's bytes
    /// do not depend on the folder that holds the dependencies' sources.
    pub fn target_cargo(&self, flag: Option<String>) -> Command {
        let mut flags: Vec<String> = flag.into_iter().collect();
        if let Some(home) = self.cargo_home() {
            // Panics contain file names. Debuggers still find the files. Our own files are already named from the top
            // folder.
            flags.extend([
                "--remap-path-scope=macro".to_owned(),
                format!("--remap-path-prefix={}=/cargo", home.display()),
            ]);
        }
        let mut cargo = self.firmware_cargo();
        // Cargo ignores the second variable if the first is set. The user's own flags stay.
        let (variable, separator) = match env::var("CARGO_ENCODED_RUSTFLAGS") {
            Ok(_) => ("CARGO_ENCODED_RUSTFLAGS", "\x1f"),
            // A blank in a folder's name would split the flag.
            Err(_) if flags.iter().any(|flag| flag.contains(' ')) => ("CARGO_ENCODED_RUSTFLAGS", "\x1f"),
            Err(_) => ("RUSTFLAGS", " "),
        };
        let given = env::var(variable).or_else(|_| env::var("RUSTFLAGS").map(|flags| flags.replace(' ', separator)));
        flags.splice(0..0, given.ok().filter(|flags| !flags.is_empty()));
        cargo.env(variable, flags.join(separator));
        cargo
    }
}

/// Resolves `.` and `x/..` in a path without asking the file system. Cargo writes configuration-relative paths as
/// `.cargo/../.tools/libtorch`, and the folder may not exist.
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
