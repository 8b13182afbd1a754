//! Reads blobs, and names the command that makes a blob of another kind of file.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use runtime::Model;
use runtime::format::AlignedBlob;
use serde_json::Value;

use crate::command::quote;

/// Reads a blob and checks its model.
///
/// # Errors
/// Returns an error if the file cannot be read or is not a blob. The error names the file and, for another kind of
/// model, the command that makes a blob of it.
pub fn read(path: &Path) -> Result<(Vec<u8>, AlignedBlob)> {
    // Shows the path as the user probably typed it.
    let here = env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(here).ok().filter(|path| !path.as_os_str().is_empty()).unwrap_or(path);
    if path.is_dir() {
        bail!("cannot read {}: it is a folder, not a file", path.display());
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if let Some(kind) = other_kind(&bytes, path) {
        bail!("{} {kind}", path.display());
    }
    let blob = AlignedBlob::from(bytes.as_slice());
    Model::new(blob.as_bytes()).with_context(|| format!("{} is not a valid blob", path.display()))?;
    Ok((bytes, blob))
}

/// Returns a predicate that says what kind of file this is, if not a blob, and what to do.
fn other_kind(bytes: &[u8], path: &Path) -> Option<String> {
    let exporter = "cargo run -p exporter --";
    let export = |model: &Path| {
        let (from, to) = (quote(model.as_os_str()), quote(model.with_extension("blob").as_os_str()));
        format!("{exporter} export --model {from} --out {to}")
    };
    // torch.save writes a zip archive since 2020, and wrote bare pickles, protocol 2 and up, before that. A safetensors
    // header of 640 bytes begins with the same two bytes, but zeros and JSON follow.
    let is_header = bytes.get(4..9) == Some(b"\0\0\0\0{");
    if bytes.starts_with(b"PK\x03\x04") || (matches!(bytes, [0x80, 2..=5, ..]) && !is_header) {
        let import = "docs/use/from-pytorch.md shows how to import it";
        return Some(format!("is a torch.save file, not a blob: {import}"));
    }
    if bytes.is_empty() {
        return Some("is empty".to_owned());
    }
    if is_folded(&header(bytes)?) {
        return Some(format!("is a trained model, not a blob. Export it first: {}", export(path)));
    }
    // The import must not overwrite its input.
    let out = if path.ends_with("model.safetensors") { "folded.safetensors" } else { "model.safetensors" };
    Some(format!(
        "is a safetensors file (a state_dict?), not a blob. Import and export it first: {exporter} import --in {} --out {out}, \
         then {}",
        quote(path.as_os_str()),
        export(Path::new(out)),
    ))
}

/// Returns the header of a safetensors file: its length in eight bytes, then JSON.
fn header(bytes: &[u8]) -> Option<Value> {
    let length = usize::try_from(u64::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    serde_json::from_slice(bytes.get(8..)?.get(..length)?).ok()
}

/// Returns whether the header belongs to a model that `train` or `import` wrote.
fn is_folded(header: &Value) -> bool {
    header["__metadata__"]["format"] == "makemore-folded"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::Repo;

    #[test]
    fn a_file_of_another_kind_is_named() {
        let top = Repo::find().root().to_owned();
        let error = |path: &str| read(&top.join(path)).unwrap_err().to_string();
        let folded = error("models/tiny.safetensors");
        assert!(folded.contains("models/tiny.safetensors is a trained model, not a blob"), "{folded}");
        assert!(folded.contains("Export it first: cargo run -p exporter -- export --model "), "{folded}");
        assert!(folded.ends_with("models/tiny.blob"), "{folded}");
        let network = error("tests/fixtures/pytorch/deep16.safetensors");
        assert!(network.contains("Import and export it first: cargo run -p exporter -- import --in "), "{network}");
        assert!(network.ends_with("export --model model.safetensors --out model.blob"), "{network}");
        assert!(error("models").ends_with("it is a folder, not a file"));
        assert!(error("README.md").ends_with("README.md is not a valid blob"));
        read(&top.join("models/tiny.blob")).unwrap();
    }

    #[test]
    fn kinds_are_told_by_their_first_bytes() {
        let kind = |bytes: &[u8]| other_kind(bytes, Path::new("a b.pt"));
        assert_eq!(kind(b"").unwrap(), "is empty");
        assert!(kind(b"PK\x03\x04").unwrap().starts_with("is a torch.save file"));
        assert!(kind(b"\x02\0\0\0\0\0\0\0{}").unwrap().contains("import --in 'a b.pt' --out model.safetensors, then"));
        assert_eq!(kind(b"\xff\0\0\0\0\0\0\0{}"), None);
        assert_eq!(kind(b"emma\n"), None);
    }
}
