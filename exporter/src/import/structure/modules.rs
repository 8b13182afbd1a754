//! First pass: the tensors of each module.

use std::collections::BTreeMap;

use super::{Norm, Orientation};
use crate::import::names::{self, Part};
use crate::import::{ImportError, StateDict};

/// Module with a matrix.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub(super) module: String,
    pub(super) weight: String,
    /// Rows and columns as stored; output and input channels of a convolution.
    pub(super) shape: [usize; 2],
    /// Positions of a convolution; `None` for a matrix.
    pub(super) kernel: Option<usize>,
    pub(super) bias: Option<String>,
    pub(super) norm: Option<Norm>,
    /// Matrix of the gates, if this matrix has only the filters.
    pub(super) gate: Option<Box<Matrix>>,
}

impl Matrix {
    /// Returns fan-in and fan-out of the layer, if the matrix is stored in this orientation.
    pub(super) fn fans(&self, orientation: Orientation) -> (usize, usize) {
        if let Some(kernel) = self.kernel {
            let [fan_out, channels] = self.shape;
            return (channels.saturating_mul(kernel), fan_out);
        }
        match (self.shape, orientation) {
            ([fan_out, fan_in], Orientation::FanOutFanIn) | ([fan_in, fan_out], Orientation::FanInFanOut) => {
                (fan_in, fan_out)
            }
        }
    }
}

/// Returns the modules with a matrix, and the modules that are BatchNorms.
pub(super) fn modules(state: &StateDict) -> Result<(Vec<Matrix>, Vec<Norm>), ImportError> {
    let mut modules: BTreeMap<String, BTreeMap<Part, &str>> = BTreeMap::new();
    for (name, tensor) in &state.tensors {
        let extra = |what| ImportError::Extra { tensor: name.clone(), found: tensor.shape.clone(), what };
        if let Some(what) = names::foreign(name) {
            return Err(extra(what));
        }
        let (module, part) = match names::parse(name) {
            Some(found) => found,
            // A matrix with an unknown name, such as the lecture's C, is a weight.
            None if tensor.shape.len() == 2 => (name.clone(), Part::Weight),
            None => return Err(extra("unknown")),
        };
        if let Some(other) = modules.entry(module).or_default().insert(part, name) {
            return Err(ImportError::SamePart { first: other.to_owned(), second: name.clone() });
        }
    }
    let (mut matrices, mut norms) = (Vec::new(), Vec::new());
    for (module, parts) in modules {
        let shape = |part: Part| parts.get(&part).map(|&name| state.tensors[name].shape.as_slice());
        let name = |part: Part| parts.get(&part).map(|&name| name.to_owned());
        let statistics = [Part::Mean, Part::Variance, Part::Deviation].iter().any(|part| parts.contains_key(part));
        let matrix = match shape(Part::Weight) {
            Some(&[rows, columns]) if rows > 1 || !statistics => Some(([rows, columns], None)),
            Some(&[fan_out, channels, ref positions @ ..]) if !positions.is_empty() && !statistics => {
                // nn.Conv2d may have one position in its other dimension.
                let mut long = positions.iter().copied().filter(|&n| n != 1);
                let kernel = long.next().unwrap_or(1);
                if long.next().is_some() {
                    let reason = "only matrices and one-dimensional convolutions can be imported";
                    let tensor = name(Part::Weight).expect("it has a shape");
                    let found = state.tensors[&tensor].shape.clone();
                    return Err(ImportError::Shape { tensor, found, reason });
                }
                Some(([fan_out, channels], Some(kernel)))
            }
            _ => None,
        };
        match matrix {
            Some((shape, kernel)) => {
                let of_norm = [Part::Gamma, Part::Beta, Part::Mean, Part::Variance, Part::Deviation];
                let norm = of_norm.iter().any(|part| parts.contains_key(part));
                let norm = norm.then(|| norm_of(state, &module, &parts, false)).transpose()?;
                let (weight, bias) = (name(Part::Weight).expect("it has a shape"), name(Part::Bias));
                if let Some(bias) = &bias {
                    vector(state, bias)?;
                }
                matrices.push(Matrix { module, weight, shape, kernel, bias, norm, gate: None });
            }
            None => norms.push(norm_of(state, &module, &parts, true)?),
        }
    }
    Ok((matrices, norms))
}

/// Makes a BatchNorm from the parts of a module. `alone` is `true` if the module has no matrix: its weight and bias are
/// then gamma and beta.
fn norm_of(state: &StateDict, module: &str, parts: &BTreeMap<Part, &str>, alone: bool) -> Result<Norm, ImportError> {
    let name = |part: Part| parts.get(&part).map(|&name| name.to_owned());
    let either = |own: Part, pytorch: Part| name(own).or_else(|| name(pytorch).filter(|_| alone));
    let (gamma, beta) = (either(Part::Gamma, Part::Weight), either(Part::Beta, Part::Bias));
    let (mean, variance, deviation) = (name(Part::Mean), name(Part::Variance), name(Part::Deviation));
    let any = parts.values().next().expect("a module has a part");
    let missing = |word: &str, what: &str, reason: String| {
        let tensor = if any.starts_with(&format!("{module}.")) {
            format!("tensor {:?}", format!("{module}.{word}"))
        } else {
            // A tensor whose name is only its part has no module.
            format!("the {what} of {:?}", if module.is_empty() { any } else { module })
        };
        ImportError::Missing { tensor, reason }
    };
    if gamma.is_none() && mean.is_none() && variance.is_none() && deviation.is_none() {
        return Err(missing(
            "weight",
            "weight",
            format!(
                "{any:?} is not enough for a layer (a tied weight is only found if the file's metadata has both names)"
            ),
        ));
    }
    let statistics = || {
        let of = gamma.as_deref().or(beta.as_deref()).unwrap_or(any);
        format!("a BatchNorm ({of:?}) can only be folded with its running statistics; other norms are not supported")
    };
    let mean = mean.ok_or_else(|| missing("running_mean", "running mean", statistics()))?;
    let (spread, deviation) = match (variance, deviation) {
        (Some(variance), None) => (variance, false),
        (None, Some(deviation)) => (deviation, true),
        (None, None) => return Err(missing("running_var", "running variance", statistics())),
        (Some(_), Some(tensor)) => {
            let found = state.tensors[&tensor].shape.clone();
            return Err(ImportError::Extra { tensor, found, what: "a deviation in addition to a variance" });
        }
    };
    // A BatchNorm with affine=False has neither. If only one is there, the file has lost a tensor.
    match (&gamma, &beta) {
        (Some(gamma), None) => return Err(missing("bias", "beta", format!("the file has only {gamma:?}"))),
        (None, Some(beta)) => return Err(missing("weight", "gamma", format!("the file has only {beta:?}"))),
        _ => {}
    }
    for tensor in [&mean, &spread] {
        let per_position =
            |_| ImportError::PerPosition { tensor: tensor.clone(), found: state.tensors[tensor].shape.clone() };
        vector(state, tensor).map_err(per_position)?;
    }
    for tensor in [&gamma, &beta].into_iter().flatten() {
        vector(state, tensor)?;
    }
    Ok(Norm { module: module.to_owned(), gamma, beta, mean, spread, deviation })
}

/// Returns the length of a tensor with one value per channel: (C), or with `keepdim` (1, C) or (1, 1, C).
pub(super) fn vector(state: &StateDict, name: &str) -> Result<usize, ImportError> {
    let shape = &state.tensors[name].shape;
    let mut long = shape.iter().filter(|&&n| n != 1);
    match (long.next(), long.next()) {
        (Some(&n), None) => Ok(n),
        (None, _) => Ok(1),
        _ => Err(ImportError::Shape {
            tensor: name.to_owned(),
            found: shape.clone(),
            reason: "it must have one value per channel",
        }),
    }
}
