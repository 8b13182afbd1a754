//! Tests the program as a user runs it: good input, bad input, Ctrl-C.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn exporter(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_exporter"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Runs a command that must succeed; returns its stdout.
fn succeeds(arguments: &[&str], folder: &Path) -> String {
    let output = exporter(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that must fail with one clear line.
fn fails(arguments: &[&str], folder: &Path, expected: &str) {
    let output = exporter(arguments, folder);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}: nothing on stdout");
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains(expected), "{arguments:?}: {stderr}");
    assert_eq!(stderr.matches("error:").count(), 1, "{arguments:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
}

fn folder_with(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn models(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name);
    fs::canonicalize(&path).unwrap_or_else(|_| panic!("no {}", path.display())).display().to_string()
}

const TRAIN: [&str; 8] = ["train", "--preset", "tiny", "--steps", "30", "--threads", "1", "--no-plots"];

#[test]
fn train_export_eval_and_sample_go_together() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let run = |more: &[&str]| succeeds(&[&TRAIN[..], more].concat(), here);
    let json = run(&["--out", "a.safetensors", "--json"]);
    let trained: serde_json::Value = serde_json::from_str(&json).expect("one JSON object");
    let number = |value: &serde_json::Value, key: &str| value[key].as_f64().unwrap_or_else(|| panic!("{key}: {value}"));
    for key in ["train_nll", "dev_nll", "test_nll", "seconds", "parameters", "dev_characters"] {
        assert!(number(&trained, key) > 0.0);
    }
    assert!(number(&trained, "dev_nll") < 3.2, "better than guessing, which is ln 27 = 3.30");

    assert_eq!(run(&["--out", "b.safetensors"]), "", "without --json nothing on stdout");
    let bytes = |name: &str| fs::read(here.join(name)).unwrap();
    assert_eq!(bytes("a.safetensors"), bytes("b.safetensors"), "the same seed must result in the same bytes");
    run(&["--out", "c.safetensors", "--seed", "43"]);
    assert_ne!(bytes("a.safetensors"), bytes("c.safetensors"));

    assert_eq!(succeeds(&["export", "--model", "a.safetensors", "--out", "a.blob"], here), "");
    succeeds(&["export", "--model", "b.safetensors", "--precision", "f32", "--out", "b.blob"], here);
    assert_eq!(bytes("a.blob"), bytes("b.blob"), "the same model must result in the same blob");

    let eval = |model: &str| {
        let json = succeeds(&["eval", "--model", model, "--part", "all", "--json"], here);
        serde_json::from_str::<serde_json::Value>(&json).expect("one JSON object")
    };
    let (torch, runtime) = (eval("a.safetensors"), eval("a.blob"));
    for split in ["train", "dev", "test"] {
        let key = format!("{split}_nll");
        assert_eq!(number(&torch, &key), number(&trained, &key), "{split}");
        assert!((number(&torch, &key) - number(&runtime, &key)).abs() < 1e-5, "{split}");
        let key = format!("{split}_characters");
        assert_eq!(torch[&key], runtime[&key]);
    }

    let sample = |model: &str, more: &[&str]| {
        succeeds(&[&["sample", "--model", model, "-n", "10", "--prompt", "ma"], more].concat(), here)
    };
    let words = sample("a.blob", &[]);
    assert_eq!(words.lines().count(), 10);
    assert!(words.lines().all(|word| word.starts_with("ma")), "{words}");
    assert_eq!(words, sample("a.safetensors", &[]), "both kinds of file must draw the same words");
    assert_ne!(words, sample("a.blob", &["--seed", "7"]));
    assert_ne!(words, sample("a.blob", &["--temperature", "0.5"]));
    let greedy = sample("a.blob", &["--temperature", "0"]);
    assert_eq!(greedy, sample("a.blob", &["--top-k", "1"]));
}

#[test]
fn a_model_is_evaluated_on_the_split_of_its_training() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let json = succeeds(&[&TRAIN[..], &["--split", "makemore", "--out", "m.safetensors", "--json"]].concat(), here);
    let trained = parse(&json);
    assert_eq!(trained["dev_nll"], trained["test_nll"], "makemore.py has no dev words");
    let eval = |arguments: &[&str]| {
        let output = exporter(&[&["eval", "--part", "test", "--json"], arguments].concat(), here);
        let stderr = text(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        (parse(&text(&output.stdout)), stderr)
    };
    let (own, stderr) = eval(&["--model", "m.safetensors"]);
    assert_eq!(own["test_nll"], trained["test_nll"]);
    assert!(!stderr.contains("--split"), "{stderr}");
    let (other, stderr) = eval(&["--model", "m.safetensors", "--split", "lecture"]);
    assert_ne!(other["test_words"], own["test_words"]);
    assert!(stderr.contains("was trained with --split makemore: its training words differ"), "{stderr}");
    // A blob does not say how its list was split.
    succeeds(&["export", "--model", "m.safetensors", "--out", "m.blob"], here);
    let (blob, _) = eval(&["--model", "m.blob", "--split", "makemore"]);
    assert_eq!(blob["test_words"], own["test_words"]);
    let compared = eval(&["--model", "m.safetensors", "--model", "m.blob"]).0;
    assert_eq!(compared["test_words"], own["test_words"]);
    // Weights that were chosen on the test words would have a test loss that is too low.
    let config = fs::read_to_string(here.join("runs/tiny-seed42/config.json")).unwrap();
    assert_eq!(parse(&config)["recipe"]["keep"], "last");
}

fn parse(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("one JSON object: {error}: {json}"))
}

/// Returns a folder with a tiny model after 30 steps, `a.safetensors`, and its blobs `a.blob` and `a.int8.blob`.
fn folder_with_models() -> TempDir {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    succeeds(&[&TRAIN[..], &["--out", "a.safetensors"]].concat(), here);
    succeeds(&["export", "--model", "a.safetensors", "--out", "a.blob"], here);
    succeeds(&["export", "--model", "a.safetensors", "--precision", "int8", "--out", "a.int8.blob"], here);
    folder
}

#[test]
fn several_models_are_compared_on_the_same_characters() {
    let folder = folder_with_models();
    let here = folder.path();
    let bytes = |name: &str| fs::read(here.join(name)).unwrap();
    succeeds(&["export", "--model", "a.safetensors", "--precision", "int8", "--out", "b.int8.blob"], here);
    assert_eq!(bytes("a.int8.blob"), bytes("b.int8.blob"), "the same model must result in the same blob");

    let files = ["a.safetensors", "a.blob", "a.int8.blob"];
    let models = ["--model", files[0], "--model", files[1], "--model", files[2]];
    let output = exporter(&[&["eval", "--json"], &models[..]].concat(), here);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    for part in ["dev: 2,889 words, 21,029 characters", "a.int8.blob    runtime int8", "(the reference)", "top-1 %"] {
        assert!(stderr.contains(part), "{part:?} is not in:\n{stderr}");
    }
    let table = parse(&text(&output.stdout));
    assert_eq!(table["dev_characters"], 21_029);
    assert_eq!(table["models"].as_array().map(Vec::len), Some(3));
    for (at, (file, kind)) in files.into_iter().zip(["libtorch f32", "runtime f32", "runtime int8"]).enumerate() {
        let row = &table["models"][at];
        assert_eq!((row["model"].as_str(), row["kind"].as_str()), (Some(file), Some(kind)));
        assert_eq!(row["bytes"], bytes(file).len(), "{file}");
        let single = parse(&succeeds(&["eval", "--model", file, "--json"], here));
        assert_eq!(row["dev_nll"], single["dev_nll"], "{file} has the same loss when evaluated by itself");
        let number = |key: &str| row[key].as_f64().unwrap_or_else(|| panic!("{key}: {row}"));
        let (delta, kl, top1) = (number("dev_delta"), number("dev_kl"), number("dev_top1"));
        // Reading JSON may lose the last bit.
        let difference = number("dev_nll") - table["models"][0]["dev_nll"].as_f64().unwrap();
        assert!((delta - difference).abs() < 1e-12, "{row}");
        match at {
            0 => assert_eq!((delta, kl, top1), (0.0, 0.0, 100.0)),
            1 => assert!(delta.abs() < 1e-5 && kl < 1e-9 && top1 > 99.9, "{row}"),
            _ => assert!(delta.abs() <= 0.02 && kl > 1e-9 && kl < 0.01 && top1 > 80.0 && top1 < 100.0, "{row}"),
        }
    }

    // In the reverse order, and on all splits.
    let models = ["--model", files[2], "--model", files[0]];
    let turned = parse(&succeeds(&[&["eval", "--json", "--part", "all"], &models[..]].concat(), here));
    let (first, second) = (&turned["models"][0], &turned["models"][1]);
    let sum = second["dev_delta"].as_f64().unwrap() + table["models"][2]["dev_delta"].as_f64().unwrap();
    assert!(sum.abs() < 1e-12, "{sum}");
    for part in ["train", "dev", "test"] {
        assert_eq!(first[format!("{part}_top1")], 100.0);
        assert!(second[format!("{part}_nll")].is_f64() && turned[format!("{part}_words")].is_u64());
    }
}

#[test]
fn validate_shows_where_accuracy_goes() {
    let folder = folder_with_models();
    let here = folder.path();
    let blobs = ["--blob", "a.blob", "--blob", "a.int8.blob"];
    let output = exporter(&[&["validate", "--model", "a.safetensors", "--json"], &blobs[..]].concat(), here);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    for part in ["level 0   level 1    logits      mean       max", "a.blob       f32      exact", "a.int8.blob  int8"]
    {
        assert!(stderr.contains(part), "{part:?} is not in:\n{stderr}");
    }
    let found = parse(&text(&output.stdout));
    assert_eq!((&found["dev"]["words"], &found["dev"]["characters"]), (&2_889.into(), &21_029.into()));
    let same = &found["dev"]["models"][0];
    assert_eq!(same["level_snr_db"], serde_json::json!([null, null]), "the same numbers");
    assert_eq!((&same["logit_snr_db"], &same["max_delta_logit"]), (&serde_json::Value::Null, &0.0.into()));
    let int8 = &found["dev"]["models"][1];
    assert_eq!(int8["kind"], "runtime int8");
    let levels = int8["level_snr_db"].as_array().unwrap();
    assert_eq!(levels.len(), 2);
    // 8 bits are up to 48 dB, minus the unused ends of tanh's range and the noise of the weights.
    for ratio in levels.iter().chain([&int8["logit_snr_db"]]) {
        assert!(ratio.as_f64().is_some_and(|db| (20.0..60.0).contains(&db)), "{int8}");
    }
    let (mean, max) = (int8["mean_delta_logit"].as_f64().unwrap(), int8["max_delta_logit"].as_f64().unwrap());
    assert!(0.0 < mean && mean < max && max < 1.0, "{int8}");
    // The f32 blob can also be the reference.
    let again = succeeds(&["validate", "--model", "a.blob", "--json", "--blob", "a.int8.blob"], here);
    assert_eq!(&parse(&again)["dev"]["models"][0], int8);
}

#[test]
fn models_that_do_not_belong_together_end_in_one_clear_line() {
    let words: String = ["123", "231", "12", "3312"].iter().cycle().take(40).flat_map(|word| [word, "\n"]).collect();
    let folder = folder_with(&[("digits.txt", words.as_bytes())]);
    let here = folder.path();
    succeeds(&[&TRAIN[..], &["--data", "digits.txt", "--out", "digits.safetensors"]].concat(), here);
    succeeds(&["export", "--model", "digits.safetensors", "--precision", "int8", "--out", "digits.blob"], here);
    let (tiny, tiny_int8) = (&models("tiny.safetensors"), &models("tiny.int8.blob"));
    let eval = |files: [&str; 2], expected: &str| {
        fails(&["eval", "--model", files[0], "--model", files[1], "--json"], here, expected);
    };
    eval([tiny, "digits.blob"], "the vocabularies of digits.blob (4 characters) and");
    eval([tiny, "missing.blob"], "cannot read missing.blob");
    let validate = |model: &str, blob: &str, more: &[&str], expected: &str| {
        fails(&[&["validate", "--model", model, "--blob", blob, "--json"], more].concat(), here, expected);
    };
    let another = "it is a blob of another model: its vocabulary (4 characters) differs from that of the reference (27 characters)";
    validate(tiny, "digits.blob", &[], another);
    let shape = "another model: it has n_embd 6, levels 2:16,2:16, the reference has n_embd 24, levels 2:64,2:88,2:104 gated skip";
    validate(&models("names.safetensors"), tiny_int8, &[], shape);
    validate(tiny, "digits.safetensors", &[], "--blob digits.safetensors is not a blob");
    validate(tiny_int8, tiny_int8, &[], "is in int8, but the reference must be in f32");
    validate(tiny, "missing.blob", &[], "cannot read missing.blob");
    validate("missing.safetensors", tiny_int8, &[], "cannot read missing.safetensors");
    validate(tiny, tiny_int8, &["--data", "digits.txt"], "outside the model's vocabulary");
}

#[test]
fn the_lectures_bug_trains_and_is_not_written() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let bug = ["train", "--preset", "wavenet-68-bn-bug", "--steps", "40", "--threads", "1", "--no-plots"];
    let output = exporter(&[&bug[..], &["--json"]].concat(), here);
    let stderr = text(&output.stderr);
    assert!(output.status.success() && stderr.contains("would differ between positions"), "{stderr}");
    let trained = parse(&text(&output.stdout));
    assert!(trained["model"].is_null() && trained["dev_nll"].as_f64().is_some_and(|nll| nll < 3.3), "{trained}");
    assert!(!here.join("model.safetensors").exists());
    fails(&[&bug[..], &["--out", "m.safetensors"]].concat(), here, "wavenet-68-bn-bug cannot be written as a model");
    // The corrected network must have another loss.
    let mended = [&["train", "--preset", "wavenet-68"], &bug[3..], &["--json"]].concat();
    assert_ne!(parse(&succeeds(&mended, here))["dev_nll"], trained["dev_nll"]);
}

#[test]
fn presets_are_listed() {
    let folder = TempDir::new().unwrap();
    let table = succeeds(&["presets"], folder.path());
    for part in ["76,579    75,136  SGD 0.1", "wavenet-68-bn-bug", "cannot be exported", "AdamW 0.001"] {
        assert!(table.contains(part), "{part:?} is not in:\n{table}");
    }
    let list = parse(&succeeds(&["presets", "--json"], folder.path()));
    let row = |name: &str| list.as_array().unwrap().iter().find(|row| row["preset"] == name).unwrap().clone();
    assert_eq!(row("mlp-8")["parameters"], 22_097);
    assert_eq!(row("wavenet-128")["macs_per_character"], 75_136);
    assert_eq!(row("wavenet-128-cosine")["default"], false);
    assert_eq!(row("gated")["default"], true);
    // Fewer than in the lecture's network: 76,579 and 75,136.
    assert_eq!(
        (row("gated")["parameters"].as_u64(), row("gated")["macs_per_character"].as_u64()),
        (Some(73_891), Some(72_192))
    );
    let words = ["train", "--preset", "mlp-3", "--form", "words"];
    fails(&words, folder.path(), "--form words does not fit mlp-3");
    fails(
        &["train", "--preset", "mlp-3", "--weight-decay", "0.1"],
        folder.path(),
        "--weight-decay is a setting of AdamW",
    );
}

#[test]
fn options_change_the_network() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    for (name, options) in [
        ("three", ["--block-size", "3", "--n-embd", "5", "--n-hidden", "7"]),
        ("sixteen", ["--block-size", "16", "--n-embd", "3", "--n-hidden", "9"]),
    ] {
        let file = format!("{name}.safetensors");
        succeeds(&[&TRAIN[..], &options, &["--out", &file]].concat(), here);
        succeeds(&["export", "--model", &file, "--out", "m.blob"], here);
        assert_eq!(succeeds(&["sample", "--model", "m.blob", "-n", "3"], here).lines().count(), 3);
    }
}

#[test]
fn words_in_other_scripts_train_and_come_out_again() {
    let list: String =
        ["ağaç", "çiğdem", "şükrü", "ömer", "ırmak", "gülşen", "łukasz", "świętosław", "żaneta", "ñandú"]
            .iter()
            .cycle()
            .take(40)
            .flat_map(|word| [*word, "\r\n"])
            .collect();
    let folder = folder_with(&[("list.txt", list.as_bytes())]);
    let here = folder.path();
    let steps =
        ["--steps", "200", "--batch-size", "32", "--lr", "0.01", "--out", "m.safetensors", "--data", "list.txt"];
    let stderr = exporter(&[&["train", "--preset", "tiny", "--threads", "1"], &steps[..]].concat(), here).stderr;
    assert!(text(&stderr).contains("40 words, 30 of them duplicates (kept"), "{}", text(&stderr));
    let words = succeeds(&["sample", "--model", "m.safetensors", "--prompt", "ş", "-n", "5"], here);
    assert!(words.lines().all(|word| word.starts_with('ş')), "{words}");
}

#[test]
fn bad_input_ends_in_one_clear_line() {
    let many: String = ('一'..).take(300).flat_map(|character| [character, '\n']).collect();
    let long = "a".repeat(5000);
    let foreign = b"\x02\0\0\0\0\0\0\0{}";
    let tiny = fs::read(models("tiny.blob")).unwrap();
    let folder = folder_with(&[
        ("empty.txt", b""),
        ("blank.txt", b"\n\r\n\n"),
        ("one.txt", "a\n".repeat(20).as_bytes()),
        ("many.txt", many.as_bytes()),
        ("long.txt", long.as_bytes()),
        ("latin1.txt", b"zo\xeb\n"),
        ("foreign.safetensors", foreign),
        ("garbage.safetensors", b"garbage"),
        ("cut.blob", &tiny[..tiny.len() / 2]),
        ("none.blob", b""),
        ("digits.txt", "123\n456\n".repeat(10).as_bytes()),
    ]);
    let here = folder.path();
    let train =
        |data: &str, expected: &str| fails(&["train", "--data", data, "--out", "m.safetensors"], here, expected);
    train("missing.txt", "cannot read missing.txt");
    train("empty.txt", "empty.txt has 0 words");
    train("blank.txt", "blank.txt has 0 words");
    train("one.txt", "one.txt has 1 distinct characters; a model takes 2 to 255");
    train("many.txt", "many.txt has 300 distinct characters; a model takes 2 to 255");
    train("long.txt", "line 1: more than 1024 characters");
    train("latin1.txt", "line 1: not UTF-8");
    train(".", "cannot read .");
    let options = |options: &[&str], expected: &str| fails(&[&TRAIN[..3], options].concat(), here, expected);
    options(&["--out", "no/such/folder/m.safetensors"], "there is no folder no/such/folder");
    options(&["--out", "."], "cannot write .");
    options(&["--block-size", "7919"], "block size 7919");
    options(&["--n-hidden", "0"], "level width is 0");
    options(&["--steps", "0"], "--steps 0: must be");
    options(&["--batch-size", "1"], "--batch-size 1: must be");
    options(&["--lr=-1"], "--lr -1: must be");
    options(&["--lr", "1e30", "--steps", "50"], "diverged");
    options(&["--dropout", "1"], "--dropout 1: must be");
    options(&["--look-ahead", "1"], "use --look-ahead 0, or --form words");
    options(&["--threads", "0"], "--threads 0: must be");
    if !tch::Cuda::is_available() {
        options(&["--device", "cuda"], "libtorch finds no CUDA device");
    }
    assert!(!here.join("m.safetensors").exists() && !here.join("model.safetensors").exists());

    for command in [&["eval", "--model"][..], &["sample", "--model"]] {
        let on = |model: &str, expected: &str| fails(&[command, &[model]].concat(), here, expected);
        on("missing.blob", "cannot read missing.blob");
        on("foreign.safetensors", "foreign.safetensors is a state_dict? import it first: cargo run");
        on("garbage.safetensors", "garbage.safetensors is text, not a model");
        on("none.blob", "none.blob is empty");
        on("cut.blob", "cut.blob: blob is cut short");
    }
    let export = |model: &str, expected: &str| fails(&["export", "--model", model, "--out", "x.blob"], here, expected);
    export("missing.safetensors", "cannot read missing.safetensors");
    export("foreign.safetensors", "is a state_dict? import it first");
    export("cut.blob", "cut.blob: blob is cut short");
    let tiny = models("tiny.safetensors");
    fails(&["export", "--model", &tiny, "--out", "no/x.blob"], here, "there is no folder no");
    fails(&["export", "--model", &tiny, "--out", &tiny], here, "would overwrite");
    fails(&["finetune", "--model", &tiny, "--out", &tiny], here, "would overwrite");
    fails(&["train", "--data", "digits.txt", "--out", "./digits.txt"], here, "would overwrite the input digits.txt");
    fails(
        &["export", "--model", &tiny, "--nearest", "--out", "x.blob"],
        here,
        "are only for integers: add --precision",
    );
    fails(&["sample", "--model", &tiny, "--prompt", "Ä"], here, "character 'Ä' is not in the model's vocabulary");
    fails(&["sample", "--model", &tiny, "--prompt", &"a".repeat(300)], here, "text is too long: 300, at most 32");
    fails(&["eval", "--model", &tiny, "--data", "digits.txt"], here, "outside the model's vocabulary");
    fails(&["eval", "--model", &tiny, "--data", "empty.txt"], here, "empty.txt has 0 words");
    assert!(!here.join("x.blob").exists());
}

#[test]
fn a_wrong_command_line_is_explained() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &["sample"][..],
        &["train", "--preset", "nonsense"],
        &["train", "--epochs", "1", "--steps", "1"],
        &["train", "--checkpoint-every", "0"],
        &["train", "--checkpoint-every", "5h"],
        &["train", "--resume", "runs/a", "--preset", "tiny"],
        &["sample", "--model", "x", "--temperature", "-1"],
        &["sample", "--model", "x", "--temperature", "NaN"],
        &["export", "--model", "x", "--precision", "f64", "--out", "y"],
        &["eval"],
        &["validate", "--model", "x"],
        &["validate", "--blob", "x"],
    ] {
        let output = exporter(arguments, folder.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("--help"), "{arguments:?}");
    }
    let help = succeeds(&["train", "--help"], folder.path());
    for word in [
        "--data",
        "--preset",
        "--seed",
        "[default: 42]",
        "[default: model.safetensors",
        "wavenet-128-cosine",
        "64,88,104 (gated, gated-minute,",
    ] {
        assert!(help.contains(word), "{word} is not in the help:\n{help}");
    }
}

#[test]
fn a_text_goes_the_whole_way() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // Two lines in turn, with the sign of the boundary as an ordinary character.
    std::fs::write(here.join("rhyme.txt"), "up and down.\nround and round.\n".repeat(100)).unwrap();
    let short = ["--preset", "tiny", "--steps", "150", "--no-plots", "--threads", "1"];
    let train = |more: &[&str]| exporter(&[&["train", "--text", "rhyme.txt"], &short[..], more].concat(), here);
    let done = train(&["--json", "--out", "rhyme.safetensors"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let result: serde_json::Value = serde_json::from_str(&text(&done.stdout)).unwrap();
    assert_eq!((&result["train_characters"], &result["dev_characters"]), (&2700.into(), &300.into()));
    assert!(result["train_words"].is_null() && result["dev_nll"].as_f64().unwrap() < 1.0, "{result}");
    assert_eq!(result["dev_nll"], result["test_nll"]);

    let from = |format: &str| format!("rhyme.{format}.blob");
    for format in ["int8", "int4"] {
        let to = ["--precision", format, "--calibration", "rhyme.txt", "--out", &from(format)];
        succeeds(&[&["export", "--model", "rhyme.safetensors"], &to[..]].concat(), here);
    }
    let models = ["--model", "rhyme.safetensors", "--model", &from("int8"), "--data", "rhyme.txt", "--json"];
    let losses = succeeds(&[&["eval"], &models[..]].concat(), here);
    let losses: serde_json::Value = serde_json::from_str(losses.lines().last().unwrap()).unwrap();
    let [torch, int8] = [0, 1].map(|model| losses["models"][model]["dev_nll"].as_f64().unwrap());
    assert!((torch - result["dev_nll"].as_f64().unwrap()).abs() < 1e-6, "the loss of the training: {losses}");
    assert!((torch - int8).abs() < 0.05, "{losses}");

    let f32 = ["export", "--model", "rhyme.safetensors", "--precision", "f32", "--out", &from("f32")];
    succeeds(&f32, here);
    let to_compare = ["validate", "--model", &from("f32"), "--blob", &from("int8"), "--data", "rhyme.txt", "--json"];
    let noise: serde_json::Value = serde_json::from_str(&succeeds(&to_compare, here)).unwrap();
    assert_eq!(noise["dev"]["characters"], 300, "the number of the training: {noise}");

    // A text has the asked length, begins with the prompt, and never ends early, even at the highest temperature.
    for model in ["rhyme.safetensors", &from("int8"), &from("int4")] {
        let sample = ["sample", "--model", model, "--temperature", "65", "--length", "400", "--prompt", "up\nand"];
        let drawn = succeeds(&sample, here);
        assert!(drawn.starts_with("up\nand") && drawn.chars().count() == 401, "{model}: {drawn}");
    }
    // A model of words writes one word per line.
    let names = ["sample", "--model", &self::models("tiny.int8.blob"), "--length", "200"];
    assert!(succeeds(&names, here).lines().count() > 10);

    std::fs::write(here.join("other.txt"), "up and down.\n".repeat(100) + "sideways\n").unwrap();
    for (refused, said) in [
        (&["eval", "--model", "rhyme.safetensors"][..], "--data FILE"),
        (&["eval", "--model", "rhyme.safetensors", "--data", "other.txt"], "the word \"sideways\" has a character"),
        (&["finetune", "--model", "rhyme.safetensors", "--out", "x.safetensors"], "finetune is for models of words"),
        (&["sample", "--model", "rhyme.safetensors", "--novel"], "are for words"),
        (&["complete", "--model", "rhyme.safetensors", "up"], "no words to complete"),
        (&["train", "--text", "rhyme.txt", "--form", "windows"], "--form windows does not fit --text"),
        (&["train", "--text", "rhyme.txt", "--preset", "mlp-8"], "does not fit mlp-8"),
        (&["train", "--text", "nowhere.txt"], "nowhere.txt"),
    ] {
        let output = exporter(refused, here);
        assert!(!output.status.success() && text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }

    let whole = std::fs::read(here.join("rhyme.safetensors")).unwrap();
    assert!(train(&["--run-dir", "again", "--out", "again.safetensors"]).status.success());
    assert!(std::fs::read(here.join("again.safetensors")).unwrap() == whole, "the same seed, the same bytes");
}

#[test]
fn many_words_at_once_are_the_same_words() {
    let here = std::env::temp_dir();
    let sample = |more: &[&str]| {
        let model = models("tiny.int8.blob");
        succeeds(&[&["sample", "--parallel", "--seed", "7", "--model", &model], more].concat(), &here)
    };
    let words = sample(&["-n", "200"]);
    assert_eq!(words.lines().count(), 200);
    assert!(words.starts_with(&sample(&["-n", "50"])), "word i does not depend on how many there are");
    let single = succeeds(&["sample", "--seed", "7", "-n", "200", "--model", &models("tiny.int8.blob")], &here);
    assert_ne!(words, single, "without --parallel the words are others");
    assert!(sample(&["-n", "20", "--prompt", "ma"]).lines().all(|word| word.starts_with("ma")));
    let too_long = ["sample", "--parallel", "--model", &models("tiny.blob"), "--prompt", "abc", "--max-len", "2"];
    fails(&too_long, &here, "text is too long: 3, at most 2");
}

#[test]
fn bench_compares_with_libtorch() {
    let here = std::env::temp_dir();
    let (f32, int8) = (models("tiny.safetensors"), models("tiny.int8.blob"));
    let small = ["--turns", "1", "--threads", "1", "--batch", "40", "--json"];
    let json = succeeds(&[&["bench", "--model", &f32, "--model", &int8], &small[..]].concat(), &here);
    let json: serde_json::Value = serde_json::from_str(&json).expect("one JSON object");
    let rows = json["rows"].as_array().expect("rows");
    let names: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {} {}", row["engine"], row["precision"], row["words_at_once"]).replace('"', ""))
        .collect();
    let engines = ["libtorch f32", "runtime f32", "runtime int8"];
    let expected = [1, 40].map(|words| engines.map(|engine| format!("{engine} {words}")));
    assert_eq!(names, expected.concat());
    for row in rows {
        assert!(row["characters_per_second"].as_f64().expect("a number") > 0.0, "{row}");
    }
    // Without a safetensors file, libtorch runs a random network of the same shape.
    succeeds(&[&["bench", "--model", &int8], &small[..]].concat(), &here);
    fails(&["bench", "--model", &int8, "--model", &models("names.int8.blob")], &here, "different shapes");
}

#[test]
#[cfg(unix)]
fn a_reader_that_leaves_is_no_error() {
    let pipe =
        format!("{} sample --model {} -n 20000 | head -n 1", env!("CARGO_BIN_EXE_exporter"), models("tiny.blob"));
    let output = Command::new("bash").args(["-o", "pipefail", "-c", &pipe]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("error"));
}

/// Starts a training into `out`, interrupts it, and checks how it ends; returns its stderr.
#[cfg(unix)]
fn interrupted_training(out: &Path) -> String {
    // The working folder, in which the training leaves its run.
    let runs = TempDir::new().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_exporter"))
        .args(["train", "--preset", "tiny", "--steps", "1000000", "--threads", "1", "--out"])
        .arg(out)
        .current_dir(runs.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Wait for the table's heading, which is printed immediately before the first step.
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("drawn so far") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut stderr, &mut line).unwrap(), 0, "the program ended too early");
    }
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        Command::new("kill")
            .args([OsStr::new("-INT"), OsStr::new(&child.id().to_string())])
            .status()
            .unwrap()
            .success()
    );
    let started = Instant::now();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut rest).unwrap();
    let status = child.wait().unwrap();
    assert!(started.elapsed() < Duration::from_secs(60), "it stops soon");
    assert_eq!(status.code(), Some(130), "{rest}");
    assert!(rest.contains("interrupted"), "{rest}");
    rest
}

#[test]
#[cfg(unix)]
fn control_c_keeps_the_model_so_far() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("m.safetensors");
    interrupted_training(&out);
    let words = succeeds(&["sample", "--model", &out.display().to_string(), "-n", "3"], folder.path());
    assert_eq!(words.lines().count(), 3);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
#[cfg(unix)]
fn control_c_does_not_replace_an_older_model() {
    let folder = folder_with(&[("m.safetensors", b"a model of many hours")]);
    let stderr = interrupted_training(&folder.path().join("m.safetensors"));
    assert!(stderr.contains("m.interrupted.safetensors"), "{stderr}");
    assert_eq!(fs::read(folder.path().join("m.safetensors")).unwrap(), b"a model of many hours");
    let words = succeeds(&["sample", "--model", "m.interrupted.safetensors", "-n", "3"], folder.path());
    assert_eq!(words.lines().count(), 3);
}

#[test]
fn a_blob_changes_its_layout_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let (f32, int8, int4) = (models("tiny.blob"), models("tiny.int8.blob"), models("tiny.int4.blob"));
    let original = fs::read(&int8).unwrap();
    for core in ["m0+", "m4", "m55", "host"] {
        succeeds(&["export", "--model", &int8, "--core", core, "--out", "packed.blob"], at);
        let packed = fs::read(at.join("packed.blob")).unwrap();
        assert_eq!(packed == original, core == "host", "{core}");
        succeeds(&["export", "--model", "packed.blob", "--layout", "row-major", "--out", "back.blob"], at);
        assert_eq!(fs::read(at.join("back.blob")).unwrap(), original, "{core} and back");
        assert_eq!(
            succeeds(&["sample", "--model", "packed.blob", "--count", "20"], at),
            succeeds(&["sample", "--model", &int8, "--count", "20"], at),
            "{core}"
        );
    }
    // Exporting the folded model in one step results in the same bytes.
    let folded = models("tiny.safetensors");
    succeeds(&["export", "--model", &folded, "--precision", "int8", "--core", "m4", "--out", "direct.blob"], at);
    succeeds(&["export", "--model", &int8, "--layout", "dual16", "--out", "packed.blob"], at);
    assert_eq!(fs::read(at.join("direct.blob")).unwrap(), fs::read(at.join("packed.blob")).unwrap());
    // Tables are larger and draw the same words.
    for blob in [&int8, &int4] {
        let words = |model: &str| succeeds(&["sample", "--model", model, "--count", "20"], at);
        let export = |tables: &[&str], out: &str| {
            succeeds(&[&["export", "--model", blob, "--out", out], tables].concat(), at);
            assert_eq!(words(out), words(blob), "{tables:?}");
            fs::read(at.join(out)).unwrap()
        };
        let plain = fs::read(blob).unwrap();
        let (pairs, halves) = (export(&["--pairs"], "pairs.blob"), export(&["--tables"], "halves.blob"));
        assert!(halves.len() > pairs.len() && pairs.len() > plain.len());
        assert_eq!(export(&["--tables", "pairs"], "same.blob"), pairs);
        assert_eq!(export(&["--tables", "halves"], "same.blob"), halves);
        succeeds(&["export", "--model", "pairs.blob", "--tables", "--out", "both.blob"], at);
        assert_eq!(fs::read(at.join("both.blob")).unwrap(), halves, "in two steps");
    }

    for (arguments, expected) in [
        (&["--model", &f32, "--core", "m4"][..], "has only one layout"),
        (&["--model", &folded, "--layout", "dual16"], "--layout is only for integers"),
        (&["--model", &folded, "--pairs"], "--tables and --pairs are only for integers"),
        (&["--model", &folded, "--tables"], "--tables and --pairs are only for integers"),
        (&["--model", &int8, "--precision", "int4"], "for another precision, export the model"),
        (&["--model", &int4, "--nearest", "--precision", "int4"], "rounded already"),
    ] {
        fails(&[&["export", "--out", "no.blob"], arguments].concat(), at, expected);
    }
    for (arguments, expected) in [
        (&["--pairs", "--tables"][..], "cannot be used with"),
        (&["--tables", "quarters"], "possible values: pairs, halves"),
    ] {
        let output = exporter(&[&["export", "--model", &int8, "--out", "no.blob"], arguments].concat(), at);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(expected), "{arguments:?}: {}", text(&output.stderr));
    }
    assert!(!at.join("no.blob").exists());
}

/// Tests gated units from training to words, in every precision.
#[test]
fn gated_units_go_the_whole_way() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let train = "train --preset gated-88 --block-size 4 --n-embd 6 --n-hidden 12 --steps 200 --threads 1 --no-plots";
    let train: Vec<&str> = train.split(' ').chain(["--out", "g.safetensors", "--json"]).collect();
    let trained = parse(&succeeds(&train, at));
    // A level has two rows per value; each row has a weight per column, gamma and beta.
    assert_eq!(trained["parameters"], 27 * 6 + 24 * (12 + 2) + 24 * (24 + 2) + 12 * 27 + 27);
    assert!(trained["dev_nll"].as_f64().unwrap() < 2.7, "{trained}");

    let export = |precision: &str, more: &[&str], out: &str| {
        let export = ["export", "--model", "g.safetensors", "--precision", precision, "--out", out];
        succeeds(&[&export[..], more].concat(), at);
    };
    export("f32", &[], "f32.blob");
    export("int8", &[], "int8.blob");
    export("int8", &["--core", "m55", "--pairs"], "pairs.blob");
    export("int8", &["--core", "m0", "--tables"], "halves.blob");
    export("int4", &["--core", "m4"], "int4.blob");
    let files = ["g.safetensors", "f32.blob", "int8.blob", "int4.blob"];
    let models: Vec<&str> = files.iter().flat_map(|file| ["--model", file]).collect();
    let table = parse(&succeeds(&[&["eval", "--json"], &models[..]].concat(), at));
    let delta = |model: usize| table["models"][model]["dev_delta"].as_f64().unwrap().abs();
    assert!(delta(1) < 1e-5 && delta(2) < 1e-3 && delta(3) < 0.03, "{table}");

    let blobs = ["--blob", "f32.blob", "--blob", "int8.blob"];
    let found = parse(&succeeds(&[&["validate", "--model", "g.safetensors", "--json"], &blobs[..]].concat(), at));
    assert_eq!(found["dev"]["models"][0]["level_snr_db"], serde_json::json!([null, null]));
    let levels = found["dev"]["models"][1]["level_snr_db"].as_array().unwrap();
    assert!(levels.iter().all(|ratio| ratio.as_f64().is_some_and(|db| (20.0..60.0).contains(&db))), "{found}");

    let words = |model: &str, more: &[&str]| {
        succeeds(&[&["sample", "--model", model, "--count", "40", "--seed", "1"], more].concat(), at)
    };
    assert_eq!(words("g.safetensors", &[]), words("f32.blob", &[]));
    assert_eq!(words("int8.blob", &[]), words("pairs.blob", &[]));
    assert_eq!(words("int8.blob", &[]), words("halves.blob", &[]));
    assert_eq!(words("int8.blob", &["--parallel"]), words("halves.blob", &["--parallel"]));
    for file in files {
        assert_eq!(words(file, &["--parallel"]).lines().count(), 40, "{file}");
    }
}
