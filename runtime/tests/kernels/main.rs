//! One suite for every integer layout: its kernel has the same results as the oracle, bit by bit.
//!
//! On the host the kernels are the definitions in safe Rust. The firmware program `kerneltest` runs such cases on a
//! chip and compares the assembly with the definitions.

#![cfg(feature = "int4")]

mod edges;
#[path = "../oracle/mod.rs"]
mod oracle;
mod packed;
mod suite;

use runtime::kernels::layout::PackedLayout;
use runtime::kernels::layout::dual16::{Dual16I4, Dual16I8};
use runtime::kernels::layout::lanes16::{Lanes16I4, Lanes16I8};
use runtime::kernels::layout::vector128::{Vector128I4, Vector128I8};
use suite::Suite;

#[test]
fn dual16_i8() {
    Suite::<Dual16I8>::check();
}

#[test]
fn dual16_i4() {
    Suite::<Dual16I4>::check();
}

#[test]
fn lanes16_i8() {
    Suite::<Lanes16I8>::check();
}

#[test]
fn lanes16_i4() {
    Suite::<Lanes16I4>::check();
}

#[test]
fn vector128_i8() {
    Suite::<Vector128I8>::check();
}

#[test]
fn vector128_i4() {
    Suite::<Vector128I4>::check();
}

/// Golden checksums, which change only with the format's version.
#[test]
fn blocks_are_what_they_were() {
    assert_eq!(Suite::<Dual16I8>::golden(), 0xb912_7a19);
    assert_eq!(Suite::<Dual16I4>::golden(), 0xa682_4dcf);
    assert_eq!(Suite::<Lanes16I8>::golden(), 0xa743_9703);
    assert_eq!(Suite::<Lanes16I4>::golden(), 0x1e38_e239);
    assert_eq!(Suite::<Vector128I8>::golden(), 0x25f6_35c4);
    assert_eq!(Suite::<Vector128I4>::golden(), 0x6b13_aeae);
}

/// Even coefficients have an offset of 2^11, on which the assembly for the chips depends.
#[test]
fn even_coefficients_of_dual16_have_their_offset() {
    let mut prepared = [7; 8];
    assert_eq!(Dual16I4::prepare_portable(&[0; 16], &mut prepared), -(4 << 22));
    assert_eq!(prepared, [0, 0, 0, 0, 0x0800_0800, 0x0800_0800, 0x0800_0800, 0x0800_0800]);
}
