//! `cargo xtask c-package`: the C library as a folder that Arduino, PlatformIO, Zephyr and ESP-IDF accept.
//!
//! The manifests, the README and the sketch are templates in `runtime-c/package`. Their facts come from the manifests
//! of this workspace. The archives are made here, one for each core, each with the model in the layout of the core.
//!
//! ```text
//! more/
//!   library.properties  keywords.txt        Arduino
//!   library.json  pio_archive.py            PlatformIO
//!   idf_component.yml  CMakeLists.txt       ESP-IDF, and CMake without it
//!   zephyr/                                 Zephyr
//!   src/more.h  more_cores.h  more_model.h
//!   src/cortex-m4/fpv4-sp-d16-hard/libmore.a, ...
//!   examples/DrawNames/DrawNames.ino
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use lexopt::prelude::*;
use runtime::{COUNTER_WORDS, Model, state_words};

mod archives;
mod attributes;
mod lint;
mod template;

pub use archives::{ARCHIVES, Archive};

use crate::blob;
use crate::repo::Repo;
use crate::subcommand::Subcommand;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "c-package",
    summary: Some("make the C library a folder for Arduino, PlatformIO, Zephyr and ESP-IDF"),
    help: "\
cargo xtask c-package [--out DIR] [--model FILE] [--lint]

Makes a folder that Arduino, PlatformIO, Zephyr and ESP-IDF accept as a library: the C library
compiled for each core, its header, a model, the manifests, and a sketch that draws names. The
README in the folder says how to use it.

  --out DIR       another folder than target/c-package/more; one that is there is replaced
  --model FILE    another blob than models/names.int8.blob
  --lint          then check the folder with the tools of PlatformIO and ESP-IDF, which the first
                  run fetches with pip, and with arduino-lint where it is installed
",
    run: |args| run(&Repo::find(), &Options::parse(args)?),
};

/// The folder where none is named, from the repository's top.
const OUT: &str = "target/c-package/more";

/// The model where none is named, from the repository's top.
const MODEL: &str = "models/names.int8.blob";

/// The templates, from the repository's top.
const TEMPLATES: &str = "runtime-c/package";

/// The header, from the repository's top.
const HEADER: &str = "runtime-c/include/more.h";

/// Bytes of the handle in the caller's memory on a 32-bit chip, with room to align it: 251 at present. A test compares
/// the sum with `more_memory_bytes()` on emulated chips.
const HANDLE_BYTES: usize = 320;

/// The command line.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    out: Option<PathBuf>,
    model: Option<PathBuf>,
    lint: bool,
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let mut options = Self { out: None, model: None, lint: false };
        while let Some(arg) = args.next()? {
            match arg {
                Long("out") => options.out = Some(args.value()?.into()),
                Long("model") => options.model = Some(args.value()?.into()),
                Long("lint") => options.lint = true,
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }
}

/// Makes the folder, and checks it where that is asked for.
fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    let out = options.out.clone().unwrap_or_else(|| repo.root().join(OUT));
    make(repo, &out, options.model.as_deref())?;
    let folder = repo.short(&out);
    println!("{folder}: archives for {} folders of cores; {folder}/README.md says how to use them", folders().count());
    if options.lint {
        lint::run_all(repo, &out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the folder `out`, with the model of a blob or with the shipped one.
///
/// # Errors
/// Returns an error if the folder has other files, if the blob is not valid, or if the compiler is missing or fails.
pub fn make(repo: &Repo, out: &Path, model: Option<&Path>) -> Result<()> {
    let shipped = repo.root().join(MODEL);
    let path = model.unwrap_or(&shipped);
    let (_, blob) = blob::read(path)?;
    let model = Model::new(blob.as_bytes()).context("the blob is not valid")?;
    let archives = archives::make(repo, &model, blob.as_bytes())?;
    let memory_bytes = memory_bytes(&model, blob.as_bytes())?;

    remove_package(out)?;
    let facts = template::Facts::read(repo)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let values = [
        ("name", facts.name),
        ("version", facts.version),
        ("description", facts.description),
        ("license", facts.license),
        ("author", facts.author),
        ("url", facts.url),
        ("model", format!("{name}, {}, {} bytes", model.precision().name(), blob.as_bytes().len())),
        ("memory_bytes", memory_bytes.to_string()),
    ];
    template::fill_folder(&repo.root().join(TEMPLATES), out, &values)?;
    save(&out.join("src/more.h"), header(repo)?.as_bytes())?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&repo.root().join(licence), &out.join(licence))?;
    }
    for (archive, file) in ARCHIVES.iter().zip(&archives) {
        for folder in archive.folders {
            copy(file, &out.join("src").join(folder).join(archives::FILE))?;
        }
    }
    Ok(())
}

/// Returns the folders of `src` that have an archive.
pub fn folders() -> impl Iterator<Item = &'static str> {
    ARCHIVES.iter().flat_map(|archive| archive.folders).copied()
}

/// Returns the bytes of memory that the model takes on the core where it takes the most: the state depends on the
/// layout.
fn memory_bytes(model: &Model<'_>, blob: &[u8]) -> Result<usize> {
    let mut most = 0;
    for archive in &ARCHIVES {
        most = most.max(state_words(&archive.blob(model, blob)?));
    }
    Ok((most + COUNTER_WORDS) * size_of::<u32>() + HANDLE_BYTES)
}

/// Returns the library's header, with the line that refuses processors for which the package has no archive.
fn header(repo: &Repo) -> Result<String> {
    let path = repo.root().join(HEADER);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let place = "#include <stddef.h>\n";
    ensure!(text.matches(place).count() == 1, "{HEADER} has no line {place}");
    Ok(text.replace(place, &format!("#include \"more_cores.h\"\n\n{place}")))
}

/// Removes the folder of an earlier run.
///
/// # Errors
/// Returns an error if the folder has other files; they are not removed.
fn remove_package(out: &Path) -> Result<()> {
    let Ok(mut files) = fs::read_dir(out) else { return Ok(()) };
    if files.next().is_some() && !out.join("src/more_cores.h").exists() {
        bail!("{} has other files in it: name an empty or a new folder", out.display());
    }
    fs::remove_dir_all(out).with_context(|| format!("cannot remove {}", out.display()))
}

/// Copies a file; makes the folders above the copy.
fn copy(from: &Path, to: &Path) -> Result<()> {
    save(to, &fs::read(from).with_context(|| format!("cannot read {}", from.display()))?)
}

/// Writes a file; makes the folders above it.
fn save(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let options = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        let all = Options { out: Some("a".into()), model: Some("b.blob".into()), lint: true };
        assert_eq!(options(&["--out", "a", "--model=b.blob", "--lint"]).unwrap(), all);
        assert_eq!(options(&[]).unwrap(), Options { out: None, model: None, lint: false });
        assert!(options(&["a"]).is_err());
    }

    #[test]
    fn only_a_package_is_replaced() {
        let folder = std::env::temp_dir().join(format!("c-package-{}", std::process::id()));
        remove_package(&folder).unwrap();
        save(&folder.join("mine.txt"), b"").unwrap();
        assert!(remove_package(&folder).unwrap_err().to_string().contains("has other files in it"));
        save(&folder.join("src/more_cores.h"), b"").unwrap();
        remove_package(&folder).unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn the_header_refuses_processors() {
        assert_eq!(header(&Repo::find()).unwrap().matches("#include \"more_cores.h\"").count(), 1);
    }
}
