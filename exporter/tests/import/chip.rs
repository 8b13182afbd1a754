//! Imported networks on the emulated chip: the same words as on the host, in every precision.

use exporter::measure::eval::golden::Golden;
use exporter::model::pack::pack_integer;
use exporter::model::quantize::{Range, quantize_nearest};
use runtime::Sampling;
use runtime::format::Layout;
use tests::{Firmware, host_words};
use xtask::emulator::report;

use super::golden::{blobs, fixture, fixtures};
use super::networks;

#[test]
fn imported_networks_say_the_same_on_host_and_chip() {
    let folder = tempfile::tempdir().unwrap();
    for (name, model, _) in fixtures() {
        let golden = Golden::read(&fixture(&format!("{name}_golden.safetensors"))).unwrap();
        // The prompt is the second character after the boundary, which is not ASCII for one of the networks.
        let prompt = model.vocab.chars().nth(2).unwrap().to_string();
        for (precision, blob) in blobs(&model, &golden) {
            let path = folder.path().join(format!("{name}.{precision}.blob"));
            std::fs::write(&path, blob.as_bytes()).unwrap();
            let run = Firmware::build_with("mps2-an386", "generate", &path).run(&[
                "n=20",
                "seed=7",
                &format!("prompt={prompt}"),
            ]);
            assert!(run.success(), "{name} {precision}: {:?}", run.lines);
            let (words, facts) = report(&run.lines);
            assert_eq!(words, host_words(&blob, Sampling::default(), 7, &prompt, 20), "{name} {precision}");
            assert!(words.iter().all(|word| word.starts_with(&prompt)));
            println!("{name} {precision}: {} instructions per character", facts["instructions_per_char"]);
        }
    }
}

/// Runs convolutions, gated units, skip connections and ReLU as int8, with the boundary in different rows of the file.
#[test]
fn every_kind_of_network_says_the_same_on_host_and_chip() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "boundary_last",
        "conv_dilated",
        "conv_strided",
        "gated_pairs",
        "gated_wide",
        "gates_first",
        "relu",
        "skip",
        "skip_last_first",
    ] {
        let (model, _) = networks::model(name);
        let blob = pack_integer(&model, &quantize_nearest(&model, Range::INT8), Layout::RowMajor).unwrap();
        let path = folder.path().join(format!("{name}.blob"));
        std::fs::write(&path, blob.as_bytes()).unwrap();
        let run = Firmware::build_with("mps2-an386", "generate", &path).run(&["n=20", "seed=7"]);
        assert!(run.success(), "{name}: {:?}", run.lines);
        let (words, _) = report(&run.lines);
        assert_eq!(words, host_words(&blob, Sampling::default(), 7, "", 20), "{name}");
    }
}
