//! A console on the board's UART.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("console");
}

#[cfg(target_os = "none")]
mod chip {
    use core::panic::PanicInfo;

    use embedded_io::{Read, Write};
    use firmware_example::board;

    #[firmware_example::entry]
    fn entry() -> ! {
        let mut console = board::console();
        let Ok(()) = console.write_all(board::NAME.as_bytes());
        loop {
            let mut byte = [0];
            let Ok(()) = console.read_exact(&mut byte).or(Ok::<(), core::convert::Infallible>(()));
            let Ok(()) = console.write_all(&byte);
        }
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        cortex_m::peripheral::SCB::sys_reset()
    }
}
