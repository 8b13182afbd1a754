//! Word lists of the command line: the choice of a list, and notes about the list.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::bail;
use exporter::data::{MAX_WORDS, MIN_WORDS, SHIPPED_NAME, Sample, SplitRule, Words, alphabet, hex};
use exporter::model::file::FoldedModel;
use indicatif::{ProgressBar, ProgressStyle};
use runtime::Model;

use super::{count, is_quiet, limits, named, quoted};

/// Options of commands that read a list: `--data`, `--dedup`, `--max-words` and `--split`.
#[derive(clap::Args)]
pub struct DataArgs {
    /// Read words from this list: UTF-8, one word per line, 2 to 255 distinct characters [default: the shipped list of
    /// names]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Drop repeated words of the list (the lecture keeps them)
    #[arg(long)]
    pub dedup: bool,
    /// Hold at most N words in memory. From a longer list, draw N words at random, the same N every time
    #[arg(long, value_name = "N", default_value_t = MAX_WORDS, value_parser = limits::words)]
    pub max_words: usize,
    /// Split the list into train, dev and test words by this rule: that of the lecture, or that of makemore.py, which
    /// has no dev words, so that its 1,000 test words are both dev and test [default: the rule of the model's training,
    /// if its file has it, else lecture]
    #[arg(long, value_name = "RULE", value_parser = named(SplitRule::OF_WORDS, SplitRule::name))]
    pub split: Option<SplitRule>,
}

impl DataArgs {
    /// Reads the list and reports duplicates on stderr.
    pub fn read(&self) -> anyhow::Result<Words> {
        let mut words = read_words(self.data.as_deref(), self.dedup, self.max_words)?;
        words.split_rule = self.split;
        Ok(words)
    }

    /// Reads the list, or a text for a model of text.
    pub fn read_as(&self, model: &Known<'_>) -> anyhow::Result<Words> {
        if !model.is_of_text() {
            return self.read();
        }
        let Some(path) = &self.data else { bail!("{} is a model of text: name a text with --data FILE", model.name) };
        if self.dedup || self.split.is_some() {
            bail!("{} is a model of text: --dedup and --split are for lists of words", model.name);
        }
        text(path)
    }

    /// Reads the list for a model: see [`for_model`]. For a model of text, the list is a text.
    pub fn read_for(&self, model: &Known<'_>) -> anyhow::Result<Words> {
        let mut words = self.read_as(model)?;
        for_model(&mut words, model);
        Ok(words)
    }
}

/// Options of commands that train on a list.
#[derive(clap::Args)]
pub struct TrainingData {
    #[command(flatten)]
    pub list: DataArgs,
    /// Train on this text instead of a word list: UTF-8, at most 255 distinct characters, the line feed among them. The
    /// first 90 % train, the last 10 % are dev and test; the model writes without an end
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "dedup", "max_words", "split", "max_characters"])]
    pub text: Option<PathBuf>,
    /// Keep only the N commonest characters and drop words with other characters. Needed for lists with more than 255
    /// characters
    #[arg(long, value_name = "N", value_parser = limits::characters)]
    pub max_characters: Option<usize>,
}

impl TrainingData {
    /// Returns the file of the list or text; `None` for the shipped list.
    pub fn path(&self) -> Option<&Path> {
        self.text.as_deref().or(self.list.data.as_deref())
    }

    /// Returns the rule that splits the list or text.
    pub fn rule(&self) -> SplitRule {
        if self.text.is_some() { SplitRule::Text } else { self.list.split.unwrap_or_default() }
    }

    /// Reads the list, drops the words that the options exclude, and prints the alphabet.
    pub fn read(&self) -> anyhow::Result<Words> {
        let mut words = match &self.text {
            Some(path) => text(path)?,
            None => self.list.read()?,
        };
        if let Some(most) = self.max_characters {
            let of = words.words.len();
            let dropped = words.keep_commonest(most);
            let name = &words.name;
            eprintln!(
                "{name}: dropped {} of {} words, which have characters outside the {most} commonest",
                count(dropped),
                count(of)
            );
        }
        if (words.words.len() >= MIN_WORDS || words.is_text())
            && let Ok(vocab) = words.vocab()
        {
            eprintln!("alphabet: {}", alphabet::describe(vocab.chars().skip(1)));
        }
        Ok(words)
    }
}

/// Facts about the list that a model was trained on.
pub struct Known<'a> {
    /// Name of the model in messages.
    pub name: String,
    /// SHA-256 of its list in hexadecimal digits; empty or zeros if the model does not say.
    pub sha256: String,
    /// The characters, the boundary first.
    pub vocab: &'a str,
    /// Rule that split the list; `None` if the model's file does not say, as a blob's does not.
    pub split: Option<SplitRule>,
}

impl<'a> Known<'a> {
    /// Returns the facts in the file of a folded model.
    pub fn of(name: String, model: &'a FoldedModel) -> Self {
        let origin = &model.origin;
        Self { name, sha256: origin.data_sha256.clone(), vocab: &model.vocab, split: Some(origin.split) }
    }

    /// Returns the facts in a blob, which does not record the rule that split the list.
    pub fn of_blob(name: String, model: &Model<'a>) -> Self {
        Self { name, sha256: hex(&model.provenance().data_sha256), vocab: model.vocab().as_str(), split: None }
    }

    /// Returns whether the model is of text.
    pub fn is_of_text(&self) -> bool {
        self.vocab.contains('\n')
    }

    fn is_known(&self) -> bool {
        self.sha256.bytes().any(|digit| digit != b'0')
    }

    /// Returns whether `words` come from the list that the model was trained on.
    fn is_of(&self, words: &Words) -> bool {
        self.sha256 == hex(&words.sha256)
    }
}

/// Prints a note if the model was trained on another list. If it was trained on this list, drops the words that the
/// training dropped, which have characters outside the vocabulary, and splits the list as the training did.
pub fn for_model(words: &mut Words, model: &Known<'_>) {
    let (name, list) = (&model.name, &words.name);
    if model.is_of(words) {
        words.split_rule = words.split_rule.or(model.split);
        if words.is_text() {
            return;
        }
        let dropped = words.keep_known(model.vocab);
        if dropped > 0 {
            eprintln!("{}: dropped {} words, as the training of {name} did", words.name, count(dropped));
        }
    } else if model.is_known() {
        eprintln!("note: {name} was not trained on {list}, but its training words may include some of this list");
    } else {
        eprintln!("note: {name} does not say which list it was trained on; reading {list}");
    }
}

/// Fails if no list is given and the model was not trained on the shipped list.
pub fn require_list(given: Option<&Path>, path: &Path, model: &FoldedModel) -> anyhow::Result<()> {
    if given.is_some() {
        return Ok(());
    }
    let path = quoted(path);
    let known = Known::of(path.clone(), model);
    match known.is_of(&Words::shipped()?) {
        true => Ok(()),
        false if known.is_known() => {
            bail!("{path} was not trained on {SHIPPED_NAME}: name the list it was trained on with --data FILE")
        }
        false => bail!("{path} does not say which list it was trained on: name the list with --data FILE"),
    }
}

/// Reads a list, or the shipped one. Shows progress, and prints a note if the words are a sample or the file looks like
/// something other than a word list.
pub fn list(path: Option<&Path>, max_words: usize) -> anyhow::Result<Words> {
    let Some(path) = path else { return Ok(Words::shipped()?) };
    if path == Path::new("-") {
        bail!("a word list cannot be read from stdin: write it to a file and name the file instead of -");
    }
    let mut reading = Reading::new(path);
    let words = Words::read_up_to(path, max_words, &mut |bytes| reading.show(bytes))?;
    reading.finish();
    if let Some(Sample { words: taken, of }) = words.sample {
        let (name, taken, of) = (&words.name, count(taken), count(of));
        eprintln!("{name}: {taken} of its {of} words, drawn at random, the same every time; for more: --max-words N");
    }
    for note in words.notes() {
        eprintln!("note: {}: {note}", words.name);
    }
    Ok(words)
}

/// Reads a list, or the shipped one, and reports duplicates on stderr.
pub fn read_words(path: Option<&Path>, dedup: bool, max_words: usize) -> anyhow::Result<Words> {
    let mut words = list(path, max_words)?;
    let duplicates = words.duplicates();
    if dedup {
        words.dedup();
    }
    let what = if dedup { "dropped" } else { "kept, as in the lecture; --dedup drops them" };
    let plural = if words.words.len() == 1 { "" } else { "s" };
    eprint!("{}: {} word{plural}", words.name, count(words.words.len()));
    match duplicates {
        0 => eprintln!(", no duplicates"),
        n => eprintln!(", {} of them duplicates ({what})", count(n)),
    }
    Ok(words)
}

/// Reads a text and reports its length on stderr.
pub fn text(path: &Path) -> anyhow::Result<Words> {
    if path == Path::new("-") {
        bail!("a text cannot be read from stdin: write it to a file and name the file instead of -");
    }
    let words = Words::read_text(path)?;
    eprintln!("{}: {} characters", words.name, count(words.words[0].chars().count()));
    Ok(words)
}

/// Progress of reading a long list: a bar on a terminal, otherwise one line per 100 MB.
struct Reading {
    name: String,
    bar: Option<ProgressBar>,
    shown: u64,
}

impl Reading {
    const LINE: u64 = 100_000_000;

    fn new(path: &Path) -> Self {
        let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let bar = (bytes > Self::LINE && std::io::stderr().is_terminal() && !is_quiet()).then(|| {
            let template = "{bar:30} {bytes} of {total_bytes} read, {eta} left";
            ProgressBar::new(bytes).with_style(ProgressStyle::with_template(template).expect("it is well-formed"))
        });
        Self { name: path.display().to_string(), bar, shown: 0 }
    }

    fn show(&mut self, bytes: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(bytes),
            None if bytes / Self::LINE > self.shown => {
                self.shown = bytes / Self::LINE;
                eprintln!("{}: {} MB read", self.name, bytes / 1_000_000);
            }
            None => {}
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
