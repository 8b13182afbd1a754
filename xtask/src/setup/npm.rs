//! Folders with packages of npm. They need Node, which the system provides. Only tests and emulation use them: nothing
//! of them is needed to build or flash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::piece::Piece;
use super::prerequisites::NODE;
use super::say;
use crate::board;
use crate::command::{ask, on_path, run};
use crate::repo::Repo;

/// A folder with a lock file, into which npm installs the packages that the lock file names.
pub struct Folder {
    /// Name in the doctor's table.
    what: &'static str,
    /// Path from the repository's top.
    path: &'static str,
    /// Package whose version the table shows.
    main: &'static str,
    /// The oldest Node that the packages and our programs run on: major and minor version.
    oldest_node: (u32, u32),
    /// Size of the download.
    download: &'static str,
    /// Size on the disk.
    kept: &'static str,
}

/// rp2040js, the emulator of the Raspberry Pi Pico.
pub const EMULATOR: Folder = Folder {
    what: "emulator of the Pico",
    path: "firmware-example/emulator",
    main: "rp2040js",
    oldest_node: (18, 0),
    download: "0.3 MB",
    kept: "3 MB",
};

/// The tools that check and test the page.
pub const PAGE: Folder = Folder {
    what: "tools of the page",
    path: "web",
    main: "typescript",
    // ESLint's own minimum.
    oldest_node: (20, 19),
    download: "20 MB",
    kept: "63 MB",
};

impl Folder {
    /// Returns the folder's path.
    pub fn path(&self, repo: &Repo) -> PathBuf {
        repo.root().join(self.path)
    }

    /// Returns a command that starts Node, without arguments.
    ///
    /// # Errors
    /// Returns an error if Node or a package is missing.
    pub fn node(&self, repo: &Repo) -> Result<Command> {
        self.need_node()?;
        if !self.is_there(repo) {
            bail!("the packages in {}/node_modules are missing: run `cargo xtask setup`", self.path);
        }
        Ok(Command::new("node"))
    }

    /// Returns an error if there is no Node, or only an older one.
    fn need_node(&self) -> Result<()> {
        self.lack_of(installed().as_deref(), on_path("npm").is_some()).map_or(Ok(()), |lack| bail!("{lack}"))
    }

    /// Returns what this version of Node lacks for the folder.
    fn lack_of(&self, node: Option<&str>, has_npm: bool) -> Option<String> {
        let (major, minor) = self.oldest_node;
        let found = match node {
            None => String::new(),
            Some(version) if board::version(version) < Some(self.oldest_node) => format!(", only Node {version}"),
            Some(version) if !has_npm => format!(", only Node {version} without npm"),
            Some(_) => return None,
        };
        let oldest = if minor == 0 { major.to_string() } else { format!("{major}.{minor}") };
        let hint = NODE.hint();
        Some(format!("no Node {oldest} or newer with npm{found} ({hint}; if that Node is older: https://nodejs.org)"))
    }

    fn lock(&self, repo: &Repo) -> Result<Lock> {
        read(&self.path(repo).join("package-lock.json")).map(Lock)
    }

    /// Returns whether all packages of the lock file are installed in its versions.
    fn is_there(&self, repo: &Repo) -> bool {
        self.lock(repo).is_ok_and(|lock| lock.is_installed(&self.path(repo)))
    }

    /// Fetches the packages into `node_modules`.
    ///
    /// # Errors
    /// Returns an error if there is no Node, or if npm cannot fetch the packages.
    pub fn setup(&self, repo: &Repo) -> Result<()> {
        self.need_node()?;
        let lock = self.lock(repo)?;
        let names = lock.names().join(", ");
        if self.is_there(repo) {
            say(&format!("installed: {names}"));
            return Ok(());
        }
        let Self { path, download, kept, .. } = self;
        say(&format!("fetches {download}, keeps {kept} in {path}/node_modules"));
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(self.path(repo));
        run(&mut npm).with_context(|| format!("npm cannot fetch {names}; run the same command again"))?;
        say(&format!("done: {names}"));
        Ok(())
    }

    /// Returns the row of the table that `cargo xtask doctor` prints.
    pub fn piece(&self, repo: &Repo) -> Piece {
        if let Err(lack) = self.need_node() {
            return Piece::missing(self.what, lack.to_string());
        }
        if !self.is_there(repo) {
            return Piece::missing(self.what, "`cargo xtask setup` fetches what is missing");
        }
        let version = self.lock(repo).ok().and_then(|lock| Some(lock.version(self.main)?.to_owned()));
        Piece::there(self.what, version.unwrap_or_default(), self.path)
    }
}

/// Returns Node's version.
fn installed() -> Option<String> {
    ask(Command::new("node").arg("--version")).map(|text| text.trim_start_matches('v').to_owned())
}

/// Returns the text of a field, or nothing if there is none.
fn text<'v>(object: &'v Value, field: &str) -> Option<&'v str> {
    object[field].as_str()
}

/// Returns the packages that a description, or the entry of a lock file, asks for by itself.
fn asked_for(description: &Value) -> Vec<&String> {
    let fields = ["dependencies", "devDependencies"].into_iter();
    let mut names: Vec<_> = fields.filter_map(|field| description[field].as_object()).flat_map(Map::keys).collect();
    names.sort();
    names
}

/// A lock file of npm. Its `packages` are named by their path, such as `node_modules/rp2040js`, and the folder itself
/// by an empty path.
struct Lock(Value);

impl Lock {
    /// Returns the version of a package.
    fn version(&self, name: &str) -> Option<&str> {
        text(&self.0["packages"][format!("node_modules/{name}")], "version")
    }

    /// Returns the packages that the folder itself asks for, with their versions.
    fn names(&self) -> Vec<String> {
        let names = asked_for(&self.0["packages"][""]).into_iter();
        names.map(|name| format!("{name} {}", self.version(name).unwrap_or("?"))).collect()
    }

    /// Returns whether all packages are in a folder, in the versions of the lock file.
    fn is_installed(&self, folder: &Path) -> bool {
        // npm writes this file last.
        let is_complete = folder.join("node_modules/.package-lock.json").exists();
        let Some(packages) = self.0["packages"].as_object() else { return false };
        let is_there = |(path, wanted): (&String, &Value)| match read(&folder.join(path).join("package.json")) {
            Ok(found) => text(&found, "version") == text(wanted, "version"),
            // npm leaves out the packages that are for other systems.
            Err(_) => wanted["optional"] == true,
        };
        is_complete && packages.iter().filter(|(path, _)| !path.is_empty()).all(is_there)
    }
}

fn read(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_node_is_named() {
        assert_eq!(PAGE.lack_of(Some("20.19.0"), true), None);
        assert_eq!(EMULATOR.lack_of(Some("18.0.0"), true), None);
        let lack = PAGE.lack_of(Some("18.20.4"), true).unwrap();
        assert!(lack.starts_with("no Node 20.19 or newer with npm, only Node 18.20.4 (Debian, "), "{lack}");
        let lack = EMULATOR.lack_of(None, false).unwrap();
        assert!(lack.starts_with("no Node 18 or newer with npm (Debian, "), "{lack}");
        assert!(lack.ends_with("if that Node is older: https://nodejs.org)"), "{lack}");
        assert!(PAGE.lack_of(Some("24.1.0"), false).unwrap().contains("only Node 24.1.0 without npm"));
    }

    #[test]
    fn every_lock_file_pins_what_its_folder_asks_for() {
        let repo = Repo::find();
        for folder in [EMULATOR, PAGE] {
            let lock = folder.lock(&repo).unwrap();
            let description = read(&folder.path(&repo).join("package.json")).unwrap();
            assert!(lock.version(folder.main).is_some(), "{}", folder.path);
            let version =
                |name| ["dependencies", "devDependencies"].iter().find_map(|kind| text(&description[kind], name));
            let asked = asked_for(&description).into_iter();
            let asked: Vec<String> = asked.map(|name| format!("{name} {}", version(name).unwrap())).collect();
            assert_eq!(asked, lock.names(), "{}", folder.path);
        }
    }

    #[test]
    fn a_package_may_be_missing_only_if_it_is_for_another_system() {
        let text = r#"{ "packages": {
            "": { "devDependencies": { "a": "1.0.0" } },
            "node_modules/a": { "version": "1.0.0" },
            "node_modules/other-system": { "version": "1.0.0", "optional": true }
        } }"#;
        let lock = Lock(serde_json::from_str(text).unwrap());
        assert_eq!(lock.names(), ["a 1.0.0"]);
        let folder = std::env::temp_dir().join(format!("xtask-npm-{}", std::process::id()));
        let write = |file: &str, text: &str| {
            let file = folder.join("node_modules").join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        assert!(!lock.is_installed(&folder));
        write("a/package.json", r#"{ "version": "1.0.0" }"#);
        assert!(!lock.is_installed(&folder), "npm did not finish");
        write(".package-lock.json", "{}");
        assert!(lock.is_installed(&folder));
        write("a/package.json", r#"{ "version": "1.0.1" }"#);
        assert!(!lock.is_installed(&folder));
        fs::remove_dir_all(&folder).unwrap();
    }
}
