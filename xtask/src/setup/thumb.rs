//! Provides a compiler with `core` for the chips.
//!
//! The usual way is `rustup target add`. If rustup's servers cannot be reached (a closed network that has only a mirror
//! of Debian), Debian has a recent compiler and, in a separate package, the standard library's source of the same
//! version. `core` is then compiled once per target into the folder where that compiler looks for it. The result is an
//! ordinary compiler with the targets: nothing is built again and no unstable option is needed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt::{self, Rights};
use super::piece::Piece;
use super::{finish, fresh, need_space, remove, say, size};
use crate::board;
use crate::command::{ask, on_path, run};
use crate::repo::Repo;

/// Path of the compiler made here, from the repository's top.
pub const RUSTC: &str = ".tools/rust-thumb/bin/rustc";

/// Target of the browser page.
pub const BROWSER: &str = "wasm32-unknown-unknown";

/// Variable that selects the second way even if the first would work.
const NO_RUSTUP: &str = "XTASK_NO_RUSTUP";

/// Crates of the standard library that a chip can use.
const CRATES: [&str; 3] = ["core", "alloc", "compiler_builtins"];

/// Returns the targets of the chips and of the browser page.
fn targets() -> Vec<&'static str> {
    [board::targets(), vec![BROWSER]].concat()
}

/// Compiler that has a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The pinned toolchain.
    Toolchain,
    /// The compiler made here.
    Debian,
}

/// Next step of set-up.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Nothing(Origin),
    RustupAdd,
    Debian,
    Tell,
}

/// Findings on which the step depends.
#[derive(Debug, Default, Clone, Copy)]
struct Found {
    in_toolchain: bool,
    in_debian: bool,
    rustup: bool,
    apt: bool,
}

/// Returns the next step to try.
fn choose(found: Found) -> Step {
    match found {
        // Tried first: one compiler for everything is better than two.
        Found { in_toolchain: true, .. } => Step::Nothing(Origin::Toolchain),
        Found { in_debian: true, .. } => Step::Nothing(Origin::Debian),
        Found { rustup: true, .. } => Step::RustupAdd,
        Found { apt: true, .. } => Step::Debian,
        _ => Step::Tell,
    }
}

impl Found {
    fn look(repo: &Repo) -> Self {
        let made = repo.root().join(RUSTC);
        Self {
            in_toolchain: targets().into_iter().all(|target| toolchain_has(repo, target)),
            in_debian: made.exists() && targets().into_iter().all(|target| has(repo, &made, target)),
            rustup: may_ask_rustup(),
            apt: apt::available(),
        }
    }
}

/// Returns the toolchain's compiler, as cargo would find it.
fn rustc() -> PathBuf {
    env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from)
}

/// Asks a compiler, in the top folder, where rustup selects the pinned toolchain.
fn ask_rustc(repo: &Repo, rustc: &Path, args: &[&str]) -> Option<String> {
    ask(Command::new(rustc).args(args).current_dir(repo.root()))
}

/// Returns whether the toolchain has the standard library for a target.
pub(super) fn toolchain_has(repo: &Repo, target: &str) -> bool {
    env::var_os(NO_RUSTUP).is_none() && has(repo, &rustc(), target)
}

/// Returns whether there is a rustup that may be asked for targets.
pub(super) fn may_ask_rustup() -> bool {
    env::var_os(NO_RUSTUP).is_none() && on_path("rustup").is_some()
}

/// Returns the folder in which this compiler looks for a target's libraries.
fn library_folder(repo: &Repo, rustc: &Path, target: &str) -> Option<PathBuf> {
    let args = ["--print", "target-libdir", "--target", target];
    ask_rustc(repo, rustc, &args).map(PathBuf::from)
}

/// Returns whether this compiler has `core` for the target.
fn has(repo: &Repo, rustc: &Path, target: &str) -> bool {
    library_folder(repo, rustc, target).and_then(|folder| fs::read_dir(folder).ok()).is_some_and(|mut files| {
        files.any(|file| file.is_ok_and(|file| is_library(&file.file_name().to_string_lossy(), "core")))
    })
}

/// Returns whether a file is the library of a crate: `libcore-<hash>.rlib`.
fn is_library(file: &str, krate: &str) -> bool {
    file.strip_prefix("lib")
        .and_then(|rest| rest.strip_prefix(krate))
        .is_some_and(|rest| rest.starts_with('-') && rest.ends_with(".rlib"))
}

/// Returns whether the firmware is compiled by the compiler made here.
pub fn uses_debian(repo: &Repo) -> bool {
    choose(Found::look(repo)) == Step::Nothing(Origin::Debian)
}

/// Runs this step of set-up.
pub fn setup(repo: &Repo) -> Result<()> {
    let tools = repo.tools();
    // Removes what an interrupted run may have left.
    remove(&tools.join("rust-thumb.partial"))?;
    let found = Found::look(repo);
    match choose(found) {
        Step::Nothing(origin) => {
            remove(&tools.join("debs-rust"))?;
            let origin = match origin {
                Origin::Toolchain => "in the Rust toolchain",
                Origin::Debian => "in .tools/rust-thumb",
            };
            say(&format!("{} are installed ({origin})", targets().join(", ")));
            Ok(())
        }
        Step::RustupAdd => {
            say("fetching about 15 MB per target into the Rust toolchain (70 MB unpacked)");
            let mut add = Command::new("rustup");
            add.args(["target", "add"]).args(targets());
            match run(add.current_dir(repo.root())) {
                Ok(()) => {
                    say("done");
                    Ok(())
                }
                Err(error) if found.apt => {
                    say(&format!("{error:#}"));
                    say("rustup failed: trying Debian's packages instead");
                    by_debian(repo)
                }
                Err(error) => Err(error.context(by_hand())),
            }
        }
        Step::Debian => by_debian(repo),
        Step::Tell => bail!("{}", by_hand()),
    }
}

fn by_hand() -> String {
    format!("the Rust toolchain lacks a target: run `rustup target add {}`", targets().join(" "))
}

/// Makes a compiler with the targets from Debian's packages.
fn by_debian(repo: &Repo) -> Result<()> {
    let candidate = || apt::candidate("rustc-web").filter(|version| new_enough(version));
    let found = candidate().or_else(|| {
        apt::refresh(Rights::look());
        candidate()
    });
    let Some(version) = found else {
        bail!(
            "{}\nor refresh the package lists as root (apt-get update): Debian's package \
             rustc-web must have version {} or newer, but here it is {}",
            by_hand(),
            env!("CARGO_PKG_RUST_VERSION"),
            apt::candidate("rustc-web").unwrap_or_else(|| "not known".to_owned())
        )
    };
    let source = format!("rust-web-src={version}");
    let plan = apt::plan(&["rustc-web", &source]).context("apt cannot fetch rustc-web")?;
    // The compiler and its libraries are fetched even if they are installed: a compiler looks for targets in the folder
    // of its libraries.
    let mut packages = plan.names();
    let own = ["rustc-web", "libstd-rust-web-dev", "rust-web-src"].map(str::to_owned);
    let library = apt::dependencies("libstd-rust-web-dev");
    let library = library.into_iter().filter(|name| name.starts_with("libstd-rust-web"));
    for name in own.into_iter().chain(library) {
        if !packages.contains(&name) {
            packages.push(name);
        }
    }

    let tools = repo.tools();
    say(&format!(
        "fetching {} in {} packages, keeping 0.5 GB in .tools/rust-thumb (0.9 GB during the work; \
         nothing is installed); compiling `core` takes half a minute per target",
        size(plan.bytes()),
        packages.len()
    ));
    need_space(&tools, 900_000_000)?;
    let (debs, partial) = (tools.join("debs-rust"), tools.join("rust-thumb.partial"));
    fresh(&partial)?;
    // The compiler's own source and the manuals are the largest part.
    let without = ["./usr/src/*/src", "./usr/src/*/compiler", "./usr/share"];
    apt::unpack(&packages, &debs, &partial, &without)?;
    apt::wrap(&partial, "rustc")?;
    let made = partial.join("bin/rustc");
    let host = host(repo, &made)?;
    link_linker(repo, &partial, &host)?;
    for target in targets() {
        say(&format!("compiling `core` for {target}"));
        compile_core(repo, &made, &partial, target)?;
    }
    for folder in ["usr/src", "usr/lib/rustlib/src", "core"] {
        remove(&partial.join(folder))?;
    }
    finish(&partial, &tools.join("rust-thumb"))?;
    remove(&debs)?;
    say(&format!("done: rustc {version} in .tools/rust-thumb"));
    Ok(())
}

/// Returns whether a Debian version (`1.96.0+dfsg1-1`) is at least the version that this workspace needs.
fn new_enough(version: &str) -> bool {
    let number = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split(|c: char| !c.is_ascii_digit());
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    number(version) >= number(env!("CARGO_PKG_RUST_VERSION"))
}

/// Returns the machine that a compiler runs on.
fn host(repo: &Repo, rustc: &Path) -> Result<String> {
    let text = ask_rustc(repo, rustc, &["-vV"]).with_context(|| format!("{} does not start", rustc.display()))?;
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("`rustc -vV` does not name its host")
}

/// Links the pinned toolchain's linker to where the compiler looks for one, since Debian leaves it out.
fn link_linker(repo: &Repo, tree: &Path, host: &str) -> Result<()> {
    let toolchain = ask_rustc(repo, &rustc(), &["--print", "sysroot"]).context("`rustc --print sysroot` failed")?;
    let place = Path::new("lib/rustlib").join(host).join("bin");
    let own = Path::new(&toolchain).join(&place).join("rust-lld");
    let linker =
        if own.exists() { own } else { on_path("ld.lld").context("there is no linker: install the package lld")? };
    let folder = tree.join("usr").join(place);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // A link works where a copy would not: the linker finds its libraries from its real path.
    #[cfg(unix)]
    std::os::unix::fs::symlink(&linker, folder.join("rust-lld"))
        .with_context(|| format!("cannot link {}", linker.display()))?;
    Ok(())
}

/// Compiles the chips' part of the standard library into the folder where the compiler looks for it.
fn compile_core(repo: &Repo, rustc: &Path, tree: &Path, target: &str) -> Result<()> {
    // Cargo compiles the standard library only as a dependency of a crate: here of an empty one.
    let krate = tree.join("core");
    fresh(&krate.join("src"))?;
    fs::write(krate.join("src/lib.rs"), "#![no_std]\n")?;
    fs::write(krate.join("Cargo.toml"), "[package]\nname = \"core-for-chips\"\nedition = \"2021\"\n\n[workspace]\n")?;
    let sources = tree
        .join("usr/lib/rustlib/src/rust")
        .canonicalize()
        .context("the package rust-web-src lacks the standard library's source")?;
    let vendor = sources.join("library/vendor");
    let flags = [
        // The firmware's link-time optimization needs the bitcode, which Cargo would leave out.
        "-Cembed-bitcode=yes".to_owned(),
        "-Cdebuginfo=1".to_owned(),
        // Panic messages contain paths: the firmware must not depend on the folder of its build.
        format!("--remap-path-prefix={}=/rust", sources.display()),
        format!("--remap-path-prefix={}/usr/lib/rustlib/src/rust=/rust", tree.display()),
    ];
    let mut cargo = repo.cargo();
    cargo
        .current_dir(&krate)
        .env("RUSTC", rustc)
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        // Lets a stable cargo and compiler accept the option in the next line. It is set only here, and no firmware
        // build needs it.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_UNSTABLE_BUILD_STD", "core,alloc")
        // The official libraries are also built with one codegen unit.
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .args(["build", "--offline", "--release", "--target", target])
        .arg("--target-dir")
        .arg(krate.join("target"))
        // The few dependencies come with the source.
        .args(["--config", "source.crates-io.replace-with='vendored'"])
        .arg("--config")
        .arg(format!("source.vendored.directory='{}'", vendor.display()));
    let output = cargo.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the standard library could not be compiled for {target}:\n{}", String::from_utf8_lossy(&output.stderr));
    }

    let built = krate.join("target").join(target).join("release/deps");
    let place = tree.join("usr/lib/rustlib").join(target).join("lib");
    fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
    let mut copied = 0;
    for file in fs::read_dir(&built).with_context(|| format!("no {}", built.display()))? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if CRATES.iter().any(|krate| is_library(&name, krate)) {
            fs::copy(file.path(), place.join(&name)).with_context(|| format!("cannot copy {name}"))?;
            copied += 1;
        }
    }
    if copied != CRATES.len() {
        bail!("Cargo built {copied} libraries for {target}, but {} were expected", CRATES.len());
    }
    Ok(())
}

/// Returns the doctor's rows, one per target.
pub fn pieces(repo: &Repo) -> Vec<Piece> {
    let rustc = if uses_debian(repo) { repo.root().join(RUSTC) } else { rustc() };
    // Without rustup, a target of the toolchain may be hidden on purpose: see NO_RUSTUP.
    let usable = matches!(choose(Found::look(repo)), Step::Nothing(_));
    let version = ask_rustc(repo, &rustc, &["--version"]).unwrap_or_default();
    let version = version.split_whitespace().nth(1).unwrap_or("?").to_owned();
    let row = |target: &'static str| match library_folder(repo, &rustc, target)
        .filter(|_| usable && has(repo, &rustc, target))
    {
        Some(folder) => Piece::there(target, format!("rustc {version}"), repo.short(&folder)),
        None => Piece::missing(target, "run `cargo xtask setup` to fetch it"),
    };
    targets().into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_step_first() {
        let none = Found::default();
        let apt = Found { apt: true, ..none };
        let rustup = Found { rustup: true, ..apt };
        assert_eq!(choose(none), Step::Tell);
        assert_eq!(choose(apt), Step::Debian);
        assert_eq!(choose(rustup), Step::RustupAdd);
        let made = Found { in_debian: true, ..rustup };
        assert_eq!(choose(made), Step::Nothing(Origin::Debian));
        let all = Found { in_toolchain: true, ..made };
        assert_eq!(choose(all), Step::Nothing(Origin::Toolchain));
    }

    #[test]
    fn library_names() {
        assert!(is_library("libcore-4ec39bb9363bc101.rlib", "core"));
        assert!(!is_library("libcore-4ec39bb9363bc101.rmeta", "core"));
        assert!(!is_library("libcore_for_chips-1.rlib", "core"));
        assert!(is_library("libcompiler_builtins-1.rlib", "compiler_builtins"));
    }

    #[test]
    fn debian_versions() {
        assert!(new_enough("1.96.0+dfsg1-1~deb12u2"));
        assert!(new_enough("1.95.0-1"));
        assert!(new_enough("2.0.0-1"));
        assert!(!new_enough("1.85.0+dfsg3-1~deb12u3"));
        assert!(!new_enough("unknown"));
    }
}
