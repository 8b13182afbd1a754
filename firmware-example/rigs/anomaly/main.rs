//! Counts the instructions of a dense network in the shape of MLPerf Tiny's anomaly detector, to compare the kernels
//! with published results of other projects.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod network;

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("anomaly");
}

#[cfg(target_os = "none")]
firmware_example::semihosting_handlers!();

#[cfg(target_os = "none")]
/// Runs after start-up.
#[firmware_example::chip::entry]
fn entry() -> ! {
    firmware_example::finish(on_chip::anomaly())
}

#[cfg(target_os = "none")]
mod on_chip {
    use firmware_example::board::{self, Stopwatch};
    use firmware_example::{Error, println, trace_marks};

    use crate::network::{INPUT, LAYOUT, MACS, Network, OUTPUT};

    // Not inlined, as in the programs that have a model.
    #[inline(never)]
    pub fn anomaly() -> Result<(), Error> {
        let mut network = Network::new();
        let mut stopwatch = Stopwatch::new();
        let (instructions, output) = stopwatch.count(|| trace_marks::around(|| network.run(&INPUT)));
        assert!(output == OUTPUT, "other outputs than on the host");
        println!("macs={MACS}");
        println!("instructions={instructions}");
        println!("instructions_per_mac_milli={}", instructions * 1000 / MACS);
        println!("layout={LAYOUT:?}");
        println!("board={}", board::NAME);
        Ok(())
    }
}
