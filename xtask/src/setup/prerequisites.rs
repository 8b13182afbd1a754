//! What has to be there before libtorch can be fetched and linked, and is not ours to install.

use std::env;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{ask, on_path};

/// The C++ compiler: the user's `CXX`, which may carry arguments (`ccache g++`), or one found.
pub fn compiler() -> Option<String> {
    match env::var("CXX") {
        Ok(cxx) if !cxx.is_empty() => {
            let program = cxx.split_whitespace().next()?;
            ask(Command::new(program).arg("--version"))?;
            Some(cxx)
        }
        _ => compiler_on_path().map(str::to_owned),
    }
}

fn compiler_on_path() -> Option<&'static str> {
    ["c++", "g++", "clang++"].into_iter().find(|name| on_path(name).is_some())
}

/// The compiler to name in the configuration: build scripts look for `c++` only.
pub fn cxx_to_name() -> Option<&'static str> {
    // CXX in the environment is not asked: it may well be what this very configuration sets.
    compiler_on_path().filter(|name| *name != "c++")
}

/// The bindings to libtorch are C++, compiled here whatever libtorch it is.
pub const COMPILER: Need = Need {
    what: "C++ compiler",
    variable: Some("CXX"),
    debian: "g++",
    fedora: "gcc-c++",
    macos: "xcode-select --install",
};

/// libtorch comes in Python packages.
pub const PYTHON: Need = Need {
    what: "Python 3 with pip",
    variable: None,
    debian: "python3-pip",
    fedora: "python3-pip",
    macos: "brew install python",
};

/// Something that the user has to install.
pub struct Need {
    /// Its name in the table.
    pub what: &'static str,
    /// The variable through which a user names another one.
    variable: Option<&'static str>,
    debian: &'static str,
    fedora: &'static str,
    macos: &'static str,
}

impl Need {
    /// How to come by it.
    pub fn hint(&self) -> String {
        let Self { debian, fedora, macos, .. } = self;
        if let Some(variable) = self.variable
            && let Ok(value) = env::var(variable)
            && !value.is_empty()
        {
            return format!("{variable} is set to `{value}`, which does not start: correct or unset it");
        }
        format!("Debian, Ubuntu: apt-get install {debian}; Fedora: dnf install {fedora}; macOS: {macos}")
    }
}

/// Fails with a line for each thing that is missing, so that one round of installing will do.
pub fn need(found: [(&Need, bool); 2]) -> Result<()> {
    let missing: Vec<_> = found
        .into_iter()
        .filter(|(_, found)| !found)
        .map(|(need, _)| format!("no {} ({})", need.what, need.hint()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!("{}", missing.join("\n"))
}

/// Python's version.
pub fn python() -> Option<String> {
    ask(Command::new("python3").arg("--version")).map(|text| text.replace("Python ", ""))
}

/// pip's version.
pub fn pip() -> Option<String> {
    let text = ask(Command::new("python3").args(["-m", "pip", "--version"]))?;
    text.split_whitespace().nth(1).map(str::to_owned)
}

/// The first word that is a bare version in what a compiler prints about itself.
pub fn version_in(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .find(|word| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.'))
        .unwrap_or("?")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(version_in("c++ (Debian 12.2.0-14) 12.2.0\nmore"), "12.2.0");
        assert_eq!(version_in("Apple clang version 17.0.0 (x)"), "17.0.0");
        assert_eq!(version_in(""), "?");
    }

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        assert!(need([(&COMPILER, true), (&PYTHON, true)]).is_ok());
        let error = need([(&COMPILER, false), (&PYTHON, false)]).unwrap_err();
        let text = error.to_string();
        assert_eq!(text.lines().count(), 2);
        for part in ["no C++ compiler (", "dnf install python3-pip", "brew install python"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
