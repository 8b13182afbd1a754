//! The rules of `docs/change/language.md`, as far as a program can check them.
//!
//! `banned.toml` has the number of banned patterns that each file still has. The number may only fall: a file with more
//! fails the test, and a file with less does, too, until BLESS=1 has written the lower number. A spell checker reads all
//! files.

mod patterns;
mod prose;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use tests::workspace;
use xtask::command::advice;
use xtask::repo::Repo;
use xtask::setup::typos;

use patterns::{Pattern, WIDTH};

/// Number of banned patterns per file; a file without any is left out.
const RECORD: &str = "tests/language/banned.toml";

/// Files whose subject is these words, and files that hold other people's text.
const LEFT_OUT: [&str; 4] = ["tests/language/", "docs/change/language.md", "docs/GLOSSARY.md", "exporter/fuzz/seeds"];

#[test]
fn banned_patterns_only_become_fewer() {
    let text = fs::read_to_string(workspace(RECORD)).expect(RECORD);
    let recorded: BTreeMap<String, usize> = toml::from_str(&text).expect("a number for each file");
    let patterns = patterns::all();
    let found: BTreeMap<String, Vec<String>> = files().into_iter().filter_map(|file| hits(file, &patterns)).collect();
    let counts: BTreeMap<String, usize> = found.iter().map(|(file, hits)| (file.clone(), hits.len())).collect();
    println!("{}", totals(&counts));

    let allowed = |file: &str| recorded.get(file).copied().unwrap_or(0);
    let more: Vec<&String> =
        found.iter().filter(|(file, hits)| hits.len() > allowed(file)).flat_map(|(_, hits)| hits).collect();
    let more: Vec<&str> = more.into_iter().map(String::as_str).collect();
    assert!(more.is_empty(), "more than {RECORD} allows; docs/change/language.md has the rules:\n{}", more.join("\n"));
    if std::env::var_os("BLESS").is_some() {
        fs::write(workspace(RECORD), record(&counts)).expect(RECORD);
    } else {
        assert!(counts == recorded, "fewer than in {RECORD}: BLESS=1 cargo test -p tests --test language");
    }
}

#[test]
fn words_are_spelled_as_in_a_dictionary() {
    let repo = Repo::find();
    let typos = typos::find(&repo).unwrap_or_else(|error| panic!("{}", advice(&error)));
    // Its settings are in typos.toml: words that are right here, and files that are lists of names.
    let output = Command::new(typos).current_dir(repo.root()).args(["--format", "brief"]).output().expect("typos");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "a word that is right belongs in typos.toml:\n{said}");
}

/// Returns the names of the files of the repository, from its top folder.
fn files() -> Vec<String> {
    let mut git = Command::new("git");
    git.current_dir(workspace("")).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().expect("git, which lists the files of the repository");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("names in UTF-8");
    let names = names.split_terminator('\0').filter(|name| !LEFT_OUT.iter().any(|start| name.starts_with(start)));
    names.map(str::to_owned).collect()
}

/// Returns a file with a line for each banned pattern in it, or `None` where there are none.
fn hits(file: String, patterns: &[Pattern]) -> Option<(String, Vec<String>)> {
    // A file that was deleted and not yet committed is still listed.
    let source = fs::read(workspace(&file)).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
    let mut hits = Vec::new();
    for line in prose::of(&file, &source)? {
        let at = format!("{file}:{}", line.number);
        if line.width > WIDTH {
            hits.push(format!("{at}: {} characters, {WIDTH} at most", line.width));
        }
        for pattern in patterns {
            let hit = format!("{at}: {} (write: {}): {}", pattern.name, pattern.instead, line.text);
            hits.extend(std::iter::repeat_n(hit, pattern.count(&line)));
        }
    }
    (!hits.is_empty()).then_some((file, hits))
}

/// Returns a line per folder of the top: its number of banned patterns.
fn totals(counts: &BTreeMap<String, usize>) -> String {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, count) in counts {
        *folders.entry(file.split_once('/').map_or("(top)", |(folder, _)| folder)).or_default() += count;
    }
    let all: usize = counts.values().sum();
    folders.into_iter().chain([("all", all)]).fold(String::new(), |mut text, (folder, count)| {
        writeln!(text, "{folder:18} {count:5}").expect("a string grows");
        text
    })
}

/// Returns the text of the record.
fn record(counts: &BTreeMap<String, usize>) -> String {
    let header =
        "# Banned patterns that are left in each file. Written by `BLESS=1 cargo test -p tests --test language`.\n\n";
    counts.iter().fold(header.to_owned(), |mut text, (file, count)| {
        writeln!(text, "{file:?} = {count}").expect("a string grows");
        text
    })
}
