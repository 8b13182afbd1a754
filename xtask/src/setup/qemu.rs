//! QEMU's ARM machines, on which the firmware runs without a board.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::apt::{self, Rights};
use super::{finish, fresh, need_space, remove, say, size};
use crate::command::{ask, on_path, run};
use crate::doctor::Piece;
use crate::repo::Repo;

/// The program.
pub const PROGRAM: &str = "qemu-system-arm";

/// The program where it was unpacked instead of installed, seen from the repository.
pub const UNPACKED: &str = ".tools/qemu/bin/qemu-system-arm";

/// The program to start: the system's, else the unpacked one, else a name for the error message.
pub fn program(repo: &Repo) -> PathBuf {
    on_path(PROGRAM).or_else(|| unpacked(repo)).unwrap_or_else(|| PROGRAM.into())
}

/// The unpacked program, where it is there and the system has none.
pub fn unpacked(repo: &Repo) -> Option<PathBuf> {
    let file = repo.root().join(UNPACKED);
    (on_path(PROGRAM).is_none() && file.exists()).then_some(file)
}

/// The version, where it starts.
fn version(repo: &Repo) -> Option<String> {
    let text = ask(Command::new(program(repo)).arg("--version"))?;
    let words = text.lines().next()?.split_whitespace();
    let version = words.skip_while(|word| *word != "version").nth(1)?;
    Some(version.to_owned())
}

/// What a system offers for installing QEMU.
#[derive(Debug, Default, Clone, Copy)]
struct System {
    apt: bool,
    dnf: bool,
    pacman: bool,
    brew: bool,
    rights: Rights,
}

impl System {
    fn look() -> Self {
        let has = |program| on_path(program).is_some();
        Self {
            apt: apt::available(),
            dnf: has("dnf"),
            pacman: has("pacman"),
            brew: has("brew"),
            rights: Rights::look(),
        }
    }
}

/// How QEMU comes to a system.
#[derive(Debug, PartialEq)]
enum Way {
    /// By this command, as administrator.
    Install(&'static [&'static str]),
    /// By Homebrew, which refuses to run as administrator.
    Brew,
    /// By apt as administrator, or by unpacking its packages.
    Apt,
    /// By unpacking Debian's packages into our own folder: needs no rights.
    Unpack,
    /// Not by us: the command to type.
    Tell(&'static str),
}

const DNF: &[&str] = &["dnf", "install", "--assumeyes", "qemu-system-arm"];
const PACMAN: &[&str] = &["pacman", "--sync", "--noconfirm", "qemu-system-arm"];

/// Chooses the way for a system.
fn choose(system: System) -> Way {
    let admin = system.rights.admin();
    match system {
        System { brew: true, .. } if !system.rights.root => Way::Brew,
        System { apt: true, .. } if admin => Way::Apt,
        System { apt: true, .. } => Way::Unpack,
        System { dnf: true, .. } if admin => Way::Install(DNF),
        System { dnf: true, .. } => Way::Tell("sudo dnf install qemu-system-arm"),
        System { pacman: true, .. } if admin => Way::Install(PACMAN),
        System { pacman: true, .. } => Way::Tell("sudo pacman -S qemu-system-arm"),
        _ => Way::Tell("install QEMU 7.2 or newer so that `qemu-system-arm` is on the PATH"),
    }
}

/// The step of set-up.
pub fn setup(repo: &Repo) -> Result<()> {
    // What an interrupted run may have left.
    remove(&repo.tools().join("qemu.partial"))?;
    if let Some(version) = version(repo) {
        remove(&repo.tools().join("debs-qemu"))?;
        say(&format!("{version} is there ({})", repo.short(&program(repo))));
        return Ok(());
    }
    let system = System::look();
    match choose(system) {
        Way::Apt => by_apt(repo, system.rights)?,
        Way::Unpack => unpack(repo)?,
        Way::Install(command) => {
            say("fetches some 10 to 200 MB, as the package manager will say");
            run(&mut system.rights.command(command))?;
        }
        Way::Brew => {
            say("fetches some 200 MB, as Homebrew will say");
            run(Command::new("brew").args(["install", "qemu"]))?;
        }
        Way::Tell(what) => bail!("QEMU is missing, and installing it is not ours to do:\n{what}"),
    }
    match version(repo) {
        Some(version) => say(&format!("done: {version}")),
        None => bail!("{PROGRAM} still does not start; try it by hand"),
    }
    Ok(())
}

/// Installs with apt, unless that would remove something of the user's.
fn by_apt(repo: &Repo, rights: Rights) -> Result<()> {
    apt::refresh(rights);
    let Some(plan) = apt::plan(&[PROGRAM]) else {
        bail!("apt has no package {PROGRAM}; install QEMU 7.2 or newer by hand");
    };
    if !plan.removed.is_empty() {
        say(&format!("installing would remove {}: not done", plan.removed.join(", ")));
        return unpack(repo);
    }
    say(&format!(
        "fetches {} in {} packages. {}",
        size(plan.bytes()),
        plan.packages.len(),
        plan.disk.unwrap_or_default()
    ));
    let command = [
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "--yes",
        "--quiet",
        "--no-remove",
        "--no-install-recommends",
        PROGRAM,
    ];
    run(&mut rights.command(&command))
}

/// Unpacks Debian's packages into our own folder.
fn unpack(repo: &Repo) -> Result<()> {
    const BY_HAND: &str = "as root: apt-get update && \
                           apt-get install --no-install-recommends qemu-system-arm";
    let Some(plan) = apt::plan(&[PROGRAM]) else {
        bail!("QEMU is missing, and apt knows no package of it yet:\n{BY_HAND}");
    };
    let tools = repo.tools();
    // Measured on Debian 12: 24 packages, 16 MB, unpack to 62 MB.
    let disk = plan.bytes() * 5;
    say(&format!(
        "fetches {} in {} packages, keeps about {} in .tools/qemu (nothing is installed)",
        size(plan.bytes()),
        plan.packages.len(),
        size(disk)
    ));
    need_space(&tools, disk)?;
    let (debs, partial) = (tools.join("debs-qemu"), tools.join("qemu.partial"));
    fresh(&partial)?;
    apt::unpack(&plan.names(), &debs, &partial, &["./usr/share/doc"])
        .map_err(|error| error.context(format!("QEMU could not be unpacked; {BY_HAND}")))?;
    apt::wrap(&partial, PROGRAM)?;
    finish(&partial, &tools.join("qemu"))?;
    remove(&debs)
}

/// The doctor's row.
pub fn piece(repo: &Repo) -> Piece {
    match version(repo) {
        Some(version) => Piece::there("QEMU", version, repo.short(&program(repo))),
        None => Piece::missing("QEMU", "`cargo xtask setup` installs it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_has_a_way() {
        let none = System::default();
        let root = Rights { root: true, sudo: false };
        let sudo = Rights { root: false, sudo: true };

        let apt = System { apt: true, ..none };
        assert_eq!(choose(apt), Way::Unpack);
        for rights in [root, sudo] {
            assert_eq!(choose(System { rights, ..apt }), Way::Apt);
        }

        let dnf = System { dnf: true, ..none };
        assert_eq!(choose(System { rights: sudo, ..dnf }), Way::Install(DNF));
        assert!(matches!(choose(dnf), Way::Tell(line) if line.contains("sudo dnf")));

        let pacman = System { pacman: true, ..none };
        assert_eq!(choose(System { rights: root, ..pacman }), Way::Install(PACMAN));
        assert!(matches!(choose(pacman), Way::Tell(line) if line.contains("pacman -S")));

        // Homebrew also exists on Linux; without rights it is the simplest way there.
        let brew = System { brew: true, ..apt };
        assert_eq!(choose(brew), Way::Brew);
        assert_eq!(choose(System { rights: root, ..brew }), Way::Apt);
        assert!(matches!(choose(none), Way::Tell(_)));
    }
}
