//! The folder of `cargo xtask c-package`: its files follow the rules of each format, and its sketch runs on emulated
//! chips.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use runtime::Sampling;
use serde_json::Value;
use tests::{blob, host_words, workspace};
use xtask::board;
use xtask::c_package;
use xtask::command::advice;
use xtask::emulator;
use xtask::repo::Repo;
use xtask::setup::arm_gcc::ARM_GCC;

/// Package, made once for all tests.
static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-package");
    c_package::make(&Repo::find(), &out, None).unwrap_or_else(|error| panic!("{}", advice(&error)));
    out
});

/// Returns the contents of a file of the package.
fn read(file: &str) -> String {
    fs::read_to_string(PACKAGE.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Checks Arduino's library specification, "library.properties file format" and "Precompiled binaries".
#[test]
fn arduino_finds_what_it_needs() {
    let text = read("library.properties");
    let fields: BTreeMap<_, _> = text.lines().map(|line| line.split_once('=').expect("a field")).collect();
    for name in ["name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"]
    {
        assert!(fields.get(name).is_some_and(|value| !value.is_empty()), "{name}");
    }
    assert_eq!(fields["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((fields["name"], fields["category"], fields["precompiled"]), ("more", "Data Processing", "full"));
    let name = |c: char| c.is_ascii_alphanumeric() || "_-,".contains(c);
    assert!(fields["architectures"].chars().all(name), "{}", fields["architectures"]);
    for header in fields["includes"].split(',') {
        assert!(PACKAGE.join("src").join(header).exists(), "{header}");
    }
    for line in read("keywords.txt").lines() {
        let (word, kind) = line.split_once('\t').expect("a tab");
        assert!(["KEYWORD1", "KEYWORD2", "LITERAL1"].contains(&kind), "{line}");
        let is_known = ["src/more.h", "src/more_model.h"].iter().any(|header| read(header).contains(word));
        assert!(is_known, "{word} is in no header");
    }
    // A sketch must have the name of its folder.
    assert!(PACKAGE.join("examples/DrawNames/DrawNames.ino").exists());
    for folder in c_package::folders() {
        assert!(PACKAGE.join("src").join(folder).join("libmore.a").exists(), "{folder}");
    }
}

/// Checks PlatformIO's documentation, "library.json".
#[test]
fn platformio_finds_what_it_needs() {
    let manifest: Value = serde_json::from_str(&read("library.json")).unwrap();
    assert_eq!((&manifest["name"], &manifest["version"]), (&"more".into(), &env!("CARGO_PKG_VERSION").into()));
    assert!(["description", "license", "homepage"].iter().all(|key| manifest[key].is_string()));
    for header in manifest["headers"].as_array().unwrap() {
        assert!(PACKAGE.join("src").join(header.as_str().unwrap()).exists(), "{header}");
    }
    assert!(PACKAGE.join(manifest["build"]["extraScript"].as_str().unwrap()).exists());
    for example in manifest["examples"].as_array().unwrap() {
        let base = PACKAGE.join(example["base"].as_str().unwrap());
        assert!(example["files"].as_array().unwrap().iter().all(|file| base.join(file.as_str().unwrap()).exists()));
    }
}

/// Checks ESP-IDF's documentation, "idf_component.yml", and Zephyr's, "Modules (External projects)".
#[test]
fn esp_idf_and_zephyr_find_what_they_need() {
    let component = read("idf_component.yml");
    assert!(component.contains(&format!("version: \"{}\"\n", env!("CARGO_PKG_VERSION"))), "{component}");
    assert!(["description", "url", "license"].iter().all(|key| component.contains(&format!("\n{key}: \""))));
    assert!(read("CMakeLists.txt").contains("idf_component_register(INCLUDE_DIRS src)"));

    let module = read("zephyr/module.yml");
    let value =
        |key: &str| module.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap_or_else(|| panic!("{key}"));
    assert!(PACKAGE.join(value("cmake: ")).join("CMakeLists.txt").exists());
    assert!(PACKAGE.join(value("kconfig: ")).exists());
    // Each core in the list has a folder without an FPU.
    let cores = read("zephyr/CMakeLists.txt");
    let cores = cores.split_once("foreach(core ").and_then(|(_, rest)| rest.split_once(')')).expect("a list of cores");
    for core in cores.0.split(' ') {
        assert!(c_package::folders().any(|folder| folder == format!("cortex-{}", core.to_lowercase())), "{core}");
    }
}

/// Returns `arm-none-eabi-gcc` with a board's options, as Arduino's cores have them.
fn compiler(options: &[&str]) -> Command {
    let mut compiler = Command::new(ARM_GCC.file(&Repo::find()));
    compiler.args(options).args(["-mthumb", "-ffreestanding", "-Os", "-Wall", "-Wextra", "-Werror", "-I"]);
    compiler.arg(PACKAGE.join("src"));
    compiler
}

/// Runs a command that must start.
fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: try `cargo xtask setup`"))
}

/// Runs a command that must succeed, and returns its stdout.
fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A program's C library may define any names except the library's own.
#[test]
fn an_archive_shows_only_its_own_names() {
    let nm = run(compiler(&[]).arg("-print-prog-name=nm"));
    for archive in &c_package::ARCHIVES {
        let file = PACKAGE.join("src").join(archive.folders[0]).join("libmore.a");
        let symbols = run(Command::new(nm.trim()).arg("-g").arg(&file));
        let mut names: Vec<_> = symbols.lines().filter_map(|line| line.split(' ').next_back()).collect();
        names.retain(|name| !name.is_empty() && !name.ends_with(".o:"));
        names.sort_unstable();
        let expected = [
            "more_defaults",
            "more_memory_bytes",
            "more_message",
            "more_model",
            "more_model_bytes",
            "more_open",
            "more_score",
            "more_self_test",
            "more_set",
            "more_word",
        ];
        assert_eq!(names, expected, "{}", archive.cpu);
    }
}

#[test]
fn other_processors_are_refused() {
    let refused = |options: &[&str]| {
        let mut command = compiler(options);
        let output = output(command.args(["-fsyntax-only", "-x", "c"]).arg(PACKAGE.join("src/more_model.h")));
        (!output.status.success()).then(|| String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(refused(&["-mcpu=cortex-m0plus"]), None);
    for (options, name) in [
        (&["-mcpu=cortex-m0", "-D__AVR__"][..], "AVR"),
        (&["-mcpu=cortex-m0", "-D__XTENSA__"], "Xtensa"),
        (&["-mcpu=cortex-m0", "-D__riscv"], "RISC-V"),
        (&["-mcpu=cortex-m23"], "this processor"),
    ] {
        let error = refused(options).expect("an error");
        assert!(error.contains(&format!("#error \"more: no archive for {name}")), "{error}");
    }
}

/// Returns the folder of the compiled library by Arduino's rule, `findExpectedPrecompiledLibFolder` of arduino-cli:
/// `{build.mcu}/{fpu}-{float-abi}` of the compiler's options if this folder exists, else `{build.mcu}`. Here
/// `build.mcu` is the core.
fn folder(options: &[&str]) -> PathBuf {
    let value = |name: &str| options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
    let core = PACKAGE.join("src").join(value("-mcpu").expect("a core"));
    let fpu: Vec<_> = ["-mfpu", "-mfloat-abi"].into_iter().filter_map(value).collect();
    let folder = core.join(fpu.join("-"));
    if folder.exists() { folder } else { core }
}

/// Builds a sketch as Arduino does, with a core of a few lines. Returns the sketch's output on the emulated board.
fn sketch(board: &str, options: &[&str], sketch: &Path) -> Vec<String> {
    let (repo, board) = (Repo::find(), board::find(board).unwrap());
    let name = format!("{}-{}{}", sketch.file_stem().unwrap().display(), board.name, options.concat());
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-package-sketches").join(name);
    fs::create_dir_all(&build).unwrap();
    let memory = workspace("firmware-example/memory").join(format!("{}.x", board.name));
    fs::copy(memory, build.join("memory.x")).unwrap();
    let (core, example) = (workspace("tests/fixtures/arduino"), workspace("runtime-c/example"));

    let object = |language: &[&str], file: &Path| {
        let object = build.join(file.with_extension("o").file_name().unwrap());
        let mut gcc = compiler(options);
        gcc.args(["-c", "-ffunction-sections", "-fdata-sections", "-I"]).arg(&core).arg("-I").arg(&example);
        run(gcc.args(language).arg(file).arg("-o").arg(&object));
        object
    };
    // The oldest standard that Arduino's cores use.
    let cpp = ["-std=gnu++11", "-fno-exceptions", "-fno-rtti"];
    let objects = [
        object(&[&cpp[..], &["-x", "c++", "-include", "Arduino.h"]].concat(), sketch),
        object(&cpp, &core.join("core.cpp")),
        object(&["-std=c11"], &example.join("cortex_m.c")),
    ];
    let program = build.join("sketch.elf");
    let mut link = compiler(options);
    link.args(["-nostdlib", "-Wl,--gc-sections,-z,noexecstack,--fatal-warnings", "-L"]).arg(&build);
    link.arg("-T").arg(example.join("cortex_m.ld")).args(objects).arg("-L").arg(folder(options));
    run(link.args(["-lmore", "-lgcc", "-o"]).arg(&program));

    let run = emulator::run_quietly(&repo, board, &program, &[], emulator::TIMEOUT).unwrap();
    assert!(run.success(), "{}: {:?}", build.display(), run.lines);
    run.lines
}

/// Compares the sketch's names with those of the Rust runtime, and the memory in `more_model.h` with the model's need.
fn draws_names(board: &str, options: &[&str]) {
    let expected = host_words(&blob("names.int8.blob"), Sampling::default(), 7, "", 5);
    let names = sketch(board, options, &PACKAGE.join("examples/DrawNames/DrawNames.ino"));
    assert_eq!(names, expected, "{board} {options:?}");
    let lines = sketch(board, options, &workspace("tests/fixtures/arduino/Memory.ino"));
    let bytes: Vec<usize> = lines.iter().map(|line| line.parse().unwrap()).collect();
    println!("{board} {options:?}: {bytes:?} bytes of memory");
    // The header has one number for all cores. The state takes 1 kB more in the layout of Cortex-M0 and M3.
    assert!(bytes[0] <= bytes[1] && bytes[1] < 2 * bytes[0], "{board}: {bytes:?}");
}

#[test]
fn the_sketch_on_a_cortex_m0() {
    draws_names("microbit", &["-mcpu=cortex-m0"]);
    draws_names("microbit", &["-mcpu=cortex-m0plus"]);
}

#[test]
fn the_sketch_on_a_cortex_m3() {
    draws_names("mps2-an385", &["-mcpu=cortex-m3"]);
}

#[test]
fn the_sketch_on_a_cortex_m4f() {
    for abi in ["-mfloat-abi=hard", "-mfloat-abi=softfp"] {
        draws_names("mps2-an386", &["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", abi]);
    }
    // Without an FPU, and for a folder that the package does not have: uses the code for Cortex-M3.
    draws_names("mps2-an386", &["-mcpu=cortex-m4", "-mfloat-abi=soft"]);
    draws_names("mps2-an386", &["-mcpu=cortex-m4", "-mfpu=vfpv4-d16", "-mfloat-abi=hard"]);
}

#[test]
fn the_sketch_on_a_cortex_m7() {
    draws_names("mps2-an500", &["-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"]);
}

#[test]
fn the_sketch_on_a_cortex_m33() {
    draws_names("mps2-an505", &["-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"]);
    draws_names("mps2-an505", &["-mcpu=cortex-m33", "-mfloat-abi=softfp"]);
    draws_names("mps2-an505", &["-mcpu=cortex-m33", "-mfloat-abi=soft"]);
}

#[test]
fn the_sketch_on_a_cortex_m55() {
    draws_names("mps3-an547", &["-mcpu=cortex-m55", "-mfloat-abi=hard"]);
    draws_names("mps3-an547", &["-mcpu=cortex-m55", "-mfloat-abi=soft"]);
}
