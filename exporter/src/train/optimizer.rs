//! SGD and AdamW whose state can be saved: libtorch does not expose the state of its own optimizers.
//!
//! They do the same operations as libtorch's C++ optimizers, with the same results to the last bit: a test compares
//! every step.

use tch::nn::VarStore;
use tch::{Kind, Tensor};

use crate::train::recipe;

/// Constant that AdamW adds to the denominator, PyTorch's default.
const EPS: f64 = 1e-8;

/// Optimizer of a network's parameters.
pub struct Optimizer {
    kind: recipe::Optimizer,
    parameters: Vec<Parameter>,
    steps: usize,
}

struct Parameter {
    name: String,
    value: Tensor,
    /// AdamW's running means of the gradient and of its square.
    means: Option<[Tensor; 2]>,
}

impl Optimizer {
    /// Makes an optimizer for the trainable variables of `store`.
    pub fn new(kind: recipe::Optimizer, store: &VarStore) -> Self {
        let mut parameters: Vec<Parameter> = store
            .variables()
            .into_iter()
            .filter(|(_, value)| value.requires_grad())
            .map(|(name, value)| {
                let means = match kind {
                    recipe::Optimizer::Sgd => None,
                    recipe::Optimizer::AdamW { .. } => Some([value.detach().zeros_like(), value.detach().zeros_like()]),
                };
                Parameter { name, value, means }
            })
            .collect();
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        Self { kind, parameters, steps: 0 }
    }

    /// Returns AdamW's running means with the names of their parameters; nothing for SGD.
    pub(super) fn state(&self) -> impl Iterator<Item = (&str, &[Tensor; 2])> {
        self.parameters.iter().filter_map(|parameter| Some((parameter.name.as_str(), parameter.means.as_ref()?)))
    }

    /// Sets the number of steps done, to continue a training.
    pub(super) fn set_steps(&mut self, steps: usize) {
        self.steps = steps;
    }

    /// Computes the gradients of `loss` and takes a step with learning rate `lr`.
    pub fn backward_step(&mut self, loss: &Tensor, lr: f64) {
        self.backward(loss);
        self.step(lr);
    }

    /// Computes the gradients of `loss`, replacing those of the last step.
    pub fn backward(&mut self, loss: &Tensor) {
        for parameter in &mut self.parameters {
            parameter.value.zero_grad();
        }
        loss.backward();
    }

    /// Takes a step with learning rate `lr`.
    pub fn step(&mut self, lr: f64) {
        self.steps += 1;
        let steps = i32::try_from(self.steps).expect("at most 100,000,000 steps");
        tch::no_grad(|| match self.kind {
            recipe::Optimizer::Sgd => {
                for parameter in &mut self.parameters {
                    add_scaled(&mut parameter.value, -lr);
                }
            }
            recipe::Optimizer::AdamW { betas: (beta1, beta2), weight_decay } => {
                let step_size = lr / (1.0 - beta1.powi(steps));
                let correction = (1.0 - beta2.powi(steps)).sqrt();
                for parameter in &mut self.parameters {
                    let gradient = parameter.value.grad();
                    if weight_decay != 0.0 {
                        let _ = parameter.value.g_mul_scalar_(1.0 - lr * weight_decay);
                    }
                    let [mean, square] = parameter.means.as_mut().expect("AdamW has them");
                    let _ = mean.g_mul_scalar_(beta1);
                    let _ = mean.addcmul_(&gradient, &scalar(&gradient, 1.0 - beta1));
                    let _ = square.g_mul_scalar_(beta2);
                    let _ = square.addcmul_(&(&gradient * (1.0 - beta2)), &gradient);
                    let mut root = square.sqrt();
                    let _ = root.g_div_scalar_(correction);
                    let _ = root.g_add_scalar_(EPS);
                    let _ = parameter.value.addcdiv_(&(&*mean * -step_size), &root);
                }
            }
        });
    }
}

/// Computes `value += factor * gradient`, rounded once as in libtorch.
fn add_scaled(value: &mut Tensor, factor: f64) {
    let gradient = value.grad();
    let _ = value.addcmul_(&gradient, &scalar(&gradient, factor));
}

/// Returns a number as a tensor, for operations of `tch` that only accept tensors.
fn scalar(like: &Tensor, value: f64) -> Tensor {
    Tensor::full([], value, (Kind::Float, like.device()))
}

#[cfg(test)]
mod tests {
    use tch::Device;
    use tch::nn::{self, OptimizerConfig};

    use super::*;

    /// Trains two copies of a network on the same batches, one with libtorch's optimizer, one with ours, and compares
    /// them after every step.
    fn compare(kind: recipe::Optimizer, build: impl Fn(&VarStore) -> nn::Optimizer) {
        let first = ["a", "b"].map(|name| {
            let shape: &[i64] = if name == "a" { &[37, 21] } else { &[21] };
            (name, Tensor::randn(shape, (Kind::Float, Device::Cpu)))
        });
        let stores = [0, 1].map(|_| {
            let store = VarStore::new(Device::Cpu);
            for (name, value) in &first {
                let _ = store.root().var_copy(name, value);
            }
            store
        });
        let mut theirs = build(&stores[0]);
        let mut ours = Optimizer::new(kind, &stores[1]);
        for step in 1..=50 {
            let lr = 0.1 / f64::from(step);
            let x = Tensor::randn([16, 37], (Kind::Float, Device::Cpu));
            let [first, second] = stores.each_ref().map(|store| {
                let get = |name: &str| store.root().get(name).unwrap();
                ((x.matmul(&get("a")) + get("b")).tanh() * x.sum(Kind::Float)).square().mean(Kind::Float)
            });
            theirs.set_lr(lr);
            theirs.backward_step(&first);
            ours.backward_step(&second, lr);
            for name in ["a", "b"] {
                let [theirs, ours] = stores.each_ref().map(|store| store.root().get(name).unwrap());
                assert_eq!(theirs, ours, "step {step}, {name}: {}", (&theirs - &ours).abs().max());
            }
        }
    }

    #[test]
    fn sgd_is_libtorchs() {
        compare(recipe::Optimizer::Sgd, |store| nn::Sgd::default().build(store, 0.1).unwrap());
    }

    #[test]
    fn adamw_is_libtorchs() {
        for weight_decay in [0.0, 0.05] {
            let kind = recipe::Optimizer::AdamW { betas: (0.9, 0.98), weight_decay };
            compare(kind, |store| {
                nn::AdamW { beta1: 0.9, beta2: 0.98, wd: weight_decay, eps: EPS, amsgrad: false }
                    .build(store, 0.1)
                    .unwrap()
            });
        }
    }
}
