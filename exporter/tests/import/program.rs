//! `import`, `validate --golden`, `export` and `sample` as a user runs them, on the committed networks.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::golden::fixture;

fn exporter(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exporter"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("the program starts")
}

fn succeeds(arguments: &[&str], folder: &Path) -> (String, String) {
    let output = exporter(arguments, folder);
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    (stdout, stderr)
}

fn path(name: &str) -> String {
    fixture(name).display().to_string()
}

#[test]
fn import_says_what_it_understood() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let import = ["import", "--in", &path("deep16.safetensors"), "--block-size", "16"];
    let (stdout, stderr) = succeeds(&[&import[..], &["--out", "a.safetensors"]].concat(), here);
    assert_eq!(stdout, "");
    for part in [
        "[fan_out, fan_in], as in nn.Linear",
        "embedding  embedding.weight  [27, 12]     27 characters, n_embd 12",
        "level 0    fc1.weight        [96, 24]     fuses 2 x 12, bias fc1.bias, BatchNorm bn1, tanh",
        "level 3    fc4.weight        [96, 192]    fuses 2 x 96, bias fc4.bias, BatchNorm bn4, tanh",
        "output     head.weight       [27, 96]     reads 96, bias head.bias",
        "block_size 16 = 2 * 2 * 2 * 2, vocabulary \".abcdefghijklmnopqrstuvwxyz\"",
        "not used: bn1.num_batches_tracked",
        "tanh after every level and its BatchNorm, eps 1e-5",
    ] {
        assert!(stderr.contains(part), "{part:?} is not in:\n{stderr}");
    }
    succeeds(&[&import[..], &["--out", "b.safetensors"]].concat(), here);
    let bytes = |name: &str| std::fs::read(here.join(name)).unwrap();
    assert_eq!(bytes("a.safetensors"), bytes("b.safetensors"), "the same input makes the same bytes");
    // The metadata has the order of the characters; another --vocab draws other names.
    succeeds(&[&import[..], &["--out", "c.safetensors", "--vocab", ".zyxwvutsrqponmlkjihgfedcba"]].concat(), here);
    assert_ne!(bytes("a.safetensors"), bytes("c.safetensors"));
}

#[test]
fn letters_beyond_ascii_go_all_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (model, words) = (path("letters60.safetensors"), path("letters60.txt"));
    let (_, stderr) = succeeds(&["import", "--in", &model, "--data", &words, "--out", "m.safetensors"], here);
    assert!(stderr.contains("transposed as in the lecture's own Linear"), "{stderr}");
    // The file has the losses, and eval measures the same losses.
    let (json, _) = succeeds(&["eval", "--model", "m.safetensors", "--data", &words, "--part", "all", "--json"], here);
    let losses: serde_json::Value = serde_json::from_str(&json).unwrap();
    let text = String::from_utf8_lossy(&std::fs::read(here.join("m.safetensors")).unwrap()).into_owned();
    for part in ["train", "dev", "test"] {
        let nll = losses[format!("{part}_nll")].as_f64().unwrap();
        assert!(text.contains(&format!("\"{part}_nll\":\"{nll:.6}\"")), "{part} {nll}");
        assert!(stderr.contains(&format!("{part:<5} {nll:.4}")), "{stderr}");
    }
    for precision in ["f32", "int8", "int4"] {
        let blob = format!("m.{precision}.blob");
        let calibration = ["--calibration", &words];
        let more = if precision == "int4" { &calibration[..] } else { &[] };
        succeeds(
            &[&["export", "--model", "m.safetensors", "--precision", precision, "--out", &blob], more].concat(),
            here,
        );
        let (words, _) = succeeds(&["sample", "--model", &blob, "-n", "5", "--prompt", "ąć"], here);
        assert_eq!(words.lines().filter(|word| word.starts_with("ąć")).count(), 5, "{precision}: {words}");
        let golden = path("letters60_golden.safetensors");
        let (json, stderr) = succeeds(&["validate", "--model", &blob, "--golden", &golden, "--json"], here);
        let found: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&found["pass"], &found["contexts"]), (&true.into(), &64.into()));
        assert_eq!(
            found.as_object().unwrap().keys().filter(|key| ["f32", "int8", "int4"].contains(&key.as_str())).count(),
            1
        );
        assert!(found[precision]["max_abs_dlogit"].is_f64() && stderr.contains(&format!("{precision:<4}")), "{stderr}");
    }
}

#[test]
fn validate_passes_and_fails_by_the_tolerance() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeeds(&["import", "--in", &path("deep16.safetensors"), "--out", "m.safetensors"], here);
    let golden = path("deep16_golden.safetensors");
    let validate = ["validate", "--model", "m.safetensors", "--golden", &golden];
    let (json, stderr) = succeeds(&[&validate[..], &["--json"]].concat(), here);
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    for precision in ["f32", "int8", "int4"] {
        for key in ["max_abs_dlogit", "mean_abs_dlogit", "dnll", "top1", "tolerance"] {
            assert!(found[precision][key].is_f64(), "{precision} {key}: {found}");
        }
        assert_eq!(found[precision]["pass"], true);
    }
    assert!(found["f32"]["max_abs_dlogit"].as_f64().unwrap() <= 1e-4);
    assert_eq!(stderr.matches("  pass").count(), 3, "{stderr}");

    let code = |more: &[&str]| exporter(&[&validate[..], more].concat(), here).status.code();
    assert_eq!(code(&["--precision", "f32", "--tolerance", "1e-4"]), Some(0));
    assert_eq!(code(&["--precision", "f32,int8", "--tolerance", "1e-4"]), Some(1), "eight bits are off by more");
    assert_eq!(code(&["--precision", "f32,int8", "--tolerance", "f32=1e-4,int8=0.5"]), Some(0));
    assert_eq!(code(&["--precision", "f32", "--tolerance", "0"]), Some(1));
    // clap exits with 2 for invalid options.
    for wrong in [&["--tolerance", "x"][..], &["--tolerance", "-1"], &["--tolerance", "int3=1"], &["--blob", "m.blob"]]
    {
        assert_eq!(code(wrong), Some(2), "{wrong:?}");
    }
    // Another network's logits, and no logits at all.
    for (other, expected) in
        [("letters60_golden.safetensors", "of another model"), ("deep16.safetensors", "\"contexts\" is missing")]
    {
        let output = exporter(&["validate", "--model", "m.safetensors", "--golden", &path(other)], here);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr.starts_with("error: ") && stderr.contains(expected) && stderr.lines().count() == 1, "{stderr}");
    }
}
