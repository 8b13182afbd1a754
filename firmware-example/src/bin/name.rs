//! The smallest firmware: draws one name and prints it. Further parts of the program are the board's memory map,
//! `build.rs`, which checks the model and writes it as Rust, and the start-up code in `chip`. `tests/footprint.rs`
//! measures the code.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("name");
}

#[cfg(target_os = "none")]
mod on_chip {
    use core::panic::PanicInfo;

    // The attribute is cortex-m-rt's on Cortex-M. `chip` also contains small routines that copy and clear memory.
    use firmware_example::chip::entry;
    use runtime::{Generator, Sampling, State};
    use semihosting::io::{self, Write};
    use semihosting::process::exit;

    // Defines MODEL, which build.rs has checked, and STATE_WORDS.
    include!(concat!(env!("OUT_DIR"), "/model.rs"));

    fn name(seed: u64) -> Result<heapless::String<32>, runtime::Error> {
        let mut state = State::<STATE_WORDS>::new();
        let mut generator = Generator::new(&MODEL, &mut state, Sampling::default(), seed)?;
        let mut name = heapless::String::new();
        generator.word("ma", &mut name)?;
        Ok(name)
    }

    /// Runs after start-up.
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

    /// Writes a line to the emulator's console. Takes a string, because formatting would be larger than the model's
    /// code.
    fn print(line: &str) {
        if let Ok(mut console) = io::stdout() {
            // There is no other place to report an error to.
            let _ = console.write_all(line.as_bytes()).and_then(|()| console.write_all(b"\n"));
        }
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        exit(101)
    }
}
