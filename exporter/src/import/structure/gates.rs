//! Gated units of two matrices: finds filter and gate, and the BatchNorms of both.

use super::Norm;
use super::modules::Matrix;
use crate::import::names::{Half, half, last_number, natural, parent};

/// Joins matrices that are filter and gate by their names, and assigns BatchNorms to both. Returns the matrices and the
/// BatchNorms that are left.
pub(super) fn join_by_name(matrices: Vec<Matrix>, norms: Vec<Norm>) -> (Vec<Matrix>, Vec<Norm>) {
    let halves: Vec<Option<(Half, String)>> = matrices.iter().map(|matrix| half(&matrix.module)).collect();
    let partner = |at: usize| {
        let (own, key) = halves[at].as_ref()?;
        let mut others = (0..matrices.len()).filter(|&other| {
            halves[other].as_ref().is_some_and(|(half, other)| half != own && other == key)
                && matrices[other].shape == matrices[at].shape
                && matrices[other].kernel == matrices[at].kernel
        });
        let other = others.next()?;
        others.next().is_none().then_some(other)
    };
    let partners: Vec<Option<usize>> = (0..matrices.len()).map(partner).collect();
    let mut matrices: Vec<(Option<Half>, Matrix)> = (matrices.into_iter().zip(&halves).zip(&partners))
        .map(|((matrix, half), partner)| (half.as_ref().filter(|_| partner.is_some()).map(|(half, _)| *half), matrix))
        .collect();
    let norms = give_norms(&mut matrices, norms);
    let mut slots: Vec<Option<(Option<Half>, Matrix)>> = matrices.into_iter().map(Some).collect();
    let mut joined = Vec::new();
    for at in 0..slots.len() {
        if matches!(slots[at], Some((Some(Half::Gate), _))) {
            continue;
        }
        let Some((half, mut matrix)) = slots[at].take() else { continue };
        if half.is_some() {
            matrix.gate = partners[at].and_then(|gate| slots[gate].take()).map(|(_, gate)| Box::new(gate));
        }
        joined.push(matrix);
    }
    (joined, norms)
}

/// Assigns BatchNorms whose names mean a half to matrices of that half. Returns the other BatchNorms.
fn give_norms(matrices: &mut [(Option<Half>, Matrix)], norms: Vec<Norm>) -> Vec<Norm> {
    let mut left = Vec::new();
    let mut waiting: Vec<(Half, Norm)> = Vec::new();
    for norm in norms {
        match half(&norm.module) {
            Some((half, _)) if matrices.iter().any(|(of, _)| *of == Some(half)) => waiting.push((half, norm)),
            _ => left.push(norm),
        }
    }
    for of in [Half::Filter, Half::Gate] {
        let mut norms: Vec<Norm> = waiting.extract_if(.., |(half, _)| *half == of).map(|(_, norm)| norm).collect();
        norms.sort_by(|first, second| natural(&first.module, &second.module));
        let mut places: Vec<usize> = (0..matrices.len()).filter(|&at| matrices[at].0 == Some(of)).collect();
        places.sort_by(|&first, &second| natural(&matrices[first].1.module, &matrices[second].1.module));
        let only = |matches: &dyn Fn(&str) -> bool| {
            let mut found = places.iter().filter(|&&at| matches(&matrices[at].1.module));
            let at = found.next()?;
            found.next().is_none().then_some(*at)
        };
        // By their block, or by their number; otherwise by their order, if the numbers of both are equal.
        let places: Vec<Option<usize>> = (norms.iter().enumerate())
            .map(|(index, norm)| {
                let in_block = parent(&norm.module).and_then(|block| only(&|module| parent(module) == Some(block)));
                let number = last_number(&norm.module);
                let by_number = || number.and_then(|number| only(&|module| last_number(module) == Some(number)));
                in_block
                    .or_else(by_number)
                    .or_else(|| places.get(index).copied().filter(|_| places.len() == norms.len()))
            })
            .collect();
        for (norm, at) in norms.into_iter().zip(places) {
            match at.map(|at| &mut matrices[at].1.norm) {
                Some(free @ None) => *free = Some(norm),
                _ => left.push(norm),
            }
        }
    }
    left
}

/// Joins every two consecutive levels of the same shape and without gates, as filter and gate.
///
/// Returns `None` unless all levels are such pairs. The output layer is the last layer and does not change.
pub(super) fn join_in_order(layers: &[Matrix]) -> Option<Vec<Matrix>> {
    let (output, levels) = layers.split_last()?;
    let mut joined = Vec::new();
    for pair in levels.chunks(2) {
        let [filter, gate] = pair else { return None };
        if filter.shape != gate.shape || filter.kernel != gate.kernel || filter.gate.is_some() || gate.gate.is_some() {
            return None;
        }
        joined.push(Matrix { gate: Some(Box::new(gate.clone())), ..filter.clone() });
    }
    joined.push(output.clone());
    Some(joined)
}
