//! Rounds one row to integers and a step, with the smallest loss on the inputs of the layer.
//!
//! The loss of a row is `(t - s q) H (t - s q)^T`: `t` are the weights in f64, `s` is the step, `q` are the integers
//! and `H` is the mean of `x^T x` over the inputs. Several steps are tried. For each step, three passes minimise the
//! loss:
//! 1. GPTQ, column by column: later columns compensate the error of a column, as far as their inputs are correlated.
//! 2. Descent: each integer takes its best value while all others stay, until no integer changes.
//! 3. The step takes its best value for these integers, and pass 2 runs again.

use ndarray::{Array1, Array2, ArrayView1};

use crate::model::quantize::{INT4_MAX, nearest};

/// Number of steps that are tried in 4 bits, from half to all of the step that the largest weight needs: clipping a
/// rare large weight can lower the loss, most of all in 4 bits.
const TRIES_INT4: usize = 16;
/// Number of steps that are tried in 8 bits.
const TRIES_INT8: usize = 3;
/// Most passes of the descent; few integers change after the third.
const PASSES: usize = 10;

/// Statistics of a layer's inputs, for the rounding of its rows.
pub(super) struct Rows<'a> {
    /// Mean of `x^T x`, damped, `[fan_in, fan_in]`.
    pub hessian: &'a Array2<f64>,
    /// The upper triangular matrix `U` with `U^T U = H^-1`.
    pub factor: &'a Array2<f64>,
    /// Largest magnitude of an integer.
    pub weight_max: f64,
}

/// Integers and step of a row.
#[derive(Clone, Debug)]
pub(super) struct Rounded {
    pub weights: Vec<i8>,
    pub step: f64,
}

impl Rows<'_> {
    /// Rounds a row with the step of the smallest loss; no step is below `floor`.
    pub fn round(&self, target: ArrayView1<'_, f64>, floor: f64) -> Rounded {
        let largest = target.iter().fold(1e-9_f64, |largest, weight| largest.max(weight.abs()));
        let tries = if self.weight_max > INT4_MAX { TRIES_INT8 } else { TRIES_INT4 };
        let steps = (0..tries).map(|at| largest / self.weight_max * (1.0 - 0.5 * at as f64 / tries as f64));
        let tries = steps.map(|step| self.round_to(&target, step.max(floor), floor));
        let best = tries.min_by(|a, b| a.0.total_cmp(&b.0));
        best.map(|(_, rounded)| rounded).expect("there are steps to try")
    }

    /// Rounds a row, starting from `step`; returns the loss and the rounded row.
    fn round_to(&self, target: &ArrayView1<'_, f64>, step: f64, floor: f64) -> (f64, Rounded) {
        let weights = self.by_column(target, step);
        let mut row = Row { rows: self, target, weights, step, pull: Array1::zeros(target.len()) };
        row.descend();
        row.fit_step(floor);
        row.descend();
        (row.loss(), Rounded { weights: row.weights, step: row.step })
    }

    /// Runs the first pass, GPTQ.
    fn by_column(&self, target: &ArrayView1<'_, f64>, step: f64) -> Vec<i8> {
        let mut rest = target.to_vec();
        let mut weights = Vec::with_capacity(rest.len());
        for column in 0..rest.len() {
            let weight = nearest(rest[column] / step, self.weight_max);
            let share = self.factor.row(column);
            let error = (rest[column] - f64::from(weight) * step) / share[column];
            for (rest, &share) in rest[column + 1..].iter_mut().zip(share.iter().skip(column + 1)) {
                *rest -= error * share;
            }
            weights.push(weight);
        }
        weights
    }
}

/// A row with its integers and step so far.
struct Row<'a> {
    rows: &'a Rows<'a>,
    target: &'a ArrayView1<'a, f64>,
    weights: Vec<i8>,
    step: f64,
    /// `H (t - s q)`, which is minus half the gradient of the loss.
    pull: Array1<f64>,
}

impl Row<'_> {
    fn missing(&self) -> Array1<f64> {
        self.target.iter().zip(&self.weights).map(|(&target, &weight)| target - f64::from(weight) * self.step).collect()
    }

    fn loss(&self) -> f64 {
        self.missing().dot(&self.pull)
    }

    /// Runs the second pass, the descent.
    fn descend(&mut self) {
        let Rows { hessian, weight_max, .. } = self.rows;
        self.pull = hessian.dot(&self.missing());
        for _ in 0..PASSES {
            let mut moved = false;
            for column in 0..self.weights.len() {
                let old = f64::from(self.weights[column]);
                let best = nearest(old + self.pull[column] / (self.step * hessian[[column, column]]), *weight_max);
                if best != self.weights[column] {
                    let change = (f64::from(best) - old) * self.step;
                    self.weights[column] = best;
                    self.pull.scaled_add(-change, &hessian.row(column));
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
    }

    /// Runs the third pass: `s = t H q / q H q`, unless all integers are zero.
    fn fit_step(&mut self, floor: f64) {
        let weights: Array1<f64> = self.weights.iter().map(|&weight| f64::from(weight)).collect();
        let through = self.rows.hessian.dot(&weights);
        let step = self.target.dot(&through) / weights.dot(&through);
        if step.is_finite() && step > 0.0 {
            self.step = step.max(floor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// Computes the loss of integers and a step.
    fn loss(target: &Array1<f64>, hessian: &Array2<f64>, weights: &[i8], step: f64) -> f64 {
        let missing: Array1<f64> = target.iter().zip(weights).map(|(t, &q)| t - f64::from(q) * step).collect();
        missing.dot(&hessian.dot(&missing))
    }

    #[test]
    fn inputs_that_move_together_make_up_for_each_other() {
        // Both inputs are nearly equal, so half a step of each equals a whole step of either.
        let hessian = array![[1.0, 0.99], [0.99, 1.0]];
        let factor = super::super::inverse_cholesky(&hessian);
        let rows = Rows { hessian: &hessian, factor: &factor, weight_max: 1.0 };
        let target = array![0.5, 0.5];
        let rounded = rows.round_to(&target.view(), 1.0, 1.0).1;
        assert_eq!((rounded.weights.iter().sum::<i8>(), rounded.step), (1, 1.0));
    }

    #[test]
    fn no_integer_alone_can_be_better() {
        let hessian = array![[2.0, 0.7, 0.1], [0.7, 1.0, 0.4], [0.1, 0.4, 3.0]];
        let factor = super::super::inverse_cholesky(&hessian);
        let rows = Rows { hessian: &hessian, factor: &factor, weight_max: 3.0 };
        let target = array![0.31, -0.82, 0.55];
        let Rounded { weights, step } = rows.round(target.view(), 0.0);
        let found = loss(&target, &hessian, &weights, step);
        for column in 0..3 {
            for other in -3..=3 {
                let mut changed = weights.clone();
                changed[column] = other;
                assert!(loss(&target, &hessian, &changed, step) >= found - 1e-12, "{weights:?}, {changed:?}");
            }
        }
        let nearest: Vec<i8> = target.iter().map(|t| nearest(t / (0.82 / 3.0), 3.0)).collect();
        assert!(found < loss(&target, &hessian, &nearest, 0.82 / 3.0));
    }
}
