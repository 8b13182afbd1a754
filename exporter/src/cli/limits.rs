//! Parsers of option values, with limits that make sense on this machine.

use exporter::train::options::max_threads;

/// Parses a number of threads or of simultaneous processes.
pub fn threads(text: &str) -> Result<usize, String> {
    let most = max_threads();
    match text.parse() {
        Ok(threads) if (1..=most).contains(&threads) => Ok(threads),
        _ => Err(format!("must be 1 to {most} on this machine: the larger of 64 and four per core")),
    }
}

/// Parses a number of words to hold in memory.
pub fn words(text: &str) -> Result<usize, String> {
    range(text, 10, 100_000_000)
}

/// Parses a number of characters of an alphabet.
pub fn characters(text: &str) -> Result<usize, String> {
    range(text, 2, exporter::data::MAX_CHARACTERS)
}

/// Parses a number of examples per step.
pub fn batch_size(text: &str) -> Result<usize, String> {
    range(text, 2, 1 << 20)
}

/// Parses the length of a word in characters.
pub fn length(text: &str) -> Result<usize, String> {
    range(text, 0, 1_000_000)
}

/// Parses a number of steps.
pub fn steps(text: &str) -> Result<usize, String> {
    range(text, 1, 100_000_000)
}

/// Parses a number of passes over a list.
pub fn epochs(text: &str) -> Result<f64, String> {
    positive(text, 1e6)
}

/// Parses a learning rate.
pub fn learning_rate(text: &str) -> Result<f64, String> {
    positive(text, 1e3)
}

fn range(text: &str, least: usize, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from {least} to {}", super::count(most))),
    }
}

fn positive(text: &str, most: f64) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && number <= most => Ok(number),
        _ => Err(format!("must be a number above 0 and at most {most}")),
    }
}
