//! Runs the examples, which `cargo test` builds, and compares their output with the library's results.

use std::process::{Command, Output};

use runtime::format::AlignedBlob;
use runtime::{Generator, HeapState, Model, Sampling, Stream, built_in};

/// Runs an example in the package's folder.
fn run(example: &str, arguments: &[&str]) -> Output {
    // The examples are next to the folder of the test programs.
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let program = deps.parent().unwrap().join("examples").join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.unwrap_or_else(|error| panic!("{}: {error}: `cargo build -p runtime --examples`", program.display()))
}

fn lines(output: &Output) -> Vec<&str> {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap().lines().collect()
}

fn blob(name: &str) -> AlignedBlob {
    AlignedBlob::from(std::fs::read(format!("models/{name}")).unwrap().as_slice())
}

fn words(blob: &AlignedBlob, sampling: Sampling) -> Vec<String> {
    let model = Model::new(blob.as_bytes()).unwrap();
    let mut state = HeapState::new(&model);
    let mut generator = Generator::new(&model, &mut state, sampling, 42).unwrap();
    (0..8).map(|_| generator.start("").unwrap().collect()).collect()
}

#[test]
fn generate_draws_the_words_of_its_seed() {
    let expected = words(&blob("names.int8.blob"), Sampling::default().temperature_milli(900).top_k(10));
    assert_eq!(lines(&run("generate", &["models/names.int8.blob"])), expected);
}

#[test]
fn built_in_draws_the_words_of_its_seed() {
    assert_eq!(lines(&run("built_in", &[])), words(&blob("tiny.int8.blob"), Sampling::default()));
}

#[test]
fn stream_draws_to_the_boundary() {
    let output = run("stream", &["models/names.int8.blob", "emm"]);
    let lines = lines(&output);
    let drawn: String = lines.iter().take_while(|line| !line.starts_with("end")).map(|line| &line[..1]).collect();
    let blob = blob("names.int8.blob");
    let model = Model::new(blob.as_bytes()).unwrap();
    let mut state = HeapState::new(&model);
    let mut generator = Generator::new(&model, &mut state, Sampling::default(), 42).unwrap();
    let expected: String = generator.start("emm").unwrap().collect();
    assert_eq!(format!("emm{drawn}"), expected);
    assert!(lines.iter().all(|line| line.ends_with(" %")), "{lines:?}");
}

#[test]
fn score_prints_nats_per_character() {
    let output = run("score", &["models/names.int8.blob", "emma", "é"]);
    let lines = lines(&output);
    let blob = blob("names.int8.blob");
    let model = Model::new(blob.as_bytes()).unwrap();
    let mut state = HeapState::new(&model);
    let score = Stream::new(&model, &mut state).unwrap().score("emma").unwrap();
    let nats = score.nll_micronats as f64 / 1e6 / score.characters as f64;
    assert_eq!(lines[1], format!("{nats:19.3} emma"));
    assert!(lines[2].contains("- é: "), "{}", lines[2]);
}

#[test]
fn a_missing_file_is_an_error() {
    for example in ["generate", "stream", "score"] {
        for arguments in [&[][..], &["no-such.blob"]] {
            assert!(!run(example, arguments).status.success(), "{example} {arguments:?}");
        }
    }
}

/// Compares the committed source of the built-in model with the generated one; `BLESS=1` rewrites it.
#[test]
fn the_built_in_model_is_current() {
    let blob = std::fs::read("models/tiny.int8.blob").unwrap();
    let source = built_in::source(&blob, "../../models/tiny.int8.blob").unwrap();
    let file = "examples/built_in/model.rs";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, &source).unwrap();
    }
    assert!(std::fs::read_to_string(file).unwrap() == source, "{file}: BLESS=1 cargo test -p runtime --test examples");
}

#[test]
fn examples_fit_a_screen() {
    for file in ["generate.rs", "stream.rs", "score.rs", "built_in/main.rs"] {
        let text = std::fs::read_to_string(format!("examples/{file}")).unwrap();
        assert!(text.lines().count() < 40, "{file}");
    }
}
