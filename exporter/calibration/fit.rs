//! Fits the instructions of each term of a network's work on every core; writes `exporter/data/costs.json`.
//!
//! This is the program of `cargo xtask fit`. The firmware of `cargo xtask bench` counts networks of many shapes with
//! random weights in the emulator, part by part. `--counts` fits the saved counts of the last run without counting.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

#[macro_use]
#[path = "../../xtask/src/macros.rs"]
mod macros;

use std::fs;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use costs::{Network, counted_on, is_predicted, predicted};
use exporter::io::write::write_atomically;
use exporter::measure::costs::fit::{Observation, least_squares};
use exporter::measure::costs::{Costs, PROGRAM, Row};
use runtime::format::{AlignedBlob, Precision, WeightFormat};
use runtime::write::{tabulate_halves, tabulate_pairs};
use runtime::{Activation, Level, Model};
use serde::{Deserialize, Serialize};
use xtask::bench::{self, SHIPPED};
use xtask::board;
use xtask::emulator;
use xtask::firmware;
use xtask::repo::Repo;
use xtask::size;
use xtask::streams;

/// Shape of a network that is counted. Most are small enough for the smallest board.
struct Shape {
    vocab_size: usize,
    n_embd: u16,
    levels: &'static [(u8, u16)],
    gated: bool,
    skip: bool,
    /// Format of level 0; with [`WeightFormat::Halves`], level 1 has that format, above pairs.
    first: WeightFormat,
    int4_output: bool,
}

const fn shape(vocab_size: usize, n_embd: u16, levels: &'static [(u8, u16)]) -> Shape {
    Shape { vocab_size, n_embd, levels, gated: false, skip: false, first: WeightFormat::Table, int4_output: false }
}

impl Shape {
    const fn gated(self) -> Self {
        Self { gated: true, ..self }
    }
    const fn skip(self) -> Self {
        Self { skip: true, ..self }
    }
    const fn embedding(self) -> Self {
        Self { first: WeightFormat::Int8, ..self }
    }
    const fn pairs(self) -> Self {
        Self { first: WeightFormat::Pairs, ..self }
    }
    const fn halves(self) -> Self {
        Self { first: WeightFormat::Halves, ..self }
    }
    const fn int4_output(self) -> Self {
        Self { int4_output: true, ..self }
    }

    /// Makes a blob with random weights; integers are in the plain layout.
    fn blob(&self, precision: &str) -> Result<Vec<u8>> {
        let network = bench::Network {
            vocab_size: self.vocab_size,
            n_embd: self.n_embd,
            levels: self.levels.iter().map(|&(fuse, width)| Level { fuse, width }).collect(),
            activation: if self.gated { Activation::Gated } else { Activation::Tanh },
            skip: self.skip,
            first: if self.is_tabulated() { WeightFormat::Table } else { self.first },
            output: if self.int4_output { WeightFormat::Int4 } else { WeightFormat::Int8 },
        };
        let blob = bench::random_blob(&network, precision)?;
        let plain = AlignedBlob::from(blob.as_slice());
        let tabulated = match self.first {
            WeightFormat::Pairs => tabulate_pairs(&Model::new(plain.as_bytes())?)?,
            WeightFormat::Halves => tabulate_halves(&Model::new(plain.as_bytes())?)?,
            WeightFormat::F32 | WeightFormat::Table | WeightFormat::Int8 | WeightFormat::Int4 => blob,
        };
        Ok(tabulated)
    }

    /// Returns whether the blob is made from one with other weight formats.
    fn is_tabulated(&self) -> bool {
        matches!(self.first, WeightFormat::Pairs | WeightFormat::Halves)
    }
}

/// Networks that are counted. Every term occurs in several networks, together with different other terms.
const SHAPES: [Shape; 25] = [
    shape(27, 24, &[(2, 32), (2, 32), (2, 32)]),
    shape(27, 16, &[(2, 48), (2, 24), (2, 64)]).gated().skip(),
    shape(40, 12, &[(3, 40), (2, 36)]).embedding(),
    shape(27, 10, &[(8, 100)]).embedding(),
    shape(27, 24, &[(2, 128), (2, 96)]).gated(),
    shape(64, 8, &[(2, 20), (3, 28), (2, 44)]).skip().embedding().int4_output(),
    shape(27, 6, &[(2, 16), (2, 16), (2, 16), (2, 16)]).int4_output(),
    shape(27, 16, &[(4, 64), (4, 80)]).gated().skip().embedding(),
    shape(100, 20, &[(2, 72), (2, 56), (2, 40)]).embedding(),
    shape(27, 32, &[(2, 100), (2, 120), (2, 60)]).skip(),
    shape(27, 24, &[(3, 50), (3, 44)]).gated(),
    shape(33, 30, &[(4, 36), (2, 90)]).int4_output(),
    shape(27, 20, &[(2, 8), (2, 12), (2, 20), (2, 28), (2, 36)]).skip(),
    shape(48, 40, &[(2, 60), (2, 50)]).int4_output(),
    shape(27, 24, &[(2, 40), (2, 48)]).pairs(),
    shape(30, 12, &[(2, 64), (3, 30)]).gated().skip().pairs().int4_output(),
    shape(20, 8, &[(2, 16), (2, 24), (2, 20)]).pairs(),
    shape(20, 8, &[(2, 16), (2, 24), (2, 20)]).halves(),
    shape(18, 12, &[(2, 20), (2, 30)]).gated().skip().halves(),
    shape(16, 10, &[(2, 24), (2, 52), (3, 16)]).halves().int4_output(),
    // More columns than any kernel computes in one round.
    shape(27, 24, &[(2, 112), (3, 48)]),
    // Long rings, which the beginning of a word fills.
    shape(27, 24, &[(4, 12), (8, 24), (8, 16)]),
    // Widths that are no multiple of any block or group.
    shape(31, 9, &[(2, 30)]).embedding(),
    shape(24, 13, &[(2, 46), (2, 39), (3, 31)]).skip().embedding(),
    shape(29, 10, &[(2, 22), (2, 53)]).gated().embedding(),
];

/// A counted network.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Count {
    board: String,
    precision: String,
    shape: usize,
    instructions: u64,
    parts: Vec<(String, u64)>,
    word: f64,
}

/// File of the saved counts, relative to the root of the repository.
const COUNTS: &str = "target/fit/counts.json";

fn main() -> ExitCode {
    streams::finish(match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    })
}

fn run() -> Result<()> {
    let repo = Repo::find();
    let (mut again, mut only) = (false, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--counts" => again = true,
            "--board" => only = Some(args.next().context("--board needs the name of a board")?),
            other => {
                bail!(
                    "no option {other}: --counts fits the counts of the last run again, --board NAME counts only one board"
                )
            }
        }
    }
    let chosen = |board: &str| only.as_ref().is_none_or(|only| only == board);
    ensure!(
        combinations().iter().any(|(board, _)| chosen(board)),
        "no core is counted on {}",
        only.unwrap_or_default()
    );
    let started = Instant::now();
    let file = repo.root().join(COUNTS);
    fs::create_dir_all(file.parent().context("a folder")?)?;
    let mut costs = Costs::shipped();
    let counts: Vec<Count> = if again {
        serde_json::from_slice(
            &fs::read(&file).with_context(|| format!("no {COUNTS}: run `cargo xtask fit` without --counts first"))?,
        )?
    } else {
        let counts = count(&repo, combinations().into_iter().filter(|(board, _)| chosen(board)))?;
        write_atomically(&file, &serde_json::to_vec(&counts)?)?;
        counts
    };
    let record = bench::Record::read(&repo)?;
    let mut rows = Vec::new();
    for (board, precision) in combinations() {
        if !chosen(board) {
            let kept = costs.rows.iter().find(|row| row.board == board && row.precision == precision);
            rows.push(
                kept.with_context(|| {
                    format!("no coefficients for {precision} on {board} yet: run without --board first")
                })?
                .clone(),
            );
            continue;
        }
        let of: Vec<&Count> = counts.iter().filter(|c| c.board == board && c.precision == precision).collect();
        // The output layer of an int4 model and its level on embeddings run the kernels of int8, so the counts of int8
        // models help to fit them.
        let kin = |c: &&Count| precision == "int4" && c.board == board && c.precision == "int8";
        let kin: Vec<&Count> = counts.iter().filter(kin).collect();
        let mut row = fit(board, precision, &of, &kin)?;
        let recorded = record.rows.iter().find(|r| r.board == board && r.model == SHIPPED && r.precision == precision);
        let recorded = recorded
            .with_context(|| format!("docs/trust/record/performance.json has no {SHIPPED} {precision} on {board}"))?;
        let cycles = recorded
            .cycles
            .context("docs/trust/record/performance.json has no cycles: run `cargo xtask bench --record` first")?;
        row.cycles_per_instruction = round(cycles as f64 / recorded.instructions as f64, 3);
        match costs.rows.iter().find(|old| again && old.board == board && old.precision == precision) {
            Some(old) => {
                (row.code_bytes, row.ram_bytes, row.stack_bytes) = (old.code_bytes, old.ram_bytes, old.stack_bytes)
            }
            None => (row.code_bytes, row.ram_bytes, row.stack_bytes) = program(&repo, board, precision)?,
        }
        rows.push(row);
    }
    costs.rows = rows;
    if !again {
        costs.made = bench::made(&repo);
    }
    write_atomically(&repo.root().join("exporter/data/costs.json"), costs.to_text().as_bytes())?;
    eprintln!("wrote exporter/data/costs.json in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Returns the boards and precisions that have coefficients.
fn combinations() -> Vec<(&'static str, &'static str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for core in predicted() {
        for &precision in Precision::ALL.iter().filter(|&&precision| is_predicted(core, precision)) {
            let combination = (counted_on(core).expect("it is predicted"), precision.name());
            if !found.contains(&combination) {
                found.push(combination);
            }
        }
    }
    found
}

/// Counts all shapes with two workers: one builds while the other runs.
fn count(repo: &Repo, combinations: impl Iterator<Item = (&'static str, &'static str)>) -> Result<Vec<Count>> {
    let mut work = Vec::new();
    for (board, precision) in combinations {
        // Single precision has no tables, so such a shape is the same as one without.
        let shapes = (0..SHAPES.len()).filter(|&at| precision != "f32" || !SHAPES[at].is_tabulated());
        work.extend(shapes.map(|shape| (board, precision, shape)));
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let worker = || -> Result<()> {
        while let Some(&(board, precision, shape)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            let folder = repo.root().join("target/fit");
            let blob = folder.join(format!("{shape}.{precision}.blob"));
            let bytes = SHAPES[shape].blob(precision).with_context(|| format!("shape {shape}"))?;
            // If two workers write the same file, they write the same bytes.
            if fs::read(&blob).ok().as_ref() != Some(&bytes) {
                write_atomically(&blob, &bytes)?;
            }
            let counts = bench::count(repo, board::find(board)?, &blob)
                .with_context(|| format!("shape {shape} in {precision} on {board}"))?;
            let word = counts.characters as f64 / counts.words as f64;
            let mut done = done.lock().expect("no worker panics");
            let (board, precision) = (board.to_owned(), precision.to_owned());
            done.push(Count { board, precision, shape, instructions: counts.instructions, parts: counts.parts, word });
            eprintln!("{} of {} counted", done.len(), work.len());
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    let mut counts = done.into_inner()?;
    counts.sort_by_key(|count| (count.board.clone(), count.precision.clone(), count.shape));
    Ok(counts)
}

/// Returns the counted network in the layout of its board.
fn network(count: &Count) -> Result<Network> {
    let blob = AlignedBlob::from(SHAPES[count.shape].blob(&count.precision)?.as_slice());
    let model = Model::new(blob.as_bytes())?;
    let core = predicted().find(|&core| counted_on(core) == Some(&*count.board)).context("a board of a core")?;
    Ok(Network { word: count.word, ..Network::of(&model, core) })
}

/// Weight of a count of another precision.
const KIN: f64 = 0.3;

/// Fits the coefficients of a board and a precision to its own counts and to the counts of a precision with the same
/// kernels.
fn fit(board: &str, precision: &str, counts: &[&Count], kin: &[&Count]) -> Result<Row> {
    let mut observations = Vec::new();
    let mut networks = Vec::new();
    for &count in counts.iter().chain(kin) {
        let network = network(count)?;
        let parts = network.parts();
        // The last part is the total minus the other parts. Errors are weighted relative to the total.
        let of_parts: u64 = count.parts.iter().map(|(_, instructions)| instructions).sum();
        let between = count.instructions as f64 - of_parts as f64;
        let instructions = count.parts.iter().map(|&(_, instructions)| instructions as f64).chain([between]);
        ensure!(parts.len() == count.parts.len() + 1, "parts of shape {}", count.shape);
        let own = count.precision == precision;
        let weight = if own { 1.0 } else { KIN } / count.instructions as f64;
        observations.extend(parts.into_iter().zip(instructions).map(|(terms, instructions)| Observation {
            terms,
            instructions,
            weight,
        }));
        if own {
            networks.push((network, count));
        }
    }
    let coefficients = least_squares(&observations).into_iter().map(|(name, x)| (name, round(x, 3))).collect();
    let mut row = Row {
        board: board.to_owned(),
        precision: precision.to_owned(),
        coefficients,
        networks: networks.len(),
        largest_error_percent: 0.0,
        cycles_per_instruction: 0.0,
        code_bytes: 0,
        ram_bytes: 0,
        stack_bytes: 0,
    };
    println!("{board} {precision}");
    for (network, count) in networks {
        let prediction = row.predict(&network.parts());
        let percent = |predicted: f64, counted: f64| 100.0 * (predicted / counted - 1.0);
        let error = percent(prediction.instructions, count.instructions as f64);
        row.largest_error_percent = row.largest_error_percent.max(round(error.abs(), 2));
        print!("  shape {:>2}: {:>7} {error:>+6.2} %  ", count.shape, count.instructions);
        for ((name, counted), predicted) in count.parts.iter().zip(&prediction.parts) {
            print!(
                " {}{:>+.0} of {counted}",
                name.replace("level_", "l").replace("output", "o").replace("sampling", "s "),
                predicted - *counted as f64
            );
        }
        println!();
    }
    Ok(row)
}

/// Returns code size, static RAM without the state, and stack of the program that draws words.
fn program(repo: &Repo, board: &str, precision: &str) -> Result<(u64, u64, u64)> {
    let board = board::find(board)?;
    // The shipped model may not fit a board in single precision; the program's size is the same with any model.
    let blob = repo.root().join(format!("target/fit/0.{precision}.blob"));
    let shipped = repo.root().join(format!("models/{SHIPPED}.{precision}.blob"));
    let blob = if shipped.exists() { shipped } else { blob };
    let elf = firmware::build(repo, board, PROGRAM, Some(&blob))?;
    let run = emulator::run_quietly(repo, board, &elf, &[], emulator::TIMEOUT)?;
    let (_, facts) = emulator::report(&run.lines);
    let fact = |key: &str| -> Result<u64> {
        Ok(facts.get(key).with_context(|| format!("the program reports no {key}"))?.parse()?)
    };
    let size = size::of_file(&elf)?;
    Ok((size.flash() - fact("model_bytes")?, size.ram() - fact("state_bytes")?, fact("stack_bytes")?))
}

fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
