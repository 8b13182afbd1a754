//! What the layouts have in common: activations prepared, and rows of whole blocks, by the core's kernels and by their
//! definitions. All of it within what a model may contain, up to its limits.

use runtime::quant::{ACC_LIMIT, tanh_i8};

use crate::random::Random;
use crate::tally::Tally;

/// Rows and columns of the largest case: what the board's memory holds beside the stack.
const ROWS: usize = if cfg!(feature = "microbit") { 8 } else { 24 };
const COLUMNS: usize = if cfg!(feature = "microbit") { 320 } else { 640 };
/// Up to here every length is a case.
const EVERY: usize = 300;
/// Words of the blocks and of the prepared input of such a case, in the layout that has most of them.
const BLOCKS: usize = ROWS * (COLUMNS / 4 + 2);
const PREPARED: usize = COLUMNS * 3 / 2;
/// Groups of the widest case beyond, where they fit: twice what the loops unroll, and more.
const GROUPS: usize = 40;
/// Rows of a kind at least.
const ENOUGH: u32 = 10_000;
/// What weights and activations are like: see [`Case::draw`].
const STYLES: usize = 12;
/// Most rows of a block.
pub const BLOCK_ROWS: usize = 8;

type Prepare = fn(&[i8], &mut [u32]) -> i32;
type Rows<T> = fn(&[u32], &[u32], i32, &mut [T]);
/// Writes a block: columns, biases and multipliers (of which a block may have fewer), weights.
type Write = fn(&mut [u32], usize, [i32; BLOCK_ROWS], [i32; BLOCK_ROWS], &dyn Fn(usize, usize) -> i8);

/// A layout with weights of one width.
pub struct Kind {
    pub name: &'static str,
    /// Rows of a block.
    pub rows: usize,
    /// Columns of a group.
    pub columns: usize,
    /// The largest weight.
    pub largest: i32,
    pub block_words: fn(usize) -> usize,
    pub prepared_words: fn(usize) -> usize,
    pub write: Write,
    /// The kernel and its definition.
    pub prepare: [Prepare; 2],
    /// The kernel and its definition.
    pub rows_of: [Rows<i32>; 2],
    /// The kernel; its definition is [`tanh_i8`] of the rows.
    pub rows_tanh: Rows<i8>,
}

/// The first of some values.
pub fn first<const N: usize>(values: [i32; BLOCK_ROWS]) -> [i32; N] {
    core::array::from_fn(|at| values[at])
}

/// Compares, and reports; how many numbers differ.
pub fn run(kind: &Kind) -> u32 {
    let mut case = Case {
        random: Random::new(),
        weights: [[0; COLUMNS]; ROWS],
        x: [0; COLUMNS + 3],
        begin: 0,
        blocks: [0; BLOCKS],
        prepared: [[0; PREPARED]; 2],
    };
    // No sum of a row can reach the limit.
    let columns = COLUMNS.min((ACC_LIMIT - 1) as usize / (127 * kind.largest as usize));
    let columns =
        EVERY.max(GROUPS * kind.columns).next_multiple_of(kind.columns).min(columns / kind.columns * kind.columns);
    let mut tally = Tally::default();
    let mut style = 0;
    while style < STYLES || tally.cases < ENOUGH {
        case.draw(kind, style % STYLES, columns);
        for len in (1..=EVERY).chain((EVERY + 1..=columns).step_by(kind.columns)) {
            case.compare(kind, len, &mut tally);
        }
        style += 1;
    }
    tally.report(kind.name)
}

struct Case {
    random: Random,
    weights: [[i8; COLUMNS]; ROWS],
    x: [i8; COLUMNS + 3],
    /// Where the activations begin: they need not be aligned.
    begin: usize,
    blocks: [u32; BLOCKS],
    prepared: [[u32; PREPARED]; 2],
}

impl Case {
    /// Weights and activations, more or less extreme.
    #[inline(never)]
    fn draw(&mut self, kind: &Kind, style: usize, columns: usize) {
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
                    0 => random.below(2 * kind.largest as usize + 1) as i32 - kind.largest,
                    1 => [kind.largest, -kind.largest][random.below(2)],
                    // The largest sums there are, in both directions.
                    2 => kind.largest * sign * i32::from(x.signum()),
                    3 => kind.largest * sign,
                    4 => kind.largest * [sign, -sign][column % 2],
                    // The sum is the bias, and may be anything.
                    _ => 0,
                }) as i8;
            }
        }
    }

    #[inline(never)]
    fn compare(&mut self, kind: &Kind, len: usize, tally: &mut Tally) {
        let Self { random, weights, x, begin, blocks, prepared } = self;
        let columns = len.next_multiple_of(kind.columns);
        let words = (kind.block_words)(columns);
        let rows = kind.rows * (1 + random.below(ROWS / kind.rows));
        let blocks = &mut blocks[..rows / kind.rows * words];
        for (block, weights) in blocks.chunks_exact_mut(words).zip(weights.chunks_exact(kind.rows)) {
            let (mut bias, mut multiplier) = ([0; BLOCK_ROWS], [0; BLOCK_ROWS]);
            for ((bias, multiplier), weights) in bias.iter_mut().zip(&mut multiplier).zip(weights) {
                let magnitude: i32 =
                    weights[..columns].iter().map(|weight| 127 * i32::from(weight.unsigned_abs())).sum();
                // Up to the last one that the loader lets pass.
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
            (kind.write)(block, columns, bias, multiplier, &|row, column| weights[row][column]);
        }
        // The last group may be incomplete.
        let x = &x[*begin..][..len];
        let [prepared, defined] = prepared.each_mut().map(|words| &mut words[..(kind.prepared_words)(columns)]);
        let constant = (kind.prepare[0])(x, prepared);
        let defined_constant = (kind.prepare[1])(x, defined);
        tally.also(&[constant], &[defined_constant]);
        tally.also(prepared, defined);

        // The value behind them is not theirs.
        let (mut out, mut defined_out) = ([1; ROWS + 1], [1; ROWS + 1]);
        (kind.rows_of[0])(blocks, prepared, constant, &mut out[..rows]);
        (kind.rows_of[1])(blocks, defined, defined_constant, &mut defined_out[..rows]);
        tally.each(&out[..rows], &defined_out[..rows]);
        tally.also(&out[rows..], &defined_out[rows..]);
        let mut out = [1; ROWS + 1];
        (kind.rows_tanh)(blocks, prepared, constant, &mut out[..rows]);
        tally.also(&out[..rows], &defined_out.map(tanh_i8)[..rows]);
        tally.also(&out[rows..], &[1; ROWS]);
    }
}
