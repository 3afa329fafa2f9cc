//! Values with a name that come from the environment: they are bound, and never shown.

use crate::support::{Database, Seedbed, project};

const SCENARIO: &str = "scenario: Secrets
vars: {token: {$env: TOKEN}, other: {$env: OTHER}}
steps:
  - add: A user
    id: ann
    into: users
    key: name
    row: {name: ann, token: {$ref: token}}
  - assert: The token is there
    query: select token from users where token = :token and id = :ann.id
    value: {$ref: ann.token}
  - assert: And another is not
    query: select token from users
    value: {$ref: other}
";

#[test]
fn a_variable_is_bound_and_never_shown() {
    let database = Database::create();
    database
        .execute("create table users (id int generated always as identity, name text unique, token text)");
    let directory = project(&[("scenarios/a.yaml", SCENARIO)]);
    let run = |token: &str, arguments: &[&str]| {
        Seedbed::new(directory.path())
            .variable("CONNECTION_STRING", &database.url())
            .variable("TOKEN", token)
            .variable("OTHER", "swordfish-2")
            .run(arguments)
    };
    let output = run("open-sesame-1", &["run"]);
    assert_eq!(output.status, "1", "{}", output.text);
    assert!(output.text.contains("2 steps held, 1 did not"), "{}", output.text);
    for secret in ["open-sesame", "swordfish"] {
        assert!(!output.text.contains(secret), "{}", output.text);
    }
    assert_eq!(database.rows("select token from users"), ["open-sesame-1"]);
    // One that is not set is told before anything is run, at the place that needs it.
    let output = run("", &["run"]);
    assert_eq!(output.status, "2", "{}", output.text);
    assert!(output.text.contains("the variable `TOKEN` is empty"), "{}", output.text);
    assert!(output.text.contains("scenarios/a.yaml:8"), "{}", output.text);
    // It may be given otherwise.
    let output = run("", &["run", "--var", "token=open-sesame-1", "--var", "other=open-sesame-1"]);
    assert_eq!(output.status, "0", "{}", output.text);
    // Without a database they are not asked for.
    assert_eq!(run("", &["check"]).status, "0");
}
