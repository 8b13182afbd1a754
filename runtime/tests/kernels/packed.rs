//! Tests the sizes of the layouts that determine a layer's shape.

use runtime::activation::TANH;
use runtime::config::{Level, LinearShape};
use runtime::format::{Layout, WeightFormat};
use runtime::kernels::Out;
use runtime::kernels::layout::PackedKernel;

use crate::oracle;

/// Layout; whether weights have four bits; rows of a block; columns prepared together and their words; columns of a
/// group.
const KERNELS: [(Layout, bool, usize, [usize; 2], usize); 6] = [
    (Layout::Dual16, false, 4, [8, 4], 8),
    (Layout::Dual16, true, 2, [16, 8], 16),
    (Layout::Lanes16, false, 4, [4, 6], 16),
    (Layout::Lanes16, true, 4, [32, 33], 32),
    (Layout::Vector128, false, 8, [4, 1], 16),
    (Layout::Vector128, true, 8, [4, 1], 16),
];

fn kernels() -> impl Iterator<Item = (PackedKernel, &'static (Layout, bool, usize, [usize; 2], usize))> {
    KERNELS.iter().map(|row| {
        let format = if row.1 { WeightFormat::Int4 } else { WeightFormat::Int8 };
        (PackedKernel::new(row.0, format).unwrap(), row)
    })
}

#[test]
fn kernels_have_their_numbers() {
    for (kernel, &(layout, is_i4, rows, [part, _], _)) in kernels() {
        let format = if is_i4 { WeightFormat::Int4 } else { WeightFormat::Int8 };
        assert_eq!((kernel.layout(), kernel.format()), (layout, format), "{kernel:?}");
        assert_eq!(kernel.name(), format!("{}_i{}", layout.name(), if is_i4 { 4 } else { 8 }));
        assert!(PackedKernel::ALL.contains(&kernel));
        // The others read prepared words.
        assert_eq!(kernel.reads_bytes(), layout == Layout::Vector128, "{kernel:?}");
        assert_eq!((kernel.rows_per_block(), kernel.part()), (rows, part), "{kernel:?}");
    }
    assert_eq!(PackedKernel::ALL.len(), KERNELS.len());
    assert_eq!(PackedKernel::new(Layout::RowMajor, WeightFormat::Int8), None);
    assert_eq!(PackedKernel::new(Layout::Dual16, WeightFormat::Table), None);
}

/// Each position is padded to whole parts, and the last one to whole groups of all columns: part of the format.
#[test]
fn positions_have_as_little_padding_as_makes_whole_groups() {
    let level = |width: u16| Level { fuse: 2, width };
    for (kernel, &(_, _, _, [part, words], group)) in kernels() {
        let check = |shape: &LinearShape<'_>| {
            let mut start = 0;
            for position in 0..shape.positions {
                assert_eq!(kernel.start(shape, position), start, "{kernel:?}, {shape:?}");
                let end = start + shape.width_of(position);
                start = end.div_ceil(part) * part;
                assert_eq!(kernel.padded(end, false), start, "{kernel:?}, {end}");
                assert_eq!(kernel.padded(end, true), end.div_ceil(group) * group, "{kernel:?}, {end}");
                assert_eq!(kernel.prepared_words(start), start / part * words, "{kernel:?}");
            }
            let all = start.div_ceil(group) * group;
            assert_eq!(kernel.columns(shape), all, "{kernel:?}, {shape:?}");
            assert_eq!(kernel.start(shape, shape.positions), all, "{kernel:?}, {shape:?}");
        };
        for positions in 1..=9 {
            (1..=100).for_each(|width| check(&LinearShape::new(positions, width, 1)));
        }
        // Positions that have a level do not use the common width.
        for widths in [[1, 0, 0], [16, 32, 64], [5, 9, 1], [33, 4, 7], [31, 33, 35], [88, 104, 64]] {
            let levels = widths.map(level);
            let shape = LinearShape { positions: 3, width: 1000, levels: &levels, fan_out: 1 };
            assert_eq!(shape.fan_in(), widths.into_iter().map(usize::from).sum());
            check(&shape);
        }
    }
}

#[test]
fn a_row_goes_where_rows_go() {
    let (mut rows, mut activations) = ([7; 3], [7; 3]);
    for (row, sum) in [(0, -300), (2, 12), (3, 5), (usize::MAX, 5)] {
        Out::Rows(&mut rows).set(row, sum);
        Out::Curve(&mut activations, &TANH).set(row, sum);
    }
    assert_eq!(rows, [-300, 7, 12]);
    assert_eq!(activations, [-127, 7, oracle::tanh(12)]);
}
