//! Tests word lists: reading, refused files, and the lecture's split.

use std::io::Write;
use std::path::Path;

use exporter::data::{DataError, Examples, SplitRule, Words, hex};
use runtime::Vocab;
use sha2::{Digest, Sha256};

fn read(bytes: &[u8]) -> Result<Words, DataError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Words::read(file.path())
}

#[test]
fn lines_become_words() {
    let words = read("\u{feff}emma\r\n\r\n  Zoë \n\nemma\nmary ann".as_bytes()).unwrap();
    assert_eq!(words.words, ["emma", "Zoë", "emma", "mary ann"]);
    assert_eq!(words.duplicates(), 1);
    assert_eq!(words.vocab().unwrap(), ". Zaemnoryë");
    let mut words = words;
    assert_eq!(words.dedup(), 1);
    assert_eq!(words.words, ["emma", "Zoë", "mary ann"]);
}

#[test]
fn files_of_another_kind_are_refused() {
    let text = |result: Result<Words, DataError>| result.unwrap_err().to_string();
    assert!(text(Words::read(Path::new("/no/such/file"))).contains("/no/such/file"));
    assert!(text(read(b"emma\nol\xffvia\n")).contains("line 2: not UTF-8"));
    assert!(text(read(&[b'a'; 5000])).contains("line 1: more than 1024 characters"));
    assert!(text(read(&vec![0xff; 10_000_000])).contains("line 1: more than 1024 characters"));
    assert_eq!(read("é".repeat(1024).as_bytes()).unwrap().words.len(), 1);
}

#[test]
fn the_vocabulary_has_2_to_255_characters() {
    let list = |characters: usize| {
        let text: String = ('一'..).take(characters).flat_map(|character| [character, '\n']).collect();
        read(text.as_bytes()).unwrap().vocab()
    };
    assert!(list(1).unwrap_err().to_string().contains("1 distinct characters"));
    assert_eq!(list(2).unwrap(), ".一丁");
    assert_eq!(list(255).unwrap().chars().count(), 256);
    assert!(list(256).unwrap_err().to_string().contains("256 distinct characters; a model takes 2 to 255"));
}

#[test]
fn short_lists_cannot_be_split() {
    let list = |n: usize| read("ab\n".repeat(n).as_bytes()).unwrap().split();
    assert!(list(0).unwrap_err().to_string().contains("has 0 words"));
    assert!(list(9).is_err());
    let split = list(10).unwrap();
    assert_eq!((split.train.len(), split.dev.len(), split.test.len()), (8, 1, 1));
}

#[test]
fn examples_are_the_lectures() {
    let words = ["emma".to_owned()];
    let vocab = Vocab::new(".aem").unwrap();
    let examples = Examples::new("list", &words, vocab, 3).unwrap();
    assert_eq!(examples.contexts, [0, 0, 0, 0, 0, 2, 0, 2, 3, 2, 3, 3, 3, 3, 1]);
    assert_eq!(examples.targets, [2, 3, 3, 1, 0]);
    let error = Examples::new("list", &["emil".to_owned()], vocab, 3).unwrap_err();
    assert!(error.to_string().contains("\"emil\"") && error.to_string().contains("'i'"), "{error}");
}

/// python3 -c "import random; w = [chr(97 + i) * 2 for i in range(20)]; random.seed(42); random.shuffle(w); print(w)"
#[test]
fn the_split_is_the_lectures_on_a_small_list() {
    let list: String = ('a'..='t').flat_map(|character| [character, character, '\n']).collect();
    let split = read(list.as_bytes()).unwrap().split().unwrap();
    let all: Vec<String> = [split.train.clone(), split.dev.clone(), split.test.clone()].concat();
    assert_eq!((split.train.len(), split.dev.len(), split.test.len()), (16, 2, 2));
    assert_eq!(all.join(" "), PYTHON);
}

const PYTHON: &str = "tt ff oo ee jj nn pp ss gg mm rr kk bb ll cc qq hh ii aa dd";

/// Checks the split of the lecture's list, if the list is beside the repository, by the hashes of its three parts.
#[test]
fn the_split_is_the_lectures() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/names.txt");
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return;
    }
    let words = Words::read(&path).unwrap();
    assert_eq!(hex(&words.sha256), "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d");
    assert_eq!((words.words.len(), words.duplicates()), (32_033, 2_539));
    let split = words.split().unwrap();
    let hash = |words: &[String]| hex(&Sha256::digest(words.join("\n")));
    assert_eq!(hash(&split.train), "7e9ca5fa01341b98a3289ec027c00f23383cef13ffc08f054a5c14fd99b47d9c");
    assert_eq!(hash(&split.dev), "3097363dfec5299f89c91542a6f1cefab5bcdec41fba2cf70037d356ede7e325");
    assert_eq!(hash(&split.test), "0a4f4bc22c027371e7f3f80935e44f282d6c288d5c3f7eb3a5020c6f61e5490a");
    // makemore.py: `rp = torch.randperm(len(words), generator=torch.Generator().manual_seed(3407))`, the last 1,000.
    let makemore = Words { split_rule: Some(SplitRule::Makemore), ..words.clone() }.split().unwrap();
    assert_eq!((makemore.train.len(), makemore.test.len()), (31_033, 1_000));
    assert_eq!(makemore.dev, makemore.test, "makemore.py has no dev words");
    assert_eq!(hash(&makemore.test), "2f6b1101c4373be106e9ea5d166534be55dd0513e229c0516f407031e3bc9215");
    let vocab = words.vocab().unwrap();
    let count = |part: &[String]| Examples::new("list", part, Vocab::new(&vocab).unwrap(), 8).unwrap().len();
    assert_eq!((count(&split.train), count(&split.dev), count(&split.test)), (182_625, 22_655, 22_866));
}

#[test]
fn the_split_of_makemore_takes_a_tenth_of_a_small_list() {
    let list: String = ('a'..='t').flat_map(|character| [character, character, '\n']).collect();
    let words = Words { split_rule: Some(SplitRule::Makemore), ..read(list.as_bytes()).unwrap() };
    let split = words.split().unwrap();
    assert_eq!((split.train.len(), split.dev.len(), split.test.len()), (18, 2, 2));
    let mut all = [split.train, split.test].concat();
    all.sort();
    assert_eq!(all, words.words);
}

#[test]
fn the_shipped_list_is_what_it_says() {
    let words = Words::shipped().unwrap();
    assert!(words.words.len() >= 4000, "{} names", words.words.len());
    assert_eq!(words.duplicates(), 0);
    assert_eq!(words.vocab().unwrap(), ".abcdefghijklmnopqrstuvwxyz");
}

#[test]
fn a_text_is_one_word_with_line_feeds() {
    let bytes = ["Zoë.\n\nb".as_bytes(), &b"0123456789\n".repeat(100)].concat();
    let words = Words::text("a text", &bytes).unwrap();
    assert!(words.is_text());
    assert_eq!(words.vocab().unwrap(), ".\n.0123456789Zboë");
    let split = words.split().unwrap();
    assert_eq!(split.train.concat() + &split.dev.concat(), words.words[0]);
    assert_eq!(split.dev, split.test);
    let characters = |text: &str| text.chars().count();
    assert_eq!(characters(&split.train[0]), characters(&words.words[0]) * 9 / 10);
    let one_line = Words::text("a line", "ab".repeat(600).as_bytes()).unwrap();
    assert_eq!(one_line.vocab().unwrap(), ".\nab", "the line feed is always there");
    // Models of text and of words are told apart by the line feed.
    assert!(runtime::Vocab::new(&one_line.vocab().unwrap()).unwrap().is_of_text());
    assert!(!runtime::Vocab::new(&Words::shipped().unwrap().vocab().unwrap()).unwrap().is_of_text());
}
