//! What the console says before a restart that nobody asked for: where it happened. Then it restarts, and the banner shows
//! that it did; it never just stops.

use core::panic::PanicInfo;

use embedded_io::Write;

use super::keyboard::Keyboard;
use super::print::{NEW_LINE, Print};
use crate::board;
use crate::chip::{self, Fault};

/// Says where the panic was, and restarts.
///
/// Not its message: once anybody looks at one, all that formats messages is linked in, 8 kB of it.
#[inline(always)]
pub fn panic(info: &PanicInfo<'_>) -> ! {
    // There always is one, says its documentation.
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

/// Says where the fault was, and restarts.
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

/// What the session writes to: the same type, so that printing exists once.
type Out = Keyboard<board::Console>;

/// The console on a line of its own; `None` before it is set up, when there is nobody to tell.
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
    chip::reset()
}
