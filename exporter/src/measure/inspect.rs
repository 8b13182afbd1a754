//! What a model is made of, and what it will take on a chip: known before it is flashed.
//!
//! Dimensions, bytes and state are exact: they are taken from the blob itself, or from the blobs that `export` would write.
//! Instructions per character are predicted by [`crate::measure::costs`], cycles and characters per second estimated
//! from them.

mod bytes;

use runtime::format::{AlignedBlob, Core, Layout};
use runtime::write::relayout;
use runtime::{FormatError, Model};
use serde::Serialize;

use crate::data::hex;
use crate::measure::costs::{self, Chip, Costs, Network};
use crate::model::file::FoldedModel;
use crate::model::loss::Lost;
use crate::model::pack::{ModelFile, PackError, pack_f32, pack_integer};
use crate::model::quantize::{Range, quantize_nearest};

/// Everything there is to know about a model.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// `safetensors` or `blob`.
    pub kind: &'static str,
    /// The network.
    pub network: NetworkInfo,
    /// Where it comes from.
    pub origin: OriginInfo,
    /// The blob, or those that `export` makes of it, in the layout of `export --core host` or the blob's own.
    pub blobs: Vec<BlobInfo>,
    /// What each core takes.
    pub cores: Vec<CoreInfo>,
    /// When the costs were found, by which instructions are predicted.
    pub costs_made: String,
}

/// Dimensions and work.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "as in the runtime's Config")]
pub struct NetworkInfo {
    pub vocab: String,
    pub vocab_size: usize,
    pub n_embd: usize,
    pub block_size: usize,
    pub activation: String,
    pub skip: bool,
    pub levels: Vec<LevelInfo>,
    pub output_fan_in: usize,
    /// Of the folded network.
    pub parameters: usize,
    /// Multiply-accumulates per character where the whole window is evaluated anew.
    pub macs_window: usize,
    /// The same with one node per level.
    pub macs_streaming: usize,
}

/// A level.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "as in the runtime's LevelShape")]
pub struct LevelInfo {
    pub fuse: usize,
    pub width: usize,
    pub fan_in: usize,
    pub fan_out: usize,
    pub dilation: usize,
    /// Characters that a node sees.
    pub receptive_field: usize,
}

/// Provenance and losses; what the file does not say is `None`.
#[derive(Clone, Debug, Default, Serialize)]
#[allow(missing_docs, reason = "as in the file")]
pub struct OriginInfo {
    pub preset: String,
    pub seed: u64,
    pub steps: Option<usize>,
    pub data_sha256: String,
    pub exporter_version: String,
    pub finetuned: Option<bool>,
    pub train_nll: Option<f64>,
    pub dev_nll: Option<f64>,
    pub test_nll: Option<f64>,
    /// Of a blob: what it loses against the f32 model on the calibration words.
    pub lost: Option<Lost>,
}

/// A blob, byte by byte.
#[derive(Clone, Debug, Serialize)]
pub struct BlobInfo {
    /// `f32`, `int8` or `int4`.
    pub precision: &'static str,
    /// The order of its weights.
    pub layout: String,
    /// How levels and output layer are stored.
    pub formats: Vec<String>,
    /// Multiply-accumulates per character that are left.
    pub macs: usize,
    /// All of it.
    pub bytes: usize,
    /// What it is made of; the sum is `bytes`.
    pub parts: Vec<(String, usize)>,
}

/// A model on a core.
#[derive(Clone, Debug, Serialize)]
pub struct CoreInfo {
    /// As `export --core` has it.
    pub core: &'static str,
    /// Of the model.
    pub precision: &'static str,
    /// Why the rest is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// What it takes.
    #[serde(flatten)]
    pub needs: Option<Needs>,
}

/// What a model takes on a core.
#[derive(Clone, Debug, Serialize)]
pub struct Needs {
    /// The model in the layout of this core.
    pub model_bytes: usize,
    /// The code of the program `generate` with one precision in it.
    pub code_bytes: u64,
    /// The model's state.
    pub state_bytes: usize,
    /// The program's other static RAM.
    pub rest_bytes: u64,
    /// The most that its stack took, with the shipped model.
    pub stack_bytes: u64,
    /// Predicted.
    pub instructions_per_char: u64,
    /// Estimated, wait states of the chip included.
    pub cycles_per_char: u64,
    /// A chip with this core.
    pub chip: &'static str,
    /// Its clock.
    pub clock_hz: u32,
    /// Estimated.
    pub chars_per_second: u64,
    /// Whether its flash and RAM hold program and model.
    pub fits: bool,
}

impl Needs {
    /// Flash in all.
    pub fn flash(&self) -> u64 {
        self.model_bytes as u64 + self.code_bytes
    }

    /// RAM in all, but for the stack.
    pub fn ram(&self) -> u64 {
        self.state_bytes as u64 + self.rest_bytes
    }
}

/// Why a model cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// It is refused.
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// Looks at a model; the largest work is to round a folded one to 8 and 4 bits.
///
/// # Errors
/// [`InspectError`] for a model that cannot be packed.
pub fn inspect(file: &ModelFile, costs: &Costs) -> Result<Inspection, InspectError> {
    let (kind, blobs) = match file {
        ModelFile::Folded(model) => ("safetensors", packed(model)?),
        ModelFile::Blob(blob) => ("blob", vec![blob.clone()]),
    };
    let mut infos = Vec::new();
    let mut cores = Vec::new();
    for blob in &blobs {
        let model = Model::new(blob.as_bytes())?;
        infos.push(blob_info(&model, blob.as_bytes())?);
    }
    for core in costs::predicted() {
        for blob in &blobs {
            let model = Model::new(blob.as_bytes())?;
            let (needs, missing) = match needs(&model, blob, core, costs) {
                Ok(needs) => (Some(needs), None),
                Err(missing) => (None, Some(missing)),
            };
            cores.push(CoreInfo { core: core.name(), precision: model.precision().name(), missing, needs });
        }
    }
    let first = Model::new(blobs[0].as_bytes())?;
    Ok(Inspection {
        kind,
        network: network_info(&first),
        origin: origin(file, &first),
        blobs: infos,
        cores,
        costs_made: costs.made.clone(),
    })
}

/// The blobs that `export` makes of a model: in f32, 8 and 4 bits. Integers are rounded without calibration, which
/// changes weights and no size.
fn packed(model: &FoldedModel) -> Result<Vec<AlignedBlob>, InspectError> {
    let integers = |range| pack_integer(model, &quantize_nearest(model, range), Layout::RowMajor);
    Ok(vec![pack_f32(model)?, integers(Range::INT8)?, integers(Range::INT4)?])
}

fn network_info(model: &Model<'_>) -> NetworkInfo {
    let config = model.config();
    let levels: Vec<LevelInfo> = config
        .shapes()
        .map(|shape| LevelInfo {
            fuse: shape.fuse,
            width: shape.width_out,
            fan_in: shape.fan_in,
            fan_out: shape.fan_out,
            dilation: shape.dilation,
            receptive_field: shape.dilation * shape.fuse,
        })
        .collect();
    let nodes = |level: &LevelInfo| config.block_size() / level.receptive_field * level.fan_in * level.fan_out;
    NetworkInfo {
        vocab: model.vocab().as_str().to_owned(),
        vocab_size: config.vocab_size(),
        n_embd: config.n_embd(),
        block_size: config.block_size(),
        activation: config.activation().name().to_owned(),
        skip: config.skip(),
        output_fan_in: config.output_fan_in(),
        parameters: config.parameters(),
        macs_window: levels.iter().map(nodes).sum::<usize>() + config.output_fan_in() * config.vocab_size(),
        macs_streaming: config.macs_streaming(),
        levels,
    }
}

fn origin(file: &ModelFile, model: &Model<'_>) -> OriginInfo {
    match file {
        ModelFile::Folded(folded) => OriginInfo {
            preset: folded.origin.preset.clone(),
            seed: folded.origin.seed,
            steps: Some(folded.origin.steps),
            data_sha256: folded.origin.data_sha256.clone(),
            exporter_version: folded.origin.exporter_version.clone(),
            finetuned: Some(!folded.origin.finetune.is_empty()),
            train_nll: folded.origin.train_nll,
            dev_nll: folded.origin.dev_nll,
            test_nll: folded.origin.test_nll,
            lost: None,
        },
        ModelFile::Blob(_) => {
            let provenance = model.provenance();
            let measured = provenance.dev_nll_micronats != u32::MAX;
            OriginInfo {
                preset: provenance.preset.to_owned(),
                seed: provenance.seed,
                data_sha256: hex(&provenance.data_sha256),
                exporter_version: provenance.exporter_version.to_owned(),
                dev_nll: measured.then(|| f64::from(provenance.dev_nll_micronats) / 1e6),
                lost: (provenance.kl_micronats != u32::MAX).then(|| Lost {
                    kl: f64::from(provenance.kl_micronats) / 1e6,
                    delta: f64::from(provenance.delta_micronats) / 1e6,
                }),
                ..OriginInfo::default()
            }
        }
    }
}

fn blob_info(model: &Model<'_>, bytes: &[u8]) -> Result<BlobInfo, FormatError> {
    Ok(BlobInfo {
        precision: model.precision().name(),
        layout: model.layout().name().to_owned(),
        formats: model.weight_formats().iter().map(|format| format.name().to_owned()).collect(),
        macs: model.macs_streaming(),
        bytes: bytes.len(),
        parts: bytes::parts(model, bytes),
    })
}

/// What a model takes on a core; else why nobody knows.
fn needs(model: &Model<'_>, blob: &AlignedBlob, core: Core, costs: &Costs) -> Result<Needs, String> {
    let precision = model.precision();
    if !costs::is_predicted(core, precision) {
        return Err("no FPU: some fifty times the instructions of int8, not predicted".to_owned());
    }
    let row = costs.row(core, precision).ok_or("nothing was counted")?;
    let chip = Chip::of(core).ok_or("no chip with this core is known")?;
    let own;
    let (bytes, state_words) = if !precision.is_integer() {
        (blob.as_bytes().len(), model.state_words())
    } else {
        own = AlignedBlob::from(relayout(model, core.layout()).map_err(|error| error.to_string())?.as_slice());
        (own.as_bytes().len(), Model::new(own.as_bytes()).map_err(|error| error.to_string())?.state_words())
    };
    let layout = if precision.is_integer() { core.layout() } else { Layout::Rows8 };
    let instructions = row.predict(&Network::of(model, core)).instructions;
    let cycles = chip.cycles(instructions, row.cycles_per_instruction, bytes::bytes_read(model, layout) as f64);
    // Of `runtime::State`: its words, and a counter of 16 bits for each of as many rings as there can be.
    let state_bytes = 4 * state_words + 2 * runtime::limits::MAX_LEVELS;
    let mut needs = Needs {
        model_bytes: bytes,
        code_bytes: row.code_bytes,
        state_bytes,
        rest_bytes: row.ram_bytes,
        stack_bytes: row.stack_bytes,
        instructions_per_char: instructions.round() as u64,
        cycles_per_char: cycles.round() as u64,
        chip: chip.name,
        clock_hz: chip.clock_hz,
        chars_per_second: (f64::from(chip.clock_hz) / cycles).round() as u64,
        fits: false,
    };
    needs.fits = needs.flash() <= chip.flash_bytes && needs.ram() + needs.stack_bytes <= chip.ram_bytes;
    Ok(needs)
}
