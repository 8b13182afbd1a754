//! `cargo xtask bench`: counts instructions per character on every emulated core and estimates cycles.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lexopt::prelude::*;
use object::{Object, ObjectSymbol};
use runtime::format::{AlignedBlob, Layout};
use runtime::write::{tabulate_halves, tabulate_pairs};
use runtime::{Generator, HeapState, Model, Sampling};

mod peers;
mod record;
mod report;
mod trace;
mod wavenet;

pub use record::{ANOMALY, Change, Record, Row, TOLERANCE_PERCENT, change};
pub use report::{show, thousands};
pub use wavenet::{Network, blob as random_blob};

use crate::board::{self, Board};
use crate::command::{ask, run as run_command};
use crate::emulator;
use crate::firmware::{self, PRECISIONS, ROW_MAJOR};
use crate::repo::Repo;
use crate::setup::qemu;
use crate::size;
use crate::subcommand::{self, Subcommand, usage};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "bench",
    summary: Some("count instructions per character on every emulated core, or measure this machine"),
    help: "\
cargo xtask bench [--board NAME] [--precision f32|int8|int4] [--all] [--record] [--json]
    Counts instructions per character on every emulated core and compares them with
    docs/trust/record/performance.json.
      --all       measure every layout on every core
      --record    write docs/trust/record/performance.json and docs/trust/record/performance.md
      --json      print one JSON object per row
cargo xtask bench --host [--json]
    Measures characters per second on this machine, next to libtorch.
",
    run: |args| run(&Repo::find(), &Options::parse(args)?),
};

/// The lecture's larger network, with random weights.
pub const WAVENET: &str = "wavenet-128";
/// A network of gated units with random weights. It has fewer multiply-accumulates than [`WAVENET`].
pub const GATED: &str = "gated";
/// [`WAVENET`] with ReLU instead of tanh.
pub const RELU: &str = "wavenet-128-relu";
/// [`WAVENET`] with a table for every pair of characters in level 0.
pub const PAIRS: &str = "wavenet-128-pairs";
/// [`WAVENET`] with levels 0 and 1 in tables.
pub const TABLES: &str = "wavenet-128-tables";
/// [`SHIPPED`] with levels 0 and 1 in tables.
pub const SHIPPED_TABLES: &str = "names-tables";
/// The shipped model, in `models/`.
pub const SHIPPED: &str = "names";

/// Number of words that are drawn, and their seed.
const WORDS: usize = 64;
const SEED: u64 = 42;
/// Number of characters over which the instructions of the parts are averaged.
const PARTS: u32 = 64;
/// Number of words that are traced instruction by instruction.
const TRACED_WORDS: usize = 1;
/// Time limit of a run. The slowest run takes a few seconds, and about a minute when it is traced.
const TIMEOUT: Duration = Duration::from_secs(600);
/// Folder of the blobs made here, from the repository's top.
const BLOBS: &str = "target/bench";

/// Options of the command line.
#[derive(Debug, Default)]
pub struct Options {
    /// Measures only this board.
    pub board: Option<&'static Board>,
    /// Measures only this precision.
    pub precision: Option<String>,
    /// Measures every layout on every board.
    pub all: bool,
    /// Writes the figures to `docs/trust/record/performance.json`, and as tables to `docs/trust/record/performance.md`.
    pub record: bool,
    /// Prints JSON rows instead of tables.
    pub json: bool,
    /// Measures the host instead of the chips.
    pub host: bool,
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let mut options = Self::default();
        while let Some(arg) = args.next()? {
            match arg {
                Long("board") => options.board = Some(subcommand::board(&mut args)?),
                Long("precision") => {
                    let precision = args.value()?.string()?;
                    if !PRECISIONS.contains(&&*precision) {
                        return Err(usage(format!(
                            "no precision `{precision}`: choose one of {}",
                            PRECISIONS.join(", ")
                        )));
                    }
                    options.precision = Some(precision);
                }
                Long("all") => options.all = true,
                Long("record") => options.record = true,
                Long("json") => options.json = true,
                Long("host") => options.host = true,
                other => return Err(other.unexpected().into()),
            }
        }
        let of_chips = [
            ("--board", options.board.is_some()),
            ("--precision", options.precision.is_some()),
            ("--all", options.all),
            ("--record", options.record),
        ];
        match of_chips.iter().find(|(_, given)| options.host && *given) {
            Some((name, _)) => Err(usage(format!("{name} is for emulated boards: --host accepts only --json"))),
            None => Ok(options),
        }
    }
}

/// One combination to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Board that runs the program.
    pub board: &'static Board,
    /// [`WAVENET`], [`GATED`], [`RELU`], [`PAIRS`], [`TABLES`], [`SHIPPED`], [`SHIPPED_TABLES`] or the anomaly
    /// detector.
    pub model: &'static str,
    /// Precision of the model.
    pub precision: &'static str,
    /// Layout of the model's integers; `None` for the board's own layout.
    pub layout: Option<String>,
}

/// Measures the cases, compares them with the record, and writes the record if asked to.
fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    if options.host {
        return host(repo, options.json);
    }
    let mut record = Record::read(repo)?;
    let (mut rows, mut failed) = (Vec::<Row>::new(), Vec::new());
    for case in cases(options) {
        if is_measured(&case, &rows) {
            continue;
        }
        match measure(repo, &case, true) {
            Ok(row) => {
                eprintln!("{}: {} instructions", case.name(), row.instructions);
                rows.push(row);
            }
            Err(error) => {
                eprintln!("{}: {error:#}", case.name());
                failed.push(case.name());
            }
        }
    }
    if options.json {
        for row in &rows {
            println!("{}", row.to_json());
        }
    } else {
        print!("{}", report::tables(&rows, &record));
    }
    let mut good = failed.is_empty();
    for row in &rows {
        if let change @ Change::Grown(_) = change(record.find(row), row) {
            eprintln!("{} takes more instructions than recorded: {}", row.key().join(" "), show(change));
            good &= options.record;
        }
    }
    if !failed.is_empty() {
        eprintln!("not measured: {}", failed.join("; "));
    }
    if options.record && !failed.is_empty() {
        eprintln!("nothing was recorded: a record needs every case measured on the same date");
    } else if options.record {
        record.update(&rows);
        record.made = made(repo);
        record.write(repo)?;
        report::write(repo, &record)?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the cases to measure, each core's own layout first.
fn cases(options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    let layouts = || Layout::INTEGERS.iter().map(|layout| layout.name().to_owned());
    let boards: Vec<_> = match options.board {
        Some(board) => vec![board],
        None => board::one_of_each_core().collect(),
    };
    for board in boards {
        for precision in PRECISIONS {
            let is_float = precision == "f32";
            if options.precision.as_ref().is_some_and(|only| only != precision) || (is_float && !board.has_fpu()) {
                continue;
            }
            let case = |model, layout| Case { board, model, precision, layout };
            cases.extend([WAVENET, GATED, RELU, SHIPPED].map(|model| case(model, None)));
            if precision == "int8" {
                cases.extend([case(PAIRS, None), case(ANOMALY, None)]);
            }
            // The flash of the emulated board with a Cortex-M55 is too small.
            if !is_float && board.layout() != Layout::Vector128 {
                cases.push(case(SHIPPED_TABLES, None));
                cases.extend((precision == "int8").then(|| case(TABLES, None)));
            }
            if options.all && !is_float {
                cases.extend(layouts().map(|layout| case(WAVENET, Some(layout))));
            } else if precision == "int8" {
                cases.push(case(WAVENET, Some(ROW_MAJOR.to_owned())));
            }
            if options.all && precision == "int8" {
                cases.extend(layouts().map(|layout| case(ANOMALY, Some(layout))));
            }
        }
    }
    cases
}

/// Returns whether an earlier row already measured this case: the requested layout is the board's own.
fn is_measured(case: &Case, rows: &[Row]) -> bool {
    let Some(layout) = &case.layout else { return false };
    rows.iter().any(|row| row.key() == [case.board.name, case.model, case.precision, layout])
}

fn kebab(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

impl Case {
    fn name(&self) -> String {
        let layout = self.layout.as_ref().map_or_else(String::new, |layout| format!(" {layout}"));
        format!("{} {} {}{layout}", self.board.name, self.model, self.precision)
    }

    /// Returns the path of the blob. The anomaly detector is part of the program, which is built as for an int8 model.
    pub fn blob(&self, repo: &Repo) -> Result<PathBuf> {
        if [SHIPPED, ANOMALY].contains(&self.model) {
            return Ok(firmware::shipped_model(repo, self.precision));
        }
        let folder = repo.root().join(BLOBS);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", repo.short(&folder)))?;
        let file = folder.join(format!("{}.{}.blob", self.model, self.precision));
        let mut blob = match self.model {
            GATED => wavenet::blob(&Network::gated(), self.precision)?,
            RELU => wavenet::blob(&Network::relu(), self.precision)?,
            SHIPPED_TABLES => {
                let file = firmware::shipped_model(repo, self.precision);
                fs::read(&file).with_context(|| format!("cannot read {}", repo.short(&file)))?
            }
            _ => wavenet::blob(&Network::wavenet(), self.precision)?,
        };
        let tabulate = match self.model {
            PAIRS => Some(tabulate_pairs as fn(&Model<'_>) -> _),
            TABLES | SHIPPED_TABLES => Some(tabulate_halves as fn(&Model<'_>) -> _),
            _ => None,
        };
        if let Some(tabulate) = tabulate {
            let plain = AlignedBlob::from(blob.as_slice());
            blob = tabulate(&Model::new(plain.as_bytes())?)?;
        }
        // Cargo would rebuild the program for a newer file.
        if fs::read(&file).ok().as_ref() != Some(&blob) {
            fs::write(&file, blob).with_context(|| format!("cannot write {}", repo.short(&file)))?;
        }
        Ok(file)
    }
}

/// Instructions of a model on a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Instructions per character, including everything between two characters.
    pub instructions: u64,
    /// Instructions per character of each part, in the order of the parts' names: levels, output, sampling.
    pub parts: Vec<(String, u64)>,
    /// Number of characters counted, including the boundary at the end of each word.
    pub characters: u64,
    /// Number of words that these characters form.
    pub words: u64,
}

/// Counts the instructions of any blob, in the board's own layout.
///
/// # Errors
/// Returns an error if the program does not build or run, or draws words that differ from the host's.
pub fn count(repo: &Repo, board: &Board, blob: &Path) -> Result<Counts> {
    let elf = firmware::build(repo, board, "bench", Some(blob))?;
    let arguments = [format!("seed={SEED}"), format!("n={WORDS}"), format!("parts={PARTS}")];
    let console = emulator::run_quietly(repo, board, &elf, &arguments, TIMEOUT)?;
    let (text, facts) = emulator::report(&console.lines);
    if !console.success() {
        bail!("{}", text.last().unwrap_or(&"the program failed without a message"));
    }
    ensure!(text == on_host(blob)?.1, "the program drew words that differ from the host's");
    let number = |key: &str| emulator::number(&facts, key);
    Ok(Counts {
        instructions: number("instructions_per_char")?,
        parts: parts(&facts)?,
        characters: number("characters")?,
        words: number("words")?,
    })
}

/// Returns the parts' instructions from a program's report.
fn parts(facts: &BTreeMap<&str, &str>) -> Result<Vec<(String, u64)>> {
    let is_part = |key: &str| key.starts_with("level_") || ["output", "sampling"].contains(&key);
    let keys = facts.keys().filter(|key| is_part(key));
    keys.map(|&key| Ok((key.to_owned(), emulator::number(facts, key)?))).collect()
}

/// Builds the program of a case and runs it. Estimates cycles if `cycles` is true.
pub fn measure(repo: &Repo, case: &Case, cycles: bool) -> Result<Row> {
    let is_anomaly = case.model == ANOMALY;
    let bin = if is_anomaly { ANOMALY } else { "bench" };
    let blob = case.blob(repo)?;
    let elf = firmware::build_in_layout(repo, case.board, bin, Some(&blob), case.layout.as_deref())?;
    let run = |arguments: &[String]| emulator::run_quietly(repo, case.board, &elf, arguments, TIMEOUT);
    let arguments = |words: usize, parts: u32| match is_anomaly {
        true => Vec::new(),
        false => vec![format!("seed={SEED}"), format!("n={words}"), format!("parts={parts}")],
    };
    let console = run(&arguments(WORDS, PARTS))?;
    let (text, facts) = emulator::report(&console.lines);
    if !console.success() {
        bail!("{}", text.last().unwrap_or(&"the program failed without a message"));
    }
    let number = |key: &str| emulator::number(&facts, key);
    let (macs, instructions) = if is_anomaly {
        (number("macs")?, number("instructions")?)
    } else {
        let (macs, words) = on_host(&blob)?;
        ensure!(text == words, "the program drew words that differ from the host's");
        (macs, number("instructions_per_char")?)
    };
    let layout = kebab(facts.get("layout").context("the program did not report its layout")?);
    let cycles = if cycles {
        let short = if is_anomaly { None } else { Some(run(&arguments(TRACED_WORDS, 0))?) };
        let (_, facts) = emulator::report(&short.as_ref().unwrap_or(&console).lines);
        let fact = |key: &str| facts.get(key).and_then(|value| value.parse::<f64>().ok()).unwrap_or(1.0);
        let counted =
            if is_anomaly { fact("instructions") } else { fact("instructions_per_char") * fact("characters") };
        let work = trace::run(repo, case.board, &elf, &arguments(TRACED_WORDS, 0), TIMEOUT)?;
        work.map(|work| cycles_of(instructions, work, counted)).transpose()?
    } else {
        None
    };
    let parts = parts(&facts)?;
    let size = size::of_file(&elf)?;
    Ok(Row {
        board: case.board.name.to_owned(),
        core: case.board.core.to_owned(),
        model: case.model.to_owned(),
        precision: case.precision.to_owned(),
        layout,
        is_own: case.layout.is_none(),
        macs,
        instructions,
        cycles,
        parts,
        kernel_bytes: kernel_bytes(&elf)?,
        flash_bytes: size.flash(),
        ram_bytes: size.ram(),
    })
}

/// Estimates the cycles of `instructions` from the traced part of the work; `counted` is the chip's own count of that
/// part.
fn cycles_of(instructions: u64, work: trace::Work, counted: f64) -> Result<u64> {
    let traced = work.instructions as f64;
    // Both numbers must describe the same work. If they differ, the trace has too many or too few lines.
    ensure!(
        (traced / counted - 1.0).abs() < 0.005,
        "the trace has {traced} instructions, but the chip counted {counted}"
    );
    Ok((instructions as f64 * work.cycles as f64 / traced).round() as u64)
}

/// Returns a model's multiply-accumulates per character and the words that a chip must draw from it.
fn on_host(blob: &Path) -> Result<(u64, Vec<String>)> {
    let bytes = fs::read(blob).with_context(|| format!("cannot read {}", blob.display()))?;
    let blob = AlignedBlob::from(bytes.as_slice());
    let model = Model::new(blob.as_bytes())?;
    let mut state = HeapState::new(&model);
    let mut generator = Generator::new(&model, &mut state, Sampling::default(), SEED)?;
    let words = (0..WORDS).map(|_| Ok(generator.start("")?.collect())).collect::<Result<_>>()?;
    Ok((model.macs_streaming() as u64, words))
}

/// Returns the bytes of code of the kernels: functions in the runtime's `kernels` module, and assembly functions, whose
/// names begin with `runtime_`, the name of their layout, or `vfp_`.
fn kernel_bytes(elf: &Path) -> Result<u64> {
    let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("cannot read {}", elf.display()))?;
    let sizes = file.symbols().filter(|symbol| symbol.name().is_ok_and(is_kernel)).map(|symbol| symbol.size());
    Ok(sizes.sum())
}

/// Returns whether a symbol is a kernel.
fn is_kernel(symbol: &str) -> bool {
    symbol.contains("7runtime7kernels") || size::is_assembly_of_runtime(symbol)
}

/// Runs the host's own benchmark: characters per second, next to libtorch with the same weights.
fn host(repo: &Repo, json: bool) -> Result<ExitCode> {
    let mut cargo = repo.cargo();
    cargo.args(["run", "--quiet", "--release", "--package", "exporter", "--", "bench"]);
    for extension in ["safetensors", "int8.blob", "int4.blob"] {
        cargo.args(["--model", &format!("models/{SHIPPED}.{extension}")]);
    }
    cargo.args(json.then_some("--json"));
    run_command(&mut cargo)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns a sentence with the date and the tools of the measurement.
pub fn made(repo: &Repo) -> String {
    let first_line = |text: Option<String>| text.and_then(|text| text.lines().next().map(str::to_owned));
    let date = ask(Command::new("date").args(["-u", "+%Y-%m-%d"])).unwrap_or_default();
    let rustc = ask(Command::new("rustc").arg("--version").current_dir(repo.root())).unwrap_or_default();
    let qemu = first_line(ask(Command::new(qemu::ARM.file(repo)).arg("--version"))).unwrap_or_default();
    // Leaves out the distribution's version, which follows in parentheses.
    let qemu = qemu.split(" (").next().unwrap_or_default();
    format!("Measured on {date} with {rustc} and {qemu}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board;

    #[test]
    fn options_are_read() {
        let options = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        let some = options(&["--board", "microbit", "--precision=int4", "--json"]).unwrap();
        assert_eq!(some.board.unwrap().name, "microbit");
        assert_eq!(some.precision.as_deref(), Some("int4"));
        assert!(some.json && !some.record && !some.all && !some.host);
        assert!(options(&["--host", "--json"]).unwrap().host);
        for other in [&["--board", "microbit"][..], &["--precision", "int8"], &["--all"], &["--record"]] {
            assert!(options(&[&["--host"], other].concat()).is_err(), "{other:?}");
        }
        assert!(options(&["--precision", "int5"]).is_err());
        assert!(options(&["names"]).is_err());
    }

    #[test]
    fn layouts_have_the_names_of_their_features() {
        let manifest = fs::read_to_string(Repo::find().firmware().join("Cargo.toml")).unwrap();
        for &layout in Layout::INTEGERS {
            let name = layout.name();
            assert!(
                manifest.contains(&format!("\n{name} = [\"runtime/{name}\"]")),
                "firmware-example/Cargo.toml has no feature {name}"
            );
        }
    }

    #[test]
    fn every_board_and_precision_is_measured() {
        let all = cases(&Options::default());
        for board in board::one_of_each_core() {
            let of =
                |precision: &str| all.iter().filter(|case| case.board == board && case.precision == precision).count();
            let has_tables = board.layout() != Layout::Vector128;
            assert_eq!(
                (of("f32"), of("int8"), of("int4")),
                (if board.has_fpu() { 4 } else { 0 }, if has_tables { 9 } else { 7 }, if has_tables { 5 } else { 4 }),
                "{}",
                board.name
            );
        }
        let some = Options {
            board: Some(board::default()),
            precision: Some("int8".to_owned()),
            all: true,
            ..Options::default()
        };
        assert_eq!(cases(&some).len(), 8 + 2 * Layout::INTEGERS.len());
    }

    #[test]
    fn a_boards_own_layout_is_measured_once() {
        let row = record::tests::row(1);
        let board = board::find(&row.board).unwrap();
        let case =
            |layout: Option<&str>| Case { board, model: WAVENET, precision: "int8", layout: layout.map(str::to_owned) };
        let rows = [row];
        assert!(is_measured(&case(Some("dual16")), &rows));
        assert!(!is_measured(&case(Some(ROW_MAJOR)), &rows));
        assert!(!is_measured(&case(None), &rows));
    }

    #[test]
    fn kernels_by_their_symbols() {
        for kernel in
            ["dual16_rows_i8", "runtime_lanes16_i8", "vfp_vec_mat_f32", "_ZN7runtime7kernels8portable6dot_i817hcfE"]
        {
            assert!(is_kernel(kernel), "{kernel}");
        }
        for other in ["main", "_ZN7runtime5model7net_int6NetInt4step17hE", "dual"] {
            assert!(!is_kernel(other), "{other}");
        }
    }
}
