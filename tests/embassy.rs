//! The example `embassy-pico`: the documentation quotes it and has its sizes.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use runtime::format::{AlignedBlob, Layout};
use runtime::write::relayout;
use runtime::{COUNTER_WORDS, Model, state_words};
use tests::{assert_section_within, blob, table, thousands, workspace};
use xtask::command::advice;
use xtask::examples::EMBASSY_PICO;
use xtask::repo::Repo;
use xtask::size;

/// Model of the example.
const MODEL: &str = "names.int8.blob";

/// The built program.
static ELF: LazyLock<PathBuf> =
    LazyLock::new(|| EMBASSY_PICO.build(&Repo::find()).unwrap_or_else(|error| panic!("{}", advice(&error))));

fn read(file: &str) -> String {
    fs::read_to_string(workspace(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A reader of the page sees lines of the program, in its order.
#[test]
fn the_page_quotes_the_program() {
    let source = "examples/embassy-pico/src/main.rs";
    let page = read("docs/use/in-your-firmware.md");
    let (_, rest) = page.split_once(&format!("\n```rust {source}\n")).expect("a block that names its source");
    let (quoted, _) = rest.split_once("\n```\n").expect("an end of the block");
    let program = read(source);
    let mut program = program.lines().map(str::trim);
    let quoted: Vec<&str> = quoted.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert!(quoted.len() > 5, "{quoted:?}");
    for line in quoted {
        assert!(program.any(|other| other == line), "not in {source}, or in another order: {line}");
    }
}

#[test]
fn the_readme_has_the_sizes() {
    let size = size::of_file(&ELF).expect("an ELF file");
    let file = blob(MODEL);
    let model = Model::new(file.as_bytes()).expect("a shipped model");
    // The size of the state depends on the layout.
    let relaid = AlignedBlob::from(relayout(&model, Layout::Lanes16).expect("an integer model").as_slice());
    let relaid = relaid.as_bytes();
    let state = 4 * (state_words(relaid) + COUNTER_WORDS) as u64;
    let row = [size.flash(), relaid.len() as u64, size.ram(), state].map(thousands).to_vec();
    let header = ["flash, bytes", "of them the model", "static RAM, bytes", "of them the model's state"];
    // Another patch of the compiler changes these figures a little.
    assert_section_within(2.0, "examples/embassy-pico/README.md", "sizes", &table(&header, &[row]));
}
