//! Links between the pages of the repository: each leads to a file, and to a heading if it names one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tests::workspace;
use xtask::repo::normalize;

/// Folders and files with pages.
const PAGES: [&str; 9] = [
    "docs",
    "examples",
    "models",
    "runtime",
    "runtime-c",
    "README.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    "CHANGELOG.md",
];

#[test]
fn every_link_leads_somewhere() {
    let mut pages = Vec::new();
    PAGES.iter().for_each(|page| collect(&workspace(page), &mut pages));
    assert!(pages.len() > 20, "{pages:?}");
    let broken: Vec<String> = pages.iter().flat_map(|page| broken(Path::new(page))).collect();
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

/// Finds the pages in a folder.
fn collect(path: &Path, pages: &mut Vec<String>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder");
        let mut entries: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| collect(entry, pages));
    } else if path.extension().is_some_and(|extension| extension == "md") {
        pages.push(normalize(path).display().to_string());
    }
}

/// Returns the links of a page that lead to no file or to no heading.
fn broken(page: &Path) -> Vec<String> {
    let folder = page.parent().expect("a folder");
    let leads_somewhere = |link: &str| {
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let file = if file.is_empty() { page.to_owned() } else { normalize(&folder.join(file)) };
        file.exists() && (heading.is_empty() || headings(&file).contains(heading))
    };
    // `crate::` paths are links of rustdoc, which checks them itself.
    let is_own = |link: &str| !link.contains("://") && !link.contains("::") && !link.starts_with("mailto:");
    let links = links(&text_of(page));
    let links = links.iter().filter(|link| is_own(link) && !leads_somewhere(link));
    links.map(|link| format!("{}: {link}", page.display())).collect()
}

/// Returns the text of a page without its fenced blocks.
fn text_of(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    text.split("```").step_by(2).collect()
}

/// Returns the targets of inline links.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).filter(|target| !target.contains([' ', '\n', '`'])).collect()
}

/// Returns the anchors of a page's headings.
fn headings(page: &Path) -> BTreeSet<String> {
    let text = text_of(page);
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase();
        let kept = kept.chars().filter(|character| character.is_alphanumeric() || "-_ ".contains(*character));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}
