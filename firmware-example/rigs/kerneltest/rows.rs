//! Test of every layout: the core's kernels and their definitions prepare activations and compute rows of whole blocks.
//! The cases cover all values that a model may contain, up to its limits.

use runtime::activation::TANH;
use runtime::kernels::layout::PackedLayout;
use runtime::quant::ACC_LIMIT;
use runtime::rows::LANES;

use crate::random::Random;
use crate::tally::Tally;

/// Rows and columns of the largest case, as far as the board's memory allows.
const ROWS: usize = if cfg!(feature = "microbit") { 8 } else { 24 };
const COLUMNS: usize = if cfg!(feature = "microbit") { 320 } else { 640 };
/// Longest length up to which every length is a case.
const EVERY: usize = 300;
/// Number of words of the blocks and of the prepared input of the largest case, in the layout that needs most.
const BLOCKS: usize = ROWS * (COLUMNS / 4 + 2);
const PREPARED: usize = COLUMNS * 3 / 2;
/// Number of groups of the widest case beyond `EVERY`, if it fits: more than twice the unrolling of the loops.
const GROUPS: usize = 40;
/// Least number of rows to test per layout.
const ENOUGH: u32 = 10_000;
/// Number of kinds of weights and activations: see [`Case::draw`].
const STYLES: usize = 12;
/// Compares the kernels of a layout with their definitions, and reports. Returns how many numbers differ.
pub fn run<L: PackedLayout>() -> u32 {
    let mut case = Case {
        random: Random::new(),
        weights: [[0; COLUMNS]; ROWS],
        x: [0; COLUMNS + 3],
        begin: 0,
        blocks: [0; BLOCKS],
        prepared: [[0; PREPARED]; 2],
    };
    // Limits the columns so that no row's sum can reach the limit.
    let columns = COLUMNS.min((ACC_LIMIT - 1) as usize / (127 * L::FORMAT.weight_max() as usize));
    let columns = EVERY.max(GROUPS * L::GROUP).next_multiple_of(L::GROUP).min(columns / L::GROUP * L::GROUP);
    let mut tally = Tally::default();
    let mut style = 0;
    while style < STYLES || tally.cases < ENOUGH {
        case.draw(L::FORMAT.weight_max() as i32, style % STYLES, columns);
        for len in (1..=EVERY).chain((EVERY + 1..=columns).step_by(L::GROUP)) {
            case.compare::<L>(len, &mut tally);
        }
        style += 1;
    }
    tally.report(L::NAME)
}

struct Case {
    random: Random,
    weights: [[i8; COLUMNS]; ROWS],
    x: [i8; COLUMNS + 3],
    /// Offset of the activations, which need not be aligned.
    begin: usize,
    blocks: [u32; BLOCKS],
    prepared: [[u32; PREPARED]; 2],
}

impl Case {
    /// Draws weights and activations, more or less extreme.
    #[inline(never)]
    fn draw(&mut self, largest: i32, style: usize, columns: usize) {
        let Self { random, weights, x, begin, .. } = self;
        *begin = random.below(4);
        let x = &mut x[*begin..][..columns];
        for x in &mut *x {
            *x = if style.is_multiple_of(2) { random.below(255) as i32 - 127 } else { [127, -127][random.below(2)] }
                as i8;
        }
        for (row, weights) in weights.iter_mut().enumerate() {
            for (column, (weight, x)) in weights.iter_mut().zip(&*x).enumerate() {
                let sign = [1, -1][row % 2];
                *weight = (match style / 2 {
                    0 => random.below(2 * largest as usize + 1) as i32 - largest,
                    1 => [largest, -largest][random.below(2)],
                    // The largest possible sums, positive and negative.
                    2 => largest * sign * i32::from(x.signum()),
                    3 => largest * sign,
                    4 => largest * [sign, -sign][column % 2],
                    // The sum is the bias, and may have any value.
                    _ => 0,
                }) as i8;
            }
        }
    }

    #[inline(never)]
    fn compare<L: PackedLayout>(&mut self, len: usize, tally: &mut Tally) {
        let Self { random, weights, x, begin, blocks, prepared } = self;
        let columns = len.next_multiple_of(L::GROUP);
        let words = L::block_words(columns);
        let rows = L::ROWS * (1 + random.below(ROWS / L::ROWS));
        let blocks = &mut blocks[..rows / L::ROWS * words];
        for (block, weights) in blocks.chunks_exact_mut(words).zip(weights.chunks_exact(L::ROWS)) {
            let (mut bias, mut multiplier) = ([0; LANES], [0; LANES]);
            for ((bias, multiplier), weights) in bias.iter_mut().zip(&mut multiplier).zip(weights) {
                let magnitude: i32 =
                    weights[..columns].iter().map(|weight| 127 * i32::from(weight.unsigned_abs())).sum();
                // Up to the last sum that the loader accepts.
                let room = ACC_LIMIT - 1 - magnitude;
                *bias = match random.below(4) {
                    0 => room,
                    1 => -room,
                    _ => random.any_magnitude() % (room + 1),
                };
                *multiplier = match random.below(16) {
                    0 => i32::MAX - random.below(1 << 16) as i32,
                    _ => random.any_magnitude() & i32::MAX,
                };
            }
            L::write_block(block, columns, &bias, &multiplier, |row, column| weights[row][column]);
        }
        // The last group may be incomplete.
        let x = &x[*begin..][..len];
        let [prepared, defined] = prepared.each_mut().map(|words| &mut words[..L::prepared_words(columns)]);
        let constant = L::prepare(x, prepared);
        let defined_constant = L::prepare_portable(x, defined);
        tally.also(&[constant], &[defined_constant]);
        tally.also(prepared, defined);

        // The value after them must not change.
        let (mut out, mut defined_out) = ([1; ROWS + 1], [1; ROWS + 1]);
        L::rows(blocks, prepared, constant, &mut out[..rows]);
        L::rows_portable(blocks, defined, defined_constant, &mut defined_out[..rows]);
        tally.each(&out[..rows], &defined_out[..rows]);
        tally.also(&out[rows..], &defined_out[rows..]);
        let mut out = [1; ROWS + 1];
        L::rows_curve(blocks, prepared, constant, &TANH, &mut out[..rows]);
        tally.also(&out[..rows], &defined_out.map(|row| TANH.at(row))[..rows]);
        tally.also(&out[rows..], &[1; ROWS]);
    }
}
