//! Activations: the functions between a level's linear layer and the next level.

use crate::table::table;

table! {
    /// Function between a level's linear layer and the next level.
    pub enum Activation {
        /// Hyperbolic tangent, as in the lecture.
        Tanh = "tanh",
        /// WaveNet's gated unit, `tanh(a) * sigmoid(b)`. Each value takes two rows of the matrix: `a`, and `b / 2` one
        /// width of the level later.
        ///
        /// `sigmoid(b) = (1 + tanh(b / 2)) / 2`. The inner half is part of the weights, as BatchNorm is. It remains to
        /// compute `tanh` of all rows, then `value * (1 + gate) / 2`: `quant::gate` in integers, `math::gate` in f32.
        /// (van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", 2016, equation 2; "WaveNet",
        /// 2016, equation 2.)
        Gated = "gated",
        /// Rectified linear unit, `max(a, 0)`; in f32 at most 2^40, so that all sums remain finite.
        ///
        /// In integers an output above 1 is cut off at 127 units. The exporter scales each level so that hardly any
        /// output is above 1; a pre-activation has the units of an activation.
        Relu = "relu",
    }
}

impl Activation {
    /// Returns whether half of a level's rows are gates of the other half.
    pub const fn is_gated(self) -> bool {
        self.rows_per_value() == 2
    }

    /// Applies the function to every row in place, in f32. Gates are applied in a later step.
    // Inlined, because a function that is compiled for a vector unit must contain the loop.
    #[cfg(feature = "f32")]
    #[inline(always)]
    pub fn apply_f32(self, rows: &mut [f32]) {
        match self {
            Self::Tanh | Self::Gated => rows.iter_mut().for_each(|row| *row = crate::math::tanh(*row)),
            // Written as comparisons, because with `f32::max` the sign of zero depends on the machine.
            Self::Relu => rows.iter_mut().for_each(|row| {
                *row = if *row > 0.0 { *row } else { 0.0 };
                *row = if *row < LARGEST_F32 { *row } else { LARGEST_F32 };
            }),
        }
    }

    /// Returns the feature that a build needs for this activation, or `None` if every build has it.
    ///
    /// An activation with its own curve is a feature: a chip has no flash for curves that its model does not use.
    pub const fn feature(self) -> Option<&'static str> {
        match self {
            Self::Tanh | Self::Gated => None,
            Self::Relu => Some("relu"),
        }
    }

    /// Returns whether this build of the runtime supports this activation.
    pub const fn is_built(self) -> bool {
        match self {
            Self::Tanh | Self::Gated => true,
            Self::Relu => cfg!(feature = "relu"),
        }
    }

    /// Returns the number of rows of the weight matrix per value of a level.
    pub const fn rows_per_value(self) -> usize {
        match self {
            Self::Tanh | Self::Relu => 1,
            Self::Gated => 2,
        }
    }
}

/// Activation function in integers: a curve of 512 entries, -127 to 127, that every kernel looks up.
///
/// The index is the pre-activation `p`, saturated to -256 to 255, as `p & 511`: first the entries of 0 to 255, then
/// those of -256 to -1. Beyond both ends the curve keeps its last entry. So a kernel needs no case for the sign, and is
/// the same for every function.
#[derive(Debug)]
pub struct Curve(pub [i8; 512]);

impl Curve {
    /// Returns the activation of a pre-activation.
    #[inline]
    pub fn at(&self, pre_activation: i32) -> i8 {
        self.0.get(pre_activation.clamp(-256, 255) as usize & 511).copied().unwrap_or(0)
    }
}

impl Activation {
    /// Returns the curve that kernels look up for every row of a level.
    #[inline]
    pub const fn curve(self) -> &'static Curve {
        match self {
            Self::Tanh | Self::Gated => &TANH,
            // A build without the feature refuses such a model on load.
            Self::Relu => const { if cfg!(feature = "relu") { &RELU } else { &TANH } },
        }
    }
}

/// Largest output of an unbounded activation in f32.
///
/// No trained network comes near it. For any weights, the sums of the next level remain finite, as they do with outputs
/// of at most 1.
pub const LARGEST_F32: f32 = (1_u64 << 40) as f32;

/// The curve of ReLU: `p` from 0 to 127, 127 above, 0 below.
pub static RELU: Curve = Curve({
    let mut entries = [0; 512];
    let mut p = 0;
    while p < 256 {
        entries[p] = if p < 127 { p as i8 } else { 127 };
        p += 1;
    }
    entries
});

/// The curve of tanh: `127 * tanh(p / 64)`, rounded to nearest.
#[rustfmt::skip]
pub static TANH: Curve = Curve([
    0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 25, 27, 29,
    31, 33, 35, 37, 38, 40, 42, 44, 46, 47, 49, 51, 52, 54, 56, 57,
    59, 60, 62, 63, 65, 66, 68, 69, 70, 72, 73, 74, 76, 77, 78, 79,
    81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96,
    97, 98, 98, 99, 100, 101, 101, 102, 103, 103, 104, 105, 105, 106, 107, 107,
    108, 108, 109, 109, 110, 110, 111, 111, 112, 112, 113, 113, 113, 114, 114, 115,
    115, 115, 116, 116, 116, 117, 117, 117, 118, 118, 118, 118, 119, 119, 119, 119,
    120, 120, 120, 120, 120, 121, 121, 121, 121, 121, 122, 122, 122, 122, 122, 122,
    122, 123, 123, 123, 123, 123, 123, 123, 123, 124, 124, 124, 124, 124, 124, 124,
    124, 124, 124, 124, 125, 125, 125, 125, 125, 125, 125, 125, 125, 125, 125, 125,
    125, 125, 125, 125, 125, 126, 126, 126, 126, 126, 126, 126, 126, 126, 126, 126,
    126, 126, 126, 126, 126, 126, 126, 126, 126, 126, 126, 126, 126, 126, 126, 126,
    126, 126, 126, 126, 126, 126, 126, 126, 127, 127, 127, 127, 127, 127, 127, 127,
    127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127,
    127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127,
    127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127,
    -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127,
    -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127,
    -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127,
    -127, -127, -127, -127, -127, -127, -127, -127, -127, -126, -126, -126, -126, -126, -126, -126,
    -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126,
    -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -125, -125, -125, -125,
    -125, -125, -125, -125, -125, -125, -125, -125, -125, -125, -125, -125, -125, -124, -124, -124,
    -124, -124, -124, -124, -124, -124, -124, -124, -123, -123, -123, -123, -123, -123, -123, -123,
    -122, -122, -122, -122, -122, -122, -122, -121, -121, -121, -121, -121, -120, -120, -120, -120,
    -120, -119, -119, -119, -119, -118, -118, -118, -118, -117, -117, -117, -116, -116, -116, -115,
    -115, -115, -114, -114, -113, -113, -113, -112, -112, -111, -111, -110, -110, -109, -109, -108,
    -108, -107, -107, -106, -105, -105, -104, -103, -103, -102, -101, -101, -100, -99, -98, -98,
    -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82,
    -81, -79, -78, -77, -76, -74, -73, -72, -70, -69, -68, -66, -65, -63, -62, -60,
    -59, -57, -56, -54, -52, -51, -49, -47, -46, -44, -42, -40, -38, -37, -35, -33,
    -31, -29, -27, -25, -24, -22, -20, -18, -16, -14, -12, -10, -8, -6, -4, -2,
]);

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;

    #[test]
    fn only_relu_is_a_feature() {
        let features: alloc::vec::Vec<_> =
            Activation::ALL.iter().filter_map(|activation| activation.feature()).collect();
        assert_eq!(features, ["relu"]);
    }

    #[test]
    fn the_curve_of_relu_cuts_off_at_both_ends() {
        for pre_activation in -300..=300 {
            assert_eq!(i32::from(RELU.at(pre_activation)), pre_activation.clamp(0, 127), "{pre_activation}");
        }
    }

    /// Zero must have one sign, or logits would differ between machines. NaN is cut off like a negative number.
    #[test]
    fn relu_cuts_off_at_both_ends() {
        let mut rows = [-1.0, -0.0, 0.0, 0.5, f32::MAX, f32::INFINITY, f32::NAN];
        Activation::Relu.apply_f32(&mut rows);
        let expected = [0.0, 0.0, 0.0, 0.5, LARGEST_F32, LARGEST_F32, 0.0];
        assert_eq!(rows.map(f32::to_bits), expected.map(f32::to_bits));
    }
}
