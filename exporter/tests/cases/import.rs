//! Networks of other programs: names, vocabularies, kinds of levels, and golden files.

mod network;

use std::path::Path;

use crate::common::workspace;
use crate::program::{Outcome, run_in};
use crate::table::row;
use network::{File, golden, network};

/// Runs `import --in in.safetensors --out model.safetensors` with more arguments on a file.
fn import(folder: &Path, file: &File, more: &[&str]) -> Outcome {
    std::fs::write(folder.join("in.safetensors"), file.bytes()).unwrap();
    run_in(folder, &[&["import", "--in", "in.safetensors", "--out", "model.safetensors"], more].concat())
}

/// Runs `validate --golden` in f32, the precision in which an imported network is compared.
fn validate(folder: &Path, golden: &[u8], more: &[&str]) -> Outcome {
    std::fs::write(folder.join("golden.safetensors"), golden).unwrap();
    let arguments =
        ["validate", "--model", "model.safetensors", "--golden", "golden.safetensors", "--precision", "f32"];
    run_in(folder, &[&arguments, more].concat())
}

/// Returns the line of stderr that has a text.
#[track_caller]
fn line<'o>(outcome: &'o Outcome, text: &str) -> &'o str {
    outcome.stderr.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text:?}: {}", outcome.stderr))
}

/// Imports a file that differs from [`network`] only in names or order, and checks that its logits are the same.
#[track_caller]
fn is_the_network(file: &File, what: &str, more: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let outcome = import(folder.path(), file, more).succeeds();
    validate(folder.path(), &golden(), &[]).succeeds();
    row(what, &["import", &more.join(" ")].join(" "), "imported, same logits");
    outcome
}

#[test]
fn words_for_the_parts_of_a_batch_norm() {
    for (what, words) in [
        ("running statistics called ema_mean, ema_var", [("running_mean", "ema_mean"), ("running_var", "ema_var")]),
        ("buffer_mean, buffer_var", [("running_mean", "buffer_mean"), ("running_var", "buffer_var")]),
        ("moving_mean, moving_variance", [("running_mean", "moving_mean"), ("running_var", "moving_variance")]),
    ] {
        let mut file = network();
        words.iter().for_each(|(from, to)| file.rename(&|name| name.replace(from, to)));
        is_the_network(&file, what, &[]);
    }
    let mut file = network();
    for norm in ["3", "6"] {
        file.rename(&|name| name.replace(&format!("{norm}.weight"), &format!("{norm}.scale")));
        file.rename(&|name| name.replace(&format!("{norm}.bias"), &format!("{norm}.shift")));
    }
    is_the_network(&file, "gamma and beta called scale, shift", &[]);
    let mut file = network();
    for layer in ["0", "2", "5", "8"] {
        file.rename(&|name| name.replace(&format!("{layer}.weight"), &format!("{layer}.weights")));
        file.rename(&|name| name.replace(&format!("{layer}.bias"), &format!("{layer}.biases")));
    }
    is_the_network(&file, "weights, biases in the plural", &[]);
}

/// Returns [`network`] with other names for its modules.
fn named(modules: [&str; 6]) -> File {
    let mut file = network();
    file.rename(&|name| {
        let (module, part) = name.rsplit_once('.').unwrap();
        let at = ["0", "2", "3", "5", "6", "8"].iter().position(|known| *known == module).unwrap();
        format!("{}.{part}", modules[at])
    });
    file
}

#[test]
fn names_of_the_embedding_and_the_output() {
    is_the_network(&named(["embed", "fc1", "bn1", "fc2", "bn2", "unembed"]), "an output layer called unembed", &[]);
    is_the_network(&named(["tok", "fc1", "bn1", "fc2", "bn2", "head"]), "an embedding called tok", &[]);
    let blocks = ["tok", "levels.0.proj", "levels.0.norm", "levels.1.proj", "levels.1.norm", "lm_head"];
    is_the_network(&named(blocks), "blocks of proj and norm", &[]);
    // Unknown names: the shapes decide.
    let unknown = named(["zeichen", "fc1", "bn1", "fc2", "bn2", "ende"]);
    let outcome = is_the_network(&unknown, "an embedding and an output layer under unknown names", &[]);
    line(&outcome, "according to the shapes, zeichen.weight is the embedding");
    // Shapes that fit no network: the error names the assumed roles.
    let mut file = unknown;
    file.set("ende.weight", &[8, 7]);
    let folder = tempfile::tempdir().unwrap();
    let expected = ["is the embedding and ", "\"ende.weight\"", "--order EMBEDDING,...,OUTPUT"];
    let outcome = import(folder.path(), &file, &[]).fails(&expected);
    row("shapes that fit no network", "import", outcome.last());
    assert!(!folder.path().join("model.safetensors").exists());
}

#[test]
fn what_else_is_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = network();
    file.add("mask", &[4, 4], 9);
    let outcome = import(folder.path(), &file, &[]).fails(&["\"mask\" [4, 4] is a mask", "--ignore \"mask\""]);
    row("a mask among the tensors", "import", outcome.last());
    is_the_network(&file, "a mask among the tensors", &["--ignore", "mask"]);
    // Averages of the weights, and counters.
    let mut file = network();
    for name in file.names() {
        file.copy(&name, &format!("ema_model.{name}"));
    }
    file.raw("n_averaged", "I64", &[], 3_i64.to_le_bytes().to_vec());
    file.raw("position_ids", "I64", &[1], 0_i64.to_le_bytes().to_vec());
    let outcome = is_the_network(&file, "averages of the weights beside them (ema_model.)", &[]);
    line(&outcome, "averages of the weights are not used");
    line(&outcome, "not used: ").contains("n_averaged").then_some(()).expect("it is named");
}

#[test]
fn tied_weights_that_are_stored_once() {
    // The form of safetensors' save_model: the output layer shares the embedding's matrix.
    let folder = tempfile::tempdir().unwrap();
    let mut file = network();
    file.set("2.weight", &[4, 8]);
    ["3.weight", "3.bias", "3.running_mean", "3.running_var"].iter().for_each(|name| file.set(name, &[4]));
    file.set("5.weight", &[4, 8]);
    ["6.weight", "6.bias", "6.running_mean", "6.running_var"].iter().for_each(|name| file.set(name, &[4]));
    file.set("0.weight", &[8, 4]);
    file.remove("8.weight");
    let outcome = import(folder.path(), &file, &[]).fails(&["\"8.weight\" is missing", "\"8.bias\""]);
    row("tied weights stored once, without metadata", "import", outcome.last());
    file.metadata.push(("8.weight", "0.weight".to_owned()));
    let outcome = import(folder.path(), &file, &[]).succeeds();
    let tied = line(&outcome, "8.weight is tied to 0.weight");
    row("tied weights stored once, {\"8.weight\": \"0.weight\"}", "import", tied);
    // Without a bias, only the metadata names the output layer.
    file.remove("8.bias");
    import(folder.path(), &file, &[]).succeeds();
}

#[test]
fn a_var_store_without_paths() {
    let mut file = network();
    let order = [
        ("0.weight", "weight"),
        ("2.weight", "weight__1"),
        ("3.running_mean", "running_mean"),
        ("3.running_var", "running_var"),
        ("3.weight", "weight__4"),
        ("3.bias", "bias"),
        ("5.weight", "weight__6"),
        ("6.running_mean", "running_mean__7"),
        ("6.running_var", "running_var__8"),
        ("6.weight", "weight__9"),
        ("6.bias", "bias__10"),
        ("8.weight", "weight__11"),
        ("8.bias", "bias__12"),
    ];
    for (from, to) in order {
        file.rename(&|name| if name == from { to.to_owned() } else { name.to_owned() });
    }
    is_the_network(&file, "a VarStore of tch without paths: weight, weight__1, ...", &[]);
}

#[test]
fn vocabularies_in_other_forms() {
    let vocab = |text: &str| {
        let mut file = network();
        file.metadata = vec![("vocab", text.to_owned())];
        file
    };
    let list = r#"[".", "a", "b", "c", "d", "e", "f", "g"]"#;
    is_the_network(&vocab(list), "a vocabulary as a JSON list", &[]);
    let object = r#"{"a": 1, "b": 2, ".": 0, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7}"#;
    is_the_network(&vocab(object), "a vocabulary as JSON from characters to rows", &[]);
    let folder = tempfile::tempdir().unwrap();
    // Two signs: one pads the context, the other ends a word.
    let outcome = import(folder.path(), &vocab("<S>abcdef<E>"), &[]).succeeds();
    row("signs <S> and <E>", "import", line(&outcome, "starts and"));
    let words = run_in(folder.path(), &["sample", "--model", "model.safetensors", "-n", "9"]).succeeds().stdout;
    assert!(words.chars().all(|character| "abcdef\n".contains(character)), "{words}");
    let outcome = import(folder.path(), &vocab(r#"["<pad>", "<unk>", "a", "b", "c", "d", "e", "f"]"#), &[]);
    row("a vocabulary with <unk>", "import", outcome.fails(&["\"<unk>\" in row 1"]).last());
}

#[test]
fn the_boundary_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = network();
    file.metadata = vec![("vocab", "abcdefg.".to_owned())];
    let outcome = import(folder.path(), &file, &[]).succeeds();
    row("a vocabulary with the boundary last", "import", line(&outcome, "row 7 of the file and row 0 of the model"));
    // The golden contexts are padded with row 0, which is not the boundary: the logits agree, but a warning says so.
    let outcome = validate(folder.path(), &golden(), &[]).succeeds();
    row("golden contexts padded with another row", "validate --golden", line(&outcome, "warning: "));
    let words = run_in(folder.path(), &["sample", "--model", "model.safetensors", "-n", "9"]).succeeds().stdout;
    assert!(words.chars().all(|character| "abcdefg\n".contains(character)), "{words}");
    // No usual sign: the user or the golden contexts must name the boundary.
    file.metadata = vec![("vocab", "abcdefgh".to_owned())];
    let folder = tempfile::tempdir().unwrap();
    let outcome = import(folder.path(), &file, &[]).fails(&["\"abcdefgh\"", "--boundary CHARACTER"]);
    row("a vocabulary without a sign for the boundary", "import", outcome.last());
    assert!(!folder.path().join("model.safetensors").exists());
    let outcome = import(folder.path(), &file, &["--boundary", "c"]).succeeds();
    line(&outcome, "the boundary \"c\" is row 2");
    std::fs::write(folder.path().join("golden.safetensors"), golden()).unwrap();
    let outcome = import(folder.path(), &file, &["--golden", "golden.safetensors"]).succeeds();
    line(&outcome, "padded with \"a\" (row 0), so this is the boundary");
}

#[test]
fn rows_in_another_order() {
    let folder = tempfile::tempdir().unwrap();
    let (file, words) = (workspace("tests/fixtures/pytorch/letters60.safetensors"), letters());
    let (input, data) = (file.to_str().unwrap(), words.0.to_str().unwrap());
    let reversed: String = words.1.chars().rev().collect();
    let arguments = ["import", "--in", input, "--data", data, "--out", "m.safetensors", "--vocab"];
    let outcome = run_in(folder.path(), &[&arguments[..], &[&format!(".{reversed}")]].concat());
    let outcome = outcome.fails(&["worse than guessing among 61 characters", "another order", "--activation"]);
    assert!(!folder.path().join("m.safetensors").exists());
    let text = outcome.last();
    row("rows in another order than the vocabulary", "import --data", &text[text.find("a loss of").unwrap()..]);
}

/// Returns the path of a fixture's list, and its characters in order.
fn letters() -> (std::path::PathBuf, String) {
    let path = workspace("tests/fixtures/pytorch/letters60.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let characters: std::collections::BTreeSet<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    (path, characters.into_iter().collect())
}

#[test]
fn kinds_of_levels() {
    for (name, more, expected) in [
        ("conv_strided", &[][..], "fuses 2 x 6, a convolution, BatchNorm bns.0, tanh"),
        ("gated_pairs", &[], "fuses 2 x 6, BatchNorm blocks.0.bn_g, gated"),
        ("gated_wide", &[], "reads 8 + 10"),
        ("skip", &[], "reads 10 + 10"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = |end: &str| workspace("tests/fixtures/networks").join(format!("{name}{end}.safetensors"));
        let (input, golden) = (path(""), path("_golden"));
        let arguments = ["import", "--in", input.to_str().unwrap(), "--out", "model.safetensors"];
        let outcome = run_in(folder.path(), &[&arguments[..], more].concat()).succeeds();
        let says = line(&outcome, expected).split_whitespace().collect::<Vec<_>>().join(" ");
        validate(folder.path(), &std::fs::read(&golden).unwrap(), &["--tolerance", "1e-5"]).succeeds();
        row(&format!("a network of kind {name}"), &["import", &more.join(" ")].join(" "), &says);
    }
}

#[test]
fn golden_files_at_import() {
    for name in ["relu", "gates_first", "skip_last_first"] {
        let folder = tempfile::tempdir().unwrap();
        let path = |end: &str| workspace("tests/fixtures/networks").join(format!("{name}{end}.safetensors"));
        let (input, golden) = (path(""), path("_golden"));
        let arguments = ["import", "--in", input.to_str().unwrap(), "--out", "model.safetensors"];
        // Without the golden file, the default assumptions are wrong for these networks.
        run_in(folder.path(), &arguments).succeeds();
        let bytes = std::fs::read(&golden).unwrap();
        assert_eq!(validate(folder.path(), &bytes, &[]).code, Some(1), "{name}");
        let outcome = run_in(folder.path(), &[&arguments[..], &["--golden", golden.to_str().unwrap()]].concat());
        let outcome = outcome.succeeds();
        validate(folder.path(), &bytes, &["--tolerance", "1e-5"]).succeeds();
        let text = line(&outcome, "determines the network");
        row(&format!("a network of kind {name}"), "import --golden", &text[text.find("determines").unwrap()..]);
    }
    // The golden logits belong to another network.
    let folder = tempfile::tempdir().unwrap();
    let mut file = network();
    file.set("5.weight", &[6, 10]);
    std::fs::write(folder.path().join("golden.safetensors"), golden()).unwrap();
    let outcome = import(folder.path(), &file, &["--golden", "golden.safetensors"]);
    let outcome = outcome.fails(&["none of the", "the nearest, ", "is off by"]);
    assert!(!folder.path().join("model.safetensors").exists());
    let text = outcome.last();
    row("golden logits of another network", "import --golden", &text[text.find("none of").unwrap()..]);
}

#[test]
fn golden_logits_in_other_forms() {
    let folder = tempfile::tempdir().unwrap();
    import(folder.path(), &network(), &[]).succeeds();
    let outcome = validate(folder.path(), &network::golden_of(network::log_softmax, "F32"), &[]).succeeds();
    row("golden log-probabilities", "validate --golden", line(&outcome, "log-probabilities"));
    for dtype in ["F16", "BF16"] {
        let outcome = validate(folder.path(), &network::golden_of(|row| row.to_vec(), dtype), &[]).succeeds();
        row(&format!("golden logits in {dtype}"), "validate --golden", line(&outcome, "the tolerance includes that"));
    }
    let softmax = |row: &[f64]| network::log_softmax(row).iter().map(|x| x.exp()).collect();
    let outcome = validate(folder.path(), &network::golden_of(softmax, "F32"), &[]).fails(&["probabilities"]);
    row("golden probabilities", "validate --golden", outcome.last());
}
