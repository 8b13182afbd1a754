//! Tests commands that examine a model: score, sample --novel, complete, activations. Also tests what all commands have
//! in common: --quiet, no colours, completions, the manual.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use exporter::inference::complete::complete;
use runtime::format::AlignedBlob;
use runtime::{HeapState, Model, Stream};
use serde_json::Value;
use tempfile::TempDir;

fn exporter(arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_exporter"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A command that reads nothing may have closed the pipe.
    let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
    child.wait_with_output().expect("the program ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Runs a command that must succeed; returns its stdout.
fn succeeds(arguments: &[&str]) -> String {
    let output = exporter(arguments, "");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that must fail with one clear line.
fn fails(arguments: &[&str], expected: &str) {
    let output = exporter(arguments, "");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains(expected), "{arguments:?}: {stderr}");
    assert_eq!(stderr.matches("error:").count(), 1, "{arguments:?}: {stderr}");
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("one JSON object: {error}: {json}"))
}

fn models(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name);
    fs::canonicalize(&path).unwrap_or_else(|_| panic!("no {}", path.display())).display().to_string()
}

#[test]
fn words_are_scored_and_ranked() {
    let model = models("tiny.int8.blob");
    let score = |words: &[&str]| parse(&succeeds(&[&["score", "--model", &model, "--json"], words].concat()));
    let scored = score(&["emma", "xqzzk", ""]);
    let word = |at: usize| &scored["words"][at];
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap_or_else(|| panic!("{key}: {value}"));
    // The score of the whole word, from the runtime.
    let bytes = fs::read(&model).unwrap();
    let blob = AlignedBlob::from(bytes.as_slice());
    let loaded = Model::new(blob.as_bytes()).unwrap();
    let mut state = HeapState::new(&loaded);
    let expected = Stream::new(&loaded, &mut state).unwrap().score("emma").unwrap();
    assert!((number(word(0), "nll") - expected.nll_micronats as f64 / 1e6).abs() < 1e-9);
    assert_eq!(number(word(0), "log_probability"), -number(word(0), "nll"));
    assert!((number(word(0), "nll_per_character") * 5.0 - number(word(0), "nll")).abs() < 1e-9);
    let characters: Vec<_> = word(0)["characters"].as_array().unwrap().iter().map(|c| c["character"].clone()).collect();
    assert_eq!(characters, ["e".into(), "m".into(), "m".into(), "a".into(), Value::Null]);
    assert_eq!(
        (&word(0)["in_list"], &word(1)["in_list"], &word(2)["in_list"]),
        (&true.into(), &false.into(), &false.into())
    );
    let rank = |at: usize| word(at)["less_probable_words"].as_u64().unwrap();
    let all = scored["list_words"].as_u64().unwrap();
    assert!(rank(1) < all / 10 && rank(0) > all / 2 && rank(0) <= all, "{scored}");

    // Words from stdin, whose blank lines are skipped; another list.
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("list.txt");
    fs::write(&list, "emma\nolivia\nemma\n").unwrap();
    let list = list.display().to_string();
    let output = exporter(&["score", "--model", &model, "--data", &list, "--json", "-"], "emma\n\nava\r\n");
    let piped = parse(&text(&output.stdout));
    assert_eq!(piped["words"][0]["nll"], word(0)["nll"]);
    assert_eq!((&piped["words"][1]["word"], &piped["list_words"]), (&"ava".into(), &2.into()));
    assert_eq!(piped["words"][0]["less_probable_words"], 1, "olivia");
    let table = succeeds(&["score", "--model", &models("tiny.safetensors"), "emma"]);
    assert!(table.contains("more probable than  in the list") && table.contains(" yes "), "{table}");

    // Words that the model cannot read are named; the others are scored.
    let output = exporter(&["score", "--model", &model, "emma", "zo\u{eb}", "a1"], "");
    assert!(text(&output.stdout).contains("emma") && output.status.code() == Some(1));
    let stderr = text(&output.stderr);
    let both = "error: 2 of 3 words cannot be scored: \"zo\u{eb}\": character '\u{eb}' is not in the model's vocabulary (U+00EB); \"a1\"";
    assert!(stderr.contains(both), "{stderr}");
    fails(&["score", "--model", &model, "-"], "stdin has no words");
    fs::write(&list, "123\n").unwrap();
    fails(&["score", "--model", &model, "--data", &list, "emma"], "the word \"123\": character '1'");
}

#[test]
fn novel_words_stand_in_no_list() {
    let model = models("names.int8.blob");
    let sample = |more: &[&str]| {
        let words = succeeds(&[&["sample", "--model", &model, "-n", "200", "--temperature", "0.6"], more].concat());
        words.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let known: HashSet<&str> = exporter::data::SHIPPED_WORDS.lines().map(str::trim).collect();
    let (all, novel) = (sample(&[]), sample(&["--novel"]));
    assert!(all.iter().any(|word| known.contains(&**word)), "names that there are");
    assert_eq!(novel.len(), 200);
    assert!(novel.iter().all(|word| !known.contains(&**word) && !word.is_empty()));
    assert_eq!(novel, sample(&["--novel"]), "the same seed draws the same words");
    // Without --novel, the seed draws the same words, and words of the list.
    let kept: Vec<_> = all.into_iter().filter(|word| !known.contains(&**word) && !word.is_empty()).collect();
    assert!(novel.starts_with(&kept), "{kept:?}");
    let json = parse(&succeeds(&["sample", "--model", &model, "-n", "3", "--novel", "--json"]));
    assert_eq!(json["words"].as_array().map(Vec::len), Some(3));
    assert!(json["drawn"].as_u64().is_some_and(|drawn| drawn >= 3));

    let folder = TempDir::new().unwrap();
    let list = folder.path().join("list.txt").display().to_string();
    let greedy = ["sample", "--model", &model, "-n", "1", "--temperature", "0"];
    fs::write(&list, succeeds(&greedy)).unwrap();
    fails(&[&greedy[..], &["--novel", "--data", &list]].concat(), "found only 0 of 1 new words in 1000 draws");
    assert_eq!(exporter(&[&greedy[..], &["--data", &list]].concat(), "").status.code(), Some(2), "without --novel");
}

/// Compares completions with a search through all words of up to three characters.
#[test]
fn completions_are_the_most_probable_ones() {
    let bytes = fs::read(models("tiny.int8.blob")).unwrap();
    let blob = AlignedBlob::from(bytes.as_slice());
    let model = Model::new(blob.as_bytes()).unwrap();
    let mut state = HeapState::new(&model);
    let mut stream = Stream::new(&model, &mut state).unwrap();
    let letters = || "abcdefghijklmnopqrstuvwxyz".chars();
    let mut all = vec!["m".to_owned()];
    all.extend(letters().map(|a| format!("m{a}")));
    all.extend(letters().flat_map(|a| letters().map(move |b| format!("m{a}{b}"))));
    let first = f64::from(stream.nll_micronats(model.vocab().encode('m').unwrap())) / 1e6;
    let mut scored: Vec<(f64, String)> =
        all.into_iter().map(|word| (stream.score(&word).unwrap().nll_micronats as f64 / 1e6 - first, word)).collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let found = complete(&model, "m", 100, 3).unwrap();
    assert_eq!(found.len(), 100);
    for (found, (nll, word)) in found.iter().zip(&scored) {
        assert!((found.nll - nll).abs() < 1e-9, "{found:?} {word} {nll}");
    }
    let names: HashSet<&str> = found.iter().map(|completion| &*completion.word).collect();
    assert!(scored[..95].iter().all(|(_, word)| names.contains(&**word)));
    // All words that begin with "ma" are found; the sum of their probabilities is below 1.
    let all = complete(&model, "ma", 1000, 3).unwrap();
    assert_eq!(all.len(), 27);
    assert!(all.iter().map(exporter::inference::complete::Completion::probability).sum::<f64>() < 1.0);

    let model = models("names.blob");
    let table = succeeds(&["complete", "emm", "--model", &model, "-n", "3"]);
    assert!(table.starts_with("emma ") && table.lines().count() == 3 && table.contains(" %"), "{table}");
    let json = parse(&succeeds(&["complete", "emm", "--model", &model, "-n", "3", "--json"]));
    assert_eq!(json["completions"][0]["word"], "emma");
    fails(&["complete", "zo\u{eb}", "--model", &model], "prefix \"zo\u{eb}\": character '\u{eb}'");
    fails(&["complete", "emma", "--model", &model, "--max-len", "3"], "text is too long: 4, at most 3");
}

#[test]
fn the_tree_of_a_word_is_that_of_the_window() {
    let folder = TempDir::new().unwrap();
    let out = |name: &str| folder.path().join(name).display().to_string();
    let model = models("names.int8.blob");
    let draw = |word: &str, more: &[&str], name: &str| {
        succeeds(&[&["activations", "--model", &model, "--word", word, "--out", &out(name)], more].concat());
        fs::read(out(name)).unwrap()
    };
    let tree = |word: &str, more: &[&str]| parse(&text(&draw(word, more, "tree.json")));
    let emma = tree("emma", &[]);
    let nodes = |tree: &Value| -> Vec<usize> {
        tree["levels"].as_array().unwrap().iter().map(|level| level["nodes"].as_array().unwrap().len()).collect()
    };
    assert_eq!(nodes(&emma), [4, 2, 1]);
    assert_eq!(emma["characters"], serde_json::json!([".", ".", ".", ".", "e", "m", "m", "a"]));
    let seen = |level: usize, node: usize| emma["levels"][level]["nodes"][node]["characters"].as_str().unwrap();
    assert_eq!((seen(0, 2), seen(1, 0), seen(2, 0)), ("em", "....", "....emma"));
    assert_eq!(emma["levels"][2]["nodes"][0]["values"].as_array().map(Vec::len), Some(104));
    // The output of a node does not depend on later characters: in "em" and "emma" the node over "em" is the same.
    let em = tree("em", &[]);
    assert_eq!(em["levels"][0]["nodes"][3]["values"], emma["levels"][0]["nodes"][2]["values"]);
    assert_eq!(em["levels"][0]["nodes"][0]["values"], emma["levels"][0]["nodes"][1]["values"], "only boundaries");
    assert_eq!(em["levels"], tree("emma", &["--position", "2"])["levels"]);
    assert_eq!(tree("", &[])["levels"], tree("emma", &["--position", "0"])["levels"]);
    // Probabilities of next characters equal those of `score`.
    let surprise = parse(&succeeds(&["score", "--model", &model, "--json", "emma"]));
    let end = surprise["words"][0]["characters"][4]["nll"].as_f64().unwrap();
    let next = emma["next"].as_array().unwrap();
    let last = next.iter().find(|next| next["character"].is_null()).unwrap();
    assert!((last["probability"].as_f64().unwrap() - (-end).exp()).abs() < 1e-9);
    let sum: f64 = next.iter().map(|next| next["probability"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-3 && next.len() == 27, "{sum}");

    let svg = text(&draw("emma", &[], "tree.svg"));
    let most = next.iter().filter_map(|next| next["probability"].as_f64()).fold(0.0, f64::max);
    for part in ["<svg", "104 values of", "level 0", "skip", &format!("{:.0} %", 100.0 * most)] {
        assert!(svg.contains(part), "no {part} in the picture");
    }
    assert!(draw("emma", &["--position", "1"], "tree.png").starts_with(b"\x89PNG"));
    let refused =
        |more: &[&str], expected: &str| fails(&[&["activations", "--model", &model], more].concat(), expected);
    refused(&["--word", "emma", "--out", &out("tree.gif")], "must end in .svg, .png or .json");
    refused(&["--word", "emma", "--position", "5", "--out", &out("a.svg")], "--position must be 0 to 4");
    refused(&["--word", "a1", "--out", &out("a.svg")], "word \"a1\": character '1'");
    refused(&["--word", "a", "--out", &out("no/a.svg")], "there is no folder");
    assert!(!Path::new(&out("a.svg")).exists());
}

#[test]
fn quiet_is_quiet() {
    let folder = TempDir::new().unwrap();
    let out = |name: &str| folder.path().join(name).display().to_string();
    let (tiny, blob) = (models("tiny.safetensors"), out("a.blob"));
    let stderr = |arguments: &[&str]| {
        let output = exporter(arguments, "");
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stderr)
    };
    for arguments in [
        &["export", "--model", &tiny, "--out", &blob][..],
        &["sample", "--model", &tiny, "-n", "50", "--max-len", "3"],
        &["score", "--model", &models("names.int8.blob"), "emma"],
        &["complete", "em", "--model", &tiny],
        &["activations", "--model", &tiny, "--word", "em", "--out", &out("a.svg")],
        &["man", "--out", &out("man")],
        &[
            "train",
            "--preset",
            "tiny",
            "--steps",
            "10",
            "--threads",
            "1",
            "--no-plots",
            "--run-dir",
            &out("run"),
            "--out",
            &out("m.safetensors"),
        ],
    ] {
        assert_ne!(stderr(arguments), "", "{arguments:?} has something to say");
        fs::remove_dir_all(out("run")).ok();
        assert_eq!(stderr(&[&["--quiet"], arguments].concat()), "", "{arguments:?}");
        fs::remove_dir_all(out("run")).ok();
        assert_eq!(stderr(&[arguments, &["-q"]].concat()), "", "{arguments:?}");
    }
    // --quiet hides neither the table of a result nor an error.
    let list = out("list.txt");
    fs::write(&list, "emma\nava\nolivia\n".repeat(10)).unwrap();
    let eval = stderr(&["eval", "--model", &tiny, "--data", &list, "--quiet"]);
    assert!(eval.contains("dev ") && !eval.contains("words, ") && !eval.contains("note:"), "{eval}");
    fails(&["sample", "--model", "missing.blob", "--quiet"], "cannot read missing.blob");
}

/// Checks that a pipe gets text without escape sequences, with any environment.
#[test]
fn pipes_get_no_colours() {
    for (variable, value) in [("NO_COLOR", "1"), ("TERM", "xterm-256color"), ("COLORTERM", "truecolor")] {
        for arguments in [
            &["--help"][..],
            &["train", "--help"],
            &["presets"],
            &["sample"],
            &["score", "--model", "missing", "a"],
            &["train", "--nonsense"],
        ] {
            let output = Command::new(env!("CARGO_BIN_EXE_exporter"))
                .args(arguments)
                .env(variable, value)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert!(![output.stdout, output.stderr].concat().contains(&0x1b), "{arguments:?} with {variable}={value}");
        }
    }
}

#[test]
fn shells_and_man_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeeds(&["completions", shell]);
        assert!(script.contains("activations") && script.contains("calibration"), "{shell}: {script}");
    }
    assert!(succeeds(&["man"]).contains(".TH exporter 1"));
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("man").display().to_string();
    succeeds(&["man", "--out", &out]);
    for page in ["exporter.1", "exporter-train.1", "exporter-score.1"] {
        assert!(fs::read_to_string(Path::new(&out).join(page)).unwrap().contains(".SH"), "{page}");
    }
    assert_eq!(exporter(&["completions", "nonsense"], "").status.code(), Some(2));
}
