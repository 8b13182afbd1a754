//! Names of files in commands that messages show.

use std::path::Path;

/// Returns a path as a shell would take it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || "'\"`$&;()<>|*?[]{}#~!\\".contains(c)) {
        format!("'{}'", text.replace('\'', "'\\''"))
    } else {
        text
    }
}
