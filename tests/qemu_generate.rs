//! The `generate` program: its text, its arguments, its success, and the line that explains a failure.

use std::sync::LazyLock;

use runtime::{Generator, HeapState, Model, Sampling};
use tests::{Firmware, assert_expected, blob, host_words};
use xtask::emulator::{Run, report};

/// Program with the shipped model for the default board, built once.
static FIRMWARE: LazyLock<Firmware> = LazyLock::new(|| Firmware::build("mps2-an386", "generate", "names.blob"));

fn generate(arguments: &[&str]) -> Run {
    FIRMWARE.run(arguments)
}

/// Returns the words of a run that must succeed.
fn words(arguments: &[&str]) -> Vec<String> {
    let run = generate(arguments);
    assert!(run.success(), "{arguments:?}: {:?}", run.lines);
    report(&run.lines).0.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_hundred_names_are_as_expected() {
    let names = words(&["n=100", "seed=42"]);
    assert_eq!(names, host_words(&blob("names.blob"), Sampling::default(), 42, "", 100));
    assert_eq!(names.len(), 100);
    assert_expected("generate.txt", &(names.join("\n") + "\n"));
}

#[test]
fn settings_mean_the_same_on_host_and_chip() {
    let cautious = Sampling::default().temperature_milli(700).top_k(5);
    assert_eq!(
        words(&["n=20", "seed=18446744073709551615", "prompt=ma", "temperature_milli=700", "top_k=5"]),
        host_words(&blob("names.blob"), cautious, u64::MAX, "ma", 20)
    );
    assert_eq!(words(&["n=1", "temperature_milli=0"]), host_words(&blob("names.blob"), Sampling::greedy(), 42, "", 1));
}

#[test]
fn a_text_is_the_hosts() {
    let text = words(&["length=500", "prompt=ma", "seed=7"]).join("\n");
    let blob = blob("names.blob");
    let model = Model::new(blob.as_bytes()).unwrap();
    let mut state = HeapState::new(&model);
    let mut generator = Generator::new(&model, &mut state, Sampling::default(), 7).unwrap();
    assert_eq!(text, generator.text("ma").unwrap().take(500).collect::<String>());
    assert_eq!(text.len(), 500);
}

#[test]
fn the_same_run_counts_the_same_instructions() {
    let count = || {
        let run = generate(&["n=3"]);
        report(&run.lines).1["instructions_per_char"].to_owned()
    };
    assert_eq!(count(), count());
}

#[test]
fn what_the_chip_cannot_do_ends_in_a_line_and_a_status() {
    for (argument, expected) in [
        ("prompt=Emma", "error: character 'E' is not in the model's vocabulary"),
        ("prompt=ma x", "error: character ' ' is not in the model's vocabulary"),
        ("nonsense=1", "error: argument \"nonsense=1\""),
        ("seed=minus", "error: argument \"seed=minus\""),
    ] {
        let run = generate(&[argument]);
        assert!(!run.success(), "{argument}");
        assert!(run.lines.last().is_some_and(|line| line.starts_with(expected)), "{argument}: {:?}", run.lines);
    }
    let run = generate(&["prompt=emma", "max_len=3"]);
    assert_eq!(run.lines, ["error: text is too long: 4, at most 3"]);
}
