use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use exporter::measure::eval::golden::Golden;
use exporter::model::file::FoldedModel;
use exporter::model::pack::{ModelFile, pack_f32};
use runtime::Model;
use runtime::format::{AlignedBlob, Precision};
use serde_json::json;

use super::super::eval::Given;
use super::super::export::pack_in;
use super::super::{calibration, count, named, quoted};

#[derive(clap::Args)]
pub struct GoldenArgs {
    /// Logits of another program, such as PyTorch: safetensors with contexts [N, block_size] (I64), logits [N, vocab_size] and
    /// perhaps targets [N] (I64)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "dedup"])]
    pub golden: Option<PathBuf>,
    /// With --golden: which precisions of a folded model [default: all]
    #[arg(long, value_parser = named(Precision::ALL, Precision::name), value_delimiter = ',', requires = "golden")]
    precision: Vec<Precision>,
    /// With --golden: largest difference of a logit that passes, of one precision or of all [default: f32=1e-4,int8=1,int4=3]
    #[arg(long, value_name = "[PRECISION=]X", value_delimiter = ',', value_parser = parse_tolerance, requires = "golden")]
    tolerance: Vec<Tolerance>,
    /// With --golden: words that integers are calibrated on, as in `export` [default: the shipped list of names if the model
    /// was trained on it, else words drawn from the model]
    #[arg(long, value_name = "FILE", requires = "golden")]
    calibration: Option<PathBuf>,
}

#[derive(Clone, Copy)]
struct Tolerance {
    /// `None` for all.
    precision: Option<Precision>,
    limit: f64,
}

fn parse_tolerance(text: &str) -> Result<Tolerance, String> {
    let (precision, number) = match text.split_once('=') {
        None => (None, text),
        Some((name, number)) => {
            (Some(Precision::from_name(name).ok_or_else(|| format!("there is no precision {name:?}"))?), number)
        }
    };
    match number.parse::<f64>() {
        Ok(limit) if limit >= 0.0 => Ok(Tolerance { precision, limit }),
        _ => Err("must be a number of nats, such as 1e-4 or int8=0.5".to_owned()),
    }
}

/// Largest difference of a logit that passes unless another is asked for.
///
/// f32: sums of the same products in another order, and a tanh within 4.5e-7; measured 2e-6 to 7e-6. int8: a weight is off by up to
/// 1/254 of the largest in its row; measured 0.07 to 0.33. int4: by up to 1/14 in the inner levels; measured 0.06 to 0.9. The limits
/// of the integers tell another model from this one; what rounding costs, `d nll` says.
fn default_limit(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-4,
        Precision::Int8 => 1.0,
        Precision::Int4 => 3.0,
    }
}

pub fn run(path: &Path, file: &Path, args: &GoldenArgs, json: bool) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let given = Given::read(path)?;
    let golden = Golden::read(file).with_context(|| quoted(file))?;
    let asked = if args.precision.is_empty() { Precision::ALL.to_vec() } else { args.precision.clone() };
    let blobs = match given.file {
        ModelFile::Blob(blob) => {
            let own = Model::new(blob.as_bytes())?.precision();
            if !asked.contains(&own) {
                let (path, own) = (quoted(path), own.name());
                bail!("{path} is a blob in {own}: other precisions need the model it was made of");
            }
            vec![(own, blob)]
        }
        ModelFile::Folded(model) => {
            // Before the work of quantizing it.
            golden.compare(&Model::new(pack_f32(&model)?.as_bytes())?).with_context(|| quoted(file))?;
            let pack = |precision| Ok((precision, pack(&model, precision, args)?));
            let asked = Precision::ALL.iter().copied().filter(|precision| asked.contains(precision));
            asked.map(pack).collect::<anyhow::Result<_>>()?
        }
    };
    let rows = golden.rows();
    eprintln!("{}, {} contexts of {}\n", quoted(file), count(rows), golden.block_size);
    eprintln!("      max |d logit|  mean |d logit|      d nll  top-1 %  tolerance");
    let mut object = serde_json::Map::new();
    let mut all_pass = true;
    for (precision, blob) in blobs {
        let found = golden.compare(&Model::new(blob.as_bytes())?).with_context(|| quoted(file))?;
        let fits = |tolerance: &&Tolerance| tolerance.precision.is_none_or(|of| of == precision);
        let limit = args.tolerance.iter().rev().find(fits).map_or(default_limit(precision), |given| given.limit);
        let pass = found.max_abs_dlogit <= limit;
        all_pass &= pass;
        let name = precision.name();
        eprintln!(
            "{name:<4}  {:>13.2e}  {:>14.2e}  {}  {:>7.2}  {limit:>9}  {}",
            found.max_abs_dlogit,
            found.mean_abs_dlogit,
            signed(found.dnll),
            found.top1,
            if pass { "pass" } else { "FAIL" }
        );
        let row = json!({
            "max_abs_dlogit": found.max_abs_dlogit,
            "mean_abs_dlogit": found.mean_abs_dlogit,
            "dnll": found.dnll,
            "top1": found.top1,
            "tolerance": limit,
            "pass": pass,
        });
        object.insert(name.to_owned(), row);
    }
    let dnll = match golden.has_targets() {
        true => "loss of the targets less that under the golden logits",
        false => "loss expected where the golden logits are the truth, less their own: their KL divergence",
    };
    eprintln!("\nd nll: {dnll},\nin nats per character; the tolerance is that of max |d logit|");
    if json {
        object.insert("contexts".to_owned(), rows.into());
        object.insert("dnll_of".to_owned(), if golden.has_targets() { "targets" } else { "golden" }.into());
        object.insert("pass".to_owned(), all_pass.into());
        object.insert("seconds".to_owned(), started.elapsed().as_secs_f64().into());
        println!("{}", serde_json::Value::Object(object));
    }
    Ok(if all_pass { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// With six decimals and its sign; no sign where all of them are zero.
fn signed(delta: f64) -> String {
    match format!("{delta:>+9.6}") {
        zero if zero.ends_with("0.000000") => format!("{:>9.6}", 0.0),
        text => text,
    }
}

/// What `export` would write.
fn pack(model: &FoldedModel, precision: Precision, args: &GoldenArgs) -> anyhow::Result<AlignedBlob> {
    pack_in(model, precision, || calibration::words(args.calibration.as_deref(), model))
}
