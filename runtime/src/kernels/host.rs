//! Kernels for computers: the same results as `portable`, computed by the widest vector unit that this CPU has.
//!
//! The program detects the unit when it runs, so one binary serves all machines; detection needs the feature `std`.
//! Kernels compute whole layers, and, for [`crate::batch`], [`STREAMS`] words at a time.
//!
//! | | integers | f32 |
//! |---|---|---|
//! | AVX-512 with VNNI | `vpdpbusd` on `x + 128` (never negative) and `w`, minus `128 sum w` | as below, wider |
//! | AVX2 | `vpmaddubsw` on the magnitude of `x` and on `w` with the sign of `x` | multiplication, then addition |
//! | NEON | `smull` and `smlal2`: sums of two products in 16 bits, then `sadalp` | as above, narrower |
//! | otherwise | the portable loops, which the compiler turns into SSE2 | the same |
//!
//! Integer sums are exact in any order. Sums in f32 keep their order: a vector holds several rows, or several words,
//! never several columns of a row. Each product is rounded before it is added, so there is no fused multiply-add.

#[cfg(any(kernel = "neon", kernel = "x86"))]
mod methods;
#[cfg(kernel = "neon")]
mod neon;
mod portable;
mod tile;
#[cfg(kernel = "x86")]
mod x86;

pub use self::tile::{Bias, BlockScaling, STREAMS, Table, Tile};
use crate::activation::{Activation, Curve};
use crate::kernels::Out;
use crate::rows::LANES;
use crate::vocab::Token;

/// Vector unit of this machine. Its methods are the kernels.
///
/// A value proves that the machine has the unit: [`VectorUnit::best`] and [`VectorUnit::available`] are the only
/// constructors.
#[derive(Clone, Copy, Debug)]
pub struct VectorUnit(Kind);

/// Calls a macro with some arguments and the only list of this build's vector units, best first.
macro_rules! with_units {
    ($macro:ident $arguments:tt) => {
        $macro! { $arguments
            #[cfg(kernel = "x86")] Avx512 = "avx512-vnni" in x86::avx512,
            #[cfg(kernel = "x86")] Avx2 = "avx2" in x86::avx2,
            #[cfg(kernel = "neon")] Neon = "neon" in neon,
        }
    };
}

/// Declares the enum of the units.
macro_rules! declare {
    (() $($(#[$attribute:meta])* $unit:ident = $name:literal in $($module:ident)::*,)*) => {
        #[derive(Clone, Copy, Debug)]
        enum Kind {
            $($(#[$attribute])* $unit($($module)::*::$unit),)*
            Portable,
        }

        impl VectorUnit {
            /// Returns all units that this machine has, the best first; the last is portable code.
            pub fn available() -> impl Iterator<Item = Self> {
                let kinds = [
                    $($(#[$attribute])* $($module)::*::$unit::detect().map(Kind::$unit),)*
                    Some(Kind::Portable),
                ];
                kinds.into_iter().flatten().map(Self)
            }

            /// Returns the best unit that this machine has. Cheap: the standard library caches the answer.
            #[inline]
            pub fn best() -> Self {
                $(
                    $(#[$attribute])*
                    if let Some(unit) = $($module)::*::$unit::detect() {
                        return Self(Kind::$unit(unit));
                    }
                )*
                Self(Kind::Portable)
            }

            /// Returns the unit's name: `avx512-vnni`, `avx2`, `neon` or `portable`.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $($(#[$attribute])* Kind::$unit(_) => $name,)*
                    Kind::Portable => "portable",
                }
            }
        }
    };
}
with_units! { declare () }

/// Calls a method of the unit, or the portable function.
macro_rules! dispatch {
    ($unit:expr, $function:ident, $($argument:expr),*) => {
        with_units! { call ($unit, $function, ($($argument),*)) }
    };
}

macro_rules! call {
    (($kind:expr, $function:ident, $arguments:tt)
     $($(#[$attribute:meta])* $unit:ident = $name:literal in $($module:ident)::*,)*) => {
        match $kind.0 {
            $($(#[$attribute])* Kind::$unit(unit) => unit.$function $arguments,)*
            Kind::Portable => portable::$function $arguments,
        }
    };
}

impl VectorUnit {
    /// Computes a layer: `out[row] = requantize(bias[row] + sum_c weights[row][c] * x[c], multiplier[row])`, or the
    /// curve's entry at that index.
    ///
    /// Shapes: `weights` `[rows][x.len()]`, `bias`, `multiplier` and `out` `[rows]`. Values beyond the shortest of them
    /// remain unchanged. Weights are -127 to 127, as in every loaded model, and sums fit an `i32`.
    pub fn rows_i8(self, weights: &[i8], x: &[i8], bias: Bias<'_>, multiplier: &[i32], out: Out<'_>) {
        dispatch!(self, rows_i8, weights, x, bias, multiplier, out);
    }

    /// Computes a layer as [`VectorUnit::rows_i8`] does, with 4-bit weights (-8 to 7). Each row is a whole number of
    /// bytes.
    pub fn rows_i4(self, weights: &[u8], x: &[i8], bias: &[i32], multiplier: &[i32], out: Out<'_>) {
        dispatch!(self, rows_i4, weights, x, bias, multiplier, out);
    }

    /// Looks up level 0 in a table:
    /// `out[r] = requantize(bias[r] + sum_p table[p][tokens[p]][start + r], multiplier[r])`, or the curve's entry at
    /// that index.
    ///
    /// Shapes: `table` `[tokens.len()][vocab_size][rows]`; `bias`, `multiplier` and `out` have one value per row to
    /// compute. An entry outside the table counts as zero. Values beyond the shortest of the three remain unchanged.
    pub fn look_up(self, table: Table<'_>, tokens: &[Token], bias: &[i32], multiplier: &[i32], out: Out<'_>) {
        dispatch!(self, look_up, table, tokens, bias, multiplier, out);
    }

    /// Writes the curve's entry of each pre-activation to `out`.
    pub fn curve_i8(self, curve: &Curve, pre_activations: &[i32], out: &mut [i8]) {
        dispatch!(self, curve_i8, curve, pre_activations, out);
    }

    /// Computes [`crate::kernels::routine::portable::gate_i8`].
    #[inline]
    pub fn gate_i8(self, values: &mut [i8], gates: &[i8]) {
        dispatch!(self, gate_i8, values, gates);
    }

    /// Computes [`crate::kernels::routine::softmax::weigh`].
    pub fn weigh(self, logits: &mut [i32], temperature_milli: u16) -> u32 {
        dispatch!(self, weigh, logits, temperature_milli)
    }

    /// Computes eight rows for [`STREAMS`] words:
    /// `out[r][s] = requantize(bias[r] + sum_c w[r][c] * x[c][s], multiplier[r])`.
    ///
    /// A word (`u32`) holds four columns, the first in its lowest byte. For every four columns, `weights` has eight
    /// words, one per row, and `x` has one word per stream.
    pub fn tile_i8(
        self,
        weights: &[[u32; LANES]],
        scaling: &BlockScaling,
        x: &[Tile<u32>],
        out: &mut [Tile<i32>; LANES],
    ) {
        dispatch!(self, tile_i8, weights, scaling, x, out);
    }

    /// Looks up the curve's entries for eight rows, and packs four rows into each word, as [`VectorUnit::tile_i8`]
    /// reads them.
    pub fn curve_tile_i8(self, curve: &Curve, pre_activations: &[Tile<i32>; LANES], out: &mut [Tile<u32>; 2]) {
        dispatch!(self, curve_tile_i8, curve, pre_activations, out);
    }
}

impl VectorUnit {
    /// Computes [`crate::kernels::routine::portable::vec_mat_f32`].
    pub fn vec_mat_f32(self, weights: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]) {
        dispatch!(self, vec_mat_f32, weights, bias, x, y);
    }

    /// Calls [`Activation::apply_f32`].
    pub fn activate_f32(self, activation: Activation, values: &mut [f32]) {
        dispatch!(self, activate_f32, activation, values);
    }

    /// Computes a block of layout `Rows8` for [`STREAMS`] words: `out[r][s] = bias[r] + sum_c weights[c][r] * x[c][s]`,
    /// summed in the order of [`crate::kernels::routine::portable::vec_mat_f32`].
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

/// Calls [`VectorUnit::activate_f32`] of the best unit.
#[inline]
pub fn activate_f32(activation: Activation, values: &mut [f32]) {
    VectorUnit::best().activate_f32(activation, values);
}

/// Calls [`VectorUnit::gate_i8`] of the best unit.
#[inline]
pub fn gate_i8(values: &mut [i8], gates: &[i8]) {
    VectorUnit::best().gate_i8(values, gates);
}

/// Calls [`VectorUnit::vec_mat_f32`] of the best unit.
#[inline]
pub fn vec_mat_f32(weights: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]) {
    VectorUnit::best().vec_mat_f32(weights, bias, x, y);
}

/// Calls [`VectorUnit::weigh`] of the best unit.
#[inline]
pub fn weigh(logits: &mut [i32], temperature_milli: u16) -> u32 {
    VectorUnit::best().weigh(logits, temperature_milli)
}
