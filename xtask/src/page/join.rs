//! Joins JavaScript modules into one script, so that the page is one file.
//!
//! A module imports names in one statement at its start, `import { a, b } from "./x.js";`, and exports by `export`
//! before a definition. All definitions share one scope: each name is defined once in all modules of a script.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// Definitions that a module may export.
const DEFINITIONS: [&str; 5] = ["function ", "async function ", "class ", "const ", "{};"];

/// Returns the module `entry` of a folder after all modules that it imports.
///
/// # Errors
/// Returns an error for a missing file, for a circle of imports, and for a statement of another form.
pub fn join(folder: &Path, entry: &str) -> Result<String> {
    let (mut script, mut done, mut names) = (String::new(), BTreeSet::new(), BTreeSet::new());
    add(folder, entry, &mut Vec::new(), &mut done, &mut names, &mut script)?;
    ensure!(!script.to_lowercase().contains("</script"), "{entry}: a script must not contain its own end tag");
    Ok(script)
}

fn add(
    folder: &Path,
    name: &str,
    above: &mut Vec<String>,
    done: &mut BTreeSet<String>,
    names: &mut BTreeSet<String>,
    script: &mut String,
) -> Result<()> {
    if done.contains(name) {
        return Ok(());
    }
    ensure!(!above.iter().any(|module| module == name), "{name} imports itself: {}", above.join(" > "));
    let file = folder.join(name);
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    above.push(name.to_owned());
    let (imports, code) = split(&text).with_context(|| file.display().to_string())?;
    for import in imports {
        add(folder, import, above, done, names, script)?;
    }
    for definition in definitions(&code) {
        ensure!(names.insert(definition.to_owned()), "{name} defines {definition}, as another module does");
    }
    above.pop();
    done.insert(name.to_owned());
    *script += &code;
    Ok(())
}

/// Returns the imported modules, and the code without imports and the word `export`.
fn split(text: &str) -> Result<(Vec<&str>, String)> {
    let (mut imports, mut code, mut statement) = (Vec::new(), String::new(), None);
    for line in text.lines() {
        if statement.is_none() && line.starts_with("import ") {
            ensure!(line.starts_with("import {"), "imports names only: {line}");
            statement = Some(());
        }
        if statement.is_some() {
            ensure!(!line.contains(" as "), "imports a name as it is: {line}");
            if let Some((_, from)) = line.split_once(" from \"") {
                let module = from.strip_prefix("./").and_then(|from| from.strip_suffix("\";"));
                imports.push(module.with_context(|| format!("imports modules of its own folder: {line}"))?);
                statement = None;
            }
            continue;
        }
        let line = match line.strip_prefix("export ") {
            Some(rest) if DEFINITIONS.iter().any(|definition| rest.starts_with(definition)) => rest,
            Some(_) => bail!("exports a definition: {line}"),
            None => line,
        };
        if line != "{};" {
            code += line;
            code.push('\n');
        }
    }
    ensure!(statement.is_none(), "the last import does not end");
    Ok((imports, code))
}

/// Returns the names that code defines in its outermost scope.
fn definitions(code: &str) -> Vec<&str> {
    let keywords = ["async function ", "function ", "class ", "const ", "let "];
    code.lines()
        .filter_map(|line| keywords.iter().find_map(|keyword| line.strip_prefix(keyword)))
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').next())
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(files: &[(&str, &str)]) -> Result<String> {
        let test = std::thread::current().name().unwrap_or_default().replace(':', "-");
        let folder = std::env::temp_dir().join(format!("join-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        for (name, text) in files {
            fs::write(folder.join(name), text)?;
        }
        let script = join(&folder, files[0].0);
        fs::remove_dir_all(folder)?;
        script
    }

    #[test]
    fn modules_come_before_their_users_once() {
        let files = [
            ("main.js", "import { a } from \"./a.js\";\nimport {\n  b,\n} from \"./b.js\";\na(b);\n"),
            ("a.js", "import { b } from \"./b.js\";\nexport function a() {\n  return b;\n}\n"),
            ("b.js", "// One.\nexport const b = 1;\nexport {};\n"),
        ];
        assert_eq!(joined(&files).unwrap(), "// One.\nconst b = 1;\nfunction a() {\n  return b;\n}\na(b);\n");
    }

    #[test]
    fn other_forms_are_refused() {
        for (text, reason) in [
            ("import a from \"./a.js\";\n", "imports names only"),
            ("import { a as b } from \"./a.js\";\n", "as it is"),
            ("import { a } from \"https://example.org/a.js\";\n", "its own folder"),
            ("export default 1;\n", "exports a definition"),
            ("import { a } from \"./missing.js\";\n", "cannot read"),
            ("import { a } from \"./main.js\";\n", "imports itself"),
            ("import {\n", "does not end"),
            ("const a = \"</script>\";\n", "end tag"),
            ("const a = 1;\nlet a = 2;\n", "defines a"),
        ] {
            let error = format!("{:#}", joined(&[("main.js", text)]).unwrap_err());
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
