//! Runs any model: 64 steps, words, scores, and every other way to compute the same results.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro128PlusPlus;
use runtime::activation::LARGEST_F32;
use runtime::batch::{Batch, word_seed};
use runtime::format::{Layout, Precision};
use runtime::write::{relayout, tabulate_halves, tabulate_pairs};
use runtime::{
    Activation, Activations, BOUNDARY, COUNTER_WORDS, End, Error, Generator, Logits, Model, Sampling, StateError,
    StateMut, Stream, Token,
};

use super::blob::Exact;
use super::invent::invent;
use super::oracle;

/// Bytes of settings before the blob.
pub const SETTINGS: usize = 16;
/// Number of characters that every model takes.
const STEPS: usize = 64;
/// Number of characters that the same model takes in another form.
const MOVED_STEPS: usize = 16;
/// Limit of the words of a state, the multiplications of a step and the words of a blob. Larger models are skipped, so
/// that runs are short.
const LARGEST: usize = 1 << 11;

/// Result of [`generate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The bytes were not a model.
    Refused,
    /// The model would take too long.
    TooLarge,
    /// The model ran, in this precision.
    Ran(Precision),
}

/// Settings of a run, read from the first bytes of the input.
#[derive(Clone, Copy, Debug)]
struct Settings {
    /// True if the model is invented from the bytes; false if the bytes are the model.
    invented: bool,
    batch: bool,
    moved: bool,
    greedy: bool,
    layout: Layout,
    sampling: Sampling,
    max_len: usize,
    prompt_len: usize,
    seed: u64,
}

impl Settings {
    fn new(bytes: &[u8; SETTINGS]) -> Self {
        let [flags, layout, t0, t1, k0, k1, max_len, prompt_len, seed @ ..] = *bytes;
        let greedy = flags & 8 != 0;
        let sampling = Sampling::default()
            .temperature_milli(if greedy { 0 } else { u16::from_le_bytes([t0, t1]) })
            .top_k(u16::from_le_bytes([k0, k1]));
        Self {
            invented: flags & 1 != 0,
            batch: flags & 0x12 == 0x12,
            moved: flags & 0x24 == 0x24,
            greedy,
            layout: Layout::INTEGERS[usize::from(layout) % Layout::INTEGERS.len()],
            sampling,
            max_len: usize::from(max_len) % 12,
            prompt_len: usize::from(prompt_len) % 9,
            seed: u64::from_le_bytes(seed),
        }
    }
}

/// Runs a model. The bytes are settings, followed by a blob or by the random choices from which to invent one.
pub fn generate(bytes: &[u8]) -> Outcome {
    let Some((settings, rest)) = bytes.split_first_chunk() else { return Outcome::Refused };
    let settings = Settings::new(settings);
    let invented = if settings.invented { invent(rest) } else { Some(rest.to_vec()) };
    let Some(bytes) = invented else { return Outcome::Refused };
    let blob = Exact::new(&bytes, 0);
    let Ok(model) = Model::new(blob.bytes()) else {
        assert!(!settings.invented, "the loader refuses an encoded model");
        return Outcome::Refused;
    };
    if [model.state_words(), model.config().macs_streaming(), bytes.len() / 4].iter().any(|&size| size > LARGEST) {
        return Outcome::TooLarge;
    }
    run(&model, &bytes, settings);
    Outcome::Ran(model.precision())
}

fn run(model: &Model<'_>, bytes: &[u8], settings: Settings) {
    let vocab_size = model.config().vocab_size() as u32;
    let mut rng = Xoshiro128PlusPlus::seed_from_u64(settings.seed);
    // About one token in fifty is outside the vocabulary.
    let tokens: Vec<Token> = (0..STEPS)
        .map(
            |_| if rng.next_u32() % 50 == 0 { rng.next_u32() as Token } else { (rng.next_u32() % vocab_size) as Token },
        )
        .collect();
    let logits = stream(model, &tokens);
    if model.precision() == Precision::F32 {
        check_by_oracle(model, bytes, &tokens, &logits);
    } else if settings.moved {
        check_moved(model, settings.layout, &tokens[..MOVED_STEPS], &logits[..=MOVED_STEPS]);
    }
    let passed = match model.self_test(StateMut::new(&mut state(model)).expect("it is large enough")) {
        Ok(()) => true,
        Err(Error::SelfTest(error)) => error.expected == error.computed,
        Err(error) => panic!("{error}"),
    };
    assert!(passed || !settings.invented, "the self-test of a new blob fails");
    words(model, settings, &mut rng);
}

/// Returns a state of exactly the size that the model needs, filled with a pattern.
fn state(model: &Model<'_>) -> Vec<u32> {
    vec![0xa5a5_a5a5; COUNTER_WORDS + model.state_words()]
}

/// Returns the bits of the logits.
fn bits(logits: Logits<'_>) -> Vec<u32> {
    let mut bits = Vec::with_capacity(logits.len());
    logits.for_each_bytes(|bytes| bits.push(u32::from_le_bytes(bytes)));
    bits
}

/// Returns the logits before each token and after the last.
fn stream(model: &Model<'_>, tokens: &[Token]) -> Vec<Vec<u32>> {
    let (need, have) = (model.state_words(), model.state_words() - 1);
    let mut words = state(model);
    let short = StateMut::new(&mut words[1..]).expect("room for the counters");
    assert_eq!(Stream::new(model, short).map(drop), Err(StateError::TooSmall { need, have }));

    let mut stream = Stream::new(model, StateMut::new(&mut words).expect("it is large enough")).expect("its own size");
    let mut all = Vec::with_capacity(tokens.len() + 1);
    for (index, &token) in tokens.iter().enumerate() {
        all.push(look_at(model, &stream));
        if index % 8 == 7 {
            let mut levels = 0;
            stream.push_observed(token, &mut |level, values| {
                assert_eq!((level, values.len()), (levels, model.config().levels()[level].width.into()));
                check_range(model.config().activation(), values);
                levels += 1;
            });
            assert_eq!(levels, model.config().levels().len());
        } else {
            stream.push(token);
        }
    }
    all.push(look_at(model, &stream));
    // Characters older than the window have no effect.
    let window = model.config().block_size();
    if window < tokens.len() {
        stream.reset();
        assert_eq!(bits(stream.logits()), all[0], "a reset leaves a trace");
        tokens[tokens.len() - window..].iter().for_each(|&token| stream.push(token));
        assert_eq!(bits(stream.logits()), all[tokens.len()], "characters before the window count");
    }
    all
}

/// Returns the bits of the logits, and checks that there is a finite logit for every token.
fn look_at(model: &Model<'_>, stream: &Stream<'_>) -> Vec<u32> {
    let logits = stream.logits();
    assert_eq!(logits.len(), model.config().vocab_size());
    if let Logits::F32(logits) = logits {
        assert!(logits.iter().all(|logit| logit.is_finite()));
    }
    assert_eq!(logits.get(u8::MAX).is_some(), logits.len() == 256);
    bits(logits)
}

fn check_range(activation: Activation, values: Activations<'_>) {
    let range = match activation {
        Activation::Tanh | Activation::Gated => -1.0..=1.0,
        Activation::Relu => 0.0..=LARGEST_F32,
    };
    match values {
        Activations::F32(values) => assert!(values.iter().all(|value| range.contains(value))),
        Activations::Fixed(values) => assert!(!values.contains(&i8::MIN)),
        _ => panic!("activations of another kind"),
    }
}

/// Checks in f32 that this machine's vector unit, streaming, equals the portable kernel on whole windows.
fn check_by_oracle(model: &Model<'_>, bytes: &[u8], tokens: &[Token], logits: &[Vec<u32>]) {
    let (config, window) = (model.config(), model.config().block_size());
    if window * config.macs_streaming() > 4 * LARGEST {
        return;
    }
    let known = |&token: &Token| if usize::from(token) < config.vocab_size() { token } else { BOUNDARY };
    for seen in [0, 1, STEPS] {
        let padded: Vec<Token> = vec![BOUNDARY; window].into_iter().chain(tokens[..seen].iter().map(known)).collect();
        let expected = oracle::logits(bytes, &padded[seen..]);
        let expected: Vec<u32> = expected.into_iter().map(f32::to_bits).collect();
        assert_eq!(logits[seen], expected, "after {seen} characters");
    }
}

/// Checks in integers that every layout has the same results: `RowMajor` runs on this machine's vector unit, the others
/// on the portable definitions of the kernels for chips.
fn check_moved(model: &Model<'_>, layout: Layout, tokens: &[Token], logits: &[Vec<u32>]) {
    // `Lanes16` refuses wide layers.
    let Ok(moved) = relayout(model, layout) else { return };
    let blob = Exact::new(&moved, 0);
    let other = Model::new(blob.bytes()).expect("the loader reads an encoded model");
    assert_eq!(stream(&other, tokens), logits, "{:?} as {layout:?}", model.layout());
    let back = relayout(&other, model.layout()).expect("it comes from there");
    assert_eq!(back, relayout(model, model.layout()).expect("it is there"), "and back");
    if model.config().vocab_size() > 9 {
        return;
    }
    if let Ok(pairs) = tabulate_pairs(&other) {
        let blob = Exact::new(&pairs, 0);
        let pairs = Model::new(blob.bytes()).expect("the loader reads an encoded model");
        assert_eq!(stream(&pairs, tokens), logits, "{:?} as pairs in {layout:?}", model.layout());
    }
    if let Ok(halves) = tabulate_halves(&other) {
        let blob = Exact::new(&halves, 0);
        let halves = Model::new(blob.bytes()).expect("the loader reads an encoded model");
        assert_eq!(stream(&halves, tokens), logits, "{:?} as halves in {layout:?}", model.layout());
    }
}

/// Draws words, and scores them.
fn words(model: &Model<'_>, settings: Settings, rng: &mut Xoshiro128PlusPlus) {
    let vocab = model.vocab();
    let mut character = || vocab.decode(1 + (rng.next_u32() % (vocab.len() as u32 - 1)) as Token).expect("a token");
    let prompt: String = (0..settings.prompt_len).map(|_| character()).collect();
    let Settings { sampling, max_len, seed, .. } = settings;
    let mut memory = state(model);
    let mut draw = |seed: u64, count: usize| -> Vec<(String, Option<End>)> {
        let state = StateMut::new(&mut memory).expect("it is large enough");
        let mut generator = Generator::new(model, state, sampling, seed).expect("its own size").max_len(max_len);
        let word = |_| {
            let mut characters = generator.start(&prompt).ok()?;
            let text: String = characters.by_ref().collect();
            Some((text, characters.end()))
        };
        (0..count).map_while(word).collect()
    };
    let drawn = draw(seed, 3);
    assert_eq!(drawn.is_empty(), settings.prompt_len > max_len);
    for (word, end) in &drawn {
        assert!(word.starts_with(&prompt) && word.chars().count() <= max_len);
        assert_eq!(*end, Some(if word.chars().count() == max_len { End::Limit } else { End::Boundary }), "{word}");
    }
    assert_eq!(draw(seed, 1), drawn[..drawn.len().min(1)], "the same seed draws other words");
    if settings.greedy {
        assert!(drawn.windows(2).all(|pair| pair[0] == pair[1]));
    }
    // A batch computes level 0 for all combinations of characters, which takes long for a large vocabulary.
    let combinations = vocab.len().checked_pow(model.config().levels()[0].fuse.into());
    if settings.batch && combinations.is_some_and(|count| count < LARGEST / 4) {
        let alone: Vec<_> = (0..3).filter_map(|index| draw(word_seed(seed, index), 1).pop()).collect();
        let together = Batch::new(model, sampling).max_len(max_len).prompt(&prompt);
        assert_eq!(together.is_err(), alone.is_empty());
        if let Ok(batch) = together {
            let together = batch.words(seed, 0..3, 1).into_iter().map(|word| (word.text, Some(word.end)));
            assert_eq!(together.collect::<Vec<_>>(), alone, "words drawn together differ");
        }
    }
    let state = StateMut::new(&mut memory).expect("it is large enough");
    let mut generator = Generator::new(model, state, sampling, seed).expect("its own size").max_len(max_len);
    let mut text = heapless::String::<20>::new();
    if generator.word(&prompt, &mut text).is_ok() {
        assert!(drawn[0].0.starts_with(text.as_str()), "a small buffer holds the beginning");
    }
    assert_eq!(generator.score("\u{10fffd}").is_ok(), vocab.encode('\u{10fffd}').is_ok());
    let word = drawn.first().map_or(prompt.as_str(), |(word, _)| word);
    let score = generator.score(word).expect("its own characters");
    assert_eq!(score.characters, word.chars().count() + 1);
    let state = StateMut::new(&mut memory).expect("it is large enough");
    let mut stream = Stream::new(model, state).expect("its own size");
    let mut sum = 0;
    for character in word.chars() {
        let token = vocab.encode(character).expect("its own character");
        sum += u64::from(stream.nll_micronats(token));
        stream.push(token);
    }
    assert_eq!(score.nll_micronats, sum + u64::from(stream.nll_micronats(BOUNDARY)));
}
