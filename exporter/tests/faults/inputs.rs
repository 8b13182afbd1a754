//! Tests files that cannot be read or are of the wrong kind, and places that cannot be written.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tests::assert_section;

use super::seen::{Case, TRAIN, exporter, killed_training, model, prepared, table};

const LIST: &str = "train --data words.txt";
const EXPORT: &str = "export --model m.safetensors --out m.blob";
const SAMPLE: &str = "sample --model m.blob";
const IMPORT: &str = "import --in net.safetensors --out m.safetensors";
const RESUME: &str = "train --resume run";

fn write(here: &Path, name: &str, bytes: &[u8]) {
    fs::write(here.join(name), bytes).unwrap();
}

/// Writes a trained model, and an earlier blob that must stay.
fn trained(here: &Path) {
    write(here, "m.safetensors", &model("tiny.safetensors"));
    write(here, "m.blob", b"earlier");
}

fn shell(here: &Path, script: &str) {
    assert!(Command::new("bash").args(["-c", script]).current_dir(here).status().unwrap().success(), "{script}");
}

/// Removes all permissions of a file, or the write permission of a folder.
fn close(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(if path.is_dir() { 0o555 } else { 0 })).unwrap();
}

/// Returns the program as a user whom permissions bind: the superuser runs it without the capability to ignore them.
fn bound(here: &Path, arguments: &str) -> Command {
    let program = exporter(here, arguments);
    let closed = tempfile::NamedTempFile::new().unwrap();
    close(closed.path());
    if fs::read(closed.path()).is_err() {
        return program;
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-dac_override,-dac_read_search", "--"]);
    command.arg(program.get_program()).args(program.get_args()).current_dir(here);
    command
}

/// Leaves the run of a killed training, with one of its files changed.
fn killed_and_damaged(here: &Path, file: &str, change: fn(Vec<u8>) -> Vec<u8>) {
    killed_training(here, "run");
    let path = here.join("run").join(file);
    fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
}

fn half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn cases() -> Vec<Case> {
    let list = |fault, bytes: &'static [u8]| Case::new(fault, LIST, move |here| write(here, "words.txt", bytes));
    let net = |fault, bytes: &'static [u8]| Case::new(fault, IMPORT, move |here| write(here, "net.safetensors", bytes));
    let blob = |fault, change: fn(&mut Vec<u8>)| {
        Case::new(fault, SAMPLE, move |here| {
            let mut bytes = model("tiny.int8.blob");
            change(&mut bytes);
            write(here, "m.blob", &bytes);
        })
    };
    vec![
        Case::new("no such word list", LIST, |_| ()),
        Case::new("the word list is a folder", LIST, |here| fs::create_dir(here.join("words.txt")).unwrap()),
        Case::new("the word list is a broken link", LIST, |here| {
            std::os::unix::fs::symlink("gone", here.join("words.txt")).unwrap();
        }),
        Case::with("the word list may not be read", LIST, |here| {
            write(here, "words.txt", b"a\n");
            close(&here.join("words.txt"));
            bound(here, LIST)
        }),
        list("the word list is empty", b""),
        list("the word list ends inside a character", b"anna\nzo\xc3"),
        list("the word list is another kind of file", &[0; 10_000]),
        Case::new("the word list is endless and has no lines", "train --data /dev/zero", |_| ()),
        Case::new("no such model", EXPORT, |_| ()),
        Case::new("the model is a folder", EXPORT, |here| fs::create_dir(here.join("m.safetensors")).unwrap()),
        Case::with("the model may not be read", EXPORT, |here| {
            trained(here);
            close(&here.join("m.safetensors"));
            bound(here, EXPORT)
        }),
        Case::new("the model is empty", EXPORT, |here| write(here, "m.safetensors", b"")),
        Case::new("the model is cut in half", EXPORT, |here| {
            trained(here);
            write(here, "m.safetensors", &model("tiny.safetensors")[..3_000]);
        }),
        Case::new("the model is endless", "sample --model /dev/zero", |_| ()),
        blob("the blob is cut in half", |bytes| bytes.truncate(1_000)),
        blob("a bit of the blob has flipped", |bytes| bytes[1_000] ^= 0x10),
        net("the PyTorch file is empty", b""),
        net("the PyTorch file is cut in half", b"\xff\0\0\0\0\0\0\0{\"fc1.weight\""),
        Case::new("the result's folder does not exist", "export --model m.safetensors --out no/m.blob", trained),
        Case::new("the result's name is that of a folder", "export --model m.safetensors --out .", trained),
        Case::new(
            "the result's name is that of a pipe or a device",
            "export --model m.safetensors --out pipe",
            |here| {
                trained(here);
                shell(here, "mkfifo pipe");
            },
        ),
        Case::new("the result is the input", "export --model m.safetensors --out ./m.safetensors", trained),
        Case::with("the folder may not be written to", "export --model m.safetensors --out closed/m.blob", |here| {
            trained(here);
            fs::create_dir(here.join("closed")).unwrap();
            write(here, "closed/m.blob", b"earlier");
            close(&here.join("closed"));
            bound(here, "export --model m.safetensors --out closed/m.blob")
        }),
        Case::with("the blob exceeds the limit on file sizes", EXPORT, |here| {
            trained(here);
            prepared(here, "trap '' XFSZ; ulimit -f 4", EXPORT)
        }),
        Case::with("the files of a run exceed the limit on file sizes", TRAIN, |here| {
            prepared(here, "trap '' XFSZ; ulimit -f 64", TRAIN)
        }),
        Case::new("there is no run to continue", RESUME, |_| ()),
        Case::new("the run's settings are cut in half", RESUME, |here| {
            killed_and_damaged(here, "config.json", |_| b"{\"data\": nu".to_vec());
        }),
        Case::new("the run's checkpoint is cut in half", RESUME, |here| {
            killed_and_damaged(here, "checkpoint.safetensors", half);
        }),
        Case::new("the run's metrics have a wrong line", RESUME, |here| {
            killed_and_damaged(here, "metrics.jsonl", |bytes| [b"hello\n", &*bytes, b"{}\n"].concat());
        }),
    ]
}

#[test]
fn every_fault_is_said_in_one_line() {
    assert_section("docs/trust/record/reliability.md", "inputs", &table(cases().iter().map(Case::row)));
}
