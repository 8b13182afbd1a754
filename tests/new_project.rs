//! Projects made with `cargo new` outside the workspace from the lines in the documents: on this machine, for a chip in
//! QEMU, and with the dependency renamed.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use runtime::Sampling;
use tests::{blob, host_words, workspace};
use xtask::emulator::TIMEOUT;
use xtask::repo::Repo;
use xtask::setup::qemu;
use xtask::setup::thumb;

/// Placeholder for the runtime's folder in the documents.
const PATH: &str = "path/to/runtime";

/// Returns the block of code of a document that begins with this line.
fn block(document: &str, fence: &str) -> String {
    let text = fs::read_to_string(workspace(document)).unwrap();
    let start = format!("\n```{fence}\n");
    let (_, rest) = text.split_once(&start).unwrap_or_else(|| panic!("{document}: no block {fence:?}"));
    let (code, _) = rest.split_once("\n```\n").expect("an end of the block");
    code.to_owned() + "\n"
}

/// Package outside the workspace. Its dependencies are built once, in `target/new-project`.
struct Project {
    folder: PathBuf,
}

impl Project {
    /// Runs `cargo new`.
    fn new(name: &str) -> Self {
        let root = workspace(".").canonicalize().unwrap();
        // The folder must be the same in every run, or Cargo would keep a build for each folder.
        let mut hasher = DefaultHasher::new();
        root.hash(&mut hasher);
        let top = env::temp_dir().join(format!("new-project-{:016x}", hasher.finish()));
        fs::create_dir_all(&top).unwrap();
        let project = Self { folder: top.join(name) };
        if project.folder.exists() {
            fs::remove_dir_all(&project.folder).unwrap();
        }
        let made = project.cargo().current_dir(&top).args(["new", "--quiet", "--vcs", "none", name]).status();
        assert!(made.unwrap().success());
        // Uses the versions of the workspace's dependencies, so that nothing is fetched.
        project.copy("Cargo.lock", "Cargo.lock");
        project
    }

    /// Writes a file. Replaces the placeholder for the runtime's path.
    fn write(&self, file: &str, text: &str) {
        let path = self.folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let runtime = workspace("runtime").canonicalize().unwrap();
        fs::write(path, text.replace(PATH, runtime.to_str().unwrap())).unwrap();
    }

    /// Replaces the manifest's last line, `[dependencies]`, with tables.
    fn depend(&self, tables: &str) {
        let manifest = fs::read_to_string(self.folder.join("Cargo.toml")).unwrap();
        let rest = manifest.strip_suffix("[dependencies]\n").expect("cargo new ends with [dependencies]");
        self.write("Cargo.toml", &format!("{rest}{tables}"));
    }

    fn copy(&self, from: &str, to: &str) {
        let to = self.folder.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(workspace(from), to).unwrap();
    }

    /// Returns Cargo in the project's folder, without the environment's flags, which would override those of the
    /// project's configuration.
    fn cargo(&self) -> Command {
        let mut cargo = Repo::find().cargo();
        cargo.current_dir(&self.folder).env("CARGO_TARGET_DIR", workspace("target/new-project"));
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo
    }
}

/// Runs Cargo, which builds and starts the program. Returns the program's lines.
fn lines(cargo: &mut Command) -> Vec<String> {
    let output = run_within(cargo, 10 * TIMEOUT);
    assert!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Runs a command that prints little, and ends it if it takes too long.
fn run_within(command: &mut Command, limit: Duration) -> Output {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + limit;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("{command:?} did not end within {} s", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn expected() -> Vec<String> {
    host_words(&blob("names.int8.blob"), Sampling::default(), 42, "ma", 1)
}

/// Follows the runtime's README.
#[test]
fn on_this_machine() {
    let project = Project::new("host");
    project.depend(&block("runtime/README.md", "toml"));
    project.write("src/main.rs", &block("runtime/README.md", "rust"));
    project.copy("models/names.int8.blob", "models/names.int8.blob");
    assert_eq!(lines(project.cargo().args(["run", "--quiet"])), expected());
}

/// Follows in-your-firmware.md.
#[test]
fn in_firmware() {
    let document = "docs/use/in-your-firmware.md";
    let repo = Repo::find();
    let project = Project::new("names");
    project.depend(&block(document, "toml Cargo.toml"));
    for fence in ["rust build.rs", "text memory.x", "toml .cargo/config.toml", "rust src/slot.rs"] {
        let (_, file) = fence.split_once(' ').unwrap();
        project.write(file, &block(document, fence));
    }
    // The section about slots has a module that no line of the program uses.
    project.write("src/main.rs", &(block(document, "rust src/main.rs") + "\n#[allow(dead_code)]\nmod slot;\n"));
    project.copy("models/names.int8.blob", "names.int8.blob");

    let console = block(document, "text console");
    let (typed, printed) = console.split_once('\n').unwrap();
    let arguments = typed.strip_prefix("$ cargo ").expect("a command of Cargo's").split(' ');
    let mut cargo = project.cargo();
    // As set-up does: the compiler that has `core` for the chip, and an emulator that may not be on the PATH.
    if thumb::uses_debian(&repo) {
        cargo.env("RUSTC", repo.root().join(thumb::RUSTC));
    }
    let emulator = qemu::ARM.file(&repo);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = emulator.parent().map(Path::to_owned).into_iter().chain(env::split_paths(&path));
    cargo.env("PATH", env::join_paths(folders).unwrap());
    assert_eq!(lines(cargo.args(arguments).arg("--quiet")), printed.lines().collect::<Vec<_>>());
    assert_eq!(printed.trim_end(), expected()[0]);
}

/// The macros and the source of a built-in model work with a renamed dependency.
#[test]
fn under_another_name() {
    let project = Project::new("renamed");
    project.depend(&format!(
        "[dependencies]\n\
         names = {{ package = \"runtime\", path = \"{PATH}\" }}\n\n\
         [build-dependencies]\n\
         names = {{ package = \"runtime\", path = \"{PATH}\", features = [\"alloc\"] }}\n"
    ));
    let build = block("docs/use/in-your-firmware.md", "rust build.rs").replace("runtime::", "names::");
    project.write("build.rs", &build);
    project.write("memory.x", "");
    let main = r#"
use names as runtime;
include!(concat!(env!("OUT_DIR"), "/model.rs"));

static LOADED: &[u8] = names::include_blob!(concat!(env!("OUT_DIR"), "/model.blob"));

fn main() {
    let loaded = names::Model::new(LOADED).unwrap();
    for model in [&MODEL, &loaded] {
        let mut state = names::State::<STATE_WORDS>::new();
        let mut generator = names::Generator::new(model, &mut state, names::Sampling::default(), 42).unwrap();
        println!("{}", generator.start("ma").unwrap().collect::<String>());
    }
}
"#;
    project.write("src/main.rs", main);
    project.copy("models/names.int8.blob", "names.int8.blob");
    assert_eq!(lines(project.cargo().args(["run", "--quiet"])), [expected(), expected()].concat());
}
