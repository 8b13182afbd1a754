//! A model that is checked at build time draws the same words as a model that is checked when the program starts, and
//! as the host.

use runtime::Sampling;
use tests::{Firmware, blob, host_words, workspace};
use xtask::board;

#[test]
fn the_same_name_built_in_loaded_and_on_the_host() {
    for board in board::one_of_each_core() {
        for name in ["names.blob", "names.int8.blob", "names.int4.blob"] {
            // The model does not fit: a test of the build script covers this.
            if name == "names.blob" && board.name == "microbit" {
                continue;
            }
            let expected = host_words(&blob(name), Sampling::default(), 42, "ma", 1);
            for bin in ["name", "loaded"] {
                let run = Firmware::build_with(board.name, bin, &workspace("models").join(name)).run(&[]);
                assert!(run.success(), "{bin} on {}: {:?}", board.name, run.lines);
                assert_eq!(run.lines, expected, "{bin} on {} with {name}", board.name);
            }
        }
    }
}
