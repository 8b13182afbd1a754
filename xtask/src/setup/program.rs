//! Installs programs with the system's package manager, or unpacks Debian's packages into `.tools/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::apt::{self, Rights};
use super::piece::Piece;
use super::{finish, fresh, need_space, remove, say, size};
use crate::command::{ask, on_path, run};
use crate::repo::Repo;

/// A program, and the names of its package on different systems.
pub struct Program {
    /// Name in the doctor's table.
    pub what: &'static str,
    /// Name of the executable.
    pub name: &'static str,
    /// Names of the executable on other systems.
    pub other_names: &'static [&'static str],
    /// Folder for an unpacked program: `.tools/<folder>`.
    pub folder: &'static str,
    /// Debian's packages: apt installs the first that it has.
    pub apt: &'static [&'static str],
    /// Fedora's package.
    pub dnf: &'static str,
    /// Arch's package.
    pub pacman: &'static str,
    /// Homebrew's package, unless the user shall choose one.
    pub brew: Option<&'static str>,
    /// What to install on other systems: "install ... so that `name` is on the PATH".
    pub by_hand: &'static str,
    /// Approximate download size with package managers that do not announce it.
    pub download: &'static str,
    /// Ratio of the unpacked size to the size of Debian's packages.
    pub unpacked_factor: u64,
    /// Patterns of files in Debian's packages that are not unpacked.
    pub leave_out: &'static [&'static str],
    /// Finds the version in the first line of `--version`.
    pub version: fn(&str) -> Option<&str>,
}

/// Package managers and rights of a system.
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

/// Way to get a program.
#[derive(Debug, PartialEq)]
enum Way {
    /// Install with this command as administrator.
    Install(Vec<&'static str>),
    /// Install with Homebrew, which refuses to run as administrator.
    Brew(&'static str),
    /// Install with apt as administrator, or unpack its packages.
    Apt,
    /// Unpack Debian's packages into our own folder, which needs no rights.
    Unpack,
    /// Tell the user what to do.
    Tell(String),
}

impl Program {
    /// Returns the file to start: the system's, or the unpacked one, or a name for the error message.
    pub fn file(&self, repo: &Repo) -> PathBuf {
        self.installed().next().or_else(|| self.unpacked(repo)).unwrap_or_else(|| self.name.into())
    }

    /// Returns the executables on the PATH, by any name.
    pub(super) fn installed(&self) -> impl Iterator<Item = PathBuf> {
        std::iter::once(&self.name).chain(self.other_names).filter_map(|name| on_path(name))
    }

    /// Returns the path of the unpacked program, relative to the repository.
    pub fn unpacked_place(&self) -> String {
        format!(".tools/{}/bin/{}", self.folder, self.name)
    }

    /// Returns the unpacked program if it exists and the system has none.
    pub fn unpacked(&self, repo: &Repo) -> Option<PathBuf> {
        let file = repo.root().join(self.unpacked_place());
        (self.installed().next().is_none() && file.exists()).then_some(file)
    }

    /// Returns the version if the program starts.
    pub(super) fn version(&self, repo: &Repo) -> Option<String> {
        self.version_of(&self.file(repo))
    }

    /// Returns the version of an executable if it starts.
    pub(super) fn version_of(&self, file: &Path) -> Option<String> {
        let text = ask(Command::new(file).arg("--version"))?;
        (self.version)(text.lines().next()?).map(str::to_owned)
    }

    /// Runs this step of set-up.
    pub fn setup(&self, repo: &Repo) -> Result<()> {
        let debs = repo.tools().join(format!("debs-{}", self.folder));
        // Removes what an interrupted run may have left.
        remove(&repo.tools().join(format!("{}.partial", self.folder)))?;
        if let Some(version) = self.version(repo) {
            remove(&debs)?;
            say(&format!("{version} is installed ({})", repo.short(&self.file(repo))));
            return Ok(());
        }
        let system = System::look();
        match self.choose(system) {
            Way::Apt => self.by_apt(repo, system.rights)?,
            Way::Unpack => self.unpack(repo)?,
            Way::Install(command) => {
                say(&format!("fetching about {}; the package manager shows the exact size", self.download));
                run(&mut system.rights.command(&command))?;
            }
            Way::Brew(package) => {
                say(&format!("fetching about {}; Homebrew shows the exact size", self.download));
                run(Command::new("brew").args(["install", package]))?;
            }
            Way::Tell(what) => bail!("{} is missing, and set-up cannot install it here. Do this:\n{what}", self.what),
        }
        match self.version(repo) {
            Some(version) => say(&format!("done: {version}")),
            None => bail!("{} was installed but does not start: run it by hand to see why", self.name),
        }
        Ok(())
    }

    /// Chooses the way for a system.
    fn choose(&self, system: System) -> Way {
        let admin = system.rights.admin();
        if let Some(package) = self.brew
            && system.brew
            && !system.rights.root
        {
            return Way::Brew(package);
        }
        match system {
            System { apt: true, .. } if admin => Way::Apt,
            System { apt: true, .. } => Way::Unpack,
            System { dnf: true, .. } if admin => Way::Install(vec!["dnf", "install", "--assumeyes", self.dnf]),
            System { dnf: true, .. } => Way::Tell(format!("sudo dnf install {}", self.dnf)),
            System { pacman: true, .. } if admin => Way::Install(vec!["pacman", "--sync", "--noconfirm", self.pacman]),
            System { pacman: true, .. } => Way::Tell(format!("sudo pacman -S {}", self.pacman)),
            _ => Way::Tell(format!("install {} so that `{}` is on the PATH", self.by_hand, self.name)),
        }
    }

    /// Installs with apt, unless that would remove a package of the user's.
    fn by_apt(&self, repo: &Repo, rights: Rights) -> Result<()> {
        apt::refresh(rights);
        let Some((package, plan)) = self.plan() else {
            bail!("apt has no package {}: install {} by hand", self.apt.join(" or "), self.by_hand);
        };
        if !plan.removed.is_empty() {
            say(&format!("not installing, because apt would remove {}", plan.removed.join(", ")));
            return self.unpack(repo);
        }
        say(&format!(
            "fetching {} in {} packages. {}",
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
            package,
        ];
        run(&mut rights.command(&command))
    }

    /// Unpacks Debian's packages into our own folder.
    fn unpack(&self, repo: &Repo) -> Result<()> {
        let by_hand =
            |package: &str| format!("as root: apt-get update && apt-get install --no-install-recommends {package}");
        let Some((package, plan)) = self.plan() else {
            let by_hand = by_hand(&self.apt.join(" or "));
            bail!("{} is missing, and apt's lists do not have it. Install it {by_hand}", self.what);
        };
        let by_hand = by_hand(package);
        let tools = repo.tools();
        let disk = plan.bytes() * self.unpacked_factor;
        say(&format!(
            "fetching {} in {} packages, keeping about {} in .tools/{} (nothing is installed)",
            size(plan.bytes()),
            plan.packages.len(),
            size(disk),
            self.folder
        ));
        need_space(&tools, disk)?;
        let debs = tools.join(format!("debs-{}", self.folder));
        let partial = tools.join(format!("{}.partial", self.folder));
        fresh(&partial)?;
        apt::unpack(&plan.names(), &debs, &partial, &[&["./usr/share/doc"], self.leave_out].concat())
            .map_err(|error| error.context(format!("{} could not be unpacked. Install it {by_hand}", self.what)))?;
        apt::wrap(&partial, self.name)?;
        finish(&partial, &tools.join(self.folder))?;
        remove(&debs)
    }

    /// Returns the package that apt has, and its plan.
    fn plan(&self) -> Option<(&'static str, apt::Plan)> {
        self.apt.iter().find_map(|&package| Some((package, apt::plan(&[package])?)))
    }

    /// Returns the doctor's row.
    pub fn piece(&self, repo: &Repo) -> Piece {
        match self.version(repo) {
            Some(version) => Piece::there(self.what, version, repo.short(&self.file(repo))),
            None => Piece::missing(self.what, "run `cargo xtask setup` to install it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::chromium::CHROMIUM;
    use crate::setup::qemu::ARM;

    #[test]
    fn every_system_has_a_way() {
        let choose = |system| ARM.choose(system);
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
            Way::Install(vec!["dnf", "install", "--assumeyes", ARM.dnf])
        );
        assert!(matches!(choose(dnf), Way::Tell(ref line) if line.contains("sudo dnf")));

        let pacman = System { pacman: true, ..none };
        assert_eq!(
            choose(System { rights: root, ..pacman }),
            Way::Install(vec!["pacman", "--sync", "--noconfirm", ARM.pacman])
        );
        assert!(matches!(choose(pacman), Way::Tell(ref line) if line.contains("pacman -S")));

        // Homebrew also exists on Linux. Without administrator rights it is the simplest way there.
        let brew = System { brew: true, ..apt };
        assert_eq!(choose(brew), Way::Brew("qemu"));
        assert_eq!(CHROMIUM.choose(brew), Way::Unpack);
        assert_eq!(choose(System { rights: root, ..brew }), Way::Apt);
        assert!(matches!(choose(none), Way::Tell(_)));
    }
}
