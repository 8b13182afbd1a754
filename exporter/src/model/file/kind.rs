//! Files of other kinds that users give in place of a model: their name, and the way to a model.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::SafeTensors;

use super::FORMAT;
use crate::io::shell::quoted;

/// First bytes of files of other kinds, and what they are.
const OTHERS: [(&[u8], &str); 9] = [
    (b"\x89HDF", "is an HDF5 file, as Keras writes them, and no model of this program"),
    (b"GGUF", "is a GGUF file, and no model of this program"),
    (b"\x93NUMPY", "is an array of NumPy, and no model of this program"),
    (b"\x1f\x8b", "is compressed by gzip: `gunzip` it first"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd: `unzstd` it first"),
    (b"\x89PNG", "is a picture (PNG), and no model"),
    (b"\x7fELF", "is a program (ELF), and no model"),
    (b"<svg", "is a picture (SVG), and no model"),
    (b"version https://git-lfs", "is a pointer of Git LFS: `git lfs pull` fetches the file itself"),
];

/// Returns what a file is that is not safetensors, by its first bytes: a predicate, for a sentence about the file.
pub fn of(bytes: &[u8]) -> Option<&'static str> {
    // The length of a safetensors header in 8 bytes, the upper 4 zero, then JSON. The lower bytes may be those of
    // another kind of file: a file with a header of 640 bytes begins as a pickle does.
    if bytes.get(4..9) == Some(b"\0\0\0\0{") {
        return None;
    }
    if let Some((_, kind)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(kind);
    }
    match bytes {
        [] => Some("is empty"),
        _ if bytes.starts_with(&runtime::format::MAGIC) => Some(BLOB),
        // A zip archive is how torch.save has written since 2020; before that, bare pickles, protocol 2 and up.
        [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] => Some(PICKLE),
        _ if is_text(bytes) => Some("is text, and no model"),
        _ => None,
    }
}

const BLOB: &str = "is a blob";
/// The kind of a pickle.
pub const PICKLE: &str = "is a file of torch.save";

/// Says what the bytes are, where they are no safetensors file, and what to give instead.
pub(super) fn not_safetensors(bytes: &[u8]) -> Option<String> {
    Some(match of(bytes)? {
        BLOB => format!("{BLOB}, which was exported already: give the model.safetensors that it was made from"),
        PICKLE => format!(
            "{PICKLE}: save the network as safetensors, {SAVE}, then import it: {}",
            import(Path::new("net.safetensors"))
        ),
        kind => kind.to_owned(),
    })
}

/// How a network of PyTorch becomes a file that `import` reads.
const SAVE: &str = "safetensors.torch.save_file(net.state_dict(), \"net.safetensors\")";

/// Says what a safetensors file is, where it is not a folded model.
pub(super) fn not_folded(metadata: &HashMap<String, String>, tensors: &SafeTensors<'_>, path: &Path) -> Option<String> {
    let has = |name: &str| tensors.tensor(name).is_ok();
    match metadata.get("format").map(String::as_str) {
        Some(FORMAT) => None,
        Some("makemore-checkpoint") => Some(format!(
            "is the checkpoint of a training: `train --resume {}` goes on with it, and writes a model at its end",
            quoted(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
        )),
        _ if has("contexts") && has("logits") => {
            Some("has golden contexts and logits, and no model: `validate --golden` reads it".to_owned())
        }
        _ => Some(format!("is a state_dict? import it first: {}", import(path))),
    }
}

/// Returns the command that imports a file.
fn import(path: &Path) -> String {
    // Not over itself.
    let out = if path.ends_with("model.safetensors") { "folded.safetensors" } else { "model.safetensors" };
    format!("cargo run -p exporter -- import --in {} --out {out}", quoted(path))
}

/// Whether the first bytes are UTF-8 without control characters. A character may be cut in two at their end.
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
        // A character that the 256 bytes cut in two.
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
