//! The kernels in assembly compute, on their chip, what their definitions in Rust do.

use std::time::Duration;

use tests::Firmware;
use xtask::firmware::report;

/// Most of the time goes into the definitions.
const TIMEOUT: Duration = Duration::from_secs(300);

#[test]
fn vector128_on_cortex_m55() {
    // An int4 program has the kernels of both precisions.
    let run = Firmware::build("mps3-an547", "kerneltest", "tiny.int4.blob").run_within(TIMEOUT, &[]);
    assert!(run.success(), "{:?}", run.lines);
    let (_, facts) = report(&run.lines);
    assert_eq!(facts["vector128_assembly"], "true");
    assert_eq!(facts["vector128_mismatches"], "0");
    assert!(facts["vector128_cases"].parse::<u32>().expect("a number") >= 20_000);
}
