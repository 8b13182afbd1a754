//! Ctrl-C, and the other signals that ask a program to end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;

/// Exit code after Ctrl-C, as in shells: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Returns a flag that Ctrl-C, `kill` and a closed terminal raise. A second Ctrl-C or `kill` ends the program at once.
///
/// A signal that was ignored when the program started stays ignored: `nohup` ignores the closed terminal, and shell
/// scripts ignore Ctrl-C for their background programs.
#[cfg(unix)]
pub fn stop_on_interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;

    let stop = Arc::new(AtomicBool::new(false));
    for (signal, name) in [(SIGINT, "INT"), (SIGTERM, "TERM"), (SIGHUP, "HUP")] {
        if is_ignored(signal, name) {
            continue;
        }
        // A closing terminal sends SIGHUP, and its shell sends another one: two of them are no request to end at once.
        if signal != SIGHUP {
            // This handler reads the flag before the handler below raises it.
            flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&stop))
                .with_context(|| format!("cannot catch SIG{name}"))?;
        }
        flag::register(signal, Arc::clone(&stop)).with_context(|| format!("cannot catch SIG{name}"))?;
    }
    Ok(stop)
}

/// Returns a flag that Ctrl-C raises. A second Ctrl-C ends the program at once.
#[cfg(windows)]
pub fn stop_on_interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    use std::sync::atomic::Ordering;

    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if handler.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    })
    .context("cannot catch Ctrl-C")?;
    Ok(stop)
}

/// Returns whether a signal is ignored. A program inherits this from the program that started it.
///
/// The system call for this question is `unsafe` in every crate. Linux has the answer in a file; elsewhere a shell
/// answers.
#[cfg(unix)]
fn is_ignored(signal: i32, name: &str) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status, signal).unwrap_or_else(|| is_ignored_by_a_shell(name))
}

/// Reads the mask of ignored signals in `/proc/self/status`: bit 0 is signal 1.
#[cfg(unix)]
fn ignored_in(status: &str, signal: i32) -> Option<bool> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (signal - 1) & 1 == 1)
}

/// Starts a shell, which inherits the ignored signals and sends the signal to itself. Returns whether the shell
/// survives.
#[cfg(unix)]
fn is_ignored_by_a_shell(name: &str) -> bool {
    use std::process::{Command, Stdio};

    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("kill -{name} $$")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.status().is_ok_and(|status| status.success())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    #[test]
    fn the_mask_is_read() {
        let status = "Name:\tsh\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001003\nSigCgt:\t0000000000004000\n";
        assert_eq!([SIGHUP, SIGINT, SIGTERM].map(|signal| ignored_in(status, signal)), [true, true, false].map(Some));
        assert_eq!(ignored_in("", SIGHUP), None);
    }

    #[test]
    fn a_shell_says_what_is_ignored() {
        // Test runners do not ignore SIGUSR1.
        assert!(!is_ignored_by_a_shell("USR1"));
        assert!(is_ignored_by_a_shell("0"), "a signal that ends nothing");
    }
}
