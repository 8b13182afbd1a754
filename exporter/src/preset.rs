//! Networks and recipes by name.

use crate::architecture::{Architecture, ArchitectureError};

/// How a network is trained: AdamW, a linear warm-up, then a cosine down to zero.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Recipe {
    /// Learning rate at the top of the schedule.
    pub lr: f64,
    /// AdamW's averages of gradients and of their squares.
    pub betas: (f64, f64),
    /// AdamW's decay of weights.
    pub weight_decay: f64,
    /// Steps from nothing to `lr`.
    pub warmup_steps: usize,
    /// Examples per step.
    pub batch_size: usize,
    /// Times through the training split, unless `--steps` says otherwise.
    pub epochs: f64,
    /// Chance that an output of a level is dropped while training.
    pub dropout: f64,
}

/// A network and its recipe.
#[derive(Clone, Debug)]
pub struct Preset {
    /// What `--preset` takes.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Context length.
    pub block_size: usize,
    /// Values per character embedding.
    pub n_embd: usize,
    /// Values per position after each level.
    pub n_hidden: usize,
    /// How it is trained.
    pub recipe: Recipe,
}

impl Preset {
    /// The network of the preset.
    ///
    /// # Errors
    /// None for the presets of [`PRESETS`], which the tests build; [`ArchitectureError`] after a change by the user.
    pub fn architecture(&self) -> Result<Architecture, ArchitectureError> {
        Architecture::tree(self.block_size, self.n_embd, self.n_hidden)
    }
}

/// What `train` does when no preset is named.
pub const DEFAULT_PRESET: &str = "wavenet-128-cosine";

/// All presets.
pub const PRESETS: [Preset; 2] = [
    Preset {
        name: DEFAULT_PRESET,
        about: "the lecture's larger network (8 characters, levels 2,2,2 of 128), AdamW with warm-up and cosine",
        block_size: 8,
        n_embd: 24,
        n_hidden: 128,
        recipe: Recipe {
            lr: 4e-3,
            betas: (0.9, 0.98),
            weight_decay: 0.05,
            warmup_steps: 300,
            batch_size: 512,
            epochs: 30.0,
            dropout: 0.02,
        },
    },
    Preset {
        name: "tiny",
        about: "a few kB for tests: 4 characters, levels 2,2 of 16; names of little use",
        block_size: 4,
        n_embd: 6,
        n_hidden: 16,
        recipe: Recipe {
            lr: 1e-2,
            betas: (0.9, 0.98),
            weight_decay: 0.0,
            warmup_steps: 50,
            batch_size: 256,
            epochs: 5.0,
            dropout: 0.0,
        },
    },
];

/// The preset of that name.
pub fn find(name: &str) -> Option<Preset> {
    PRESETS.into_iter().find(|preset| preset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_network() {
        for preset in PRESETS {
            assert!(preset.architecture().unwrap().config(27).is_ok(), "{}", preset.name);
        }
        let default = find(DEFAULT_PRESET).unwrap().architecture().unwrap().config(27).unwrap();
        assert_eq!(default.block_size(), 8);
        // The lecture counts gamma and beta: 2 * 3 * 128, of which folding leaves one bias.
        assert_eq!(default.parameters() + 3 * 128, 76_579);
    }
}
