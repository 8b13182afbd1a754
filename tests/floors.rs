//! The floors of each crate, as `floors.toml` lists them: a module imports only modules of lower floors.
//!
//! The test reads the sources. It finds each path from the root of the crate, `crate::` or a `use` with enough
//! `super::`, outside comments and test modules. `lib.rs` is above all floors: a module imports a name from where it is
//! defined, not from there. A wing is a module whose folder has floors of its own, such as `exporter/train`. In that
//! folder, `train.rs` is above all floors. A crate can be in the folder of another crate, as `exporter/costs` is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tests::workspace;

#[test]
fn no_import_climbs() {
    let text = fs::read_to_string(workspace("tests/floors.toml")).expect("the floors");
    let crates: BTreeMap<String, Vec<Vec<String>>> = toml::from_str(&text).expect("a list of floors for each crate");
    let faults: Vec<String> = crates.iter().flat_map(|(name, floors)| faults(name, floors)).collect();
    assert!(faults.is_empty(), "the rule is in tests/floors.toml:\n{}", faults.join("\n"));
}

/// A board of another architecture needs a change only in `chip`.
#[test]
fn only_the_chip_names_its_architecture() {
    let files = ["firmware-example/src", "firmware-example/rigs"].map(|folder| sources(&workspace(folder)));
    let outside = files.into_iter().flatten().filter(|file| !file.starts_with(workspace("firmware-example/src/chip")));
    for file in outside.filter(|file| !file.ends_with("src/chip.rs")) {
        let text = fs::read_to_string(&file).expect("a source file");
        for name in ["cortex_m", "target_arch"] {
            assert!(!text.contains(name), "{}: {name} belongs in firmware-example/src/chip", file.display());
        }
    }
}

/// Returns the folder with the modules of a crate or wing, and the path that leads to them in Rust.
fn place(name: &str) -> (String, String) {
    let is_crate = workspace(name).join("Cargo.toml").exists();
    match name.split_once('/').filter(|_| !is_crate) {
        Some((package, wing)) => (format!("{package}/src/{wing}"), format!("crate::{wing}::")),
        None => (format!("{name}/src"), "crate::".to_owned()),
    }
}

/// Returns a line for each climbing import of a crate or wing, for each module that is on no floor, and for each listed
/// module that is missing.
fn faults(name: &str, floors: &[Vec<String>]) -> Vec<String> {
    let (folder, root) = place(name);
    let src = workspace(&folder);
    let (mut faults, mut modules) = (Vec::new(), BTreeSet::new());
    for file in sources(&src) {
        let path = file.strip_prefix(&src).expect("a file in the folder").with_extension("");
        let path: Vec<_> = path.iter().map(|name| name.to_str().expect("a name in UTF-8")).collect();
        if root == "crate::" && ["lib", "main", "bin"].contains(&path[0]) || path.contains(&"tests") {
            continue;
        }
        modules.insert(path[0].to_owned());
        let text = fs::read_to_string(&file).expect("a source file");
        for (line, import) in climbs(&root, path[0], path.len(), &text, floors) {
            let file = format!("{folder}/{}.rs", path.join("/"));
            faults.push(format!("{file}:{line}: `{root}{import}` is not below `{}`", path[0]));
        }
    }
    let listed: BTreeSet<String> = floors.iter().flatten().cloned().collect();
    faults.extend(modules.difference(&listed).map(|module| format!("{name}: module `{module}` is on no floor")));
    faults.extend(listed.difference(&modules).map(|module| format!("{name}: there is no module `{module}`")));
    faults
}

/// All source files in a folder and the folders in it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("an entry").path());
    let sources = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    sources.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Line and name of each import that does not lead to a lower floor.
///
/// The text is a file of `module`. `root` is where the module is: `crate::`, or a wing such as `crate::train::`.
/// `depth` is 1 for the module's own file, 2 for a file in its folder.
fn climbs(root: &str, module: &str, depth: usize, text: &str, floors: &[Vec<String>]) -> Vec<(usize, String)> {
    let floor = |name: &str| floors.iter().position(|floor| floor.iter().any(|module| module == name));
    let own = floor(module).unwrap_or(floors.len());
    let is_climb = |name: &str| name != module && floor(name).is_none_or(|other| other >= own);
    let code = code(text, root, depth);
    let imports = code.match_indices("crate::").filter(|(at, _)| !code[..*at].ends_with(is_part_of_name));
    let names = imports.flat_map(|(at, start)| {
        let line = code[..at].matches('\n').count() + 1;
        paths(&code[at + start.len()..]).into_iter().filter_map(move |path| {
            let path = format!("crate::{path}");
            let name = path.strip_prefix(root)?.split("::").next()?;
            // A remaining `super::` leads out of the wing.
            (name != "super").then(|| (line, name.to_owned()))
        })
    });
    let mut climbs: Vec<_> = names.filter(|(_, name)| is_climb(name)).collect();
    // Reports each group of names once.
    climbs.dedup();
    climbs
}

/// Returns the text without comments and test modules; a `use` that reaches the root by `super::` begins with `root`.
fn code(text: &str, root: &str, depth: usize) -> String {
    let (from, to) = (format!("use {}", "super::".repeat(depth)), format!("use {root}"));
    let mut is_test = false;
    let lines = text.lines().map(|line| {
        is_test |= line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
        let is_end = line == "}" || line.ends_with(';') && !line.starts_with(' ');
        let code = if is_test { "" } else { line.split("//").next().unwrap_or_default() };
        is_test &= !is_end;
        // An indented line may be in a module inside the file, where `super` is that file.
        if line.starts_with(' ') { code.to_owned() } else { code.replace(&from, &to) }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns each path of a tree of imports: `a::b` and `a::c` of `a::{b, c}`.
fn paths(tree: &str) -> Vec<String> {
    let tree = tree.trim_start();
    let end = tree.find(|c| !is_part_of_name(c) && c != ':').unwrap_or(tree.len());
    let (path, rest) = tree.split_at(end);
    let Some(group) = rest.strip_prefix('{') else { return vec![path.to_owned()] };
    branches(group).iter().flat_map(|branch| paths(branch)).map(|branch| format!("{path}{branch}")).collect()
}

/// Returns the comma-separated parts of a group, without its first brace.
fn branches(group: &str) -> Vec<&str> {
    let (mut branches, mut start, mut depth) = (Vec::new(), 0, 1);
    for (at, c) in group.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 || depth == 1 && c == ',' {
            branches.push(group[start..at].trim());
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    // Drops the empty part after a trailing comma.
    branches.retain(|branch| !branch.is_empty());
    branches
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn wings_and_crates_have_their_places() {
    let place = |name| {
        let (folder, root) = place(name);
        format!("{folder} {root}")
    };
    assert_eq!(place("runtime"), "runtime/src crate::");
    assert_eq!(place("exporter/train"), "exporter/src/train crate::train::");
    assert_eq!(place("exporter/costs"), "exporter/costs/src crate::");
}

#[test]
fn climbing_imports_are_found() {
    let floors =
        [&["low"][..], &["middle", "beside"], &["high"]].map(|floor| floor.iter().map(|&name| name.into()).collect());
    let text = "\
//! Not an import: [`crate::high`].
use crate::low::{self, high};
use crate::{beside, high::{Roof, low}, low::{
    Cellar,
}};
use super::high;
use crate::Name;

fn inside() -> other_crate::high::Roof {
    crate::middle::own(crate::high::roof())
}

#[cfg(test)]
mod tests {
    use crate::high;
}

mod parts {
    use super::inside;
    use crate::beside::Part;
}
";
    let expected = [(3, "beside"), (3, "high"), (6, "high"), (7, "Name"), (10, "high"), (20, "beside")];
    assert_eq!(climbs("crate::", "middle", 1, text, &floors), expected.map(|(line, name)| (line, name.to_owned())));
    assert_eq!(climbs("crate::", "high", 1, text, &floors), [(7, "Name".to_owned())]);
    // In a file of the module's folder, `super` is the module.
    let text = "use super::high;\nuse super::super::high;";
    assert_eq!(climbs("crate::", "middle", 2, text, &floors), [(2, "high".to_owned())]);
    // In a wing, only the modules of the wing count.
    let text = "\
use super::{high, low};
use super::super::high;
use crate::{high, wing::{beside, low}};
use crate::wing::Name;
";
    let expected = [(1, "high"), (3, "beside"), (4, "Name")];
    assert_eq!(
        climbs("crate::wing::", "middle", 1, text, &floors),
        expected.map(|(line, name)| (line, name.to_owned()))
    );
}
