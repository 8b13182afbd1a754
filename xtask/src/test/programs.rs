//! The test programs that Cargo has built. Each is a separate job, so that several run at once.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::jobs::{Job, Work};
use crate::repo::Repo;

/// A test program.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Name of the package and of the program: `exporter cli`.
    pub name: String,
    /// The package's folder, in which Cargo would run the program.
    pub folder: PathBuf,
    /// Path of the program.
    pub file: PathBuf,
}

/// Reads the programs from the messages of `cargo test --no-run --message-format=json`.
pub fn of_messages(messages: &str) -> Result<Vec<Program>> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let built =
        messages.filter(|message| message["reason"] == "compiler-artifact" && message["profile"]["test"] == true);
    built.filter(|message| message["executable"].is_string()).map(|message| Program::read(&message)).collect()
}

impl Program {
    fn read(message: &Value) -> Result<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned).context("a message from Cargo has no name");
        let manifest = PathBuf::from(text(&message["manifest_path"])?);
        let folder = manifest.parent().context("a manifest has no folder")?.to_owned();
        let package = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let target = text(&message["target"]["name"])?;
        let kind = text(&message["target"]["kind"][0])?;
        let name = match kind.as_str() {
            // Programs and libraries have unit tests.
            "test" => format!("{package} {target}"),
            "bin" => format!("{package} unit tests of the program {target}"),
            _ => format!("{package} unit tests"),
        };
        Ok(Self { name, folder, file: text(&message["executable"])?.into() })
    }

    /// Returns the command that runs the program as Cargo would: in the package's folder.
    fn command(&self, repo: &Repo) -> Command {
        let mut command = repo.command(&self.file);
        command.current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }

    /// Returns a job that runs the program.
    pub fn job<'r>(&self, repo: &Repo) -> Job<'r> {
        Job { name: self.name.clone(), folder: None, work: Work::Commands(vec![self.command(repo)]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn programs_are_read_from_messages() {
        let messages = r#"
{"reason":"compiler-artifact","manifest_path":"/r/exporter/Cargo.toml","target":{"kind":["test"],"name":"cli"},"profile":{"test":true},"executable":"/r/target/cli-1"}
{"reason":"compiler-artifact","manifest_path":"/r/exporter/Cargo.toml","target":{"kind":["bin"],"name":"exporter"},"profile":{"test":false},"executable":"/r/target/exporter"}
{"reason":"compiler-artifact","manifest_path":"/r/runtime/Cargo.toml","target":{"kind":["lib"],"name":"runtime"},"profile":{"test":true},"executable":"/r/target/runtime-1"}
{"reason":"build-finished","success":true}
"#;
        let programs = of_messages(messages).unwrap();
        let names: Vec<_> = programs.iter().map(|program| program.name.as_str()).collect();
        assert_eq!(names, ["exporter cli", "runtime unit tests"]);
        let command = programs[0].command(&Repo::find());
        assert_eq!(command.get_current_dir(), Some(Path::new("/r/exporter")));
    }
}
