//! Where kernels stop: sizes up to which they compute, and lengths that do not belong together, which they leave alone.

use runtime::kernels::layout::{dual16, lanes16, vector128};

use crate::oracle;

/// Rows of so many zeros as columns: the bias, times 1. Two blocks.
fn lanes16_rows(columns: usize) -> Vec<i32> {
    let bias: Vec<i32> = (0..8).map(|row| 1_000 - 300 * row).collect();
    let blocks = lanes16::pack_i8(&bias, &[1 << 24; 8], |_, _| 0, 8, columns);
    let mut prepared = vec![0; lanes16::prepared_words_i8(columns)];
    assert_eq!(lanes16::prepare_i8(&vec![127; columns], &mut prepared), 0);
    let mut out = vec![7; 8];
    lanes16::rows_i8(&blocks, &prepared, 0, &mut out);
    if out != [7; 8] {
        assert_eq!(out, bias);
    }
    out
}

#[test]
fn lanes16_computes_as_many_columns_as_its_limit() {
    let group = lanes16::COLUMNS_I8;
    let most = lanes16::LIMIT / group * group;
    assert_ne!(lanes16_rows(most), [7; 8]);
    assert_eq!(lanes16_rows(most + group), [7; 8]);
}

/// One word more than whole groups have, and a group more than there are activations for.
#[test]
fn lanes16_takes_whole_groups_alone() {
    let columns = 2 * lanes16::COLUMNS_I8;
    let words = lanes16::prepared_words_i8(columns);
    let blocks = lanes16::pack_i8(&[5; 8], &[1 << 24; 8], |_, _| 1, 8, columns);
    for more in 1..words / 2 {
        let mut out = [7; 8];
        lanes16::rows_i8(&blocks, &vec![0; words + more], 0, &mut out);
        assert_eq!(out, [7; 8], "{more} words more");
    }
    for columns in [0_usize, 1, 16, 20] {
        let need = lanes16::prepared_words_i8(columns.next_multiple_of(lanes16::COLUMNS_I8));
        let mut prepared = vec![7; need + words / 2];
        assert_eq!(lanes16::prepare_i8(&vec![1; columns], &mut prepared), 0);
        assert!(prepared.iter().all(|&word| word == 7), "{columns} columns");
    }
}

/// More rows than any of them takes at a time for their tanh.
#[test]
fn tanh_of_many_rows() {
    let bias: Vec<i32> = (0..304).map(|row| 2 * row - 304).collect();
    let expected: Vec<i8> = bias.iter().map(|&bias| oracle::tanh(bias)).collect();
    let multiplier = vec![1 << 24; bias.len()];
    macro_rules! check {
        ($module:ident, $pack:ident, $prepared_words:ident, $prepare:ident, $rows_tanh:ident) => {{
            use runtime::kernels::layout::$module::{$pack, $prepare, $prepared_words, $rows_tanh};
            let blocks = $pack(&bias, &multiplier, |_, _| 0, bias.len(), 32);
            let mut prepared = vec![0; $prepared_words(32)];
            let constant = $prepare(&[0; 32], &mut prepared);
            let mut out = vec![99; bias.len()];
            $rows_tanh(&blocks, &prepared, constant, &mut out);
            assert_eq!(out, expected, "{}, {}", stringify!($module), stringify!($rows_tanh));
        }};
    }
    check!(dual16, pack_i8, prepared_words_i8, prepare_i8, rows_tanh_i8);
    check!(dual16, pack_i4, prepared_words_i4, prepare_i4, rows_tanh_i4);
    check!(lanes16, pack_i8, prepared_words_i8, prepare_i8, rows_tanh_i8);
    check!(lanes16, pack_i4, prepared_words_i4, prepare_i4, rows_tanh_i4);
    check!(vector128, pack_i8, prepared_words_i8, prepare_i8, rows_tanh_i8);
    check!(vector128, pack_i4, prepared_words_i4, prepare_i4, rows_tanh_i4);
}

/// With a block too few, no row is computed: not those either whose blocks are there.
#[test]
fn tanh_of_rows_that_are_not_all_there() {
    macro_rules! check {
        ($pack:ident, $prepared_words:ident, $rows_tanh:ident) => {
            for rows in (4..=64).step_by(4) {
                let bias = vec![90; rows - 4];
                let blocks = lanes16::$pack(&bias, &vec![1 << 24; rows - 4], |_, _| 0, rows - 4, 32);
                let mut out = vec![99; rows];
                lanes16::$rows_tanh(&blocks, &vec![0; lanes16::$prepared_words(32)], 0, &mut out);
                assert!(out.iter().all(|&row| row == 99), "{}, {rows} rows", stringify!($rows_tanh));
            }
        };
    }
    check!(pack_i8, prepared_words_i8, rows_tanh_i8);
    check!(pack_i4, prepared_words_i4, rows_tanh_i4);
}

/// Neither more columns nor more rows than any layer has, so that the size of what they are in fits 32 bits.
#[test]
fn vector128_computes_no_more_than_a_layer_has() {
    for (columns, rows, computed) in
        [(1 << 17, 8, true), ((1 << 17) + 16, 8, false), (0, 1 << 13, true), (0, (1 << 13) + 8, false)]
    {
        let blocks = vec![0; rows / 8 * vector128::block_words_i8(columns)];
        let mut out = vec![7; rows];
        vector128::rows_i8(&blocks, &vec![0; vector128::prepared_words_i8(columns)], 0, &mut out);
        let expected = if computed { 0 } else { 7 };
        assert!(out.iter().all(|&row| row == expected), "{columns} columns, {rows} rows");
    }
}

/// Not even where another block follows.
#[test]
fn a_block_has_no_more_rows_than_it_has() {
    macro_rules! check {
        ($module:ident, $rows:ident, $pack:ident, $weight:ident, $bias:ident, $multiplier:ident) => {{
            use runtime::kernels::layout::$module::{$bias, $multiplier, $pack, $rows, $weight};
            let blocks = $pack(&[3; 16], &[9; 16], |_, _| 1, 16, 32);
            assert_eq!($multiplier(&blocks, 32, $rows - 1), 9);
            assert_eq!($weight(&blocks, 32, $rows - 1, 31), 1);
            assert_eq!($weight(&blocks, 32, $rows, 0), 0);
            assert_eq!($weight(&blocks, 32, 0, 32), 0);
            assert_eq!($bias(&blocks[..blocks.len() * $rows / 16], 32, $rows - 1), Some(3));
        }};
    }
    check!(dual16, ROWS_I8, pack_i8, weight_i8, bias_i8, multiplier_i8);
    check!(dual16, ROWS_I4, pack_i4, weight_i4, bias_i4, multiplier_i4);
    check!(lanes16, ROWS_I8, pack_i8, weight_i8, bias_i8, multiplier_i8);
    check!(lanes16, ROWS_I4, pack_i4, weight_i4, bias_i4, multiplier_i4);
    check!(vector128, ROWS_I8, pack_i8, weight_i8, bias_i8, multiplier_i8);
    check!(vector128, ROWS_I4, pack_i4, weight_i4, bias_i4, multiplier_i4);
    let blocks = vector128::pack_i8(&[3; 16], &[9; 16], |_, _| 1, 16, 32);
    for row in 8..16 {
        assert_eq!(vector128::bias_i8(&blocks, 32, row), None);
        assert_eq!(vector128::multiplier_i8(&blocks, 32, row), 0);
    }
}

/// Of a layer with fewer rows than there are biases and multipliers, those behind are not part of the blocks.
#[test]
fn blocks_have_as_many_rows_as_asked_for() {
    macro_rules! check {
        ($pack:path) => {
            for rows in 0..16 {
                let some = $pack(&vec![3; rows], &vec![9; rows], |_, _| 1, rows, 32);
                assert_eq!($pack(&[3; 16], &[9; 16], |_, _| 1, rows, 32), some, "{}, {rows}", stringify!($pack));
            }
        };
    }
    check!(dual16::pack_i8);
    check!(dual16::pack_i4);
    check!(lanes16::pack_i8);
    check!(lanes16::pack_i4);
    check!(vector128::pack_i8);
    check!(vector128::pack_i4);
}

/// Whatever was there before.
#[test]
fn vector128_pads_with_zeros() {
    for columns in 0..=33_usize {
        let mut prepared = vec![0xdead_beef; vector128::prepared_words_i8(columns)];
        assert_eq!(vector128::prepare_i8(&vec![-1; columns], &mut prepared), 0);
        let bytes: Vec<u8> = prepared.into_iter().flat_map(u32::to_le_bytes).collect();
        assert_eq!(bytes.len(), columns.next_multiple_of(vector128::COLUMNS_I8));
        assert!(bytes.iter().enumerate().all(|(at, &byte)| byte == if at < columns { 0xff } else { 0 }), "{columns}");
    }
}
