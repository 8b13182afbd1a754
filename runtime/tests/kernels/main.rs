//! One suite for every integer layout: what its kernel computes is what the oracle does, bit by bit.
//!
//! On the host these are the definitions in safe Rust; the firmware program `kerneltest` runs the same cases on a chip,
//! where the assembly is compared with the definitions.

#![cfg(feature = "int4")]

mod edges;
#[path = "../oracle/mod.rs"]
mod oracle;
mod packed;
mod suite;

use suite::{Layout, layout};

const DUAL16_I8: Layout = layout!(dual16, from 0, ROWS_I8, padded = COLUMNS_I8, i8, 127);
const DUAL16_I4: Layout = layout!(dual16, from 0, ROWS_I4, padded = COLUMNS_I4, i4, 7);

const LANES16_I8: Layout = layout!(lanes16, from 1, ROWS_I8, padded = COLUMNS_I8, i8, 127);
const LANES16_I4: Layout = layout!(lanes16, from 1, ROWS_I4, padded = COLUMNS_I4, i4, 7);
const VECTOR128_I8: Layout = layout!(vector128, from 0, ROWS_I8, padded = COLUMNS_I8, i8, 127);
const VECTOR128_I4: Layout = layout!(vector128, from 0, ROWS_I4, padded = COLUMNS_I4, i4, 7);

#[test]
fn dual16_i8() {
    DUAL16_I8.check();
}

#[test]
fn dual16_i4() {
    DUAL16_I4.check();
}

#[test]
fn lanes16_i8() {
    LANES16_I8.check();
}

#[test]
fn lanes16_i4() {
    LANES16_I4.check();
}

#[test]
fn vector128_i8() {
    VECTOR128_I8.check();
}

#[test]
fn vector128_i4() {
    VECTOR128_I4.check();
}

/// They change with the format's version alone.
#[test]
fn blocks_are_what_they_were() {
    let layouts = [DUAL16_I8, DUAL16_I4, LANES16_I8, LANES16_I4, VECTOR128_I8, VECTOR128_I4];
    let golden = [0xb912_7a19, 0xa682_4dcf, 0xa743_9703, 0x1e38_e239, 0x25f6_35c4, 0x6b13_aeae];
    assert_eq!(layouts.map(|layout| layout.golden()), golden);
}

/// What the assembly of the chips has built in: even coefficients lie 2^11 above what they stand for.
#[test]
fn even_coefficients_of_dual16_have_their_offset() {
    let mut prepared = [7; 8];
    assert_eq!(runtime::kernels::layout::dual16::prepare_i4_portable(&[0; 16], &mut prepared), -(4 << 22));
    assert_eq!(prepared, [0, 0, 0, 0, 0x0800_0800, 0x0800_0800, 0x0800_0800, 0x0800_0800]);
}
