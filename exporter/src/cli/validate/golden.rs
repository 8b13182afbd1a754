use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use exporter::import::Rows;
use exporter::measure::eval::golden::{Agreement, Golden, default_limit};
use exporter::model::pack::{ModelFile, pack_f32};
use runtime::format::{AlignedBlob, Precision};
use runtime::{BOUNDARY, Model};
use serde_json::json;

use super::super::eval::Given;
use super::super::export::pack_in;
use super::super::{calibration, count, named, quoted};

#[derive(clap::Args)]
pub struct GoldenArgs {
    /// Compare with the logits of another program, such as PyTorch, in a safetensors file: contexts [N, block_size]
    /// (I64), logits [N, vocab_size] and optionally targets [N] (I64)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "dedup"])]
    pub golden: Option<PathBuf>,
    /// Check these precisions of a folded model (with --golden) [default: all]
    #[arg(long, value_parser = named(Precision::ALL, Precision::name), value_delimiter = ',', requires = "golden")]
    precision: Vec<Precision>,
    /// Pass if no logit differs by more than X nats, in one precision or in all (with --golden) [default:
    /// f32=1e-4,int8=1,int4=3]
    #[arg(long, value_name = "[PRECISION=]X", value_delimiter = ',', value_parser = parse_tolerance, requires = "golden")]
    tolerance: Vec<Tolerance>,
    /// Calibrate the rounding on this word list, as in `export` (with --golden) [default: the shipped list of names if
    /// the model was trained on it, otherwise words drawn from the model]
    #[arg(long, value_name = "FILE", requires = "golden")]
    calibration: Option<PathBuf>,
}

#[derive(Clone, Copy)]
struct Tolerance {
    /// `None` for all precisions.
    precision: Option<Precision>,
    limit: f64,
}

fn parse_tolerance(text: &str) -> Result<Tolerance, String> {
    let (precision, number) = match text.split_once('=') {
        None => (None, text),
        Some((name, number)) => {
            let known = || Precision::ALL.iter().map(|precision| precision.name()).collect::<Vec<_>>().join(", ");
            let unknown = || format!("{name:?} is not a precision: {}", known());
            (Some(Precision::from_name(name).ok_or_else(unknown)?), number)
        }
    };
    match number.parse::<f64>() {
        Ok(limit) if limit >= 0.0 => Ok(Tolerance { precision, limit }),
        _ => Err("must be a number of nats, such as 1e-4 or int8=0.5".to_owned()),
    }
}

pub fn run(path: &Path, file: &Path, args: &GoldenArgs, json: bool) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let given = Given::read(path)?;
    let golden = Golden::read(file).with_context(|| quoted(file))?;
    let asked = if args.precision.is_empty() { Precision::ALL.to_vec() } else { args.precision.clone() };
    let (golden, blobs) = match given.file {
        ModelFile::Blob(blob) => {
            let own = Model::new(blob.as_bytes())?.precision();
            if !asked.contains(&own) {
                let (path, own) = (quoted(path), own.name());
                bail!("{path} is a blob in {own}: for other precisions, name the model that it was made from");
            }
            (in_order_of(&blob, None, golden, file)?, vec![(own, blob)])
        }
        ModelFile::Folded(model) => {
            // Reads the golden file before quantization, which takes longer.
            let golden = in_order_of(&pack_f32(&model)?, Rows::of_recipe(&model.origin.recipe), golden, file)?;
            let is_calibrated = asked.iter().any(|precision| precision.is_integer());
            let words = is_calibrated.then(|| calibration::words(args.calibration.as_deref(), &model)).transpose()?;
            let pack = |precision| Ok((precision, pack_in(&model, precision, words.as_ref())?));
            let asked = Precision::ALL.iter().copied().filter(|precision| asked.contains(precision));
            let blobs = asked.map(pack).collect::<anyhow::Result<_>>()?;
            (golden, blobs)
        }
    };
    let rows = golden.rows();
    eprintln!("{}, {} contexts of {}\n", quoted(file), count(rows), golden.block_size);
    eprintln!("      max |d logit|  mean |d logit|      d nll  top-1 %  tolerance");
    let mut object = serde_json::Map::new();
    let (mut all_pass, mut constant) = (true, false);
    for (precision, blob) in blobs {
        let limit = args.limit(precision) + golden.rounding();
        let found = golden.compare_within(&Model::new(blob.as_bytes())?, limit).with_context(|| quoted(file))?;
        let pass = found.max_abs_dlogit <= limit;
        all_pass &= pass;
        constant |= found.constant;
        object.insert(precision.name().to_owned(), row(precision, &found, limit, pass));
    }
    let dnll = match golden.has_targets() {
        true => "nll of the targets, minus their nll under the golden logits",
        false => "KL divergence from the golden logits",
    };
    eprintln!("\nd nll: {dnll}, in nats per character;\nthe tolerance is for max |d logit|");
    notes(&golden, constant);
    if json {
        object.insert("contexts".to_owned(), rows.into());
        object.insert("dnll_of".to_owned(), if golden.has_targets() { "targets" } else { "golden" }.into());
        object.insert("constant_per_context".to_owned(), constant.into());
        object.insert("padded_with_boundary".to_owned(), golden.padding().map(|token| token == BOUNDARY).into());
        object.insert("pass".to_owned(), all_pass.into());
        object.insert("seconds".to_owned(), started.elapsed().as_secs_f64().into());
        println!("{}", serde_json::Value::Object(object));
    }
    Ok(if all_pass { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the golden logits in the order of the model's characters. Prints a warning if their contexts are padded with
/// another character than the model's boundary.
///
/// `rows` is the row order that an imported model records about its file; a blob records none.
fn in_order_of(blob: &AlignedBlob, rows: Option<Rows>, golden: Golden, file: &Path) -> anyhow::Result<Golden> {
    let model = Model::new(blob.as_bytes())?;
    let limit = default_limit(model.precision()) + golden.rounding();
    // Without a record, the padding of the golden contexts tells the boundary's row, if the logits fit in no other
    // order.
    let rows = rows.or_else(|| {
        let padding = usize::from(golden.padding().filter(|&padding| padding != BOUNDARY)?);
        let rows = Rows { len: golden.vocab_size, start: padding, end: padding };
        let fits =
            |golden: &Golden| golden.compare_within(&model, limit).is_ok_and(|found| found.max_abs_dlogit <= limit);
        (!fits(&golden) && golden.reordered(&rows).is_ok_and(|moved| fits(&moved))).then_some(rows)
    });
    let golden = match rows {
        None => golden,
        Some(rows) => {
            let (start, file) = (rows.start, quoted(file));
            eprintln!(
                "{file}: row {start} is the boundary, which is the first row of the model: its rows are reordered"
            );
            golden.reordered(&rows).with_context(|| file)?
        }
    };
    golden.compare_within(&model, limit).with_context(|| quoted(file))?;
    if let Some(padding) = golden.padding().filter(|&padding| padding != BOUNDARY) {
        let vocab = model.vocab();
        let sign = vocab.decode(padding).unwrap_or('?');
        let boundary = vocab.as_str().chars().next().unwrap_or('.');
        // A warning, which --quiet does not hide: with another boundary, all logits agree but the words are wrong.
        show!(
            "warning: the golden contexts are padded with {sign:?}, but the model's boundary is {boundary:?}: if \
             {sign:?} ends words, import again with --boundary {sign:?}"
        );
    }
    Ok(golden)
}

/// Prints a row of the table and returns it as JSON.
fn row(precision: Precision, found: &Agreement, limit: f64, pass: bool) -> serde_json::Value {
    let shown = format!("{limit:.4}");
    let shown = shown.trim_end_matches('0').trim_end_matches('.');
    let shown = if limit > 0.0 && limit < 1e-4 { format!("{limit:e}") } else { shown.to_owned() };
    eprintln!(
        "{:<4}  {:>13.2e}  {:>14.2e}  {}  {:>7.2}  {shown:>9}  {}",
        precision.name(),
        found.max_abs_dlogit,
        found.mean_abs_dlogit,
        signed(found.dnll),
        found.top1,
        if pass { "pass" } else { "FAIL" }
    );
    json!({
        "max_abs_dlogit": found.max_abs_dlogit,
        "mean_abs_dlogit": found.mean_abs_dlogit,
        "dnll": found.dnll,
        "top1": found.top1,
        "tolerance": limit,
        "pass": pass,
    })
}

/// Prints notes if golden logits are log-probabilities or are stored in fewer than 32 bits.
fn notes(golden: &Golden, constant: bool) {
    if constant {
        let kind = if golden.are_log_probabilities() { "are log-probabilities: they" } else { "(log-probabilities?)" };
        eprintln!(
            "the golden logits {kind} differ from the model's by a constant per context, which does not change the \
             probabilities: the comparison ignores it"
        );
    }
    if let Some(coarse) = golden.coarse {
        eprintln!(
            "the golden logits are stored in {}, which changed them by up to {:.1e}: the tolerance includes that",
            coarse.dtype, coarse.rounding
        );
    }
}

impl GoldenArgs {
    /// Returns the largest difference that passes in a precision.
    fn limit(&self, precision: Precision) -> f64 {
        let fits = |tolerance: &&Tolerance| tolerance.precision.is_none_or(|of| of == precision);
        self.tolerance.iter().rev().find(fits).map_or(default_limit(precision), |given| given.limit)
    }
}

/// Formats a difference with its sign and six decimals; without a sign if all six are zero.
fn signed(delta: f64) -> String {
    match format!("{delta:>+9.6}") {
        zero if zero.ends_with("0.000000") => format!("{:>9.6}", 0.0),
        text => text,
    }
}
