//! Recognises files of other kinds that users take for a model, and says how to get a model.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::SafeTensors;

use super::FORMAT;
use crate::io::shell::quoted;

/// First bytes of files of other kinds, and the predicate that describes each kind.
const OTHERS: [(&[u8], &str); 9] = [
    (b"\x89HDF", "is an HDF5 file, as Keras writes them, not a model of this program"),
    (b"GGUF", "is a GGUF file, not a model of this program"),
    (b"\x93NUMPY", "is a NumPy array, not a model of this program"),
    (b"\x1f\x8b", "is compressed by gzip: run `gunzip` first"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd: run `unzstd` first"),
    (b"\x89PNG", "is a picture (PNG), not a model"),
    (b"\x7fELF", "is a program (ELF), not a model"),
    (b"<svg", "is a picture (SVG), not a model"),
    (b"version https://git-lfs", "is a Git LFS pointer: `git lfs pull` fetches the file itself"),
];

/// Returns the kind of a file that is not safetensors, from its first bytes: a predicate that follows the file's name.
pub fn of(bytes: &[u8]) -> Option<&'static str> {
    // A safetensors file begins with the header's length in 8 bytes, the upper 4 of them zero, then JSON. The lower
    // bytes may look like another kind of file: if the header has 640 bytes, the file begins as a pickle does.
    if bytes.get(4..9) == Some(b"\0\0\0\0{") {
        return None;
    }
    if let Some((_, kind)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(kind);
    }
    match bytes {
        [] => Some("is empty"),
        _ if bytes.starts_with(&runtime::format::MAGIC) => Some(BLOB),
        // torch.save has written zip archives since 2020; before, it wrote bare pickles, protocol 2 and up.
        [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] => Some(PICKLE),
        _ if is_text(bytes) => Some("is text, not a model"),
        _ => None,
    }
}

const BLOB: &str = "is a blob";
/// Predicate of a file that `torch.save` wrote.
pub const PICKLE: &str = "is a file of torch.save";

/// Describes bytes that are not a safetensors file, and says which file to use instead.
pub(super) fn not_safetensors(bytes: &[u8]) -> Option<String> {
    Some(match of(bytes)? {
        BLOB => format!("{BLOB}, which is already exported: use the model.safetensors that it was made from"),
        PICKLE => format!(
            "{PICKLE}: save the network as safetensors, {SAVE}, then import it: {}",
            import(Path::new("net.safetensors"))
        ),
        kind => kind.to_owned(),
    })
}

/// Python call that writes a network as a file that `import` reads.
const SAVE: &str = "safetensors.torch.save_file(net.state_dict(), \"net.safetensors\")";

/// Describes a safetensors file that is not a folded model, and says what to do with it.
pub(super) fn not_folded(metadata: &HashMap<String, String>, tensors: &SafeTensors<'_>, path: &Path) -> Option<String> {
    let has = |name: &str| tensors.tensor(name).is_ok();
    match metadata.get("format").map(String::as_str) {
        Some(FORMAT) => None,
        Some("makemore-checkpoint") => Some(format!(
            "is the checkpoint of a training: `train --resume {}` continues the training and writes a model at its end",
            quoted(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
        )),
        _ if has("contexts") && has("logits") => {
            Some("has golden contexts and logits, not a model: `validate --golden` reads it".to_owned())
        }
        _ => Some(format!("is a state_dict? import it first: {}", import(path))),
    }
}

/// Returns the command that imports a file.
fn import(path: &Path) -> String {
    // The import must not overwrite its input.
    let out = if path.ends_with("model.safetensors") { "folded.safetensors" } else { "model.safetensors" };
    format!("cargo run -p exporter -- import --in {} --out {out}", quoted(path))
}

/// Returns whether the first bytes are UTF-8 without control characters. The last character may be incomplete.
fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(256)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart() {
        for (bytes, expected) in [
            (&b""[..], "is empty"),
            (b"emma\nolivia\n", "is text"),
            ("Zo\u{eb}\n".as_bytes(), "is text"),
            (b"PK\x03\x04\x14\0", "torch.save"),
            (b"\x80\x02}q\0", "torch.save"),
            (b"\x89PNG\r\n\x1a\n", "PNG"),
            (&runtime::format::MAGIC, "is a blob"),
        ] {
            let kind = not_safetensors(bytes).unwrap();
            assert!(kind.contains(expected), "{kind}");
        }
        // The first 256 bytes end inside a character.
        assert!(not_safetensors(format!("a{}", "\u{eb}".repeat(200)).as_bytes()).unwrap().contains("text"));
        assert_eq!(not_safetensors(b"\x60\0\0\0\0\0\0\0{\"embedding"), None);
        assert_eq!(not_safetensors(&[0; 100]), None);
    }

    #[test]
    fn an_import_does_not_overwrite_its_input() {
        assert!(
            import(Path::new("a b/net.safetensors")).ends_with("--in 'a b/net.safetensors' --out model.safetensors")
        );
        assert!(import(Path::new("x/model.safetensors")).ends_with("--out folded.safetensors"));
    }
}
