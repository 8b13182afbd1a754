//! Like `name`, but checks the model when the program starts, as is necessary for a model that comes from a slot in
//! flash or over a wire. `tests/footprint.rs` measures how much code the check takes.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("loaded");
}

#[cfg(target_os = "none")]
mod on_chip {
    use core::panic::PanicInfo;

    // The attribute is cortex-m-rt's on Cortex-M. `chip` also contains small routines that copy and clear memory.
    use firmware_example::chip::entry;
    use runtime::{Generator, Model, Sampling, State, state_words};
    use semihosting::io::{self, Write};
    use semihosting::process::exit;

    static BLOB: &[u8] = runtime::include_blob!(concat!(env!("OUT_DIR"), "/model.blob"));

    fn name(seed: u64) -> Result<heapless::String<32>, runtime::Error> {
        let model = Model::new(BLOB)?; // checked once; afterwards nothing can fail
        let mut state = State::<{ state_words(BLOB) }>::new(); // as large as the blob says
        let mut generator = Generator::new(&model, &mut state, Sampling::default(), seed)?;
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
                print("error: the model is refused");
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
