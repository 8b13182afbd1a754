//! Structure of a network: finds the tree from names and shapes, in passes.
//!
//! ```text
//! modules    the tensors of each module: matrices, convolutions, and BatchNorms that are modules
//! gates      the two matrices of a gated unit
//! order      the embedding, the output layer, and the levels from the characters up
//! pair       the layer that each BatchNorm follows
//! chain      storage of matrices, fuses, gates and skip connections
//! channels   lengths of biases and BatchNorms
//! ```
//!
//! [`understand`] returns the network that names and shapes decide, and fails if they leave a choice. [`readings`]
//! lists all networks that fit.

mod chain;
mod channels;
mod gates;
mod modules;
mod order;
mod pair;

use runtime::limits::MAX_WIDTH;
use runtime::{Activation, Level};

use super::{ImportError, Options, StateDict, names};
use crate::model::architecture::Architecture;
use chain::{Form, chain, oriented};
use channels::check_channels;
use modules::{Matrix, modules};
use order::{Roles, orders, roles, unordered};
use pair::pair;

/// Largest number of networks to try with a golden file.
const MAX_READINGS: usize = 2_000;

/// Storage of matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// `[fan_out, fan_in]`: `nn.Linear`.
    FanOutFanIn,
    /// `[fan_in, fan_out]`: the lecture's own `Linear`, and `x @ W`.
    FanInFanOut,
}

/// Names of a BatchNorm's tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Norm {
    /// Module of the BatchNorm.
    pub module: String,
    /// Gamma; `None` if it is 1.
    pub gamma: Option<String>,
    /// Beta; `None` if it is 0.
    pub beta: Option<String>,
    /// Running mean.
    pub mean: String,
    /// Running variance or standard deviation.
    pub spread: String,
    /// `true` if `spread` is the standard deviation.
    pub deviation: bool,
}

/// Names and dimensions of a linear layer's tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Module of the layer.
    pub module: String,
    /// Matrix.
    pub weight: String,
    /// Positions of a convolution, stored as `[fan_out, channels, positions]`; `None` for a matrix.
    pub kernel: Option<usize>,
    /// Bias; `None` if it is 0.
    pub bias: Option<String>,
    /// BatchNorm between the layer and the activation.
    pub batch_norm: Option<Norm>,
    /// Number of columns, independent of the storage.
    pub fan_in: usize,
    /// Number of rows.
    pub fan_out: usize,
    /// Number of neighbours that the level fuses; 1 for the output layer.
    pub fuse: usize,
    /// Layer of the gates, if this layer has only the filters; otherwise `None`.
    pub gate: Option<Box<Layer>>,
}

impl Layer {
    /// Returns the number of rows, including those of the gates' layer.
    pub fn rows(&self) -> usize {
        self.fan_out * if self.gate.is_some() { 2 } else { 1 }
    }

    /// Returns this layer and the gates' layer.
    pub fn halves(&self) -> impl Iterator<Item = &Layer> {
        std::iter::once(self).chain(self.gate.as_deref())
    }
}

/// Structure of the network in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Storage of the matrices.
    pub orientation: Orientation,
    /// Number of rows of the embedding.
    pub vocab_size: usize,
    /// Number of columns of the embedding.
    pub n_embd: usize,
    /// Name of the embedding's tensor.
    pub embedding: String,
    /// Levels, from the characters up.
    pub levels: Vec<Layer>,
    /// Output layer, which computes the logits.
    pub output: Layer,
    /// Function after every level.
    pub activation: Activation,
    /// `true` if the gates are the first half of a gated unit's rows, and the filters the second.
    pub gates_first: bool,
    /// `true` if the output layer reads all levels.
    pub skip: bool,
    /// `true` if the output layer reads the last level first.
    pub skip_reversed: bool,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl Structure {
    /// Returns the context length in characters: the product of the fuses.
    pub fn block_size(&self) -> usize {
        self.levels.iter().map(|level| level.fuse).product()
    }

    /// Returns the number of values per node of a level.
    pub fn width(&self, level: &Layer) -> usize {
        level.rows() / self.activation.rows_per_value()
    }

    /// Returns the architecture of the network.
    ///
    /// # Panics
    /// Never for a structure of [`understand`] or [`readings`], which check the limits.
    pub fn architecture(&self) -> Architecture {
        let level = |layer: &Layer| Level {
            fuse: u8::try_from(layer.fuse).expect("at most MAX_FUSE"),
            width: u16::try_from(self.width(layer)).expect("at most MAX_WIDTH"),
        };
        let levels = self.levels.iter().map(level).collect();
        Architecture { n_embd: self.n_embd, levels, activation: self.activation, skip: self.skip }
    }
}

/// Finds the network in a `state_dict` from names and shapes.
///
/// # Errors
/// [`ImportError`] if a tensor does not fit, or the file leaves a choice.
pub fn understand(state: &StateDict, options: &Options) -> Result<Structure, ImportError> {
    let file = File::new(state, options)?;
    let mut first = None;
    let mut others: Vec<(String, Structure)> = Vec::new();
    for (index, roles) in file.roles()?.iter().enumerate() {
        match file.decided(roles) {
            Ok(structure) if index == 0 => return Ok(structure),
            Ok(structure) => others.push((roles.embedding.module.clone(), structure)),
            Err(error) if index == 0 && is_open(&error) => return Err(error),
            Err(error) => first = first.or(Some(roles.explain(error))),
        }
    }
    match &mut others[..] {
        [] => {}
        [(_, structure)] => {
            let (embedding, output) = (&structure.embedding, &structure.output.weight);
            structure
                .notes
                .push(format!("according to the shapes, {embedding} is the embedding and {output} the output layer"));
            return Ok(structure.clone());
        }
        [(first, _), (second, _), ..] => {
            return Err(ImportError::Embedding { first: first.clone(), second: second.clone() });
        }
    }
    let first = first.unwrap_or(ImportError::TooFew { found: file.matrices.len() });
    Err(file.way_around().unwrap_or(first))
}

/// Returns whether an error means that the file leaves a choice, rather than that nothing fits.
fn is_open(error: &ImportError) -> bool {
    matches!(error, ImportError::Ambiguous | ImportError::Order { .. } | ImportError::OtherWay { .. })
}

/// Returns all networks that the shapes allow, the most likely first: every order of layers without numbers in their
/// names, both ways of storing matrices, gated units and skip connections.
///
/// # Errors
/// [`ImportError`] of [`understand`] if there is no such network.
pub fn readings(state: &StateDict, options: &Options) -> Result<Vec<Structure>, ImportError> {
    let file = File::new(state, options)?;
    let mut all: Vec<Structure> = Vec::new();
    for roles in file.roles()? {
        let Ok((roles, notes)) = file.paired(&roles) else { continue };
        for (gated, skip) in file.forms() {
            for orientation in [Orientation::FanOutFanIn, Orientation::FanInFanOut] {
                // If all layers are convolutions, the orientation makes no difference.
                let twice = orientation == Orientation::FanInFanOut
                    && roles.layers.iter().all(|layer| layer.kernel.is_some())
                    && options.orientation.is_none();
                if twice || options.orientation.is_some_and(|asked| asked != orientation) {
                    continue;
                }
                let form = Form { orientation, gated, skip };
                for layers in file.candidates(&roles, form) {
                    if let Ok(layers) = chain(&roles.embedding, &layers, form)
                        && let Ok(structure) = file.structure(&roles, form, &layers, notes.clone())
                        && all.len() < MAX_READINGS
                        && !all.contains(&structure)
                    {
                        all.push(structure);
                    }
                }
            }
        }
    }
    if all.is_empty() { understand(state, options).map(|structure| vec![structure]) } else { Ok(all) }
}

/// Modules of a `state_dict`.
struct File<'f> {
    state: &'f StateDict,
    options: &'f Options,
    matrices: Vec<Matrix>,
    norms: Vec<Norm>,
}

impl<'f> File<'f> {
    fn new(state: &'f StateDict, options: &'f Options) -> Result<Self, ImportError> {
        if state.metadata.get("format").is_some_and(|format| format == crate::model::file::FORMAT) {
            return Err(ImportError::AlreadyFolded);
        }
        let (matrices, norms) = modules(state)?;
        let (matrices, norms) = gates::join_by_name(matrices, norms);
        if matrices.len() < 3 {
            return Err(ImportError::TooFew { found: matrices.len() });
        }
        let file = Self { state, options, matrices, norms };
        if let Some(activation) = options.activation.filter(|activation| !activation.is_gated())
            && let Some(Matrix { weight, gate: Some(gate), .. }) =
                file.matrices.iter().find(|matrix| matrix.gate.is_some())
        {
            let reason = format!("the file has gated units: {weight:?} is their filter, {:?} their gate", gate.weight);
            return Err(ImportError::Activation { activation, reason });
        }
        Ok(file)
    }

    fn roles(&self) -> Result<Vec<Roles>, ImportError> {
        roles(self.matrices.clone(), self.options)
    }

    /// Returns the forms that the activation allows: whether the units are gated, and whether the output layer reads
    /// all levels.
    fn forms(&self) -> Vec<(bool, bool)> {
        let pairs = self.matrices.iter().any(|matrix| matrix.gate.is_some());
        let gated = match self.options.activation {
            Some(activation) => vec![activation.is_gated()],
            None if pairs => vec![true],
            None => vec![false, true],
        };
        gated.into_iter().flat_map(|gated| [(gated, false), (gated, true)]).collect()
    }

    /// Assigns BatchNorms to the layers. Returns the roles and notes for the user.
    fn paired(&self, roles: &Roles) -> Result<(Roles, Vec<String>), ImportError> {
        let mut notes = self.state.notes.clone();
        let layers = pair(&roles.embedding, roles.layers.clone(), self.norms.clone(), &mut notes)?;
        for (name, count) in &self.state.counters {
            if *count == Some(0) {
                notes.push(format!("{name} is 0: this BatchNorm has never seen a batch in training mode"));
            }
        }
        Ok((Roles { layers, ..roles.clone() }, notes))
    }

    /// Returns the only network that names and shapes allow with these roles.
    fn decided(&self, roles: &Roles) -> Result<Structure, ImportError> {
        let (roles, notes) = self.paired(roles)?;
        let mut first = None;
        for (gated, skip) in self.forms() {
            let mut layers = vec![roles.layers.clone()];
            layers.extend(gates::join_in_order(&roles.layers).filter(|_| gated));
            for layers in layers {
                match oriented(&roles.embedding, &layers, self.options.orientation, (gated, skip)) {
                    Ok((orientation, chained)) => {
                        if let Some(error) = unordered(&layers).filter(|_| !roles.asked) {
                            return Err(error);
                        }
                        return self.structure(&roles, Form { orientation, gated, skip }, &chained, notes);
                    }
                    Err(error) if is_open(&error) => return Err(error),
                    Err(error) => first = first.or(Some(error)),
                }
            }
        }
        if !roles.asked
            && let Some(found) = self.reordered(&roles, notes)
        {
            return found;
        }
        Err(first.unwrap_or(ImportError::TooFew { found: self.matrices.len() }))
    }

    /// Returns the only network with the layers in another order than their names; `None` if there is none.
    fn reordered(&self, roles: &Roles, mut notes: Vec<String>) -> Option<Result<Structure, ImportError>> {
        for (gated, skip) in self.forms() {
            let both = [Orientation::FanOutFanIn, Orientation::FanInFanOut];
            let asked = |orientation: &Orientation| self.options.orientation.is_none_or(|asked| asked == *orientation);
            let found: Vec<(Form, Vec<Matrix>)> = (both.into_iter().filter(asked))
                .map(|orientation| Form { orientation, gated, skip })
                .flat_map(|form| orders(roles, form).into_iter().map(move |layers| (form, layers)))
                .collect();
            match &found[..] {
                [] => {}
                [(form, layers)] => {
                    let names: Vec<&str> = layers.iter().map(|layer| layer.module.as_str()).collect();
                    notes.push(format!("order of the layers, according to the shapes: {}", names.join(", ")));
                    let layers = chain(&roles.embedding, layers, *form).ok()?;
                    return Some(self.structure(roles, *form, &layers, notes));
                }
                [(_, one), (_, other), ..] => {
                    let [first, second] = one
                        .iter()
                        .zip(other)
                        .find(|(one, other)| one.module != other.module)
                        .map(|(one, other)| [one.module.clone(), other.module.clone()])?;
                    return Some(Err(ImportError::Order { first, second }));
                }
            }
        }
        None
    }

    /// Returns the orders of the layers to try with a golden file: the order of the names, then all others that fit.
    fn candidates(&self, roles: &Roles, form: Form) -> Vec<Vec<Matrix>> {
        let mut all = vec![roles.layers.clone()];
        all.extend(gates::join_in_order(&roles.layers).filter(|_| form.gated));
        if !roles.asked && (unordered(&roles.layers).is_some() || chain(&roles.embedding, &all[0], form).is_err()) {
            all.extend(orders(roles, form));
        }
        all
    }

    fn structure(
        &self,
        roles: &Roles,
        form: Form,
        layers: &[Layer],
        mut notes: Vec<String>,
    ) -> Result<Structure, ImportError> {
        check_channels(self.state, layers)?;
        let [vocab_size, n_embd] = roles.embedding.shape;
        let (output, levels) = layers.split_last().expect("at least two");
        if output.bias.is_none() && output.batch_norm.is_none() {
            notes.push(format!("the output layer {} has no bias: the model gets a bias of 0", output.weight));
        }
        let default = if form.gated { Activation::Gated } else { Activation::Tanh };
        let structure = Structure {
            orientation: form.orientation,
            vocab_size,
            n_embd,
            embedding: roles.embedding.weight.clone(),
            levels: levels.to_vec(),
            output: output.clone(),
            activation: self.options.activation.unwrap_or(default),
            gates_first: false,
            skip: form.skip,
            skip_reversed: false,
            notes,
        };
        // A matrix may be wider than a level's type can represent.
        for level in &structure.levels {
            if level.rows() > MAX_WIDTH {
                let found = self.state.tensors[&level.weight].shape.clone();
                let reason = "the level is wider than the runtime's limit of 4,096 rows";
                return Err(ImportError::Shape { tensor: level.weight.clone(), found, reason });
            }
        }
        structure.architecture().config(vocab_size)?;
        Ok(structure)
    }

    /// Returns an error if a matrix looks like a connection around a level.
    fn way_around(&self) -> Option<ImportError> {
        let halves = self.matrices.iter().flat_map(|matrix| std::iter::once(matrix).chain(matrix.gate.as_deref()));
        halves.clone().find_map(|matrix| {
            let block = names::parent(&matrix.module);
            let has_sibling = block.is_some()
                && halves.clone().any(|other| other.module != matrix.module && names::parent(&other.module) == block);
            let what = names::way_around(&matrix.module).or_else(|| {
                // A projection in a block with another layer, or a convolution of one position next to a larger one.
                let projects =
                    matrix.module.to_lowercase().rsplit('.').next().is_some_and(|last| last.contains("proj"));
                let small = matrix.kernel == Some(1) && halves.clone().any(|other| other.kernel > Some(1));
                (has_sibling && (projects || small)).then_some("the projection of a residual or skip connection")
            })?;
            let tensor = matrix.weight.clone();
            let found = self.state.tensors[&tensor].shape.clone();
            Some(ImportError::Residual { tensor, found, what })
        })
    }
}
