//! The schema for editors beside the readers: what one takes, so does the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use seedbed::project::fixture::Fixture;
use seedbed::project::scenario::Scenario;
use seedbed::project::source::Source;
use seedbed::project::yaml::{self, Content, Node, Scalar};
use seedbed::report::has_errors;
use seedbed::schema::{File, of_kind, schema};
use seedbed::step::KINDS;
use serde_json::Value;

use crate::cases::{Case, all};

/// Every file is read and validated. What the readers take, the schema takes; of what the readers refuse, the
/// list says who else refuses it.
#[test]
fn readers_and_schema_agree() {
    let mut files: Vec<(String, String, String)> = Vec::new();
    for path in all() {
        let case = Case::parse(&fs::read_to_string(&path).unwrap());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        for (file, bytes) in case.files {
            files.extend(String::from_utf8(bytes).ok().map(|text| (name.clone(), file, text)));
        }
    }
    for directory in [".", "tests/mutation"] {
        for folder in ["scenarios", "fixtures"] {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join(folder);
            for entry in fs::read_dir(root).into_iter().flatten().map(Result::unwrap) {
                let file = format!("{folder}/{}", entry.file_name().to_string_lossy());
                files.extend(
                    fs::read_to_string(entry.path()).ok().map(|text| (directory.to_owned(), file, text)),
                );
            }
        }
    }
    let validators =
        [File::Scenario, File::Fixture].map(|file| jsonschema::validator_for(&schema(&[file])).unwrap());
    let mut list = String::from("refused by the reader, and by the schema:\n");
    let mut read = 0;
    for (case, file, text) in &files {
        let (validator, is_scenario) = match file.split_once('/') {
            Some(("scenarios", name)) if name.ends_with("ml") => (&validators[0], true),
            Some(("fixtures", name)) if name.ends_with("ml") => (&validators[1], false),
            _ => continue,
        };
        let source = Source::new(file, text);
        let Ok(node) = yaml::parse(&source) else { continue };
        let mut problems = Vec::new();
        match is_scenario {
            // What is in a file that others use is read with them.
            true if file.contains("/_") => {}
            true => {
                let of_case = files.iter().filter(|(other, ..)| other == case);
                let parts = of_case.map(|(_, file, text)| (file.clone(), Source::new(file, text))).collect();
                drop(Scenario::parse_with(source, &BTreeMap::new(), &parts, &mut problems));
            }
            false => drop(Fixture::parse(source, &mut problems)),
        }
        read += 1;
        let value = json(&node);
        let is_valid = validator.is_valid(&value);
        if has_errors(&problems) {
            let by = if is_valid { "no" } else { "yes" };
            list.push_str(&format!("{by:3} {case} {file}: {}\n", problems[0].message));
        } else {
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| format!("{error} at {}", error.instance_path()))
                .collect();
            assert!(is_valid, "{case} {file}: {}", errors.join("\n"));
        }
    }
    assert!(read > 150, "{read} files");
    let expected =
        snapbox::Data::read_from(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema.txt"), None);
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(list, expected.raw());
}

#[test]
fn every_key_has_a_form() {
    for kind in KINDS {
        for key in kind.keys {
            assert!(
                of_kind(kind.name, key).is_some(),
                "the schema says nothing of `{key}` of `{}`",
                kind.name
            );
        }
    }
}

/// A node as a language server sees it.
fn json(node: &Node) -> Value {
    match &node.content {
        Content::Null | Content::Empty => Value::Null,
        Content::Scalar(text, Scalar::Bool) => Value::Bool(text.eq_ignore_ascii_case("true")),
        Content::Scalar(text, Scalar::Number) => serde_json::from_str(text)
            .ok()
            .filter(Value::is_number)
            .unwrap_or_else(|| Value::from(text.as_str())),
        Content::Scalar(text, Scalar::Text) => Value::from(text.as_str()),
        Content::List(items) => items.iter().map(json).collect(),
        Content::Map(entries) => {
            entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect()
        }
    }
}
