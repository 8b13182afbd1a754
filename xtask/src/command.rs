//! Starts other programs and prints each command before it runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Error, Result, bail};

use crate::watched::{self, Shortage, Stream};

/// Returns a command as a user would type it, with its folder and the variables set for it.
pub fn show(command: &Command) -> String {
    let mut line = String::new();
    if let Some(folder) = command.get_current_dir().and_then(Path::file_name)
        && !folder_is_top(command)
    {
        line += &format!("(in {}) ", folder.to_string_lossy());
    }
    for (name, value) in command.get_envs() {
        // Removed variables do not matter to the user, and a whole PATH is noise.
        if let Some(value) = value
            && name != "PATH"
        {
            line += &format!("{}={} ", name.to_string_lossy(), quote(value));
        }
    }
    let program = Path::new(command.get_program());
    line += &quote(program.file_name().unwrap_or(program.as_os_str()));
    for arg in command.get_args() {
        line.push(' ');
        line += &quote(arg);
    }
    line
}

/// Returns whether the command runs in the top folder, where the user most likely is: then the folder is not printed.
fn folder_is_top(command: &Command) -> bool {
    command.get_current_dir().is_none_or(|folder| folder.join("rust-toolchain.toml").exists())
}

/// Quotes an argument if a shell would need it.
pub(crate) fn quote(arg: &OsStr) -> String {
    let text = arg.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Prints the command and runs it with our stdin, stdout and stderr. Returns an error if the command fails.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", show(command));
    let status =
        command.status().with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
    if !status.success() {
        bail!("`{}` ended with {status}", show(command));
    }
    Ok(())
}

/// Prints the command, runs it, and returns its stdout. Its stderr goes to our console.
///
/// # Errors
/// Returns an error if the program cannot start or fails. The error also says if the machine ran out of disk, memory or
/// processes.
pub fn run_for_output(command: &mut Command) -> Result<String> {
    watched::show(&format!("$ {}", show(command)));
    let (mut output, mut shortage) = (String::new(), None);
    let status = watched::run(command, |stream, line| {
        if stream == Stream::Stdout {
            output += line;
            output.push('\n');
        } else {
            watched::show(line);
            shortage = shortage.or_else(|| Shortage::in_line(line));
        }
    });
    let status = status.with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
    if status.success() {
        return Ok(output);
    }
    let ended = format!("`{}` ended with {status}", show(command));
    Err(match shortage {
        Some(shortage) => Error::from(shortage).context(ended),
        None => Error::msg(ended),
    })
}

/// Returns the error with the next step: run set-up, unless the machine has run out of a resource.
pub fn advice(error: &Error) -> String {
    let text = format!("{error:#}");
    if error.chain().any(|cause| cause.is::<Shortage>()) {
        return text;
    }
    // The program could not even start.
    match Shortage::in_line(&text) {
        Some(shortage) => format!("{text}: {shortage}"),
        None => format!("{text}: run `cargo xtask setup`, then try again"),
    }
}

/// Runs a program silently and returns its trimmed stdout, or `None` if the program is missing or fails.
pub fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Returns the first program of this name on the PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_typed() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["run", "--", "a b", "it's", ""]).env("MODEL", "x.blob").env("PATH", "/long").env_remove("GONE");
        assert_eq!(show(&command), r"MODEL=x.blob cargo run -- 'a b' 'it'\''s' ''");
    }

    #[cfg(unix)]
    #[test]
    fn a_failure_names_what_the_machine_ran_out_of() {
        let run = |script: &str| run_for_output(Command::new("sh").args(["-c", script]));
        assert_eq!(run("echo a; echo b").unwrap(), "a\nb\n");
        let error = run("echo 'cannot write x: No space left on device (os error 28)' >&2; exit 1").unwrap_err();
        assert!(advice(&error).ends_with(Shortage::Disk.advice()), "{error:#}");
        // Neither does the printed command contain the message.
        let error = run("printf 'No space %s on device\\n' left >&2; exit 1").unwrap_err();
        assert!(advice(&error).ends_with(Shortage::Disk.advice()), "{error:#}");
        let error = run("exit 1").unwrap_err();
        assert!(advice(&error).ends_with("run `cargo xtask setup`, then try again"), "{error:#}");
        let error = Error::from(std::io::Error::from_raw_os_error(11)).context("cannot start cargo");
        assert!(advice(&error).ends_with(Shortage::Processes.advice()), "{}", advice(&error));
    }

    #[test]
    fn asking_never_fails() {
        assert_eq!(ask(&mut Command::new("no-such-program-here")), None);
        assert!(on_path("no-such-program-here").is_none());
    }
}
