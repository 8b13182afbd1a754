//! Finds the prose in a file: documents, comments, and the strings of a program.

use ra_ap_rustc_lexer::{FrontmatterAllowed, LiteralKind, TokenKind, tokenize};

/// A line of prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Number of the line in its file, from 1.
    pub number: usize,
    /// Words of the line, without comment signs.
    pub text: String,
    /// True for the first line of a doc comment.
    pub opens_doc: bool,
    /// Characters of the whole line, or 0 for a line that may be long, such as one with a string.
    pub width: usize,
}

/// Returns the prose of a file, or `None` for a file of a kind that has none.
pub fn of(path: &str, source: &str) -> Option<Vec<Line>> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.').map_or(name, |(_, extension)| extension) {
        "md" => Some(markdown(source)),
        "rs" | "c" | "h" | "ino" => Some(code(source)),
        "toml" | "yml" | "yaml" | "sh" | "py" | "run" => Some(hash_comments(source)),
        _ => None,
    }
}

/// Returns the lines of a Markdown document. Blocks of code have no prose, but a width.
fn markdown(source: &str) -> Vec<Line> {
    let mut is_code = false;
    let lines = (1..).zip(source.lines()).map(|(number, line)| {
        let is_fence = line.trim_start().starts_with("```");
        let text = if is_code || is_fence { String::new() } else { without_code(line) };
        is_code ^= is_fence;
        Line { number, text, opens_doc: false, width: line.chars().count() }
    });
    lines.collect()
}

/// Returns the comments and strings of a program in Rust or C.
fn code(source: &str) -> Vec<Line> {
    let (mut lines, mut at, mut number_at) = (Vec::new(), 0, 1);
    // The last line of the doc comment that is being read, and whether its code block is open.
    let (mut last_doc, mut in_fence) = (None, false);
    for token in tokenize(source, FrontmatterAllowed::No) {
        let text = &source[at..at + token.len as usize];
        let number = number_at;
        number_at += text.matches('\n').count();
        let start = source[..at].rfind('\n').map_or(0, |end| end + 1);
        at += token.len as usize;
        match token.kind {
            TokenKind::LineComment { doc_style } => {
                let is_doc = doc_style.is_some();
                let opens_doc = is_doc && last_doc != Some(number - 1);
                in_fence &= !opens_doc && is_doc;
                last_doc = if is_doc { Some(number) } else { last_doc };
                let words = text.trim_start_matches(['/', '!']).trim();
                let is_fence = is_doc && words.starts_with("```");
                let text = if in_fence || is_fence { String::new() } else { without_code(words) };
                in_fence ^= is_fence;
                let width = source[start..at].chars().count();
                lines.push(Line { number, text, opens_doc, width });
            }
            TokenKind::BlockComment { doc_style, .. } => {
                let words = text.trim_start_matches(['/', '*', '!']).trim_end_matches(['/', '*']);
                let opens = words.lines().position(|line| !line.trim().is_empty());
                lines.extend(words.lines().enumerate().map(|(index, line)| Line {
                    number: number + index,
                    text: without_code(line.trim().trim_start_matches("* ")),
                    opens_doc: doc_style.is_some() && Some(index) == opens,
                    width: line.chars().count(),
                }));
            }
            TokenKind::Literal { kind: LiteralKind::Str { .. } | LiteralKind::RawStr { .. }, .. } => {
                lines.extend(text.lines().enumerate().map(|(index, line)| Line {
                    number: number + index,
                    text: without_code(line.trim_matches(['"', ' '])),
                    opens_doc: false,
                    width: 0,
                }));
            }
            _ => {}
        }
    }
    lines
}

/// Returns the comments of a file whose comments begin with `#`.
fn hash_comments(source: &str) -> Vec<Line> {
    let comment = |line: &str| {
        let at = if line.starts_with('#') { Some(0) } else { line.find(" #") };
        at.map(|at| line[at..].trim_start_matches([' ', '#', '!']).to_owned())
    };
    let lines = (1..).zip(source.lines()).filter_map(|(number, line)| {
        let text = without_code(&comment(line)?);
        Some(Line { number, text, opens_doc: false, width: line.chars().count() })
    });
    lines.collect()
}

/// Returns a line with a placeholder for each piece of code between backticks.
fn without_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { "x" } else { part }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, source: &str) -> Vec<(usize, String)> {
        let lines = of(path, source).unwrap();
        lines.into_iter().filter(|line| !line.text.is_empty()).map(|line| (line.number, line.text)).collect()
    }

    #[test]
    fn comments_and_strings_of_rust_are_prose_and_code_is_not() {
        let source = "//! Opens.\n//! More `code` here.\n\nfn what() { // why\n    print(\"said // so\");\n}\n\n\
                      /// Returns `x`.\n///\n/// ```\n/// let stands = 1;\n/// ```\n/// Last.\nlet c = '\"';\n";
        let expected =
            [(1, "Opens."), (2, "More x here."), (4, "why"), (5, "said // so"), (8, "Returns x."), (13, "Last.")];
        assert_eq!(texts("a.rs", source), expected.map(|(number, text)| (number, text.to_owned())));
        let opens = of("a.rs", source).unwrap().into_iter().filter(|line| line.opens_doc);
        assert_eq!(opens.map(|line| line.number).collect::<Vec<_>>(), [1, 8]);
    }

    #[test]
    fn blocks_of_code_in_a_document_are_no_prose_but_have_a_width() {
        let source = "One `a`b.\n```sh\nwhat stands\n```\nTwo.\n";
        assert_eq!(texts("a.md", source), [(1, "One xb.".to_owned()), (5, "Two.".to_owned())]);
        assert_eq!(of("a.md", source).unwrap()[2].width, 11);
    }

    #[test]
    fn hashes_open_comments_at_the_start_of_a_line_and_after_a_blank() {
        assert_eq!(texts("a.toml", "a = \"x#y\" # Why.\n# Also.\n"), [(1, "Why.".to_owned()), (2, "Also.".to_owned())]);
        assert_eq!(of("a.bin", "what"), None);
    }
}
