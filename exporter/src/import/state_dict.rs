//! The tensors of a file, checked and as f64.
//!
//! The safetensors library checks lengths and offsets, but not that names are unique, which is checked here. Tensors
//! that a forward pass does not use are left out.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::tensor::{Dtype, SafeTensors, TensorInfo, TensorView};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{ImportError, names, prepare};
use crate::model::file::kind;

/// Shape and values of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Shape in the file.
    pub shape: Vec<usize>,
    /// Values, row-major, all finite.
    pub values: Vec<f64>,
}

/// Tensors of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    /// Tensors by name, without those left out.
    pub tensors: BTreeMap<String, Tensor>,
    /// Names and values of BatchNorm's counters, which a forward pass does not use.
    pub counters: BTreeMap<String, Option<i64>>,
    /// Names of other tensors that are left out.
    pub passed_over: Vec<String>,
    /// Notes on the file for the user.
    pub notes: Vec<String>,
    /// Metadata of the file.
    pub metadata: BTreeMap<String, String>,
}

/// Last component of the name of BatchNorm's counter.
const COUNTER: &str = "num_batches_tracked";
/// Last components of names of counting buffers. They are left out if they are not floats or have only one value.
const BUFFERS: [&str; 8] =
    ["n_averaged", "num_updates", "initted", "step", "global_step", "decay", "position_ids", "pos_ids"];

impl StateDict {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// [`ImportError`] if the file cannot be imported.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ImportError> {
        Self::without(bytes, &[])
    }

    /// Reads a safetensors file without the tensors in `ignored`: names, modules, or beginnings of names.
    ///
    /// # Errors
    /// [`ImportError`] if the file cannot be imported, or an ignored name matches no tensor.
    pub fn without(bytes: &[u8], ignored: &[String]) -> Result<Self, ImportError> {
        let (file, metadata) = open(bytes)?;
        let mut state = Self { metadata, ..Self::default() };
        let is = |name: &str, ignored: &str| {
            name.strip_prefix(ignored.trim_end_matches('.'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if let Some(nothing) = ignored.iter().find(|ignored| !file.names().iter().any(|name| is(name, ignored))) {
            return Err(ImportError::NothingToIgnore { name: nothing.clone() });
        }
        for (name, view) in file.iter() {
            let leaf = name.rsplit('.').next();
            if ignored.iter().any(|ignored| is(name, ignored)) {
                state.passed_over.push(name.to_owned());
                continue;
            }
            if leaf == Some(COUNTER) {
                let count = view.data().try_into().ok().filter(|_| view.dtype() == Dtype::I64).map(i64::from_le_bytes);
                state.counters.insert(name.to_owned(), count);
                continue;
            }
            let single = view.shape().iter().all(|&n| n == 1);
            if leaf.is_some_and(|leaf| BUFFERS.contains(&leaf)) && (single || !is_float(view.dtype())) {
                state.passed_over.push(name.to_owned());
                continue;
            }
            let values = floats(name, &view)?;
            state.tensors.insert(name.to_owned(), Tensor { shape: view.shape().to_vec(), values });
        }
        prepare::prepare(&mut state);
        Ok(state)
    }
}

fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16)
}

/// Opens a safetensors file and returns its tensors and metadata, after all checks of the format.
///
/// # Errors
/// [`ImportError::Pickle`] for a file of `torch.save`, [`ImportError::NotSafetensors`] for another file,
/// [`ImportError::Twice`] if two tensors have the same name.
pub fn open(bytes: &[u8]) -> Result<(SafeTensors<'_>, BTreeMap<String, String>), ImportError> {
    match kind::of(bytes) {
        Some(kind::PICKLE) => return Err(ImportError::Pickle),
        Some(kind) => return Err(ImportError::NotSafetensors { reason: format!("it {kind}") }),
        None => {}
    }
    let refuse = |error: safetensors::SafeTensorError| {
        let reason = one_line(&error);
        match culprit(bytes) {
            Some(tensor) => ImportError::NotSafetensors { reason: format!("tensor {tensor:?}: {reason}") },
            None => ImportError::NotSafetensors { reason },
        }
    };
    let (len, header) = SafeTensors::read_metadata(bytes).map_err(refuse)?;
    let file = SafeTensors::deserialize(bytes).map_err(refuse)?;
    if let Some(name) = twice(&bytes[8..8 + len]) {
        return Err(ImportError::Twice { tensor: name });
    }
    let metadata = header.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok((file, metadata))
}

/// Returns a message of the library in one line: it may quote the file.
fn one_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the first tensor whose description is wrong. The library's message does not always name it.
fn culprit(bytes: &[u8]) -> Option<String> {
    let len = usize::try_from(u64::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    let (header, data) = bytes.get(8..)?.split_at_checked(len)?;
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    let wrong = |info: serde_json::Value| {
        let Ok(TensorInfo { dtype, shape, data_offsets: (start, end) }) = serde_json::from_value(info) else {
            return true;
        };
        let bits = shape.iter().try_fold(dtype.bitsize(), |bits, &n| bits.checked_mul(n));
        bits.is_none_or(|bits| end.checked_sub(start) != Some(bits / 8)) || end > data.len()
    };
    header.into_iter().find(|(name, info)| name != "__metadata__" && wrong(info.clone())).map(|(name, _)| name)
}

/// Returns the first name that a JSON object has twice.
fn twice(json: &[u8]) -> Option<String> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Option<String>;
        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let (mut seen, mut twice) = (BTreeSet::new(), None);
            while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
                if twice.is_none() && seen.contains(&name) {
                    twice = Some(name);
                } else {
                    seen.insert(name);
                }
            }
            Ok(twice)
        }
    }
    serde_json::Deserializer::from_slice(json).deserialize_map(Names).ok().flatten()
}

/// Returns the values of a floating-point tensor.
///
/// # Errors
/// [`ImportError`] if the type is another, the tensor is empty, or a value is not finite.
pub fn floats(name: &str, view: &TensorView<'_>) -> Result<Vec<f64>, ImportError> {
    fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|&bytes| value(bytes)).collect()
    }
    let tensor = || name.to_owned();
    let bytes = view.data();
    let values = match view.dtype() {
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        Dtype::F32 => each(bytes, |bytes| f32::from_le_bytes(bytes).into()),
        Dtype::F16 => each(bytes, |bytes| half::f16::from_le_bytes(bytes).to_f64()),
        Dtype::BF16 => each(bytes, |bytes| half::bf16::from_le_bytes(bytes).to_f64()),
        dtype => {
            let what = names::foreign(name).map(|what| format!(", {what}")).unwrap_or_default();
            return Err(ImportError::Dtype { tensor: tensor(), dtype: format!("{dtype:?}"), what });
        }
    };
    if values.is_empty() {
        let reason = "it has no values";
        return Err(ImportError::Shape { tensor: tensor(), found: view.shape().to_vec(), reason });
    }
    match values.iter().find(|value| !value.is_finite()) {
        Some(&value) => Err(ImportError::NotFinite { tensor: tensor(), value }),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_names_are_found() {
        assert_eq!(twice(br#"{"a":{"x":1,"y":2},"b":3,"a":4}"#), Some("a".to_owned()));
        assert_eq!(twice(br#"{"a":{"x":1,"x":2},"b":3}"#), None, "only names of tensors");
    }

    #[test]
    fn a_header_of_640_bytes_is_no_pickle() {
        for len in [0x280_u64, 0x380, 0x480, 0x580] {
            let text =
                format!("{:len$}", r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, len = len as usize);
            let bytes = [&len.to_le_bytes()[..], text.as_bytes(), &[0; 4]].concat();
            assert!(open(&bytes).is_ok(), "{len}");
        }
        assert!(matches!(open(b"\x80\x04\x95\x8c\x00\x00\x00\x00\x00\x00\x00}"), Err(ImportError::Pickle)));
    }

    #[test]
    fn every_float_becomes_the_same_number() {
        // All four types represent 1.5 and -0.125 exactly.
        for (dtype, bytes) in [
            (Dtype::F64, [1.5_f64, -0.125].map(f64::to_le_bytes).concat()),
            (Dtype::F32, [1.5_f32, -0.125].map(f32::to_le_bytes).concat()),
            (Dtype::F16, [0x3e00_u16, 0xb000].map(u16::to_le_bytes).concat()),
            (Dtype::BF16, [0x3fc0_u16, 0xbe00].map(u16::to_le_bytes).concat()),
        ] {
            let view = TensorView::new(dtype, vec![2], &bytes).unwrap();
            assert_eq!(floats("w", &view).unwrap(), [1.5, -0.125], "{dtype:?}");
        }
    }
}
