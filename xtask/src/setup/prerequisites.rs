//! Programs that the user must install before libtorch can be fetched and linked.

use std::env;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{ask, on_path};

/// Returns the C++ compiler: the user's `CXX`, which may carry arguments (`ccache g++`), or one found on the PATH.
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

/// Returns the compiler to name in the configuration, since build scripts look only for `c++`.
pub fn cxx_to_name() -> Option<&'static str> {
    // CXX in the environment is ignored: it may come from this very configuration.
    compiler_on_path().filter(|name| *name != "c++")
}

/// The C++ compiler. The bindings to libtorch are C++ and are compiled here for every libtorch.
pub const COMPILER: Need = Need {
    what: "C++ compiler",
    variable: Some("CXX"),
    debian: "g++",
    fedora: "gcc-c++",
    macos: "xcode-select --install",
};

/// Python. libtorch comes in Python packages.
pub const PYTHON: Need = Need {
    what: "Python 3 with pip",
    variable: None,
    debian: "python3-pip",
    fedora: "python3-pip",
    macos: "brew install python",
};

/// Node, which runs the emulator of the Pico, and the checks and tests of the page.
pub const NODE: Need = Need {
    what: "Node with npm",
    variable: None,
    debian: "nodejs npm",
    fedora: "nodejs-npm",
    macos: "brew install node",
};

/// A program that the user has to install.
pub struct Need {
    /// Name in the table.
    pub what: &'static str,
    /// Variable with which the user names another program.
    variable: Option<&'static str>,
    debian: &'static str,
    fedora: &'static str,
    macos: &'static str,
}

impl Need {
    /// Returns how to install the program.
    pub fn hint(&self) -> String {
        let Self { debian, fedora, macos, .. } = self;
        if let Some(variable) = self.variable
            && let Ok(value) = env::var(variable)
            && !value.is_empty()
        {
            return format!("{variable} is set to `{value}`, which does not start: correct or unset the variable");
        }
        format!("Debian, Ubuntu: apt-get install {debian}; Fedora: dnf install {fedora}; macOS: {macos}")
    }
}

/// Returns an error with a line for each missing program, so that the user can install all of them at once.
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

/// Returns Python's version.
pub fn python() -> Option<String> {
    ask(Command::new("python3").arg("--version")).map(|text| text.replace("Python ", ""))
}

/// Returns pip's version.
pub fn pip() -> Option<String> {
    let text = ask(Command::new("python3").args(["-m", "pip", "--version"]))?;
    text.split_whitespace().nth(1).map(str::to_owned)
}

/// Returns the first word of a compiler's output that is a bare version.
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
