//! The folder `firmware-example`, in which Cargo builds for chips.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::workspace;
use crate::table::row;

#[test]
fn the_exporter_says_to_leave_the_folder() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--locked", "-p", "exporter", "--", "sample", "--model", "m.safetensors"]);
    cargo.current_dir(workspace("firmware-example")).stdin(Stdio::null());
    // The cargo that runs this test locks its own target folder.
    cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("chip_folder"));
    let output = cargo.output().expect("cargo starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{stderr}");
    let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error")).collect();
    let says = "the exporter runs on this computer, but Cargo builds for chips in this folder: run `cd ..` first";
    assert!(lines[0].ends_with(says), "{stderr}");
    // Cargo adds a second error about the failed build script.
    assert!(lines.len() <= 2, "{stderr}");
    row("in firmware-example", "cargo run -p exporter -- sample", says);
}
