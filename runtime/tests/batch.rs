//! Compares words drawn together with words drawn one by one: they are equal for any model, settings and number of
//! threads.

use std::fs;
use std::path::Path;

use runtime::batch::{Batch, Word, word_seed};
use runtime::format::AlignedBlob;
use runtime::{End, Generator, HeapState, Model, PromptError, Sampling};

/// Returns all of `models/*.blob` that this build can run.
fn shipped() -> Vec<(String, AlignedBlob)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let blobs = files.filter(|path| path.extension().is_some_and(|extension| extension == "blob"));
    let read =
        |path: std::path::PathBuf| (path.display().to_string(), AlignedBlob::from(fs::read(path).unwrap().as_slice()));
    blobs.map(read).filter(|(_, blob)| Model::new(blob.as_bytes()).is_ok()).collect()
}

/// Draws word `index` separately, by the definition.
fn alone(model: &Model<'_>, sampling: Sampling, prompt: &str, max_len: usize, seed: u64, index: u64) -> Word {
    let mut state = HeapState::new(model);
    let mut generator = Generator::new(model, &mut state, sampling, word_seed(seed, index)).unwrap().max_len(max_len);
    let mut characters = generator.start(prompt).unwrap();
    let text = characters.by_ref().collect();
    Word { text, end: characters.end().unwrap() }
}

#[test]
fn every_word_is_that_of_its_own_seed() {
    assert!(!shipped().is_empty());
    for (name, blob) in shipped() {
        let model = Model::new(blob.as_bytes()).unwrap();
        let default = Sampling::default();
        for (sampling, prompt, max_len, count) in [
            (default, "", 32, 500),
            (default.temperature_milli(700).top_k(5), "ma", 32, 70),
            (default.temperature_milli(3000), "elisabeth", 9, 40),
            (default.temperature_milli(3000), "", 3, 100),
            (default, "", 0, 40),
            (Sampling::greedy(), "b", 20, 33),
        ] {
            let batch = Batch::new(&model, sampling).max_len(max_len).prompt(prompt).unwrap();
            let words = batch.words(7, 0..count, 2);
            assert_eq!(words.len() as u64, count);
            for (index, word) in words.iter().enumerate() {
                let expected = alone(&model, sampling, prompt, max_len, 7, index as u64);
                assert_eq!(*word, expected, "{name}, word {index}, {sampling:?}, {prompt:?}");
            }
        }
    }
}

/// The layouts of one model have the same words, because integers are exact in any order.
#[test]
#[cfg(feature = "int8")]
fn the_form_of_the_weights_does_not_matter() {
    use runtime::format::Layout;
    use runtime::write::{relayout, tabulate_halves, tabulate_pairs};

    let integer = |(_, blob): &(String, AlignedBlob)| {
        Model::new(blob.as_bytes()).is_ok_and(|model| relayout(&model, Layout::RowMajor).is_ok())
    };
    let shipped: Vec<_> = shipped().into_iter().filter(integer).collect();
    assert!(!shipped.is_empty());
    for (name, blob) in shipped {
        let model = Model::new(blob.as_bytes()).unwrap();
        let expected: Vec<Word> = (0..60).map(|index| alone(&model, Sampling::default(), "", 32, 3, index)).collect();
        for &layout in Layout::INTEGERS {
            let plain = AlignedBlob::from(relayout(&model, layout).unwrap().as_slice());
            let plain = Model::new(plain.as_bytes()).unwrap();
            let pairs = AlignedBlob::from(tabulate_pairs(&plain).unwrap().as_slice());
            let pairs = Model::new(pairs.as_bytes()).unwrap();
            let halves = AlignedBlob::from(tabulate_halves(&plain).unwrap().as_slice());
            let halves = Model::new(halves.as_bytes()).unwrap();
            for model in [&plain, &pairs, &halves] {
                let words = Batch::new(model, Sampling::default()).words(3, 0..60, 2);
                assert_eq!(words, expected, "{name}, {layout:?}");
                assert_eq!(alone(model, Sampling::default(), "", 32, 3, 7), expected[7], "{name}, {layout:?}");
            }
        }
    }
}

#[test]
fn neither_threads_nor_the_rest_of_the_list_matter() {
    for (name, blob) in shipped() {
        let model = Model::new(blob.as_bytes()).unwrap();
        let batch = Batch::new(&model, Sampling::default());
        let words = batch.words(1, 0..300, 1);
        for threads in [0, 2, 3, 16, 1000] {
            assert_eq!(batch.words(1, 0..300, threads), words, "{name}, {threads} threads");
        }
        assert_eq!(batch.words(1, 100..133, 2), words[100..133], "{name}");
        assert_eq!(batch.words(1, 5..5, 2), []);
        assert_ne!(batch.words(2, 0..300, 2), words, "{name}: another seed");
        let far = u64::MAX - 3;
        assert_eq!(batch.words(1, far..far + 3, 2)[2], alone(&model, Sampling::default(), "", 32, 1, far + 2));
    }
}

#[test]
fn prompts_the_model_cannot_take_are_refused() {
    let (_, blob) = shipped().remove(0);
    let model = Model::new(blob.as_bytes()).unwrap();
    let batch = || Batch::new(&model, Sampling::default()).max_len(4);
    assert_eq!(batch().prompt("Ä").map(drop), Err(PromptError::UnknownCharacter { character: 'Ä' }));
    assert_eq!(batch().prompt("abcde").map(drop), Err(PromptError::TooLong { len: 5, max: 4 }));
    let full = batch().prompt("abcd").unwrap().words(1, 0..2, 1);
    assert_eq!(full, vec![Word { text: "abcd".to_owned(), end: End::Limit }; 2]);
    // A length limit set afterwards that is shorter than the prompt.
    let short = Batch::new(&model, Sampling::default()).prompt("abcd").unwrap().max_len(2).words(1, 0..2, 1);
    assert_eq!(short, vec![Word { text: "abcd".to_owned(), end: End::Limit }; 2]);
}
