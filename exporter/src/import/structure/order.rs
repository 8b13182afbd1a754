//! Second pass: the embedding, the output layer, and the order of the levels.

use runtime::limits::MAX_LEVELS;

use super::chain::{Form, chain};
use super::modules::Matrix;
use crate::import::names::{self, natural, numbered};
use crate::import::{ImportError, Options};

/// Largest number of orders of levels to try if names do not say the order.
const MAX_ORDERS: usize = 720;

/// Largest number of choices of embedding and output layer to try.
const MAX_ROLES: usize = 12;

/// Choice of the embedding, and the layers in the order of their names, with the output layer last.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    pub(super) embedding: Matrix,
    pub(super) layers: Vec<Matrix>,
    /// `true` if `--order` names the layers.
    pub(super) asked: bool,
}

impl Roles {
    /// Adds the assumed roles to an error, unless `--order` names them.
    pub(super) fn explain(&self, source: ImportError) -> ImportError {
        let guess = matches!(source, ImportError::Chain { .. } | ImportError::Unpaired { .. });
        match self.layers.last() {
            Some(output) if guess && !self.asked => ImportError::Roles {
                embedding: self.embedding.weight.clone(),
                output: output.weight.clone(),
                source: Box::new(source),
            },
            _ => source,
        }
    }
}

/// Returns the roles that matrices can have, the most likely first.
pub(super) fn roles(mut matrices: Vec<Matrix>, options: &Options) -> Result<Vec<Roles>, ImportError> {
    if !options.order.is_empty() {
        return Ok(vec![as_asked(matrices, &options.order)?]);
    }
    matrices.sort_by(|first, second| natural(&first.module, &second.module));
    let can_embed = |matrix: &Matrix| {
        matrix.bias.is_none() && matrix.norm.is_none() && matrix.kernel.is_none() && matrix.gate.is_none()
    };
    let mut embeddings: Vec<usize> = (0..matrices.len()).filter(|&at| can_embed(&matrices[at])).collect();
    let named: Vec<usize> =
        embeddings.iter().copied().filter(|&at| names::is_embedding(&matrices[at].module)).collect();
    // If no name means an embedding, the first matrix is the embedding, as in a Sequential.
    let first = named.first().copied().unwrap_or(0);
    let has_output = |at: usize| {
        let vocab_size = matrices[at].shape[0];
        matrices.iter().enumerate().any(|(other, matrix)| other != at && matrix.shape.contains(&vocab_size))
    };
    embeddings.sort_by_key(|&at| (at != first, !named.contains(&at), !has_output(at), at));
    if embeddings.is_empty() {
        return Err(ImportError::NoEmbedding { tensor: matrices[first].weight.clone() });
    }
    let mut all = Vec::new();
    for &at in &embeddings {
        let mut layers = matrices.clone();
        let embedding = layers.remove(at);
        for output in outputs(&layers, embedding.shape[0]) {
            let mut layers = layers.clone();
            let output = layers.remove(output);
            layers.push(output);
            all.push(Roles { embedding: embedding.clone(), layers, asked: false });
        }
    }
    all.truncate(MAX_ROLES);
    Ok(all)
}

/// Returns the layers that can be the output layer, the most likely first: by name, by number of logits, or the last
/// one.
fn outputs(layers: &[Matrix], vocab_size: usize) -> Vec<usize> {
    let named: Vec<usize> = (0..layers.len()).filter(|&at| names::is_output(&layers[at].module)).collect();
    let possible: Vec<usize> = (0..layers.len()).filter(|&at| layers[at].shape.contains(&vocab_size)).collect();
    let first = match (&named[..], &possible[..]) {
        (&[at], _) | (_, &[at]) => at,
        _ => layers.len() - 1,
    };
    let mut all = vec![first];
    all.extend(possible.into_iter().filter(|&at| at != first));
    all
}

/// Returns an error if two levels have the same shape and names that do not say which comes first.
pub(super) fn unordered(layers: &[Matrix]) -> Option<ImportError> {
    let levels = layers.split_last().map_or(&[][..], |(_, levels)| levels);
    for (index, first) in levels.iter().enumerate() {
        for second in &levels[index + 1..] {
            let same = first.shape == second.shape && first.kernel == second.kernel;
            if same && !numbered(&first.module, &second.module) {
                let [first, second] = [first, second].map(|matrix| matrix.module.clone());
                return Some(ImportError::Order { first, second });
            }
        }
    }
    None
}

/// Returns the orders of the levels that fit, at most [`MAX_ORDERS`]. The output layer is the last in each.
pub(super) fn orders(roles: &Roles, form: Form) -> Vec<Vec<Matrix>> {
    let Some((output, levels)) = roles.layers.split_last() else { return Vec::new() };
    // No order can fit.
    if levels.len() > MAX_LEVELS || output.fans(form.orientation).1 != roles.embedding.shape[0] {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut search = Search { roles, form, levels, output, found: &mut found, steps: 0 };
    search.extend(&mut Vec::new());
    found
}

/// Depth-first search for orders of the levels.
struct Search<'s> {
    roles: &'s Roles,
    form: Form,
    levels: &'s [Matrix],
    output: &'s Matrix,
    found: &'s mut Vec<Vec<Matrix>>,
    steps: usize,
}

impl Search<'_> {
    fn extend(&mut self, taken: &mut Vec<usize>) {
        self.steps += 1;
        // Limits the search: a file with many matrices is hardly a network that this program supports.
        if self.found.len() >= MAX_ORDERS || self.steps > 10 * MAX_ORDERS {
            return;
        }
        let with = |last: Option<&Matrix>| -> Vec<Matrix> {
            taken.iter().map(|&at| self.levels[at].clone()).chain(last.cloned()).collect()
        };
        if taken.len() == self.levels.len() {
            let order = with(Some(self.output));
            if chain(&self.roles.embedding, &order, self.form).is_ok() {
                self.found.push(order);
            }
            return;
        }
        // Goes on only if the levels so far fit. The output layer need not fit yet.
        let order = with(Some(self.output));
        if let Err((at, _)) = chain(&self.roles.embedding, &order, self.form)
            && at < taken.len()
        {
            return;
        }
        for at in 0..self.levels.len() {
            if !taken.contains(&at) {
                taken.push(at);
                self.extend(taken);
                taken.pop();
            }
        }
    }
}

/// Returns the matrices in the order of `--order`.
fn as_asked(mut matrices: Vec<Matrix>, order: &[String]) -> Result<Roles, ImportError> {
    let modules = matrices.iter().map(|matrix| matrix.module.as_str()).collect::<Vec<_>>().join(", ");
    let bad = |reason: String| ImportError::BadOrder { reason, modules: modules.clone() };
    let mut layers = Vec::new();
    for name in order {
        let at = matrices.iter().position(|matrix| matrix.module == *name || matrix.weight == *name);
        let unknown = || bad(format!("{name:?} is not a module with a matrix, or is named twice"));
        layers.push(matrices.remove(at.ok_or_else(unknown)?));
    }
    if let Some(left) = matrices.first() {
        return Err(bad(format!("{:?} is not named", left.module)));
    }
    let embedding = layers.remove(0);
    if embedding.bias.is_some() || embedding.norm.is_some() || embedding.kernel.is_some() || embedding.gate.is_some() {
        return Err(ImportError::NoEmbedding { tensor: embedding.weight });
    }
    Ok(Roles { embedding, layers, asked: true })
}
