//! Last output of the console before an unplanned restart: the location of a panic or a fault. Then the program
//! restarts, and the banner shows it; the program never just stops.

use core::panic::PanicInfo;

use embedded_io::Write;

use super::keyboard::Keyboard;
use super::print::{NEW_LINE, Print};
use crate::board;
use crate::chip::Fault;

/// Prints the location of the panic, and restarts.
///
/// The message is left out: formatting it would link 8 kB of code.
#[inline(always)]
pub fn panic(info: &PanicInfo<'_>) -> ! {
    // The documentation says that there always is a location.
    let (file, line) = info.location().map_or(("?", 0), |place| (place.file(), place.line()));
    panic_at(file, line)
}

#[inline(never)]
fn panic_at(file: &str, line: u32) -> ! {
    let mut out = begin();
    if let Some(out) = &mut out {
        out.text("panic at ");
        out.text(file);
        out.text(":");
        out.number(line.into());
    }
    end(out)
}

/// Prints the location of the fault, and restarts.
pub fn fault(fault: Fault) -> ! {
    let mut out = begin();
    if let Some(out) = &mut out {
        out.text("hard fault at ");
        out.hex(fault.at);
        out.text(", called from ");
        out.hex(fault.called_from);
    }
    end(out)
}

/// Output of the session. Uses the session's type, so that the printing code exists once.
type Out = Keyboard<board::Console>;

/// Returns the console at the start of a line; `None` before it is set up.
fn begin() -> Option<Out> {
    let mut out = board::console_for_last_words().map(Keyboard::new);
    if let Some(out) = &mut out {
        out.text(NEW_LINE);
    }
    out
}

fn end(out: Option<Out>) -> ! {
    if let Some(mut out) = out {
        out.line("; reset");
        let _ = out.flush();
    }
    board::reset()
}
