//! Whether the kernels in assembly compute what their definitions in Rust do, and what they take.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(all(target_os = "none", feature = "mps3-an547", feature = "int8"))]
mod vector128;

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("kerneltest");
}

#[cfg(target_os = "none")]
firmware_example::program!(chip::kerneltest);

#[cfg(target_os = "none")]
mod chip {
    use firmware_example::model::Booted;
    use firmware_example::{Error, println};

    pub fn kerneltest(_: Booted) -> Result<(), Error> {
        #[cfg(all(feature = "mps3-an547", feature = "int8"))]
        crate::vector128::run(&mut firmware_example::board::Stopwatch::new());
        println!("board={}", firmware_example::board::NAME);
        Ok(())
    }
}
