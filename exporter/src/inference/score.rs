//! Computes how probable words are for a model, and their rank in a list.

use std::collections::HashSet;

use runtime::{BOUNDARY, HeapState, Model, PromptError, Stream};

/// A word, and how much each character surprises the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The word.
    pub word: String,
    /// The characters with their negative log-likelihoods in nats. The last entry is the end of the word: it has no
    /// character. A text has no end.
    pub surprise: Vec<(Option<char>, f64)>,
}

impl Scored {
    /// Returns the negative log-likelihood of the word and its end, in nats.
    pub fn nll(&self) -> f64 {
        self.surprise.iter().map(|(_, nll)| nll).sum()
    }

    /// Returns the negative log-likelihood per character, in nats; the end counts as a character.
    pub fn nll_per_character(&self) -> f64 {
        self.nll() / self.surprise.len() as f64
    }
}

/// Scores words, one after the other.
pub struct Scorer<'m> {
    model: &'m Model<'m>,
    state: HeapState,
}

impl<'m> Scorer<'m> {
    /// Makes a scorer for a model.
    pub fn new(model: &'m Model<'m>) -> Self {
        Self { model, state: HeapState::new(model) }
    }

    /// Computes how probable each character of a word is.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`] names the first character that the model does not know.
    ///
    /// # Panics
    /// Never: a heap state fits its model.
    pub fn score(&mut self, word: &str) -> Result<Scored, PromptError> {
        let vocab = self.model.vocab();
        let tokens = word.chars().map(|character| vocab.encode(character).map(|token| (Some(character), token)));
        let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
        let mut stream = Stream::new(self.model, &mut self.state).expect("made for this model");
        let end = (!vocab.is_of_text()).then_some((None, BOUNDARY));
        let surprise = tokens.into_iter().chain(end).map(|(character, token)| {
            let nll = f64::from(stream.nll_micronats(token)) / 1e6;
            if token != BOUNDARY {
                stream.push(token);
            }
            (character, nll)
        });
        Ok(Scored { word: word.to_owned(), surprise: surprise.collect() })
    }
}

/// The words of a list, ranked by how probable they are for a model.
pub struct Ranking {
    /// Negative log-likelihoods of the distinct words, in ascending order.
    nll: Vec<f64>,
    words: HashSet<String>,
}

impl Ranking {
    /// Scores the words of a list, on all cores.
    ///
    /// # Errors
    /// The first word that the model cannot read, and the character.
    ///
    /// # Panics
    /// Never: a heap state fits its model.
    pub fn new(model: &Model<'_>, words: &[String]) -> Result<Self, (String, PromptError)> {
        let distinct: HashSet<String> = words.iter().cloned().collect();
        let list: Vec<&String> = distinct.iter().collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let part = list.len().div_ceil(threads).max(1);
        let score = |words: &[&String]| {
            let mut scorer = Scorer::new(model);
            let nll = words.iter().map(|word| match scorer.score(word) {
                Ok(scored) => Ok(scored.nll()),
                Err(source) => Err(((*word).clone(), source)),
            });
            nll.collect::<Result<Vec<f64>, _>>()
        };
        let scored = std::thread::scope(|scope| {
            let workers: Vec<_> = list.chunks(part).map(|words| scope.spawn(move || score(words))).collect();
            workers.into_iter().map(|worker| worker.join().expect("no worker panics")).collect::<Result<Vec<_>, _>>()
        })?;
        let mut nll = scored.concat();
        nll.sort_by(f64::total_cmp);
        Ok(Self { nll, words: distinct })
    }

    /// Returns the number of distinct words.
    pub fn len(&self) -> usize {
        self.nll.len()
    }

    /// Returns whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.nll.is_empty()
    }

    /// Returns how many words of the list are less probable than a word with this negative log-likelihood.
    pub fn less_probable(&self, nll: f64) -> usize {
        self.len() - self.nll.partition_point(|&other| other <= nll)
    }

    /// Returns whether the list has this word.
    pub fn contains(&self, word: &str) -> bool {
        self.words.contains(word)
    }
}
