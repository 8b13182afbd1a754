//! Networks and recipes by name.

use runtime::{Activation, Level};

use crate::architecture::{Architecture, ArchitectureError};
use crate::nn::Statistics;
use crate::recipe::{Form, Keep, Length, Modules, Optimizer, Recipe, Sampling, Schedule};

/// A network and its recipe.
#[derive(Clone, Debug)]
pub struct Preset {
    /// What `--preset` takes.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Positions that each level joins, from the characters up.
    pub fuses: &'static [u8],
    /// Values per character embedding.
    pub n_embd: usize,
    /// Values per position after each level.
    pub n_hidden: u16,
    /// What makes a level's values of its rows.
    pub activation: Activation,
    /// What BatchNorm takes its statistics over.
    pub statistics: Statistics,
    /// How it is trained.
    pub recipe: Recipe,
}

impl Preset {
    /// Context length: the product of what the levels join.
    pub fn block_size(&self) -> usize {
        self.fuses.iter().map(|&fuse| usize::from(fuse)).product()
    }

    /// The network of the preset.
    pub fn architecture(&self) -> Architecture {
        let level = |&fuse| Level { fuse, width: self.n_hidden };
        Architecture {
            n_embd: self.n_embd,
            levels: self.fuses.iter().map(level).collect(),
            activation: self.activation,
        }
    }

    /// The network after changes by the user. Another context length becomes a tree of its prime factors.
    ///
    /// # Errors
    /// [`ArchitectureError`] where there is no such network.
    pub fn changed(
        &self,
        block_size: Option<usize>,
        n_embd: Option<usize>,
        n_hidden: Option<usize>,
    ) -> Result<Architecture, ArchitectureError> {
        let n_embd = n_embd.unwrap_or(self.n_embd);
        let n_hidden = n_hidden.unwrap_or(self.n_hidden.into());
        match block_size {
            Some(block_size) if block_size != self.block_size() => {
                Ok(Architecture { activation: self.activation, ..Architecture::tree(block_size, n_embd, n_hidden)? })
            }
            _ => {
                let width = u16::try_from(n_hidden).map_err(|_| ArchitectureError::Width { n_hidden })?;
                let mut architecture = Architecture { n_embd, ..self.architecture() };
                architecture.levels.iter_mut().for_each(|level| level.width = width);
                Ok(architecture)
            }
        }
    }
}

/// What `train` does when no preset is named.
pub const DEFAULT_PRESET: &str = "wavenet-128-cosine";

/// What is soonest at the lecture's best loss.
pub const FAST_PRESET: &str = "gated-88-fast";

/// AdamW with strong decay over whole words.
const GATED: Recipe = Recipe {
    optimizer: Optimizer::AdamW { betas: (0.9, 0.98), weight_decay: 0.1 },
    lr: 4e-3,
    schedule: Schedule::Cosine { warmup_steps: 500 },
    batch_size: 512,
    length: Length::Epochs(120.0),
    dropout: 0.0,
    sampling: Sampling::Shuffled,
    modules: Modules::Pytorch,
    keep: Keep::Best,
    form: Form::Words,
};

/// What all gated presets have in common.
const GATED_TREE: Preset = Preset {
    name: "",
    about: "",
    fuses: &[2, 2, 2],
    n_embd: 24,
    n_hidden: 0,
    activation: Activation::Gated,
    statistics: Statistics::BatchAndPositions,
    recipe: GATED,
};

/// The lecture's training: plain gradient descent over batches drawn with replacement, the last weights kept.
const LECTURE: Recipe = Recipe {
    optimizer: Optimizer::Sgd,
    lr: 0.1,
    schedule: Schedule::Drop { at: 150_000, factor: 0.1 },
    batch_size: 32,
    length: Length::Steps(200_000),
    dropout: 0.0,
    sampling: Sampling::WithReplacement,
    modules: Modules::Lecture,
    keep: Keep::Last,
    form: Form::Windows,
};

/// All presets: the lecture's in the order of the lecture, then ours.
pub const PRESETS: [Preset; 12] = [
    Preset {
        name: "mlp-3",
        about: "the lecture's first network: 3 characters into one layer of 200",
        fuses: &[3],
        n_embd: 10,
        n_hidden: 200,
        activation: Activation::Tanh,
        statistics: Statistics::BatchAndPositions,
        recipe: LECTURE,
    },
    Preset {
        name: "mlp-8",
        about: "the same with 8 characters",
        fuses: &[8],
        n_embd: 10,
        n_hidden: 200,
        activation: Activation::Tanh,
        statistics: Statistics::BatchAndPositions,
        recipe: LECTURE,
    },
    Preset {
        name: "wavenet-68",
        about: "the lecture's tree: 8 characters, levels 2,2,2 of 68, as many parameters as mlp-8",
        fuses: &[2, 2, 2],
        n_embd: 10,
        n_hidden: 68,
        activation: Activation::Tanh,
        statistics: Statistics::BatchAndPositions,
        recipe: LECTURE,
    },
    Preset {
        name: "wavenet-68-bn-bug",
        about: "the same with the lecture's first BatchNorm, whose statistics are per position; cannot be exported",
        fuses: &[2, 2, 2],
        n_embd: 10,
        n_hidden: 68,
        activation: Activation::Tanh,
        statistics: Statistics::BatchOnly,
        recipe: LECTURE,
    },
    Preset {
        name: "wavenet-128",
        about: "the lecture's last network: n_embd 24, levels 2,2,2 of 128",
        fuses: &[2, 2, 2],
        n_embd: 24,
        n_hidden: 128,
        activation: Activation::Tanh,
        statistics: Statistics::BatchAndPositions,
        recipe: LECTURE,
    },
    Preset {
        name: "wavenet-128-adamw",
        about: "the same network with AdamW and a falling learning rate",
        fuses: &[2, 2, 2],
        n_embd: 24,
        n_hidden: 128,
        activation: Activation::Tanh,
        statistics: Statistics::BatchAndPositions,
        recipe: Recipe {
            optimizer: Optimizer::AdamW { betas: (0.9, 0.999), weight_decay: 0.01 },
            lr: 1e-3,
            schedule: Schedule::Steps { every: 5_000, factor: 0.3 },
            batch_size: 64,
            length: Length::Steps(15_000),
            dropout: 0.0,
            sampling: Sampling::Shuffled,
            modules: Modules::Pytorch,
            keep: Keep::Last,
            form: Form::Windows,
        },
    },
    Preset {
        name: DEFAULT_PRESET,
        about: "the same network, AdamW with warm-up and cosine over large batches",
        fuses: &[2, 2, 2],
        n_embd: 24,
        n_hidden: 128,
        activation: Activation::Tanh,
        statistics: Statistics::BatchAndPositions,
        recipe: Recipe {
            optimizer: Optimizer::AdamW { betas: (0.9, 0.98), weight_decay: 0.05 },
            lr: 4e-3,
            schedule: Schedule::Cosine { warmup_steps: 300 },
            batch_size: 512,
            length: Length::Epochs(30.0),
            dropout: 0.02,
            sampling: Sampling::Shuffled,
            modules: Modules::Pytorch,
            keep: Keep::Best,
            form: Form::Windows,
        },
    },
    Preset {
        name: "gated-88",
        about: "WaveNet's gated units: 2,2,2 of 88, two rows for each value; smaller and better than wavenet-128",
        n_hidden: 88,
        recipe: Recipe { dropout: 0.1, ..GATED },
        ..GATED_TREE
    },
    Preset {
        name: "gated-160",
        about: "the same, wider, with more dropout: what three times the size is worth",
        n_hidden: 160,
        recipe: Recipe { dropout: 0.2, length: Length::Epochs(80.0), ..GATED },
        ..GATED_TREE
    },
    Preset {
        name: FAST_PRESET,
        about: "gated-88 at the lecture's best loss in seconds: few epochs",
        n_hidden: 88,
        recipe: Recipe {
            optimizer: Optimizer::AdamW { betas: (0.9, 0.98), weight_decay: 0.0 },
            lr: 1.2e-2,
            batch_size: 320,
            length: Length::Epochs(4.0),
            keep: Keep::Last,
            ..GATED
        },
        ..GATED_TREE
    },
    Preset {
        name: "wavenet-128-fast",
        about: "the same network at the lecture's loss in seconds: whole words, few epochs",
        fuses: &[2, 2, 2],
        n_embd: 24,
        n_hidden: 128,
        activation: Activation::Tanh,
        statistics: Statistics::BatchAndPositions,
        recipe: Recipe {
            optimizer: Optimizer::AdamW { betas: (0.9, 0.98), weight_decay: 0.0 },
            lr: 8e-3,
            schedule: Schedule::Cosine { warmup_steps: 100 },
            batch_size: 512,
            length: Length::Epochs(8.0),
            dropout: 0.0,
            sampling: Sampling::Shuffled,
            modules: Modules::Pytorch,
            keep: Keep::Last,
            form: Form::Words,
        },
    },
    Preset {
        name: "tiny",
        about: "a few kB for tests: 4 characters, levels 2,2 of 16; names of little use",
        fuses: &[2, 2],
        n_embd: 6,
        n_hidden: 16,
        activation: Activation::Tanh,
        statistics: Statistics::BatchAndPositions,
        recipe: Recipe {
            optimizer: Optimizer::AdamW { betas: (0.9, 0.98), weight_decay: 0.0 },
            lr: 1e-2,
            schedule: Schedule::Cosine { warmup_steps: 50 },
            batch_size: 256,
            length: Length::Epochs(5.0),
            dropout: 0.0,
            sampling: Sampling::Shuffled,
            modules: Modules::Pytorch,
            keep: Keep::Best,
            form: Form::Windows,
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
    fn every_preset_has_the_parameters_of_the_table() {
        // Counted as the lecture does, gamma and beta included, of which folding leaves one bias.
        let expected = [12_097, 22_097, 22_397, 22_397, 76_579, 76_579, 76_579, 74_507, 76_579];
        for (preset, expected) in PRESETS.iter().zip(expected) {
            let config = preset.architecture().config(27).unwrap();
            let gammas: usize = config.shapes().map(|shape| shape.fan_out).sum();
            assert_eq!(config.parameters() + gammas, expected, "{}", preset.name);
        }
        assert!(find("tiny").unwrap().architecture().config(27).is_ok());
        assert_eq!(find("mlp-8").unwrap().block_size(), 8);
    }

    #[test]
    fn changes_keep_the_levels_unless_the_context_changes() {
        let preset = find("mlp-8").unwrap();
        assert_eq!(preset.changed(None, None, Some(50)).unwrap().levels, [Level { fuse: 8, width: 50 }]);
        assert_eq!(preset.changed(Some(4), None, None).unwrap().levels, [Level { fuse: 2, width: 200 }; 2]);
    }
}
