//! Compares weights, draws and scores with f64: the bounds that the documents state, and a chi-square test of the
//! draws.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro128PlusPlus;

/// Random numbers for the cases. The seed is fixed, so that a failure is reproducible.
struct Cases(Xoshiro128PlusPlus);

impl Cases {
    fn new(seed: u64) -> Self {
        Self(Xoshiro128PlusPlus::seed_from_u64(seed))
    }

    /// Returns a number below `n`.
    fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(n)) >> 32) as u32
    }

    /// Returns a number in [0, 1).
    fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }
}

/// Returns `ln(sum(exp(l)))` of logits in nats.
fn log_sum_exp(logits: &[f64]) -> f64 {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + logits.iter().map(|logit| (logit - max).exp()).sum::<f64>().ln()
}

/// Returns softmax(logits / temperature).
fn softmax(logits: &[f64], temperature_milli: u16) -> Vec<f64> {
    let scaled: Vec<f64> = logits.iter().map(|logit| logit * 1000.0 / f64::from(temperature_milli)).collect();
    let norm = log_sum_exp(&scaled);
    scaled.iter().map(|logit| (logit - norm).exp()).collect()
}

#[cfg(feature = "int8")]
mod fixed {
    use runtime::kernels::routine::softmax::{nll_micronats, pick, weigh};
    use runtime::{HeapState, Logits, Model, Stream};

    use super::*;

    static NAMES: &[u8] = runtime::include_blob!("../models/names.int8.blob");

    fn nats(logits: &[i32]) -> Vec<f64> {
        logits.iter().map(|&logit| f64::from(logit) / 1024.0).collect()
    }

    /// Returns logits of all kinds: spread over almost nothing or over hundreds of nats, crowded at the top, or on only
    /// two or three values, so that the roundings of many tokens add up.
    fn random_logits(cases: &mut Cases) -> Vec<i32> {
        let vocab_size = 2 + cases.below(255) as usize;
        let spread = (f64::from(cases.below(20))).exp2();
        let steps = [0, cases.below(20_000), cases.below(20_000)];
        let kind = cases.below(4);
        let mut logit = |token| match kind {
            0 => cases.unit() * spread,
            1 => cases.unit() * cases.unit() * -spread,
            2 => -f64::from(steps[cases.below(3) as usize]),
            _ => -f64::from(steps[usize::from(token > 0)]),
        };
        (0..vocab_size).map(|token| logit(token) as i32).collect()
    }

    /// Returns the bound of QUANTIZATION.md on the error of a probability `p`, `x` temperatures below the largest.
    fn bound(p: f64, x: f64, temperature_milli: u16) -> f64 {
        let above_one = f64::from(temperature_milli) - 1000.0;
        let relative = 5e-5 + 1.33e-9 * above_one.max(0.0) * x.max(5.6);
        relative * p + (-23.0_f64).exp2()
    }

    /// Returns the largest error of all probabilities, as a share of the bound.
    fn worst_share(logits: &[i32], temperature_milli: u16) -> f64 {
        let expected = softmax(&nats(logits), temperature_milli);
        let largest = expected.iter().copied().fold(0.0, f64::max);
        let mut weights = logits.to_vec();
        let total = weigh(&mut weights, temperature_milli);
        assert_eq!(u64::from(total), weights.iter().map(|&weight| weight as u64).sum::<u64>());
        let mut worst = 0.0_f64;
        for (&weight, &p) in weights.iter().zip(&expected) {
            let error = (f64::from(weight) / f64::from(total) - p).abs();
            worst = worst.max(error / bound(p, (largest / p).ln(), temperature_milli));
        }
        worst
    }

    #[test]
    fn probabilities_are_within_the_stated_bound_up_to_temperature_1() {
        let mut cases = Cases::new(1);
        let mut worst = 0.0_f64;
        for case in 0..60_000 {
            let logits = random_logits(&mut cases);
            let temperature_milli = if case % 2 == 0 { 1000 } else { 1 + cases.below(1000) as u16 };
            worst = worst.max(worst_share(&logits, temperature_milli));
            assert!(worst <= 1.0, "{worst} of the bound at {temperature_milli}/1000: {logits:?}");
        }
        // A case near the bound: all of 254 improbable tokens are rounded the same way, and the factor of 999 is
        // rounded badly.
        for second in (0..5_000).step_by(3) {
            let mut logits = vec![-17_018; 256];
            (logits[0], logits[1]) = (0, -second);
            worst = worst.max(worst_share(&logits, 999));
        }
        assert!(worst <= 1.0, "{worst} of the bound");
        assert!(worst > 0.75, "the bound is slack: {worst} of it");
    }

    #[test]
    fn probabilities_are_within_the_stated_bound_above_temperature_1() {
        let mut cases = Cases::new(2);
        let mut worst = 0.0_f64;
        for _ in 0..60_000 {
            let scale = 1 + cases.below(64);
            let logits: Vec<i32> = random_logits(&mut cases).iter().map(|logit| logit * scale as i32).collect();
            let temperature_milli = 1001 + cases.below(64_535) as u16;
            worst = worst.max(worst_share(&logits, temperature_milli));
            assert!(worst <= 1.0, "{worst} of the bound at {temperature_milli}/1000: {logits:?}");
        }
        assert!(worst > 0.5, "the bound is slack: {worst} of it");
    }

    #[test]
    fn the_widest_logits_and_every_temperature_neither_overflow_nor_vanish() {
        for temperature_milli in 0..=u16::MAX {
            // The ends of the range of requantization, and the value that top-k leaves for a dropped logit.
            let mut weights = [i32::MIN, -(1 << 30), 0, (1 << 30) - 1, 1 << 30];
            let total = weigh(&mut weights, temperature_milli);
            assert_eq!(weights[4], 1 << 23);
            assert_eq!((weights[0], weights[1], weights[2]), (0, 0, 0));
            assert!(total > 1 << 23 && total <= 1 << 24, "{temperature_milli}");
        }
    }

    #[test]
    fn every_token_is_picked_for_exactly_its_share() {
        let weights = [0, 3, 0, 4, 1, 0];
        // Eighths of the range of a random number: the first and the last number of each.
        let picked = |eighth: u32| {
            let first = eighth << 29;
            [first, first | ((1 << 29) - 1)].map(|random| pick(&weights, 8, random))
        };
        let expected = [1, 1, 1, 3, 3, 3, 3, 4].map(|token| [token; 2]);
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(picked), expected, "and none without weight");
    }

    #[test]
    fn scores_are_within_60_micronats() {
        let mut cases = Cases::new(3);
        let mut worst = 0.0_f64;
        for _ in 0..60_000 {
            let logits = random_logits(&mut cases);
            let norm = log_sum_exp(&nats(&logits));
            for &logit in &logits[..2] {
                let exact = 1e6 * (norm - f64::from(logit) / 1024.0);
                if exact < f64::from(u32::MAX) {
                    worst = worst.max((f64::from(nll_micronats(&logits, logit)) - exact).abs());
                }
            }
            assert!(worst <= 60.0, "{worst} micronats: {logits:?}");
        }
        assert!(worst > 40.0, "the bound is slack: {worst} micronats");
        assert_eq!(nll_micronats(&[0, 4_000_000], 0), 3_906_250_000, "far apart there is nothing to round");
        assert_eq!(nll_micronats(&[i32::MIN, i32::MAX], i32::MIN), u32::MAX, "too large for its type: the largest");
    }

    /// Returns Pearson's statistic of a million draws minus the value that chance exceeds once in 30,000 times.
    fn excess(logits: &[i32], temperature_milli: u16, expected: &[f64], seed: u64) -> f64 {
        const DRAWS: u32 = 1_000_000;
        let mut rng = Xoshiro128PlusPlus::seed_from_u64(seed);
        let mut weights = logits.to_vec();
        let total = weigh(&mut weights, temperature_milli);
        let mut counts = vec![0_u32; logits.len()];
        for _ in 0..DRAWS {
            counts[usize::from(pick(&weights, total, rng.next_u32()))] += 1;
        }
        let (mut statistic, mut bins) = (0.0, 0);
        // Tokens with fewer than five expected draws are counted together: the statistic is not chi-square with them.
        let mut rare = (0.0, 0.0);
        for (&count, &p) in counts.iter().zip(expected) {
            let expected = p * f64::from(DRAWS);
            if expected < 5.0 {
                rare = (rare.0 + expected, rare.1 + f64::from(count));
            } else {
                statistic += (f64::from(count) - expected).powi(2) / expected;
                bins += 1;
            }
        }
        if rare.0 >= 1.0 {
            statistic += (rare.1 - rare.0).powi(2) / rare.0;
            bins += 1;
        } else {
            assert!(rare.1 <= 10.0, "{} draws where {} are expected", rare.1, rare.0);
        }
        // Wilson and Hilferty: the cube root of chi-square over its degrees of freedom is almost normal; 4 deviations.
        let freedom = f64::from(bins - 1_u32).max(1.0);
        let variance = 2.0 / (9.0 * freedom);
        statistic - freedom * (1.0 - variance + 4.0 * variance.sqrt()).powi(3)
    }

    fn contexts() -> Vec<(String, Vec<i32>)> {
        let model = Model::new(NAMES).unwrap();
        let mut state = HeapState::new(&model);
        let mut stream = Stream::new(&model, &mut state).unwrap();
        let mut all = Vec::new();
        for word in ["", "e", "mar", "jo", "christ", "zzz"] {
            stream.reset();
            word.chars().for_each(|character| stream.push(model.vocab().encode(character).unwrap()));
            match stream.logits() {
                Logits::Fixed(logits) => all.push((format!("{word:?}"), logits.to_vec())),
                _ => panic!("an integer model has integer logits"),
            }
        }
        // From certain to nearly impossible, in steps of a sixth of a nat.
        all.push(("wide".to_owned(), (0..100).map(|step| -170 * step).collect()));
        all.push(("level".to_owned(), vec![-12_345; 256]));
        all
    }

    #[test]
    fn a_million_draws_follow_the_softmax() {
        for (at, (name, logits)) in contexts().iter().enumerate() {
            for temperature_milli in [500, 1000, 1500] {
                let expected = softmax(&nats(logits), temperature_milli);
                let seed = at as u64 * 10_000 + u64::from(temperature_milli);
                let excess = excess(logits, temperature_milli, &expected, seed);
                assert!(excess <= 0.0, "{name} at {temperature_milli}/1000: chi-square too large by {excess}");
            }
        }
    }

    #[test]
    fn a_million_draws_tell_a_temperature_that_is_off_by_one_percent() {
        let (_, logits) = &contexts()[0];
        assert!(excess(logits, 1000, &softmax(&nats(logits), 1010), 1000) > 0.0);
    }
}

#[cfg(feature = "f32")]
mod float {
    use runtime::format::{AlignedBlob, Header, Layout, Precision, WeightFormat};
    use runtime::math::EXP_MAX_RELATIVE_ERROR;
    use runtime::sampling::float::{pick, weigh};
    use runtime::write::{Layers, LinearWeights, encode};
    use runtime::{Activation, HeapState, Level, Model, Provenance, Stream};

    use super::*;

    fn nats(logits: &[f32]) -> Vec<f64> {
        logits.iter().copied().map(f64::from).collect()
    }

    /// Returns 3 to 256 logits around a common middle, of at most this magnitude.
    fn random_logits(cases: &mut Cases, magnitude: f64) -> Vec<f32> {
        let vocab_size = 3 + cases.below(254) as usize;
        let spread = cases.unit();
        let middle = (1.0 - spread) * (2.0 * cases.unit() - 1.0);
        (0..vocab_size).map(|_| (magnitude * (middle + spread * (2.0 * cases.unit() - 1.0))) as f32).collect()
    }

    #[test]
    fn probabilities_are_within_the_error_of_exp() {
        let mut cases = Cases::new(4);
        let mut worst = 0.0_f64;
        for _ in 0..20_000 {
            let temperature_milli = 1 + cases.below(65_535) as u16;
            // Up to 60 temperatures apart: beyond 80, exp is cut off.
            let magnitude = cases.unit() * 30.0 * f64::from(temperature_milli) / 1000.0;
            let mut logits = random_logits(&mut cases, magnitude);
            let expected = softmax(&nats(&logits), temperature_milli);
            let total = weigh(&mut logits, temperature_milli);
            for (&weight, &p) in logits.iter().zip(&expected) {
                worst = worst.max((f64::from(weight) / f64::from(total) / p - 1.0).abs());
            }
        }
        // At a temperature other than 1, its rounding and that of the product add 2^-23 of the exponent.
        assert!(worst <= f64::from(EXP_MAX_RELATIVE_ERROR) + 60.0 * (-23.0_f64).exp2(), "{worst:e}");
        assert!(worst > 0.5 * f64::from(EXP_MAX_RELATIVE_ERROR), "the bound is slack: {worst:e}");
    }

    #[test]
    fn every_token_is_picked_for_exactly_its_share() {
        let weights = [0.0, 3.0, 0.0, 4.0, 1.0, 0.0];
        // Eighths of the range of a random number: the first and the last number of each.
        let picked = |eighth: u32| {
            let first = eighth << 29;
            [first, first | ((1 << 29) - 1)].map(|random| pick(&weights, 8.0, random))
        };
        let expected = [1, 1, 1, 3, 3, 3, 3, 4].map(|token| [token; 2]);
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(picked), expected, "and none without weight");
        // If the total was rounded up, the last token with any weight takes the rest.
        assert_eq!(pick(&weights, 8.5, u32::MAX), 4);
        assert_eq!(pick(&[0.5, 0.0], 1.0, u32::MAX), 0);
    }

    /// Returns a blob whose logits are `bias` for any input.
    fn constant(bias: &[f32]) -> AlignedBlob {
        let vocab: String = ('一'..).take(bias.len()).collect();
        let header = Header {
            precision: Precision::F32,
            layout: Layout::Rows8,
            activation: Activation::Tanh,
            n_embd: 1,
            levels: [Level { fuse: 2, width: 1 }].into_iter().collect(),
            skip: false,
            weights: [WeightFormat::F32; 2].into_iter().collect(),
            golden_len: 0,
            golden_crc32: 0,
            vocab: &vocab,
            provenance: Provenance::UNKNOWN,
        };
        let zeros = vec![0.0; bias.len()];
        let layers = vec![LinearWeights { weight: &[0.0; 2], bias: &[0.0] }, LinearWeights { weight: &zeros, bias }];
        let layers = Layers::F32 { embedding: &zeros, layers };
        AlignedBlob::from(encode(&header, &layers, &[]).unwrap().as_slice())
    }

    /// [`Stream::nll_micronats`] states 2 micronats plus a quarter of the larger of the score and the largest logit,
    /// both in nats.
    #[test]
    fn scores_are_within_the_stated_bound() {
        let mut cases = Cases::new(5);
        let mut worst = 0.0_f64;
        for magnitude in [0.1, 1.0, 4.0, 8.0, 16.0, 30.0, 100.0, 1000.0] {
            for _ in 0..500 {
                let logits = random_logits(&mut cases, magnitude);
                let blob = constant(&logits);
                let model = Model::new(blob.as_bytes()).unwrap();
                let mut state = HeapState::new(&model);
                let stream = Stream::new(&model, &mut state).unwrap();
                let norm = log_sum_exp(&nats(&logits));
                let largest = logits.iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
                for (token, &logit) in logits.iter().enumerate() {
                    let exact = norm - f64::from(logit);
                    let error = (f64::from(stream.nll_micronats(token as u8)) - 1e6 * exact).abs();
                    let bound = 2.0 + 0.25 * exact.max(f64::from(largest));
                    worst = worst.max(error / bound);
                    assert!(worst <= 1.0, "{error} micronats for {logit} of {logits:?}");
                }
            }
        }
        assert!(worst > 0.4, "the bound is slack: {worst} of it");
    }

    #[test]
    fn scores_are_rounded_to_the_nearest_micronat() {
        for (vocab_size, expected) in [(3, 1_098_612), (4, 1_386_294), (5, 1_609_438)] {
            let blob = constant(&vec![0.0; vocab_size]);
            let model = Model::new(blob.as_bytes()).unwrap();
            let mut state = HeapState::new(&model);
            let stream = Stream::new(&model, &mut state).unwrap();
            assert_eq!(stream.nll_micronats(1), expected, "the logarithm of {vocab_size}");
        }
    }
}
