//! Facts about a model, for `src/types.js`.

use alloc::vec::Vec;

use runtime::Model;
use serde::Serialize;

/// Facts about a model.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "src/types.js describes the fields")]
pub struct Facts {
    pub precision: &'static str,
    pub activation: &'static str,
    pub skip: bool,
    pub characters: Vec<char>,
    pub n_embd: usize,
    pub block_size: usize,
    pub levels: Vec<LevelFacts>,
    pub bytes: usize,
    pub parameters: usize,
    pub macs: usize,
}

/// Dimensions of a level.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "src/types.js describes the fields")]
pub struct LevelFacts {
    pub fuse: usize,
    pub width: usize,
    pub receptive_field: usize,
    pub is_observed: bool,
}

impl Facts {
    /// Returns the facts about a model whose blob has `bytes` bytes. `is_observed` returns whether the values of a
    /// level are computed.
    pub(crate) fn of(model: &Model<'_>, bytes: usize, is_observed: impl Fn(usize) -> bool) -> Self {
        let config = model.config();
        let mut receptive_field = 1;
        let levels = config.levels().iter().enumerate().map(|(index, level)| {
            receptive_field *= usize::from(level.fuse);
            let (fuse, width) = (level.fuse.into(), level.width.into());
            LevelFacts { fuse, width, receptive_field, is_observed: is_observed(index) }
        });
        let levels = levels.collect();
        Self {
            precision: model.precision().name(),
            activation: config.activation().name(),
            skip: config.skip(),
            characters: model.vocab().as_str().chars().collect(),
            n_embd: config.n_embd(),
            block_size: config.block_size(),
            levels,
            bytes,
            parameters: config.parameters(),
            macs: model.macs_streaming(),
        }
    }
}
