//! All random draws after those of the first weights, in the order in which libtorch's generator makes them.
//!
//! libtorch's C interface, on which `tch` is built, has no access to the generator's state. So a training that
//! continues repeats the draws of the earlier steps and discards them. This is exact, and takes a few microseconds per
//! step, more with dropout.

use tch::{Device, Kind, Tensor};

use crate::train::nn::dropout;
use crate::train::recipe::Sampling;

/// Batches of indices of examples.
pub struct Batches {
    examples: i64,
    batch_size: i64,
    sampling: Sampling,
    next: i64,
    permutation: Tensor,
    device: Device,
}

impl Batches {
    /// Draws batches of `batch_size` from `examples` examples. With [`Sampling::Shuffled`], the last examples of an
    /// epoch are skipped if they do not fill a batch.
    pub fn new(examples: i64, batch_size: i64, sampling: Sampling, device: Device) -> Self {
        let permutation = Tensor::zeros([0], (Kind::Int64, device));
        // With `next` at the end, the first call draws a permutation.
        Self { examples, batch_size, sampling, next: examples, permutation, device }
    }

    /// Draws the next batch.
    pub fn next_batch(&mut self) -> Tensor {
        // Draws on the CPU, so that the order does not depend on the device.
        let options = (Kind::Int64, Device::Cpu);
        if self.sampling == Sampling::WithReplacement {
            return Tensor::randint(self.examples, [self.batch_size], options).to_device(self.device);
        }
        if self.next + self.batch_size > self.examples {
            self.permutation = Tensor::randperm(self.examples, options).to_device(self.device);
            self.next = 0;
        }
        let batch = self.permutation.narrow(0, self.next, self.batch_size);
        self.next += self.batch_size;
        batch
    }
}

/// Repeats the draws of dropout over tensors of these shapes and discards them.
pub fn skip_dropout(p: f64, shapes: &[Vec<i64>], device: Device) {
    if p > 0.0 {
        for shape in shapes {
            let _ = dropout::mask(p, shape, device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(batch: Tensor) -> Vec<i64> {
        batch.try_into().unwrap()
    }

    /// Only one test draws: the generator is shared by the whole process.
    #[test]
    fn batches_and_dropout() {
        tch::manual_seed(1);
        let mut batches = Batches::new(10, 5, Sampling::Shuffled, Device::Cpu);
        for _ in 0..3 {
            let mut seen: Vec<i64> = Vec::new();
            for _ in 0..2 {
                seen.extend(drawn(batches.next_batch()));
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..10).collect::<Vec<_>>(), "every example comes once an epoch");
        }
    }
}
