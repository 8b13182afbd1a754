//! Exponential and logarithm in integers, for sampling and scores on chips without an FPU.

/// Fraction bits of a weight from [`exp2_neg`]: 2^23 is 1. A sum of 256 weights fits in 32 bits.
pub const WEIGHT_FRACTION_BITS: u32 = 23;
/// Largest relative error of [`exp2_neg`]. Half a unit of the weight's last bit comes in addition.
pub const EXP_NEG_MAX_RELATIVE_ERROR: f64 = 2e-5;
/// Largest absolute error of [`ln`], in nats.
pub const LN_MAX_ERROR: f64 = 3.2e-5;

/// Table of `2^(-i / 64)` with 28 fraction bits.
#[rustfmt::skip]
pub(crate) static EXP2_NEG: [u32; 65] = [
    268_435_456, 265_543_873, 262_683_438, 259_853_815, 257_054_673, 254_285_684, 251_546_522, 248_836_866,
    246_156_398, 243_504_805, 240_881_774, 238_286_999, 235_720_175, 233_181_000, 230_669_177, 228_184_412,
    225_726_413, 223_294_891, 220_889_561, 218_510_142, 216_156_353, 213_827_920, 211_524_568, 209_246_029,
    206_992_033, 204_762_318, 202_556_621, 200_374_683, 198_216_250, 196_081_067, 193_968_884, 191_879_454,
    189_812_531, 187_767_873, 185_745_240, 183_744_395, 181_765_103, 179_807_131, 177_870_251, 175_954_235,
    174_058_859, 172_183_899, 170_329_136, 168_494_353, 166_679_334, 164_883_866, 163_107_740, 161_350_745,
    159_612_677, 157_893_331, 156_192_507, 154_510_003, 152_845_623, 151_199_172, 149_570_457, 147_959_286,
    146_365_470, 144_788_823, 143_229_160, 141_686_297, 140_160_054, 138_650_252, 137_156_714, 135_679_263,
    134_217_728,
];

/// Table of `ln(1 + i / 64)` with 24 fraction bits.
#[rustfmt::skip]
static LN: [u32; 65] = [
    0, 260_117, 516_263, 768_556, 1_017_112, 1_262_040, 1_503_443, 1_741_421,
    1_976_071, 2_207_485, 2_435_750, 2_660_951, 2_883_169, 3_102_482, 3_318_965, 3_532_691,
    3_743_728, 3_952_143, 4_158_001, 4_361_364, 4_562_291, 4_760_840, 4_957_067, 5_151_025,
    5_342_767, 5_532_342, 5_719_799, 5_905_184, 6_088_544, 6_269_921, 6_449_358, 6_626_896,
    6_802_576, 6_976_434, 7_148_510, 7_318_838, 7_487_455, 7_654_394, 7_819_688, 7_983_370,
    8_145_469, 8_306_018, 8_465_045, 8_622_579, 8_778_647, 8_933_277, 9_086_495, 9_238_326,
    9_388_795, 9_537_927, 9_685_745, 9_832_271, 9_977_530, 10_121_541, 10_264_327, 10_405_907,
    10_546_303, 10_685_534, 10_823_619, 10_960_577, 11_096_425, 11_231_183, 11_364_866, 11_497_493,
    11_629_080,
];

/// The constant ln 2 with 24 fraction bits.
const LN_2: u32 = LN[64];

/// Returns `2^-x` as a weight with [`WEIGHT_FRACTION_BITS`]; `x` has 16 fraction bits.
///
/// Interpolates linearly between two entries of a table of 64 steps.
#[inline]
pub fn exp2_neg(x: u32) -> u32 {
    exp2_neg_parts(x >> 16, x << 16)
}

/// Computes [`exp2_neg`] of a whole number and a fraction of 32 bits, whose lower half is ignored.
#[inline]
pub(crate) fn exp2_neg_parts(whole: u32, fraction: u32) -> u32 {
    if whole > WEIGHT_FRACTION_BITS {
        return 0;
    }
    let (step, rest) = ((fraction >> 26) as usize, (fraction >> 16) & 1023);
    let (Some(&from), Some(&to)) = (EXP2_NEG.get(step), EXP2_NEG.get(step + 1)) else { return 0 };
    // No overflow: 2^28 * 2^-0 - 2^28 * 2^-(1/64) is below 2^22, and the rest is below 2^10.
    let value = from - (((from - to) * rest) >> 10);
    // The bit after the last one rounds.
    ((value >> (27 - WEIGHT_FRACTION_BITS + whole)) + 1) >> 1
}

/// Returns the natural logarithm of a sum of weights (at least 1, that is 2^23), in nats with 24 fraction bits.
pub fn ln(sum: u32) -> u32 {
    let sum = sum.max(1 << WEIGHT_FRACTION_BITS);
    let zeros = sum.leading_zeros();
    let mantissa = sum << zeros;
    let exponent = 31 - zeros - WEIGHT_FRACTION_BITS;
    let (step, rest) = ((mantissa >> 25) as usize & 63, (mantissa >> 12) & 0x1fff);
    let (Some(&from), Some(&to)) = (LN.get(step), LN.get(step + 1)) else { return 0 };
    exponent * LN_2 + from + (((to - from) * rest) >> 13)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn exp2_neg_is_within_its_bound() {
        let one = f64::from(1 << WEIGHT_FRACTION_BITS);
        let mut worst = 0.0_f64;
        for x in 0..26_u32 << 16 {
            let exact = one * (-f64::from(x) / 65_536.0).exp2();
            let error = (f64::from(exp2_neg(x)) - exact).abs() - 0.5;
            worst = worst.max(error / exact);
            // Beyond 24 halvings the weight is cut to zero: it is less than half of its last bit.
            assert!(error <= exact * EXP_NEG_MAX_RELATIVE_ERROR + 0.5, "{x}: {error}");
        }
        assert!(worst > 0.5 * EXP_NEG_MAX_RELATIVE_ERROR, "the bound is slack: {worst:e}");
        assert_eq!(exp2_neg(0), 1 << WEIGHT_FRACTION_BITS);
        assert_eq!(exp2_neg(u32::MAX), 0);
    }

    #[test]
    fn ln_is_within_its_bound() {
        let one = f64::from(1 << WEIGHT_FRACTION_BITS);
        let mut worst = 0.0_f64;
        for sum in (1_u32 << WEIGHT_FRACTION_BITS..=u32::MAX).step_by(9_973).chain([u32::MAX]) {
            let exact = (f64::from(sum) / one).ln();
            worst = worst.max((f64::from(ln(sum)) / f64::from(1 << 24) - exact).abs());
        }
        assert!(worst <= LN_MAX_ERROR, "{worst:e}");
        assert!(worst > 0.5 * LN_MAX_ERROR, "the bound is slack: {worst:e}");
        assert_eq!(ln(1 << WEIGHT_FRACTION_BITS), 0);
        assert_eq!(ln(0), 0, "less than one is one");
    }

    #[test]
    fn the_tables_are_what_they_say() {
        for i in 0..=64 {
            let x = i as f64 / 64.0;
            assert_eq!(f64::from(EXP2_NEG[i]), ((1_u64 << 28) as f64 * (-x).exp2()).round(), "{i}");
            assert_eq!(f64::from(LN[i]), ((1 << 24) as f64 * x.ln_1p()).round(), "{i}");
        }
    }
}
