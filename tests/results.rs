//! The tables of `docs/trust/results.md` and `docs/trust/performance.md` equal their sources: the blobs of `models/`,
//! `models/README.md` and `docs/trust/record/performance.json`. BLESS=1 rewrites the tables.

use runtime::Model;
use runtime::format::{AlignedBlob, Layout, Precision};
use runtime::write::relayout;
use tests::{assert_section, blob, table, thousands, workspace};
use xtask::bench::{Record, Row, SHIPPED, WAVENET};
use xtask::board::{self, Board};
use xtask::repo::Repo;

const RESULTS: &str = "docs/trust/results.md";
const PERFORMANCE: &str = "docs/trust/performance.md";

/// Precision and file of each shipped model.
const SHIPPED_BLOBS: [(&str, &str); 3] =
    [("f32", "names.blob"), ("int8", "names.int8.blob"), ("int4", "names.int4.blob")];

/// Cell for a combination of core and precision without a measurement.
const NONE: &str = "–";

/// Returns the last two cells of a file's row in `models/README.md`: losses of train, dev and test, and bytes.
fn row_of_models(file: &str) -> ([String; 3], u64) {
    let text = std::fs::read_to_string(workspace("models/README.md")).expect("models/README.md");
    let row = text.lines().find(|line| line.starts_with(&format!("| `{file}` |"))).expect("a row of the file");
    let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [.., losses, bytes] = &cells[..] else { panic!("too few cells: {row}") };
    let losses: Vec<_> = losses.split(" / ").map(str::to_owned).collect();
    (losses.try_into().expect("three losses"), bytes.replace(',', "").parse().expect("bytes"))
}

#[test]
fn the_table_of_models_has_the_files_bytes() {
    for entry in std::fs::read_dir(workspace("models")).expect("models") {
        let entry = entry.expect("a file");
        let name = entry.file_name().into_string().expect("UTF-8");
        if name != "README.md" {
            assert_eq!(row_of_models(&name).1, entry.metadata().expect("its size").len(), "{name} in models/README.md");
        }
    }
}

/// Compares the loss in the blob's header, which the exporter measured in f32.
#[test]
fn the_dev_loss_is_that_of_the_header() {
    let blob = blob(SHIPPED_BLOBS[0].1);
    let model = Model::new(blob.as_bytes()).expect("a shipped model");
    let loss = f64::from(model.provenance().dev_nll_micronats) / 1e6;
    assert_eq!(format!("{loss:.4}"), row_of_models(SHIPPED_BLOBS[0].1).0[1]);
}

/// Returns the cores of the boards with a layout: `Cortex-M0, M3`.
fn cores(layout: Layout) -> String {
    let cores = board::one_of_each_core().filter(|board| board.layout() == layout).map(|board| board.core);
    cores.collect::<Vec<_>>().join(", ").replace(", Cortex-", ", ")
}

/// Returns the bytes of a model in the layout of a core; a model in f32 has one layout for all.
fn bytes_in_flash(blob: &AlignedBlob, layout: Layout) -> u64 {
    let model = Model::new(blob.as_bytes()).expect("a shipped model");
    let bytes = match model.precision() {
        Precision::F32 => blob.as_bytes().len(),
        Precision::Int8 | Precision::Int4 => relayout(&model, layout).expect("an integer model").len(),
    };
    bytes as u64
}

#[test]
fn losses_and_bytes_are_those_of_the_models() {
    let mut rows = Vec::new();
    for (split, at) in [("dev", 1), ("test", 2)] {
        let losses = SHIPPED_BLOBS.iter().map(|(_, file)| row_of_models(file).0[at].clone());
        let name = format!("loss on the {split} words, nats per character");
        rows.push(std::iter::once(name).chain(losses).collect());
    }
    let mut layouts: Vec<_> = board::one_of_each_core().map(Board::layout).collect();
    layouts.sort_by_key(|layout| layout.name());
    layouts.dedup();
    for layout in layouts {
        let bytes = SHIPPED_BLOBS.iter().map(|(precision, file)| {
            let blob = blob(file);
            let has_fpu = board::one_of_each_core().any(|board| board.layout() == layout && board.has_fpu());
            if *precision == "f32" && !has_fpu { NONE.to_owned() } else { thousands(bytes_in_flash(&blob, layout)) }
        });
        let name = format!("model in flash, bytes, {}", cores(layout));
        rows.push(std::iter::once(name).chain(bytes).collect());
    }
    assert_section(RESULTS, "models", &table(&["", "f32", "int8", "int4"], &rows));
}

/// Returns a row of the record in the core's own layout.
fn recorded<'r>(record: &'r Record, core: &str, model: &str, precision: &str) -> Option<&'r Row> {
    let is_it = |row: &&Row| row.core == core && row.model == model && row.precision == precision && row.is_own;
    record.rows.iter().find(is_it)
}

/// Returns a table of the shipped model with a row per precision and a column per core.
fn by_core(name: &str, figure: impl Fn(&Row) -> Option<u64>) -> String {
    let record = Record::read(&Repo::find()).expect("docs/trust/record/performance.json");
    let cores: Vec<_> = board::one_of_each_core().map(|board| board.core).collect();
    let row = |(precision, _): (&str, &str)| {
        let cells = cores.iter().map(|core| {
            let row = recorded(&record, core, SHIPPED, precision);
            row.and_then(&figure).map_or_else(|| NONE.to_owned(), thousands)
        });
        std::iter::once(precision.to_owned()).chain(cells).collect()
    };
    let header: Vec<_> = std::iter::once(name).chain(cores.iter().copied()).collect();
    table(&header, &SHIPPED_BLOBS.map(row))
}

#[test]
fn instructions_are_those_of_the_record() {
    assert_section(RESULTS, "instructions", &by_core("instructions", |row| Some(row.instructions)));
}

#[test]
fn cycles_are_those_of_the_record() {
    assert_section(PERFORMANCE, "cycles", &by_core("cycles", |row| row.cycles));
}

/// The README has the losses, the bytes and some of the cores.
#[test]
fn the_readme_has_the_main_figures() {
    let record = Record::read(&Repo::find()).expect("docs/trust/record/performance.json");
    let cells = |name: &str, cell: &dyn Fn(&str, &str) -> String| {
        let cells = SHIPPED_BLOBS.iter().map(|(precision, file)| cell(precision, file));
        std::iter::once(name.to_owned()).chain(cells).collect::<Vec<_>>()
    };
    let mut rows = vec![
        cells("loss on the dev words, nats per character", &|_, file| row_of_models(file).0[1].clone()),
        cells("model in flash, bytes, in the layout for Cortex-M4F", &|_, file| {
            let blob = blob(file);
            thousands(bytes_in_flash(&blob, Layout::Dual16))
        }),
    ];
    for core in ["Cortex-M0", "Cortex-M4F", "Cortex-M55", "RV32IMC"] {
        rows.push(cells(&format!("instructions per character, {core}"), &|precision, _| {
            let row = recorded(&record, core, SHIPPED, precision);
            row.map_or_else(|| NONE.to_owned(), |row| thousands(row.instructions))
        }));
    }
    assert_section("README.md", "results", &table(&["", "f32", "int8", "int4"], &rows));
}

/// `cargo xtask bench --record` computes the ratios and writes them into the record's page.
#[test]
fn the_comparisons_are_those_of_the_record() {
    compares_with("CMSIS-NN", "comparison");
    compares_with("ESP-NN", "comparison on RISC-V");
}

fn compares_with(library: &str, section: &str) {
    let page = std::fs::read_to_string(workspace("docs/trust/record/performance.md")).expect("the record's page");
    let lines = page.lines().skip_while(|line| !line.contains(&format!("| {library} |")));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut rows = lines.take_while(|line| !line.is_empty()).map(cells);
    let header = rows.next().unwrap_or_else(|| panic!("the record has no table of {library}"));
    let rows: Vec<_> = rows.skip(1).collect();
    let record = Record::read(&Repo::find()).expect("docs/trust/record/performance.json");
    for row in &rows {
        let ours = recorded(&record, &row[0], WAVENET, "int8").expect("a row of the core");
        assert_eq!(row[1], thousands(ours.instructions), "{} in the record's page", row[0]);
    }
    let header: Vec<_> = header.iter().map(String::as_str).collect();
    assert_section(PERFORMANCE, section, &table(&header, &rows));
}
