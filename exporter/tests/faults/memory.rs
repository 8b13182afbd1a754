//! Tests that lists of any size are read in bounded memory.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use exporter::data::Words;
use tempfile::TempDir;

use super::seen::{exporter, said};

/// Writes a list of distinct words.
fn list(path: &Path, words: usize) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for number in 0..words {
        let mut word = number;
        for _ in 0..7 {
            file.write_all(&[b'a' + (word % 20) as u8]).unwrap();
            word /= 20;
        }
        file.write_all(b"\n").unwrap();
    }
    file.into_inner().unwrap();
}

#[test]
fn a_sample_is_uniform_in_order_and_the_same_every_time() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("words.txt");
    list(&path, 10_000);
    let read = |limit| Words::read_up_to(&path, limit, &mut |_| ()).unwrap();
    let all = read(10_000);
    assert_eq!((all.words.len(), all.sample), (10_000, None));
    let some = read(1_000);
    assert_eq!(some.sample.map(|sample| (sample.words, sample.of)), Some((1_000, 10_000)));
    assert_eq!(some.words, read(1_000).words);
    assert_eq!(some.sha256, all.sha256, "the hash is the file's");
    let places: Vec<usize> =
        some.words.iter().map(|word| all.words.iter().position(|other| other == word).unwrap()).collect();
    assert!(places.is_sorted() && places.windows(2).all(|pair| pair[0] != pair[1]), "in order, and none twice");
    // 250 of each quarter, within four standard deviations of sqrt(1000 * 1/4 * 3/4) = 13.7.
    for quarter in 0..4 {
        let found = places.iter().filter(|&&place| place / 2_500 == quarter).count();
        assert!(found.abs_diff(250) < 55, "{found} of quarter {quarter}");
    }
}

/// Runs the program; returns its largest resident memory in KiB, and its stderr.
fn peak(here: &Path, arguments: &str) -> (usize, String) {
    let mut child = exporter(here, arguments).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut peak = 0;
    let file = format!("/proc/{}/status", child.id());
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(&file).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    (peak, said(&output))
}

/// Trains on 104 MB and on 80 kB of words: both need the same memory, and the long list shows progress.
#[test]
fn a_long_list_takes_no_more_memory_than_a_short_one() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    list(&here.join("short.txt"), 10_000);
    list(&here.join("long.txt"), 13_000_000);
    let train = "train --preset tiny --steps 20 --threads 1 --no-plots --max-words 10000 --data";
    let (short, _) = peak(here, &format!("{train} short.txt"));
    let (long, said) = peak(here, &format!("{train} long.txt"));
    println!("{short} KiB, {long} KiB");
    assert!(short > 10_000 && long < short + 20_000, "{short} KiB for a short list, {long} KiB for a long one");
    assert!(said.contains("long.txt: 100 MB read"), "{said}");
    let sampled =
        "long.txt: 10,000 of its 13,000,000 words, drawn at random, the same every time; for more: --max-words N";
    assert!(said.contains(sampled), "{said}");
    let eval = exporter(here, "eval --model model.safetensors --data short.txt").output().unwrap();
    assert!(super::seen::said(&eval).contains("was trained with another --max-words"), "{}", super::seen::said(&eval));
}

#[test]
fn words_too_long_for_the_memory_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("words.txt");
    fs::write(&path, ("ab".repeat(500) + "\n").repeat(2_000)).unwrap();
    let read = |limit| Words::read_up_to(&path, limit, &mut |_| ()).map(|words| words.words.len());
    let refused = read(2_000).unwrap_err().to_string();
    assert!(
        refused.ends_with("1049 words have more than 1048576 bytes; a lower --max-words takes a smaller sample"),
        "{refused}"
    );
    assert_eq!(read(1_000).unwrap(), 1_000);
    assert_eq!(read(200_000).unwrap(), 2_000);
}
