//! What the layouts are to a layer: the numbers that its shape is computed with.

use runtime::config::LinearShape;
use runtime::format::{Layout, WeightFormat};
use runtime::kernels::packed::{Out, Packed};

use crate::oracle;

/// Layout, whether of four bits, rows of a block, columns that are prepared together and their words, columns of a group.
const KERNELS: [(Layout, bool, usize, [usize; 2], usize); 6] = [
    (Layout::Dual16, false, 4, [8, 4], 8),
    (Layout::Dual16, true, 2, [16, 8], 16),
    (Layout::Lanes16, false, 4, [4, 6], 16),
    (Layout::Lanes16, true, 4, [32, 33], 32),
    (Layout::Vector128, false, 8, [4, 1], 16),
    (Layout::Vector128, true, 8, [4, 1], 16),
];

fn kernels() -> impl Iterator<Item = (Packed, &'static (Layout, bool, usize, [usize; 2], usize))> {
    KERNELS.iter().map(|row| {
        let format = if row.1 { WeightFormat::Int4 } else { WeightFormat::Int8 };
        (Packed::new(row.0, format).unwrap(), row)
    })
}

#[test]
fn what_a_kernel_is() {
    for (kernel, &(layout, is_i4, rows, [part, _], _)) in kernels() {
        assert_eq!(kernel.is_i4(), is_i4, "{kernel:?}");
        // The others make something else of activations.
        assert_eq!(kernel.reads_bytes(), layout == Layout::Vector128, "{kernel:?}");
        assert_eq!((kernel.rows_per_block(), kernel.part()), (rows, part), "{kernel:?}");
    }
    assert_eq!(Packed::new(Layout::RowMajor, WeightFormat::Int8), None);
    assert_eq!(Packed::new(Layout::Dual16, WeightFormat::Table), None);
}

/// Whole parts, if all positions together are whole groups then, else whole groups: part of the format.
#[test]
fn positions_have_as_little_padding_as_makes_whole_groups() {
    for (kernel, &(_, _, _, [part, words], group)) in kernels() {
        for positions in 1..=9 {
            for width in 1..=100_usize {
                let parts = width.div_ceil(part) * part;
                let groups = width.div_ceil(group) * group;
                let padded = if positions * parts % group == 0 { parts } else { groups };
                assert_eq!(kernel.padded(positions, width), padded, "{kernel:?}, {positions} of {width}");
                let shape = LinearShape::new(positions, width, 1);
                assert_eq!(kernel.position_words(&shape, width), padded / part * words, "{kernel:?}");
                assert_eq!(kernel.columns(&shape), positions * padded, "{kernel:?}, {positions} of {width}");
                for position in 0..=positions {
                    assert_eq!(kernel.start(&shape, position), position * padded, "{kernel:?}");
                }
            }
        }
    }
}

/// Where positions have widths of their own, each has whole parts, and the last one what makes whole groups of all.
#[test]
fn positions_of_many_widths_make_whole_groups_together() {
    for (kernel, &(_, _, _, [part, words], group)) in kernels() {
        for widths in [[1, 0, 0], [16, 32, 64], [5, 9, 1], [33, 4, 7], [31, 33, 35], [88, 104, 64]] {
            let mut all = [0; runtime::config::MAX_LEVELS];
            all[..3].copy_from_slice(&widths);
            let shape = LinearShape { positions: 3, width: 0, widths: Some(all), fan_out: 1 };
            let mut start = 0;
            for (position, width) in widths.into_iter().map(usize::from).enumerate() {
                assert_eq!(kernel.start(&shape, position), start, "{kernel:?}, {widths:?}");
                assert_eq!(kernel.position_words(&shape, width), width.div_ceil(part) * words, "{kernel:?}");
                start += width.div_ceil(part) * part;
            }
            assert_eq!(kernel.columns(&shape), start.div_ceil(group) * group, "{kernel:?}, {widths:?}");
        }
    }
}

#[test]
fn a_row_goes_where_rows_go() {
    let (mut rows, mut activations) = ([7; 3], [7; 3]);
    for (row, sum) in [(0, -300), (2, 12), (3, 5), (usize::MAX, 5)] {
        Out::Rows(&mut rows).set(row, sum);
        Out::Tanh(&mut activations).set(row, sum);
    }
    assert_eq!(rows, [-300, 7, 12]);
    assert_eq!(activations, [-127, 7, oracle::tanh(12)]);
}
