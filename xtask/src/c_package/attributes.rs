//! The build attributes of an Arm object file: the section `.ARM.attributes`, by which a linker refuses to mix calling
//! conventions.
//!
//! The library's interface has no floating point, so that callers of both conventions may link it: `-mfloat-abi=hard`
//! passes floats in registers of the FPU, `softfp` and `soft` do not. The archives say so by `Tag_ABI_VFP_args`.
//!
//! "Addenda to, and Errata in, the ABI for the Arm Architecture", section 3, has the format:
//! `A`, then for each vendor `length "aeabi\0"`, then for each scope `tag length`, then pairs of tag and value.

use anyhow::{Context, Result, bail, ensure};

/// The scope of all that is in the file.
const TAG_FILE: u64 = 1;
/// Values with both a number and a text.
const TAG_COMPATIBILITY: u64 = 32;
/// Values that are texts although their tag is below 32.
const TAG_CPU_RAW_NAME: u64 = 4;
const TAG_CPU_NAME: u64 = 5;
/// The convention for arguments in floating point, and its value "no function has any".
const TAG_ABI_VFP_ARGS: u64 = 28;
const EITHER: u8 = 3;

/// Returns the section with `Tag_ABI_VFP_args` = 3: compatible with both conventions.
///
/// # Errors
/// Returns an error if the section has another vendor's attributes, or attributes of only a part of the file.
pub fn with_either_float_abi(section: &[u8]) -> Result<Vec<u8>> {
    let cut = "the section is cut short";
    let (&version, rest) = section.split_first().context(cut)?;
    ensure!(version == b'A', "version `{version}` of the attributes");
    let (vendor, rest) = sized(rest, 0).context(cut)?;
    ensure!(rest.is_empty(), "attributes of a second vendor");
    let vendor = vendor.strip_prefix(b"aeabi\0").context("attributes of another vendor")?;
    let (tag, at) = number(vendor).context(cut)?;
    ensure!(tag == TAG_FILE, "attributes of a part of the file");
    // The length of a scope counts its tag.
    let (attributes, rest) = sized(&vendor[at..], at).context(cut)?;
    ensure!(rest.is_empty(), "attributes of a second scope");

    let mut kept = Vec::new();
    let mut rest = attributes;
    while !rest.is_empty() {
        let (tag, length) = attribute(rest).context(cut)?;
        let (bytes, after) = rest.split_at(length);
        if tag != TAG_ABI_VFP_ARGS {
            kept.extend_from_slice(bytes);
        }
        rest = after;
    }
    kept.extend([TAG_ABI_VFP_ARGS as u8, EITHER]);
    if kept.len() > 1 << 16 {
        bail!("{} bytes of attributes", kept.len());
    }

    let scope = [&[TAG_FILE as u8][..], &length(kept.len() + 1), &kept].concat();
    let name = b"aeabi\0";
    Ok([&b"A"[..], &length(name.len() + scope.len()), name, &scope].concat())
}

/// Returns a length of four bytes, which counts itself.
fn length(bytes: usize) -> [u8; 4] {
    (bytes as u32 + 4).to_le_bytes()
}

/// Splits at the length in the first four bytes. The length counts itself and `more` bytes before it.
fn sized(bytes: &[u8], more: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked((u32::from_le_bytes(*length) as usize).checked_sub(4 + more)?)
}

/// Reads a number in seven bits per byte, the lowest first, and returns it with its length.
fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = bytes.iter().take(9).position(|byte| byte & 0x80 == 0)? + 1;
    Some((bytes[..length].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)), length))
}

/// Returns the tag of the first attribute, and the attribute's length with the tag.
fn attribute(bytes: &[u8]) -> Option<(u64, usize)> {
    let (tag, mut at) = number(bytes)?;
    let is_text = matches!(tag, TAG_CPU_RAW_NAME | TAG_CPU_NAME) || tag > TAG_COMPATIBILITY && tag % 2 == 1;
    if !is_text {
        at += number(&bytes[at..])?.1;
    }
    if is_text || tag == TAG_COMPATIBILITY {
        at += bytes[at..].iter().position(|&byte| byte == 0)? + 1;
    }
    Some((tag, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A section with these attributes.
    fn section(attributes: &[u8]) -> Vec<u8> {
        let scope = [&[1][..], &length(attributes.len() + 1), attributes].concat();
        [&b"A"[..], &length(6 + scope.len()), b"aeabi\0", &scope].concat()
    }

    #[test]
    fn the_convention_is_replaced_or_added() {
        // Tag_CPU_name, Tag_CPU_arch v7E-M, then `args`, Tag_compatibility, Tag_conformance, Tag_MPextension_use.
        let attributes =
            |args: &[u8]| [b"\x05cortex-m4\0\x06\x0d", args, b"\x20\x01gnu\0", b"\x432.09\0\x2a\x01"].concat();
        let expected = section(&[&attributes(&[])[..], &[28, 3]].concat());
        assert_eq!(with_either_float_abi(&section(&attributes(&[28, 1]))).unwrap(), expected);
        assert_eq!(with_either_float_abi(&section(&attributes(&[]))).unwrap(), expected);
        assert_eq!(with_either_float_abi(&expected).unwrap(), expected);
    }

    #[test]
    fn a_section_of_another_form_is_refused() {
        let good = section(b"\x05cortex-m4\0\x06\x0d");
        for length in 0..good.len() {
            assert!(with_either_float_abi(&good[..length]).is_err(), "{length} bytes");
        }
        for at in [0, 5, 11] {
            let mut bad = good.clone();
            bad[at] ^= 2;
            assert!(with_either_float_abi(&bad).is_err(), "byte {at}");
        }
        assert!(with_either_float_abi(&section(b"\x05cortex-m4")).is_err());
        assert!(with_either_float_abi(&section(b"\x06\x80")).is_err());
    }
}
