//! What the name of a tensor says: which module it belongs to and which part of it it is.
//!
//! ```text
//! 3.running_var             module "3",           variance        nn.Sequential
//! layers.10.weight          module "layers.10",   weight          a ModuleList, or a list of the lecture's own layers
//! blocks.0.linear.weight    module "blocks.0.linear"              a class with parts of its own
//! W1, b1                    module "1",           weight, bias    single tensors, as the lecture has them first
//! bngain, bnmean_running    module "bn",          gamma, mean
//! C                         module "C",           weight
//! ```

use std::cmp::Ordering;

/// What a tensor is to its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A matrix; of a BatchNorm, PyTorch calls gamma so.
    Weight,
    /// What is added; of a BatchNorm, PyTorch calls beta so.
    Bias,
    /// BatchNorm's factor.
    Gamma,
    /// What BatchNorm adds.
    Beta,
    /// Running mean.
    Mean,
    /// Running variance.
    Variance,
    /// Running standard deviation, as the lecture has it in its third part: no eps belongs to it.
    Deviation,
}

/// Module and part of a tensor; `None` where the name says nothing known.
pub fn parse(name: &str) -> Option<(String, Part)> {
    let (path, leaf) = match name.rsplit_once('.') {
        Some((path, leaf)) => (Some(path), leaf),
        None => (None, name),
    };
    if let Some((stem, part)) = part(leaf) {
        let module = match (path, stem) {
            (Some(path), stem) if stem.is_empty() => path.to_owned(),
            (Some(path), stem) => format!("{path}.{stem}"),
            (None, stem) => stem,
        };
        return Some((module, part));
    }
    // fc1_weight, bn1_running_mean: the longest end that means something.
    leaf.match_indices('_').find_map(|(at, _)| {
        let (stem, end) = (&leaf[..at], &leaf[at + 1..]);
        let (rest, part) = part(end).filter(|(rest, _)| rest.is_empty())?;
        debug_assert!(rest.is_empty());
        Some((path.map_or(stem.to_owned(), |path| format!("{path}.{stem}")), part))
    })
}

/// The part that a word means, and what else it says: a number, or that it is of a BatchNorm.
fn part(word: &str) -> Option<(String, Part)> {
    let number: String = word.chars().filter(char::is_ascii_digit).collect();
    let mut letters: String = word.to_ascii_lowercase().chars().filter(|c| !c.is_ascii_digit() && *c != '_').collect();
    let mut of_batch_norm = false;
    for prefix in ["batchnorm", "bn"] {
        if let Some(rest) = letters.strip_prefix(prefix) {
            letters = rest.to_owned();
            of_batch_norm = true;
            break;
        }
    }
    for word in ["running", "moving"] {
        letters = letters.replace(word, "");
    }
    let part = match (letters.as_str(), of_batch_norm) {
        ("weight" | "w" | "kernel", false) => Part::Weight,
        ("bias" | "b", false) => Part::Bias,
        ("gamma" | "gain" | "g", _) | ("weight" | "w", true) => Part::Gamma,
        ("beta", _) | ("bias" | "b", true) => Part::Beta,
        ("mean", _) => Part::Mean,
        ("var" | "variance", _) => Part::Variance,
        ("std", _) => Part::Deviation,
        _ => return None,
    };
    let stem = if of_batch_norm { format!("bn{number}") } else { number };
    Some((stem, part))
}

/// Whether a name is one that embeddings have.
pub fn is_embedding(module: &str) -> bool {
    let last = module.rsplit('.').next().unwrap_or(module);
    let last = last.to_ascii_lowercase();
    last == "c" || last == "wte" || last.contains("emb")
}

/// Whether a name is one that the last layer has.
pub fn is_output(module: &str) -> bool {
    let last = module.rsplit('.').next().unwrap_or(module).to_ascii_lowercase();
    last.split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| matches!(word, "out" | "output" | "head" | "logits" | "classifier" | "decoder" | "unembed"))
}

/// Names in the order people count in: digits as numbers.
pub fn natural(first: &str, second: &str) -> Ordering {
    compare(first, second).0
}

/// Whether two names stand in the order of a number in them, the first in which they differ.
pub fn numbered(first: &str, second: &str) -> bool {
    compare(first, second).1
}

/// The order, and whether a number decides it.
fn compare(first: &str, second: &str) -> (Ordering, bool) {
    for pair in pieces(first).zip(pieces(second)) {
        let order = match pair {
            (Piece::Number(first), Piece::Number(second)) => (first.cmp(&second), true),
            (Piece::Text(first), Piece::Text(second)) => (first.cmp(second), false),
            (Piece::Number(_), Piece::Text(_)) => (Ordering::Less, false),
            (Piece::Text(_), Piece::Number(_)) => (Ordering::Greater, false),
        };
        if order.0 != Ordering::Equal {
            return order;
        }
    }
    (pieces(first).count().cmp(&pieces(second).count()).then_with(|| first.cmp(second)), false)
}

enum Piece<'n> {
    Number(u128),
    Text(&'n str),
}

fn pieces(name: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let digit = rest.chars().next()?.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        // Longer than any number is text.
        Some(if digit { piece.parse().map_or(Piece::Text(piece), Piece::Number) } else { Piece::Text(piece) })
    })
}

/// The last number in a name.
pub fn last_number(name: &str) -> Option<u128> {
    pieces(name).filter_map(|piece| if let Piece::Number(number) = piece { Some(number) } else { None }).last()
}

/// The name without its last component, and the number that component is.
pub fn place(module: &str) -> Option<(&str, u64)> {
    let (parent, last) = module.rsplit_once('.').unwrap_or(("", module));
    Some((parent, last.parse().ok()?))
}

/// The name without its last component.
pub fn parent(module: &str) -> Option<&str> {
    module.rsplit_once('.').map(|(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_fashion() {
        for (name, module, expected) in [
            ("3.running_var", "3", Part::Variance),
            ("layers.10.weight", "layers.10", Part::Weight),
            ("blocks.0.linear.bias", "blocks.0.linear", Part::Bias),
            ("layers.4.gamma", "layers.4", Part::Gamma),
            ("W1", "1", Part::Weight),
            ("b2", "2", Part::Bias),
            ("bngain", "bn", Part::Gamma),
            ("bnbias3", "bn3", Part::Beta),
            ("bnmean_running", "bn", Part::Mean),
            ("bnstd_running", "bn", Part::Deviation),
            ("bn2_running_var", "bn2", Part::Variance),
            ("fc1_weight", "fc1", Part::Weight),
            ("net.fc1_bias", "net.fc1", Part::Bias),
            ("net.W3", "net.3", Part::Weight),
        ] {
            assert_eq!(parse(name), Some((module.to_owned(), expected)), "{name}");
        }
        for name in ["C", "wte", "mask", "", ".", "é", "_", "weight_ih_l0"] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn numbers_count() {
        assert_eq!(natural("2", "10"), Ordering::Less);
        assert_eq!(natural("layers.2.weight", "layers.10.weight"), Ordering::Less);
        assert_eq!(natural("fc1", "out"), Ordering::Less);
        assert!(numbered("fc1", "fc2") && !numbered("one", "two") && !numbered("fc", "fc"));
        assert!(is_output("net.lm_head") && is_output("out") && !is_output("layout") && !is_output("router"));
        assert!(is_embedding("C") && is_embedding("model.embed") && !is_embedding("fc"));
    }
}
