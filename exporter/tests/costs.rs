//! Compares predicted with counted instructions on every emulated core, for networks to which the costs were not
//! fitted.

use std::fs;

use costs::{Network, counted_on, is_predicted};
use exporter::measure::costs::Costs;
use exporter::model::quantize::table_pays;
use runtime::format::{AlignedBlob, Core, Precision, WeightFormat};
use runtime::{Activation, Level, Model};
use xtask::bench::{self, Case, GATED, Record, SHIPPED, WAVENET};
use xtask::command::advice;
use xtask::repo::Repo;
use xtask::{board, firmware};

/// Largest error of a prediction, in percent.
const PERCENT: f64 = 5.0;
/// Largest error for a network of one level, in percent: few of its instructions are in loops.
const PERCENT_OF_ONE_LEVEL: f64 = 8.0;

/// Number of random networks per core and precision.
const NETWORKS: u64 = 3;

/// Asserts that a blob takes the predicted instructions on a core, and prints both numbers.
fn is_as_predicted(core: Core, name: &str, blob: &[u8], counted: u64, parts: &[(String, u64)]) {
    let blob = AlignedBlob::from(blob);
    let model = Model::new(blob.as_bytes()).expect("a model");
    let costs = Costs::shipped();
    let row = costs.row(core, model.precision()).expect("every combination was counted");
    let prediction = row.predict(&Network::of(&model, core).parts());
    let predicted = prediction.instructions;
    let percent = 100.0 * (predicted / counted as f64 - 1.0);
    let precision = model.precision().name();
    print!(
        "{:<4} {precision:<4} {name:<12} {counted:>7} counted {predicted:>7.0} predicted {percent:>+6.2} %",
        core.name()
    );
    for ((part, counted), predicted) in parts.iter().zip(&prediction.parts) {
        print!("  {part} {counted} {:+.0}", predicted - *counted as f64);
    }
    println!();
    let bound = if model.config().levels().len() == 1 { PERCENT_OF_ONE_LEVEL } else { PERCENT };
    assert!(
        percent.abs() < bound,
        "{name} in {precision} on {}: {predicted:.0} instructions predicted, {counted} counted ({percent:+.1} %): `cargo xtask fit`",
        core.name()
    );
}

/// Returns the board on which a core is emulated.
fn board_of(core: Core) -> &'static str {
    counted_on(core).expect("a predicted core")
}

/// The cores that are emulated; the others run the code of one of them.
const CORES: [Core; 6] = [Core::M0, Core::M3, Core::M4, Core::M33, Core::M55, Core::Rv32imc];

/// Checks the shipped model and the models of `cargo xtask bench`, whose counts are on record. `tests/performance.rs`
/// and the bench itself check the record.
#[test]
fn what_is_on_record_is_predicted() {
    let repo = Repo::find();
    let record = Record::read(&repo).expect("docs/trust/record/performance.json");
    let mut rows = 0;
    for core in CORES {
        let board = board::find(board_of(core)).expect("a board");
        for row in record.rows.iter().filter(|row| row.board == board.name && row.is_own) {
            let Some(model) = [SHIPPED, WAVENET, GATED].into_iter().find(|model| row.model == *model) else { continue };
            let precision =
                firmware::PRECISIONS.into_iter().find(|precision| row.precision == *precision).expect("one of three");
            let blob = Case { board, model, precision, layout: None }.blob(&repo).expect("a blob");
            is_as_predicted(core, model, &fs::read(blob).expect("a file"), row.instructions, &row.parts);
            rows += 1;
        }
    }
    assert_eq!(rows, 3 * (2 * CORES.len() + 3), "three models in two precisions, and in f32 where there is an FPU");
}

/// xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Returns a random network, as a user might train it, small enough for every board.
fn network(seed: u64) -> bench::Network {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    // The first few numbers are similar for neighbouring seeds.
    for _ in 0..8 {
        random.below(2);
    }
    let activation = if random.below(2) == 0 { Activation::Tanh } else { Activation::Gated };
    let vocab_size = 20 + random.below(40) as usize;
    let n_embd = 6 + random.below(26) as usize;
    let levels: Vec<Level> = (0..1 + random.below(4))
        .map(|_| Level { fuse: [2, 2, 2, 3, 4][random.below(5) as usize], width: 16 + 2 * random.below(36) as u16 })
        .collect();
    let first = &levels[0];
    let rows = usize::from(first.width) * activation.rows_per_value();
    let pays = table_pays(first.fuse.into(), rows, vocab_size, n_embd);
    bench::Network {
        vocab_size,
        n_embd: n_embd as u16,
        skip: random.below(2) == 0,
        first: if pays { WeightFormat::Table } else { WeightFormat::Int8 },
        output: WeightFormat::Int8,
        activation,
        levels,
    }
}

/// Counts the tiny model and random networks in QEMU.
fn is_predicted_on(core: Core) {
    let repo = Repo::find();
    let board = board::find(board_of(core)).expect("a board");
    let folder = repo.root().join("target/fit");
    fs::create_dir_all(&folder).expect("a folder");
    for precision in Precision::ALL.iter().filter(|&&precision| is_predicted(core, precision)) {
        let precision = precision.name();
        let tiny =
            if precision == "f32" { "models/tiny.blob".to_owned() } else { format!("models/tiny.{precision}.blob") };
        let mut blobs = vec![("tiny".to_owned(), repo.root().join(tiny))];
        for seed in 1..=NETWORKS {
            let network = network(seed);
            let levels: Vec<String> =
                network.levels.iter().map(|level| format!("{}:{}", level.fuse, level.width)).collect();
            let bytes = bench::random_blob(&network, precision).expect("a network");
            // Each core has its own file, since tests of other cores run at the same time.
            let file = folder.join(format!("test-{}-{seed}.{precision}.blob", board.name));
            if fs::read(&file).ok().as_ref() != Some(&bytes) {
                fs::write(&file, bytes).expect("a file");
            }
            blobs.push((levels.join(","), file));
        }
        for (name, file) in blobs {
            let counts = bench::count(&repo, board, &file);
            let counts = counts.unwrap_or_else(|error| panic!("{}", advice(&error)));
            is_as_predicted(core, &name, &fs::read(&file).expect("a file"), counts.instructions, &counts.parts);
        }
    }
}

#[test]
fn random_networks_on_cortex_m0() {
    is_predicted_on(Core::M0);
}

#[test]
fn random_networks_on_cortex_m3() {
    is_predicted_on(Core::M3);
}

#[test]
fn random_networks_on_cortex_m4() {
    is_predicted_on(Core::M4);
}

#[test]
fn random_networks_on_cortex_m33() {
    is_predicted_on(Core::M33);
}

#[test]
fn random_networks_on_cortex_m55() {
    is_predicted_on(Core::M55);
}

#[test]
fn random_networks_on_rv32imc() {
    is_predicted_on(Core::Rv32imc);
}
