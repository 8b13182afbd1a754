//! A C program draws the same words as Rust, on this machine and on emulated chips.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use runtime::format::{AlignedBlob, Layout};
use runtime::write::relayout;
use runtime::{HeapState, Model, Sampling, Stream};
use tests::{blob, host_words, workspace};
use xtask::board;
use xtask::emulator;
use xtask::repo::Repo;
use xtask::setup::arm_gcc::ARM_GCC;

/// Returns the output of `runtime-c/example/words.c` for a model.
fn expected(blob: &AlignedBlob) -> String {
    let sampling = Sampling::default();
    let model = Model::new(blob.as_bytes()).unwrap();
    let mut state = HeapState::new(&model);
    let mut generator = runtime::Generator::new(&model, &mut state, sampling, 7).unwrap();
    let prompts = ["", "", "", "ma", "ma"];
    let words = prompts.map(|prompt| generator.start(prompt).unwrap().collect::<String>() + "\n");
    assert_eq!(words[0].trim_end(), host_words(blob, sampling, 7, "", 1)[0]);
    let mut state = HeapState::new(&model);
    let score = Stream::new(&model, &mut state).unwrap().score("emma").unwrap();
    let each = score.nll_micronats / score.characters as u64;
    format!("{}emma: {each} millionths of a nat per character\n", words.concat())
}

fn example(file: &str) -> PathBuf {
    workspace("runtime-c/example").join(file)
}

/// Returns a folder for the files of one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("c-{name}"));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Completes the C compiler's command line with all options that do not depend on the machine, and compiles.
fn compile(compiler: &mut Command, folder: &Path, blob: &[u8], console: &str, library: &Path) -> PathBuf {
    let (model, program) = (folder.join("model.blob"), folder.join("words"));
    fs::write(&model, blob).unwrap();
    compiler.args(["-std=c11", "-Os", "-Wall", "-Wextra", "-Werror", "-I"]).arg(workspace("runtime-c/include"));
    compiler.arg(format!("-DMODEL=\"{}\"", model.display()));
    compiler.args([example("words.c"), example(console), example("model.S"), library.to_path_buf()]);
    run(compiler.arg("-o").arg(&program));
    program
}

/// Runs a command that must succeed.
fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}: try `cargo xtask setup`"));
    assert!(status.success(), "{command:?}: {status}");
}

#[test]
fn a_program_on_this_machine() {
    let repo = Repo::find();
    let folder = folder("host");
    // Uses its own target folder, because the workspace's folder would build other features.
    let target = folder.join("target");
    run(repo.cargo().args(["build", "--package", "runtime-c", "--release", "--target-dir"]).arg(&target));
    for model in ["names.blob", "names.int8.blob", "names.int4.blob"] {
        let blob = blob(model);
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let library = target.join("release/libmore.a");
        let mut compiler = Command::new(compiler);
        // The state in f32 takes more than the 4 kB that the example reserves.
        compiler.arg("-DMEMORY_BYTES=8192");
        let program = compile(&mut compiler, &folder, blob.as_bytes(), "host.c", &library);
        let output = Command::new(program).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected(&blob), "{model}");
    }
}

/// Builds the example for a board, with a model in a layout, and runs it in QEMU.
fn on_board(name: &str, cpu: &[&str], model: &str, layout: Layout, features: &str) {
    let repo = Repo::find();
    let board = board::find(name).unwrap();
    let folder = folder(name);
    let mut cargo = board.cargo(&repo);
    cargo.args(["build", "--package", "runtime-c", "--profile", "firmware", "--target", board.target]);
    cargo.args(["--no-default-features", "--features", features, "--target-dir"]).arg(folder.join("target"));
    run(&mut cargo);
    let library = folder.join("target").join(board.target).join("firmware/libmore.a");

    let blob = blob(model);
    let bytes = relayout(&Model::new(blob.as_bytes()).unwrap(), layout).unwrap();
    fs::copy(workspace("firmware-example/memory").join(format!("{name}.x")), folder.join("memory.x")).unwrap();
    let mut gcc = Command::new(ARM_GCC.file(&repo));
    gcc.args(cpu)
        .args(["-mthumb", "-ffreestanding", "-nostdlib", "-Wl,--gc-sections,-z,noexecstack", "-L"])
        .arg(&folder);
    gcc.arg("-T").arg(example("cortex_m.ld"));
    let program = compile(&mut gcc, &folder, &bytes, "cortex_m.c", &library);
    let size = xtask::size::of_file(&program).unwrap();
    println!("{name}: {} bytes of flash, {} of RAM", size.flash(), size.ram());

    let run = emulator::run_quietly(&repo, board, &program, &[], emulator::TIMEOUT).unwrap();
    let console = run.lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    assert_eq!(console, expected(&blob), "{name}");
    assert!(run.success(), "{name}");
}

#[test]
fn a_program_on_a_cortex_m4f() {
    let cpu = ["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"];
    on_board("mps2-an386", &cpu, "names.int8.blob", Layout::Dual16, "int8,dual16");
}

#[test]
fn a_program_on_a_cortex_m0() {
    on_board("microbit", &["-mcpu=cortex-m0"], "names.int4.blob", Layout::Lanes16, "int4,lanes16");
}
