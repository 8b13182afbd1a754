//! The smallest firmware: draws one name and prints it. The rest of the program is the board's memory map, `build.rs`,
//! which checks the model and writes it as Rust, and the start-up code of `chip`. `tests/footprint.rs` measures the
//! code.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("name");
}

#[cfg(target_os = "none")]
mod on_chip {
    use core::panic::PanicInfo;

    // On Cortex-M the attribute of cortex-m-rt. `chip` also has small routines that copy and clear memory.
    use firmware_example::chip::entry;
    use runtime::{Generator, Sampling, State};
    use semihosting::io::{self, Write};
    use semihosting::process::exit;

    // MODEL, checked by build.rs, and STATE_WORDS.
    include!(concat!(env!("OUT_DIR"), "/model.rs"));

    fn name(seed: u64) -> Result<heapless::String<32>, runtime::Error> {
        let mut state = State::<STATE_WORDS>::new();
        let mut generator = Generator::new(&MODEL, &mut state, Sampling::default(), seed)?;
        let mut name = heapless::String::new();
        generator.word("ma", &mut name)?;
        Ok(name)
    }

    #[entry]
    fn main() -> ! {
        match name(42) {
            Ok(name) => {
                print(&name);
                exit(0)
            }
            Err(_) => {
                print("error: no name");
                exit(1)
            }
        }
    }

    /// Writes a line on the emulator's console. In bytes: formatting would be larger than the model's code.
    fn print(line: &str) {
        if let Ok(mut console) = io::stdout() {
            // Nobody could be told.
            let _ = console.write_all(line.as_bytes()).and_then(|()| console.write_all(b"\n"));
        }
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        exit(101)
    }
}
