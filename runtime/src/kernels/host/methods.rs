//! The methods of every vector unit, listed once.

/// Defines safe methods for the functions in a unit's file. The functions need the unit's instructions; a value of the
/// unit proves that the machine has them.
///
/// The file imports the types by these names.
macro_rules! methods {
    ($unit:ident) => {
        $crate::kernels::host::methods::methods! { $unit:
            fn rows_i8(weights: &[i8], x: &[i8], bias: Bias<'_>, multiplier: &[i32], out: Out<'_>);
            fn rows_i4(weights: &[u8], x: &[i8], bias: &[i32], multiplier: &[i32], out: Out<'_>);
            fn look_up(table: Table<'_>, tokens: &[Token], bias: &[i32], multiplier: &[i32], out: Out<'_>);
            fn curve_i8(curve: &Curve, pre_activations: &[i32], out: &mut [i8]);
            fn gate_i8(values: &mut [i8], gates: &[i8]);
            fn weigh(logits: &mut [i32], temperature_milli: u16) -> u32;
            fn tile_i8(weights: &[[u32; LANES]], scaling: &BlockScaling, x: &[Tile<u32>], out: &mut [Tile<i32>; LANES]);
            fn curve_tile_i8(curve: &Curve, pre_activations: &[Tile<i32>; LANES], out: &mut [Tile<u32>; 2]);
            fn vec_mat_f32(weights: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]);
            fn activate_f32(activation: Activation, values: &mut [f32]);
            fn tile_f32(weights: &[[f32; LANES]], bias: &[f32; LANES], x: &[Tile<f32>], out: &mut [Tile<f32>; LANES]);
        }
    };
    ($unit:ident: $($(#[$attribute:meta])* fn $function:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        impl $unit {
            $($(#[$attribute])*
            #[inline]
            pub fn $function(self, $($argument: $type),*) $(-> $result)? {
                // SAFETY: `self` exists only because `detect` found the instructions for which the function is
                // compiled.
                unsafe { $function($($argument),*) }
            })*
        }
    };
}
pub(super) use methods;
