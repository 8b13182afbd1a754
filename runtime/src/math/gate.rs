/// Returns `value * (0.5 + 0.5 * gate)`, each operation rounded.
///
/// It is the last step of [`crate::activation::Activation::Gated`], after `tanh` of both. For values in [-1, 1] the
/// result is in [-1, 1] too. It is off by at most 2^-24 from the sum and 2^-24 from the product, 1.2e-7 in all, plus
/// the errors of `value` and `gate`.
///
/// ```
/// use runtime::math::gate;
/// assert_eq!(gate(1.0, 1.0), 1.0); // 1 * sigmoid(infinity)
/// assert_eq!(gate(-1.0, 0.0), -0.5); // -1 * sigmoid(0)
/// assert_eq!(gate(0.8, -1.0), 0.0);
/// ```
#[inline(always)]
pub fn gate(value: f32, gate: f32) -> f32 {
    value * (0.5 + 0.5 * gate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_is_within_its_bound() {
        for i in -1000..=1000 {
            for j in -1000..=1000 {
                let (value, other) = (i as f32 / 1000.0, j as f32 / 1000.0);
                let exact = f64::from(value) * (1.0 + f64::from(other)) / 2.0;
                let result = gate(value, other);
                assert!((f64::from(result) - exact).abs() < 1.2e-7, "{value} {other}");
                assert!((-1.0..=1.0).contains(&result));
            }
        }
    }
}
