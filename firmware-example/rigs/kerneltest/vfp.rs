//! Compares the floating-point kernel of layout `Rows8` with its definition, bit by bit.

use runtime::kernels::routine::portable;
use runtime::kernels::vec_mat_f32;
use runtime::rows::LANES;

use crate::random::Random;
use crate::tally::Tally;

/// Blocks and columns of the largest case.
const BLOCKS: usize = 3;
const COLUMNS: usize = 300;
const ROWS: usize = BLOCKS * LANES;

/// Range of random numbers.
#[derive(Clone, Copy)]
enum Style {
    /// Between -1 and 1, as in a model.
    Unit,
    /// 0, subnormal, or slightly above subnormal.
    Tiny,
    /// Up to 2^40 in magnitude, the limit of the loader.
    Large,
    /// Any finite number, so that sums overflow.
    Finite,
    /// Numbers from all ranges above.
    Mixed,
}

impl Random {
    fn float(&mut self, style: Style) -> f32 {
        let bits = self.next();
        match style {
            Style::Unit => bits as i32 as f32 / 2_147_483_648.0,
            Style::Tiny => f32::from_bits(bits & 0x80ff_ffff),
            Style::Large => f32::from_bits(bits & 0x807f_ffff | (127 + 39 - (bits >> 23 & 31)) << 23),
            Style::Finite if bits >> 23 & 255 == 255 => f32::MAX,
            Style::Finite => f32::from_bits(bits),
            Style::Mixed => {
                let style = [Style::Unit, Style::Tiny, Style::Large, Style::Finite][self.below(4)];
                self.float(style)
            }
        }
    }
}

/// Compares, and prints the result. Returns how many numbers differ.
pub fn run() -> u32 {
    use Style::{Finite, Large, Mixed, Tiny, Unit};
    let mut tally = Tally::default();
    let mut random = Random::new();
    for [weights_style, x_style] in
        [[Unit, Unit], [Tiny, Unit], [Tiny, Large], [Large, Unit], [Finite, Unit], [Mixed, Mixed]]
    {
        for blocks in 1..=BLOCKS {
            for columns in 1..=COLUMNS {
                let rows = blocks * LANES;
                let (mut weights, mut bias, mut x) = ([0.0; ROWS * COLUMNS], [0.0; ROWS], [0.0; COLUMNS]);
                weights.iter_mut().take(rows * columns).for_each(|weight| *weight = random.float(weights_style));
                bias.iter_mut().for_each(|bias| *bias = random.float(weights_style));
                x.iter_mut().for_each(|x| *x = random.float(x_style));
                // The values after the outputs must not change.
                let mut y = [[1.0; ROWS + 1]; 2];
                for (run, y) in [vec_mat_f32, portable::vec_mat_f32].into_iter().zip(&mut y) {
                    run(&weights[..rows * columns], &bias[..rows], &x[..columns], &mut y[..rows]);
                }
                let [y, defined] = y.map(|y| y.map(f32::to_bits));
                tally.each(&y[..rows], &defined[..rows]);
                tally.also(&y[rows..], &defined[rows..]);
            }
        }
    }
    tally.report("vec_mat_f32")
}
