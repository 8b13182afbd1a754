//! Transcripts in a page of `docs`: the commands are run as a reader would type them, and their output is compared.
//!
//! A transcript is a fenced block ```` ```console ````. A line that begins with `$ ` is a command. The lines after the
//! command are its output: stdout and stderr, in the order in which they were written. A line `...` replaces any number
//! of lines, at most once per command. `...` within a line replaces any text.
//!
//! In a block ```` ```console varies ```` numbers and drawn words may differ, because they come from a training, which
//! ends with other digits on another machine. Everything else in the block is compared, the number of lines included.

use std::fs;
use std::io::{Read, pipe};
use std::path::Path;
use std::process::{Command, Stdio};

use tests::workspace;
use xtask::repo::Repo;

/// Info string of a block that is compared as it is.
const EXACT: &str = "console";
/// Info string of a block whose numbers and drawn words may differ.
const VARIES: &str = "console varies";
/// Line of a page that replaces any number of lines of output.
const LEFT_OUT: &str = "...";

/// A command of a page and the lines that it has printed.
pub struct Ran {
    pub command: String,
    pub output: Vec<String>,
}

/// Runs the transcripts of a page in `folder` and compares their output, or rewrites the blocks that differ where the
/// environment variable BLESS is set. Returns the commands and their output.
///
/// # Panics
/// If an output differs from the page.
pub fn check(page: &str, folder: &Path) -> Vec<Ran> {
    let path = workspace(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut written = String::new();
    let mut ran = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        written += &format!("{line}\n");
        let Some(rule) = line.strip_prefix("```").filter(|info| [EXACT, VARIES].contains(info)) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        for (command, expected) in commands(&block) {
            let output = run(&command, folder);
            let fits = fits(&expected, &output, rule == VARIES);
            let printed = if fits { join(&expected) } else { join(&blessed(&expected, &output)) };
            written += &format!("{command}\n{printed}");
            ran.push(Ran { command, output });
        }
        written += "```\n";
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &written).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    } else if written != text {
        let differ = text.lines().zip(written.lines()).find(|(before, after)| before != after);
        panic!(
            "{page} differs: {differ:?}; if that is meant, run the test with BLESS=1. The page would be:\n{written}"
        );
    }
    ran
}

/// Runs the chosen lines of the blocks ```` ```sh ```` of a page in `folder`, without their comments, and returns them.
///
/// # Panics
/// If a command fails.
pub fn run_shell_blocks(page: &str, folder: &Path, is_chosen: impl Fn(&str) -> bool) -> Vec<String> {
    let text = fs::read_to_string(workspace(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let lines = blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap_or(line).trim());
    let chosen: Vec<String> = lines.filter(|line| is_chosen(line)).map(str::to_owned).collect();
    for line in &chosen {
        run(line, folder);
    }
    chosen
}

/// Splits a block into commands, `$ ` and continued lines included, and the lines that follow each.
fn commands<'b>(block: &[&'b str]) -> Vec<(String, Vec<&'b str>)> {
    let mut commands: Vec<(String, Vec<&str>)> = Vec::new();
    let mut continued = false;
    for line in block {
        match commands.last_mut() {
            Some((command, _)) if continued => *command += &format!("\n{line}"),
            _ if line.starts_with("$ ") => commands.push(((*line).to_owned(), Vec::new())),
            Some((_, output)) => output.push(line),
            None => panic!("a block that begins with {line:?}, not with a command"),
        }
        continued = commands.last().is_some_and(|(_, output)| output.is_empty()) && line.ends_with('\\');
    }
    commands
}

/// Runs a command and returns its lines.
fn run(shown: &str, folder: &Path) -> Vec<String> {
    let line = shown.trim_start_matches("$ ").replace("\\\n", " ");
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut command = match words[..] {
        ["cargo", "run", "-p", "exporter", "--", ref arguments @ ..] => {
            let mut exporter = Command::new(env!("CARGO_BIN_EXE_exporter"));
            exporter.args(arguments).current_dir(folder);
            exporter
        }
        // Cargo finds the alias `xtask` only in the repository, and the files are in `folder`.
        ["cargo", "xtask", ref arguments @ ..] => {
            let mut xtask = Repo::find().cargo();
            xtask.args(["run", "--quiet", "--locked", "--package", "xtask", "--"]);
            for argument in arguments {
                let file = folder.join(argument);
                if file.is_file() {
                    xtask.arg(file)
                } else {
                    xtask.arg(argument)
                };
            }
            xtask
        }
        _ => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &line]).current_dir(folder);
            shell
        }
    };
    let (mut reader, writer) = pipe().expect("a pipe");
    let stderr = writer.try_clone().expect("a pipe");
    command.env_remove("BLESS").stdin(Stdio::null()).stdout(writer).stderr(stderr);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{line}: {error}"));
    // It holds the pipe open.
    drop(command);
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap_or_else(|error| panic!("{line}: {error}"));
    let status = child.wait().expect("the program ends");
    assert!(status.success(), "{line}\n{output}");
    output.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn join(lines: &[impl AsRef<str>]) -> String {
    lines.iter().map(|line| format!("{}\n", line.as_ref())).collect()
}

/// Splits lines where some are left out.
fn around<'l, 'b>(expected: &'l [&'b str]) -> Option<(&'l [&'b str], &'l [&'b str])> {
    let at = expected.iter().position(|line| *line == LEFT_OUT)?;
    Some((&expected[..at], &expected[at + 1..]))
}

/// Returns whether the lines of a page agree with the lines that a command has printed.
fn fits(expected: &[&str], output: &[String], varies: bool) -> bool {
    let all = |expected: &[&str], output: &[String]| {
        expected.len() == output.len()
            && expected
                .iter()
                .zip(output)
                .all(|(expected, line)| line_fits(expected, line) || varies && line_fits(&form(expected), &form(line)))
    };
    match around(expected) {
        None => all(expected, output),
        Some((head, tail)) => {
            head.len() + tail.len() <= output.len()
                && all(head, &output[..head.len()])
                && all(tail, &output[output.len() - tail.len()..])
        }
    }
}

/// Returns whether a line is the expected one, in which `...` replaces any text.
fn line_fits(expected: &str, line: &str) -> bool {
    let mut parts = expected.split(LEFT_OUT);
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// Returns a line with `0` for every number and `word` for drawn words: a word that is a line of its own, and the words
/// after the three numbers of a line of progress.
fn form(line: &str) -> String {
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
    let tokens: Vec<String> = line.split_whitespace().map(without_numbers).collect();
    if let [only] = &tokens[..]
        && is_word(only)
    {
        return "word".to_owned();
    }
    match tokens.split_at_checked(3) {
        Some((numbers, words))
            if numbers.iter().all(|token| token == "0") && words.iter().all(|word| is_word(word)) =>
        {
            "0 0 0 words".to_owned()
        }
        _ => tokens.join(" "),
    }
}

/// Replaces each number of a token, its sign included, by `0`.
fn without_numbers(token: &str) -> String {
    let mut text = String::new();
    for (at, character) in token.char_indices() {
        let next_is_digit = token[at + character.len_utf8()..].starts_with(|next: char| next.is_ascii_digit());
        match character {
            '0'..='9' if text.ends_with('0') => {}
            '0'..='9' => text.push('0'),
            '.' | ',' if text.ends_with('0') && next_is_digit => {}
            '+' | '-' if text.is_empty() && next_is_digit => {}
            _ => text.push(character),
        }
    }
    text
}

/// Returns the output as a page shows it. If the page leaves lines out, as many lines as before are shown before and
/// after them. A line of the page with `...` stays if it fits.
fn blessed(expected: &[&str], output: &[String]) -> Vec<String> {
    let show = |line: &String| {
        let kept = expected.iter().find(|kept| **kept != LEFT_OUT && kept.contains(LEFT_OUT) && line_fits(kept, line));
        kept.map_or_else(|| line.clone(), |kept| (*kept).to_owned())
    };
    match around(expected) {
        Some((head, tail)) if head.len() + tail.len() < output.len() => {
            let (before, after) = (&output[..head.len()], &output[output.len() - tail.len()..]);
            before.iter().map(show).chain([LEFT_OUT.to_owned()]).chain(after.iter().map(show)).collect()
        }
        _ => output.iter().map(show).collect(),
    }
}

#[test]
fn lines_fit_by_their_rules() {
    assert!(line_fits("wrote m.blob", "wrote m.blob") && !line_fits("wrote m.blob", "wrote m.blobs"));
    assert!(line_fits("of ... steps, ... s", "of 1,000 steps, 3 s") && !line_fits("of ... steps", "of 3 step"));
    assert_eq!(form("  1040  2.3104  2.4001  abela corynthus"), form("   980  2.3  2.41  zea"));
    assert_eq!(form("corynthus"), form("zea"));
    assert_eq!(form("train 1.8121  1,107  +0.0002 2%"), "train 0 0 0 0%");
    assert_ne!(form("train 1.8"), form("dev 1.8"));
    let output = ["a", "b", "c", "d 1"].map(str::to_owned);
    assert!(fits(&["a", "...", "d 1"], &output, false) && !fits(&["a", "...", "d 2"], &output, false));
    assert!(fits(&["a", "...", "d 2"], &output, true) && !fits(&["a", "d 1"], &output, true));
    assert_eq!(blessed(&["x", "...", "d..."], &output), ["a", "...", "d..."]);
    let block = ["$ one \\", "  two", "out", "$ three"];
    let commands = commands(&block);
    assert_eq!(commands[0], ("$ one \\\n  two".to_owned(), vec!["out"]));
    assert_eq!(commands[1], ("$ three".to_owned(), vec![]));
}
