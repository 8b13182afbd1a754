//! Limits of the kernels: the largest sizes that they compute, and lengths that do not match, for which they do
//! nothing.

use runtime::activation::{Curve, TANH};
use runtime::kernels::layout::PackedLayout;
use runtime::kernels::layout::dual16::{Dual16I4, Dual16I8};
use runtime::kernels::layout::lanes16::{self, Lanes16I4, Lanes16I8};
use runtime::kernels::layout::vector128::{Vector128I4, Vector128I8};

use crate::oracle;

/// Computes rows of zeros in this many columns, so the result is the bias times 1. Two blocks.
fn lanes16_rows(columns: usize) -> Vec<i32> {
    let bias: Vec<i32> = (0..8).map(|row| 1_000 - 300 * row).collect();
    let blocks = Lanes16I8::pack(&bias, &[1 << 24; 8], |_, _| 0, 8, columns);
    let mut prepared = vec![0; Lanes16I8::prepared_words(columns)];
    assert_eq!(Lanes16I8::prepare(&vec![127; columns], &mut prepared), 0);
    let mut out = vec![7; 8];
    Lanes16I8::rows(&blocks, &prepared, 0, &mut out);
    if out != [7; 8] {
        assert_eq!(out, bias);
    }
    out
}

#[test]
fn lanes16_computes_as_many_columns_as_its_limit() {
    let group = Lanes16I8::GROUP;
    let most = lanes16::LIMIT / group * group;
    assert_ne!(lanes16_rows(most), [7; 8]);
    assert_eq!(lanes16_rows(most + group), [7; 8]);
}

/// Refuses more words than whole groups have, and more groups than the activations need.
#[test]
fn lanes16_takes_only_whole_groups() {
    let columns = 2 * Lanes16I8::GROUP;
    let words = Lanes16I8::prepared_words(columns);
    let blocks = Lanes16I8::pack(&[5; 8], &[1 << 24; 8], |_, _| 1, 8, columns);
    for more in 1..words / 2 {
        let mut out = [7; 8];
        Lanes16I8::rows(&blocks, &vec![0; words + more], 0, &mut out);
        assert_eq!(out, [7; 8], "{more} words more");
    }
    for columns in [0_usize, 1, 16, 20] {
        let need = Lanes16I8::prepared_words(columns.next_multiple_of(Lanes16I8::GROUP));
        let mut prepared = vec![7; need + words / 2];
        assert_eq!(Lanes16I8::prepare(&vec![1; columns], &mut prepared), 0);
        assert!(prepared.iter().all(|&word| word == 7), "{columns} columns");
    }
}

/// More rows than any kernel processes at once for their tanh.
#[test]
fn tanh_of_many_rows() {
    let bias: Vec<i32> = (0..304).map(|row| 2 * row - 304).collect();
    let expected: Vec<i8> = bias.iter().map(|&bias| oracle::tanh(bias)).collect();
    let multiplier = vec![1 << 24; bias.len()];
    fn check<L: PackedLayout>(bias: &[i32], multiplier: &[i32], expected: &[i8]) {
        let blocks = L::pack(bias, multiplier, |_, _| 0, bias.len(), 32);
        let mut prepared = vec![0; L::prepared_words(32)];
        let constant = L::prepare(&[0; 32], &mut prepared);
        let mut out = vec![99; bias.len()];
        L::rows_curve(&blocks, &prepared, constant, &TANH, &mut out);
        assert_eq!(out, expected, "{}", L::NAME);
    }
    check::<Dual16I8>(&bias, &multiplier, &expected);
    check::<Dual16I4>(&bias, &multiplier, &expected);
    check::<Lanes16I8>(&bias, &multiplier, &expected);
    check::<Lanes16I4>(&bias, &multiplier, &expected);
    check::<Vector128I8>(&bias, &multiplier, &expected);
    check::<Vector128I4>(&bias, &multiplier, &expected);
}

/// A curve that no model has, in which neighbouring entries always differ.
#[test]
fn entries_are_those_of_the_curve() {
    fn check<L: PackedLayout>() {
        let curve = Curve(core::array::from_fn(|at| (at * 37 % 255) as i8));
        let bias: Vec<i32> = (-304..304).collect();
        let expected: Vec<i8> = bias.iter().map(|&bias| curve.0[bias.clamp(-256, 255) as usize & 511]).collect();
        let blocks = L::pack(&bias, &vec![1 << 24; bias.len()], |_, _| 0, bias.len(), 32);
        let mut prepared = vec![0; L::prepared_words(32)];
        let constant = L::prepare(&[0; 32], &mut prepared);
        for run in [L::rows_curve, L::rows_curve_portable] {
            let mut out = vec![99; bias.len()];
            run(&blocks, &prepared, constant, &curve, &mut out);
            assert_eq!(out, expected, "{}", L::NAME);
        }
    }
    check::<Dual16I8>();
    check::<Dual16I4>();
    check::<Lanes16I8>();
    check::<Lanes16I4>();
    check::<Vector128I8>();
    check::<Vector128I4>();
}

/// No row is computed if a block is missing, not even the rows whose blocks exist.
#[test]
fn tanh_of_rows_that_are_not_all_there() {
    fn check<L: PackedLayout>() {
        for rows in (4..=64).step_by(4) {
            let bias = vec![90; rows - 4];
            let blocks = L::pack(&bias, &vec![1 << 24; rows - 4], |_, _| 0, rows - 4, 32);
            let mut out = vec![99; rows];
            L::rows_curve(&blocks, &vec![0; L::prepared_words(32)], 0, &TANH, &mut out);
            assert!(out.iter().all(|&row| row == 99), "{}, {rows} rows", L::NAME);
        }
    }
    check::<Lanes16I8>();
    check::<Lanes16I4>();
}

/// Sizes above the largest number of columns or rows of any layer are refused, so that all sizes fit 32 bits.
#[test]
fn vector128_computes_no_more_than_a_layer_has() {
    for (columns, rows, computed) in
        [(1 << 17, 8, true), ((1 << 17) + 16, 8, false), (0, 1 << 13, true), (0, (1 << 13) + 8, false)]
    {
        let blocks = vec![0; rows / 8 * Vector128I8::block_words(columns)];
        let mut out = vec![7; rows];
        Vector128I8::rows(&blocks, &vec![0; Vector128I8::prepared_words(columns)], 0, &mut out);
        let expected = if computed { 0 } else { 7 };
        assert!(out.iter().all(|&row| row == expected), "{columns} columns, {rows} rows");
    }
}

/// Rows and columns beyond a block do not exist, even if another block follows.
#[test]
fn a_block_has_no_more_rows_than_it_has() {
    fn check<L: PackedLayout>() {
        let blocks = L::pack(&[3; 16], &[9; 16], |_, _| 1, 16, 32);
        assert_eq!(L::multiplier(&blocks, 32, L::ROWS - 1), 9);
        assert_eq!(L::weight(&blocks, 32, L::ROWS - 1, 31), 1);
        assert_eq!(L::weight(&blocks, 32, L::ROWS, 0), 0);
        assert_eq!(L::weight(&blocks, 32, 0, 32), 0);
        assert_eq!(L::bias(&blocks[..blocks.len() * L::ROWS / 16], 32, L::ROWS - 1), Some(3));
    }
    check::<Dual16I8>();
    check::<Dual16I4>();
    check::<Lanes16I8>();
    check::<Lanes16I4>();
    check::<Vector128I8>();
    check::<Vector128I4>();
    let blocks = Vector128I8::pack(&[3; 16], &[9; 16], |_, _| 1, 16, 32);
    for row in 8..16 {
        assert_eq!(Vector128I8::bias(&blocks, 32, row), None);
        assert_eq!(Vector128I8::multiplier(&blocks, 32, row), 0);
    }
}

/// Biases and multipliers beyond the rows of a layer are not part of the blocks.
#[test]
fn blocks_have_as_many_rows_as_asked_for() {
    fn check<L: PackedLayout>() {
        for rows in 0..16 {
            let some = L::pack(&vec![3; rows], &vec![9; rows], |_, _| 1, rows, 32);
            assert_eq!(L::pack(&[3; 16], &[9; 16], |_, _| 1, rows, 32), some, "{}, {rows}", L::NAME);
        }
    }
    check::<Dual16I8>();
    check::<Dual16I4>();
    check::<Lanes16I8>();
    check::<Lanes16I4>();
    check::<Vector128I8>();
    check::<Vector128I4>();
}

/// Padding overwrites what was there before.
#[test]
fn vector128_pads_with_zeros() {
    for columns in 0..=33_usize {
        let mut prepared = vec![0xdead_beef; Vector128I8::prepared_words(columns.next_multiple_of(Vector128I8::GROUP))];
        assert_eq!(Vector128I8::prepare(&vec![-1; columns], &mut prepared), 0);
        let bytes: Vec<u8> = prepared.into_iter().flat_map(u32::to_le_bytes).collect();
        assert_eq!(bytes.len(), columns.next_multiple_of(Vector128I8::GROUP));
        assert!(bytes.iter().enumerate().all(|(at, &byte)| byte == if at < columns { 0xff } else { 0 }), "{columns}");
    }
}
