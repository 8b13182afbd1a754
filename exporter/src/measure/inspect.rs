//! Describes a model, and its memory and speed on each core, before a chip is flashed.
//!
//! Dimensions, bytes and state are exact: they are read from the blob itself, or from the blobs that `export` would
//! write. [`crate::measure::costs`] predicts instructions per character; cycles and characters per second are estimated
//! from them.

use costs::{Chip, Work, bytes, is_predicted, predicted};
use runtime::format::{AlignedBlob, Core, Layout};
use runtime::{FormatError, Model};
use serde::Serialize;

use crate::data::hex;
use crate::measure::costs::Costs;
use crate::model::file::FoldedModel;
use crate::model::lost::Lost;
use crate::model::pack::{ModelFile, PackError, pack_f32, pack_integer};
use crate::model::quantize::{Range, quantize_nearest};

/// All facts about a model that `inspect` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// `safetensors` or `blob`.
    pub kind: &'static str,
    /// The network.
    pub network: NetworkInfo,
    /// Provenance and losses.
    pub origin: OriginInfo,
    /// The blob itself, or the blobs that `export --core host` makes of a model.
    pub blobs: Vec<BlobInfo>,
    /// Needs of the model on each core.
    pub cores: Vec<CoreInfo>,
    /// Date and tools of the costs that predict instructions.
    pub costs_made: String,
}

/// Dimensions of a network, and its work per character.
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
    /// Number of parameters of the folded network.
    pub parameters: usize,
    /// Multiply-accumulates per character if the whole window is evaluated for each character.
    pub macs_window: usize,
    /// Multiply-accumulates per character with streaming: one node per level.
    pub macs_streaming: usize,
}

/// Dimensions of a level.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "as in the runtime's LevelShape")]
pub struct LevelInfo {
    pub fuse: usize,
    pub width: usize,
    pub fan_in: usize,
    pub fan_out: usize,
    pub dilation: usize,
    /// Number of characters that a node sees.
    pub receptive_field: usize,
}

/// Provenance and losses of a model; `None` if the file does not have them.
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
    /// Loss of a blob against the f32 model on the calibration words.
    pub lost: Option<Lost>,
}

/// Size of a blob and of its parts.
#[derive(Clone, Debug, Serialize)]
pub struct BlobInfo {
    /// `f32`, `int8` or `int4`.
    pub precision: &'static str,
    /// Order of the weights.
    pub layout: String,
    /// Weight formats of the levels and the output layer.
    pub formats: Vec<String>,
    /// Multiply-accumulates per character; look-ups in tables save some.
    pub macs: usize,
    /// Size of the whole blob.
    pub bytes: usize,
    /// Names and sizes of the parts; the sum of the sizes is `bytes`.
    pub parts: Vec<(String, usize)>,
}

/// A model on a core.
#[derive(Clone, Debug, Serialize)]
pub struct CoreInfo {
    /// Name of the core, as in `export --core`.
    pub core: &'static str,
    /// Precision of the model.
    pub precision: &'static str,
    /// Reason why `needs` is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Memory and time that the model needs.
    #[serde(flatten)]
    pub needs: Option<Needs>,
}

/// Memory and time that a model needs on a core.
#[derive(Clone, Debug, Serialize)]
pub struct Needs {
    /// Size of the model in the layout of this core.
    pub model_bytes: usize,
    /// Code size of the program `generate`, built for one precision.
    pub code_bytes: u64,
    /// Size of the model's state.
    pub state_bytes: usize,
    /// Other static RAM of the program.
    pub rest_bytes: u64,
    /// Largest stack of the program, measured with the shipped model.
    pub stack_bytes: u64,
    /// Predicted instructions per character.
    pub instructions_per_char: u64,
    /// Estimated cycles per character, wait states of the chip included.
    pub cycles_per_char: u64,
    /// Name of a chip with this core.
    pub chip: &'static str,
    /// Clock of that chip.
    pub clock_hz: u32,
    /// Estimated characters per second on that chip.
    pub chars_per_second: u64,
    /// True if program and model fit into the flash and RAM of that chip.
    pub fits: bool,
}

impl Needs {
    /// Returns the flash for model and program.
    pub fn flash(&self) -> u64 {
        self.model_bytes as u64 + self.code_bytes
    }

    /// Returns the RAM for state and program, without the stack.
    pub fn ram(&self) -> u64 {
        self.state_bytes as u64 + self.rest_bytes
    }
}

/// Reasons why a model cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The model cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The runtime refuses the blob.
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// Inspects a model. A folded model is rounded to 8 and 4 bits for that, which is most of the work.
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
    for core in predicted() {
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

/// Packs a model in f32, 8 and 4 bits. Integers are rounded without calibration, which changes weights but not sizes.
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

/// Returns the memory and time that a model needs on a core, or the reason why they are unknown.
fn needs(model: &Model<'_>, blob: &AlignedBlob, core: Core, costs: &Costs) -> Result<Needs, String> {
    let precision = model.precision();
    if !is_predicted(core, precision) {
        return Err("not predicted: without an FPU, f32 takes about 50 times the instructions of int8".to_owned());
    }
    let row = costs.row(core, precision).ok_or("not predicted: no network was counted on this core")?;
    let chip = Chip::of(core).ok_or("not predicted: this program knows no chip with this core")?;
    let work = Work::of(model, blob.as_bytes().len(), core).map_err(|error| error.to_string())?;
    let instructions = row.predict(&work.parts).instructions;
    let cycles = chip.cycles(instructions, row.cycles_per_instruction, work.bytes_read as f64);
    let mut needs = Needs {
        model_bytes: work.model_bytes,
        code_bytes: row.code_bytes,
        state_bytes: work.state_bytes,
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
