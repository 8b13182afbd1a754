//! Distinguishes tables, JSON and decorated lists from plain lists of words.
//!
//! Words may have blanks, commas, hyphens and digits, too, so most lines must look alike before a list is taken for
//! another kind of file.

use std::fmt;

/// Number of lines that are examined.
const LINES: usize = 10_000;

/// Kind of file that a list looks like, and the command that makes a plain list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Kind of file, with its article: `a table with commas`.
    pub what: String,
    /// Command that reads the file IN and writes the plain list OUT.
    pub command: String,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "looks like {}; `{}` makes a plain list", self.what, self.command)
    }
}

impl Look {
    fn new(what: impl Into<String>, command: impl Into<String>) -> Self {
        Self { what: what.into(), command: command.into() }
    }

    /// Returns the kind of file that the lines look like; `None` for a plain list.
    pub fn of(lines: &[String]) -> Option<Self> {
        let lines: Vec<&str> = lines.iter().take(LINES).map(String::as_str).collect();
        if lines.is_empty() {
            return None;
        }
        json(&lines)
            .or_else(|| markup(&lines))
            .or_else(|| numbered(&lines))
            .or_else(|| table(&lines))
            .or_else(|| columns(&lines))
            .or_else(|| counted(&lines))
            .or_else(|| bulleted(&lines))
            .or_else(|| hunspell(&lines))
            .or_else(|| quoted(&lines))
            .or_else(|| ended(&lines))
            .or_else(|| commented(&lines))
            .or_else(|| many_in_a_line(&lines))
    }

    /// Returns the kind of list that one line looks like if it has a whole list in it.
    pub fn of_one_line(line: &str) -> Option<Self> {
        const SEPARATORS: [(char, &str, &str); 6] = [
            ('\r', "carriage returns", r"\r"),
            ('\t', "tabs", r"\t"),
            (';', "semicolons", ";"),
            ('|', "bars", "|"),
            (',', "commas", ","),
            (' ', "blanks", " "),
        ];
        let number = |separator: char| line.matches(separator).count();
        let brackets = line.starts_with(['[', '{']) && line.contains('"');
        if brackets && number(',') >= 2 {
            return Some(Self::new("JSON", "jq -r '.[]' IN > OUT"));
        }
        if let Some(separator) = line.chars().find(|&character| is_line_separator(character)) {
            let code = format!("U+{:04X}", u32::from(separator));
            let what = format!("one line of words with {code} between them");
            return Some(Self::new(what, split_at(&[separator])));
        }
        let (separator, name, code) = SEPARATORS.into_iter().find(|&(separator, ..)| number(separator) >= 5)?;
        let what = format!("one line of words with {} {name} between them", number(separator));
        Some(Self::new(what, format!("tr '{code}' '\\n' < IN > OUT")))
    }
}

/// Returns whether a character ends lines in some programs, though not in a word list.
pub fn is_line_separator(character: char) -> bool {
    matches!(character, '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns the command that turns these characters into line feeds.
pub fn split_at(separators: &[char]) -> String {
    let codes: String = separators.iter().map(|&character| format!("\\x{{{:x}}}", u32::from(character))).collect();
    format!("perl -CSD -pe 's/[{codes}]/\\n/g' IN > OUT")
}

/// Returns whether at least `percent` of the lines pass `is_such`.
fn most(lines: &[&str], percent: usize, is_such: impl Fn(&str) -> bool) -> bool {
    100 * lines.iter().filter(|line| is_such(line)).count() >= percent * lines.len()
}

fn json(lines: &[&str]) -> Option<Look> {
    let (first, last) = (*lines.first()?, *lines.last()?);
    let is_string = |line: &str| line.starts_with('"') && line.trim_end_matches(',').ends_with('"');
    let is_array = first.starts_with('[') && last.ends_with(']') && (lines.len() > 1 || first.contains('"'));
    let is_object = first.starts_with('{') && last.ends_with('}') && (lines.len() > 1 || first.contains('"'));
    let inner = lines.get(1..lines.len() - 1).unwrap_or_default();
    let has_objects = most(lines, 60, |line| line.starts_with('{') && line.trim_end_matches(',').ends_with('}'));
    let is_member = |line: &str| line.contains("\":") || ["{", "}", "},"].contains(&line);
    match () {
        () if is_array && inner.len() > 1 && most(inner, 90, is_member) => {
            Some(Look::new("JSON", "jq -r '.[].NAME' IN > OUT"))
        }
        () if has_objects && lines.len() > 1 => Some(Look::new("JSON", "jq -r '.NAME' IN > OUT")),
        () if is_array && (first.contains('"') || most(inner, 60, is_string)) => {
            Some(Look::new("JSON", "jq -r '.[]' IN > OUT"))
        }
        () if is_object && most(inner, 60, |line| line.contains("\":")) => {
            Some(Look::new("JSON", "jq -r 'keys[]' IN > OUT"))
        }
        () => None,
    }
}

fn markup(lines: &[&str]) -> Option<Look> {
    let is_tag = |line: &str| line.starts_with('<') && line.contains('>');
    let begins = lines.first().is_some_and(|first| is_tag(first));
    (begins && most(lines, 30, is_tag)).then(|| Look::new("HTML or XML", "sed 's/<[^>]*>//g' IN > OUT"))
}

/// Returns the number that a line begins with, and what follows it.
fn leading_number(line: &str) -> Option<(usize, &str)> {
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    Some((line[..digits].parse().ok()?, &line[digits..]))
}

fn numbered(lines: &[&str]) -> Option<Look> {
    let numbers: Vec<usize> = lines
        .iter()
        .filter_map(|line| leading_number(line))
        .filter(|(_, rest)| {
            let word = rest.trim_start_matches(['.', ')', ':']);
            word.starts_with(char::is_whitespace) && !word.trim().is_empty()
        })
        .map(|(number, _)| number)
        .collect();
    let steps = numbers.windows(2).filter(|pair| pair[0].checked_add(1) == Some(pair[1])).count();
    let is_numbered = numbers.len() >= 3 && 100 * (steps + 1) >= 80 * lines.len();
    is_numbered.then(|| Look::new("numbered lines", "sed 's/^[[:space:]]*[0-9]*[.):]*[[:space:]]*//' IN > OUT"))
}

/// Character that separates the columns of a table.
struct Separator {
    character: char,
    name: &'static str,
    /// The option that tells `cut` the separator.
    option: &'static str,
    /// Percentage of the lines that must have the same number of separators.
    percent: usize,
}

const SEPARATORS: [Separator; 6] = [
    Separator { character: '\t', name: "tabs", option: "", percent: 60 },
    Separator { character: ';', name: "semicolons", option: " -d';'", percent: 60 },
    Separator { character: '|', name: "bars", option: " -d'|'", percent: 60 },
    Separator { character: ',', name: "commas", option: " -d,", percent: 60 },
    Separator { character: ':', name: "colons", option: " -d:", percent: 90 },
    Separator { character: '=', name: "equals signs", option: " -d=", percent: 90 },
];

impl Separator {
    /// Returns the number of separators in a line that are between columns.
    fn columns(&self, line: &str) -> usize {
        let characters: Vec<char> = line.chars().collect();
        let is_between = |at: usize| {
            let neighbours = [at.checked_sub(1).map(|at| characters[at]), characters.get(at + 1).copied()];
            let digits = neighbours.iter().all(|side| side.is_some_and(|side| side.is_ascii_digit()));
            match self.character {
                // These have commas, but are words: "Miller, Mr.", "hello, world", "2,4-xylenol", "N,N-xylidine".
                ',' => {
                    let same = neighbours[0].is_some_and(char::is_alphabetic) && neighbours[0] == neighbours[1];
                    neighbours[1].is_some_and(|next| next != ' ') && !digits && !same
                }
                // These have colons, but are words: "Psalm 23:1", "https://...".
                ':' => !digits && !matches!(neighbours[1], Some(' ' | '/')),
                _ => true,
            }
        };
        (0..characters.len()).filter(|&at| characters[at] == self.character && is_between(at)).count()
    }
}

fn table(lines: &[&str]) -> Option<Look> {
    // A single line may have a whole list: `of_one_line` examines it.
    if lines.len() < 2 {
        return None;
    }
    SEPARATORS
        .iter()
        .find_map(|separator| {
            let mut counts: Vec<usize> = lines.iter().map(|line| separator.columns(line)).collect();
            counts.sort_unstable();
            let most_frequent = counts.chunk_by(|a, b| a == b).max_by_key(|chunk| chunk.len())?;
            let is_table = most_frequent[0] > 0 && 100 * most_frequent.len() >= separator.percent * lines.len();
            is_table.then(|| table_of(lines, separator))
        })
        // "emma, F, 12": words may have one comma before a blank, but hardly several, and the same number in each line.
        .or_else(|| {
            let commas = |line: &str| line.matches(',').count();
            let number = commas(lines[0]);
            let is_table = number > 1 && most(lines, 90, |line| commas(line) == number);
            SEPARATORS
                .iter()
                .find(|separator| is_table && separator.character == ',')
                .map(|commas| table_of(lines, commas))
        })
}

/// Describes a table whose words are in the first column that is not numeric.
fn table_of(lines: &[&str], separator: &Separator) -> Look {
    let cells = |line: &str| -> Vec<String> {
        line.split(separator.character).map(|cell| cell.trim_matches(['"', '\'', ' ']).to_owned()).collect()
    };
    let rows: Vec<Vec<String>> = lines.iter().map(|line| cells(line)).collect();
    let width = rows.iter().map(Vec::len).max().unwrap_or(1);
    let is_number = |cell: &str| cell.is_empty() || cell.parse::<f64>().is_ok();
    let share = |column: usize, rows: &[Vec<String>]| {
        let numbers = rows.iter().filter(|row| row.get(column).is_none_or(|cell| is_number(cell))).count();
        numbers as f64 / rows.len().max(1) as f64
    };
    let column = (0..width).find(|&column| share(column, &rows) < 0.5).unwrap_or(0);
    const HEADINGS: [&str; 8] = ["name", "names", "word", "words", "first_name", "firstname", "last_name", "id"];
    let is_heading = |(column, cell): (usize, &String)| {
        let names_a_column = HEADINGS.contains(&cell.to_lowercase().as_str());
        names_a_column || (!is_number(cell) && share(column, &rows[1..]) > 0.9)
    };
    let has_heading = rows.len() > 1 && rows[0].iter().enumerate().any(is_heading);
    let mut command = format!("cut{} -f{} IN", separator.option, column + 1);
    if has_heading {
        command += " | tail -n +2";
    }
    if most(lines, 30, |line| line.contains('"')) {
        command += " | tr -d '\"'";
    }
    Look::new(format!("a table with {}", separator.name), command + " > OUT")
}

fn columns(lines: &[&str]) -> Option<Look> {
    let is_aligned = lines.len() > 1 && most(lines, 60, |line| line.contains("  "));
    is_aligned.then(|| Look::new("a table with blanks between its columns", "awk '{print $1}' IN > OUT"))
}

/// Recognises words with counts, the most frequent first. The count is before the word, as `uniq -c` writes it, or
/// after.
fn counted(lines: &[&str]) -> Option<Look> {
    let falls = |numbers: Vec<usize>| {
        let order = numbers.windows(2).filter(|pair| pair[1] <= pair[0]).count();
        numbers.len() >= 3 && 100 * (order + 1) >= 95 * lines.len() && numbers.first() > numbers.last()
    };
    let before = lines.iter().filter_map(|line| leading_number(line)).filter(|(_, rest)| rest.starts_with(' '));
    let behind = lines.iter().filter_map(|line| line.rsplit_once(' ')?.1.parse().ok());
    if falls(before.map(|(number, _)| number).collect()) {
        return Some(Look::new("words with counts", "sed 's/^ *[0-9]* *//' IN > OUT"));
    }
    falls(behind.collect()).then(|| Look::new("words with counts", "sed 's/ *[0-9]*$//' IN > OUT"))
}

fn bulleted(lines: &[&str]) -> Option<Look> {
    let is_item = |line: &str| ["- ", "* ", "+ ", "\u{2022} ", "\u{2022}"].iter().any(|item| line.starts_with(item));
    most(lines, 60, is_item)
        .then(|| Look::new("a list with bullets", "sed -E 's/^ *(-|\\*|\\+|\u{2022}) *//' IN > OUT"))
}

fn hunspell(lines: &[&str]) -> Option<Look> {
    let (first, words) = lines.split_first()?;
    let is_number = first.bytes().all(|byte| byte.is_ascii_digit());
    let is_dictionary = is_number && !words.is_empty() && most(words, 20, |line| line.contains('/'));
    is_dictionary.then(|| Look::new("a dictionary of Hunspell", "tail -n +2 IN | cut -d/ -f1 > OUT"))
}

fn quoted(lines: &[&str]) -> Option<Look> {
    let is_quoted = |line: &str| {
        let line = line.trim_end_matches(',');
        line.len() >= 2 && ['"', '\''].iter().any(|&quote| line.starts_with(quote) && line.ends_with(quote))
    };
    most(lines, 60, is_quoted).then(|| {
        let quote = if lines.iter().any(|line| line.contains('"')) { "'\",'" } else { "\"',\"" };
        Look::new("words in quotation marks", format!("tr -d {quote} < IN > OUT"))
    })
}

fn ended(lines: &[&str]) -> Option<Look> {
    most(lines, 60, |line| line.ends_with([',', ';']))
        .then(|| Look::new("lines that end with separators", "sed 's/[,;][[:space:]]*$//' IN > OUT"))
}

fn commented(lines: &[&str]) -> Option<Look> {
    ["#", "//", "--"].iter().find_map(|sign| {
        let is_comment = |line: &str| line.starts_with(sign) && line.len() > sign.len();
        let comments = lines.iter().filter(|line| is_comment(line)).count();
        // Words that begin with the sign, such as hashtags, are more frequent than comments and not only at the top.
        let has_sentence = *sign == "#" && lines.iter().any(|line| line.starts_with("# "));
        let is_commented = comments > 0 && 2 * comments < lines.len() && (is_comment(lines[0]) || has_sentence);
        is_commented.then(|| Look::new("a list with comments", format!("grep -v '^{sign}' IN > OUT")))
    })
}

fn many_in_a_line(lines: &[&str]) -> Option<Look> {
    let words = |line: &str| line.split(' ').filter(|word| !word.is_empty()).count();
    most(lines, 60, |line| words(line) >= 20)
        .then(|| Look::new("lines of many words", "tr -s '[:space:]' '\\n' < IN > OUT"))
}
