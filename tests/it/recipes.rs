//! The recipes for CI do what they say: their commands are run on this project, and leave the reports that are
//! taken from there.

use std::fs;
use std::path::Path;

use seedbed::database::dsn::Dsn;
use serde_json::Value;

use crate::support::{Database, Seedbed};

#[test]
fn the_recipes_for_ci_name_commands_and_reports_that_are_there() {
    let page = fs::read_to_string(root().join("docs/testing.md")).unwrap();
    let recipes: Vec<Value> = page
        .split("```yaml\n")
        .skip(1)
        .map(|rest| serde_yaml::from_str(rest.split("```").next().unwrap()).unwrap())
        .collect();
    let [github, gitlab] = &recipes[..] else { panic!("{} recipes", recipes.len()) };

    let job = &github["jobs"]["database"];
    let port = job["services"]["postgres"]["ports"][0].as_str().unwrap();
    let dsn = dsn(&job["env"]["CONNECTION_STRING"]);
    assert_eq!(port, format!("{0}:{0}", dsn.hosts[0].port));
    let steps = job["steps"].as_array().unwrap();
    let directory = run(steps.iter().filter_map(|step| step["run"].as_str()));
    let upload = steps.iter().find(|step| step["with"]["path"].is_string()).unwrap();
    let taken = glob::glob(directory.path().join(upload["with"]["path"].as_str().unwrap()).to_str().unwrap());
    let mut taken: Vec<String> = taken
        .unwrap()
        .map(|file| file.unwrap().file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    taken.sort();
    assert_eq!(taken, ["report.html", "report.xml"]);

    let job = &gitlab["database"];
    assert_eq!(dsn_host(&job["variables"]["CONNECTION_STRING"]), job["services"][0]["alias"]);
    let directory = run(job["script"].as_array().unwrap().iter().filter_map(Value::as_str));
    for file in [&job["artifacts"]["paths"][0], &job["artifacts"]["reports"]["junit"]] {
        assert!(directory.path().join(file.as_str().unwrap()).is_file(), "{file}");
    }
}

/// Runs the calls of `seedbed` among these lines in a copy of the project; what installs it has been run
/// already, by whoever built the command under test.
fn run<'t>(lines: impl Iterator<Item = &'t str>) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for folder in ["migrations", "fixtures", "scenarios"] {
        fs::create_dir(directory.path().join(folder)).unwrap();
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, directory.path().join(folder).join(from.file_name().unwrap())).unwrap();
        }
    }
    let database = Database { name: "postgres".to_owned() };
    let mut calls = 0;
    for line in lines {
        let Some(arguments) = line.strip_prefix("seedbed ") else {
            assert_eq!(line, "cargo install --locked --path .");
            continue;
        };
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let seedbed = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url());
        let output = seedbed.run(&arguments);
        assert_eq!(output.status, "0", "{line}: {}", output.text);
        calls += 1;
    }
    assert_eq!(calls, 1);
    directory
}

fn dsn(text: &Value) -> Dsn {
    Dsn::parse(text.as_str().unwrap(), &|_| None).unwrap()
}

fn dsn_host(text: &Value) -> String {
    dsn(text).hosts[0].name.clone()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
