//! The table of features in README.md is made from the comments in Cargo.toml. `BLESS=1` writes it.

use std::fs;

/// The manifest as it was written: in a package that `cargo package` made, Cargo.toml has no comments.
fn manifest() -> String {
    fs::read_to_string("Cargo.toml.orig").or_else(|_| fs::read_to_string("Cargo.toml")).unwrap()
}

/// Name, comment and list of each feature.
fn features(manifest: &str) -> Vec<(String, String, Vec<String>)> {
    let (_, section) = manifest.split_once("\n[features]\n").expect("a section of features");
    let (mut features, mut comment) = (Vec::new(), Vec::new());
    for line in section.lines().take_while(|line| !line.starts_with('[')) {
        if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
        } else if let Some((name, list)) = line.split_once(" = ") {
            let list = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
            features.push((name.to_owned(), comment.join(" "), list));
            comment.clear();
        } else {
            // A comment on the whole section ends with an empty line.
            assert!(line.is_empty(), "{line:?}: a feature and its list are one line");
            comment.clear();
        }
    }
    features
}

fn table(manifest: &str) -> String {
    let features = features(manifest);
    let default = features.iter().find(|(name, ..)| name == "default").map(|(_, _, list)| list).expect("default");
    let mut table = "| feature | default | adds |\n|---|---|---|\n".to_owned();
    for (name, comment, list) in features.iter().filter(|(name, ..)| name != "default") {
        assert!(!comment.is_empty(), "{name} has no comment in Cargo.toml");
        let is_default = if default.contains(name) { "yes" } else { "" };
        // Without what belongs to dependencies.
        let others: Vec<_> = list.iter().filter(|other| features.iter().any(|(name, ..)| name == *other)).collect();
        let enables = match others[..] {
            [] => String::new(),
            _ if default.iter().all(|name| others.contains(&name)) => " Enables all features above.".to_owned(),
            _ => others.iter().map(|name| format!(" Enables `{name}`.")).collect(),
        };
        table += &format!("| `{name}` | {is_default} | {comment}{enables} |\n");
    }
    table
}

#[test]
fn the_table_of_features_is_that_of_the_manifest() {
    let table = table(&manifest());
    let readme = fs::read_to_string("README.md").unwrap();
    let (before, rest) = readme.split_once("<!-- features -->\n").expect("a place for the table");
    let (found, after) = rest.split_once("<!-- /features -->\n").expect("an end of the table");
    if std::env::var_os("BLESS").is_some() {
        let text = format!("{before}<!-- features -->\n{table}<!-- /features -->\n{after}");
        fs::write("README.md", text).unwrap();
    } else {
        assert_eq!(found, table, "BLESS=1 cargo test -p runtime --test readme");
    }
}

#[test]
fn comments_belong_to_the_feature_below() {
    let manifest = "[package]\n\n[features]\n# On all.\n\n# All.\ndefault = [\"a\"]\n# One\n# and a half.\na = [\"dep:x\"]\n\n[x]\ny = 1\n";
    let all = features(manifest);
    let shown: Vec<_> = all.iter().map(|(name, comment, _)| (name.as_str(), comment.as_str())).collect();
    assert_eq!(shown, [("default", "All."), ("a", "One and a half.")]);
    assert!(table(manifest).ends_with("| `a` | yes | One and a half. |\n"));
}
