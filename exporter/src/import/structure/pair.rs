//! Third pass: the layer that each BatchNorm follows.

use std::collections::BTreeSet;

use super::Norm;
use super::modules::Matrix;
use crate::import::ImportError;
use crate::import::names::{last_number, natural, parent, place};

/// Assigns every BatchNorm to the layer before it.
pub(super) fn pair(
    embedding: &Matrix,
    layers: Vec<Matrix>,
    mut norms: Vec<Norm>,
    notes: &mut Vec<String>,
) -> Result<Vec<Matrix>, ImportError> {
    norms.sort_by(|first, second| natural(&first.module, &second.module));
    let mut pairing = Pairing {
        embedding: &embedding.weight,
        names: layers.iter().map(|layer| layer.module.clone()).collect(),
        norms: norms.iter().map(|norm| norm.module.clone()).collect(),
        layers,
    };
    let mut left = Vec::new();
    for norm in norms {
        match pairing.by_place(&norm, notes)? {
            Some(at) => pairing.give(norm, at)?,
            None => left.push(norm),
        }
    }
    for (at, norm) in pairing.by_number(&left)?.into_iter().zip(left) {
        pairing.give(norm, at)?;
    }
    Ok(pairing.layers)
}

struct Pairing<'a> {
    /// Name of the embedding's matrix.
    embedding: &'a str,
    layers: Vec<Matrix>,
    /// Modules of the layers.
    names: Vec<String>,
    /// Modules of the BatchNorms.
    norms: Vec<String>,
}

impl Pairing<'_> {
    fn give(&mut self, norm: Norm, at: usize) -> Result<(), ImportError> {
        let layer = &mut self.layers[at];
        if let Some(other) = &layer.norm {
            let reason = format!(
                "it follows {:?}, as {:?} does: is a weight between the two BatchNorms missing?",
                layer.weight, other.module
            );
            return Err(unpaired(&norm, reason));
        }
        layer.norm = Some(norm);
        Ok(())
    }

    /// Returns the layer that a BatchNorm follows by its place among the modules; `None` if the place does not tell.
    fn by_place(&self, norm: &Norm, notes: &mut Vec<String>) -> Result<Option<usize>, ImportError> {
        if self.is_in_block(norm) {
            return Ok(self.names.iter().position(|name| parent(name) == parent(&norm.module)));
        }
        let Some((list, place_of_norm)) = place(&norm.module) else { return Ok(None) };
        let in_list = |name: &String| place(name).filter(|(parent, _)| *parent == list).map(|(_, place)| place);
        if !self.names.iter().any(|name| in_list(name).is_some()) {
            return Ok(None);
        }
        // In a Sequential, the BatchNorm follows the last linear layer before it.
        let places = self.names.iter().enumerate().filter_map(|(at, name)| Some((in_list(name)?, at)));
        let Some((place, at)) = places.filter(|(place, _)| *place < place_of_norm).max() else {
            let reason = format!("it follows the embedding {:?}: is a weight missing?", self.embedding);
            return Err(unpaired(norm, reason));
        };
        if place_of_norm - place > 1 {
            notes.push(format!(
                "there is a module without weights between {} and BatchNorm {}: it may reshape, but must not be an \
                 activation",
                self.names[at], norm.module
            ));
        }
        Ok(Some(at))
    }

    /// Returns whether a BatchNorm is in a block with one layer and no other BatchNorm.
    fn is_in_block(&self, norm: &Norm) -> bool {
        let block = parent(&norm.module);
        let siblings = |names: &[String]| names.iter().filter(|name| parent(name) == block).count();
        block.is_some() && siblings(&self.norms) == 1 && siblings(&self.names) == 1
    }

    /// Returns the layer of each BatchNorm by the numbers in their names: fc1 and bn1, linears.0 and norms.0.
    ///
    /// If the numbers do not tell, the order does, provided that there are enough BatchNorms.
    fn by_number(&self, norms: &[Norm]) -> Result<Vec<usize>, ImportError> {
        let same_number = |norm: &Norm| {
            let number = last_number(&norm.module)?;
            let mut found = (0..self.names.len()).filter(|&at| last_number(&self.names[at]) == Some(number));
            let at = found.next()?;
            found.next().is_none().then_some(at)
        };
        let by_number: Option<Vec<usize>> = norms.iter().map(same_number).collect();
        let distinct = |places: &Vec<usize>| places.iter().collect::<BTreeSet<_>>().len() == places.len();
        match by_number.filter(distinct) {
            Some(places) => Ok(places),
            // One BatchNorm per level, or also one after the output layer.
            None if norms.len() == self.names.len() - 1 || norms.len() == self.names.len() => {
                Ok((0..norms.len()).collect())
            }
            None => {
                let reason =
                    "neither its name nor the number of BatchNorms tells which linear layer it follows".to_owned();
                Err(unpaired(&norms[0], reason))
            }
        }
    }
}

fn unpaired(norm: &Norm, reason: String) -> ImportError {
    ImportError::Unpaired { module: norm.module.clone(), tensor: norm.mean.clone(), reason }
}
