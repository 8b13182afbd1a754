//! Fits the coefficients of [terms](costs::terms) to counts, by least squares.

use std::collections::{BTreeMap, BTreeSet};

use costs::Terms;

/// Weight of the ridge penalty: just enough to break ties between terms that no counted network distinguishes.
const RIDGE: f64 = 1e-7;

/// Counted instructions of a piece of work.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The work.
    pub terms: Terms,
    /// Instructions that it took.
    pub instructions: f64,
    /// Weight of an error of one instruction.
    pub weight: f64,
}

/// Returns the coefficients whose sums are closest to the counts, for every term that an observation has.
///
/// Solves the normal equations, with each column scaled to length one.
pub fn least_squares(observations: &[Observation]) -> BTreeMap<String, f64> {
    let names: BTreeSet<&str> = observations.iter().flat_map(|observation| observation.terms.keys().copied()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let rows: Vec<Vec<f64>> = observations
        .iter()
        .map(|Observation { terms, weight, .. }| {
            names.iter().map(|name| terms.get(name).copied().unwrap_or(0.0) * weight).collect()
        })
        .collect();
    let targets: Vec<f64> =
        observations.iter().map(|observation| observation.instructions * observation.weight).collect();
    let length = |column: usize| rows.iter().map(|row| row[column] * row[column]).sum::<f64>().sqrt().max(1e-300);
    let lengths: Vec<f64> = (0..names.len()).map(length).collect();
    let size = names.len();
    let mut matrix = vec![vec![0.0; size + 1]; size];
    for (row, target) in rows.iter().zip(&targets) {
        for i in 0..size {
            for j in 0..size {
                matrix[i][j] += row[i] / lengths[i] * row[j] / lengths[j];
            }
            matrix[i][size] += row[i] / lengths[i] * target;
        }
    }
    (0..size).for_each(|i| matrix[i][i] += RIDGE);
    let solution = solve(matrix);
    names
        .iter()
        .zip(solution.iter().zip(&lengths))
        .map(|(name, (x, length))| ((*name).to_owned(), x / length))
        .collect()
}

/// Solves linear equations by Gaussian elimination with partial pivoting; the last column of `matrix` is the right-hand
/// side.
fn solve(mut matrix: Vec<Vec<f64>>) -> Vec<f64> {
    let size = matrix.len();
    for column in 0..size {
        let magnitude = |row: usize| matrix[row][column].abs();
        let pivot = (column..size).max_by(|&a, &b| magnitude(a).total_cmp(&magnitude(b))).expect("a row");
        matrix.swap(column, pivot);
        let (above, below) = matrix.split_at_mut(column + 1);
        let pivot = &above[column];
        for row in below {
            let factor = row[column] / pivot[column];
            row.iter_mut().zip(pivot).skip(column).for_each(|(value, pivot)| *value -= factor * pivot);
        }
    }
    let mut solution = vec![0.0; size];
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|column| matrix[row][column] * solution[column]).sum();
        solution[row] = (matrix[row][size] - known) / matrix[row][row];
    }
    solution
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linear_is_found() {
        let observation = |blocks: f64, groups: f64| Observation {
            terms: Terms::from([("call", 1.0), ("block", blocks), ("group", groups)]),
            instructions: 100.0 + 21.0 * blocks + 23.0 * groups,
            weight: 1.0 / (1.0 + groups),
        };
        let observations =
            [(1.0, 1.0), (2.0, 6.0), (4.0, 16.0), (32.0, 1024.0), (7.0, 21.0)].map(|(b, g)| observation(b, g));
        let found = least_squares(&observations);
        for (name, expected) in [("call", 100.0), ("block", 21.0), ("group", 23.0)] {
            assert!((found[name] - expected).abs() < 0.05, "{name}: {found:?}");
        }
        // Two terms that are always equal share the coefficient: its sum is right.
        let twins = [1.0, 2.0, 3.0].map(|n| Observation {
            terms: Terms::from([("a", n), ("b", n)]),
            instructions: 10.0 * n,
            weight: 1.0,
        });
        let found = least_squares(&twins);
        assert!((found["a"] + found["b"] - 10.0).abs() < 0.01, "{found:?}");
    }
}
