//! The patterns that `docs/change/language.md` bans, each with what to write instead.

use regex::Regex;

use crate::prose::Line;

/// Most characters of a line in a document or a comment.
pub const WIDTH: usize = 120;

/// A word or construction that is not used here.
pub struct Pattern {
    /// Name in reports.
    pub name: &'static str,
    /// What to write instead.
    pub instead: &'static str,
    regex: Regex,
    /// Matches that are plain English.
    except: Option<Regex>,
    /// True where only the first line of a doc comment is searched.
    opens_doc: bool,
}

/// Name, regular expression, exceptions and replacement of each pattern that is banned everywhere.
const ANYWHERE: [(&str, &str, &str, &str); 15] = [
    ("stands", r"\b(stands?|stood|standing)\b", r"\bstands? for\b", "is in, is"),
    ("behind", r"\bbehind\b", r"\bbehind (a|an|its|the|this) ([\w]+ )?(feature|pointer|reference|trait)", "after"),
    ("gives", r"\b(gives?|gave|giving)\b", "", "returns, prints, shows"),
    ("anew", r"\banew\b", "", "again"),
    ("alone", r"\balone\b", r"\blet alone\b", "only, by itself"),
    ("but for", r"\bbut for\b", "", "without, except"),
    ("in time", r"\bin time\b", "", "before, soon enough"),
    ("of no meaning", r"\bof no meaning\b", "", "unspecified"),
    ("as many as", r"\bas (many|much) as\b", "", "the number of"),
    ("of what", r"\b(of|from|by|to|with|in|for|on|at|than|into) what\b", "", "name the noun"),
    ("what-clause", r"(^|[.;:] )(?-i:What) [^?]*$", "", "name the noun"),
    ("that which", r"\b(that|those) which\b|\bthose that\b|\bone that has\b", "", "name the noun"),
    ("besides", r"\bbesides\b", "", "in addition, also, except"),
    ("nobody", r"\b(nobody|whoever)\b", "", "no one"),
    ("of which", r"\bof which\b", "", "two sentences"),
];

/// First words of a doc comment that are neither a verb nor a noun.
const NO_OPENING: &str = "^(What|That|Those|As|Of|Whether|So|Such|How|Where|Which|Who|Whose|When|Why|If|For|With|Without|\
                          From|In|Into|On|At|By|To|Like|Not|None|Nothing|The same|One that|All that|Everything|Anything)\\b";

/// Returns all patterns.
pub fn all() -> Vec<Pattern> {
    let regex = |text: &str| Regex::new(&format!("(?i){text}")).expect("a regular expression");
    let anywhere = ANYWHERE.into_iter().map(|(name, banned, except, instead)| Pattern {
        name,
        instead,
        regex: regex(banned),
        except: (!except.is_empty()).then(|| regex(except)),
        opens_doc: false,
    });
    let opening = Pattern {
        name: "first line",
        instead: "a verb in the third person, or a noun",
        regex: regex(NO_OPENING),
        except: None,
        opens_doc: true,
    };
    anywhere.chain([opening]).collect()
}

impl Pattern {
    /// Returns the number of times that a line breaks the rule.
    pub fn count(&self, line: &Line) -> usize {
        if self.opens_doc && !line.opens_doc {
            return 0;
        }
        let text = self.except.as_ref().map_or(line.text.as_str().into(), |except| except.replace_all(&line.text, ""));
        self.regex.find_iter(&text).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_is_found_and_its_english_twin_is_not() {
        let count = |text: &str| {
            let line = Line { number: 1, text: text.to_owned(), opens_doc: true, width: 0 };
            all().iter().map(|pattern| pattern.count(&line)).sum::<usize>()
        };
        for text in [
            "It stands in the file.",
            "The word stood first",
            "Padding behind it",
            "Returns values that the level gives.",
            "Laid out anew",
            "In the kernels alone",
            "A line but for its end",
            "Found in time",
            "A value of no meaning",
            "Has as many as it needs",
            "Bytes of what was read",
            "Returns it. What is left is noise",
            "Counts those which fit",
            "Also besides",
            "Known to nobody",
            "Rows, two of which are empty",
            "What a row has",
            "Whether it fits",
            "The same for i4",
        ] {
            assert!(count(text) > 0, "{text}");
        }
        for text in [
            "Returns the ring's oldest entry.",
            "Rows after the last one, which stands for the boundary.",
            "Asks: what fits? What else?",
            "The given length",
            "A method behind its own feature",
            "A standalone program, let alone two",
        ] {
            assert_eq!(count(text), 0, "{text}");
        }
    }
}
