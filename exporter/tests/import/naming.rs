//! A network with other names, or stored in another form, is imported as the same model.

use exporter::import::{ImportError, Options, Orientation, StateDict, fold, understand};
use exporter::model::file::{FoldedModel, Origin};

use super::file::{Entry, File, VOCAB, network, values};

fn import(file: &File, options: &Options) -> Result<FoldedModel, ImportError> {
    let state = StateDict::from_safetensors(&file.bytes())?;
    let structure = understand(&state, options)?;
    fold(&state, &structure, options, VOCAB, Origin::default())
}

/// Returns [`network`] with other names for its modules, and for the parts of its BatchNorms.
fn renamed(modules: [(&str, &str); 6], parts: &[(&str, &str)]) -> File {
    let mut file = network();
    for entry in &mut file.entries {
        let (module, part) = entry.name.rsplit_once('.').unwrap();
        let (_, to) = modules.iter().find(|(from, _)| *from == module).unwrap();
        let norm = module == "3" || module == "7";
        let part = parts.iter().find(|(from, _)| norm && *from == part).map_or(part, |(_, to)| to);
        entry.name = format!("{to}.{part}");
    }
    file
}

fn transpose(entry: &mut Entry) {
    let shape: Vec<usize> = entry.shape.trim_matches(['[', ']']).split(", ").map(|n| n.parse().unwrap()).collect();
    let [rows, columns] = shape[..] else { panic!("a matrix") };
    let from = values(entry);
    let turned: Vec<f32> =
        (0..columns).flat_map(|c| (0..rows).map(move |r| (r, c))).map(|(r, c)| from[r * columns + c]).collect();
    entry.shape = format!("[{columns}, {rows}]");
    entry.bytes = super::file::f32s(&turned);
}

fn transposed(mut file: File) -> File {
    for name in ["2.weight", "6.weight", "10.weight"] {
        transpose(file.entry(name));
    }
    file
}

#[test]
fn every_fashion_of_names_gives_the_same_model() {
    let expected = import(&network(), &Options::default()).unwrap();
    assert_eq!(
        expected.architecture.levels.iter().map(|level| (level.fuse, level.width)).collect::<Vec<_>>(),
        [(2, 4), (2, 6)]
    );
    let lecture = [("weight", "gamma"), ("bias", "beta")];
    let fashions: Vec<(&str, File)> = vec![
        (
            "a ModuleList after an embedding",
            renamed(
                [
                    ("0", "embed"),
                    ("2", "layers.1"),
                    ("3", "layers.2"),
                    ("6", "layers.5"),
                    ("7", "layers.6"),
                    ("10", "layers.12"),
                ],
                &[],
            ),
        ),
        (
            "blocks of a class",
            renamed(
                [
                    ("0", "tok.emb"),
                    ("2", "blocks.0.linear"),
                    ("3", "blocks.0.bn"),
                    ("6", "blocks.1.linear"),
                    ("7", "blocks.1.bn"),
                    ("10", "lm_head"),
                ],
                &[],
            ),
        ),
        (
            "numbered attributes",
            renamed([("0", "C"), ("2", "fc1"), ("3", "bn1"), ("6", "fc2"), ("7", "bn2"), ("10", "fc3")], &[]),
        ),
        (
            "two lists, with the prefixes of DataParallel and compile",
            renamed(
                [
                    ("0", "module._orig_mod.emb"),
                    ("2", "module._orig_mod.linears.0"),
                    ("3", "module._orig_mod.norms.0"),
                    ("6", "module._orig_mod.linears.1"),
                    ("7", "module._orig_mod.norms.1"),
                    ("10", "module._orig_mod.out"),
                ],
                &[],
            ),
        ),
        (
            "numbers that do not agree, in the same order",
            renamed([("0", "emb"), ("2", "fc1"), ("3", "bn0"), ("6", "fc2"), ("7", "bn5"), ("10", "head")], &[]),
        ),
        (
            "Sequential in a list",
            renamed(
                [("0", "wte"), ("2", "net.0.1"), ("3", "net.0.2"), ("6", "net.1.1"), ("7", "net.1.2"), ("10", "net.2")],
                &[],
            ),
        ),
        (
            "numbers of two and more digits, which sort differently as text",
            renamed([("0", "9"), ("2", "10"), ("3", "11"), ("6", "100"), ("7", "101"), ("10", "1000")], &[]),
        ),
        (
            "the lecture's words for gamma and beta",
            renamed(
                [
                    ("0", "layers.0"),
                    ("2", "layers.2"),
                    ("3", "layers.3"),
                    ("6", "layers.6"),
                    ("7", "layers.7"),
                    ("10", "layers.9"),
                ],
                &lecture,
            ),
        ),
        ("the lecture's matrices", transposed(network())),
    ];
    for (what, file) in fashions {
        let found = import(&file, &Options::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn single_tensors_as_the_lecture_begins() {
    let mut file = network();
    let names = [
        ("0.weight", "C"),
        ("2.weight", "W1"),
        ("3.weight", "bngain1"),
        ("3.bias", "bnbias1"),
        ("3.running_mean", "bnmean_running1"),
        ("3.running_var", "bnvar_running1"),
        ("6.weight", "W2"),
        ("7.weight", "bngain2"),
        ("7.bias", "bnbias2"),
        ("7.running_mean", "bnmean_running2"),
        ("7.running_var", "bnvar_running2"),
        ("10.weight", "W3"),
        ("10.bias", "b3"),
    ];
    file = transposed(file);
    file.entries.retain(|entry| entry.dtype == "F32");
    for (from, to) in names {
        file.entry(from).name = to.to_owned();
    }
    assert_eq!(import(&file, &Options::default()).unwrap(), import(&network(), &Options::default()).unwrap());
}

#[test]
fn a_running_deviation_has_no_eps() {
    // The lecture's third part stores the deviation. Its square as the variance, with eps 0, must fold to the same
    // weights.
    let mut variance = network();
    let mut deviation = network();
    for norm in ["3", "7"] {
        let name = format!("{norm}.running_var");
        let values = values(variance.entry(&name));
        let squares: Vec<f32> = values.iter().map(|value| value * value).collect();
        variance.set(&name, &[squares.len()], &squares);
        deviation.entry(&name).name = format!("{norm}.running_std");
    }
    let expected = import(&variance, &Options { eps: 0.0, ..Options::default() }).unwrap();
    let found = import(&deviation, &Options::default()).unwrap();
    for (expected, found) in expected.levels.iter().zip(&found.levels) {
        assert!((&expected.weight - &found.weight).iter().all(|difference| difference.abs() < 1e-5));
    }
}

#[test]
fn floats_of_every_width_are_read() {
    // Values of bfloat16 are exact in all other types.
    let mut file = network();
    for entry in file.entries.iter_mut().filter(|entry| entry.dtype == "F32") {
        for bytes in entry.bytes.as_chunks_mut::<4>().0 {
            let bits = u32::from_le_bytes(*bytes);
            *bytes = (bits & 0xffff_0000).to_le_bytes();
        }
    }
    let expected = import(&file, &Options::default()).unwrap();
    for dtype in ["F64", "BF16"] {
        let mut other = file.clone();
        for entry in other.entries.iter_mut().filter(|entry| entry.dtype == "F32") {
            let values = values(entry);
            entry.dtype = dtype;
            entry.bytes = match dtype {
                "F64" => values.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect(),
                _ => values.iter().flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect(),
            };
        }
        assert_eq!(import(&other, &Options::default()).unwrap(), expected, "{dtype}");
    }
}

#[test]
fn what_keepdim_leaves_is_a_vector() {
    let mut file = network();
    for norm in ["3", "7"] {
        for part in ["running_mean", "running_var"] {
            let entry = file.entry(&format!("{norm}.{part}"));
            entry.shape = entry.shape.replace('[', "[1, 1, ");
        }
    }
    assert_eq!(import(&file, &Options::default()).unwrap(), import(&network(), &Options::default()).unwrap());
}

#[test]
fn parts_that_may_be_left_out() {
    let expected = import(&network(), &Options::default()).unwrap();
    // Without a bias of the output layer, the bias is 0.
    let mut file = network();
    file.remove("10.bias");
    let found = import(&file, &Options::default()).unwrap();
    assert!(found.output.bias.iter().all(|&bias| bias == 0.0));
    assert_eq!((&found.output.weight, &found.levels), (&expected.output.weight, &expected.levels));
    // With affine=False, gamma is 1 and beta is 0.
    let (mut file, mut ones) = (network(), network());
    file.remove("3.weight");
    file.remove("3.bias");
    ones.set("3.weight", &[4], &[1.0; 4]);
    ones.set("3.bias", &[4], &[0.0; 4]);
    assert_eq!(import(&file, &Options::default()).unwrap(), import(&ones, &Options::default()).unwrap());
    // Without a BatchNorm, weight and bias do not change.
    let mut file = network();
    file.entries.retain(|entry| !entry.name.starts_with("7."));
    file.add("6.bias", &[6], &[0.25; 6]);
    let found = import(&file, &Options::default()).unwrap();
    assert_eq!(found.levels[1].weight.as_slice().unwrap(), values(file.entry("6.weight")));
    assert!(found.levels[1].bias.iter().all(|&bias| bias == 0.25));
    // A dead channel is constant, and its variance has fallen to 0.
    let mut file = network();
    file.poke("3.running_var", 2, 0.0);
    (0..6).for_each(|column| file.poke("2.weight", 2 * 6 + column, 0.0));
    assert!(import(&file, &Options::default()).unwrap().levels[0].weight.row(2).iter().all(|&weight| weight == 0.0));
}

/// Returns a network of 5 characters with n_embd 2: a level with a square matrix, which fuses 5, and an output layer.
fn square() -> File {
    let mut file = File::default();
    file.add("0.weight", &[5, 2], &super::file::numbers(10, 1));
    file.add("2.weight", &[10, 10], &super::file::numbers(100, 2));
    file.add("4.weight", &[5, 10], &super::file::numbers(50, 3));
    file
}

#[test]
fn squares_take_a_flag() {
    // The shape of the output layer decides the orientation.
    assert!(import(&square(), &Options::default()).is_ok());
    let mut file = square();
    file.set("2.weight", &[5, 5], &super::file::numbers(25, 2));
    file.set("4.weight", &[5, 5], &super::file::numbers(25, 3));
    file.set("0.weight", &[5, 1], &super::file::numbers(5, 1));
    assert!(matches!(import(&file, &Options::default()), Err(ImportError::Ambiguous)));
    let as_asked = |orientation| {
        import(&file, &Options { orientation: Some(orientation), ..Options::default() }).unwrap().levels[0]
            .weight
            .clone()
    };
    let (straight, turned) = (as_asked(Orientation::FanOutFanIn), as_asked(Orientation::FanInFanOut));
    assert_eq!(straight.reversed_axes().as_standard_layout(), turned);
}

#[test]
fn names_that_do_not_count_take_an_order() {
    let mut file = network();
    // Adds a third level of the same shape as the second.
    file.set("6.weight", &[4, 8], &super::file::numbers(32, 20));
    file.entries.retain(|entry| !entry.name.starts_with("7.") && !entry.name.starts_with("3."));
    file.add("8.weight", &[4, 8], &super::file::numbers(32, 21));
    file.set("10.weight", &[5, 4], &super::file::numbers(20, 22));
    let expected = import(&file, &Options::default()).unwrap();
    for (from, to) in [
        ("0.weight", "emb.weight"),
        ("2.weight", "one.weight"),
        ("6.weight", "two.weight"),
        ("8.weight", "three.weight"),
        ("10.weight", "out.weight"),
        ("10.bias", "out.bias"),
    ] {
        file.entry(from).name = to.to_owned();
    }
    assert!(matches!(import(&file, &Options::default()), Err(ImportError::Order { .. })));
    let order = ["emb", "one", "two", "three", "out"].map(str::to_owned).to_vec();
    assert_eq!(import(&file, &Options { order: order.clone(), ..Options::default() }).unwrap(), expected);
    for wrong in [
        &["emb", "one", "two", "three"][..],
        &["emb", "one", "two", "two", "out"],
        &["emb", "one", "two", "three", "oops"],
    ] {
        let order = wrong.iter().map(|&name| name.to_owned()).collect();
        assert!(matches!(import(&file, &Options { order, ..Options::default() }), Err(ImportError::BadOrder { .. })));
    }
}
