//! Networks and recipes by name.

use runtime::{Activation, Level};

use crate::model::architecture::{Architecture, ArchitectureError};
use crate::train::nn::Statistics;
use crate::train::recipe::{Form, Keep, Length, Modules, Optimizer, Recipe, Sampling, Schedule};

/// Network and its recipe.
#[derive(Clone, Debug)]
pub struct Preset {
    /// Name, for `--preset`.
    pub name: &'static str,
    /// Description in one line.
    pub about: &'static str,
    /// Values per character embedding.
    pub n_embd: usize,
    /// Levels, from the characters up.
    pub levels: &'static [Level],
    /// Activation of the levels.
    pub activation: Activation,
    /// `true` if the output layer reads all levels.
    pub skip: bool,
    /// Dimensions over which BatchNorm takes its statistics.
    pub statistics: Statistics,
    /// Training recipe.
    pub recipe: Recipe,
}

impl Preset {
    /// Returns the context length: the product of the levels' fuses.
    pub fn block_size(&self) -> usize {
        self.levels.iter().map(|level| usize::from(level.fuse)).product()
    }

    /// Returns the widths of the levels as text: one number if they are all equal.
    pub fn widths(&self) -> String {
        let widths: Vec<String> = self.levels.iter().map(|level| level.width.to_string()).collect();
        if widths.iter().all(|width| *width == widths[0]) { widths[0].clone() } else { widths.join(",") }
    }

    /// Returns the name of the preset with this activation, such as `wavenet-68-relu`. With the preset's own
    /// activation, this is the preset's name.
    pub fn named(&self, activation: Activation) -> String {
        if activation == self.activation {
            self.name.to_owned()
        } else {
            format!("{}-{}", self.name, activation.name())
        }
    }

    /// Returns the network of the preset.
    pub fn architecture(&self) -> Architecture {
        let Self { n_embd, levels, activation, skip, .. } = *self;
        Architecture { n_embd, levels: levels.to_vec(), activation, skip }
    }

    /// Returns the network with the user's changes. Another context length becomes a tree of its prime factors.
    ///
    /// # Errors
    /// [`ArchitectureError`] if there is no such network.
    pub fn changed(
        &self,
        block_size: Option<usize>,
        n_embd: Option<usize>,
        n_hidden: Option<usize>,
    ) -> Result<Architecture, ArchitectureError> {
        let mut architecture = self.architecture();
        architecture.n_embd = n_embd.unwrap_or(self.n_embd);
        if let Some(block_size) = block_size.filter(|&block_size| block_size != self.block_size()) {
            let widest = self.levels.iter().map(|level| level.width).max().map_or(0, usize::from);
            architecture.levels = Architecture::tree(block_size, 1, n_hidden.unwrap_or(widest))?.levels;
        } else if let Some(n_hidden) = n_hidden {
            let width = u16::try_from(n_hidden).map_err(|_| ArchitectureError::Width { n_hidden })?;
            architecture.levels.iter_mut().for_each(|level| level.width = width);
        }
        Ok(architecture)
    }
}

/// Preset of `train` if the user names none.
pub const DEFAULT_PRESET: &str = "gated";

/// Preset of `train --text` if the user names none.
pub const TEXT_PRESET: &str = "text";

/// Preset that is fastest to the lecture's best loss.
pub const FAST_PRESET: &str = "gated-fast";

/// Recipe of the gated presets: AdamW with strong weight decay, over whole words.
const GATED: Recipe = Recipe {
    optimizer: Optimizer::AdamW { betas: (0.9, 0.98), weight_decay: 0.1 },
    lr: 6e-3,
    schedule: Schedule::Cosine { warmup_steps: 500 },
    batch_size: 1024,
    length: Length::Epochs(150.0),
    dropout: 0.1,
    look_ahead: 0.0,
    sampling: Sampling::Shuffled,
    modules: Modules::Pytorch,
    keep: Keep::Best,
    fit_temperature: false,
    form: Form::Words,
};

/// Defaults of the gated presets.
const GATED_TREE: Preset = Preset {
    name: "",
    about: "",
    n_embd: 24,
    levels: &[Level { fuse: 2, width: 64 }, Level { fuse: 2, width: 88 }, Level { fuse: 2, width: 104 }],
    activation: Activation::Gated,
    skip: true,
    statistics: Statistics::BatchAndPositions,
    recipe: GATED,
};

/// The lecture's recipe: plain gradient descent over batches drawn with replacement; the last weights become the model.
const LECTURE: Recipe = Recipe {
    optimizer: Optimizer::Sgd,
    lr: 0.1,
    schedule: Schedule::Drop { at: 150_000, factor: 0.1 },
    batch_size: 32,
    length: Length::Steps(200_000),
    dropout: 0.0,
    look_ahead: 0.0,
    sampling: Sampling::WithReplacement,
    modules: Modules::Lecture,
    keep: Keep::Last,
    fit_temperature: false,
    form: Form::Windows,
};

/// The lecture's last network and recipe: defaults of the presets with tanh.
const LECTURE_TREE: Preset = Preset {
    name: "",
    about: "",
    n_embd: 24,
    levels: &[Level { fuse: 2, width: 128 }; 3],
    activation: Activation::Tanh,
    skip: false,
    statistics: Statistics::BatchAndPositions,
    recipe: LECTURE,
};

/// All presets: those of the lecture in its order, then ours.
pub const PRESETS: [Preset; 15] = [
    Preset {
        name: "mlp-3",
        about: "the lecture's first network: 3 characters into one layer of 200",
        n_embd: 10,
        levels: &[Level { fuse: 3, width: 200 }; 1],
        ..LECTURE_TREE
    },
    Preset {
        name: "mlp-8",
        about: "mlp-3 with 8 characters",
        n_embd: 10,
        levels: &[Level { fuse: 8, width: 200 }; 1],
        ..LECTURE_TREE
    },
    Preset {
        name: "wavenet-68",
        about: "the lecture's tree: 8 characters, levels 2,2,2 of 68; about the size of mlp-8",
        n_embd: 10,
        levels: &[Level { fuse: 2, width: 68 }; 3],
        ..LECTURE_TREE
    },
    Preset {
        name: "wavenet-68-bn-bug",
        about: "wavenet-68 with the lecture's first BatchNorm, whose statistics are per position; cannot be exported",
        n_embd: 10,
        levels: &[Level { fuse: 2, width: 68 }; 3],
        statistics: Statistics::BatchOnly,
        ..LECTURE_TREE
    },
    Preset { name: "wavenet-128", about: "the lecture's last network: n_embd 24, levels 2,2,2 of 128", ..LECTURE_TREE },
    Preset {
        name: "wavenet-128-adamw",
        about: "wavenet-128 trained with AdamW and a falling learning rate",
        recipe: Recipe {
            optimizer: Optimizer::AdamW { betas: (0.9, 0.999), weight_decay: 0.01 },
            lr: 1e-3,
            schedule: Schedule::Steps { every: 5_000, factor: 0.3 },
            batch_size: 64,
            length: Length::Steps(15_000),
            dropout: 0.0,
            look_ahead: 0.0,
            sampling: Sampling::Shuffled,
            modules: Modules::Pytorch,
            keep: Keep::Last,
            fit_temperature: false,
            form: Form::Windows,
        },
        ..LECTURE_TREE
    },
    Preset {
        name: "wavenet-128-cosine",
        about: "wavenet-128 trained with AdamW, warm-up and cosine, on large batches",
        recipe: Recipe {
            optimizer: Optimizer::AdamW { betas: (0.9, 0.98), weight_decay: 0.05 },
            lr: 4e-3,
            schedule: Schedule::Cosine { warmup_steps: 300 },
            batch_size: 512,
            length: Length::Epochs(30.0),
            dropout: 0.02,
            look_ahead: 0.0,
            sampling: Sampling::Shuffled,
            modules: Modules::Pytorch,
            keep: Keep::Best,
            fit_temperature: false,
            form: Form::Windows,
        },
        ..LECTURE_TREE
    },
    Preset {
        name: "gated-88",
        about: "WaveNet's gated units: levels 2,2,2 of 88, two rows of weights per value",
        levels: &[Level { fuse: 2, width: 88 }; 3],
        skip: false,
        ..GATED_TREE
    },
    Preset {
        name: DEFAULT_PRESET,
        about: "the best: gated units, levels wider towards the output; the output layer reads all levels",
        ..GATED_TREE
    },
    Preset {
        name: "gated-200k",
        about: "below 200,000 parameters: gated with wider levels, more dropout, and a look-ahead",
        levels: &[Level { fuse: 2, width: 104 }, Level { fuse: 2, width: 152 }, Level { fuse: 2, width: 184 }],
        recipe: Recipe { length: Length::Epochs(140.0), dropout: 0.2, look_ahead: 0.3, fit_temperature: true, ..GATED },
        ..GATED_TREE
    },
    Preset {
        name: "gated-minute",
        about: "gated trained in a minute, for a first look: a loss at most 0.03 nats above gated's",
        recipe: Recipe { lr: 1e-2, length: Length::Epochs(20.0), dropout: 0.05, ..GATED },
        ..GATED_TREE
    },
    Preset {
        name: FAST_PRESET,
        about: "gated trained to the lecture's best loss in seconds: few epochs",
        recipe: Recipe {
            optimizer: Optimizer::AdamW { betas: (0.9, 0.98), weight_decay: 0.0 },
            lr: 2e-2,
            batch_size: 768,
            length: Length::Epochs(4.5),
            dropout: 0.0,
            look_ahead: 0.0,
            keep: Keep::Last,
            ..GATED
        },
        ..GATED_TREE
    },
    Preset {
        name: TEXT_PRESET,
        about: "for a text: gated units that see 64 characters, levels 2,2,2,2,2,2",
        levels: &[Level { fuse: 2, width: 88 }; 6],
        recipe: Recipe {
            lr: 5e-3,
            batch_size: 4096,
            length: Length::Epochs(25.0),
            look_ahead: 0.3,
            keep: Keep::Last,
            ..GATED
        },
        ..GATED_TREE
    },
    Preset {
        name: "wavenet-128-fast",
        about: "wavenet-128 trained to the lecture's loss in seconds: whole words, few epochs",
        recipe: Recipe {
            optimizer: Optimizer::AdamW { betas: (0.9, 0.98), weight_decay: 0.0 },
            lr: 8e-3,
            schedule: Schedule::Cosine { warmup_steps: 100 },
            batch_size: 512,
            length: Length::Epochs(8.0),
            dropout: 0.0,
            look_ahead: 0.0,
            sampling: Sampling::Shuffled,
            modules: Modules::Pytorch,
            keep: Keep::Last,
            fit_temperature: false,
            form: Form::Words,
        },
        ..LECTURE_TREE
    },
    Preset {
        name: "tiny",
        about: "a few kB for tests: 4 characters, levels 2,2 of 16; draws poor names",
        n_embd: 6,
        levels: &[Level { fuse: 2, width: 16 }; 2],
        recipe: Recipe {
            optimizer: Optimizer::AdamW { betas: (0.9, 0.98), weight_decay: 0.0 },
            lr: 1e-2,
            schedule: Schedule::Cosine { warmup_steps: 50 },
            batch_size: 256,
            length: Length::Epochs(5.0),
            dropout: 0.0,
            look_ahead: 0.0,
            sampling: Sampling::Shuffled,
            modules: Modules::Pytorch,
            keep: Keep::Best,
            fit_temperature: false,
            form: Form::Windows,
        },
        ..LECTURE_TREE
    },
];

/// Returns the preset with this name.
pub fn find(name: &str) -> Option<Preset> {
    PRESETS.into_iter().find(|preset| preset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_has_the_parameters_of_the_table() {
        // Counted as in the lecture, with gamma and beta, which folding turns into one bias.
        let expected = [
            12_097, 22_097, 22_397, 22_397, 76_579, 76_579, 76_579, 74_507, 73_891, 199_403, 73_891, 73_891, 180_371,
            76_579,
        ];
        // `tiny` is not in the table.
        let (tiny, presets) = PRESETS.split_last().unwrap();
        assert_eq!((tiny.name, presets.len()), ("tiny", expected.len()), "a preset is not in the table");
        for (preset, expected) in presets.iter().zip(expected) {
            let config = preset.architecture().config(27).unwrap();
            let gammas: usize = config.shapes().map(|shape| shape.fan_out).sum();
            assert_eq!(config.parameters() + gammas, expected, "{}", preset.name);
        }
        assert!(find("tiny").unwrap().architecture().config(27).is_ok());
        assert_eq!(find("mlp-8").unwrap().block_size(), 8);
    }

    #[test]
    fn another_activation_is_part_of_the_name() {
        assert_eq!(find("tiny").unwrap().named(Activation::Tanh), "tiny");
        assert_eq!(find("tiny").unwrap().named(Activation::Gated), "tiny-gated");
    }

    #[test]
    fn changes_keep_the_levels_unless_the_context_changes() {
        let preset = find("mlp-8").unwrap();
        assert_eq!(preset.changed(None, None, Some(50)).unwrap().levels, [Level { fuse: 8, width: 50 }]);
        assert_eq!(preset.changed(Some(4), None, None).unwrap().levels, [Level { fuse: 2, width: 200 }; 2]);
    }
}
