//! Which tensor is which layer: from names and shapes to the tree.

use std::collections::{BTreeMap, BTreeSet};

use runtime::limits::{MAX_FUSE, MAX_WIDTH};
use runtime::{Activation, Level};

use super::names::{self, Part, last_number, natural, numbered, parent, place};
use super::{ImportError, Options, StateDict};
use crate::model::activation::is_gated;
use crate::model::architecture::Architecture;

/// How matrices are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// `[fan_out, fan_in]`: `nn.Linear`.
    FanOutFanIn,
    /// `[fan_in, fan_out]`: the lecture's own `Linear`, and `x @ W`.
    FanInFanOut,
}

/// A BatchNorm, by the names of its tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Norm {
    /// The module.
    pub module: String,
    /// gamma; `None` for 1.
    pub gamma: Option<String>,
    /// beta; `None` for 0.
    pub beta: Option<String>,
    /// Running mean.
    pub mean: String,
    /// Running variance, or the deviation.
    pub spread: String,
    /// Whether that is the standard deviation.
    pub deviation: bool,
}

/// A linear layer, by the names of its tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The module.
    pub module: String,
    /// The matrix.
    pub weight: String,
    /// The bias; `None` for 0.
    pub bias: Option<String>,
    /// What follows it, before the activation.
    pub batch_norm: Option<Norm>,
    /// Columns, however it is stored.
    pub fan_in: usize,
    /// Rows.
    pub fan_out: usize,
    /// Positions fused; 1 for the output layer.
    pub fuse: usize,
}

/// What a file was understood to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// How matrices are stored.
    pub orientation: Orientation,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Columns of the embedding.
    pub n_embd: usize,
    /// The embedding's name.
    pub embedding: String,
    /// The levels from the characters up.
    pub levels: Vec<Layer>,
    /// To logits.
    pub output: Layer,
    /// The function after every level.
    pub activation: Activation,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Structure {
    /// Characters of context: the product of the fuse factors.
    pub fn block_size(&self) -> usize {
        self.levels.iter().map(|level| level.fuse).product()
    }

    /// The shape of the network.
    ///
    /// # Panics
    /// Never: [`understand`] has checked the limits.
    pub fn architecture(&self) -> Architecture {
        let level = |layer: &Layer| Level {
            fuse: u8::try_from(layer.fuse).expect("at most MAX_FUSE"),
            width: u16::try_from(layer.fan_out).expect("at most MAX_WIDTH"),
        };
        let levels = self.levels.iter().map(level).collect();
        Architecture { n_embd: self.n_embd, levels, activation: self.activation, skip: false }
    }
}

/// A module with a matrix.
#[derive(Clone, Debug)]
struct Matrix {
    module: String,
    weight: String,
    shape: [usize; 2],
    bias: Option<String>,
    norm: Option<Norm>,
}

impl Matrix {
    fn fans(&self, orientation: Orientation) -> (usize, usize) {
        match (self.shape, orientation) {
            ([fan_out, fan_in], Orientation::FanOutFanIn) | ([fan_in, fan_out], Orientation::FanInFanOut) => {
                (fan_in, fan_out)
            }
        }
    }
}

/// Finds the tree in a `state_dict`.
///
/// # Errors
/// [`ImportError`] names the tensor that does not fit.
pub fn understand(state: &StateDict, options: &Options) -> Result<Structure, ImportError> {
    if state.metadata.get("format").is_some_and(|format| format == crate::model::file::FORMAT) {
        return Err(ImportError::AlreadyFolded);
    }
    if is_gated(options.activation) {
        return Err(ImportError::Gated { activation: options.activation });
    }
    let (matrices, norms) = modules(state)?;
    if matrices.len() < 3 {
        return Err(ImportError::TooFew { found: matrices.len() });
    }
    let (embedding, layers) = in_order(state, matrices, options)?;
    let mut notes = Vec::new();
    let layers = pair(&embedding, layers, norms, &mut notes)?;
    for (name, count) in &state.counters {
        if *count == Some(0) {
            notes.push(format!("{name} is 0: that BatchNorm has never seen a batch in training mode"));
        }
    }
    let (orientation, layers) = oriented(state, &embedding, &layers, options.orientation)?;
    let [vocab_size, n_embd] = embedding.shape;
    let (output, levels) = layers.split_last().expect("at least two");
    if output.bias.is_none() && output.batch_norm.is_none() {
        notes.push(format!("{} has no bias: 0 is taken", output.weight));
    }
    let structure = Structure {
        orientation,
        vocab_size,
        n_embd,
        embedding: embedding.weight,
        levels: levels.to_vec(),
        output: output.clone(),
        activation: options.activation,
        notes,
    };
    // Widths of a matrix can be larger than a level of the runtime has numbers for.
    for level in &structure.levels {
        if level.fan_out > MAX_WIDTH {
            let found = state.tensors[&level.weight].shape.clone();
            let reason = "wider than the runtime takes, which is 4,096";
            return Err(ImportError::Shape { tensor: level.weight.clone(), found, reason });
        }
    }
    structure.architecture().config(vocab_size)?;
    Ok(structure)
}

/// The tensors by module: those with a matrix, and BatchNorms of their own.
fn modules(state: &StateDict) -> Result<(Vec<Matrix>, Vec<Norm>), ImportError> {
    let mut modules: BTreeMap<String, BTreeMap<Part, &str>> = BTreeMap::new();
    for (name, tensor) in &state.tensors {
        let extra = || ImportError::Extra { tensor: name.clone(), found: tensor.shape.clone() };
        let (module, part) = match names::parse(name) {
            Some(found) => found,
            // A matrix under a name of its own, such as the lecture's C: its shape says enough.
            None if tensor.shape.len() == 2 => (name.clone(), Part::Weight),
            None => return Err(extra()),
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
            Some(&[rows, columns]) if rows > 1 || !statistics => Some([rows, columns]),
            Some(shape) if shape.len() > 2 && !statistics => {
                let reason = "convolutions and other tensors of more than two dimensions are not imported";
                let tensor = name(Part::Weight).expect("it has a shape");
                return Err(ImportError::Shape { tensor, found: shape.to_vec(), reason });
            }
            _ => None,
        };
        match matrix {
            Some(shape) => {
                let of_norm = [Part::Gamma, Part::Beta, Part::Mean, Part::Variance, Part::Deviation];
                let norm = of_norm.iter().any(|part| parts.contains_key(part));
                let norm = norm.then(|| norm_of(state, &module, &parts, false)).transpose()?;
                let (weight, bias) = (name(Part::Weight).expect("it has a shape"), name(Part::Bias));
                if let Some(bias) = &bias {
                    vector(state, bias)?;
                }
                matrices.push(Matrix { module, weight, shape, bias, norm });
            }
            None => norms.push(norm_of(state, &module, &parts, true)?),
        }
    }
    Ok((matrices, norms))
}

/// A BatchNorm of the parts of a module; `alone` if it has no matrix, so that weight and bias are gamma and beta.
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
            format!("the {what} of {module:?}")
        };
        ImportError::Missing { tensor, reason }
    };
    if gamma.is_none() && mean.is_none() && variance.is_none() && deviation.is_none() {
        return Err(missing("weight", "weight", format!("{any:?} alone makes no layer")));
    }
    let statistics = || {
        let of = gamma.as_deref().or(beta.as_deref()).unwrap_or(any);
        format!("BatchNorm is folded with its running statistics; without them ({of:?}) it may be another kind of norm")
    };
    let mean = mean.ok_or_else(|| missing("running_mean", "running mean", statistics()))?;
    let (spread, deviation) = match (variance, deviation) {
        (Some(variance), None) => (variance, false),
        (None, Some(deviation)) => (deviation, true),
        (None, None) => return Err(missing("running_var", "running variance", statistics())),
        (Some(_), Some(tensor)) => {
            let found = state.tensors[&tensor].shape.clone();
            return Err(ImportError::Extra { tensor, found });
        }
    };
    // affine=False has neither; one alone is a file with a part lost.
    match (&gamma, &beta) {
        (Some(gamma), None) => return Err(missing("bias", "beta", format!("there is {gamma:?}"))),
        (None, Some(beta)) => return Err(missing("weight", "gamma", format!("there is {beta:?}"))),
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

/// The length of a tensor with one value per channel: (C), or (1, C) and (1, 1, C) as `keepdim` leaves it.
fn vector(state: &StateDict, name: &str) -> Result<usize, ImportError> {
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

/// The embedding, and the layers from the characters up.
fn in_order(
    state: &StateDict,
    mut matrices: Vec<Matrix>,
    options: &Options,
) -> Result<(Matrix, Vec<Matrix>), ImportError> {
    if !options.order.is_empty() {
        return as_asked(matrices, &options.order);
    }
    matrices.sort_by(|first, second| natural(&first.module, &second.module));
    let named: Vec<usize> = (0..matrices.len()).filter(|&at| names::is_embedding(&matrices[at].module)).collect();
    let at = match named[..] {
        [at] => at,
        [] => 0,
        [first, second, ..] => {
            // One of positions, as transformers have: the characters' is the other.
            let position = |at: &usize| matrices[*at].module.to_ascii_lowercase().contains("pos");
            let other = [first, second].into_iter().find(position).unwrap_or(second);
            let tensor = matrices[other].weight.clone();
            return Err(ImportError::Extra { found: state.tensors[&tensor].shape.clone(), tensor });
        }
    };
    let embedding = matrices.remove(at);
    if embedding.bias.is_some() || embedding.norm.is_some() {
        return Err(ImportError::NoEmbedding { tensor: embedding.weight });
    }
    // The output layer: by its name, or the last; or the only one that can be.
    let vocab_size = embedding.shape[0];
    let named: Vec<usize> = (0..matrices.len()).filter(|&at| names::is_output(&matrices[at].module)).collect();
    let possible: Vec<usize> = (0..matrices.len()).filter(|&at| matrices[at].shape.contains(&vocab_size)).collect();
    let at = match (&named[..], &possible[..]) {
        (&[at], _) => at,
        (_, &[at]) => at,
        _ => matrices.len() - 1,
    };
    let output = matrices.remove(at);
    for (index, first) in matrices.iter().enumerate() {
        for second in &matrices[index + 1..] {
            if first.shape == second.shape && !numbered(&first.module, &second.module) {
                let [first, second] = [first, second].map(|matrix| matrix.module.clone());
                return Err(ImportError::Order { first, second });
            }
        }
    }
    matrices.push(output);
    Ok((embedding, matrices))
}

/// In the order of `--order`.
fn as_asked(mut matrices: Vec<Matrix>, order: &[String]) -> Result<(Matrix, Vec<Matrix>), ImportError> {
    let modules = matrices.iter().map(|matrix| matrix.module.as_str()).collect::<Vec<_>>().join(", ");
    let bad = |reason: String| ImportError::BadOrder { reason, modules: modules.clone() };
    let mut layers = Vec::new();
    for name in order {
        let at = matrices.iter().position(|matrix| matrix.module == *name || matrix.weight == *name);
        layers.push(matrices.remove(at.ok_or_else(|| bad(format!("{name:?} is no module, or stands twice")))?));
    }
    if let Some(left) = matrices.first() {
        return Err(bad(format!("{:?} is not in it", left.module)));
    }
    let embedding = layers.remove(0);
    if embedding.bias.is_some() || embedding.norm.is_some() {
        return Err(ImportError::NoEmbedding { tensor: embedding.weight });
    }
    Ok((embedding, layers))
}

/// Gives every BatchNorm to the layer before it.
fn pair(
    embedding: &Matrix,
    mut layers: Vec<Matrix>,
    norms: Vec<Norm>,
    notes: &mut Vec<String>,
) -> Result<Vec<Matrix>, ImportError> {
    let unpaired = |norm: &Norm, reason: String| ImportError::Unpaired {
        module: norm.module.clone(),
        tensor: norm.mean.clone(),
        reason,
    };
    let siblings = |name: &str, of: &[String]| of.iter().filter(|other| parent(other) == parent(name)).count();
    let names: Vec<String> = layers.iter().map(|layer| layer.module.clone()).collect();
    let norm_names: Vec<String> = norms.iter().map(|norm| norm.module.clone()).collect();
    let mut left = Vec::new();
    let mut give = |norm: Norm, at: usize| {
        let layer = &mut layers[at];
        if let Some(other) = &layer.norm {
            let reason = format!(
                "it follows {:?}, and so does {:?}: is a weight between them missing?",
                layer.weight, other.module
            );
            return Err(unpaired(&norm, reason));
        }
        layer.norm = Some(norm);
        Ok(())
    };
    let mut sorted = norms;
    sorted.sort_by(|first, second| natural(&first.module, &second.module));
    for norm in sorted {
        // A block with one of each.
        let in_block = parent(&norm.module).is_some()
            && siblings(&norm.module, &norm_names) == 1
            && siblings(&norm.module, &names) == 1;
        if in_block {
            let at = names.iter().position(|name| parent(name) == parent(&norm.module)).expect("one");
            give(norm, at)?;
        } else if let Some((list, place_of_norm)) = place(&norm.module)
            && names.iter().any(|name| place(name).is_some_and(|(parent, _)| parent == list))
        {
            // A Sequential: the last linear layer before it.
            let before = |at: usize| match place(&names[at]) {
                Some((parent, place)) if parent == list && place < place_of_norm => Some((place, at)),
                _ => None,
            };
            let found = (0..names.len()).filter_map(before).max();
            let Some((place, at)) = found else {
                let above = &embedding.weight;
                return Err(unpaired(
                    &norm,
                    format!("it follows {above:?}, taken for the embedding: is a weight missing?"),
                ));
            };
            if place_of_norm - place > 1 {
                notes.push(format!(
                    "there is a module without weights between {} and BatchNorm {}: an activation is wrong there, \
                     reshaping is right",
                    names[at], norm.module
                ));
            }
            give(norm, at)?;
        } else {
            left.push(norm);
        }
    }
    // fc1 and bn1, linears.0 and norms.0; or in their order, where there are as many.
    let same_number = |norm: &Norm| {
        let number = last_number(&norm.module)?;
        let mut found = (0..names.len()).filter(|&at| last_number(&names[at]) == Some(number));
        let at = found.next()?;
        found.next().is_none().then_some(at)
    };
    let by_number: Option<Vec<usize>> = left.iter().map(same_number).collect();
    let distinct = |places: &Vec<usize>| places.iter().collect::<BTreeSet<_>>().len() == places.len();
    let places = match by_number.filter(distinct) {
        Some(places) => places,
        // As many as levels, or the output layer has one too.
        None if left.len() == names.len() - 1 || left.len() == names.len() => (0..left.len()).collect(),
        None => {
            let reason = "neither its name nor their number says which linear layer it follows".to_owned();
            return Err(unpaired(&left[0], reason));
        }
    };
    for (norm, at) in left.into_iter().zip(places) {
        give(norm, at)?;
    }
    Ok(layers)
}

/// The layers with their fuse factors, and how matrices are stored.
fn oriented(
    state: &StateDict,
    embedding: &Matrix,
    layers: &[Matrix],
    asked: Option<Orientation>,
) -> Result<(Orientation, Vec<Layer>), ImportError> {
    let both = [Orientation::FanOutFanIn, Orientation::FanInFanOut];
    let [as_is, transposed] = both.map(|orientation| chain(embedding, layers, orientation));
    let layers = match (asked, as_is, transposed) {
        (None, Ok(_), Ok(_)) => return Err(ImportError::Ambiguous),
        (None | Some(Orientation::FanOutFanIn), Ok(layers), _) => (both[0], layers),
        (None | Some(Orientation::FanInFanOut), _, Ok(layers)) => (both[1], layers),
        (Some(Orientation::FanOutFanIn), Err((_, source)), Ok(_)) => {
            return Err(ImportError::OtherWay { flag: "--not-transposed", source: Box::new(source) });
        }
        (Some(Orientation::FanInFanOut), Ok(_), Err((_, source))) => {
            return Err(ImportError::OtherWay { flag: "--transposed", source: Box::new(source) });
        }
        // The way that fits further up says more about what is wrong.
        (_, Err((first, as_is)), Err((second, transposed))) => {
            return Err(if second > first { transposed } else { as_is });
        }
    };
    check_channels(state, &layers.1)?;
    Ok(layers)
}

/// The layers if matrices are stored that way; else how many fit, and what does not.
fn chain(
    embedding: &Matrix,
    matrices: &[Matrix],
    orientation: Orientation,
) -> Result<Vec<Layer>, (usize, ImportError)> {
    let [vocab_size, mut width] = embedding.shape;
    let mut below = embedding;
    let mut layers: Vec<Layer> = Vec::new();
    for (index, matrix) in matrices.iter().enumerate() {
        let (fan_in, fan_out) = matrix.fans(orientation);
        let refuse = |reason: String| {
            let error = ImportError::Chain {
                tensor: matrix.weight.clone(),
                found: matrix.shape.to_vec(),
                transposed: if orientation == Orientation::FanInFanOut { ", taken as [fan_in, fan_out]," } else { "" },
                below: below.weight.clone(),
                reason,
            };
            (index, error)
        };
        let last = index + 1 == matrices.len();
        let fuse = fan_in / width;
        if last && fan_in != width {
            let why = "skip connections and fusing before the output layer are not imported";
            return Err(refuse(format!("the output layer reads {fan_in} values, of {width}; {why}")));
        }
        if last && fan_out != vocab_size {
            return Err(refuse(format!("the last layer must give {vocab_size} logits, not {fan_out}")));
        }
        if !last && fan_in % width != 0 {
            return Err(refuse(format!("it reads {fan_in} values, no multiple of the {width} below it")));
        }
        if !last && fuse < 2 {
            return Err(refuse(format!("it reads {fan_in} values, one position of {width}: a level fuses at least 2")));
        }
        if fuse > MAX_FUSE {
            return Err(refuse(format!("it would fuse {fuse} positions of {width}, at most {MAX_FUSE} are possible")));
        }
        layers.push(Layer {
            module: matrix.module.clone(),
            weight: matrix.weight.clone(),
            bias: matrix.bias.clone(),
            batch_norm: matrix.norm.clone(),
            fan_in,
            fan_out,
            fuse,
        });
        width = fan_out;
        below = matrix;
    }
    Ok(layers)
}

/// Every bias and BatchNorm is as long as its layer is wide.
fn check_channels(state: &StateDict, layers: &[Layer]) -> Result<(), ImportError> {
    let mut positions: usize = layers.iter().map(|layer| layer.fuse).fold(1, usize::saturating_mul);
    for layer in layers {
        positions /= layer.fuse;
        let norm = layer.batch_norm.iter();
        let norm =
            norm.flat_map(|norm| [Some(&norm.mean), Some(&norm.spread), norm.gamma.as_ref(), norm.beta.as_ref()]);
        for (tensor, of_norm) in
            layer.bias.iter().map(|bias| (bias, false)).chain(norm.flatten().map(|tensor| (tensor, true)))
        {
            let found = vector(state, tensor)?;
            if found == layer.fan_out {
                continue;
            }
            let tensor = tensor.clone();
            // PyTorch's own BatchNorm1d takes the positions of (B, T, C) for channels.
            return Err(if of_norm && found == positions && positions > 1 {
                ImportError::PerPosition { found: state.tensors[&tensor].shape.clone(), tensor }
            } else {
                ImportError::Channels { tensor, found, layer: layer.weight.clone(), expected: layer.fan_out }
            });
        }
    }
    Ok(())
}
