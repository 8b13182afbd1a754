//! Banner of the console: one line per fact, which begins with the fact's name.

use embedded_io::Write;
use runtime::format::{Layout, Precision};
use runtime::{FormatError, Model, SelfTestError, StateError};

use super::machine::Facts;
use super::print::{NEW_LINE, Print};
use crate::slot::Refusal;

/// Contents of the slot. They decide which model is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The slot is empty; the built-in model is used.
    Empty,
    /// The model in the slot is used.
    Used,
    /// The slot has contents that cannot be used; the built-in model is used.
    Refused(Refusal),
}

/// Facts found when the program started.
#[derive(Clone, Copy, Debug)]
pub struct Boot {
    /// Contents of the slot.
    pub slot: Slot,
    /// Result of the model's self-test.
    pub self_test: Result<(), SelfTestError>,
    /// Bytes of the state; the model may need fewer.
    pub state_bytes: usize,
}

/// Prints the name at the beginning of a fact's line.
#[inline(never)]
fn key(out: &mut impl Write, key: &str) {
    const COLUMN: &str = "          ";
    out.text(key);
    out.text(COLUMN.get(key.len()..).unwrap_or(" "));
}

/// Prints a number and its unit.
#[inline(never)]
pub fn amount(out: &mut impl Write, number: usize, unit: &str) {
    out.number(number as u64);
    out.text(unit);
}

/// Prints the banner.
pub fn print(out: &mut impl Write, model: &Model<'_>, boot: &Boot, facts: &Facts) {
    let provenance = model.provenance();
    key(out, "model");
    out.text(provenance.preset);
    out.text(", ");
    out.text(model.precision().name());
    out.line(if boot.slot == Slot::Used { ", in the slot" } else { ", built in" });
    key(out, "dev nll");
    match provenance.dev_nll_micronats {
        u32::MAX => out.line("not measured"),
        micronats => {
            out.millionths(micronats.into());
            out.text(" nats per character");
            // The value was measured before the weights were rounded.
            out.line(if model.precision().is_integer() { ", of the f32 model" } else { "" });
        }
    }
    key(out, "layout");
    out.line(model.layout().name());
    key(out, "board");
    out.text(facts.board);
    out.text(", ");
    out.text(facts.core);
    out.text(" at ");
    out.thousandths(facts.clock_hz / 1_000);
    out.line(" MHz");
    key(out, "flash");
    amount(out, facts.flash_bytes - facts.model_bytes, " bytes program, ");
    amount(out, facts.model_bytes, " bytes built-in model");
    out.text(NEW_LINE);
    key(out, "RAM");
    amount(out, facts.static_bytes, " bytes static; state ");
    amount(out, boot.state_bytes, ", used by the model ");
    amount(out, model.state_words() * size_of::<u32>(), NEW_LINE);
    key(out, "slot");
    match boot.slot {
        Slot::Empty => out.line("empty"),
        Slot::Used => out.line("used"),
        Slot::Refused(refusal) => refused(out, refusal),
    }
    key(out, "self-test");
    match boot.self_test {
        Ok(()) => {
            out.text("PASS, logits ");
            out.hex(model.golden_crc32());
            out.text(NEW_LINE);
        }
        Err(error) => {
            out.text("FAIL, ");
            logits(out, error);
        }
    }
}

/// Prints why the slot is not used.
fn refused(out: &mut impl Write, refusal: Refusal) {
    out.text("refused: ");
    match refusal {
        Refusal::TooLarge { need, have } => {
            amount(out, need, " bytes, the slot has ");
            amount(out, have, NEW_LINE);
        }
        Refusal::Format(error) => format(out, error),
        Refusal::State(StateError::TooSmall { need, have }) => {
            amount(out, need, " words of state needed, ");
            amount(out, have, " reserved");
            out.text(NEW_LINE);
        }
        Refusal::State(_) => out.line("too little state"),
        Refusal::SelfTest(error) => logits(out, error),
    }
}

/// Prints the two checksums of a failed self-test.
fn logits(out: &mut impl Write, SelfTestError { expected, computed }: SelfTestError) {
    out.text("logits ");
    out.hex(computed);
    out.text(", expected ");
    out.hex(expected);
    out.text(NEW_LINE);
}

/// Prints why bytes are not a model, in enough detail for the person who flashed them.
fn format(out: &mut impl Write, error: FormatError) {
    match error {
        FormatError::BadMagic { .. } => out.line("not a model blob"),
        FormatError::UnsupportedVersion { found, supported } => {
            out.text("format version ");
            amount(out, found.into(), ", this program reads ");
            amount(out, supported.into(), NEW_LINE);
        }
        FormatError::ChecksumMismatch { stored, computed } => {
            out.text("damaged, checksum ");
            out.hex(computed);
            out.text(", stored ");
            out.hex(stored);
            out.text(NEW_LINE);
        }
        FormatError::UnsupportedFormat => {
            out.text("unsupported precision or layout; this program reads");
            let precisions =
                Precision::ALL.iter().filter(|precision| precision.is_built()).map(|precision| precision.name());
            let layouts = Layout::INTEGERS.iter().filter(|layout| layout.is_built()).map(|layout| layout.name());
            for name in precisions.chain(layouts) {
                out.text(" ");
                out.text(name);
            }
            out.text(NEW_LINE);
        }
        FormatError::Truncated { need, have } => {
            amount(out, have, " bytes, a model needs ");
            amount(out, need, NEW_LINE);
        }
        FormatError::BadDimension { what, found, min, max } => {
            out.text(what);
            amount(out, found, ", must be ");
            amount(out, min, " to ");
            amount(out, max, NEW_LINE);
        }
        FormatError::BadHeader => out.line("unreadable header"),
        _ => out.line("inconsistent model"),
    }
}
