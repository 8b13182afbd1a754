//! A network and its buffers, tied together so that the buffers always have the network's precision.

use core::fmt;

#[cfg(feature = "f32")]
use super::net_f32::NetF32;
#[cfg(feature = "int8")]
use super::net_int::NetInt;
use super::numbers::{Numbers, Scratch};
use super::output::Activations;
use super::state::{Buffers, StateMut};
use super::walk::{step, unobserved};
use super::{Model, Net};
use crate::error::StateError;
use crate::format::header::Fields;
use crate::sampling::Logit;
use crate::vocab::{BOUNDARY, Token};

/// Running network, in one of the precisions of this build.
#[derive(Debug)]
pub(crate) enum Engine<'m> {
    #[cfg(feature = "f32")]
    F32(Run<'m, NetF32<'m>>),
    #[cfg(feature = "int8")]
    Int(Run<'m, NetInt<'m>>),
}

impl<'m> Engine<'m> {
    /// Ties a model's network to a state.
    pub fn new(model: &'m Model<'m>, state: StateMut<'m>) -> Result<Self, StateError> {
        Ok(match &model.net {
            #[cfg(feature = "f32")]
            Net::F32(net) => Self::F32(Run { net, buffers: Buffers::<NetF32<'_>>::new(model.buffers, state)? }),
            #[cfg(feature = "int8")]
            Net::Int(net) => Self::Int(Run { net, buffers: Buffers::<NetInt<'_>>::new(model.buffers, state)? }),
        })
    }
}

/// Network in one kind of number, and its buffers.
pub(crate) struct Run<'m, N: Numbers> {
    net: &'m N,
    buffers: Buffers<'m, N>,
}

impl<N: Numbers<Characters = Token>> Run<'_, N> {
    /// Puts every level into the state after endless boundaries, and computes the logits for the first character.
    pub fn start(&mut self, header: &Fields<'_>) {
        step(self.net, header, &mut self.buffers, &BOUNDARY, true, unobserved);
    }

    /// Takes a character, and computes the logits for the next one.
    pub fn push(&mut self, header: &Fields<'_>, token: Token) {
        step(self.net, header, &mut self.buffers, &token, false, unobserved);
    }

    /// Does the same as [`Self::push`], and passes the output of every level to `observe`.
    pub fn push_observed(&mut self, header: &Fields<'_>, token: Token, observe: &mut dyn FnMut(usize, Activations<'_>))
    where
        for<'a> Activations<'a>: From<&'a [N::Cell]>,
    {
        step(self.net, header, &mut self.buffers, &token, false, |level, values| observe(level, values.into()));
    }

    /// Returns the logits without their padding.
    #[inline]
    pub fn logits(&self, vocab_size: usize) -> &[N::Logit] {
        self.buffers.scratch.logits().get(..vocab_size).unwrap_or(&[])
    }

    /// Returns the logits without their padding, so that they can be turned into weights.
    #[inline]
    pub fn logits_mut(&mut self, vocab_size: usize) -> &mut [N::Logit] {
        self.buffers.scratch.logits_mut().get_mut(..vocab_size).unwrap_or(&mut [])
    }

    /// Returns the negative log-likelihood of a token, in millionths of a nat.
    pub fn nll_micronats(&self, vocab_size: usize, token: Token) -> u32
    where
        N::Logit: Logit,
    {
        let logits = self.logits(vocab_size);
        logits.get(usize::from(token)).map_or(u32::MAX, |&logit| Logit::nll_micronats(logits, logit))
    }
}

impl<N: Numbers> fmt::Debug for Run<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}
