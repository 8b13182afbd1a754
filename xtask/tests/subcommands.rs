//! The subcommands and their help.

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

/// Options that are refused, per subcommand: exit status 2, before anything is built.
#[test]
fn unknown_options_are_usage_errors() {
    // These hand what they do not know to another program.
    let passes_on = ["miri", "mutants", "run-elf"];
    for command in SUBCOMMANDS.iter().filter(|command| !passes_on.contains(&command.name)) {
        let error = (command.run)(lexopt::Parser::from_args(["--no-such-option"])).unwrap_err();
        assert!(is_usage(&error), "{}: {error:#}", command.name);
    }
}
