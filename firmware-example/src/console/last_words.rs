//! What the console says before a restart that nobody asked for: where it happened. Then it restarts, and the banner shows
//! that it did; it never just stops.

use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::ExceptionFrame;
use embedded_io::Write;

use super::print::{NEW_LINE, Print};
use crate::board;

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
    say(&mut |out| {
        out.text("panic at ");
        out.text(file);
        out.text(":");
        out.number(line.into());
    })
}

/// Says where the fault was, and restarts.
pub fn hard_fault(frame: &ExceptionFrame) -> ! {
    say(&mut |out| {
        out.text("hard fault at ");
        out.hex(frame.pc());
        out.text(", called from ");
        out.hex(frame.lr());
    })
}

fn say(what: &mut dyn FnMut(&mut board::Console)) -> ! {
    if let Some(mut console) = board::console_for_last_words() {
        console.text(NEW_LINE);
        what(&mut console);
        console.line("; reset");
        let _ = console.flush();
    }
    SCB::sys_reset()
}
