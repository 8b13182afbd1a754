//! `docs/use/commands.md`: the commands with their options, from the same text as `--help`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tests::assert_section;
use xtask::SUBCOMMANDS;

const PAGE: &str = "docs/use/commands.md";

/// Options of every command, which are listed once.
const OF_EVERY_COMMAND: [&str; 2] = ["-q, --quiet", "-h, --help"];
/// Most characters of a line.
const WIDTH: usize = 120;

#[test]
fn the_exporter_s_commands() {
    let folder = TempDir::new().unwrap();
    let mut man = Command::new(env!("CARGO_BIN_EXE_exporter"));
    man.args(["man", "--out"]).arg(folder.path()).stdin(Stdio::null()).stderr(Stdio::null());
    assert!(man.status().expect("the program starts").success());
    let page = |name: &str| Manual::read(&folder.path().join(format!("{name}.1")));
    let main = page("exporter");
    let names =
        main.section("SUBCOMMANDS").iter().filter_map(|line| line.strip_prefix("exporter-")?.strip_suffix("(1)"));
    let names: Vec<&str> = names.filter(|name| *name != "help").collect();
    assert!(names.len() > 10, "{names:?}");
    let mut text = String::new();
    for name in names {
        let manual = page(&format!("exporter-{name}"));
        text += &format!("### exporter {name}\n\n{}.\n\n", manual.about());
        let own = manual.entries().filter(|(heading, _)| !OF_EVERY_COMMAND.contains(heading));
        own.for_each(|(_, item)| text += &item);
        text += "\n";
    }
    text += "### Every command\n\n";
    main.entries().for_each(|(_, item)| text += &item);
    assert_section(PAGE, "exporter", &text);
}

#[test]
fn the_commands_of_cargo_xtask() {
    let mut text = String::new();
    for command in SUBCOMMANDS {
        let Some(summary) = command.summary else { continue };
        text +=
            &format!("### cargo xtask {}\n\n{}.\n\n```text\n{}```\n\n", command.name, capital(summary), command.help());
    }
    assert_section(PAGE, "xtask", &text);
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// A manual page that `exporter man` has written, without its typesetting.
struct Manual(Vec<String>);

impl Manual {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(text.lines().map(plain).collect())
    }

    /// Lines of a section.
    fn section(&self, name: &str) -> &[String] {
        let heading = |line: &String| line.starts_with(".SH ");
        let Some(at) = self.0.iter().position(|line| *line == format!(".SH {name}")) else { return &[] };
        let rest = &self.0[at + 1..];
        &rest[..rest.iter().position(heading).unwrap_or(rest.len())]
    }

    /// The line of the list of commands.
    fn about(&self) -> &str {
        let line = &self.section("NAME")[0];
        line.split_once(" - ").unwrap_or_else(|| panic!("{line}")).1
    }

    /// Items of a list, one per argument or option.
    fn entries(&self) -> impl Iterator<Item = (&str, String)> {
        let entries = self.section("OPTIONS").split(|line| line == ".TP").filter(|entry| !entry.is_empty());
        entries.map(|entry| {
            let (heading, default) = match entry[0].split_once(" [default") {
                Some((heading, ": ]")) => (heading, String::new()),
                Some((heading, default)) => (heading, format!(" [default{default}")),
                None => (entry[0].trim_end(), String::new()),
            };
            let about: Vec<&str> = entry[1..].iter().map(String::as_str).take_while(|line| *line != ".br").collect();
            let mut text = format!("- `{heading}`: {}{default}", about.join(" ").replace('<', "\\<"));
            // Each value has a line of typesetting before it, and may have a description after it.
            let values = entry.iter().zip(&entry[1..]).filter(|(before, _)| before.starts_with(".IP"));
            let values =
                values.map(|(_, value)| format!("`{}`", value.split_once(':').map_or(&**value, |(name, _)| name)));
            let values: Vec<String> = values.collect();
            if !values.is_empty() {
                text += &format!(" [possible values: {}]", values.join(", "));
            }
            (heading, wrapped(&text))
        })
    }
}

/// Removes fonts and escapes of a line of a manual page.
fn plain(line: &str) -> String {
    let line = ["\\fB", "\\fI", "\\fR"].iter().fold(line.to_owned(), |line, font| line.replace(font, ""));
    line.replace("\\-", "-").replace("\\ ", " ").replace("\\.", ".").replace("\\*(Aq", "'").replace("\\\\", "\\")
}

/// Wraps an item of a list, with its further lines indented.
fn wrapped(item: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in item.split(' ') {
        let needs = word.chars().count() + 1;
        if width > 0 && width + needs > WIDTH {
            text += "\n ";
            width = 1;
        }
        if width > 0 {
            text.push(' ');
        }
        text += word;
        width += needs;
    }
    text + "\n"
}
