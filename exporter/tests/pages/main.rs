//! Pages of `docs` that show commands and their output, or are made from the help of the commands.
//!
//! `BLESS=1 cargo test -p exporter --test pages` rewrites what differs.

mod commands;
mod links;
mod transcript;

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tests::workspace;

/// Makes an empty folder with copies of files of the repository, at the paths that the pages name.
fn folder_with(files: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for file in files {
        let to = folder.path().join(file);
        fs::create_dir_all(to.parent().unwrap_or(Path::new("."))).unwrap();
        fs::copy(workspace(file), to).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    folder
}

#[test]
fn the_tutorial() {
    let folder = folder_with(&["docs/learn/plants.txt", "models/names.int8.blob"]);
    let ran = transcript::check("docs/learn/tutorial.md", folder.path());
    let words = |command: &str| {
        let ran = ran.iter().find(|ran| ran.command.starts_with(command)).unwrap_or_else(|| panic!("no {command}"));
        // On a chip the facts of the run follow the words, and notes precede them.
        let words = ran.output.iter().filter(|line| line.bytes().all(|byte| byte.is_ascii_lowercase()));
        words.cloned().collect::<Vec<_>>()
    };
    let host = words("$ cargo run -p exporter -- sample --model plants.blob");
    assert_eq!(host, words("$ cargo xtask qemu --model plants.blob"), "the chip draws the same words");
    assert_eq!(host.len(), 4);
    // The picture of two trainings, which differs on another machine as they do.
    let made = folder.path().join("runs/both/train-dev.svg");
    let picture = workspace("docs/images/train-dev.svg");
    if std::env::var_os("BLESS").is_some() {
        fs::copy(&made, &picture).unwrap();
    }
    assert!(made.exists() && picture.exists());
}

/// Runs the commands of the README for a user's own words, in their order, with a short list in place of the user's and
/// a network that PyTorch has trained.
#[test]
fn the_readme() {
    let folder = folder_with(&[]);
    let copies = [
        ("docs/learn/plants.txt", "words.txt"),
        ("tests/fixtures/pytorch/deep16.safetensors", "notebook.safetensors"),
        ("tests/fixtures/pytorch/deep16_golden.safetensors", "golden.safetensors"),
    ];
    for (file, name) in copies {
        fs::copy(workspace(file), folder.path().join(name)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    let commands = transcript::run_shell_blocks("README.md", folder.path(), |line| {
        // `train` ends soon on a short list; the others need a board, or run this test.
        line.contains("-p exporter") || line.starts_with("cargo xtask qemu")
    });
    assert_eq!(commands.len(), 7, "{commands:?}");
}

#[test]
fn the_page_on_inspect() {
    let folder = folder_with(&["models/names.safetensors"]);
    transcript::check("docs/use/inspect.md", folder.path());
}

#[test]
fn the_page_on_pytorch() {
    let network = ["tests/fixtures/pytorch/deep16.safetensors", "tests/fixtures/pytorch/deep16_golden.safetensors"];
    let folder = folder_with(&network);
    transcript::check("docs/use/from-pytorch.md", folder.path());
}

/// The picture is made by the command on the page, from the shipped model.
#[test]
fn how_it_works() {
    let folder = folder_with(&["models/names.int8.blob"]);
    transcript::check("docs/learn/how-it-works.md", folder.path());
    let made = fs::read(folder.path().join("emma.svg")).unwrap();
    let picture = workspace("docs/images/emma.svg");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&picture, &made).unwrap();
    }
    assert!(
        fs::read(&picture).unwrap() == made,
        "docs/images/emma.svg differs; if that is meant, run the test with BLESS=1"
    );
}
