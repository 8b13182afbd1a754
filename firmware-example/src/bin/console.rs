//! Console on the board's UART: names, scores and settings at a serial terminal, 115,200 baud. The program uses neither
//! a debugger nor semihosting.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    // Not `how_to_run`: plain `cargo run` connects no UART.
    println!("console is a program for a microcontroller. To talk to it in QEMU: cargo xtask qemu console");
}

#[cfg(target_os = "none")]
mod on_chip {
    use core::panic::PanicInfo;

    use firmware_example::board::{self, Stopwatch};
    use firmware_example::chip::{self, sections, singleton, stack};
    use firmware_example::console::banner::Slot;
    use firmware_example::console::machine::{Facts, Machine};
    use firmware_example::console::{Session, last_words};
    use firmware_example::model::BLOB;
    use firmware_example::slot;
    use runtime::{Model, State};

    // `unwrap` or `expect` would link `core::fmt` for its message, and `core::fmt` is as large as the console.

    /// Runs after start-up.
    #[chip::entry]
    fn entry() -> ! {
        let console = board::console();
        let state = singleton!(STATE: State<{ slot::STATE_WORDS }> = State::new()).unwrap();
        let (model, slot) = load(state);
        let mut session = Session::new(console, Board(Stopwatch::new()), model, state, slot);
        loop {
            session.run();
        }
    }

    // Not inlined: checking a blob takes more stack than running a model, and this frame is gone when the model runs.
    #[inline(never)]
    fn load(state: &mut State<{ slot::STATE_WORDS }>) -> (&'static Model<'static>, Slot) {
        let (model, slot) = match slot::model(slot::region(), state) {
            Ok(Some(model)) => (model, Slot::Used),
            Ok(None) => (built_in(), Slot::Empty),
            Err(refusal) => (built_in(), Slot::Refused(refusal)),
        };
        (singleton!(MODEL: Model<'static> = model).unwrap(), slot)
    }

    fn built_in() -> Model<'static> {
        // The build script has checked the blob. If it is refused here, the flash is damaged.
        let Ok(model) = Model::new(BLOB) else { panic!("the built-in model is damaged") };
        model
    }

    /// Board that the program is built for.
    struct Board(Stopwatch);

    impl Machine for Board {
        fn facts(&self) -> Facts {
            Facts {
                board: board::NAME,
                core: board::CORE,
                clock_hz: board::CLOCK_HZ,
                flash_bytes: sections::flash_bytes(),
                model_bytes: BLOB.len(),
                static_bytes: sections::static_bytes(),
                stack_bytes: sections::stack_bytes(),
            }
        }

        fn stack_used(&self) -> usize {
            stack::high_water_mark_bytes()
        }

        fn unit(&self) -> &'static str {
            self.0.unit()
        }

        fn now(&mut self) -> u64 {
            self.0.now()
        }

        fn reset(&mut self) {
            board::reset()
        }
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        last_words::panic(info)
    }

    chip::fault_handler!(firmware_example::console::last_words::fault);
}
