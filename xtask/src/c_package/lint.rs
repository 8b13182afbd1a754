//! The checks of the package by the tools of PlatformIO, ESP-IDF and Arduino.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::{ask, on_path, run};
use crate::repo::Repo;

/// The tools from the registry of Python packages, in the versions that were tried.
const TOOLS: [&str; 2] = ["platformio==6.2.0", "idf-component-manager==3.1.2"];

/// PlatformIO's `pio`, with the two licences of this package instead of SPDX's list of names, which it would fetch for
/// each check.
const PIO: &str = "\
import sys
from platformio.__main__ import main
from platformio.package.manifest.schema import ManifestSchema
names = [{'licenseId': name} for name in ('MIT', 'Apache-2.0')]
ManifestSchema.load_spdx_licenses = staticmethod(lambda: {'licenses': names})
sys.exit(main(['pio'] + sys.argv[1:]))
";

/// Checks the package. The tools come into `.tools/c-package-lint`, where they also keep their own files.
///
/// # Errors
/// A tool refuses the package, or cannot be fetched.
pub fn run_all(repo: &Repo, package: &Path) -> Result<()> {
    let tools = fetch(repo)?;
    let package = package.canonicalize().with_context(|| format!("no folder {}", package.display()))?;
    let packed = tools.join("packed");
    fs::create_dir_all(&packed).with_context(|| format!("cannot create {}", packed.display()))?;

    // Reads library.json.
    let mut pio = Command::new(tools.join("bin/python"));
    pio.env("PLATFORMIO_CORE_DIR", tools.join("platformio")).env("PLATFORMIO_SETTING_ENABLE_TELEMETRY", "no");
    pio.args(["-c", PIO, "pkg", "pack", "--output"]).args([&packed, &package]);
    run(&mut pio)?;

    // Reads idf_component.yml.
    let compote = || {
        let mut compote = Command::new(tools.join("bin/compote"));
        compote.env("IDF_TOOLS_PATH", tools.join("espressif")).env("IDF_COMPONENT_CHECK_NEW_VERSION", "0");
        compote
    };
    run(compote().args(["--warnings-as-errors", "manifest", "lint"]).arg(package.join("idf_component.yml")))?;
    let mut pack = compote();
    pack.args(["component", "pack", "--name", "more", "--project-dir"]).arg(&package).arg("--dest-dir").arg(&packed);
    run(&mut pack)?;

    match on_path("arduino-lint") {
        Some(program) => {
            run(Command::new(program).args(["--compliance", "strict", "--library-manager", "false"]).arg(&package))?;
        }
        None => eprintln!("skipped: arduino-lint is not installed"),
    }
    println!("the package has passed");
    Ok(())
}

/// Fetches the tools where they are missing or other versions, and returns their folder.
fn fetch(repo: &Repo) -> Result<PathBuf> {
    let folder = repo.tools().join("c-package-lint");
    let (python, list) = (folder.join("bin/python"), TOOLS.join(" "));
    let known = folder.join("tools.txt");
    if fs::read_to_string(&known).is_ok_and(|text| text == list) {
        return Ok(folder);
    }
    ensure!(ask(Command::new("python3").arg("--version")).is_some(), "the tools need Python 3: install python3");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(TOOLS))?;
    fs::write(&known, list).with_context(|| format!("cannot write {}", known.display()))?;
    Ok(folder)
}
