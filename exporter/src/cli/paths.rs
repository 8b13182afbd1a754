//! Checks of file names on the command line.

use std::any::TypeId;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Arg, ArgMatches, Command};

/// Options that name a word list. Other code checks these names: `lists::list` and `train::check_name`.
const LISTS: [&str; 2] = ["data", "calibration"];

/// Commands that record their file names in a JSON file, which is UTF-8.
const RECORDED: [&str; 2] = ["train", "sweep"];

/// Fails if a file's name is `-`, or if the command could not record it. Runs before the command.
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
                bail!("{option} -: stdin and stdout cannot replace a file: name a file (a file called - is ./-)");
            }
            if RECORDED.contains(&name) && path.to_str().is_none() {
                bail!(
                    "{option} {path:?}: the name is not UTF-8, so the run's config.json cannot hold it: rename the file"
                );
            }
        }
    }
    Ok(())
}
