//! Training recipes, as data.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// Recipe of a training: all settings except the network, the words and the seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Optimizer.
    pub optimizer: Optimizer,
    /// Highest learning rate.
    pub lr: f64,
    /// Schedule of the learning rate.
    pub schedule: Schedule,
    /// Examples per step.
    pub batch_size: usize,
    /// Length of the training.
    pub length: Length,
    /// Probability of dropping an output of a level during training.
    pub dropout: f64,
    /// Weight of the loss of the character after the next one at the start; falls to 0 at the end.
    pub look_ahead: f64,
    /// Sampling of the batches.
    pub sampling: Sampling,
    /// Kind of `Linear` and `BatchNorm1d`.
    pub modules: Modules,
    /// Choice of the weights that become the model.
    pub keep: Keep,
    /// `true` to divide the logits of the model by the temperature with the lowest dev loss.
    pub fit_temperature: bool,
    /// Evaluation of the tree during training.
    pub form: Form,
}

/// Optimizer of the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Plain gradient descent.
    Sgd,
    /// Adam with decoupled weight decay.
    AdamW {
        /// Decay rates of the running means of the gradient and of its square.
        betas: (f64, f64),
        /// Factor of the learning rate: a step shrinks the weights by their product.
        weight_decay: f64,
    },
}

/// Schedule of the learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// Full rate until step `at`, then `factor` times that.
    Drop {
        /// Number of steps at the full rate.
        at: usize,
        /// Share of the full rate after the drop.
        factor: f64,
    },
    /// PyTorch's `StepLR`: multiplies the rate by `factor` after every `every` steps.
    Steps {
        /// Number of steps at one rate.
        every: usize,
        /// Factor from one rate to the next.
        factor: f64,
    },
    /// Linear rise, then half a cosine down to 0.
    Cosine {
        /// Number of steps of the rise.
        warmup_steps: usize,
    },
}

impl Schedule {
    /// Returns the share of the highest learning rate at step `step` (from 1) of `steps`.
    pub fn share(self, step: usize, steps: usize) -> f64 {
        match self {
            // The lecture counts from 0: its step 150,000 is the first at the lower rate.
            Self::Drop { at, factor } => {
                if step > at {
                    factor
                } else {
                    1.0
                }
            }
            Self::Steps { every, factor } => {
                factor.powi(i32::try_from((step - 1) / every.max(1)).expect("at most 100,000,000 steps"))
            }
            Self::Cosine { warmup_steps } => {
                // Limits the warm-up of a short run to a tenth of its steps.
                let warmup = warmup_steps.min(steps / 10).max(1);
                if step <= warmup {
                    step as f64 / warmup as f64
                } else {
                    let progress = (step - warmup) as f64 / (steps - warmup) as f64;
                    0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
                }
            }
        }
    }
}

/// Length of a training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// Number of steps.
    Steps(usize),
    /// Number of passes over the training split.
    Epochs(f64),
}

impl Length {
    /// Returns the number of steps for `examples` examples.
    pub fn steps(self, examples: usize, batch_size: usize) -> usize {
        match self {
            Self::Steps(steps) => steps,
            Self::Epochs(epochs) => (epochs * examples as f64 / batch_size as f64).ceil() as usize,
        }
    }
}

/// Sampling of the batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Each example once per epoch, in a new order every epoch.
    Shuffled,
    /// The lecture's `torch.randint`: each example of a batch is drawn from all examples.
    WithReplacement,
}

/// Kind of `Linear` and `BatchNorm1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modules {
    /// Modules of `torch.nn`: the first weights are uniform within 1 / sqrt(fan_in), and BatchNorm divides by the
    /// biased standard deviation (with n).
    Pytorch,
    /// The lecture's own modules: the first weights are normal, divided by sqrt(fan_in), and by another 10 in the last
    /// layer; BatchNorm divides by the unbiased standard deviation (`x.var()`, with n - 1).
    Lecture,
}

/// Choice of the weights that become the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Weights of the measurement with the lowest dev loss.
    Best,
    /// Last weights, as in the lecture.
    Last,
}

/// Evaluation of the tree during training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One window of characters per example, as in the lecture.
    Windows,
    /// Whole words as a causal dilated convolution, each node once. A batch has words with about `batch_size`
    /// characters.
    Words,
}

impl Serialize for Recipe {
    /// Writes a flat object. Leaves out settings with the values of this program's first recipe, so that such a
    /// training still writes the same file.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("lr", &self.lr)?;
        match &self.optimizer {
            Optimizer::Sgd => map.serialize_entry("optimizer", "sgd")?,
            Optimizer::AdamW { betas, weight_decay } => {
                map.serialize_entry("betas", betas)?;
                map.serialize_entry("weight_decay", weight_decay)?;
            }
        }
        match self.schedule {
            Schedule::Cosine { warmup_steps } => map.serialize_entry("warmup_steps", &warmup_steps)?,
            Schedule::Drop { at, factor } => {
                map.serialize_entry("drop_at", &at)?;
                map.serialize_entry("drop_factor", &factor)?;
            }
            Schedule::Steps { every, factor } => {
                map.serialize_entry("drop_every", &every)?;
                map.serialize_entry("drop_factor", &factor)?;
            }
        }
        map.serialize_entry("batch_size", &self.batch_size)?;
        match self.length {
            Length::Epochs(epochs) => map.serialize_entry("epochs", &epochs)?,
            Length::Steps(steps) => {
                map.serialize_entry("epochs", &None::<f64>)?;
                map.serialize_entry("steps", &steps)?;
            }
        }
        map.serialize_entry("dropout", &self.dropout)?;
        if self.look_ahead > 0.0 {
            map.serialize_entry("look_ahead", &self.look_ahead)?;
        }
        if self.sampling == Sampling::WithReplacement {
            map.serialize_entry("sampling", "with replacement")?;
        }
        if self.modules == Modules::Lecture {
            map.serialize_entry("modules", "lecture")?;
        }
        if self.keep == Keep::Last {
            map.serialize_entry("keep", "last")?;
        }
        if self.fit_temperature {
            map.serialize_entry("fit_temperature", &true)?;
        }
        if self.form == Form::Words {
            map.serialize_entry("form", "words")?;
        }
        map.end()
    }
}

/// Formats a number of steps below 1,000,000 with a comma.
fn thousands(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", number / 1000, number % 1000),
    }
}

impl std::fmt::Display for Recipe {
    /// Writes the recipe in one line, for people.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.optimizer {
            Optimizer::Sgd => write!(f, "SGD")?,
            Optimizer::AdamW { .. } => write!(f, "AdamW")?,
        }
        write!(f, " {}", self.lr)?;
        match self.schedule {
            Schedule::Drop { at, factor } => write!(f, ", times {factor} from step {}", thousands(at))?,
            Schedule::Steps { every, factor } => write!(f, ", times {factor} every {} steps", thousands(every))?,
            Schedule::Cosine { .. } => write!(f, ", cosine")?,
        }
        match self.length {
            Length::Steps(steps) => write!(f, ", {} steps", thousands(steps))?,
            Length::Epochs(epochs) => write!(f, ", {epochs} epochs")?,
        }
        write!(f, ", batch {}", self.batch_size)?;
        if self.dropout > 0.0 {
            write!(f, ", dropout {}", self.dropout)?;
        }
        if self.look_ahead > 0.0 {
            write!(f, ", look-ahead {}", self.look_ahead)?;
        }
        if self.fit_temperature {
            write!(f, ", fitted temperature")?;
        }
        if self.form == Form::Words {
            write!(f, ", whole words")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_rises_and_falls() {
        let share = |step, warmup_steps, steps| Schedule::Cosine { warmup_steps }.share(step, steps);
        assert_eq!(share(1, 100, 1000), 0.01);
        assert_eq!(share(100, 100, 1000), 1.0);
        assert!((share(550, 100, 1000) - 0.5).abs() < 1e-3);
        assert!(share(1000, 100, 1000) < 1e-12);
        // A single step is taken at full rate; a short run keeps a short warm-up.
        assert_eq!(share(1, 100, 1), 1.0);
        assert_eq!(share(2, 100, 20), 1.0);
    }

    #[test]
    fn steps_fall_where_the_lecture_has_them() {
        let lecture = Schedule::Drop { at: 150_000, factor: 0.1 };
        assert_eq!([1, 150_000, 150_001, 200_000].map(|step| lecture.share(step, 200_000)), [1.0, 1.0, 0.1, 0.1]);
        let step_lr = Schedule::Steps { every: 5_000, factor: 0.3 };
        assert_eq!([1, 5_000, 5_001, 10_000].map(|step| step_lr.share(step, 15_000)), [1.0, 1.0, 0.3, 0.3]);
        assert!((step_lr.share(10_001, 15_000) - 0.09).abs() < 1e-12);
    }

    #[test]
    fn the_first_recipe_is_written_as_it_always_was() {
        let json = serde_json::to_string(&crate::train::preset::find("tiny").unwrap().recipe).unwrap();
        let expected = r#"{"lr":0.01,"betas":[0.9,0.98],"weight_decay":0.0,"warmup_steps":50,"batch_size":256,"epochs":5.0,"dropout":0.0}"#;
        assert_eq!(json, expected);
    }
}
