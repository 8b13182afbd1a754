//! The archives: for each core the C library as one object file, and the model as another.
//!
//! Cargo's own archive has the compiler's support library as some 480 more objects, whose symbols a program's C library
//! has too. Here they are linked into the library's object, and only the functions of the header stay visible.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use object::{Object, ObjectSection};
use runtime::Model;
use runtime::format::Precision;
use runtime::write::relayout;

use super::{HEADER, attributes};
use crate::board;
use crate::command::{ask, run};
use crate::repo::Repo;
use crate::setup::arm_gcc::ARM_GCC;

/// The name of each archive.
pub const FILE: &str = "libmore.a";

/// The folder in which archives are built, from the repository's top.
const BUILDS: &str = "target/c-package/build";

/// An archive.
#[derive(Debug)]
pub struct Archive {
    /// A board with the core: its row has the target and the compiler's options.
    pub board: &'static str,
    /// The core for GCC.
    pub cpu: &'static str,
    /// The folders of `src`, as Arduino looks for them: `{build.mcu}/{fpu}-{float-abi}`, `{build.mcu}/{float-abi}` or
    /// `{build.mcu}`. Arduino's `build.mcu` is the core, but the chip for Teensy.
    pub folders: &'static [&'static str],
}

/// The archives. A core without an FPU, or with one that the program does not use, has the code of Cortex-M3.
pub const ARCHIVES: [Archive; 5] = [
    Archive { board: "microbit", cpu: "cortex-m0", folders: &["cortex-m0", "cortex-m0plus"] },
    Archive {
        board: "mps2-an385",
        cpu: "cortex-m3",
        folders: &["cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "mk20dx256"],
    },
    Archive {
        board: "mps2-an386",
        cpu: "cortex-m4",
        folders: &[
            "cortex-m4/hard",
            "cortex-m4/softfp",
            "cortex-m4/fpv4-sp-d16-hard",
            "cortex-m4/fpv4-sp-d16-softfp",
            "cortex-m7/hard",
            "cortex-m7/softfp",
            "cortex-m7/fpv5-d16-hard",
            "cortex-m7/fpv5-d16-softfp",
            "cortex-m7/fpv5-sp-d16-hard",
            "cortex-m7/fpv5-sp-d16-softfp",
            "imxrt1062/fpv5-d16-hard",
            "mk66fx1m0/fpv4-sp-d16-hard",
        ],
    },
    Archive {
        board: "mps2-an505",
        cpu: "cortex-m33",
        folders: &[
            "cortex-m33/hard",
            "cortex-m33/softfp",
            "cortex-m33/fpv5-sp-d16-hard",
            "cortex-m33/fpv5-sp-d16-softfp",
        ],
    },
    Archive { board: "mps3-an547", cpu: "cortex-m55", folders: &["cortex-m55/hard", "cortex-m55/softfp"] },
];

/// Makes the archives and returns their files, in the order of [`ARCHIVES`].
pub fn make(repo: &Repo, model: &Model<'_>, blob: &[u8]) -> Result<Vec<PathBuf>> {
    let header = repo.root().join(HEADER);
    let header = fs::read_to_string(&header).with_context(|| format!("cannot read {}", header.display()))?;
    let functions = functions(&header);
    ARCHIVES.iter().map(|archive| archive.make(repo, model, blob, &functions)).collect()
}

/// Returns the names of functions in the header.
fn functions(header: &str) -> BTreeSet<&str> {
    let is_part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = header.match_indices('(').filter_map(|(at, _)| header[..at].rsplit(|c| !is_part_of_name(c)).next());
    names.filter(|name| name.starts_with("more_")).collect()
}

impl Archive {
    /// Builds the library for the core, with the code for the model's precision and activation, and adds the model.
    fn make(&self, repo: &Repo, model: &Model<'_>, blob: &[u8], functions: &BTreeSet<&str>) -> Result<PathBuf> {
        let folder = repo.root().join(BUILDS).join(self.cpu);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let built = self.build(repo, model, &folder)?;
        let (linked, code) = (folder.join("linked.o"), folder.join("code.o"));

        let gcc = ARM_GCC.file(repo);
        let compiler = || {
            let mut command = Command::new(&gcc);
            command.args([&format!("-mcpu={}", self.cpu), "-mthumb", "-nostdlib"]);
            command
        };
        let tool = |name: &str| -> Result<Command> {
            let program = ask(compiler().arg(format!("-print-prog-name={name}")));
            Ok(Command::new(
                program.with_context(|| format!("{} does not start: try `cargo xtask setup`", ARM_GCC.name))?,
            ))
        };
        let objcopy = tool("objcopy")?;
        let roots = functions.iter().map(|function| format!("-Wl,--undefined={function}"));
        run(compiler().args(["-r", "-Wl,--gc-sections"]).args(roots).arg(&built).arg("-o").arg(&linked))?;
        self.finish(objcopy, &linked, &code)?;
        let data = model_object(&folder, &self.blob(model, blob)?, compiler())?;

        let archive = folder.join(FILE);
        // `ar` would add to it.
        if archive.exists() {
            fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
        }
        // D: the same bytes for everybody.
        run(tool("ar")?.arg("rcsD").arg(&archive).args([&code, &data]))?;
        Ok(archive)
    }

    /// Builds Cargo's own archive.
    fn build(&self, repo: &Repo, model: &Model<'_>, folder: &Path) -> Result<PathBuf> {
        let board = board::find(self.board)?;
        let mut features = vec![model.precision().name()];
        features.extend(model.config().activation().feature());
        if model.precision() != Precision::F32 {
            features.push(board.layout().name());
        }
        let mut cargo = board.cargo(repo);
        cargo.args(["build", "--quiet", "--package", "runtime-c", "--profile", "firmware", "--target", board.target]);
        cargo.args(["--no-default-features", "--features", &features.join(","), "--target-dir"]).arg(folder);
        // An archive is passed on: no debug info, which is most of it.
        run(cargo.args(["--config", "profile.firmware.debug=false"]))?;
        Ok(folder.join(board.target).join("firmware").join(FILE))
    }

    /// Hides all symbols but the header's functions, drops debug info and bitcode, and allows both conventions for
    /// floating-point arguments.
    fn finish(&self, mut objcopy: Command, linked: &Path, code: &Path) -> Result<()> {
        let bytes = fs::read(linked).with_context(|| format!("cannot read {}", linked.display()))?;
        let file = object::File::parse(&*bytes).with_context(|| format!("cannot read {}", linked.display()))?;
        let section = file.section_by_name(".ARM.attributes").context("an object without attributes")?;
        let changed = linked.with_extension("attributes");
        let attributes = attributes::with_either_float_abi(section.data()?).context("the attributes of an object")?;
        fs::write(&changed, attributes).with_context(|| format!("cannot write {}", changed.display()))?;
        objcopy.args(["--wildcard", "--keep-global-symbol=more_*", "--strip-debug", "--strip-unneeded"]);
        objcopy.args([".comment", ".llvmbc", ".llvmcmd"].map(|name| format!("--remove-section={name}")));
        objcopy.arg(format!("--update-section=.ARM.attributes={}", changed.display()));
        run(objcopy.arg(linked).arg(code))
    }

    /// Returns the blob in the layout of the core.
    pub fn blob(&self, model: &Model<'_>, blob: &[u8]) -> Result<Vec<u8>> {
        if model.precision() == Precision::F32 {
            return Ok(blob.to_vec());
        }
        relayout(model, board::find(self.board)?.layout()).context("the model's layout")
    }
}

/// Makes an object with the blob as `more_model` and its length as `more_model_bytes`.
fn model_object(folder: &Path, blob: &[u8], mut compiler: Command) -> Result<PathBuf> {
    let (source, object) = (folder.join("model.s"), folder.join("model.o"));
    let write =
        |path: &Path, bytes: &[u8]| fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()));
    write(&folder.join("model.blob"), blob)?;
    let text = format!(
        "\
    .section .rodata.more_model, \"a\", %progbits
    .balign 16
    .global more_model
    .type more_model, %object
more_model:
    .incbin \"model.blob\"
    .size more_model, . - more_model
    .section .rodata.more_model_bytes, \"a\", %progbits
    .balign 4
    .global more_model_bytes
    .type more_model_bytes, %object
more_model_bytes:
    .word {}
    .size more_model_bytes, 4
    .section .note.GNU-stack, \"\", %progbits
",
        blob.len()
    );
    write(&source, text.as_bytes())?;
    run(compiler.current_dir(folder).args(["-c", "model.s", "-o", "model.o"]))?;
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found() {
        let header =
            "size_t more_a(const char *x);\n/* more_b() */ more_status more_c\n(void); sizeof(more_d) f(more_e)";
        assert_eq!(Vec::from_iter(functions(header)), ["more_a", "more_b"]);
    }

    #[test]
    fn each_folder_once() {
        let mut folders: Vec<_> = super::super::folders().collect();
        folders.sort_unstable();
        let count = folders.len();
        folders.dedup();
        assert_eq!(folders.len(), count);
        for archive in &ARCHIVES {
            assert!(board::find(archive.board).unwrap().core.to_lowercase().starts_with(archive.cpu), "{archive:?}");
        }
    }
}
