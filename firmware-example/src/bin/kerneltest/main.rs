//! Whether the kernels in assembly compute what their definitions in Rust do, on this core; and how many instructions
//! they take. For a new layout: a module with a function like [`lanes16::run`].
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod lanes16;
#[cfg(target_os = "none")]
mod random;

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("kerneltest");
}

#[cfg(target_os = "none")]
#[firmware_example::entry]
fn entry() -> ! {
    firmware_example::finish(chip::kerneltest())
}

#[cfg(target_os = "none")]
mod chip {
    use crate::lanes16;
    use firmware_example::board::{self, Stopwatch};
    use firmware_example::{Error, println};

    pub fn kerneltest() -> Result<(), Error> {
        println!("board={}", board::NAME);
        let mut stopwatch = Stopwatch::new();
        let mismatches = lanes16::run(&mut stopwatch);
        println!("mismatches={mismatches}");
        if mismatches == 0 { Ok(()) } else { Err(Error::Kernels { mismatches }) }
    }
}
