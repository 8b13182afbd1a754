//! The browser page in headless Chromium: the same words, bits and files as on the host.
//!
//! The tests of the page itself are in `web/tests`; here are the answers that they compare with.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use runtime::format::AlignedBlob;
use runtime::{HeapState, Model, Sampling, Stream, Token};
use serde_json::{Value, json};
use tests::{Firmware, blob, host_words, workspace};
use xtask::board;
use xtask::image::{Image, Segment};
use xtask::memory::MemoryMap;
use xtask::repo::Repo;
use xtask::setup::{chromium::chromium, npm};
use xtask::{page, slot, uf2};

/// Models of a page with three, in order.
const MODELS: [&str; 3] = ["names.blob", "names.int8.blob", "names.int4.blob"];
/// Seeds of words, with temperature in thousandths, top-k and beginning.
const LISTS: [(u64, u16, u16, &str); 5] =
    [(42, 1000, 0, ""), (1, 700, 5, "ma"), (u64::MAX, 1500, 0, ""), (7, 0, 0, "z"), (2, 1000, 1, "")];
/// Word whose steps are compared.
const WORD: &str = "emmanuella";

/// Writes a file of the tests.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = workspace("target/tests/page");
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.canonicalize().expect("a folder").join(name);
    fs::write(&file, bytes).expect("a file");
    file
}

/// Makes a page of models of `models/`.
fn make(name: &str, models: &[&str], with_pico: bool) -> PathBuf {
    let models: Vec<PathBuf> = models.iter().map(|model| workspace("models").join(model)).collect();
    let page = page::make(&Repo::find(), &models, with_pico).unwrap_or_else(|error| panic!("{error:#}"));
    file(name, &page.html)
}

/// The page that `cargo xtask page` makes.
static PAGE: LazyLock<PathBuf> = LazyLock::new(|| make("page.html", &["names.int8.blob"], true));
/// A page with all precisions.
static PAGE_OF_THREE: LazyLock<PathBuf> = LazyLock::new(|| make("three.html", &MODELS, true));

/// Returns Node with the environment that all programs of `web/tests` need.
fn node() -> Command {
    let repo = Repo::find();
    let mut node = npm::PAGE.node(&repo).unwrap_or_else(|error| panic!("{error:#}"));
    node.env("CHROMIUM", chromium(&repo).unwrap_or_else(|error| panic!("{error:#}")));
    node.env("PAGE_OF_THREE", &*PAGE_OF_THREE);
    node
}

/// Runs tests of `web/tests` with the environment that they need.
fn run(tests: &str) {
    let mut node = node();
    node.arg("--test").arg(workspace("web/tests").join(tests)).env("PAGE", &*PAGE);
    node.env("MODELS", workspace("models").canonicalize().expect("a folder"));
    node.envs(ANSWERS.iter().map(|(name, file)| (name, file)));
    let output = node.output().expect("Node");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    println!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "tests in web/tests/{tests} failed");
}

/// Returns words of the host for every model and list.
fn words() -> Value {
    let lists = MODELS.iter().enumerate().flat_map(|(model, name)| LISTS.map(|list| (model, name, list)));
    let lists = lists.map(|(model, name, (seed, temperature_milli, top_k, prompt))| {
        let sampling = Sampling::default().temperature_milli(temperature_milli).top_k(top_k);
        let words = host_words(&blob(name), sampling, seed, prompt, 200);
        let seed = seed.to_string();
        let sampling = json!({ "seed": seed, "temperature_milli": temperature_milli, "top_k": top_k });
        json!({ "model": model, "sampling": sampling, "prompt": prompt, "words": words })
    });
    lists.collect()
}

/// Returns the scores of all tokens and the bits of the logits after each character of [`WORD`], for every model.
fn films() -> Value {
    let film = |(model, name): (usize, &&str)| {
        let blob = blob(name);
        let network = Model::new(blob.as_bytes()).expect("a shipped model");
        let mut state = HeapState::new(&network);
        let mut stream = Stream::new(&network, &mut state).expect("made for this model");
        let tokens = 0..Token::try_from(network.vocab().len()).expect("at most 256");
        let (mut nll, mut logits) = (Vec::new(), Vec::new());
        for step in 0..=WORD.len() {
            if let Some(character) = step.checked_sub(1).and_then(|at| WORD.chars().nth(at)) {
                stream.push(network.vocab().encode(character).expect("a known character"));
            }
            nll.push(tokens.clone().map(|token| stream.nll_micronats(token)).collect::<Vec<_>>());
            let bits = tokens.clone().map(|token| stream.logits().get(token).expect("a token").to_bits());
            logits.push(bits.collect::<Vec<_>>());
        }
        json!({ "model": model, "word": WORD, "nll": nll, "logits": logits })
    };
    MODELS.iter().enumerate().map(film).collect()
}

/// Returns what `exporter inspect` says of each model on each core.
fn costs() -> Value {
    let of = |(model, name): (usize, &&str)| {
        let mut cargo = Repo::find().cargo();
        cargo.args(["run", "--quiet", "--package", "exporter", "--", "inspect", "--json", "--model"]);
        let output = cargo.arg(workspace("models").join(name)).output().expect("Cargo");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let inspection: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let cores = inspection["cores"].as_array().expect("cores").iter().map(|core| {
            let mut core = core.as_object().expect("a core").clone();
            core.retain(|key, _| !["precision", "missing", "chars_per_second"].contains(&key.as_str()));
            Value::from(core)
        });
        json!({ "model": model, "cores": cores.collect::<Value>() })
    };
    MODELS.iter().enumerate().map(of).collect()
}

/// Returns the runtime's words for a damaged blob, no bytes, zeros, and a blob that is cut.
fn refusals() -> Value {
    let bytes = fs::read(workspace("models/tiny.int8.blob")).expect("a shipped model");
    let mut damaged = bytes.clone();
    damaged[200] ^= 1;
    let refused = |bytes: &[u8]| {
        let blob = AlignedBlob::from(bytes);
        Model::new(blob.as_bytes()).expect_err("no model").to_string()
    };
    [&damaged[..], &[], &[0; 5_000_000], &bytes[..100]].map(refused).into_iter().collect()
}

/// Environment of the tests in `web/tests`: pages, and answers of the host.
static ANSWERS: LazyLock<Vec<(&str, PathBuf)>> = LazyLock::new(|| {
    let expected = json!({ "words": words(), "films": films(), "costs": costs(), "refusals": refusals() });
    let pico = board::find("pico").expect("a board");
    let segments = |model: &str| {
        let elf = Firmware::build("pico", "console", model);
        Image::read(elf.elf()).expect("a program").segments
    };
    let plain = file("pico.uf2", b"");
    uf2::save_as(pico, &segments("names.int8.blob"), &plain).expect("a file");
    // The console with one model, and another model in the slot.
    let mut both = segments("names.int4.blob");
    let memory = MemoryMap::read(&Repo::find(), pico).expect("a memory map");
    let (address, bytes) = slot::model_for(pico, &memory, &workspace("models/names.int8.blob")).expect("a model");
    both.push(Segment { address, bytes });
    let with_slot = file("slot.uf2", b"");
    uf2::save_as(pico, &both, &with_slot).expect("a file");
    vec![
        ("EXPECTED", file("expected.json", expected.to_string().as_bytes())),
        ("UF2", plain),
        ("UF2_WITH_SLOT", with_slot),
        ("PAGE_OF_INT4", make("int4.html", &["names.int4.blob", "names.int8.blob"], true)),
        ("PAGE_WITHOUT_PICO", make("small.html", &["names.int8.blob"], false)),
        ("PICTURES", PAGE.parent().expect("a folder").to_owned()),
    ]
});

#[test]
fn the_page_computes_as_the_host() {
    run("engine.test.js");
}

#[test]
fn the_page_is_small() {
    let bytes = fs::metadata(&*PAGE).expect("a page").len();
    println!("the page with the int8 model: {bytes} bytes");
    assert!(bytes <= 250_000, "{bytes} bytes");
}

#[test]
fn a_person_uses_the_page() {
    run("page.test.js");
}

/// Measures characters per second of the page, of plain JavaScript loops over the same f32 weights, and of the host, in
/// turns. `BLESS=1` writes the table of `docs/trust/performance.md`.
#[test]
#[ignore = "a measurement, for a quiet machine: cargo test -p tests --release --test page speed -- --ignored --nocapture"]
fn speed_of_the_page() {
    let plain = fs::read_to_string(workspace("web/tests/plain.js")).expect("a script").replace("export ", "");
    let weights = fs::read(workspace("models/names.safetensors")).expect("a model");
    let html = format!(
        "<!doctype html><title>plain</title><script>{plain}\nwindow.model = \
         new Plain(Uint8Array.from({weights:?}).buffer);</script>"
    );
    let plain = file("plain.html", html.as_bytes());
    let mut host: [Vec<f64>; 3] = Default::default();
    for _ in 0..5 {
        for (name, times) in MODELS.iter().zip(&mut host) {
            times.push(host_speed(name));
        }
    }
    let output = node().arg(workspace("web/tests/speed.js")).env("PLAIN", plain).output().expect("Node");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let median = |mut numbers: Vec<f64>| {
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    };
    let of = |name: &str| median(figures[name].as_array().expect("numbers").iter().filter_map(Value::as_f64).collect());
    let plain = of("plain");
    let row = |what: &str, speed: f64| {
        vec![what.to_owned(), tests::thousands(speed.round() as u64), format!("{:.1}", speed / plain)]
    };
    let mut rows = vec![row("page, plain JavaScript loops, f32", plain)];
    for (precision, times) in ["f32", "int8", "int4"].iter().zip(host) {
        rows.push(row(&format!("page, runtime, {precision}"), of(precision)));
        rows.push(row(&format!("host, runtime, {precision}"), median(times)));
    }
    let table = tests::table(&["contender", "characters per second", "ratio"], &rows);
    println!("{table}");
    if std::env::var_os("BLESS").is_some() {
        tests::assert_section("docs/trust/performance.md", "page", &table);
    }
}

/// Draws words on the host for a second, and returns characters per second, the ends of words included.
fn host_speed(name: &str) -> f64 {
    let blob = blob(name);
    let (start, mut count, mut seed) = (std::time::Instant::now(), 0, 0);
    while start.elapsed().as_secs_f64() < 1.0 {
        seed += 1;
        let words = host_words(&blob, Sampling::default(), seed, "", 500);
        count += words.iter().map(|word| word.chars().count() + 1).sum::<usize>();
    }
    count as f64 / start.elapsed().as_secs_f64()
}
