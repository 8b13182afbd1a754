//! Word lists that are not what they seem.

use std::path::Path;

use crate::program::run_in;

/// Names in another alphabet than the shipped list's.
pub const CYRILLIC: &[&str] = &[
    "анна",
    "борис",
    "вера",
    "глеб",
    "дарья",
    "егор",
    "жанна",
    "зоя",
    "иван",
    "кира",
    "лев",
    "мария",
    "нина",
    "олег",
    "павел",
    "раиса",
    "софья",
    "тимур",
    "ульяна",
    "фёдор",
    "эмма",
    "юлия",
    "яна",
    "марк",
    "роман",
    "ирина",
];

/// Writes `list.txt` with one word a line.
pub fn list(folder: &Path, words: &[&str]) {
    std::fs::write(folder.join("list.txt"), words.join("\n") + "\n").expect("the folder can be written");
}

/// Trains a small model on a list for a moment; the list is `list.txt`.
pub fn trained(folder: &Path, words: &[&str], out: &str) {
    list(folder, words);
    let train = ["train", "--preset", "tiny", "--steps", "20", "--threads", "1", "--no-plots"];
    run_in(folder, &[&train[..], &["--data", "list.txt", "--out", out]].concat()).succeeds();
}
