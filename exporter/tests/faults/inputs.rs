//! Files that cannot be read, or are not what they should be; places that cannot be written.

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

/// A trained model, and what was exported before: it must stay.
fn trained(here: &Path) {
    write(here, "m.safetensors", &model("tiny.safetensors"));
    write(here, "m.blob", b"of before");
}

fn shell(here: &Path, script: &str) {
    assert!(Command::new("bash").args(["-c", script]).current_dir(here).status().unwrap().success(), "{script}");
}

/// A file that nobody may read, or a folder that nobody may write to.
fn close(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(if path.is_dir() { 0o555 } else { 0 })).unwrap();
}

/// The program as one whom permissions bind: the superuser without the right to pass over them.
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

/// A training that was killed, one of whose files is then changed.
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
        Case::new("the word list is a link that leads nowhere", LIST, |here| {
            std::os::unix::fs::symlink("gone", here.join("words.txt")).unwrap();
        }),
        Case::with("no permission to read the word list", LIST, |here| {
            write(here, "words.txt", b"a\n");
            close(&here.join("words.txt"));
            bound(here, LIST)
        }),
        list("the word list is empty", b""),
        list("the word list ends in the middle of a character", b"anna\nzo\xc3"),
        list("the word list is a binary file", &[0; 10_000]),
        Case::new("an endless word list without lines", "train --data /dev/zero", |_| ()),
        Case::new("no such model", EXPORT, |_| ()),
        Case::new("the model is a folder", EXPORT, |here| fs::create_dir(here.join("m.safetensors")).unwrap()),
        Case::with("no permission to read the model", EXPORT, |here| {
            trained(here);
            close(&here.join("m.safetensors"));
            bound(here, EXPORT)
        }),
        Case::new("the model is empty", EXPORT, |here| write(here, "m.safetensors", b"")),
        Case::new("half a model", EXPORT, |here| {
            trained(here);
            write(here, "m.safetensors", &model("tiny.safetensors")[..3_000]);
        }),
        Case::new("an endless model", "sample --model /dev/zero", |_| ()),
        blob("half a blob", |bytes| bytes.truncate(1_000)),
        blob("a bit of the blob has flipped", |bytes| bytes[1_000] ^= 0x10),
        net("the PyTorch file is empty", b""),
        net("half a PyTorch file", b"\xff\0\0\0\0\0\0\0{\"fc1.weight\""),
        Case::new("no folder for the result", "export --model m.safetensors --out no/m.blob", trained),
        Case::new("the result is a folder", "export --model m.safetensors --out .", trained),
        Case::new("the result is a pipe or a device", "export --model m.safetensors --out pipe", |here| {
            trained(here);
            shell(here, "mkfifo pipe");
        }),
        Case::new("the result is the input", "export --model m.safetensors --out ./m.safetensors", trained),
        Case::with(
            "no permission to write to the folder",
            "export --model m.safetensors --out closed/m.blob",
            |here| {
                trained(here);
                fs::create_dir(here.join("closed")).unwrap();
                write(here, "closed/m.blob", b"of before");
                close(&here.join("closed"));
                bound(here, "export --model m.safetensors --out closed/m.blob")
            },
        ),
        Case::with("a limit on file sizes below the blob's", EXPORT, |here| {
            trained(here);
            prepared(here, "trap '' XFSZ; ulimit -f 4", EXPORT)
        }),
        Case::with("a limit on file sizes below the run's", TRAIN, |here| {
            prepared(here, "trap '' XFSZ; ulimit -f 64", TRAIN)
        }),
        Case::new("no run to resume", RESUME, |_| ()),
        Case::new("half a file of the run's settings", RESUME, |here| {
            killed_and_damaged(here, "config.json", |_| b"{\"data\": nu".to_vec());
        }),
        Case::new("half a checkpoint in the run", RESUME, |here| {
            killed_and_damaged(here, "checkpoint.safetensors", half);
        }),
        Case::new("a foreign line in the run's metrics", RESUME, |here| {
            killed_and_damaged(here, "metrics.jsonl", |bytes| [b"hello\n", &*bytes, b"{}\n"].concat());
        }),
    ]
}

#[test]
fn every_fault_is_said_in_one_line() {
    assert_section("docs/trust/record/reliability.md", "inputs", &table(cases().iter().map(Case::row)));
}
