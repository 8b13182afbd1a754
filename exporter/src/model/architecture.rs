//! The shape of a network, as data.

use runtime::limits::{MAX_BLOCK_SIZE, MAX_FUSE, MAX_LEVELS};
use runtime::{Activation, Config, FormatError, Level};

/// Embedding size and levels of a network; the word list determines the vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Number of values in the embedding of a character.
    pub n_embd: usize,
    /// The levels, from the characters up.
    pub levels: Vec<Level>,
    /// Activation of every level.
    pub activation: Activation,
    /// True if the output layer reads the outputs of all levels; see [`Config::skip`].
    pub skip: bool,
}

/// Levels, as an option of the command line.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Levels(pub Vec<Level>);

/// Parses `fuse:width,fuse:width`, from the characters up, as in model files. [`Config`] checks the limits.
///
/// # Errors
/// A message for text of another form.
pub fn levels(text: &str) -> Result<Levels, String> {
    let level = |level: &str| {
        let (fuse, width) = level.split_once(':')?;
        Some(Level { fuse: fuse.parse().ok()?, width: width.parse().ok()? })
    };
    let levels: Option<_> = text.split(',').map(level).collect();
    levels.map(Levels).ok_or_else(|| "levels are FUSE:WIDTH, separated by commas, as in 2:88,2:88,2:88".to_owned())
}

/// Describes the levels in one line: `levels 2:64,2:88,2:104 gated skip`.
pub fn describe(config: &Config) -> String {
    let levels: Vec<String> = config.levels().iter().map(|level| format!("{}:{}", level.fuse, level.width)).collect();
    format!("levels {}{}", levels.join(","), marks(config.activation(), config.skip()))
}

/// Returns the differences from the lecture's network in activation and skip connections: ` gated skip`.
pub fn marks(activation: Activation, skip: bool) -> String {
    let lecture = [Activation::Tanh.name(), ""];
    let marks = [activation.name(), if skip { "skip" } else { "" }];
    marks.iter().filter(|mark| !lecture.contains(mark)).map(|mark| format!(" {mark}")).collect()
}

/// Reasons why there are no levels of the requested dimensions.
#[derive(Debug, thiserror::Error)]
pub enum ArchitectureError {
    /// The block size is not a product of levels that fuse 2 to [`MAX_FUSE`] nodes.
    #[error(
        "block size {block_size} cannot be divided into levels: it must be a product of at most {MAX_LEVELS} factors of \
         2 to {MAX_FUSE}, and at most {MAX_BLOCK_SIZE}"
    )]
    BlockSize {
        /// The requested value.
        block_size: usize,
    },
    /// The width is outside its limits.
    #[error("n_hidden is {n_hidden}, but must be 1 to {max}", max = runtime::limits::MAX_WIDTH)]
    Width {
        /// The requested value.
        n_hidden: usize,
    },
}

impl Architecture {
    /// Makes levels that see `block_size` characters, each `n_hidden` wide.
    ///
    /// The levels fuse the prime factors of `block_size`, the smallest first: 2, 2, 2 for 8, as in the lecture; 3 for
    /// 3; 2, 2, 3 for 12.
    ///
    /// # Errors
    /// [`ArchitectureError`] if no levels have these dimensions.
    pub fn tree(block_size: usize, n_embd: usize, n_hidden: usize) -> Result<Self, ArchitectureError> {
        let width = u16::try_from(n_hidden).map_err(|_| ArchitectureError::Width { n_hidden })?;
        let refused = ArchitectureError::BlockSize { block_size };
        if !(2..=MAX_BLOCK_SIZE).contains(&block_size) {
            return Err(refused);
        }
        let mut levels = Vec::new();
        let mut rest = block_size;
        let mut factor = 2;
        while rest > 1 {
            if rest.is_multiple_of(factor) {
                rest /= factor;
                match u8::try_from(factor) {
                    Ok(fuse) if factor <= MAX_FUSE => levels.push(Level { fuse, width }),
                    _ => return Err(refused),
                }
            } else {
                factor += 1;
            }
        }
        if levels.len() > MAX_LEVELS {
            return Err(refused);
        }
        Ok(Self { n_embd, levels, activation: Activation::Tanh, skip: false })
    }

    /// Returns the runtime's configuration, with its limits checked.
    ///
    /// # Errors
    /// [`FormatError::BadDimension`] for a network that the runtime cannot run.
    pub fn config(&self, vocab_size: usize) -> Result<Config, FormatError> {
        Ok(Config::new(vocab_size, self.n_embd, self.activation, &self.levels)?.with_skip(self.skip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_from_text() {
        assert_eq!(levels("3:98,2:7").unwrap().0, [Level { fuse: 3, width: 98 }, Level { fuse: 2, width: 7 }]);
        for refused in ["", "3", "3:98,", "3:x", "300:1", "-1:2", "2:70000"] {
            assert!(levels(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn block_sizes_become_levels() {
        let fuses = |block_size| {
            Architecture::tree(block_size, 4, 8)
                .map(|architecture| architecture.levels.iter().map(|level| level.fuse).collect::<Vec<_>>())
        };
        assert_eq!(fuses(8).unwrap(), [2, 2, 2]);
        assert_eq!(fuses(16).unwrap(), [2, 2, 2, 2]);
        assert_eq!(fuses(3).unwrap(), [3]);
        assert_eq!(fuses(12).unwrap(), [2, 2, 3]);
        for refused in [0, 1, 67, 134, 512, 2048] {
            assert!(fuses(refused).is_err(), "{refused}");
        }
        assert!(Architecture::tree(8, 4, 70_000).is_err());
    }
}
