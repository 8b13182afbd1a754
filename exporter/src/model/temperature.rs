//! Temperature of a folded model, fitted to words that were not trained on.
//!
//! A network that saw its training words many times is too sure of its predictions. Dividing its logits by a
//! temperature a little above 1 corrects that (Guo et al., "On Calibration of Modern Neural Networks", 2017). The
//! temperature becomes part of the output layer, so the model stays as large and as fast.

use tch::{IndexOp, Kind, Tensor};

use crate::model::file::FoldedModel;
use crate::model::loss::BATCH;
use crate::model::torch_model::TorchModel;

/// Maximum number of Newton steps. Five suffice: the loss is convex in the inverse temperature.
const STEPS: usize = 20;
/// Limits of the inverse temperature. A model outside them has another problem.
const LIMITS: std::ops::RangeInclusive<f64> = 0.5..=2.0;

/// Divides the model's logits by the temperature with the lowest loss on `contexts` (N, block_size) and their
/// `targets` (N), and returns that temperature.
///
/// Returns 1 and changes nothing if the best temperature is below 0.5 or above 2.
///
/// # Panics
/// If libtorch runs out of memory.
pub fn fit(model: &mut FoldedModel, contexts: &Tensor, targets: &Tensor) -> f64 {
    let torch = TorchModel::new(model, contexts.device());
    let mut inverse = 1.0;
    for _ in 0..STEPS {
        let [slope, curvature] = derivatives(&torch, contexts, targets, inverse);
        let step = slope / curvature;
        inverse -= step;
        if !LIMITS.contains(&inverse) {
            return 1.0;
        }
        if step.abs() < 1e-6 {
            break;
        }
    }
    let scale = |value: f32| (f64::from(value) * inverse) as f32;
    model.output.weight.mapv_inplace(scale);
    model.output.bias.mapv_inplace(scale);
    1.0 / inverse
}

/// Returns the first and second derivative of the summed loss by the inverse temperature.
///
/// With logits z and their probabilities at this temperature, these are the sums of `E[z] - z_target` and `Var[z]`.
fn derivatives(torch: &TorchModel, contexts: &Tensor, targets: &Tensor, inverse: f64) -> [f64; 2] {
    let len = targets.size()[0];
    let mut sums = [0.0; 2];
    tch::no_grad(|| {
        for start in (0..len).step_by(BATCH as usize) {
            let end = (start + BATCH).min(len);
            let logits = torch.forward(&contexts.i(start..end)).to_kind(Kind::Double);
            let probs = (&logits * inverse).softmax(-1, Kind::Double);
            let mean = (&probs * &logits).sum_dim_intlist(-1, false, Kind::Double);
            let square = (&probs * logits.square()).sum_dim_intlist(-1, false, Kind::Double);
            let target = logits.gather(1, &targets.i(start..end).unsqueeze(1), false).squeeze_dim(1);
            sums[0] += (&mean - target).sum(Kind::Double).double_value(&[]);
            sums[1] += (square - mean.square()).sum(Kind::Double).double_value(&[]);
        }
    });
    sums
}
