//! Tests of the subcommands and their help.

use xtask::SUBCOMMANDS;
use xtask::subcommand::{WIDTH, is_usage};

#[test]
fn help_is_complete_and_fits_a_terminal() {
    for command in SUBCOMMANDS {
        let help = command.help();
        assert!(help.starts_with(&format!("cargo xtask {}", command.name)), "{help}");
        assert!(!help.contains(['{', '}']), "{help}");
        assert!(help.ends_with('\n') && !help.ends_with("\n\n"), "{help}");
        let lines = help.lines().chain(command.summary);
        lines.for_each(|line| assert!(line.chars().count() <= WIDTH, "{}: {line}", command.name));
    }
}

#[test]
fn names_are_unique() {
    for (index, command) in SUBCOMMANDS.iter().enumerate() {
        assert!(SUBCOMMANDS[..index].iter().all(|other| other.name != command.name), "{}", command.name);
    }
}

#[test]
fn boards_are_listed() {
    let help = |name: &str| SUBCOMMANDS.iter().find(|command| command.name == name).unwrap().help();
    assert!(help("qemu").contains("mps2-an386") && !help("qemu").contains("nrf52840-dk"));
    assert!(help("flash").contains("nrf52840-dk") && !help("flash").contains("mps2-an386"));
}

/// Unknown options are refused with exit status 2 before anything is built.
#[test]
fn unknown_options_are_usage_errors() {
    // These subcommands pass unknown options to another program.
    let passes_on = ["miri", "mutants", "run-elf"];
    for command in SUBCOMMANDS.iter().filter(|command| !passes_on.contains(&command.name)) {
        let error = (command.run)(lexopt::Parser::from_args(["--no-such-option"])).unwrap_err();
        assert!(is_usage(&error), "{}: {error:#}", command.name);
    }
}

/// Covers `cargo xtask help > /dev/full`, and `| head -1` after `head` has ended.
#[cfg(target_os = "linux")]
#[test]
fn a_stream_that_takes_nothing_is_no_panic() {
    use std::process::{Command, Stdio};

    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let run = |arguments: &[&str], stdout: Stdio, stderr: Stdio| {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        let output = xtask.args(arguments).stdin(Stdio::null()).stdout(stdout).stderr(stderr).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let error = "error: cannot write the result to stdout: No space left on device (os error 28)\n".to_owned();
    for arguments in [&["help"][..], &[], &["help", "qemu"], &["qemu", "--help"]] {
        assert_eq!(run(arguments, full(), Stdio::piped()), (Some(1), error.clone()), "{arguments:?}");
        assert_eq!(run(arguments, closed(), Stdio::piped()), (Some(0), String::new()), "{arguments:?}");
        assert_eq!(run(arguments, Stdio::null(), full()).0, Some(0), "{arguments:?}");
    }
    for stderr in [full(), closed()] {
        assert_eq!(run(&["frobnicate"], Stdio::null(), stderr).0, Some(2));
    }
    // The model is checked before anything is built.
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tiny.safetensors");
    let (code, stderr) = run(&["qemu", "--model", model], Stdio::piped(), Stdio::piped());
    assert_eq!(code, Some(1));
    assert!(stderr.contains("Export it first: cargo run -p exporter -- export --model "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}
