//! Tests `inspect`: its figures are those of the exported blobs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use exporter::measure::costs::Costs;
use exporter::measure::inspect::inspect;
use exporter::model::pack::ModelFile;
use runtime::Model;
use runtime::format::{AlignedBlob, Layout, WeightFormat};
use runtime::write::{relayout, tabulate_halves, tabulate_pairs};
use serde_json::Value;
use tempfile::TempDir;
use xtask::{bench, firmware};

fn exporter(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_exporter"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Runs a command that must succeed; returns its stdout.
fn succeeds(arguments: &[&str]) -> String {
    let output = exporter(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("one JSON object: {error}: {json}"))
}

fn models(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name);
    fs::canonicalize(&path).unwrap_or_else(|_| panic!("no {}", path.display())).display().to_string()
}

#[test]
fn a_model_is_inspected() {
    let inspect = |name: &str| parse(&succeeds(&["inspect", "--model", &models(name), "--json"]));
    let shipped = inspect("names.safetensors");
    assert_eq!(shipped["network"]["macs_streaming"], 72_192);
    assert_eq!(shipped["network"]["parameters"], 73_379);
    assert_eq!(shipped["network"]["levels"][2]["receptive_field"], 8);
    assert!(shipped["origin"]["test_nll"].is_f64());
    let precisions = ["f32", "int8", "int4"];
    assert_eq!(shipped["cores"].as_array().map(Vec::len), Some(9 * precisions.len()));
    for (at, precision) in precisions.into_iter().enumerate() {
        let file = if precision == "f32" { "names.blob".to_owned() } else { format!("names.{precision}.blob") };
        let bytes = fs::metadata(models(&file)).unwrap().len();
        let blob = inspect(&file);
        for info in [&shipped["blobs"][at], &blob["blobs"][0]] {
            assert_eq!((&info["precision"], &info["bytes"]), (&precision.into(), &bytes.into()));
            let sum: u64 = info["parts"].as_array().unwrap().iter().map(|part| part[1].as_u64().unwrap()).sum();
            assert_eq!(sum, bytes, "{info}");
        }
        // The figures are the same from the safetensors file and from the blob.
        let of = |inspection: &Value| -> Vec<Value> {
            let rows = inspection["cores"].as_array().unwrap().iter();
            rows.filter(|row| row["precision"] == precision).cloned().collect()
        };
        assert_eq!(of(&shipped), of(&blob), "{precision}");
        assert!(blob["origin"]["dev_nll"].as_f64().is_some_and(|nll| (nll - 1.9359).abs() < 0.001));
    }
    // The exported blob has the predicted size and state.
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("m.blob").display().to_string();
    for row in shipped["cores"].as_array().unwrap() {
        let (core, precision) = (row["core"].as_str().unwrap(), row["precision"].as_str().unwrap());
        if precision != "int8" {
            assert!(
                precision == "int4"
                    || row["missing"].is_string() == ["m0", "m0+", "m3", "rv32imc", "hazard3"].contains(&core),
                "{row}"
            );
            continue;
        }
        let model = models("names.safetensors");
        succeeds(&["export", "--model", &model, "--precision", precision, "--core", core, "--out", &out]);
        let bytes = fs::read(&out).unwrap();
        assert_eq!(row["model_bytes"], bytes.len(), "{core}");
        let blob = AlignedBlob::from(bytes.as_slice());
        // The state is its words and eight 16-bit counters.
        assert_eq!(row["state_bytes"], 4 * Model::new(blob.as_bytes()).unwrap().state_words() + 16, "{core}");
        let instructions = row["instructions_per_char"].as_u64().unwrap();
        assert!((10_000..250_000).contains(&instructions), "{row}");
        assert!(row["cycles_per_char"].as_u64().unwrap() > instructions && row["fits"] == true, "{row}");
    }
    let table = succeeds(&["inspect", "--model", &models("tiny.int8.blob")]);
    for part in ["preset tiny", "level 0", "golden text", "m55      int8", "chars/s", "STM32F405RG"] {
        assert!(table.contains(part), "no {part} in:\n{table}");
    }
    assert!(!table.contains('\u{1b}'));
    let output = exporter(&["inspect", "--model", "missing.blob"]);
    let stderr = text(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.starts_with("error: cannot read missing.blob"), "{stderr}");
}

/// Checks the sum of a blob's parts for networks with every kind of layer, in every layout.
#[test]
fn no_byte_is_left_out() {
    let level = |fuse, width| runtime::Level { fuse, width };
    let network = bench::Network {
        vocab_size: 30,
        n_embd: 9,
        levels: vec![level(2, 13), level(3, 22)],
        activation: runtime::Activation::Gated,
        skip: true,
        first: WeightFormat::Int8,
        output: WeightFormat::Int4,
    };
    let table =
        bench::Network { first: WeightFormat::Table, skip: false, output: WeightFormat::Int8, ..network.clone() };
    let costs = Costs::shipped();
    let mut blobs = 0;
    let mut is_whole = |bytes: &[u8]| {
        let blob = AlignedBlob::from(bytes);
        let inspection = inspect(&ModelFile::Blob(blob), &costs).expect("a model");
        let info = &inspection.blobs[0];
        let sum: usize = info.parts.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(sum, bytes.len(), "{info:?}");
        for row in inspection.cores {
            let Some(needs) = row.needs else { continue };
            assert!(needs.instructions_per_char > 1_000 && needs.cycles_per_char > 1_000, "{needs:?}");
        }
        blobs += 1;
    };
    let tabulated = bench::Network { levels: vec![level(2, 13), level(2, 21), level(3, 5)], ..table.clone() };
    for network in [&network, &table, &tabulated] {
        for precision in firmware::PRECISIONS {
            let bytes = bench::random_blob(network, precision).expect("a network");
            is_whole(&bytes);
            if precision == "f32" {
                continue;
            }
            let blob = AlignedBlob::from(bytes.as_slice());
            let model = Model::new(blob.as_bytes()).expect("a model");
            let pairs = tabulate_pairs(&model).expect("of two characters");
            for bytes in [Some(bytes), Some(pairs), tabulate_halves(&model).ok()].iter().flatten() {
                let blob = AlignedBlob::from(bytes.as_slice());
                let model = Model::new(blob.as_bytes()).expect("a model");
                Layout::INTEGERS.iter().for_each(|&layout| is_whole(&relayout(&model, layout).expect("any layout")));
            }
        }
    }
    // Halves of the third network only: level 1 of the others fuses three.
    assert_eq!(blobs, 3 * (3 + 2 * 2 * Layout::INTEGERS.len()) + 2 * Layout::INTEGERS.len());
}
