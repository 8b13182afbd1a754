//! Names of files that no command takes.

use std::any::TypeId;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Arg, ArgMatches, Command};

/// Lists of words, whose names `data` checks.
const LISTS: [&str; 2] = ["data", "calibration"];

/// Commands that write the names of their files to a JSON file, which is UTF-8.
const RECORDED: [&str; 2] = ["train", "sweep"];

/// Refuses `-` in place of a file, and a name that the command cannot write down, before anything is done.
pub fn check(command: &Command, matches: &ArgMatches) -> anyhow::Result<()> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    let Some(command) = command.find_subcommand(name) else { return Ok(()) };
    let is_path = |argument: &&Arg| argument.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    for argument in command.get_arguments().filter(is_path) {
        let id = argument.get_id().as_str();
        if LISTS.contains(&id) {
            continue;
        }
        let option = argument.get_long().map_or_else(|| "FILE".to_owned(), |long| format!("--{long}"));
        for path in matches.get_many::<PathBuf>(id).into_iter().flatten() {
            if path == Path::new("-") {
                bail!("{option} -: stdin and stdout are not taken for a file; name one (./- is a file of that name)");
            }
            if RECORDED.contains(&name) && path.to_str().is_none() {
                bail!("{option} {path:?}: the name is not UTF-8, and the run's record must name the file; rename it");
            }
        }
    }
    Ok(())
}
