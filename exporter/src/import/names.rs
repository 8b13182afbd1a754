//! Names of tensors: the module that a tensor belongs to, and its part of the module.
//!
//! ```text
//! 3.running_var             module "3",           variance        nn.Sequential
//! layers.10.weight          module "layers.10",   weight          a ModuleList, or a list of the lecture's own layers
//! blocks.0.linear.weight    module "blocks.0.linear"              a class with submodules
//! W1, b1                    module "1",           weight, bias    single tensors, as in the first parts of the lecture
//! bngain, bnmean_running    module "bn",          gamma, mean
//! C                         module "C",           weight
//! ```

use std::cmp::Ordering;

/// Part of a module that a tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Matrix, or the gamma of a BatchNorm, which PyTorch calls weight.
    Weight,
    /// Bias, or the beta of a BatchNorm, which PyTorch calls bias.
    Bias,
    /// Factor of a BatchNorm.
    Gamma,
    /// Summand of a BatchNorm.
    Beta,
    /// Running mean.
    Mean,
    /// Running variance.
    Variance,
    /// Running standard deviation, as in the lecture's third part, which adds no eps to it.
    Deviation,
}

/// Returns module and part of a tensor; `None` if the name has no known part.
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
    // fc1_weight, bn1_running_mean: the longest end that names a part.
    leaf.match_indices('_').find_map(|(at, _)| {
        let (stem, end) = (&leaf[..at], &leaf[at + 1..]);
        let (rest, part) = part(end).filter(|(rest, _)| rest.is_empty())?;
        debug_assert!(rest.is_empty());
        Some((path.map_or(stem.to_owned(), |path| format!("{path}.{stem}")), part))
    })
}

/// Returns the part that a word names, and the rest of the word: a number, and `bn` for a BatchNorm.
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
    // Words that mark running statistics.
    for word in ["running", "moving", "buffer", "ema", "average", "avg", "global", "population"] {
        letters = letters.replace(word, "");
    }
    let part = match (letters.as_str(), of_batch_norm) {
        ("weight" | "weights" | "w" | "kernel" | "matrix", false) => Part::Weight,
        ("bias" | "biases" | "b", false) => Part::Bias,
        ("gamma" | "gain" | "g" | "scale", _) | ("weight" | "weights" | "w", true) => Part::Gamma,
        ("beta" | "shift" | "offset", _) | ("bias" | "biases" | "b", true) => Part::Beta,
        ("mean" | "mu", _) => Part::Mean,
        ("var" | "variance", _) => Part::Variance,
        ("std" | "stddev" | "deviation" | "sigma", _) => Part::Deviation,
        _ => return None,
    };
    let stem = if of_batch_norm { format!("bn{number}") } else { number };
    Some((stem, part))
}

/// Returns the words of a name in lower case: runs of letters.
fn words(name: &str) -> impl DoubleEndedIterator<Item = String> + '_ {
    name.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Returns the last component of a module's name.
fn last(module: &str) -> &str {
    module.rsplit('.').next().unwrap_or(module)
}

/// Returns whether a module has a usual name of an embedding.
pub fn is_embedding(module: &str) -> bool {
    !is_output(module)
        && words(last(module)).any(|word| {
            word.contains("emb")
                || matches!(
                    word.as_str(),
                    "c" | "wte" | "tok" | "token" | "tokens" | "char" | "chars" | "lookup" | "lut" | "letters"
                )
        })
}

/// Returns whether a module has a usual name of an output layer.
pub fn is_output(module: &str) -> bool {
    words(last(module)).any(|word| {
        word.starts_with("unemb")
            || word.starts_with("deemb")
            || matches!(
                word.as_str(),
                "out" | "output" | "head" | "logit" | "logits" | "classifier" | "decoder" | "readout" | "final"
            )
    })
}

/// Returns the kind of a tensor that no layer of this network has, by its name.
pub fn foreign(name: &str) -> Option<&'static str> {
    // The last word describes the tensor best: attn.mask.
    words(name).rev().find_map(|word| match word.as_str() {
        "mask" | "masks" | "tril" | "triu" | "causal" => Some("a mask of attention"),
        "pos" | "position" | "positions" | "positional" | "wpe" => Some("a positional embedding"),
        "attn" | "attention" | "query" | "qkv" => Some("part of an attention layer"),
        "ih" | "hh" | "lstm" | "gru" | "rnn" => Some("part of a recurrent layer"),
        _ => None,
    })
}

/// Returns the kind of a connection around a level, by its name.
pub fn way_around(module: &str) -> Option<&'static str> {
    words(module).find_map(|word| match word.as_str() {
        "res" | "resid" | "residual" | "residuals" | "shortcut" | "shortcuts" | "downsample" | "identity"
        | "bypass" => Some("a residual connection"),
        "skip" | "skips" => Some("a skip connection with weights of its own"),
        _ => None,
    })
}

/// Half of gated units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// Input of tanh.
    Filter,
    /// Input of the sigmoid.
    Gate,
}

/// Returns the half of a gated unit that a name means, and the name with `*` for the word that says so: `2.*` for
/// `2.filter`.
pub fn half(module: &str) -> Option<(Half, String)> {
    let mut found = None;
    let mut at = 0;
    for piece in module.split_inclusive(|c: char| !c.is_ascii_alphabetic()) {
        let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
        let lower = word.to_ascii_lowercase();
        for prefix in ["", "batchnorm", "bn", "norm", "conv", "linear", "lin", "fc", "w"] {
            let Some(rest) = lower.strip_prefix(prefix) else { continue };
            let half = match rest {
                "f" | "filter" | "filters" | "tanh" | "signal" => Half::Filter,
                "g" | "gate" | "gates" | "sigmoid" | "sigm" => Half::Gate,
                _ => continue,
            };
            found = Some((half, format!("{}*{}", &module[..at + prefix.len()], &module[at + word.len()..])));
        }
        at += piece.len();
    }
    found
}

/// Compares names with their digits as numbers: 2 before 10.
pub fn natural(first: &str, second: &str) -> Ordering {
    compare(first, second).0
}

/// Returns whether the first difference between two names is a number, which then decides their order.
pub fn numbered(first: &str, second: &str) -> bool {
    compare(first, second).1
}

/// Returns the order of two names, and whether a number decides it.
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
        // Digits too long for a number are text.
        Some(if digit { piece.parse().map_or(Piece::Text(piece), Piece::Number) } else { Piece::Text(piece) })
    })
}

/// Returns the last number in a name.
pub fn last_number(name: &str) -> Option<u128> {
    pieces(name).filter_map(|piece| if let Piece::Number(number) = piece { Some(number) } else { None }).last()
}

/// Splits a name into the part before its last component, and the last component as a number.
pub fn place(module: &str) -> Option<(&str, u64)> {
    let (parent, last) = module.rsplit_once('.').unwrap_or(("", module));
    Some((parent, last.parse().ok()?))
}

/// Returns the name without its last component.
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
        for (name, module, expected) in [
            ("layers.3.weights", "layers.3", Part::Weight),
            ("layers.3.biases", "layers.3", Part::Bias),
            ("layers.3.scale", "layers.3", Part::Gamma),
            ("layers.3.shift", "layers.3", Part::Beta),
            ("layers.3.ema_mean", "layers.3", Part::Mean),
            ("layers.3.buffer_var", "layers.3", Part::Variance),
            ("layers.3.moving_variance", "layers.3", Part::Variance),
            ("layers.3.running_std", "layers.3", Part::Deviation),
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
        assert!(is_embedding("tok") && is_embedding("token_embedding_table") && !is_embedding("unembed"));
        assert!(is_output("unembed") && is_output("W_unembedding") && !is_output("tok"));
    }

    #[test]
    fn halves_of_gated_units() {
        for (name, half_of, key) in [
            ("2.filter", Half::Filter, "2.*"),
            ("2.gate", Half::Gate, "2.*"),
            ("2.bn_f", Half::Filter, "2.bn_*"),
            ("filters.0", Half::Filter, "*.0"),
            ("blocks.1.conv_gate", Half::Gate, "blocks.1.conv_*"),
            ("Wg1", Half::Gate, "W*1"),
            ("net.tanh_fc", Half::Filter, "net.*_fc"),
            ("é.sigmoid", Half::Gate, "é.*"),
        ] {
            assert_eq!(half(name), Some((half_of, key.to_owned())), "{name}");
        }
        for name in ["fc1", "", "é", "layers.0", "aggregate", "fg"] {
            assert_eq!(half(name), None, "{name}");
        }
        assert_eq!(foreign("layers.mask"), Some("a mask of attention"));
        assert!(foreign("C").is_none() && way_around("blocks.0.res_conv").is_some() && way_around("resnet").is_none());
    }
}
