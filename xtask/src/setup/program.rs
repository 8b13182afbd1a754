//! Programs that come from the system's package manager, or from Debian's packages unpacked into `.tools/`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::apt::{self, Rights};
use super::piece::Piece;
use super::{finish, fresh, need_space, remove, say, size};
use crate::command::{ask, on_path, run};
use crate::repo::Repo;

/// A program, and how systems call the package that has it.
pub struct Program {
    /// Its row in the doctor's table.
    pub what: &'static str,
    /// What is typed to start it.
    pub name: &'static str,
    /// The folder it is unpacked to where it cannot be installed: `.tools/<folder>`.
    pub folder: &'static str,
    /// Debian's package.
    pub apt: &'static str,
    /// Fedora's.
    pub dnf: &'static str,
    /// Arch's.
    pub pacman: &'static str,
    /// Homebrew's.
    pub brew: &'static str,
    /// What to install where none of them is, "... so that `name` is on the PATH".
    pub by_hand: &'static str,
    /// About how much the other package managers fetch, which do not say beforehand.
    pub download: &'static str,
    /// How many times larger Debian's packages are once they are unpacked.
    pub unpacked_factor: u64,
    /// Finds the version in the first line of what `--version` prints.
    pub version: fn(&str) -> Option<&str>,
}

/// What a system offers for installing a program.
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

/// How a program comes to a system.
#[derive(Debug, PartialEq)]
enum Way {
    /// By this command, as administrator.
    Install(Vec<&'static str>),
    /// By Homebrew, which refuses to run as administrator.
    Brew,
    /// By apt as administrator, or by unpacking its packages.
    Apt,
    /// By unpacking Debian's packages into our own folder: needs no rights.
    Unpack,
    /// Not by us: what to do.
    Tell(String),
}

impl Program {
    /// The file to start: the system's, else the unpacked one, else a name for the error message.
    pub fn file(&self, repo: &Repo) -> PathBuf {
        on_path(self.name).or_else(|| self.unpacked(repo)).unwrap_or_else(|| self.name.into())
    }

    /// Where it lies when it was unpacked instead of installed, seen from the repository.
    pub fn unpacked_place(&self) -> String {
        format!(".tools/{}/bin/{}", self.folder, self.name)
    }

    /// The unpacked program, where it is there and the system has none.
    pub fn unpacked(&self, repo: &Repo) -> Option<PathBuf> {
        let file = repo.root().join(self.unpacked_place());
        (on_path(self.name).is_none() && file.exists()).then_some(file)
    }

    /// The version, where it starts.
    fn version(&self, repo: &Repo) -> Option<String> {
        let text = ask(Command::new(self.file(repo)).arg("--version"))?;
        (self.version)(text.lines().next()?).map(str::to_owned)
    }

    /// The step of set-up.
    pub fn setup(&self, repo: &Repo) -> Result<()> {
        let debs = repo.tools().join(format!("debs-{}", self.folder));
        // What an interrupted run may have left.
        remove(&repo.tools().join(format!("{}.partial", self.folder)))?;
        if let Some(version) = self.version(repo) {
            remove(&debs)?;
            say(&format!("{version} is there ({})", repo.short(&self.file(repo))));
            return Ok(());
        }
        let system = System::look();
        match self.choose(system) {
            Way::Apt => self.by_apt(repo, system.rights)?,
            Way::Unpack => self.unpack(repo)?,
            Way::Install(command) => {
                say(&format!("fetches some {}, as the package manager will say", self.download));
                run(&mut system.rights.command(&command))?;
            }
            Way::Brew => {
                say(&format!("fetches some {}, as Homebrew will say", self.download));
                run(Command::new("brew").args(["install", self.brew]))?;
            }
            Way::Tell(what) => bail!("{} is missing, and installing it is not ours to do:\n{what}", self.what),
        }
        match self.version(repo) {
            Some(version) => say(&format!("done: {version}")),
            None => bail!("{} still does not start; try it by hand", self.name),
        }
        Ok(())
    }

    /// Chooses the way for a system.
    fn choose(&self, system: System) -> Way {
        let admin = system.rights.admin();
        match system {
            System { brew: true, .. } if !system.rights.root => Way::Brew,
            System { apt: true, .. } if admin => Way::Apt,
            System { apt: true, .. } => Way::Unpack,
            System { dnf: true, .. } if admin => Way::Install(vec!["dnf", "install", "--assumeyes", self.dnf]),
            System { dnf: true, .. } => Way::Tell(format!("sudo dnf install {}", self.dnf)),
            System { pacman: true, .. } if admin => Way::Install(vec!["pacman", "--sync", "--noconfirm", self.pacman]),
            System { pacman: true, .. } => Way::Tell(format!("sudo pacman -S {}", self.pacman)),
            _ => Way::Tell(format!("install {} so that `{}` is on the PATH", self.by_hand, self.name)),
        }
    }

    /// Installs with apt, unless that would remove something of the user's.
    fn by_apt(&self, repo: &Repo, rights: Rights) -> Result<()> {
        apt::refresh(rights);
        let Some(plan) = apt::plan(&[self.apt]) else {
            bail!("apt has no package {}; install {} by hand", self.apt, self.by_hand);
        };
        if !plan.removed.is_empty() {
            say(&format!("installing would remove {}: not done", plan.removed.join(", ")));
            return self.unpack(repo);
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
            self.apt,
        ];
        run(&mut rights.command(&command))
    }

    /// Unpacks Debian's packages into our own folder.
    fn unpack(&self, repo: &Repo) -> Result<()> {
        let by_hand = format!("as root: apt-get update && apt-get install --no-install-recommends {}", self.apt);
        let Some(plan) = apt::plan(&[self.apt]) else {
            bail!("{} is missing, and apt knows no package of it yet:\n{by_hand}", self.what);
        };
        let tools = repo.tools();
        let disk = plan.bytes() * self.unpacked_factor;
        say(&format!(
            "fetches {} in {} packages, keeps about {} in .tools/{} (nothing is installed)",
            size(plan.bytes()),
            plan.packages.len(),
            size(disk),
            self.folder
        ));
        need_space(&tools, disk)?;
        let debs = tools.join(format!("debs-{}", self.folder));
        let partial = tools.join(format!("{}.partial", self.folder));
        fresh(&partial)?;
        apt::unpack(&plan.names(), &debs, &partial, &["./usr/share/doc"])
            .map_err(|error| error.context(format!("{} could not be unpacked; {by_hand}", self.what)))?;
        apt::wrap(&partial, self.name)?;
        finish(&partial, &tools.join(self.folder))?;
        remove(&debs)
    }

    /// The doctor's row.
    pub fn piece(&self, repo: &Repo) -> Piece {
        match self.version(repo) {
            Some(version) => Piece::there(self.what, version, repo.short(&self.file(repo))),
            None => Piece::missing(self.what, "`cargo xtask setup` installs it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::qemu::QEMU;

    #[test]
    fn every_system_has_a_way() {
        let choose = |system| QEMU.choose(system);
        let none = System::default();
        let root = Rights { root: true, sudo: false };
        let sudo = Rights { root: false, sudo: true };

        let apt = System { apt: true, ..none };
        assert_eq!(choose(apt), Way::Unpack);
        for rights in [root, sudo] {
            assert_eq!(choose(System { rights, ..apt }), Way::Apt);
        }

        let dnf = System { dnf: true, ..none };
        assert_eq!(
            choose(System { rights: sudo, ..dnf }),
            Way::Install(vec!["dnf", "install", "--assumeyes", QEMU.dnf])
        );
        assert!(matches!(choose(dnf), Way::Tell(ref line) if line.contains("sudo dnf")));

        let pacman = System { pacman: true, ..none };
        assert_eq!(
            choose(System { rights: root, ..pacman }),
            Way::Install(vec!["pacman", "--sync", "--noconfirm", QEMU.pacman])
        );
        assert!(matches!(choose(pacman), Way::Tell(ref line) if line.contains("pacman -S")));

        // Homebrew also exists on Linux; without rights it is the simplest way there.
        let brew = System { brew: true, ..apt };
        assert_eq!(choose(brew), Way::Brew);
        assert_eq!(choose(System { rights: root, ..brew }), Way::Apt);
        assert!(matches!(choose(none), Way::Tell(_)));
    }
}
