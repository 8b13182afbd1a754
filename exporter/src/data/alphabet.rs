//! Describes the characters of a list or a model to a user: their number, the invisible ones, and the normal form.

use std::collections::BTreeMap;

use runtime::PromptError;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};

use super::looks::{is_line_separator, split_at};

/// Most characters of an alphabet that are shown.
const SHOWN: usize = 100;

/// Returns the number and the characters of an alphabet in one line, in the order of their code points.
///
/// Characters that are invisible by themselves are written as U+XXXX.
pub fn describe(characters: impl IntoIterator<Item = char>) -> String {
    let mut characters: Vec<char> = characters.into_iter().collect();
    characters.sort_unstable();
    characters.dedup();
    let (shown, more) = characters.split_at(characters.len().min(SHOWN));
    let mut text = format!("{} characters: {}", characters.len(), spelled(shown));
    if !more.is_empty() {
        text += &format!(" and {} more", more.len());
        let hidden: Vec<char> = more.iter().copied().filter(|&character| is_invisible(character)).collect();
        if !hidden.is_empty() {
            let (hidden, rest) = hidden.split_at(hidden.len().min(SHOWN / 4));
            text += &format!(", among them {}", spelled(hidden));
            if !rest.is_empty() {
                text += &format!(" and {} other invisible ones", rest.len());
            }
        }
    }
    text
}

/// Returns the characters side by side, with blanks around invisible ones, which are written as U+XXXX.
fn spelled(characters: &[char]) -> String {
    let mut groups: Vec<String> = Vec::new();
    let mut glue = false;
    for &character in characters {
        let invisible = is_invisible(character);
        match groups.last_mut() {
            Some(group) if glue && !invisible => group.push(character),
            _ => groups.push(if invisible { code(character) } else { character.to_string() }),
        }
        glue = !invisible;
    }
    groups.join(" ")
}

/// Returns a character's code point in Unicode's notation, U+XXXX.
pub fn code(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}

/// Returns whether a character is invisible by itself: a blank, a control, format, combining or unassigned character.
fn is_invisible(character: char) -> bool {
    use GeneralCategoryGroup::{Mark, Other, Separator};
    matches!(character.general_category_group(), Separator | Mark | Other)
}

/// Names of invisible characters that are often in lists by mistake.
const NAMES: [(char, &str); 24] = [
    ('\t', "tab"),
    ('\u{b}', "vertical tab"),
    ('\u{c}', "form feed"),
    ('\u{1b}', "escape, as in terminal colours"),
    ('\u{7f}', "delete"),
    ('\u{85}', "next line"),
    ('\u{ad}', "soft hyphen"),
    ('\u{61c}', "Arabic letter mark"),
    ('\u{200b}', "zero width space"),
    ('\u{200c}', "zero width non-joiner"),
    ('\u{200d}', "zero width joiner"),
    ('\u{200e}', "left-to-right mark"),
    ('\u{200f}', "right-to-left mark"),
    ('\u{2028}', "line separator"),
    ('\u{2029}', "paragraph separator"),
    ('\u{202a}', "left-to-right embedding"),
    ('\u{202b}', "right-to-left embedding"),
    ('\u{202c}', "end of an embedding"),
    ('\u{2060}', "word joiner"),
    ('\u{2066}', "left-to-right isolate"),
    ('\u{2067}', "right-to-left isolate"),
    ('\u{2069}', "end of an isolate"),
    ('\u{feff}', "byte-order mark"),
    ('\u{fffd}', "replacement character, left by a wrong conversion"),
];

/// Returns a character's code point, and its name or category if known.
fn named(character: char) -> String {
    let name = NAMES.iter().find(|&&(known, _)| known == character).map(|&(_, name)| name);
    let name = name.or(match character.general_category() {
        GeneralCategory::Control => Some("control character"),
        GeneralCategory::Format => Some("format character"),
        GeneralCategory::PrivateUse => Some("private use"),
        GeneralCategory::Unassigned => Some("unassigned"),
        _ => None,
    });
    name.map_or(code(character), |name| format!("{} ({name})", code(character)))
}

/// Returns whether no word needs the character at `at`: it is a control or format character outside the scripts that
/// use it, or the replacement character of a wrong conversion.
fn is_stray(word: &[char], at: usize) -> bool {
    let is_base = |&character: &char| !is_joiner(character) && character.script() != Script::Inherited;
    let before = word[..at].iter().rev().copied().find(is_base);
    match word[at] {
        '\u{fffd}' => true,
        // Joiners choose the forms of letters in scripts that join letters, and they join emoji.
        character if is_joiner(character) => !before.is_some_and(joins),
        // The zero width space separates words in scripts that are written without blanks.
        '\u{200b}' => !before.is_some_and(|before| {
            matches!(before.script(), Script::Thai | Script::Lao | Script::Khmer | Script::Myanmar | Script::Tibetan)
        }),
        // Tag characters spell the flags of England, Scotland and Wales.
        '\u{e0020}'..='\u{e007f}' => !before.is_some_and(|before| before.is_emoji_char() || before > '\u{e0000}'),
        // These format characters are visible: signs before numbers in Arabic, Syriac and Kaithi.
        '\u{600}'..='\u{605}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{890}'
        | '\u{891}'
        | '\u{8e2}'
        | '\u{110bd}'
        | '\u{110cd}' => false,
        '\u{180e}' => before.is_none_or(|before| before.script() != Script::Mongolian),
        character => matches!(
            character.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        ),
    }
}

fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// Returns whether a joiner may follow a character: an emoji, or a letter of a script whose letters change when joined.
fn joins(character: char) -> bool {
    let latin_like = [Script::Latin, Script::Greek, Script::Cyrillic, Script::Hebrew, Script::Han, Script::Common];
    (character.is_emoji_char() && !character.is_ascii()) || !latin_like.contains(&character.script())
}

/// Unusual characters in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// Number of words that have each stray character; [`is_stray`] says which characters are stray.
    stray: BTreeMap<char, usize>,
    /// First word with a stray character, escaped as in Rust.
    example: String,
    /// Number of words with a combining sequence for which Unicode has one character, and the first such word.
    decomposed: Option<(usize, String)>,
    /// Number of words with characters that can be decomposed.
    composed: usize,
}

impl Oddities {
    /// Examines all words.
    pub fn of(words: &[String]) -> Self {
        let mut found = Self::default();
        for word in words {
            if word.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
                continue;
            }
            let characters: Vec<char> = word.chars().collect();
            let mut stray: Vec<char> =
                (0..characters.len()).filter(|&at| is_stray(&characters, at)).map(|at| characters[at]).collect();
            stray.sort_unstable();
            stray.dedup();
            if found.stray.is_empty() && !stray.is_empty() {
                found.example = word.escape_debug().to_string();
            }
            for character in stray {
                *found.stray.entry(character).or_default() += 1;
            }
            if is_decomposed(word) {
                let (number, _) = found.decomposed.get_or_insert_with(|| (0, word.clone()));
                *number += 1;
            } else if word.nfd().count() > characters.len() {
                found.composed += 1;
            }
        }
        found
    }

    /// Returns a line for each kind of oddity, without the name of the list.
    pub fn notes(&self) -> Vec<String> {
        [self.separators(), self.invisible(), self.forms()].into_iter().flatten().collect()
    }

    /// Returns the stray characters that pass `is_such`, and a text with the number of words that have each.
    fn listed(&self, is_such: impl Fn(char) -> bool) -> Option<(Vec<char>, String)> {
        let found: Vec<_> = self.stray.iter().filter(|&(&character, _)| is_such(character)).collect();
        const MOST: usize = 5;
        let words = |n: usize| if n == 1 { "1 word".to_owned() } else { format!("{n} words") };
        let mut parts: Vec<String> =
            found.iter().take(MOST).map(|&(&character, &n)| format!("{} in {}", named(character), words(n))).collect();
        if found.len() > MOST {
            parts.push(format!("{} others", found.len() - MOST));
        }
        let characters: Vec<char> = found.iter().map(|&(&character, _)| character).collect();
        (!found.is_empty()).then(|| (characters, parts.join(", ")))
    }

    fn separators(&self) -> Option<String> {
        let (characters, listed) = self.listed(is_line_separator)?;
        let command = split_at(&characters);
        Some(format!("line separators within a line: {listed}; `{command}` turns them into line feeds"))
    }

    fn invisible(&self) -> Option<String> {
        // Tabs separate columns, and the note on tables names them.
        let (characters, listed) = self.listed(|character| !is_line_separator(character) && character != '\t')?;
        let codes: String = characters.iter().map(|&character| format!("\\x{{{:x}}}", u32::from(character))).collect();
        let command = match characters.contains(&'\u{1b}') {
            true => r"perl -CSD -pe 's/\e\[[0-9;]*[A-Za-z]//g' IN > OUT".to_owned(),
            false => format!("perl -CSD -pe 's/[{codes}]//g' IN > OUT"),
        };
        Some(format!(
            "invisible characters: {listed}, such as \"{}\"; the model would learn them; \
             `{command}` removes them",
            self.example
        ))
    }

    fn forms(&self) -> Option<String> {
        let (number, word) = self.decomposed.as_ref()?;
        let (sequence, composed) = first_sequence(word)?;
        let sequence: Vec<String> = sequence.iter().map(|&character| code(character)).collect();
        let mixed = match self.composed {
            0 => String::new(),
            n => format!(", while {n} words have composed characters"),
        };
        Some(format!(
            "{number} words have combining sequences (NFD), such as {} for {composed} ({}){mixed}; prompts must be \
             written in the same way, and `perl -CSD -MUnicode::Normalize -pe '$_=NFC($_)' IN > OUT` composes them",
            sequence.join(" "),
            code(composed),
        ))
    }
}

/// Returns whether a word has a combining sequence for which Unicode has one character.
///
/// Korean letters that form a syllable do not count: with letters instead of syllables, a model needs fewer tokens.
fn is_decomposed(word: &str) -> bool {
    first_sequence(word).is_some()
}

/// Returns the first combining sequence for which Unicode has one character, and that character.
fn first_sequence(word: &str) -> Option<(Vec<char>, char)> {
    let mut sequence: Vec<char> = Vec::new();
    for character in word.chars().chain(['a']) {
        if character.general_category_group() == GeneralCategoryGroup::Mark {
            sequence.push(character);
            continue;
        }
        if sequence.len() > 1 {
            let composed: Vec<char> = sequence.iter().copied().nfc().collect();
            if composed.len() < sequence.len() {
                return Some((sequence, composed[0]));
            }
        }
        sequence = vec![character];
    }
    None
}

/// Explains why a model with this vocabulary cannot read a text: names the character's code point, and the text in the
/// other normal form if the vocabulary has its characters.
pub fn explain(error: &PromptError, text: &str, vocab: &str) -> String {
    let PromptError::UnknownCharacter { character } = *error else { return error.to_string() };
    // Letters of different scripts may look the same; their code points differ.
    let missing =
        if character.is_ascii_graphic() { error.to_string() } else { format!("{error} ({})", code(character)) };
    let is_known = |text: &str| text.chars().all(|character| vocab.chars().skip(1).any(|known| known == character));
    let forms = [("NFD", text.nfd().collect::<String>()), ("NFC", text.nfc().collect::<String>())];
    match forms.iter().find(|(_, form)| form != text && is_known(form)) {
        Some((name, form)) => {
            format!("{missing}; the vocabulary spells this word {} ({name}): write it in that form", codes(form))
        }
        None => missing,
    }
}

/// Returns a text with every character outside ASCII as a code point: `Zoe U+0308`.
fn codes(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut parts: Vec<String> = Vec::new();
    for &character in &characters {
        let is_plain = character.is_ascii_graphic();
        match parts.last_mut() {
            Some(last) if is_plain && !last.starts_with("U+") => last.push(character),
            _ if is_plain => parts.push(character.to_string()),
            _ => parts.push(code(character)),
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(words: &[&str]) -> Vec<String> {
        Oddities::of(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()).notes()
    }

    #[test]
    fn an_alphabet_shows_what_is_invisible() {
        assert_eq!(describe("zoe".chars()), "3 characters: eoz");
        assert_eq!(describe("a\u{200b}b c\u{301}".chars()), "6 characters: U+0020 abc U+0301 U+200B");
        let long = describe(('一'..).take(300).chain(['\u{e0020}']));
        assert!(
            long.starts_with("301 characters: 一丁") && long.ends_with(" and 201 more, among them U+E0020"),
            "{long}"
        );
    }

    #[test]
    fn stray_characters_are_named() {
        let found = notes(&["em\u{200b}ma", "zo\u{ad}e", "a\u{ad}b"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("U+00AD (soft hyphen) in 2 words, U+200B (zero width space) in 1 word"), "{found:?}");
        assert!(
            found[0].contains(r#"such as "em\u{200b}ma""#) && found[0].contains(r"s/[\x{ad}\x{200b}]//g"),
            "{found:?}"
        );
        assert!(notes(&["\u{1b}[31manna\u{1b}[0m"])[0].contains(r"s/\e\["));
        assert!(notes(&["\u{200f}אבי"])[0].contains("right-to-left mark"));
        assert!(notes(&["anna\u{2028}emma"])[0].contains(r"s/[\x{2028}]/\n/g"));
        assert!(notes(&["auf\u{200c}lage"])[0].contains("U+200C"), "Latin letters do not join");
    }

    #[test]
    fn scripts_keep_what_they_need() {
        // Persian, Hindi, Bengali, Khmer, Mongolian, a family, a flag; phrases and formulas.
        let words = [
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "র\u{200d}্য",
            "ភាសា\u{200b}ខ្មែរ",
            "\u{1820}\u{180e}\u{1820}",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{2764}\u{fe0f}\u{200d}\u{1f525}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e007f}",
            "O'Neil-Smith Jr.",
            "l\u{2019}île",
            "H₂SO₄",
            "東京",
            "한국",
        ];
        assert_eq!(notes(&words), Vec::<String>::new());
    }

    #[test]
    fn normal_forms_are_named() {
        let found = notes(&["Zoe\u{308}", "José"]);
        assert!(
            found[0].contains("1 words have combining sequences (NFD), such as U+0065 U+0308 for ë (U+00EB), while 1")
        );
        assert_eq!(notes(&["Zoë", "ọ̀ṣun", "\u{1112}\u{1161}\u{11ab}"]), Vec::<String>::new());
        let unknown = PromptError::UnknownCharacter { character: 'ë' };
        let message = explain(&unknown, "Zoë", ".Zoe\u{308}");
        assert!(message.contains("(U+00EB)") && message.contains("Zoe U+0308 (NFD)"), "{message}");
        assert!(!explain(&unknown, "Zoë", ".Zoe").contains("NFD"));
        let mark = PromptError::UnknownCharacter { character: '\u{308}' };
        assert!(explain(&mark, "Zoe\u{308}", ".Zoë").contains("Zo U+00EB (NFC)"));
    }
}
