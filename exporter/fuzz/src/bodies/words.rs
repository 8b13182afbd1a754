//! Reads arbitrary bytes as a word list.

use crate::data::alphabet::describe;
use crate::data::{DataError, Examples, MAX_WORD_CHARS, MIN_WORDS, Words};
use runtime::Vocab;

/// Reads the bytes as a list and prepares it as a training does; returns the number of words.
pub fn words(bytes: &[u8]) -> Result<usize, DataError> {
    let list = Words::from_bytes("list", bytes);
    if let Err(error) = &list {
        let text = error.to_string();
        assert!(text.starts_with("list") && !text.contains('\n'), "{text}");
    }
    let mut list = list?;
    for word in &list.words {
        assert!(!word.is_empty() && word.trim() == word && word.chars().count() <= MAX_WORD_CHARS);
        assert!(!word.contains('\n'));
    }
    for note in list.notes() {
        assert!(!note.is_empty() && !note.contains(char::is_control), "{note:?}");
    }
    let shown = describe(list.words.iter().flat_map(|word| word.chars()));
    assert!(!shown.contains(char::is_control), "{shown:?}");
    let mut common = list.clone();
    let dropped = common.keep_commonest(20);
    assert_eq!(common.words.len() + dropped, list.words.len());
    let (count, twice) = (list.words.len(), list.duplicates());
    if let Ok(vocab) = list.vocab() {
        let vocab = Vocab::new(&vocab).expect("a vocabulary that a model takes");
        let some = &list.words[..count.min(8)];
        let examples = Examples::new("list", some, vocab, 3).expect("characters of its own vocabulary");
        assert_eq!(examples.len(), some.iter().map(|word| word.chars().count() + 1).sum::<usize>());
        assert_eq!(examples.contexts.len(), 3 * examples.targets.len());
    }
    match list.split() {
        Ok(split) => assert_eq!(split.train.len() + split.dev.len() + split.test.len(), count),
        Err(_) => assert!(count < MIN_WORDS),
    }
    assert_eq!((list.dedup(), list.duplicates()), (twice, 0));
    // A list that is written and read again is the same list. After an empty line, its first word is never the first
    // bytes of another kind of file.
    let again = Words::from_bytes("again", format!("\r\n{}", list.words.join("\r\n")).as_bytes());
    assert_eq!(again.expect("words of a list").words, list.words);
    Ok(count)
}
