//! The house is kept as ARCHITECTURE.md says.

use std::fs;
use std::path::{Path, PathBuf};

use seedbed::project::scenario;
use seedbed::step::{KINDS, control, refusal};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

#[test]
fn each_of_the_given_packages_is_used_in_one_place() {
    let places = [
        ("serde_yaml", vec!["project/yaml.rs", "project/yaml/"]),
        ("backoff::", vec!["database/retry.rs"]),
        ("dotenvy", vec!["cli/environment.rs"]),
        ("refinery", vec!["migrate/"]),
        ("clap", vec!["cli.rs", "cli/"]),
        ("postgres::", vec!["database/"]),
        ("annotate_snippets", vec!["project/diagnostic.rs"]),
        ("squawk_linter", vec!["migrate/lint.rs"]),
        ("base64::", vec!["project/instruction.rs", "report/html/policy.rs"]),
        ("maud::", vec!["report/html.rs", "report/html/"]),
        ("uuid::", vec!["plan/resolve/instructed.rs"]),
        ("quick_junit", vec!["report/junit.rs"]),
    ];
    for (package, allowed) in places {
        let mut users = 0;
        for (path, text) in sources(&root().join("src")) {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            if code.clone().any(|line| {
                line.contains(&format!("use {package}")) || line.contains(&format!(" {package}::"))
            }) {
                users += 1;
                let path = path.strip_prefix(root().join("src")).unwrap().to_string_lossy().into_owned();
                assert!(allowed.iter().any(|place| path.starts_with(place)), "{package} is used in {path}");
            }
        }
        assert!(users > 0, "{package} is used nowhere");
    }
}

#[test]
fn the_library_prints_nothing_outside_of_the_command_line() {
    for (path, text) in sources(&root().join("src")) {
        let is_cli = path.to_string_lossy().contains("/src/cli") || path.ends_with("tests.rs");
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for word in ["println!(", " print!(", "eprintln!(", "dbg!("] {
            assert!(is_cli || !code.contains(word), "{word} in {}", path.display());
        }
    }
}

#[test]
fn every_step_kind_has_a_manual_and_an_example() {
    let manual = fs::read_to_string(root().join("docs/scenarios.md")).unwrap();
    let mut scenarios = String::new();
    for entry in fs::read_dir(root().join("examples/steps/scenarios")).unwrap() {
        scenarios.push_str(&fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    for kind in KINDS {
        assert!(manual.contains(&format!("## `{}`", kind.name)), "docs/scenarios.md has no `{}`", kind.name);
        for key in kind.keys {
            assert!(manual.contains(&format!("`{key}`")), "docs/scenarios.md does not name `{key}`");
        }
        for outcome in kind.outcomes {
            assert!(
                manual.contains(&format!("`{}`", outcome.word())),
                "docs/scenarios.md does not name `{}`",
                outcome.word()
            );
        }
        assert!(scenarios.contains(&format!("  - {}: ", kind.name)), "no example shows `{}`", kind.name);
    }
    for key in [control::KEYS, refusal::KEYS, scenario::KEYS].concat() {
        assert!(manual.contains(&format!("`{key}`")), "docs/scenarios.md does not name `{key}`");
    }
}

#[test]
fn the_changelog_knows_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(changelog.contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
}
