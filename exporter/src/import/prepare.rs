//! Normalisation of files that programs save in special forms: tied weights stored once, weights stored as magnitude
//! and direction, averages in addition to the weights, and names of a `VarStore` without paths.

use std::collections::{BTreeMap, BTreeSet};

use super::state_dict::{StateDict, Tensor};

/// Changes a `state_dict` so that each part of a module is one tensor, and each name has a module.
pub(super) fn prepare(state: &mut StateDict) {
    drop_averages(state);
    tie(state);
    join_norms(state);
    name_root(state);
}

/// Leaves out averages of the weights, such as `ema_model.0.weight`, if the file also has the weights.
fn drop_averages(state: &mut StateDict) {
    let is_average = |component: &str| {
        let component = component.to_ascii_lowercase();
        component.split('_').any(|word| matches!(word, "ema" | "shadow" | "averaged" | "swa"))
    };
    // Some programs leave out the dots: model_ema.layers0weight.
    let plain = |name: &str| name.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let rest = |name: &str| {
        let (module, leaf) = name.rsplit_once('.')?;
        let components: Vec<&str> = module.split('.').collect();
        let at = components.iter().position(|component| is_average(component))?;
        Some(plain(&format!("{}{leaf}", components[at + 1..].concat())))
    };
    let (averages, others): (Vec<String>, Vec<String>) =
        state.tensors.keys().cloned().partition(|name| rest(name).is_some_and(|rest| !rest.is_empty()));
    let others: Vec<String> = others.iter().map(|name| plain(name)).collect();
    let is_double = |name: &String| rest(name).is_some_and(|rest| others.iter().any(|other| other.ends_with(&rest)));
    if averages.is_empty() || !averages.iter().all(is_double) {
        return;
    }
    let first = averages[0].clone();
    for name in averages {
        state.tensors.remove(&name);
        state.passed_over.push(name);
    }
    state.counters.retain(|name, _| rest(name).is_none());
    state.notes.push(format!(
        "averages of the weights are not used ({first} and others); to import them instead, leave out the weights with \
         --ignore"
    ));
}

/// Adds tied weights, which `save_model` of safetensors stores only once: the metadata names the other tensor.
fn tie(state: &mut StateDict) {
    for (name, other) in &state.metadata {
        if state.tensors.contains_key(name) {
            continue;
        }
        if let Some(tensor) = state.tensors.get(other).cloned() {
            state.tensors.insert(name.clone(), tensor);
            state.notes.push(format!("{name} is tied to {other}, according to the metadata"));
        }
    }
}

/// Computes the weights of `weight_norm` from magnitude and direction: `g v / |v|`, row by row.
fn join_norms(state: &mut StateDict) {
    let ends = [("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1")];
    for (magnitude, direction) in ends {
        let modules: Vec<String> =
            state.tensors.keys().filter_map(|name| Some(name.strip_suffix(magnitude)?.to_owned())).collect();
        for module in modules {
            let (from, to) = (format!("{module}{magnitude}"), format!("{module}{direction}"));
            let (Some(g), Some(v)) = (state.tensors.get(&from), state.tensors.get(&to)) else { continue };
            let rows = v.shape.first().copied().unwrap_or(0);
            let name = format!("{module}weight");
            // Skips norms per column (`dim=1`).
            let of_rows = g.values.len() == rows && g.shape.first().is_none_or(|&n| n == rows);
            if !of_rows || state.tensors.contains_key(&name) {
                continue;
            }
            let values = v.values.chunks(v.values.len() / rows.max(1)).zip(&g.values).flat_map(|(row, g)| {
                let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
                let scale = if length > 0.0 { g / length } else { 0.0 };
                row.iter().map(move |value| value * scale)
            });
            let tensor = Tensor { shape: v.shape.clone(), values: values.collect() };
            state.tensors.remove(&from);
            state.tensors.remove(&to);
            state.notes.push(format!("{name} is computed from {from} and {to} (weight_norm)"));
            state.tensors.insert(name, tensor);
        }
    }
}

/// Names of parts in a `VarStore` whose layers share one path.
const ROOT: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// Assigns modules to the tensors of a `VarStore` without paths: `weight`, `weight__1`, `running_mean`, ...
///
/// The number in a name is the number of tensors made before. The first tensor of each name has none.
fn name_root(state: &mut StateDict) {
    let names: Vec<String> = state.tensors.keys().cloned().collect();
    let parsed: Option<Vec<(usize, Option<usize>)>> = names
        .iter()
        .map(|name| {
            let (stem, number) = match name.split_once("__") {
                Some((stem, number)) => (stem, Some(number.parse().ok()?)),
                None => (name.as_str(), None),
            };
            Some((ROOT.iter().position(|part| *part == stem)?, number))
        })
        .collect();
    let Some(parsed) = parsed.filter(|parsed| parsed.iter().any(|(_, number)| number.is_some())) else { return };
    let used: BTreeSet<usize> = parsed.iter().filter_map(|(_, number)| *number).collect();
    let gaps: Vec<usize> = (0..names.len()).filter(|place| !used.contains(place)).collect();
    let first: Vec<usize> = (0..names.len()).filter(|&at| parsed[at].1.is_none()).collect();
    if gaps.len() != first.len() || used.iter().any(|&number| number >= names.len()) {
        return;
    }
    for places in permutations(&gaps) {
        let mut order = vec![0; names.len()];
        for (at, (_, number)) in parsed.iter().enumerate() {
            let place = number.or_else(|| first.iter().position(|&first| first == at).map(|index| places[index]));
            order[place.unwrap_or(0)] = at;
        }
        let parts: Vec<(usize, &[usize])> =
            order.iter().map(|&at| (parsed[at].0, state.tensors[&names[at]].shape.as_slice())).collect();
        if let Some(modules) = modules_of(&parts, 0).or_else(|| modules_of(&parts, 1)) {
            let tensors: BTreeMap<String, Tensor> = (order.iter().zip(modules).zip(parts))
                .map(|((&at, module), (part, _))| {
                    (format!("{module}.{}", ROOT[part]), state.tensors[&names[at]].clone())
                })
                .collect();
            let last = tensors.len();
            state.tensors = tensors;
            state.notes.push(format!(
                "the {last} tensors have names of a VarStore without paths; in messages they are 0.weight, 1.weight, \
                 ..., in the order of their numbers"
            ));
            return;
        }
    }
}

/// Returns the module of each tensor, or `None` if the order is impossible. `parts` has the parts and their shapes, in
/// the order in which the program made them.
///
/// A module is a matrix, with its bias after it or (as in tch's layers) before it; or a BatchNorm, with running mean
/// and variance before or (as in tch) after gamma and beta.
///
/// A bias has one value per output; `outputs` is the dimension of a matrix that counts the outputs.
fn modules_of(parts: &[(usize, &[usize])], outputs: usize) -> Option<Vec<usize>> {
    const BIAS_LAST: [usize; 2] = [0, 1];
    const BIAS_FIRST: [usize; 2] = [1, 0];
    const NORMS: [&[usize]; 3] = [&[2, 3, 0, 1], &[0, 1, 2, 3], &[2, 3]];
    let (mut modules, mut rest) = (Vec::new(), parts);
    for module in 0.. {
        if rest.is_empty() {
            return Some(modules);
        }
        let begins = |order: &[usize]| {
            rest.len() >= order.len() && rest.iter().zip(order).all(|((part, _), expected)| part == expected)
        };
        let is_matrix = |at: usize| rest.get(at).is_some_and(|(part, shape)| *part == 0 && shape.len() > 1);
        let fits = |bias: usize, matrix: usize| {
            let len: usize = rest[bias].1.iter().product();
            is_matrix(matrix) && rest[matrix].1[outputs] == len
        };
        let taken = if (begins(&BIAS_LAST) && fits(1, 0)) || (begins(&BIAS_FIRST) && fits(0, 1)) {
            2
        } else if is_matrix(0) {
            1
        } else {
            NORMS.iter().find(|order| begins(order))?.len()
        };
        modules.extend(std::iter::repeat_n(module, taken));
        rest = &rest[taken..];
    }
    None
}

/// Returns all orders of at most four numbers.
fn permutations(numbers: &[usize]) -> Vec<Vec<usize>> {
    match numbers {
        [] => vec![Vec::new()],
        _ => (0..numbers.len())
            .flat_map(|at| {
                let mut rest = numbers.to_vec();
                let number = rest.remove(at);
                permutations(&rest).into_iter().map(move |tail| [vec![number], tail].concat())
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(names: &[(&str, &[usize])]) -> StateDict {
        let tensor = |shape: &[usize]| {
            let values = (1..=shape.iter().product()).map(|value: usize| value as f64).collect();
            Tensor { shape: shape.to_vec(), values }
        };
        let tensors = names.iter().map(|(name, shape)| ((*name).to_owned(), tensor(shape))).collect();
        StateDict { tensors, ..StateDict::default() }
    }

    fn names(state: &StateDict) -> Vec<&str> {
        state.tensors.keys().map(String::as_str).collect()
    }

    #[test]
    fn numbers_of_a_var_store_are_the_order() {
        let mut found = state(&[
            ("weight", &[5, 3]),
            ("weight__1", &[4, 6]),
            ("running_mean", &[4]),
            ("running_var", &[4]),
            ("weight__4", &[4]),
            ("bias", &[4]),
            ("weight__6", &[5, 4]),
            ("bias__7", &[5]),
        ]);
        prepare(&mut found);
        let expected = ["0.weight", "1.weight", "2.bias", "2.running_mean", "2.running_var", "2.weight"];
        assert_eq!(names(&found)[..6], expected);
        assert_eq!(found.tensors["3.weight"].shape, [5, 4]);
        // The order of tch's layers: an embedding; bias, then matrix; gamma and beta, then mean and variance.
        let mut tch = state(&[
            ("weight", &[5, 3]),
            ("bias", &[4]),
            ("weight__2", &[4, 6]),
            ("weight__3", &[4]),
            ("bias__4", &[4]),
            ("running_mean", &[4]),
            ("running_var", &[4]),
            ("bias__7", &[5]),
            ("weight__8", &[5, 4]),
        ]);
        prepare(&mut tch);
        let expected = ["0.weight", "1.bias", "1.weight", "2.bias", "2.running_mean", "2.running_var", "2.weight"];
        assert_eq!(names(&tch)[..7], expected);
        assert_eq!((&tch.tensors["1.weight"].shape[..], &tch.tensors["3.bias"].shape[..]), (&[4, 6][..], &[5][..]));
        // Impossible numbers: the names do not change.
        let mut other = state(&[("weight", &[5, 3]), ("weight__9", &[4, 6])]);
        prepare(&mut other);
        assert_eq!(names(&other), ["weight", "weight__9"]);
    }

    #[test]
    fn averages_are_passed_over_where_the_weights_are_there() {
        let mut found =
            state(&[("online_model.0.weight", &[2]), ("ema_model.0.weight", &[2]), ("model_ema.0weight", &[2])]);
        prepare(&mut found);
        assert_eq!((names(&found), found.passed_over.len()), (vec!["online_model.0.weight"], 2));
        let mut alone = state(&[("ema_model.0.weight", &[2]), ("layers.3.ema_mean", &[2])]);
        prepare(&mut alone);
        assert_eq!(alone.tensors.len(), 2);
    }

    #[test]
    fn magnitude_and_direction_are_joined() {
        for ends in
            [["weight_g", "weight_v"], ["parametrizations.weight.original0", "parametrizations.weight.original1"]]
        {
            let names = ends.map(|end| format!("fc.{end}"));
            let mut found = state(&[(&names[0], &[2, 1]), (&names[1], &[2, 2])]);
            prepare(&mut found);
            let values = &found.tensors["fc.weight"].values;
            let expected = [1.0 / 5.0_f64.sqrt(), 2.0 / 5.0_f64.sqrt(), 2.0 * 0.6, 2.0 * 0.8];
            assert!(
                values.iter().zip(expected).all(|(value, expected)| (value - expected).abs() < 1e-12),
                "{values:?}"
            );
        }
    }

    #[test]
    fn metadata_ties_weights() {
        let mut found = state(&[("embed.weight", &[3, 2])]);
        found.metadata = [("head.weight", "embed.weight"), ("vocab", ".ab")].map(|(a, b)| (a.into(), b.into())).into();
        prepare(&mut found);
        assert_eq!(found.tensors["head.weight"], found.tensors["embed.weight"]);
        assert_eq!(found.tensors.len(), 2);
    }
}
