//! Files that are no network: import fails with a one-line error that names the tensor, and writes nothing.

use std::path::Path;
use std::process::{Command, Stdio};

use exporter::import::{ImportError, Options, StateDict, fold, understand};
use exporter::model::file::Origin;

use super::common::workspace;
use super::file::{File, VOCAB, network, numbers, with_header};

struct Case {
    what: &'static str,
    bytes: Vec<u8>,
    arguments: Vec<&'static str>,
    /// Parts of the error.
    expected: &'static [&'static str],
}

fn case(what: &'static str, bytes: Vec<u8>, expected: &'static [&'static str]) -> Case {
    Case { what, bytes, arguments: vec!["--vocab", VOCAB], expected }
}

fn with(what: &'static str, arguments: &[&'static str], expected: &'static [&'static str]) -> Case {
    Case { what, bytes: network().bytes(), arguments: arguments.to_vec(), expected }
}

/// Returns a case: the network with a change.
fn changed(what: &'static str, expected: &'static [&'static str], change: impl FnOnce(&mut File)) -> Case {
    let mut file = network();
    change(&mut file);
    case(what, file.bytes(), expected)
}

/// Returns files that are not valid safetensors files.
fn forms() -> Vec<Case> {
    let whole = network().bytes();
    let header = |text: &str| with_header(text.as_bytes(), &[0; 8]);
    let one = |info: &str| header(&format!(r#"{{"0.weight":{info}}}"#));
    vec![
        case("an empty file", vec![], &["empty"]),
        case("seven bytes", vec![1; 7], &["header too small"]),
        case("a header of no length", vec![0; 8], &["not a safetensors file"]),
        case("a header of 2^64 - 1 bytes", vec![0xff; 64], &["header too large"]),
        case("a header above the limit", [&100_000_001_u64.to_le_bytes()[..], b"{}"].concat(), &["header too large"]),
        case("a header longer than the file", [&500_u64.to_le_bytes()[..], b"{}"].concat(), &["invalid header length"]),
        case("a header that is not UTF-8", with_header(&[0xc3, 0x28], &[]), &["UTF-8"]),
        case("a header that is not JSON", header("hello"), &["JSON"]),
        case("a header that is a list", header("[1,2,3]"), &["JSON"]),
        case("a header that ends early", header(r#"{"0.weight":{"dtype":"F32","sha"#), &["JSON"]),
        case("a header of many brackets", header(&format!("{{\"a\":{}", "[".repeat(100_000))), &["JSON"]),
        case("an unknown type", one(r#"{"dtype":"Q7","shape":[2],"data_offsets":[0,8]}"#), &["\"0.weight\"", "Q7"]),
        case(
            "a negative dimension",
            one(r#"{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}"#),
            &["\"0.weight\"", "-2"],
        ),
        case("half a dimension", one(r#"{"dtype":"F32","shape":[0.5],"data_offsets":[0,8]}"#), &["\"0.weight\""]),
        case(
            "a dimension beyond 2^64",
            one(r#"{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}"#),
            &["\"0.weight\""],
        ),
        case(
            "dimensions whose product overflows",
            one(r#"{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}"#),
            &["\"0.weight\"", "overflow"],
        ),
        case("offsets the wrong way round", one(r#"{"dtype":"F32","shape":[2],"data_offsets":[8,0]}"#), &["0.weight"]),
        case("offsets beyond the file", one(r#"{"dtype":"F32","shape":[4],"data_offsets":[0,16]}"#), &["\"0.weight\""]),
        case(
            "fewer bytes than the shape asks for",
            one(r#"{"dtype":"F32","shape":[3],"data_offsets":[0,8]}"#),
            &["\"0.weight\"", "shape"],
        ),
        case("no offsets", one(r#"{"dtype":"F32","shape":[2]}"#), &["\"0.weight\"", "data_offsets"]),
        case("the last byte missing", whole[..whole.len() - 1].to_vec(), &["\"7.num_batches_tracked\""]),
        case("a byte too many", [&whole[..], &[0]].concat(), &["not a safetensors file"]),
        case("half of the file", whole[..whole.len() / 2].to_vec(), &["not a safetensors file"]),
        case(
            "a zip archive of torch.save",
            b"PK\x03\x04\0\0\x08\x08archive/data.pkl".to_vec(),
            &["pickle", "save_file"],
        ),
        case("a bare pickle", b"\x80\x02}q\x00.".to_vec(), &["pickle", "save_file"]),
        case("a text", b"emma\nolivia\nava\nisabella\nsophia\n".to_vec(), &["not a safetensors file"]),
        case(
            "a blob of this program",
            std::fs::read(workspace("models/tiny.blob")).unwrap(),
            &["not a safetensors file"],
        ),
        case(
            "a folded model of this program",
            std::fs::read(workspace("models/tiny.safetensors")).unwrap(),
            &["folded model"],
        ),
        case("no tensors", header("{}")[..10].to_vec(), &["0 matrices"]),
        changed("overlapping offsets", &["2.weight"], |file| {
            file.entry("2.weight").offsets = Some("[20,116]".to_owned());
        }),
        changed("a hole between tensors", &["2.weight"], |file| {
            file.entry("2.weight").offsets = Some("[64,160]".to_owned())
        }),
        changed("two tensors of one name", &["two tensors named \"2.weight\""], |file| {
            let twice = file.entry("2.weight").clone();
            file.entries.insert(1, twice);
            file.entries[1].offsets = Some("[60,156]".to_owned());
            file.entries[1].bytes.clear();
        }),
    ]
}

/// Returns files whose tensors are no network.
fn tensors() -> Vec<Case> {
    let mut many = network();
    many.entries.retain(|entry| entry.name == "0.weight" || entry.name.starts_with("10."));
    let mut deep = many.clone();
    for level in 0..9 {
        deep.add(
            &format!("{}.weight", level + 1),
            &[6, if level == 0 { 6 } else { 12 }],
            &numbers(36.max(72 * level.min(1)), 1),
        );
    }
    many.set("0.weight", &[300, 3], &numbers(900, 1));
    many.set("10.weight", &[300, 6], &numbers(1800, 2));
    many.set("10.bias", &[300], &numbers(300, 3));
    many.add("2.weight", &[6, 6], &numbers(36, 4));
    vec![
        changed("NaN in a weight", &["\"6.weight\"", "NaN"], |file| file.poke("6.weight", 5, f32::NAN)),
        changed("infinity in the embedding", &["\"0.weight\"", "inf"], |file| file.poke("0.weight", 0, f32::INFINITY)),
        changed("infinity in a mean", &["\"3.running_mean\"", "-inf"], |file| {
            file.poke("3.running_mean", 1, f32::NEG_INFINITY)
        }),
        changed("NaN in a variance", &["\"7.running_var\"", "NaN"], |file| file.poke("7.running_var", 5, f32::NAN)),
        changed("infinity in half precision", &["\"10.bias\"", "inf"], |file| {
            file.entry("10.bias").dtype = "F16";
            file.entry("10.bias").bytes = [0x00, 0x7c].repeat(5);
        }),
        changed("a variance of zero", &["\"3.running_var\" is 0 in channel 2"], |file| {
            file.poke("3.running_var", 2, 0.0)
        }),
        changed("all variances zero", &["\"7.running_var\" is 0 in channel 0"], |file| {
            file.set("7.running_var", &[6], &[0.0; 6])
        }),
        changed("a negative variance", &["\"3.running_var\" is -0.5 in channel 1"], |file| {
            file.poke("3.running_var", 1, -0.5)
        }),
        changed("a variance of minus eps", &["\"3.running_var\" is -"], |file| file.poke("3.running_var", 1, -1e-5)),
        changed("no running mean", &["\"3.running_mean\" is missing"], |file| file.remove("3.running_mean")),
        changed("no running variance", &["\"7.running_var\" is missing"], |file| file.remove("7.running_var")),
        changed("no running statistics at all", &["\"3.running_mean\" is missing", "\"3.weight\""], |file| {
            file.remove("3.running_mean");
            file.remove("3.running_var");
        }),
        changed("no gamma", &["\"3.weight\" is missing"], |file| file.remove("3.weight")),
        changed("no beta", &["\"7.bias\" is missing"], |file| file.remove("7.bias")),
        changed("no matrix of level 1", &["\"2.weight\"", "\"3\"", "\"7\""], |file| file.remove("6.weight")),
        changed("no matrix of level 0", &["\"3\"", "\"0.weight\"", "missing"], |file| file.remove("2.weight")),
        changed("no matrix of the output", &["\"10.weight\" is missing", "\"10.bias\""], |file| {
            file.remove("10.weight")
        }),
        changed("no embedding", &["follows the embedding \"2.weight\"", "missing"], |file| file.remove("0.weight")),
        changed("a vector too many", &["\"scale\""], |file| file.add("scale", &[4], &numbers(4, 1))),
        changed("a scalar too many", &["\"temperature\""], |file| file.add("temperature", &[], &[1.0])),
        changed("a convolution", &["\"conv.weight\" [4, 3, 2]", "grouped", "--order"], |file| {
            file.add("conv.weight", &[4, 3, 2], &numbers(24, 1))
        }),
        changed("embeddings of positions", &["\"pos_emb.weight\""], |file| {
            file.entry("0.weight").name = "tok_emb.weight".to_owned();
            file.add("pos_emb.weight", &[4, 3], &numbers(12, 1));
        }),
        changed("a matrix of integers", &["\"2.weight\" is I32"], |file| file.entry("2.weight").dtype = "I32"),
        changed("a matrix of bytes", &["\"2.weight\" is U8"], |file| {
            file.entry("2.weight").dtype = "U8";
            file.entry("2.weight").bytes.truncate(24);
        }),
        changed("a matrix of truth values", &["\"10.weight\" is BOOL"], |file| {
            file.entry("10.weight").dtype = "BOOL";
            file.entry("10.weight").bytes = vec![1; 30];
        }),
        changed("a variance in 8 bits", &["\"3.running_var\" is F8_E4M3"], |file| {
            file.entry("3.running_var").dtype = "F8_E4M3";
            file.entry("3.running_var").bytes.truncate(4);
        }),
        changed(
            "statistics per position, as the bug leaves them",
            &["\"3.running_mean\" [1, 2, 4]", "per position"],
            |file| {
                file.set("3.running_mean", &[1, 2, 4], &numbers(8, 1));
                file.set("3.running_var", &[1, 2, 4], &[1.0; 8]);
            },
        ),
        changed("positions taken for channels", &["\"3.running_mean\" [2]", "per position"], |file| {
            for part in ["weight", "bias", "running_mean", "running_var"] {
                file.set(&format!("3.{part}"), &[2], &[1.0; 2]);
            }
        }),
        changed(
            "a BatchNorm of other channels",
            &["\"7.running_mean\" has 5 values", "\"6.weight\" has 6 rows"],
            |file| {
                for part in ["weight", "bias", "running_mean", "running_var"] {
                    file.set(&format!("7.{part}"), &[5], &[1.0; 5]);
                }
            },
        ),
        changed("a variance of other channels than the mean", &["\"3.running_var\" has 3 values"], |file| {
            file.set("3.running_var", &[3], &[1.0; 3])
        }),
        changed("a bias of another length", &["\"10.bias\" has 4 values", "\"10.weight\" has 5 rows"], |file| {
            file.set("10.bias", &[4], &numbers(4, 1))
        }),
        changed("a bias that is a matrix", &["\"10.bias\" has shape [5, 6]"], |file| {
            file.set("10.bias", &[5, 6], &numbers(30, 1))
        }),
        changed("a level that reads no multiple", &["\"6.weight\" [6, 7]", "\"2.weight\"", "no multiple"], |file| {
            file.set("6.weight", &[6, 7], &numbers(42, 1))
        }),
        changed("a level that fuses one", &["\"6.weight\" [6, 4]", "fuses at least 2"], |file| {
            file.set("6.weight", &[6, 4], &numbers(24, 1))
        }),
        changed("a level that fuses 65", &["\"2.weight\" [4, 195]", "the limit is 64"], |file| {
            file.set("2.weight", &[4, 195], &numbers(780, 1))
        }),
        changed("an output of other characters", &["\"10.weight\" [7, 6]", "5 rows"], |file| {
            file.set("10.weight", &[7, 6], &numbers(42, 1));
            file.set("10.bias", &[7], &numbers(7, 1));
        }),
        changed("an output that reads part of a level", &["\"10.weight\" [5, 11]", "all levels have 10"], |file| {
            file.set("10.weight", &[5, 11], &numbers(55, 1))
        }),
        changed("a convolution over a picture", &["\"2.weight\"", "one-dimensional"], |file| {
            file.set("2.weight", &[4, 3, 3, 3], &numbers(108, 1))
        }),
        changed("a convolution in groups", &["\"6.weight\" [6, 2, 2]", "grouped"], |file| {
            file.set("6.weight", &[6, 2, 2], &numbers(24, 1))
        }),
        changed("a residual convolution", &["\"res.weight\" [4, 4, 1]", "residual connection"], |file| {
            file.add("res.weight", &[4, 4, 1], &numbers(16, 1))
        }),
        changed("the projection of a shortcut", &["\"net.shortcut.weight\" [6, 4]", "residual"], |file| {
            file.add("net.shortcut.weight", &[6, 4], &numbers(24, 1))
        }),
        changed("a mask", &["\"mask\" [4, 4] is a mask", "--ignore \"mask\""], |file| {
            file.add("mask", &[4, 4], &[1.0; 16])
        }),
        changed("a mask of truth values", &["\"attn.bias_mask\" is BOOL, a mask"], |file| {
            file.raw("attn.bias_mask", "BOOL", &[2, 2], vec![1; 4])
        }),
        changed("a recurrent layer", &["\"lstm.weight_ih_l0\"", "recurrent"], |file| {
            file.add("lstm.weight_ih_l0", &[4, 4], &numbers(16, 1))
        }),
        changed("a matrix without rows", &["\"2.weight\" has shape [0, 6]"], |file| file.set("2.weight", &[0, 6], &[])),
        changed("a matrix that is a vector", &["\"2."], |file| file.set("2.weight", &[24], &numbers(24, 1))),
        changed("a matrix that is a number", &["\"2."], |file| file.set("2.weight", &[], &[1.0])),
        changed("a weight beyond f32", &["\"6.weight\"", "too large"], |file| {
            file.entry("6.weight").dtype = "F64";
            file.entry("6.weight").bytes = 1e300_f64.to_le_bytes().repeat(48);
        }),
        changed("a weight that BatchNorm takes beyond f32", &["\"2.weight\"", "too large"], |file| {
            file.set("3.weight", &[4], &[3e38; 4]);
            file.set("3.running_var", &[4], &[1e-30; 4]);
        }),
        changed("variance and deviation", &["\"3.running_std\""], |file| file.add("3.running_std", &[4], &[1.0; 4])),
        changed("two matrices of one module", &["\"2.W\""], |file| file.add("2.W", &[4, 6], &numbers(24, 1))),
        changed("only an embedding and an output", &["2 matrices"], |file| {
            file.entries.retain(|entry| entry.name == "0.weight" || entry.name.starts_with("10."));
        }),
        case("300 characters", many.bytes(), &["vocab_size", "300"]),
        case("nine levels", deep.bytes(), &["levels", "9"]),
    ]
}

/// Returns a valid file with options that do not fit it.
fn options() -> Vec<Case> {
    vec![
        with("no vocabulary", &[], &["\"0.weight\"", "--vocab", "--data"]),
        with("a vocabulary without the boundary", &["--vocab", "abcd"], &["\"0.weight\" has 5 rows", "boundary"]),
        with("a vocabulary too long", &["--vocab", ".abcdefgh"], &["9 characters", "\"0.weight\" has 5 rows"]),
        with("a repeated character", &["--vocab", ".abca"], &["vocabulary", "'a'"]),
        with("another block size", &["--vocab", VOCAB, "--block-size", "8"], &["block_size 4 (2 * 2), not 8"]),
        with("matrices the other way round", &["--vocab", VOCAB, "--transposed"], &["--transposed", "\"2.weight\""]),
        with("nothing that is called so", &["--vocab", VOCAB, "--ignore", "mask"], &["--ignore \"mask\""]),
        with("a boundary that is not there", &["--vocab", VOCAB, "--boundary", "#"], &["--boundary \"#\"", "abcd"]),
        with("no boundary", &["--vocab", "abcde"], &["\"abcde\"", "name it with --boundary"]),
        with("gated units that are none", &["--vocab", VOCAB, "--activation", "gated"], &["\"10.weight\" [5, 6]"]),
        with("an order without the output", &["--vocab", VOCAB, "--order", "0,2,6"], &["\"10\"", "0, 10, 2, 6"]),
        with("words that are not there", &["--data", "no.txt"], &["no.txt"]),
    ]
}

/// Runs `import` on a file, checks that it fails with a one-line error, and returns the error.
fn refused(folder: &Path, what: &str, input: &str, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_exporter"))
        .args(["import", "--in", input, "--out", "out.safetensors"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{what}: {stderr}");
    assert!(output.stdout.is_empty(), "{what}");
    assert_eq!(stderr.lines().count(), 1, "{what}: {stderr}");
    assert!(stderr.starts_with("error: ") && !stderr.contains("panicked"), "{what}: {stderr}");
    stderr
}

#[test]
fn every_malformed_file_is_refused_in_a_line() {
    let cases: Vec<Case> = forms().into_iter().chain(tensors()).chain(options()).collect();
    assert!(cases.len() >= 50);
    // Four at a time: starting the program takes most of the time.
    std::thread::scope(|scope| {
        for cases in cases.chunks(cases.len().div_ceil(4)) {
            scope.spawn(|| cases.iter().for_each(check));
        }
    });
    println!("{} files", cases.len());
}

fn check(Case { what, bytes, arguments, expected }: &Case) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("in.safetensors"), bytes).unwrap();
    let line = refused(here, what, "in.safetensors", arguments);
    for part in *expected {
        assert!(line.contains(part), "{what}: {part:?} is not in {line}");
    }
    println!("{what}: {}", line.trim_end());
    let left: Vec<_> = std::fs::read_dir(here).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["in.safetensors"], "{what}: nothing is written, nothing left over");
}

#[test]
fn files_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("in.safetensors"), network().bytes()).unwrap();
    std::fs::write(here.join("words.txt"), "xyz\n".repeat(20)).unwrap();
    for (input, arguments, expected) in [
        ("missing.safetensors", &["--vocab", VOCAB][..], "missing.safetensors"),
        (".", &["--vocab", VOCAB], "."),
        ("in.safetensors", &["--vocab", VOCAB, "--out", "in.safetensors"], "would overwrite"),
        ("in.safetensors", &["--vocab", VOCAB, "--out", "nowhere/out.safetensors"], "no folder"),
    ] {
        let mut arguments = arguments.to_vec();
        let out = arguments.iter().position(|&argument| argument == "--out");
        let out = out.map_or("out.safetensors", |at| arguments.drain(at..at + 2).next_back().unwrap());
        let output = Command::new(env!("CARGO_BIN_EXE_exporter"))
            .args(["import", "--in", input, "--out", out])
            .args(&arguments)
            .current_dir(here)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{input}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(expected), "{input}: {stderr}");
        assert!(!here.join("out.safetensors").exists());
    }
    assert_eq!(std::fs::read(here.join("in.safetensors")).unwrap(), network().bytes(), "the input is as it was");
    // A list with another number of characters than the embedding has rows.
    let output = Command::new(env!("CARGO_BIN_EXE_exporter"))
        .args(["import", "--in", "in.safetensors", "--out", "out.safetensors", "--data", "words.txt"])
        .current_dir(here)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && !here.join("out.safetensors").exists());
    assert!(stderr.contains("\"0.weight\" has 5 rows, but words.txt has 4 characters with the boundary"), "{stderr}");
}

fn import(bytes: &[u8]) -> Result<(), ImportError> {
    let state = StateDict::from_safetensors(bytes)?;
    let options = Options::default();
    let structure = understand(&state, &options)?;
    fold(&state, &structure, &options, VOCAB, Origin::default()).map(drop)
}

#[test]
fn no_bytes_cause_a_panic() {
    let whole = network().bytes();
    import(&whole).unwrap();
    for len in 0..whole.len() {
        assert!(import(&whole[..len]).is_err(), "cut at {len}");
    }
    let header_len = network().header().len();
    let mut state = 42_u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=draw(3) {
            // Mostly changes the header: the other bytes are only numbers.
            let at = if draw(8) > 0 { 8 + draw(header_len) } else { draw(bytes.len()) };
            bytes[at] = match draw(3) {
                0 => draw(256) as u8,
                1 => b"0123456789[]{},:\".FIBwb_"[draw(24)],
                _ => bytes[8 + draw(header_len)],
            };
        }
        match import(&bytes) {
            Ok(()) => read += 1,
            Err(error) => {
                refused += 1;
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
            }
        }
    }
    println!("{read} read, {refused} refused");
    assert!(refused > 10_000);
}

#[test]
fn golden_files_are_checked_as_well() {
    use exporter::measure::eval::golden::Golden;
    let good = || {
        let mut file = File::default();
        file.raw(
            "contexts",
            "I64",
            &[2, 4],
            [0_i64, 0, 1, 2, 0, 0, 0, 4].iter().flat_map(|token| token.to_le_bytes()).collect(),
        );
        file.add("logits", &[2, 5], &numbers(10, 1));
        file.raw("targets", "I64", &[2], [3_i64, 0].iter().flat_map(|token| token.to_le_bytes()).collect());
        file.add("something else", &[1], &[f32::NAN]);
        file
    };
    assert_eq!(Golden::from_safetensors(&good().bytes()).unwrap().rows(), 2);
    let refuse = |expected: &str, change: &dyn Fn(&mut File)| {
        let mut file = good();
        change(&mut file);
        let error = Golden::from_safetensors(&file.bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert_eq!(error.lines().count(), 1);
    };
    refuse("\"contexts\" is missing", &|file| file.remove("contexts"));
    refuse("\"logits\" is missing", &|file| file.remove("logits"));
    refuse("\"contexts\" is F64", &|file| file.entry("contexts").dtype = "F64");
    refuse("\"logits\" is I32", &|file| file.entry("logits").dtype = "I32");
    refuse("\"logits\" has a value that is not finite", &|file| file.poke("logits", 3, f32::NAN));
    refuse("\"logits\" has 1 rows, \"contexts\" has 2", &|file| file.set("logits", &[1, 5], &numbers(5, 1)));
    refuse("\"contexts\" has the token 4", &|file| file.set("logits", &[2, 4], &numbers(8, 1)));
    refuse("\"contexts\" has the value -1", &|file| file.entry("contexts").bytes[..8].fill(0xff));
    refuse("\"contexts\" has the value 256", &|file| file.entry("contexts").bytes[1] = 1);
    refuse("\"contexts\" has shape [8]", &|file| file.entry("contexts").shape = "[8]".to_owned());
    refuse("\"contexts\" has shape [0, 4]", &|file| {
        file.entry("contexts").shape = "[0, 4]".to_owned();
        file.entry("contexts").bytes.clear();
    });
    refuse("\"targets\" has shape [1, 2]", &|file| file.entry("targets").shape = "[1, 2]".to_owned());
    assert!(Golden::from_safetensors(b"no").unwrap_err().to_string().contains("not a safetensors file"));
}
