//! `sweep --collect`: ranks the runs that are in some folders.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use exporter::train::sweep::collect::{Collection, collect};
use exporter::train::sweep::table;

use crate::cli::{count, quoted};

pub fn run(folders: &[PathBuf], json: bool) -> anyhow::Result<ExitCode> {
    let collection = collect(folders)?;
    let Collection { lists, unfinished, copies, notes, faults } = &collection;
    let finished: usize = lists.iter().map(|(_, rows)| rows.len()).sum();
    if finished + unfinished.len() + faults.len() == 0 {
        let names: Vec<String> = folders.iter().map(|folder| quoted(folder)).collect();
        bail!("no run in {}: the folder of a run has a file config.json", names.join(", "));
    }
    let copies = if *copies > 0 { format!("; copies that do not count: {}", count(*copies)) } else { String::new() };
    eprintln!("finished runs: {}; unfinished: {}{copies}", count(finished), count(unfinished.len()));
    for run in unfinished {
        let of = run.steps.map_or(String::new(), |steps| format!(" of {steps}"));
        eprintln!("unfinished, at step {}{of}: {}", run.step, run.folder.display());
    }
    for note in notes {
        eprintln!("note: {note}");
    }
    match json {
        true => println!("{}", object(&collection)),
        false => print!("{}", text(&collection)),
    }
    for fault in faults {
        // An error, so --quiet does not hide this line.
        show!("{fault}");
    }
    if !faults.is_empty() {
        bail!("{} of the runs could not be read", count(faults.len()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a table per list. Only several tables have headings.
fn text(collection: &Collection) -> String {
    let mut text = String::new();
    for (list, rows) in &collection.lists {
        let heading = if collection.lists.len() > 1 { format!("{list}\n") } else { String::new() };
        text += &format!("\n{heading}{}", table(rows));
    }
    text
}

fn object(collection: &Collection) -> serde_json::Value {
    let lists = collection.lists.iter().map(|(list, runs)| serde_json::json!({ "list": list, "runs": runs }));
    serde_json::json!({
        "lists": lists.collect::<Vec<_>>(),
        "unfinished": collection.unfinished,
        "copies": collection.copies,
        "notes": collection.notes,
        "faults": collection.faults,
    })
}
