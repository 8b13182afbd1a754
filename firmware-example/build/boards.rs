//! Table of boards, `boards.toml`. Two crates compile this file: the firmware's build script and xtask.

use toml::{Table, Value};

/// Board, with its names for Cargo, the compiler, QEMU and probe-rs.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// Feature of `firmware-example`; also the name of the memory map, `firmware-example/memory/<name>.x`.
    pub name: &'static str,
    /// Name of the processor core.
    pub core: &'static str,
    /// Target triple of the compiler.
    pub target: &'static str,
    /// `target-cpu` of the compiler, for cores with instructions that the target leaves out. Selects the kernels, too.
    pub cpu: Option<&'static str>,
    /// Frequency of the processor's clock after the board's code has set it up.
    pub clock_hz: u32,
    /// File with the board's code: `firmware-example/src/board/<code>.rs`.
    pub code: &'static str,
    /// Address of the UART, for boards that share code but have different addresses.
    pub uart: Option<u32>,
    /// Stopwatch, one of [`STOPWATCHES`].
    pub stopwatch: &'static str,
    /// QEMU's name for the board, or `None` if QEMU does not emulate the board.
    pub machine: Option<&'static str>,
    /// First version of QEMU that emulates the board, as major and minor number, or `None` if every supported version
    /// does.
    pub machine_since: Option<(u32, u32)>,
    /// The flasher's name for the chip, or `None` if there is no chip to flash.
    pub chip: Option<&'static str>,
    /// Program that writes to the chip, one of [`FLASHERS`]; `None` if there is no chip to flash.
    pub flasher: Option<&'static str>,
    /// Family number of the chip in UF2 files, or `None` if the boot ROM does not accept UF2 files.
    pub uf2_family: Option<u32>,
    /// Name of the USB drive that takes the board's programs as files, or `None` if the board shows no drive. The files
    /// are UF2 if there is a `uf2_family`, and Intel HEX otherwise.
    pub drive: Option<&'static str>,
    /// Beginning of `vendor:product` of the USB device that flashes the board, in hexadecimal.
    pub usb: Option<&'static str>,
    /// True if the console can be on the board's USB connector: the feature `usb`.
    pub usb_console: bool,
}

/// Stopwatches that `firmware-example/src/board.rs` knows.
pub const STOPWATCHES: [&str; 5] = ["systick", "cycles", "either", "mcycle", "mpccr"];

/// Ways to write programs to a chip, the default first.
pub const FLASHERS: [&str; 3] = ["probe-rs", "espflash", "uf2"];

/// Reads the table. The strings are leaked: a process reads only one table.
///
/// # Errors
/// Returns the fault, with the board and the field.
pub fn read(text: &str) -> Result<Vec<Board>, String> {
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let rows = match table.remove("board") {
        Some(Value::Array(rows)) if table.is_empty() && !rows.is_empty() => rows,
        _ => return Err("it must hold tables `[[board]]` and nothing else".to_owned()),
    };
    let mut boards = Vec::<Board>::new();
    for (index, row) in rows.into_iter().enumerate() {
        let Value::Table(fields) = row else { return Err(format!("board {}: no table", index + 1)) };
        let board = board(fields, index)?;
        if boards.iter().any(|other| other.name == board.name) {
            return Err(format!("board `{}`: there are two of this name", board.name));
        }
        boards.push(board);
    }
    Ok(boards)
}

fn board(fields: Table, index: usize) -> Result<Board, String> {
    let mut row = Row { board: format!("board {}", index + 1), fields };
    let name = row.text("name")?;
    row.board = format!("board `{name}`");
    let chip = row.optional_text("chip")?;
    let machine_since = row.optional_text("machine_since")?;
    let board = Board {
        name,
        core: row.text("core")?,
        target: row.text("target")?,
        cpu: row.optional_text("cpu")?,
        clock_hz: row.number("clock_hz")?,
        code: row.text("code")?,
        uart: row.optional_number("uart")?,
        stopwatch: row.text("stopwatch")?,
        machine: row.optional_text("machine")?,
        machine_since: machine_since.and_then(version),
        chip,
        flasher: row.optional_text("flasher")?.or(chip.map(|_| FLASHERS[0])),
        uf2_family: row.optional_number("uf2_family")?,
        drive: row.optional_text("drive")?,
        usb: row.optional_text("usb")?,
        usb_console: row.flag("usb_console")?,
    };
    if !STOPWATCHES.contains(&board.stopwatch) {
        return Err(row.error("stopwatch", &format!("must be one of {}", STOPWATCHES.join(", "))));
    }
    if machine_since.is_some() && board.machine.is_none() {
        return Err(row.error("machine_since", "needs a `machine`"));
    }
    if machine_since.is_some() && board.machine_since.is_none() {
        return Err(row.error("machine_since", "must be a version such as \"9.1\""));
    }
    match board.flasher {
        Some(flasher) if !FLASHERS.contains(&flasher) => {
            return Err(row.error("flasher", &format!("must be one of {}", FLASHERS.join(", "))));
        }
        Some(_) if chip.is_none() => return Err(row.error("flasher", "needs a `chip`")),
        _ => {}
    }
    match row.fields.keys().next() {
        Some(unknown) => Err(row.error(unknown, "is unknown")),
        None => Ok(board),
    }
}

/// Reads the major and minor number of a version: `9.1`, `7.2.22`.
pub fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Fields of a board that have not been read yet.
struct Row {
    board: String,
    fields: Table,
}

impl Row {
    fn error(&self, field: &str, what: &str) -> String {
        format!("{}: `{field}` {what}", self.board)
    }

    fn text(&mut self, field: &str) -> Result<&'static str, String> {
        self.optional_text(field)?.ok_or_else(|| self.error(field, "is missing"))
    }

    fn optional_text(&mut self, field: &str) -> Result<Option<&'static str>, String> {
        match self.fields.remove(field) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.leak())),
            Some(_) => Err(self.error(field, "must be a text")),
        }
    }

    fn flag(&mut self, field: &str) -> Result<bool, String> {
        let Some(value) = self.fields.remove(field) else { return Ok(false) };
        value.as_bool().ok_or_else(|| self.error(field, "must be true or false"))
    }

    fn number(&mut self, field: &str) -> Result<u32, String> {
        self.optional_number(field)?.ok_or_else(|| self.error(field, "is missing"))
    }

    fn optional_number(&mut self, field: &str) -> Result<Option<u32>, String> {
        let Some(value) = self.fields.remove(field) else { return Ok(None) };
        let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
        number.map(Some).ok_or_else(|| self.error(field, "must be a number from 0 to 0xffff_ffff"))
    }
}
