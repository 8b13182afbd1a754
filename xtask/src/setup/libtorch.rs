//! Installs libtorch, which the exporter trains with.
//!
//! A `LIBTORCH` or `LIBTORCH_USE_PYTORCH` set by the user wins. Otherwise the headers and the CPU half of the libraries
//! are extracted from PyTorch's Python package. For x86-64 Linux that package is built for graphics cards and, with its
//! dependencies, takes 3 GB. The CPU half links only to two of the small dependencies.

use std::env::{self, consts};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::piece::{Piece, State};
use super::prerequisites::{COMPILER, PYTHON, compiler, need, pip, python, version_in};
use super::{finish, fresh, need_space, remove, say, size};
use crate::command::{ask, run};
use crate::repo::{Repo, normalize};

/// Release that the `tch` crate in use is written for (its build script checks the version).
const VERSION: &str = "2.13.0";

/// Folder of libtorch, from the repository's top.
const PLACE: &str = ".tools/libtorch";

/// File that is written last, so that it marks a complete folder. torch-sys reads the version from it.
const MARK: &str = "build-version";

/// Minor versions of Python 3 that PyTorch 2.13 has packages for. Nothing uses Python itself, so for any other Python
/// the package for a version in the middle is fetched.
const PYTHON_MINORS: std::ops::RangeInclusive<u32> = 10..=14;

/// Extracts named files from wheels (zip files). The rest of the wheels, twice as much, stays packed. Arguments: folder
/// of wheels, destination, then `prefix=replacement` for each wanted prefix.
const EXTRACT: &str = r#"
import os, shutil, sys, zipfile
wheels, out = sys.argv[1:3]
wanted = [arg.split("=") for arg in sys.argv[3:]]
for wheel in sorted(os.listdir(wheels)):
    with zipfile.ZipFile(os.path.join(wheels, wheel)) as archive:
        for member in archive.infolist():
            for prefix, place in wanted:
                if member.filename.startswith(prefix) and not member.is_dir():
                    path = os.path.join(out, place + member.filename[len(prefix):])
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    with archive.open(member) as source, open(path, "wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
"#;

/// Packages to fetch for a system, and files to extract from them.
#[derive(Debug, PartialEq)]
struct Recipe {
    /// Packages for pip.
    packages: &'static [&'static str],
    /// Prefix in the packages = prefix in our folder.
    wanted: &'static [&'static str],
    /// Value of `LIBTORCH`, relative to the repository.
    home: &'static str,
    /// Shared library that contains all code.
    library: &'static str,
    /// True if an empty `libtorch.so` and the linker's name for `libgomp.so.1` must be made.
    stubs: bool,
    /// Bytes to fetch and bytes kept; 0 if not known.
    bytes: (u64, u64),
}

/// x86-64 Linux: the CPU half of the CUDA build. Without `libtorch_cuda.so` in the folder, torch-sys links only this
/// half. `libtorch.so` itself only refers to other libraries, some of which are left out, so an empty one replaces it.
const X86_64_LINUX: Recipe = Recipe {
    packages: &["torch==2.13.0", "nvidia-cuda-runtime==13.0.*", "nvidia-cuda-cupti==13.0.*"],
    wanted: &[
        "torch/include/=include/",
        "torch/lib/libc10.so=lib/libc10.so",
        "torch/lib/libtorch_cpu.so=lib/libtorch_cpu.so",
        "torch/lib/libgomp.so.1=lib/libgomp.so.1",
        "nvidia/cu13/lib/libcudart.so.13=lib/libcudart.so.13",
        "nvidia/cu13/lib/libcupti.so.13=lib/libcupti.so.13",
    ],
    home: PLACE,
    library: "libtorch_cpu.so",
    stubs: true,
    bytes: (540_000_000, 510_000_000),
};

/// 64-bit ARM Linux: the package is a CPU build. Its libraries look for others in `../../torch.libs`, so its layout is
/// kept. Written from the package's layout, not yet tried.
const AARCH64_LINUX: Recipe = Recipe {
    packages: &["torch==2.13.0"],
    wanted: &["torch/include/=torch/include/", "torch/lib/=torch/lib/", "torch.libs/=torch.libs/"],
    home: ".tools/libtorch/torch",
    library: "libtorch_cpu.so",
    stubs: false,
    bytes: (0, 0),
};

/// Apple silicon: also a CPU build, not yet tried. (The last package for Intel Macs is PyTorch 2.2.)
const AARCH64_MACOS: Recipe = Recipe {
    packages: &["torch==2.13.0"],
    wanted: &["torch/include/=torch/include/", "torch/lib/=torch/lib/"],
    home: ".tools/libtorch/torch",
    library: "libtorch_cpu.dylib",
    stubs: false,
    bytes: (0, 0),
};

/// Environment variables that the user set.
#[derive(Debug, Default)]
struct UserEnv {
    /// `LIBTORCH`, unless it is the folder that set-up made.
    libtorch: Option<String>,
    /// True if `LIBTORCH_USE_PYTORCH` is set.
    use_pytorch: bool,
}

impl UserEnv {
    fn read(repo: &Repo) -> Self {
        // `cargo xtask` is a `cargo run`, which passes on the LIBTORCH of `.tools/cargo.toml`.
        let ours = repo.root().join(PLACE);
        let libtorch = env::var("LIBTORCH").ok().filter(|value| !normalize(Path::new(value)).starts_with(&ours));
        Self { libtorch, use_pytorch: env::var_os("LIBTORCH_USE_PYTORCH").is_some() }
    }
}

/// Source of libtorch.
#[derive(Debug, PartialEq)]
enum Source {
    /// PyTorch of the Python environment: `LIBTORCH_USE_PYTORCH`. torch-sys reads this variable before `LIBTORCH`, so
    /// our configuration does not override it.
    Pytorch,
    /// The user's `LIBTORCH`.
    Own(String),
    /// The folder that set-up makes from this recipe.
    Ours(&'static Recipe),
    /// torch-sys downloads libtorch while it is built.
    TorchSys,
    /// Nothing is known for this system.
    Unknown,
}

/// Chooses the source for this environment and system.
fn choose(user: UserEnv, os: &str, arch: &str) -> Source {
    if user.use_pytorch {
        return Source::Pytorch;
    }
    if let Some(path) = user.libtorch {
        return Source::Own(path);
    }
    match (os, arch) {
        ("linux", "x86_64") => Source::Ours(&X86_64_LINUX),
        ("linux", "aarch64") => Source::Ours(&AARCH64_LINUX),
        ("macos", "aarch64") => Source::Ours(&AARCH64_MACOS),
        ("windows", _) => Source::TorchSys,
        _ => Source::Unknown,
    }
}

fn source(repo: &Repo) -> Source {
    choose(UserEnv::read(repo), consts::OS, consts::ARCH)
}

/// Returns whether our folder is complete.
fn ready(repo: &Repo, recipe: &Recipe) -> bool {
    let mark = repo.root().join(recipe.home).join(MARK);
    fs::read_to_string(mark).is_ok_and(|version| version.trim() == VERSION)
}

/// Returns the folder for `LIBTORCH`, relative to the repository, if set-up made it and it is complete.
pub fn home(repo: &Repo) -> Option<&'static str> {
    // The environment is ignored here: a variable set for only one command must not remove the folder from the
    // configuration of the others.
    match choose(UserEnv::default(), consts::OS, consts::ARCH) {
        Source::Ours(recipe) if ready(repo, recipe) => Some(recipe.home),
        _ => None,
    }
}

/// Runs this step of set-up.
pub fn setup(repo: &Repo) -> Result<()> {
    match source(repo) {
        Source::Pytorch | Source::Own(_) => {
            let piece = piece(repo);
            if piece.state == State::Missing {
                bail!("{}", piece.place);
            }
            say(&format!("using your own version {}: {}", piece.version, piece.place));
            need([(&COMPILER, compiler().is_some()), (&PYTHON, true)])
        }
        Source::Ours(recipe) if ready(repo, recipe) => {
            say(&format!("{VERSION} is installed ({PLACE})"));
            // Removes what an interruption after the last step may have left.
            remove(&repo.tools().join("wheels"))?;
            need([(&COMPILER, compiler().is_some()), (&PYTHON, true)])
        }
        Source::Ours(recipe) => {
            need([(&COMPILER, compiler().is_some()), (&PYTHON, pip().is_some())])?;
            fetch(repo, recipe)
        }
        Source::TorchSys => {
            say("nothing to do: the torch-sys crate downloads libtorch when it is built");
            Ok(())
        }
        Source::Unknown => bail!(
            "set-up knows no libtorch {VERSION} for this system ({} on {}): \
             install one and set LIBTORCH to its folder",
            consts::OS,
            consts::ARCH
        ),
    }
}

/// Fetches the packages, extracts the needed files, and deletes the rest.
fn fetch(repo: &Repo, recipe: &Recipe) -> Result<()> {
    let tools = repo.tools();
    let (fetched, kept) = recipe.bytes;
    if fetched == 0 {
        say("fetching PyTorch's Python package, some hundred MB, keeping its libraries");
    } else {
        say(&format!(
            "fetching {}, keeping {} in {PLACE} ({} during the work)",
            size(fetched),
            size(kept),
            size(fetched + kept)
        ));
    }
    need_space(&tools, fetched + kept)?;

    // Complete packages of an interrupted run are kept: pip checks them and fetches the rest.
    let wheels = tools.join("wheels");
    let tmp = tools.join("tmp");
    fresh(&tmp)?;
    let mut download = Command::new("python3");
    download.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"]);
    // No second copy in the user's home folder. Unfinished downloads are deleted with our own folder.
    download.args(["--no-cache-dir", "--disable-pip-version-check", "--dest"]);
    download.arg(".tools/wheels").env("TMPDIR", &tmp);
    if !python().is_some_and(|version| has_packages(&version)) {
        download.args(["--python-version", "3.12"]);
    }
    download.args(recipe.packages).current_dir(repo.root());
    run(&mut download).context("pip could not fetch PyTorch: run the same command again")?;
    remove(&tmp)?;

    say("unpacking");
    let partial = tools.join("libtorch.partial");
    fresh(&partial)?;
    let mut extract = Command::new("python3");
    extract.args(["-c", EXTRACT]).arg(&wheels).arg(&partial);
    let status = extract.args(recipe.wanted).status();
    if !status.context("cannot start python3")?.success() {
        // A damaged file is the most likely cause: the next run must fetch it again.
        remove(&wheels)?;
        bail!("the packages could not be unpacked: run the same command again");
    }
    let home = partial.join(Path::new(recipe.home).strip_prefix(PLACE)?);
    let lib = home.join("lib");
    if !looks_right(&home, recipe.library) {
        bail!(
            "the packages of libtorch {VERSION} lack the expected headers or libraries: install it and set LIBTORCH to its folder"
        );
    }
    if recipe.stubs {
        stubs(&lib)?;
    }
    fs::write(home.join(MARK), format!("{VERSION}\n")).context("cannot write the version file")?;
    finish(&partial, &repo.root().join(PLACE))?;
    remove(&wheels)?;
    say(&format!("done: {VERSION} in {PLACE}"));
    Ok(())
}

/// Returns whether a folder has libtorch's headers and its main library.
fn looks_right(home: &Path, library: &str) -> bool {
    home.join("include/torch/csrc/api/include/torch/torch.h").exists() && home.join("lib").join(library).exists()
}

/// Makes an empty `libtorch.so`, which torch-sys links by name, and the name under which a linker looks for
/// `libgomp.so.1`.
fn stubs(lib: &Path) -> Result<()> {
    let compiler = compiler().context("no C++ compiler")?;
    let mut words = compiler.split_whitespace();
    let mut build = Command::new(words.next().context("CXX is empty")?);
    build.args(words).args(["-shared", "-x", "c++", "/dev/null"]);
    run(build.arg("-o").arg(lib.join("libtorch.so")))?;
    #[cfg(unix)]
    std::os::unix::fs::symlink("libgomp.so.1", lib.join("libgomp.so")).context("cannot link libgomp.so")?;
    Ok(())
}

/// Returns whether PyTorch has a package for this Python (`3.11.7`).
fn has_packages(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(3), Some(minor)) => PYTHON_MINORS.contains(&minor),
        _ => false,
    }
}

/// Returns the doctor's row.
pub fn piece(repo: &Repo) -> Piece {
    let what = "libtorch";
    match source(repo) {
        Source::Pytorch => match ask(Command::new("python3").args(["-c", "import torch; print(torch.__version__)"])) {
            Some(version) => Piece::there(what, version, "PyTorch in Python (LIBTORCH_USE_PYTORCH)"),
            None => Piece::missing(what, "LIBTORCH_USE_PYTORCH is set, but `python3 -c 'import torch'` fails"),
        },
        Source::Own(path) => own(what, Path::new(&path)),
        Source::Ours(recipe) if ready(repo, recipe) => Piece::there(what, VERSION, recipe.home),
        Source::Ours(_) => Piece::missing(what, "run `cargo xtask setup` to fetch it"),
        Source::TorchSys => Piece::there(what, VERSION, "downloaded by torch-sys when built"),
        Source::Unknown => Piece::missing(what, "set LIBTORCH to a folder with libtorch"),
    }
}

/// Returns the row for a LIBTORCH that the user set.
fn own(what: &'static str, path: &Path) -> Piece {
    // LIBTORCH_LIB and LIBTORCH_INCLUDE may move either half elsewhere. Then only torch-sys can check the folder.
    let split = ["LIBTORCH_LIB", "LIBTORCH_INCLUDE"].iter().any(|name| env::var_os(name).is_some());
    let library = format!("{}torch_cpu{}", consts::DLL_PREFIX, if cfg!(windows) { ".lib" } else { consts::DLL_SUFFIX });
    if !split && !looks_right(path, &library) {
        return Piece::missing(
            what,
            format!("LIBTORCH is set to `{}`, but this folder has no libtorch: correct or unset it", path.display()),
        );
    }
    let version = fs::read_to_string(path.join(MARK)).unwrap_or_default();
    let version = version.trim();
    let number = version.split('+').next().unwrap_or_default();
    if !version.is_empty() && number != VERSION && env::var_os("LIBTORCH_BYPASS_VERSION_CHECK").is_none() {
        return Piece::missing(
            what,
            format!(
                "LIBTORCH has version {version}, but {VERSION} is needed: unset it, or set \
                 LIBTORCH_BYPASS_VERSION_CHECK"
            ),
        );
    }
    let version = if version.is_empty() { "?" } else { version };
    Piece::there(what, version, format!("{} (LIBTORCH)", path.display()))
}

/// Returns the doctor's rows for what fetching and linking need.
pub fn prerequisites(repo: &Repo) -> Vec<Piece> {
    let compiler = match compiler() {
        Some(cxx) => {
            let program = cxx.split_whitespace().next().unwrap_or(&cxx);
            let text = ask(Command::new(program).arg("--version")).unwrap_or_default();
            Piece::there(COMPILER.what, version_in(&text), cxx)
        }
        None => Piece::missing(COMPILER.what, COMPILER.hint()),
    };
    let mut rows = vec![compiler];
    // Python is only needed to fetch libtorch, and its version is slow to ask for.
    if matches!(source(repo), Source::Ours(recipe) if !ready(repo, recipe)) {
        rows.push(match (python(), pip()) {
            (Some(python), Some(pip)) => Piece::there(PYTHON.what, format!("{python}, {pip}"), "python3"),
            _ => Piece::missing(PYTHON.what, PYTHON.hint()),
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_own_wins() {
        let own = |libtorch: Option<&str>, use_pytorch| UserEnv { libtorch: libtorch.map(str::to_owned), use_pytorch };
        let linux = |user| choose(user, "linux", "x86_64");
        assert_eq!(linux(own(None, false)), Source::Ours(&X86_64_LINUX));
        assert_eq!(linux(own(Some("/x"), false)), Source::Own("/x".to_owned()));
        // In torch-sys's order.
        assert_eq!(linux(own(Some("/x"), true)), Source::Pytorch);
    }

    #[test]
    fn every_system_has_an_answer() {
        let choose = |os, arch| choose(UserEnv::default(), os, arch);
        assert_eq!(choose("linux", "aarch64"), Source::Ours(&AARCH64_LINUX));
        assert_eq!(choose("macos", "aarch64"), Source::Ours(&AARCH64_MACOS));
        assert_eq!(choose("macos", "x86_64"), Source::Unknown);
        assert_eq!(choose("windows", "x86_64"), Source::TorchSys);
    }

    #[test]
    fn recipes_name_the_version() {
        for recipe in [&X86_64_LINUX, &AARCH64_LINUX, &AARCH64_MACOS] {
            assert_eq!(recipe.packages[0], format!("torch=={VERSION}"));
            assert!(Path::new(recipe.home).starts_with(PLACE));
            assert!(recipe.wanted.iter().all(|pair| pair.contains('=')));
        }
    }

    #[test]
    fn versions() {
        assert!(has_packages("3.11.7"));
        assert!(has_packages("3.14.0rc1"));
        assert!(!has_packages("3.9.2"));
        assert!(!has_packages("3.15.0"));
    }
}
