//! A browser without a window, in which the tests open the page.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::piece::Piece;
use super::program::Program;
use super::say;
use crate::repo::Repo;

/// Variable with which the user names a browser.
const VARIABLE: &str = "CHROMIUM";

/// Places of browsers that are not on the PATH, all of macOS.
const PLACES: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Chromium, or the browser that Google makes of it.
pub const CHROMIUM: Program = Program {
    what: "Chromium",
    name: "chromium",
    other_names: &["chromium-browser", "google-chrome", "google-chrome-stable"],
    folder: "chromium",
    // Ubuntu's package is an empty one that asks for a snap.
    apt: &["chromium"],
    dnf: "chromium",
    pacman: "chromium",
    // Homebrew would install a browser for the user's own use.
    brew: None,
    by_hand: "Chromium or Google Chrome",
    download: "80 to 210 MB",
    // Measured on Debian 12 with nothing but its base system: 176 packages, 208 MB, unpack to 709 MB.
    unpacked_factor: 4,
    leave_out: &[],
    // Chromium 156.0.8078.114 built on Debian GNU/Linux 12 (bookworm)
    version: |line| line.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())),
};

/// Returns the browser for the tests: the one that the environment variable `CHROMIUM` names, or one of the system, or
/// the one that set-up unpacked.
///
/// # Errors
/// Returns an error if there is no browser, or if the named one does not start.
pub fn chromium(repo: &Repo) -> Result<PathBuf> {
    Ok(find(repo)?.with_context(|| format!("no {}: run `cargo xtask setup`", CHROMIUM.what))?.0)
}

/// Returns the first browser that starts, with its version.
fn find(repo: &Repo) -> Result<Option<(PathBuf, String)>> {
    let named = env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let others = CHROMIUM.installed().chain(PLACES.map(PathBuf::from));
    let unpacked = repo.root().join(CHROMIUM.unpacked_place());
    first(named, others.chain([unpacked]), |file| CHROMIUM.version_of(file))
}

/// Returns the named browser, or the first of the others that has a version.
fn first(
    named: Option<PathBuf>,
    mut others: impl Iterator<Item = PathBuf>,
    version: impl Fn(&Path) -> Option<String>,
) -> Result<Option<(PathBuf, String)>> {
    let with_version = |file: PathBuf| version(&file).map(|version| (file, version));
    let Some(named) = named else { return Ok(others.find_map(with_version)) };
    let value = named.display().to_string();
    match with_version(named) {
        Some(found) => Ok(Some(found)),
        None => bail!("{VARIABLE} is set to `{value}`, which does not start: correct or unset the variable"),
    }
}

/// Installs a browser if the system has none.
///
/// # Errors
/// Returns an error that says what to install if set-up cannot do it.
pub fn setup(repo: &Repo) -> Result<()> {
    if let Some((file, version)) = find(repo)? {
        say(&format!("{version} is installed ({})", repo.short(&file)));
        return Ok(());
    }
    CHROMIUM.setup(repo).with_context(|| format!("no browser that starts, and {VARIABLE} names none"))
}

/// Returns the row of the table that `cargo xtask doctor` prints.
pub fn piece(repo: &Repo) -> Piece {
    match find(repo) {
        Ok(Some((file, version))) => Piece::there(CHROMIUM.what, version, repo.short(&file)),
        Ok(None) => Piece::missing(CHROMIUM.what, "run `cargo xtask setup` to install it"),
        Err(error) => Piece::missing(CHROMIUM.what, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let lines =
            ["Chromium 156.0.8078.114 built on Debian GNU/Linux 12 (bookworm)", "Google Chrome 156.0.8078.114 "];
        for line in lines {
            assert_eq!((CHROMIUM.version)(line), Some("156.0.8078.114"));
        }
    }

    #[test]
    fn a_named_browser_is_the_only_one_and_a_broken_one_is_skipped() {
        let version = |file: &Path| (file == Path::new("works")).then(|| "156".to_owned());
        let found = |named: Option<&str>, others: &[&str]| {
            first(named.map(PathBuf::from), others.iter().map(PathBuf::from), version)
        };
        let works = Some((PathBuf::from("works"), "156".to_owned()));
        assert_eq!(found(None, &["broken", "works"]).unwrap(), works);
        assert_eq!(found(Some("works"), &[]).unwrap(), works);
        assert_eq!(found(None, &["broken"]).unwrap(), None);
        let error = found(Some("broken"), &["works"]).unwrap_err().to_string();
        assert!(error.starts_with("CHROMIUM is set to `broken`, which does not start"), "{error}");
    }
}
