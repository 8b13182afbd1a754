//! The README is true: its picture is the conversation of an emulated chip, its Rust is in a program that another test
//! runs, and `cargo xtask` knows its commands. `exporter/tests/pages` runs the commands of the exporter.

mod picture;

use std::fs;
use std::time::Duration;

use tests::{Firmware, workspace};
use xtask::{SUBCOMMANDS, board};

/// Picture on the README's first screen.
const PICTURE: &str = "docs/images/console.svg";

/// Beginning of a name that is typed in the picture.
const PROMPT: &str = "ma";

#[test]
fn the_picture_is_the_conversation_of_an_emulated_board() {
    let mut terminal =
        Firmware::build("microbit", "console", "names.int8.blob").terminal(None, Duration::from_secs(60));
    let mut read = |line: &str| {
        terminal.send(line.as_bytes()).expect("a running emulator");
        let bytes = terminal.read_to_prompt().unwrap_or_else(|error| panic!("{error:#}"));
        String::from_utf8(bytes).expect("a conversation in UTF-8")
    };
    let banner = read("");
    let answer = read(&format!("{PROMPT}\r"));
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.is_empty() && *line != "> ");
        lines.map(str::to_owned).collect()
    };
    let (banner, answer) = (lines(&banner), lines(&answer));
    let conversation = picture::Conversation {
        banner: banner.iter().map(String::as_str).collect(),
        prompt: PROMPT,
        names: answer.iter().skip(1).map(String::as_str).collect(),
    };
    let svg = picture::of(&conversation);
    let file = workspace(PICTURE);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &svg).expect(PICTURE);
    }
    let found = fs::read_to_string(&file).expect(PICTURE);
    // Another build of the same compiler makes another program, but hardly a larger one.
    let [(shown, found), (real, svg)] = [without_program_bytes(&found), without_program_bytes(&svg)];
    assert!(found == svg, "{PICTURE} differs; if that is meant, run the test with BLESS=1");
    assert!(shown.abs_diff(real) * 100 <= real, "{PICTURE} shows {shown} bytes of program, {real} are built");
}

/// The lines are in a project that `new_project` builds and runs.
#[test]
fn the_rust_is_that_of_a_project_that_runs() {
    let page = fs::read_to_string(workspace("docs/use/in-your-firmware.md")).expect("the page of the project");
    let mut page = page.lines();
    for line in blocks("rust").lines().filter(|line| !line.is_empty()) {
        assert!(page.any(|other| other == line), "not in docs/use/in-your-firmware.md, or in another order: {line}");
    }
}

/// Looks up every command. The test of the pages runs the commands that need no board and no minutes.
#[test]
fn cargo_xtask_knows_the_commands_and_their_options() {
    let readme = readme();
    let commands: Vec<&str> = readme.match_indices("cargo xtask ").map(|(at, _)| &readme[at + 12..]).collect();
    assert!(commands.len() >= 8, "{} commands", commands.len());
    for rest in commands {
        let command = rest.split(['`', '#', '\n']).next().expect("a command");
        let words: Vec<&str> = command.split_whitespace().take_while(|word| *word != "--").collect();
        let known = SUBCOMMANDS.into_iter().find(|known| known.name == words[0]);
        let known = known.unwrap_or_else(|| panic!("cargo xtask has no command {}", words[0]));
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(known.help().contains(option), "cargo xtask {} has no option {option}", words[0]);
        }
        if let Some(at) = words.iter().position(|word| *word == "--board") {
            board::find(words[at + 1]).unwrap_or_else(|error| panic!("{error:#}"));
        }
    }
}

#[test]
fn it_is_short() {
    let lines = readme().lines().count();
    assert!((110..=130).contains(&lines), "README.md has {lines} lines, 110 to 130 are its size");
}

fn readme() -> String {
    fs::read_to_string(workspace("README.md")).expect("README.md")
}

/// Returns the code of all blocks of a language in the README.
fn blocks(language: &str) -> String {
    let (readme, fence) = (readme(), format!("```{language}\n"));
    let blocks = readme.split(&fence).skip(1).map(|rest| rest.split("```").next().expect("a block"));
    let text: String = blocks.collect();
    assert!(!text.is_empty(), "no block of {language} in README.md");
    text
}

/// Returns the bytes of program that a picture shows, and the picture without them.
fn without_program_bytes(svg: &str) -> (u64, String) {
    let (before, after) = svg.split_once(" bytes program").expect("the banner's line of flash");
    let (before, bytes) = before.rsplit_once(' ').expect("a number");
    (bytes.parse().expect("a number"), format!("{before} {after}"))
}
