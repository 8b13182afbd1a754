//! File names in the commands that messages show.

use std::path::Path;

/// Returns a path with the quotation marks that a shell needs.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || "'\"`$&;()<>|*?[]{}#~!\\".contains(c)) {
        format!("'{}'", text.replace('\'', "'\\''"))
    } else {
        text
    }
}
