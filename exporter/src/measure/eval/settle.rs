//! Settles with golden logits what a `state_dict` leaves open: tries every network that the shapes allow.

use runtime::{Activation, Model};

use super::golden::{Agreement, Golden, GoldenError, default_limit};
use crate::import::{
    Alphabet, DEFAULT_EPS, ImportError, Options, Orientation, Rows, StateDict, Structure, fold_alphabet,
};
use crate::import::{readings, structure::Layer};
use crate::model::file::Origin;
use crate::model::pack::pack_f32;
use runtime::format::Precision;

/// Contexts on which every network is tried.
const PROBES: usize = 12;
/// Most networks that are tried.
const MAX_TRIED: usize = 2_000;
/// Values of BatchNorm's eps in programs other than PyTorch.
const OTHER_EPS: [f64; 5] = [1e-3, 1e-6, 1e-4, 1e-8, 0.0];

/// A network that computes the golden logits.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The network.
    pub structure: Structure,
    /// eps of the BatchNorms.
    pub eps: f64,
    /// Distance of its logits from the golden logits.
    pub agreement: Agreement,
    /// Number of networks tried, this one included.
    pub tried: usize,
    /// Number of networks that the shapes allow, with every activation and order of halves.
    pub allowed: usize,
    /// Description of the choices that the golden file decided.
    pub says: String,
}

/// Tries all networks that the shapes allow, the most likely first; returns the first that computes the golden logits.
///
/// If `eps` is `None`, other values than PyTorch's are tried too.
///
/// # Errors
/// [`GoldenError::NoneFits`] describes the nearest network; [`GoldenError::File`] for a file that is not a network.
pub fn settle(state: &StateDict, options: &Options, eps: Option<f64>, golden: &Golden) -> Result<Settled, GoldenError> {
    let structures = readings(state, options)?;
    let fitting: Vec<&Structure> = structures
        .iter()
        .filter(|structure| (structure.block_size(), structure.vocab_size) == (golden.block_size, golden.vocab_size))
        .collect();
    let Some(first) = fitting.first() else {
        let first = &structures[0];
        let (tensor, what, found, expected) = if first.vocab_size == golden.vocab_size {
            ("contexts", "characters of context", golden.block_size, first.block_size())
        } else {
            ("logits", "logits", golden.vocab_size, first.vocab_size)
        };
        return Err(GoldenError::OtherModel { tensor, what, found, expected });
    };
    let alphabet = any_alphabet(first.vocab_size);
    let limit = default_limit(Precision::F32) + golden.rounding();
    let probes = golden.some(PROBES);
    let variants: Vec<(Structure, f64)> = variants(&fitting, options, eps).take(MAX_TRIED).collect();
    let agreement = |structure: &Structure, eps: f64, golden: &Golden| -> Result<Agreement, GoldenError> {
        let options = Options { eps, ..options.clone() };
        let model = fold_alphabet(state, structure, &options, &alphabet, Origin::default())?;
        let blob = pack_f32(&model).map_err(|error| ImportError::Packing { reason: error.to_string() })?;
        let model = Model::new(blob.as_bytes()).map_err(ImportError::Dimensions)?;
        golden.compare_within(&model, limit)
    };
    let mut nearest: Option<(f64, &(Structure, f64))> = None;
    let mut refused = None;
    for (index, variant) in variants.iter().enumerate() {
        let (structure, eps) = variant;
        let found = match agreement(structure, *eps, &probes) {
            Ok(found) => found,
            Err(error) => {
                refused = refused.or(Some(error));
                continue;
            }
        };
        let mut off = found.max_abs_dlogit;
        if off <= limit {
            let agreement = agreement(structure, *eps, golden)?;
            if agreement.max_abs_dlogit <= limit {
                let says = in_words(structure, *eps);
                let (structure, allowed) = (structure.clone(), variants.len());
                return Ok(Settled { structure, eps: *eps, agreement, tried: index + 1, allowed, says });
            }
            off = agreement.max_abs_dlogit;
        }
        if nearest.is_none_or(|(least, _)| off < least) {
            nearest = Some((off, variant));
        }
    }
    match (nearest, refused) {
        (Some((_, (structure, eps))), _) => {
            let off = agreement(structure, *eps, golden)?.max_abs_dlogit;
            let (tried, nearest) = (variants.len(), in_words(structure, *eps));
            Err(GoldenError::NoneFits { tried, nearest, off, limit })
        }
        (None, Some(error)) => Err(error),
        (None, None) => unreachable!("there is at least one network"),
    }
}

/// Returns an arbitrary alphabet: logits do not depend on the characters.
fn any_alphabet(vocab_size: usize) -> Alphabet {
    let characters = ('\u{e000}'..).take(vocab_size).collect();
    Alphabet { characters, rows: Rows::in_order(vocab_size), notes: Vec::new() }
}

/// Returns every network with each activation and order that fits, first with PyTorch's eps, then with the others.
fn variants<'s>(
    structures: &'s [&'s Structure],
    options: &'s Options,
    eps: Option<f64>,
) -> impl Iterator<Item = (Structure, f64)> + 's {
    let normed = |structure: &Structure| {
        let layers = structure.levels.iter().chain([&structure.output]).flat_map(Layer::halves);
        layers.filter_map(|layer| layer.batch_norm.as_ref()).any(|norm| !norm.deviation)
    };
    let eps: Vec<f64> = match eps {
        Some(eps) => vec![eps],
        None => [DEFAULT_EPS].into_iter().chain(OTHER_EPS).collect(),
    };
    let with_activation = move |structure: &'s Structure| {
        let activations: Vec<Activation> = match options.activation {
            Some(activation) => vec![activation],
            None => {
                let rows = structure.activation.rows_per_value();
                Activation::ALL.iter().copied().filter(|activation| activation.rows_per_value() == rows).collect()
            }
        };
        let orders = if structure.skip { vec![false, true] } else { vec![false] };
        activations.into_iter().flat_map(move |activation| {
            let halves = if activation.is_gated() { vec![false, true] } else { vec![false] };
            let orders = orders.clone();
            halves.into_iter().flat_map(move |gates_first| {
                orders.clone().into_iter().map(move |skip_reversed| Structure {
                    activation,
                    gates_first,
                    skip_reversed,
                    ..structure.clone()
                })
            })
        })
    };
    eps.into_iter().enumerate().flat_map(move |(index, eps)| {
        let structures = structures.iter().filter(move |structure| index == 0 || normed(structure));
        structures.flat_map(move |structure| with_activation(structure)).map(move |structure| (structure, eps))
    })
}

/// Describes the choices that golden logits decide.
fn in_words(structure: &Structure, eps: f64) -> String {
    let mut parts = vec![format!("{} after every level", structure.activation.name())];
    if structure.activation.is_gated() {
        parts.push(if structure.gates_first { "gates before filters" } else { "filters before gates" }.to_owned());
    }
    if structure.skip {
        parts.push(format!(
            "skip connections, the {} level first",
            if structure.skip_reversed { "last" } else { "first" }
        ));
    }
    if structure.orientation == Orientation::FanInFanOut {
        parts.push("matrices [fan_in, fan_out]".to_owned());
    }
    let layers = || structure.levels.iter().chain([&structure.output]);
    if layers().any(|layer| layer.batch_norm.is_some()) {
        parts.push(format!("eps {eps:e}"));
    }
    let order: Vec<String> = layers().map(|layer| layer.module.escape_debug().to_string()).collect();
    parts.push(format!("layers {}", order.join(", ")));
    parts.join("; ")
}
