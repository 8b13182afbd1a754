//! Characters of the embedding's rows, and the row of the boundary.
//!
//! In a model, the boundary is the first row. In a file, it may be any row, its name may be `.`, `<pad>` or `\n`, and
//! the start and the end of a word may have two different signs.

use serde_json::Value;

use super::ImportError;

/// Signs that usually mean the boundary in a vocabulary.
const SIGNS: &str = ".\n\0_#^$|<>~*@¶·•␀␃␄▁";
/// Pairs of signs for the start and the end of a word.
const PAIRS: [(char, char); 2] = [('^', '$'), ('<', '>')];

/// Rows of the boundary in a file: the row that pads the context, and the row that ends a word. All other rows keep
/// their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Number of rows.
    pub len: usize,
    /// Row of the embedding that pads the context.
    pub start: usize,
    /// Row of the output layer that ends a word.
    pub end: usize,
}

impl Rows {
    /// Returns the rows of a file that has the boundary first, as a model does.
    pub fn in_order(len: usize) -> Self {
        Self { len, start: 0, end: 0 }
    }

    /// Returns whether the file's rows are in the model's order.
    pub fn are_in_order(&self) -> bool {
        (self.start, self.end) == (0, 0)
    }

    fn from(&self, first: usize) -> Vec<usize> {
        let others = (0..self.len).filter(|&row| row != self.start && row != self.end);
        std::iter::once(first).chain(others).collect()
    }

    /// Returns the rows of the file's embedding in the model's order.
    pub fn read(&self) -> Vec<usize> {
        self.from(self.start)
    }

    /// Returns the rows of the file's output layer in the model's order.
    pub fn predicted(&self) -> Vec<usize> {
        self.from(self.end)
    }

    /// Returns the JSON for the model's recipe.
    pub fn to_json(self) -> Value {
        serde_json::json!([self.len, self.start, self.end])
    }

    /// Reads the rows from a model's recipe; `None` if it has none.
    pub fn of_recipe(recipe: &str) -> Option<Self> {
        let recipe: Value = serde_json::from_str(recipe).ok()?;
        let number = |at: usize| usize::try_from(recipe.get("rows")?.get(at)?.as_u64()?).ok();
        let rows = Self { len: number(0)?, start: number(1)?, end: number(2)? };
        (rows.start < rows.len && rows.end < rows.len && rows.len <= 1024).then_some(rows)
    }
}

/// Characters of a model, and their rows in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alphabet {
    /// Characters in the model's order, the boundary's sign first.
    pub characters: String,
    /// Rows of the boundary in the file.
    pub rows: Rows,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl Alphabet {
    /// Returns the characters of a file that has the boundary first.
    pub fn in_order(characters: &str) -> Self {
        let rows = Rows::in_order(characters.chars().count());
        Self { characters: characters.to_owned(), rows, notes: Vec::new() }
    }

    /// Reads a vocabulary in the order of the rows of a file, and finds the boundary.
    ///
    /// `text` has the characters one after the other, or JSON: a list of characters, an object from characters to rows,
    /// or an object from rows to characters. `rows` is the number of rows of the embedding, `asked` the sign that
    /// `--boundary` names, and `padding` the row that pads the golden contexts, if there are any.
    ///
    /// # Errors
    /// [`ImportError`] if the boundary's row is unclear, or a sign is not one character.
    pub fn find(text: &str, rows: usize, asked: Option<&str>, padding: Option<usize>) -> Result<Self, ImportError> {
        let signs = signs(text, rows);
        if signs.len() != rows {
            // `fold_alphabet` refuses a vocabulary of another length, so the boundary's row does not matter here.
            return Ok(Self { rows: Rows::in_order(signs.len()), ..Self::in_order(text) });
        }
        let mut notes = Vec::new();
        let (start, end) = match asked {
            Some(asked) => {
                // A shell passes \n as two characters.
                let plain = match asked {
                    "\\n" => "\n",
                    "\\0" => "\0",
                    "\\t" => "\t",
                    asked => asked,
                };
                let row = signs.iter().position(|sign| sign == asked || sign == plain).ok_or_else(|| {
                    let of = shown(&signs);
                    ImportError::BadBoundary(format!("--boundary {asked:?} is not in the vocabulary {of}"))
                })?;
                (row, row)
            }
            None => boundary(&signs, padding, &mut notes)?,
        };
        let rows = Rows { len: signs.len(), start, end };
        let mut characters = String::new();
        characters.push(single(&signs[start]).filter(|sign| start == end && !sign.is_control()).unwrap_or('.'));
        for &row in &rows.read()[1..] {
            let sign = &signs[row];
            characters.push(single(sign).ok_or_else(|| {
                ImportError::BadBoundary(format!(
                    "the vocabulary has {sign:?} in row {row}, which is neither one character nor the boundary: a \
                     model of this program has only characters and one boundary"
                ))
            })?);
        }
        if start != end {
            let (first, last) = (&signs[start], &signs[end]);
            notes.push(format!(
                "{first:?} (row {start}) starts and {last:?} (row {end}) ends a word: the model has one boundary for \
                 both, with the embedding of row {start} and the logit of row {end}; the logit of {first:?} is left out"
            ));
        } else if start != 0 {
            notes.push(format!("the boundary {:?} is row {start} of the file and row 0 of the model", signs[start]));
        }
        if let Some(padding) = padding.filter(|&padding| padding != start) {
            let sign = signs.get(padding).map_or("?", String::as_str);
            notes.push(format!(
                "the golden contexts are padded with {sign:?} (row {padding}), but the boundary is {:?} (row \
                 {start}): if {sign:?} is the boundary, add --boundary {sign:?}",
                signs[start]
            ));
        }
        Ok(Self { characters, rows, notes })
    }
}

/// Returns the character of a sign; `None` if the sign is not one character.
fn single(sign: &str) -> Option<char> {
    let mut characters = sign.chars();
    characters.next().filter(|_| characters.next().is_none())
}

/// Splits a vocabulary into signs for `rows` rows: characters, or tokens such as `<pad>`.
fn signs(text: &str, rows: usize) -> Vec<String> {
    if let Some(signs) = from_json(text) {
        return signs;
    }
    let characters: Vec<String> = text.chars().map(String::from).collect();
    if characters.len() == rows {
        return characters;
    }
    let tokens = tokens(text);
    if tokens.len() == rows { tokens } else { characters }
}

/// Reads a JSON list of signs, or a JSON object of signs and rows.
fn from_json(text: &str) -> Option<Vec<String>> {
    match serde_json::from_str(text).ok()? {
        Value::Array(list) => list.iter().map(|sign| Some(sign.as_str()?.to_owned())).collect(),
        Value::Object(object) => {
            let mut rows: Vec<(usize, String)> = (object.into_iter())
                .map(|(key, value)| match value {
                    Value::String(sign) => Some((key.parse().ok()?, sign)),
                    value => Some((usize::try_from(value.as_u64()?).ok()?, key)),
                })
                .collect::<Option<_>>()?;
            rows.sort();
            let complete = rows.iter().enumerate().all(|(at, (row, _))| at == *row);
            complete.then(|| rows.into_iter().map(|(_, sign)| sign).collect())
        }
        _ => None,
    }
}

/// Splits a text into characters, with `<pad>`, `<S>` and `[EOS]` as one sign each.
fn tokens(text: &str) -> Vec<String> {
    let mut signs = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let close = match first {
            '<' => Some('>'),
            '[' => Some(']'),
            _ => None,
        };
        let end = close.and_then(|close| rest.find(close)).filter(|&end| {
            let inner = &rest[1..end];
            (1..=12).contains(&inner.len()) && inner.chars().all(|c| c.is_ascii_alphabetic() || "/_|".contains(c))
        });
        let len = end.map_or(first.len_utf8(), |end| end + 1);
        signs.push(rest[..len].to_owned());
        rest = &rest[len..];
    }
    signs
}

/// Use of a sign of several characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Start,
    End,
    Both,
}

fn use_of(sign: &str) -> Option<Use> {
    if single(sign).is_some() {
        return None;
    }
    let word: String = sign.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == '/').collect();
    match word.as_str() {
        "s" | "start" | "bos" | "sos" | "begin" | "go" | "cls" => Some(Use::Start),
        "e" | "end" | "eos" | "sep" | "stop" | "/s" => Some(Use::End),
        "pad" | "padding" | "blank" | "boundary" | "endoftext" | "n" | "" => Some(Use::Both),
        _ => None,
    }
}

/// Returns the rows of the boundary: the start and the end of a word.
fn boundary(signs: &[String], padding: Option<usize>, notes: &mut Vec<String>) -> Result<(usize, usize), ImportError> {
    let tokens: Vec<(usize, Use)> =
        signs.iter().enumerate().filter_map(|(row, sign)| Some((row, use_of(sign)?))).collect();
    match tokens[..] {
        [] => {}
        [(row, _)] => return Ok((row, row)),
        [(start, Use::Start | Use::Both), (end, Use::End)] | [(end, Use::End), (start, Use::Start | Use::Both)] => {
            return Ok((start, end));
        }
        [(start, Use::Start), (end, Use::Both)] | [(end, Use::Both), (start, Use::Start)] => return Ok((start, end)),
        _ => return Err(ImportError::Boundary { vocab: shown(signs) }),
    }
    let place = |sign: char| signs.iter().position(|other| single(other) == Some(sign));
    for (start, end) in PAIRS {
        if let (Some(start), Some(end)) = (place(start), place(end))
            && start == 0
            && (end == 1 || end + 1 == signs.len())
        {
            return Ok((start, end));
        }
    }
    let first = signs.first().and_then(|sign| single(sign)).unwrap_or('.');
    if SIGNS.contains(first) {
        return Ok((0, 0));
    }
    // The boundary is not first: it is the lecture's sign, or the only usual sign.
    let usual: Vec<usize> = SIGNS.chars().filter_map(place).collect();
    let found = match (place('.'), &usual[..]) {
        (Some(row), _) | (None, &[row]) => Some(row),
        (None, []) if !first.is_alphanumeric() => Some(0),
        _ => None,
    };
    match (found, padding) {
        (Some(row), _) => Ok((row, row)),
        (None, Some(row)) if row < signs.len() => {
            notes.push(format!(
                "the golden contexts are padded with {:?} (row {row}), so this is the boundary",
                signs[row]
            ));
            Ok((row, row))
        }
        _ => Err(ImportError::Boundary { vocab: shown(signs) }),
    }
}

/// Returns the first signs of a vocabulary, in one line.
fn shown(signs: &[String]) -> String {
    const MOST: usize = 40;
    let more = if signs.len() > MOST { " ..." } else { "" };
    format!("{:?}{more}", signs.iter().take(MOST).map(String::as_str).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, rows: usize) -> Result<(String, usize, usize), String> {
        let alphabet = Alphabet::find(text, rows, None, None).map_err(|error| error.to_string())?;
        Ok((alphabet.characters, alphabet.rows.start, alphabet.rows.end))
    }

    #[test]
    fn the_boundary_is_found_wherever_it_is() {
        for (text, rows, characters, start, end) in [
            (".abc", 4, ".abc", 0, 0),
            ("abc.", 4, ".abc", 3, 3),
            ("ab.c", 4, ".abc", 2, 2),
            (".ab.c", 5, ".ab.c", 0, 0),
            ("abc\n", 4, ".abc", 3, 3),
            ("\nabc", 4, ".abc", 0, 0),
            ("abc#", 4, "#abc", 3, 3),
            (" '-.ab", 6, ". '-ab", 3, 3),
            (" abc", 4, " abc", 0, 0),
            ("^abc$", 5, ".abc", 0, 4),
            ("<S>abc<E>", 5, ".abc", 0, 4),
            ("abc<pad>", 4, ".abc", 3, 3),
            (r#"[".", "a", "b"]"#, 3, ".ab", 0, 0),
            (r#"["a", "b", "<eos>"]"#, 3, ".ab", 2, 2),
            (r#"{"a": 0, "<pad>": 2, "b": 1}"#, 3, ".ab", 2, 2),
            (r#"{"1": "a", "0": ".", "2": "b"}"#, 3, ".ab", 0, 0),
        ] {
            assert_eq!(found(text, rows), Ok((characters.to_owned(), start, end)), "{text}");
        }
        for (text, rows, expected) in [
            ("abc", 3, "--boundary"),
            ("ab#_", 4, "--boundary"),
            (r#"["<pad>", "<unk>", "a"]"#, 3, "\"<unk>\" in row 1"),
            (r#"["<pad>", "<s>", "</s>", "a"]"#, 4, "--boundary"),
        ] {
            let error = found(text, rows).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_asked_for_and_what_pads_contexts_say_it() {
        let rows = |asked, padding| Alphabet::find("abcd", 4, asked, padding).map(|alphabet| alphabet.rows.start);
        assert_eq!(rows(Some("c"), None).unwrap(), 2);
        assert_eq!(rows(None, Some(1)).unwrap(), 1);
        assert_eq!(Alphabet::find("ab\n", 3, Some("\\n"), None).unwrap().rows.start, 2);
        assert!(rows(Some("x"), None).is_err() && rows(None, None).is_err());
        let alphabet = Alphabet::find("abc.", 4, None, Some(0)).unwrap();
        assert!(alphabet.rows.start == 3 && alphabet.notes[1].contains("padded with \"a\""), "{alphabet:?}");
    }

    #[test]
    fn rows_are_kept_in_the_recipe() {
        let rows = Rows { len: 5, start: 4, end: 1 };
        assert_eq!((rows.read(), rows.predicted()), (vec![4, 0, 2, 3], vec![1, 0, 2, 3]));
        let recipe = serde_json::json!({ "rows": rows.to_json() }).to_string();
        assert_eq!(Rows::of_recipe(&recipe), Some(rows));
        assert_eq!(Rows::of_recipe("{}"), None);
        assert_eq!(Rows::of_recipe(r#"{"rows":[3,3,0]}"#), None);
    }
}
