//! PyTorch's `torch.randperm` on the CPU, so that a list is split as in `makemore.py`.

use rand_mt::Mt;

/// Returns `torch.randperm(n, generator=torch.Generator().manual_seed(seed))`: MT19937, and a Fisher-Yates shuffle from
/// the start. `n` must be below 2^32 / 20, above which PyTorch draws differently.
pub fn randperm(seed: u32, n: usize) -> Vec<usize> {
    let mut random = Mt::new(seed);
    let mut permutation: Vec<usize> = (0..n).collect();
    for at in 0..n.saturating_sub(1) {
        let drawn = usize::try_from(random.next_u32()).expect("usize has at least 32 bits");
        permutation.swap(at, at + drawn % (n - at));
    }
    permutation
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn permutes_as_libtorch_does() {
        for (seed, n) in [(3407, 0), (3407, 1), (3407, 17), (42, 1_000), (3407, 32_033)] {
            tch::manual_seed(i64::from(seed));
            let expected = Tensor::randperm(i64::try_from(n).unwrap(), (Kind::Int64, Device::Cpu));
            let expected: Vec<i64> = Vec::try_from(expected).unwrap();
            let found: Vec<i64> = randperm(seed, n).into_iter().map(|index| i64::try_from(index).unwrap()).collect();
            assert_eq!(found, expected, "seed {seed}, {n}");
        }
    }
}
