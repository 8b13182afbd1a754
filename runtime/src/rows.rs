//! Rounding up to whole blocks, and parts of slices.

/// Number of rows computed together.
pub const LANES: usize = 8;

/// Returns `rows` rounded up to whole blocks.
pub const fn padded(rows: usize) -> usize {
    round_up(rows, LANES)
}

/// Returns `values[at..at + len]`, or an empty slice if that is out of range.
#[cfg_attr(kernel = "mve", inline(always))]
#[cfg_attr(not(kernel = "mve"), inline(never))]
pub fn part<T>(values: &[T], at: usize, len: usize) -> &[T] {
    values.get(at..).and_then(|values| values.get(..len)).unwrap_or(&[])
}

/// Returns a size rounded up to a multiple of a power of two, in two instructions. Sizes are far below 2^31 (see
/// [`crate::limits`]).
pub const fn round_up(size: usize, power_of_two: usize) -> usize {
    debug_assert!(power_of_two.is_power_of_two());
    size.wrapping_add(power_of_two - 1) & !(power_of_two - 1)
}
