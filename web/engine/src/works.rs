//! Countable work of a model on each core, for `src/costs.js`.

use alloc::vec::Vec;

use costs::{Chip, Terms, counted_on, is_predicted, predicted};
use runtime::Model;
use runtime::write::EncodeError;
use serde::Serialize;

/// Work of a model on a core, and the core's chip.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "src/costs.js describes the fields")]
pub struct Work {
    pub core: &'static str,
    pub board: Option<&'static str>,
    pub chip: &'static str,
    pub clock_hz: u32,
    pub wait_states: u32,
    pub flash_read_bytes: u32,
    pub chip_flash_bytes: u64,
    pub chip_ram_bytes: u64,
    pub model_bytes: usize,
    pub state_bytes: usize,
    pub bytes_read: usize,
    pub parts: Vec<Terms>,
}

/// Returns the work of a model on each core that is predicted.
///
/// # Errors
/// [`EncodeError`] if the model cannot have the layout of a core.
pub(crate) fn works(model: &Model<'_>, bytes: usize) -> Result<Vec<Work>, EncodeError> {
    let of = |chip: &'static Chip| {
        let work = costs::Work::of(model, bytes, chip.core)?;
        Ok(Work {
            core: chip.core.name(),
            board: counted_on(chip.core).filter(|_| is_predicted(chip.core, model.precision())),
            chip: chip.name,
            clock_hz: chip.clock_hz,
            wait_states: chip.wait_states,
            flash_read_bytes: chip.flash_read_bytes,
            chip_flash_bytes: chip.flash_bytes,
            chip_ram_bytes: chip.ram_bytes,
            model_bytes: work.model_bytes,
            state_bytes: work.state_bytes,
            bytes_read: work.bytes_read,
            parts: work.parts,
        })
    };
    predicted().filter_map(Chip::of).map(of).collect()
}
