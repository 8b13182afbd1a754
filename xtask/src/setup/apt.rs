//! Packages of Debian and its relatives: what an installation would do, and how to use a package without installing it
//! (no root rights needed, the system is unchanged).

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::say;
use crate::command::{ask, on_path, run};

/// Effects of an installation by apt.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    /// Packages to fetch, with their sizes in bytes.
    pub packages: Vec<(String, u64)>,
    /// Installed packages that apt would remove.
    pub removed: Vec<String>,
    /// apt's own sentence about disk space.
    pub disk: Option<String>,
}

impl Plan {
    /// Returns the number of bytes to fetch.
    pub fn bytes(&self) -> u64 {
        self.packages.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Returns the names of the packages to fetch.
    pub fn names(&self) -> Vec<String> {
        self.packages.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Returns whether this system has apt and dpkg.
pub fn available() -> bool {
    ["apt-get", "apt-cache", "dpkg", "tar"].iter().all(|tool| on_path(tool).is_some())
}

/// Returns a command of apt that prints English, which is parsed here.
fn apt(tool: &str) -> Command {
    let mut command = Command::new(tool);
    command.env("LC_ALL", "C");
    command
}

/// Rights of the user on this system.
#[derive(Debug, Default, Clone, Copy)]
pub struct Rights {
    /// True for the administrator.
    pub root: bool,
    /// True if sudo asks for no password.
    pub sudo: bool,
}

impl Rights {
    /// Finds out the rights without asking the user anything.
    pub fn look() -> Self {
        let root = ask(Command::new("id").arg("-u")).is_some_and(|id| id == "0");
        let sudo = !root && ask(Command::new("sudo").args(["-n", "true"])).is_some();
        Self { root, sudo }
    }

    /// Returns whether administrators' commands can run.
    pub fn admin(self) -> bool {
        self.root || self.sudo
    }

    /// Returns a command that runs as administrator.
    pub fn command(self, line: &[&str]) -> Command {
        let mut words: Vec<&str> = Vec::new();
        if self.sudo {
            words.push("sudo");
        }
        words.extend(line);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    }
}

/// Refreshes the package lists if the user has the rights.
pub fn refresh(rights: Rights) {
    if !rights.admin() {
        return;
    }
    say("refreshing the package lists, up to 10 MB");
    // A slightly old list, or one unreachable source of many, is no reason to stop.
    if let Err(error) = run(&mut rights.command(&["apt-get", "update", "--quiet"])) {
        say(&format!("{error:#}; continuing with the existing lists"));
    }
}

/// Returns the plan to install these packages, or `None` if apt does not know them.
pub fn plan(packages: &[&str]) -> Option<Plan> {
    let mut command = apt("apt-get");
    command.args(["--print-uris", "--yes", "--no-install-recommends", "install"]);
    ask(command.args(packages)).map(|text| parse_plan(&text))
}

/// Returns the version that apt would install.
pub fn candidate(package: &str) -> Option<String> {
    let text = ask(apt("apt-cache").args(["policy", package]))?;
    let version = text.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

/// Returns the direct dependencies of a package.
pub fn dependencies(package: &str) -> Vec<String> {
    let text = ask(apt("apt-cache").args(["depends", package])).unwrap_or_default();
    text.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).map(str::to_owned).collect()
}

/// Parses the output of `apt-get --print-uris install`: sentences for people, then a line `'address' file_name bytes
/// checksum` for each package.
fn parse_plan(text: &str) -> Plan {
    let mut plan = Plan::default();
    let mut removing = false;
    for line in text.lines() {
        let is_list = line.starts_with("  ");
        if is_list && removing {
            plan.removed.extend(line.split_whitespace().map(str::to_owned));
        }
        if !is_list {
            removing = line.contains("will be REMOVED");
        }
        if line.starts_with("After this operation") {
            plan.disk = Some(line.to_owned());
        }
        if line.starts_with('\'') {
            let mut words = line.split_whitespace().skip(1);
            let name = words.next().and_then(|file| file.split('_').next());
            let bytes = words.next().and_then(|bytes| bytes.parse().ok());
            if let (Some(name), Some(bytes)) = (name, bytes) {
                plan.packages.push((name.to_owned(), bytes));
            }
        }
    }
    plan
}

/// Fetches packages into `debs` and unpacks them into `into` without installing anything. Paths that match a pattern of
/// `without` (`./usr/src/*/src`) are not unpacked.
pub fn unpack(packages: &[String], debs: &Path, into: &Path, without: &[&str]) -> Result<()> {
    // Complete packages of an interrupted run are kept: apt checks them and fetches the rest.
    fs::create_dir_all(debs).with_context(|| format!("cannot create {}", debs.display()))?;
    let mut download = Command::new("apt-get");
    // As root, apt would fetch as another user, who may not write here.
    download.args(["-o", "APT::Sandbox::User=root", "--quiet", "download"]);
    run(download.args(packages).current_dir(debs))?;
    let mut unpacked = 0;
    for entry in fs::read_dir(debs)? {
        let deb = entry?.path();
        if deb.extension().is_none_or(|end| end != "deb") {
            continue;
        }
        unpack_one(&deb, into, without).with_context(|| format!("cannot unpack {}", deb.display()))?;
        unpacked += 1;
    }
    if unpacked < packages.len() {
        bail!("only {unpacked} of {} packages were fetched: run the same command again", packages.len());
    }
    Ok(())
}

/// Unpacks one package, as `dpkg -x` does, except for the paths left out.
fn unpack_one(deb: &Path, into: &Path, without: &[&str]) -> Result<()> {
    let mut contents = Command::new("dpkg")
        .arg("--fsys-tarfile")
        .arg(deb)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start dpkg")?;
    let mut tar = Command::new("tar");
    tar.args(["-x", "-f", "-", "--no-same-owner", "-C"]).arg(into);
    // Otherwise `*` would also leave out every deeper folder of that name.
    tar.arg("--no-wildcards-match-slash");
    tar.args(without.iter().map(|pattern| format!("--exclude={pattern}")));
    tar.stdin(contents.stdout.take().context("dpkg has no stdout to read")?);
    let unpacked = tar.status().context("cannot start tar")?;
    let packed = contents.wait().context("cannot wait for dpkg")?;
    if !(unpacked.success() && packed.success()) {
        bail!("dpkg ended with {packed}, tar with {unpacked}");
    }
    Ok(())
}

/// Writes a script `bin/<program>` into an unpacked tree. The script starts the program with the tree's own libraries,
/// and with the tree's fonts if the system has none. It works wherever the tree is.
pub fn wrap(tree: &Path, program: &str) -> Result<()> {
    let mut libraries = Vec::new();
    for parent in ["usr/lib", "lib"] {
        let Ok(folders) = fs::read_dir(tree.join(parent)) else {
            continue;
        };
        for folder in folders {
            // Debian names its library folders after the machine: x86_64-linux-gnu.
            let name = folder?.file_name().to_string_lossy().into_owned();
            if name.contains("-linux-gnu") && !name.contains("unknown") {
                libraries.push(format!("{parent}/{name}"));
                // PulseAudio's own library has its absolute path in the library that other programs use.
                libraries.push(format!("{parent}/{name}/pulseaudio"));
            }
        }
    }
    libraries.retain(|library| tree.join(library).exists());
    let libraries: Vec<String> = libraries.iter().map(|library| format!("$tree/{library}")).collect();
    let libraries = libraries.join(":");
    // Where both are, `usr/bin/chromium` is a script that only starts what is installed.
    let executables = [format!("usr/lib/{program}/{program}"), format!("usr/bin/{program}")];
    let [own, usual] = &executables;
    let executable = if tree.join(own).exists() { own } else { usual };
    let bin = tree.join("bin");
    fs::create_dir_all(&bin).with_context(|| format!("cannot create {}", bin.display()))?;
    let mut fonts = "";
    if tree.join("usr/share/fonts").exists() {
        fonts = "test -e /etc/fonts/fonts.conf || export FONTCONFIG_FILE=\"$tree/bin/fonts.conf\"\n";
        let list = "<?xml version=\"1.0\"?>\n\
                    <fontconfig><dir prefix=\"relative\">../usr/share/fonts</dir></fontconfig>\n";
        let file = bin.join("fonts.conf");
        fs::write(&file, list).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let script = format!(
        "#!/bin/sh\n\
         # Starts the program of this folder with the libraries that came with it.\n\
         tree=$(dirname \"$(dirname \"$0\")\")\n\
         LD_LIBRARY_PATH=\"{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\"\n\
         export LD_LIBRARY_PATH\n\
         {fonts}\
         exec \"$tree/{executable}\" \"$@\"\n"
    );
    let file = bin.join(program);
    fs::write(&file, script).with_context(|| format!("cannot write {}", file.display()))?;
    make_executable(&file)
}

#[cfg(unix)]
fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", file.display()))
}

/// Never called: other systems have no apt.
#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_of_an_installation() {
        let text = "\
Reading package lists...
Building dependency tree...
The following additional packages will be installed:
  libfdt1 qemu-system-common
The following packages will be REMOVED:
  qemu-utils
The following NEW packages will be installed:
  libfdt1 qemu-system-arm qemu-system-common
0 upgraded, 3 newly installed, 1 to remove and 132 not upgraded.
Need to get 15.8 MB of archives.
After this operation, 68.5 MB of additional disk space will be used.
'http://mirror.example/libfdt1_1.6.1-4%2bb1_amd64.deb' libfdt1_1.6.1-4+b1_amd64.deb 20688 MD5Sum:0
'http://mirror.example/q.deb' qemu-system-arm_1%3a7.2+dfsg-7_amd64.deb 8909200
";
        let plan = parse_plan(text);
        assert_eq!(plan.names(), ["libfdt1", "qemu-system-arm"]);
        assert_eq!(plan.bytes(), 20_688 + 8_909_200);
        assert_eq!(plan.removed, ["qemu-utils"]);
        assert!(plan.disk.unwrap().contains("68.5 MB"));
    }

    #[test]
    fn administrators_commands() {
        let line = |rights: Rights| crate::command::show(&rights.command(&["apt-get", "update"]));
        let none = Rights::default();
        assert_eq!(line(none), "apt-get update");
        assert_eq!(line(Rights { sudo: true, ..none }), "sudo apt-get update");
    }

    #[cfg(unix)]
    #[test]
    fn an_unpacked_program_finds_its_libraries_and_fonts() {
        let tree = std::env::temp_dir().join(format!("xtask-wrap-{}", std::process::id()));
        let folder = |name: &str| fs::create_dir_all(tree.join(name)).unwrap();
        let script = || {
            wrap(&tree, "browser").unwrap();
            fs::read_to_string(tree.join("bin/browser")).unwrap()
        };
        folder("usr/lib/x86_64-linux-gnu");
        let plain = script();
        assert!(plain.contains("LD_LIBRARY_PATH=\"$tree/usr/lib/x86_64-linux-gnu${LD"), "{plain}");
        assert!(plain.ends_with("exec \"$tree/usr/bin/browser\" \"$@\"\n") && !plain.contains("FONT"), "{plain}");
        folder("usr/lib/x86_64-linux-gnu/pulseaudio");
        folder("usr/share/fonts");
        folder("usr/lib/browser");
        fs::write(tree.join("usr/lib/browser/browser"), "#!/bin/sh\nprintf %s \"$LD_LIBRARY_PATH $1\"\n").unwrap();
        make_executable(&tree.join("usr/lib/browser/browser")).unwrap();
        assert!(script().contains("FONTCONFIG_FILE=\"$tree/bin/fonts.conf\""));
        let said = ask(Command::new(tree.join("bin/browser")).arg("one two").env_remove("LD_LIBRARY_PATH")).unwrap();
        let libraries = tree.join("usr/lib/x86_64-linux-gnu");
        let libraries = libraries.display();
        assert_eq!(said, format!("{libraries}:{libraries}/pulseaudio one two"));
        fs::remove_dir_all(&tree).unwrap();
    }

    #[test]
    fn nothing_to_do() {
        let text = "qemu-system-arm is already the newest version.\n\
                    0 upgraded, 0 newly installed, 0 to remove and 132 not upgraded.\n";
        assert_eq!(parse_plan(text), Plan::default());
    }
}
