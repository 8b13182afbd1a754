//! Kernels for computers: the numbers of [`crate::kernels::routine::portable`], from the vector unit that the machine turns out to have.
//!
//! Which one that is, is asked when the program runs, so that one binary serves all machines; the feature `std` does the
//! asking. Layers are computed whole, and for [`crate::batch`] for [`STREAMS`] words at a time.
//!
//! | | integers | f32 |
//! |---|---|---|
//! | AVX-512 with VNNI | `vpdpbusd` on `x + 128`, which is never negative, and `w`, less `128 sum w` | as below, wider |
//! | AVX2 | `vpmaddubsw` on the magnitude of `x`, and `w` with the sign of `x` | multiplication, then addition |
//! | NEON | `smull` and `smlal2`: sums of two products in 16 bits, then `sadalp` | as above, narrower |
//! | otherwise | the portable loops, of which the compiler makes SSE2 | the same |
//!
//! Integer sums are exact in any order. Sums in f32 keep theirs: a vector holds several rows, or several words, never
//! several columns of a row; and each product is rounded before it is added, so that there is no fused multiply-add.

#[cfg(any(kernel = "neon", kernel = "x86"))]
mod methods;
#[cfg(kernel = "neon")]
mod neon;
mod portable;
mod tile;
#[cfg(kernel = "x86")]
mod x86;

#[cfg(kernel = "neon")]
use self::neon::Neon;
pub use self::tile::{Bias, Output, STREAMS, Scaling, Table, Tile};
#[cfg(kernel = "x86")]
use self::x86::{avx2::Avx2, avx512::Avx512};
use crate::rows::LANES;
use crate::vocab::Token;

/// A vector unit of this machine; its methods are the kernels.
///
/// One exists only where it was found: [`VectorUnit::best`] and [`VectorUnit::available`] are the only ways to one.
#[derive(Clone, Copy, Debug)]
pub struct VectorUnit(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    #[cfg(kernel = "x86")]
    Avx512(Avx512),
    #[cfg(kernel = "x86")]
    Avx2(Avx2),
    #[cfg(kernel = "neon")]
    Neon(Neon),
    Portable,
}

/// `$function` of the unit, or of the portable code.
macro_rules! dispatch {
    ($unit:expr, $function:ident, $($argument:expr),*) => {
        match $unit.0 {
            #[cfg(kernel = "x86")]
            Kind::Avx512(unit) => unit.$function($($argument),*),
            #[cfg(kernel = "x86")]
            Kind::Avx2(unit) => unit.$function($($argument),*),
            #[cfg(kernel = "neon")]
            Kind::Neon(unit) => unit.$function($($argument),*),
            Kind::Portable => portable::$function($($argument),*),
        }
    };
}

impl VectorUnit {
    /// All that this machine has, the best first; the last is portable code.
    pub fn available() -> impl Iterator<Item = Self> {
        let kinds = [
            #[cfg(kernel = "x86")]
            Avx512::detect().map(Kind::Avx512),
            #[cfg(kernel = "x86")]
            Avx2::detect().map(Kind::Avx2),
            #[cfg(kernel = "neon")]
            Neon::detect().map(Kind::Neon),
            Some(Kind::Portable),
        ];
        kinds.into_iter().flatten().map(Self)
    }

    /// The best that this machine has. Asking costs next to nothing: the standard library keeps the answer.
    #[inline]
    pub fn best() -> Self {
        #[cfg(kernel = "x86")]
        if let Some(unit) = Avx512::detect() {
            return Self(Kind::Avx512(unit));
        } else if let Some(unit) = Avx2::detect() {
            return Self(Kind::Avx2(unit));
        }
        #[cfg(kernel = "neon")]
        if let Some(unit) = Neon::detect() {
            return Self(Kind::Neon(unit));
        }
        Self(Kind::Portable)
    }

    /// `avx512-vnni`, `avx2`, `neon` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(kernel = "x86")]
            Kind::Avx512(_) => "avx512-vnni",
            #[cfg(kernel = "x86")]
            Kind::Avx2(_) => "avx2",
            #[cfg(kernel = "neon")]
            Kind::Neon(_) => "neon",
            Kind::Portable => "portable",
        }
    }
}

impl VectorUnit {
    /// `out[row] = requantize(bias[row] + sum_c weights[row][c] * x[c], multiplier[row])`, or tanh of it.
    ///
    /// Shapes: `weights` `[rows][x.len()]`, `bias`, `multiplier` and `out` `[rows]`; what goes beyond the shortest of them
    /// is left alone. Weights are -127 to 127, which every loaded model has, and sums fit an `i32`.
    pub fn rows_i8(self, weights: &[i8], x: &[i8], bias: Bias<'_>, multiplier: &[i32], out: Output<'_>) {
        dispatch!(self, rows_i8, weights, x, bias, multiplier, out);
    }

    /// As [`VectorUnit::rows_i8`] with four-bit weights (-8 to 7), each row a whole number of bytes.
    pub fn rows_i4(self, weights: &[u8], x: &[i8], bias: &[i32], multiplier: &[i32], out: Output<'_>) {
        dispatch!(self, rows_i4, weights, x, bias, multiplier, out);
    }

    /// `out[r] = requantize(bias[r] + sum_p table[p][tokens[p]][start + r], multiplier[r])`, or tanh of it: level 0 as a
    /// table.
    ///
    /// Shapes: `table` `[tokens.len()][vocab_size][rows]`, the others as many rows as are asked for; what lies outside the
    /// table counts as zero, and what goes beyond the shortest of the others is left alone.
    pub fn look_up(self, table: Table<'_>, tokens: &[Token], bias: &[i32], multiplier: &[i32], out: Output<'_>) {
        dispatch!(self, look_up, table, tokens, bias, multiplier, out);
    }

    /// [`crate::quant::tanh_i8`] of every value.
    pub fn tanh_i8(self, pre_activations: &[i32], out: &mut [i8]) {
        dispatch!(self, tanh_i8, pre_activations, out);
    }

    /// [`crate::kernels::routine::portable::gate_i8`].
    #[inline]
    pub fn gate_i8(self, values: &mut [i8], gates: &[i8]) {
        dispatch!(self, gate_i8, values, gates);
    }

    /// [`crate::kernels::routine::softmax::weigh`].
    pub fn weigh(self, logits: &mut [i32], temperature_milli: u16) -> u32 {
        dispatch!(self, weigh, logits, temperature_milli)
    }

    /// Eight rows for [`STREAMS`] words: `out[r][s] = requantize(bias[r] + sum_c w[r][c] * x[c][s], multiplier[r])`.
    ///
    /// Four columns are a word, the first in its lowest byte: `weights` has eight such words (one per row) for every four
    /// columns, `x` one per stream.
    pub fn tile_i8(self, weights: &[[u32; LANES]], scaling: &Scaling, x: &[Tile<u32>], out: &mut [Tile<i32>; LANES]) {
        dispatch!(self, tile_i8, weights, scaling, x, out);
    }

    /// tanh of eight rows, packed into words of four rows as [`VectorUnit::tile_i8`] takes them.
    pub fn tanh_tile_i8(self, pre_activations: &[Tile<i32>; LANES], out: &mut [Tile<u32>; 2]) {
        dispatch!(self, tanh_tile_i8, pre_activations, out);
    }
}

impl VectorUnit {
    /// [`crate::kernels::routine::portable::vec_mat_f32`].
    pub fn vec_mat_f32(self, weights: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]) {
        dispatch!(self, vec_mat_f32, weights, bias, x, y);
    }

    /// [`crate::math::tanh`] of every value, in place.
    pub fn tanh_f32(self, values: &mut [f32]) {
        dispatch!(self, tanh_f32, values);
    }

    /// A block of layout `Rows8` for [`STREAMS`] words: `out[r][s] = bias[r] + sum_c weights[c][r] * x[c][s]`, summed in
    /// the order of [`crate::kernels::routine::portable::vec_mat_f32`].
    pub fn tile_f32(
        self,
        weights: &[[f32; LANES]],
        bias: &[f32; LANES],
        x: &[Tile<f32>],
        out: &mut [Tile<f32>; LANES],
    ) {
        dispatch!(self, tile_f32, weights, bias, x, out);
    }
}

/// [`crate::kernels::routine::softmax::weigh`] on the widest vector unit of this machine.
#[inline]
pub fn weigh(logits: &mut [i32], temperature_milli: u16) -> u32 {
    VectorUnit::best().weigh(logits, temperature_milli)
}
