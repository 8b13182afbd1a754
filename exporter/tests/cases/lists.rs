//! Word lists in other encodings and formats, or with unexpected characters.

use std::fmt::Write;
use std::path::Path;

use crate::common::{words, workspace};
use crate::program::{Outcome, run_in};
use crate::table::row;

/// Names in another alphabet than the shipped list's.
pub const CYRILLIC: &[&str] = &[
    "анна",
    "борис",
    "вера",
    "глеб",
    "дарья",
    "егор",
    "жанна",
    "зоя",
    "иван",
    "кира",
    "лев",
    "мария",
    "нина",
    "олег",
    "павел",
    "раиса",
    "софья",
    "тимур",
    "ульяна",
    "фёдор",
    "эмма",
    "юлия",
    "яна",
    "марк",
    "роман",
    "ирина",
];

/// Writes `list.txt` with one word per line.
pub fn list(folder: &Path, words: &[&str]) {
    std::fs::write(folder.join("list.txt"), words.join("\n") + "\n").expect("the folder can be written");
}

/// Arguments of a very short training, without the list.
pub const TRAIN: [&str; 8] = ["train", "--preset", "tiny", "--steps", "20", "--threads", "1", "--no-plots"];

/// Writes a list to `list.txt` and trains a small model on it for a moment.
pub fn trained(folder: &Path, words: &[&str], out: &str) {
    list(folder, words);
    run_in(folder, &[&TRAIN[..], &["--data", "list.txt", "--out", out]].concat()).succeeds();
}

/// Returns 200 names of the shipped list.
fn names() -> Vec<&'static str> {
    exporter::data::SHIPPED_WORDS.lines().take(200).collect()
}

/// Trains on a list of these bytes, in a new folder.
fn train(bytes: &[u8]) -> (tempfile::TempDir, Outcome) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("list.txt"), bytes).unwrap();
    let outcome = run_in(folder.path(), &[&TRAIN[..], &["--data", "list.txt", "--out", "m.safetensors"]].concat());
    (folder, outcome)
}

/// Trains on a list that must be refused: the error has all of `expected`, and the training leaves no file.
#[track_caller]
fn refused(input: &str, bytes: &[u8], expected: &[&str]) {
    let (folder, outcome) = train(bytes);
    let outcome = outcome.fails(expected);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["list.txt"], "nothing is left of a refused training");
    row(input, "train --data", outcome.last());
}

/// Trains on a list that must be accepted with a note that has all of `expected`.
#[track_caller]
fn noted(input: &str, text: &str, expected: &[&str]) {
    let (_folder, outcome) = train(text.as_bytes());
    let outcome = outcome.succeeds();
    let is_note = |line: &&str| line.starts_with("note: ") && expected.iter().all(|part| line.contains(part));
    let note = outcome.stderr.lines().find(is_note).unwrap_or_else(|| panic!("{expected:?}: {}", outcome.stderr));
    row(input, "train --data", note);
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn other_encodings_are_named() {
    let text = names().join("\n");
    let little = utf16(&text, u16::to_le_bytes);
    let with_mark = utf16(&format!("\u{feff}{text}"), u16::to_le_bytes);
    let big = utf16(&format!("\u{feff}{text}"), u16::to_be_bytes);
    let wide: Vec<u8> = text.chars().flat_map(|character| u32::from(character).to_le_bytes()).collect();
    let cyrillic = utf16(&CYRILLIC.join("\n"), u16::to_le_bytes);
    let convert = |name: &str| format!("`iconv -f {name} -t UTF-8 IN > OUT`");
    refused("UTF-16LE without a mark", &little, &["list.txt, line 1", &convert("UTF-16LE")]);
    refused("UTF-16LE", &with_mark, &["list.txt, line 1", &convert("UTF-16LE")]);
    refused("UTF-16BE", &big, &["list.txt, line 1", &convert("UTF-16BE")]);
    refused("UTF-32LE without a mark", &wide, &["list.txt, line 1", &convert("UTF-32LE")]);
    refused("Cyrillic in UTF-16LE without a mark", &cyrillic, &["list.txt, line", &convert("UTF-16LE")]);
    let latin: Vec<u8> = [text.as_bytes(), b"\nzo\xeb\n"].concat();
    refused("Latin-1", &latin, &["line 201: not UTF-8 text", &convert("ISO-8859-1")]);
    let windows: Vec<u8> = [text.as_bytes(), b"\nd\x92Artagnan\n"].concat();
    refused("Windows-1252", &windows, &["line 201: not UTF-8 text", &convert("WINDOWS-1252")]);
    let nul = [text.as_bytes(), b"\nem\0ma\n"].concat();
    refused("a NUL in a word", &nul, &["line 201: a NUL byte", r"tr -d '\000'", &convert("UTF-16LE")]);
}

#[test]
fn files_of_other_kinds_are_named() {
    refused("an empty file", b"", &["list.txt has 0 words: the file is empty"]);
    refused("blank lines", b"\n \n\t\n\n", &["list.txt has 0 words: all its lines are blank"]);
    refused("a gzip file", b"\x1f\x8b\x08\0\0\0\0\0\0\x03K\xcc\xcb", &["a gzip file", "`gunzip -c IN > OUT`"]);
    refused("a zip file", b"PK\x03\x04\x14\0\0\0\x08\0", &["a zip archive", "`unzip -p IN > OUT`"]);
    refused("a binary file", &[0, 1, 2, 3, 4, 0, 0, 7].repeat(200), &["line 1: a binary file"]);
    let model = std::fs::read(workspace("models/tiny.safetensors")).unwrap();
    refused("a model", &model, &["line 1: a model file"]);
    let blob = std::fs::read(workspace("models/tiny.blob")).unwrap();
    refused("a blob", &blob, &["line 1: a model file"]);
    let folder = tempfile::tempdir().unwrap();
    let outcome = run_in(folder.path(), &[&TRAIN[..], &["--data", "."]].concat());
    row("a folder", "train --data", outcome.fails(&["cannot read .: it is a folder"]).last());
    let outcome = run_in(folder.path(), &[&TRAIN[..], &["--data", "-"]].concat());
    row("`-`", "train --data", outcome.fails(&["stdin", "write it to a file"]).last());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn carriage_returns_are_named() {
    let all = names().join("\r");
    refused("carriage returns for line feeds", all.as_bytes(), &["carriage returns", r"`tr '\r' '\n' < IN > OUT`"]);
    let few = names()[..40].join("\r");
    refused("the same, a small list", few.as_bytes(), &["line 1: 39 carriage returns", r"`tr '\r' '\n' < IN > OUT`"]);
}

#[test]
fn tables_are_noted() {
    let table = |row: &dyn Fn(usize, &str) -> String| -> String {
        names().iter().enumerate().map(|(index, name)| row(index, name) + "\n").collect()
    };
    let csv = "name,count\n".to_owned() + &table(&|index, name| format!("{name},{}", 37 * index));
    noted("CSV with a heading", &csv, &["a table with commas", "`cut -d, -f1 IN | tail -n +2 > OUT`"]);
    let ssa = table(&|index, name| format!("{name},F,{}", 7000 - 31 * index));
    noted("name,F,7000", &ssa, &["a table with commas", "`cut -d, -f1 IN > OUT`"]);
    noted("TSV", &table(&|index, name| format!("{name}\t{index}")), &["a table with tabs", "`cut -f1 IN > OUT`"]);
    let semicolons = table(&|index, name| format!("{};{name};x", index * 7));
    noted("semicolons", &semicolons, &["a table with semicolons", "`cut -d';' -f2 IN > OUT`"]);
    noted("bars", &table(&|index, name| format!("{name} | {index}")), &["bars", "`cut -d'|' -f1 IN > OUT`"]);
    let aligned = table(&|index, name| format!("{name:<15} {:>6}  0.{index:03}", 9000 - index));
    noted("columns of blanks", &aligned, &["blanks between its columns", "awk '{print $1}'"]);
    let all_quoted = "\"name\",\"sex\"\n".to_owned() + &table(&|_, name| format!("\"{name}\",\"F\""));
    noted("CSV in quotation marks", &all_quoted, &["commas", "`cut -d, -f1 IN | tail -n +2 | tr -d '\"' > OUT`"]);
    noted("name, F, 3", &table(&|index, name| format!("{name}, F, {index}")), &["commas", "`cut -d, -f1 IN > OUT`"]);
    let quoted = table(&|_, name| format!("\"{name}\""));
    noted("quotation marks", &quoted, &["quotation marks", "tr -d"]);
    let json = format!("[\n{}]\n", table(&|_, name| format!("\"{name}\",")));
    noted("JSON", &json, &["JSON", "`jq -r '.[]' IN > OUT`"]);
    let comment = "# list of names\n".to_owned() + &table(&|_, name| name.to_owned());
    noted("a comment", &comment, &["comments", "grep -v '^#'"]);
    noted("bullets", &table(&|_, name| format!("- {name}")), &["bullets", "sed -E"]);
    noted(
        "numbered lines",
        &table(&|index, name| format!("{}. {name}", index + 1)),
        &["numbered lines", "sed 's/^[[:space:]]*[0-9]*"],
    );
    noted("words with counts", &table(&|index, name| format!("{name} {}", 9000 - 3 * index)), &["counts", "sed"]);
}

#[test]
fn a_list_in_one_line_is_named() {
    let commas = names()[..80].join(",");
    refused("one line with commas", commas.as_bytes(), &["has 1 word;", r"`tr ',' '\n' < IN > OUT`"]);
    let blanks = names().join(" ");
    refused("one line with blanks", blanks.as_bytes(), &["line 1: more than 1024", r"`tr ' ' '\n' < IN > OUT`"]);
    let json = format!("[\"{}\"]", names()[..40].join("\", \""));
    refused("one line of JSON", json.as_bytes(), &["JSON", "`jq -r '.[]' IN > OUT`"]);
    let separators = names()[..40].join("\u{2028}");
    refused("U+2028 for line feeds", separators.as_bytes(), &["U+2028", r"s/[\x{2028}]/\n/g"]);
}

#[test]
fn plain_lists_have_no_notes() {
    let look = |text: &str| exporter::data::Words::from_bytes("list", text.as_bytes()).unwrap().notes();
    assert_eq!(look(exporter::data::SHIPPED_WORDS), Vec::<String>::new());
    let (lecture, _) = words();
    assert_eq!(lecture.notes(), Vec::<String>::new(), "{}", lecture.name);
    if let Ok(text) = std::fs::read_to_string(workspace("../shared/data/tinyshakespeare.txt")) {
        assert_eq!(look(&text), Vec::<String>::new(), "a text");
    }
    let lists = [
        "Mr. Miller\nMrs. O'Neil-Smith\nDr. de la Cruz\nMiller, Mr.\nSmith, Ann\n",
        "Miller, Ann\nSmith, Joe\nJones, Max\nBrown, Eve\nGreen, Kim\n",
        "H2O\nNaCl\nC6H12O6\nFe2(SO4)3\nCuSO4·5H2O\nH₂SO₄\n",
        "1,2-dichloroethane\n2,4-xylenol\nN,N-dimethylaniline\n2,2,4-trimethylpentane\n",
        "Apollo 7\nApollo 8\nApollo 9\nApollo 10\nApollo 11\n",
        "7th Avenue\n42 Wallaby Way\n10 Downing Street\n221B Baker Street\n",
        "#rustlang\n#embedded\n#makemore\n#tinyml\n",
        "hello, world\nwell, then\nnow or never: go\n(see above)\n",
        "\"Bob\" Marley\n'tis\nrock'n'roll\n\"quoted\" once\n",
        "C++\nC#\nF#\n.NET\nObjective-C\n",
        "https://a.b\nmailto:c\n12:30\nPsalm 23:1\n",
        "-ation\n-ness\n-ly\n-ing\n",
        "می\u{200c}خواهم\nکتاب\u{200c}ها\nسلام\n",
        "क्\u{200d}ष\nनमस्ते\n",
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\n\u{2764}\u{fe0f}\n",
    ];
    for list in lists {
        assert_eq!(look(list), Vec::<String>::new(), "{list}");
    }
}

#[test]
fn invisible_characters_are_shown() {
    let with = |change: &dyn Fn(usize, &str) -> String| -> String {
        names().iter().enumerate().map(|(index, name)| change(index, name) + "\n").collect()
    };
    let every_third = |mark: &'static str| {
        move |index: usize, name: &str| if index.is_multiple_of(3) { format!("{name}{mark}") } else { name.to_owned() }
    };
    let zero_width = with(&every_third("\u{200b}"));
    noted("zero width spaces", &zero_width, &["U+200B (zero width space) in 67 words", r"s/[\x{200b}]//g"]);
    let (folder, outcome) = train(zero_width.as_bytes());
    let outcome = outcome.succeeds();
    let alphabet = outcome.stderr.lines().find(|line| line.starts_with("alphabet: ")).expect("the alphabet");
    assert!(alphabet.contains(" characters: ab") && alphabet.ends_with(" U+200B"), "{alphabet}");
    let inspected = run_in(folder.path(), &["inspect", "--model", "m.safetensors"]).succeeds();
    assert!(inspected.stdout.contains(alphabet), "{}", inspected.stdout);
    row("zero width spaces", "train, inspect", alphabet);

    let soft =
        with(&|index, name| if index < 5 { format!("{}\u{ad}{}", &name[..2], &name[2..]) } else { name.to_owned() });
    noted("soft hyphens", &soft, &["U+00AD (soft hyphen) in 5 words"]);
    noted("colours", &with(&|_, name| format!("\u{1b}[31m{name}\u{1b}[0m")), &["U+001B (escape", r"\e\["]);
    let hebrew = "\u{200f}אבי\n\u{200f}דנה\n\u{200f}יעל\n\u{200f}רון\n\u{200f}שרה\n".repeat(6);
    noted("right-to-left marks", &hebrew, &["U+200F (right-to-left mark) in 30 words"]);
    noted(
        "U+2028 in a few lines",
        &with(&|i, name| if i == 3 { format!("{name}\u{2028}zoe") } else { name.into() }),
        &["line separators within a line", "U+2028"],
    );
}

#[test]
fn the_form_that_a_model_knows_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["Zoe\u{308}", "Jose\u{301}", "Ha\u{30a}kan", "Jo\u{308}rg", "Rene\u{301}", "Anna"].repeat(5);
    let text = words.join("\n");
    noted(
        "combining sequences (NFD)",
        &text,
        &["25 words have combining sequences (NFD)", "U+0065 U+0308 for ë (U+00EB)"],
    );
    trained(folder.path(), &words, "m.safetensors");
    let expected = ["'ë' is not in the model's vocabulary (U+00EB)", "Zoe U+0308 (NFD)"];
    let sample = ["sample", "--model", "m.safetensors", "--prompt", "Zoë"];
    row("a model of NFD words", "sample --prompt Zoë", run_in(folder.path(), &sample).fails(&expected).last());
    run_in(folder.path(), &["complete", "--model", "m.safetensors", "Zoë"]).fails(&expected);
    run_in(folder.path(), &["score", "--model", "m.safetensors", "Zoë"]).fails(&expected);
    std::fs::write(folder.path().join("nfc.txt"), "Zoë\n".repeat(20)).unwrap();
    run_in(folder.path(), &["eval", "--model", "m.safetensors", "--data", "nfc.txt"]).fails(&expected);
    let sample = ["sample", "--model", "m.safetensors", "--prompt", "Zoe\u{308}", "-n", "2"];
    run_in(folder.path(), &sample).succeeds();
}

/// Returns words of common characters, and words with one rare character each.
fn many_characters() -> String {
    let mut text = String::new();
    for (index, rare) in ('一'..).take(480).enumerate() {
        let common = char::from(b'a' + (index % 26) as u8);
        writeln!(text, "{common}{common}\n{rare}{common}").unwrap();
    }
    text
}

#[test]
fn rare_characters_can_be_dropped() {
    let text = many_characters();
    let expected =
        ["506 distinct characters", "255 commonest cover 709 of its 960 words (73.9 %)", "--max-characters 255"];
    refused("506 distinct characters", text.as_bytes(), &expected);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("list.txt"), &text).unwrap();
    let train = [&TRAIN[..], &["--data", "list.txt", "--max-characters", "100", "--out", "m.safetensors"]].concat();
    let outcome = run_in(folder.path(), &train).succeeds();
    let dropped = "list.txt: dropped 406 of 960 words, which have characters outside the 100 commonest";
    assert!(outcome.stderr.contains(dropped), "{}", outcome.stderr);
    row("506 distinct characters", "train --data --max-characters 100", dropped);
    // Other commands drop the same words: the model has the characters.
    let eval = run_in(folder.path(), &["eval", "--model", "m.safetensors", "--data", "list.txt"]).succeeds();
    assert!(eval.stderr.contains("dropped 406 words, as the training of m.safetensors did"), "{}", eval.stderr);
    let dev = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("dev ")).expect("a loss").split_whitespace();
        line.skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(dev(&eval.stderr), dev(&outcome.stderr), "the same loss, words and characters");
    let export = ["export", "--model", "m.safetensors", "--precision", "int4", "--calibration", "list.txt"];
    run_in(folder.path(), &[&export[..], &["--out", "m.blob"]].concat()).succeeds();
    run_in(folder.path(), &["eval", "--model", "m.blob", "--data", "list.txt"]).succeeds();
}

#[test]
fn the_shipped_list_is_not_taken_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), CYRILLIC, "m.safetensors");
    let finetune = ["finetune", "--model", "m.safetensors", "--out", "tuned.safetensors", "--epochs", "0.1"];
    let outcome =
        run_in(folder.path(), &finetune).fails(&["m.safetensors was not trained on the shipped list", "--data FILE"]);
    row("a model trained on another list", "finetune", outcome.last());
    assert!(!folder.path().join("tuned.safetensors").exists());
    run_in(folder.path(), &[&finetune[..], &["--data", "list.txt"]].concat()).succeeds();
    run_in(folder.path(), &["eval", "--model", "m.safetensors"])
        .fails(&["the shipped list", "--data FILE reads another"]);
    let novel = ["sample", "--model", "m.safetensors", "--novel", "-n", "1"];
    let outcome = run_in(folder.path(), &novel);
    assert!(outcome.stderr.contains("note: m.safetensors was not trained on "), "{}", outcome.stderr);
    // Another list with the same characters.
    std::fs::write(folder.path().join("other.txt"), CYRILLIC[..20].join("\n")).unwrap();
    let outcome = run_in(folder.path(), &[&finetune[..], &["--data", "other.txt"]].concat()).succeeds();
    assert!(outcome.stderr.contains("was not trained on other.txt"), "{}", outcome.stderr);
}

#[test]
fn names_that_are_not_utf8_are_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"w\xffrds.txt");
    std::fs::write(folder.path().join(name), names().join("\n")).unwrap();
    let mut command = crate::program::exporter(&TRAIN);
    let output = command.arg("--data").arg(name).current_dir(folder.path()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains(r#"--data "w\xFFrds.txt": the name is not UTF-8"#), "{stderr}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no run is left");
    row("a file name that is not UTF-8", "train --data", stderr.lines().last().unwrap());
}
