//! `seedbed test`: databases that come and go, whatever happens meanwhile.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{Database, Output, Seedbed, project};

const PEOPLE: &str = "create table people (id bigint generated always as identity, name text not null);\n";
const ADD: &str = "steps:\n  - add: Alice\n    into: people\n    row: {name: Alice}\n  - verify: She is alone\n    count: {people: 1}\n";

/// The server's own database, with which tests are asked for.
fn server() -> Database {
    Database { name: "postgres".to_owned() }
}

fn test(directory: &tempfile::TempDir, arguments: &[&str]) -> Output {
    call(directory).run(&[&["test"], arguments].concat())
}

fn call(directory: &tempfile::TempDir) -> Seedbed {
    let cache = directory.path().join("cache");
    Seedbed::new(directory.path())
        .variable("CONNECTION_STRING", &server().url())
        .variable("SEEDBED_CACHE_DIR", &cache.to_string_lossy())
}

fn document(output: &Output) -> Value {
    serde_json::from_str(&output.text).unwrap_or_else(|error| panic!("{error}: {}", output.text))
}

/// Migrations that no other test has, so that the template is its own.
fn migration(name: &str) -> String {
    format!("-- {name} {}\n{PEOPLE}", std::process::id())
}

fn scenario(title: &str) -> String {
    format!("scenario: {title}\n{ADD}")
}

/// The databases that are copies of this run's.
fn copies(run: &str) -> Vec<String> {
    server().rows(&format!("select datname from pg_database where datname like 'seedbed%\\_{run}\\_%'"))
}

fn wait_for(sql: &str) -> String {
    let started = Instant::now();
    loop {
        if let Some(row) = server().rows(sql).pop() {
            return row;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{sql} finds nothing");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A scenario that sleeps, for so many seconds that no other does.
fn sleeper(seconds: u32) -> String {
    format!("scenario: Sleeps\nsteps:\n  - sql: Sleep\n    statements: select pg_sleep({seconds})\n")
}

/// The copy in which it sleeps.
fn sleeping(seconds: u32) -> String {
    wait_for(&format!(
        "select datname from pg_stat_activity where datname like 'seedbed\\_test\\_%' and query like '%pg_sleep({seconds})%' and state = 'active'"
    ))
}

fn run_of(copy: &str) -> &str {
    copy.trim_start_matches("seedbed_test_").split('_').next().unwrap()
}

#[test]
fn each_scenario_has_a_database_of_its_own_and_nothing_is_left() {
    let migrations = migration("each");
    let (a, b) = (scenario("A"), scenario("B"));
    let files = [("migrations/V1__a.sql", &*migrations), ("scenarios/a.yaml", &a), ("scenarios/b.yaml", &b)];
    let directory = project(&files);
    let first = document(&test(&directory, &["--json", "--repeat", "3"]));
    assert_eq!(first["exit"], 0, "{first:#}");
    assert_eq!(first["tests"].as_array().unwrap().len(), 6);
    assert_eq!(first["templates"][0]["is_new"], true);
    assert_eq!(copies(first["run"].as_str().unwrap()), [""; 0]);
    assert_eq!(server().rows("select to_regclass('people')"), ["null"]);
    let second = document(&test(&directory, &["--json"]));
    assert_eq!(second["templates"][0]["is_new"], false);
    assert_eq!(second["templates"][0]["name"], first["templates"][0]["name"]);
    std::fs::write(directory.path().join("migrations/V2__b.sql"), "create table b ()").unwrap();
    let third = document(&test(&directory, &["--json"]));
    assert_eq!(third["templates"][0]["is_new"], true);
    assert_ne!(third["templates"][0]["name"], first["templates"][0]["name"]);
}

#[test]
fn an_unfinished_template_is_made_anew_and_an_old_one_removed() {
    let (migrations, a) = (migration("unfinished"), scenario("A"));
    let directory = project(&[("migrations/V1__a.sql", &migrations), ("scenarios/a.yaml", &a)]);
    let name = document(&test(&directory, &["--json"]))["templates"][0]["name"].as_str().unwrap().to_owned();
    server().execute(&format!("alter database {name} with is_template false allow_connections true"));
    Database { name: name.clone() }.execute("drop table people");
    let again = document(&test(&directory, &["--json"]));
    assert_eq!((&again["exit"], &again["templates"][0]["is_new"]), (&0.into(), &true.into()), "{again:#}");
    server().execute(&format!(
        "comment on database {name} is 'template of `seedbed test`, last used 2001-01-01'"
    ));
    let other = project(&[("migrations/V1__a.sql", &*migration("other")), ("scenarios/a.yaml", &a)]);
    let is_there = || {
        assert_eq!(test(&other, &[]).status, "0");
        !server().rows(&format!("select 1 from pg_database where datname = '{name}'")).is_empty()
    };
    assert!(!is_there());
    // What is left of a removal that was interrupted goes too, and others' databases stay.
    assert_eq!(test(&directory, &[]).status, "0");
    assert!(is_there());
    server().execute(&format!("alter database {name} with is_template false"));
    let others = ["seedbed_test_ci_main", "seedbed_tpl_mine"];
    others.iter().for_each(|other| server().execute(&format!("create database {other}")));
    assert!(!is_there());
    others.iter().for_each(|other| server().execute(&format!("drop database {other}")));
}

#[test]
fn settings_of_the_template_reach_its_copies() {
    let migrations = format!(
        "{}do $$ begin execute format('alter database %I set app.name = %L', current_database(), 'it''s'); end $$;\n",
        migration("settings")
    );
    let scenario = "scenario: A\nsteps:\n  - assert: It is there\n    query: select current_setting('app.name', true)\n    value: it's\n";
    let directory = project(&[("migrations/V1__a.sql", &*migrations), ("scenarios/a.yaml", scenario)]);
    let output = test(&directory, &[]);
    assert_eq!(output.status, "0", "{}", output.text);
}

#[test]
fn the_database_of_a_failed_one_is_kept_and_opened_by_the_line_that_is_shown() {
    let bad = format!("scenario: Bad one\n{}", ADD.replace("count: {people: 1}", "count: {people: 2}"));
    let migrations = migration("kept");
    let directory = project(&[("migrations/V1__a.sql", &*migrations), ("scenarios/bad one.yaml", &bad)]);
    let output = test(&directory, &["--keep-failed"]);
    assert_eq!(output.status, "1", "{}", output.text);
    let line = output.text.lines().find_map(|line| line.split_once("psql ")).unwrap().1;
    let name = line.split_once("-d ").unwrap().1.trim().to_owned();
    assert!(name.starts_with("seedbed_kept_bad_one_"), "{line}");
    let kept = Database { name };
    assert_eq!(kept.rows("select name from people"), ["Alice"]);
    // It is nobody's to drop but his who kept it.
    assert_eq!(test(&directory, &["--list"]).status, "0");
    test(&directory, &[]);
    assert_eq!(kept.rows("select name from people"), ["Alice"]);
    kept.remove();
    let refused = call(&directory).variable("CONNECTION_STRING", "").run(&["test", "--keep-failed"]);
    assert_eq!(refused.status, "2", "{}", refused.text);
}

#[test]
fn what_a_killed_run_has_left_goes_with_the_next() {
    let (migrations, a) = (migration("killed"), scenario("A"));
    let files = [
        ("migrations/V1__a.sql", &*migrations),
        ("scenarios/a.yaml", &a),
        ("scenarios/z.yaml", &sleeper(41)),
    ];
    let directory = project(&files);
    let running = call(&directory).start(&["test", "z"]);
    let copy = sleeping(41);
    kill(Pid::from_raw(running.pid() as i32), Signal::SIGKILL).unwrap();
    running.finish();
    // The server finds out about the dead session when it next talks to it.
    server()
        .execute(&format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{copy}'"));
    let exists = format!("select 1 from pg_database where datname = '{copy}'");
    assert_eq!(server().rows(&exists), ["1"]);
    wait_for(&format!(
        "select 1 where not exists (select from pg_stat_activity where application_name like '%{}%')",
        run_of(&copy)
    ));
    assert_eq!(test(&directory, &["a"]).status, "0");
    assert_eq!(server().rows(&exists), [""; 0]);
}

#[test]
fn a_signal_drops_the_copies_and_leaves_whole_reports() {
    let (migrations, a) = (migration("signal"), scenario("A"));
    let files = [
        ("migrations/V1__a.sql", &*migrations),
        ("scenarios/a.yaml", &a),
        ("scenarios/z.yaml", &sleeper(42)),
    ];
    let directory = project(&files);
    let arguments = [
        "test",
        "--jobs",
        "1",
        "--report",
        "junit=r.xml",
        "--report",
        "json=r.json",
        "--report",
        "tap=r.tap",
    ];
    let running = call(&directory).start(&arguments);
    let copy = sleeping(42);
    // A run that lives is left alone by others.
    assert_eq!(test(&directory, &["a"]).status, "0");
    assert!(!copies(run_of(&copy)).is_empty());
    kill(Pid::from_raw(running.pid() as i32), Signal::SIGINT).unwrap();
    let output = running.finish();
    assert_eq!(output.status, "130", "{}", output.text);
    assert!(output.text.contains("`seedbed test --rerun-failed` runs"), "{}", output.text);
    assert!(!output.text.contains("goes on where it was"), "{}", output.text);
    assert!(!output.text.contains(", \n"), "{}", output.text);
    assert_eq!(copies(run_of(&copy)), [""; 0]);
    let lines = std::fs::read_to_string(directory.path().join("r.json")).unwrap();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.last().unwrap()["event"], "suite.ended");
    assert_eq!(events.last().unwrap()["exit"], 130);
    let junit = std::fs::read_to_string(directory.path().join("r.xml")).unwrap();
    assert!(junit.contains("Sleeps") && junit.trim_end().ends_with("</testsuites>"), "{junit}");
    assert!(std::fs::read_to_string(directory.path().join("r.tap")).unwrap().contains("Bail out!"));
}

#[test]
fn two_runs_at_once_make_one_template() {
    let (migrations, a) = (format!("{}select pg_sleep(0.3);\n", migration("two")), scenario("A"));
    let directory = project(&[("migrations/V1__a.sql", &migrations), ("scenarios/a.yaml", &a)]);
    let both: Vec<_> = (0..3).map(|_| call(&directory).start(&["test", "--json", "--repeat", "5"])).collect();
    let documents: Vec<Value> = both.into_iter().map(|it| document(&it.finish())).collect();
    assert!(documents.iter().all(|it| it["exit"] == 0), "{documents:#?}");
    let new = documents.iter().filter(|it| it["templates"][0]["is_new"] == true).count();
    assert_eq!(new, 1);
}

#[test]
fn a_role_needs_createdb_and_no_more() {
    let name = format!("maker_{}", std::process::id());
    server().execute(&format!("create role {name} login nosuperuser nocreatedb"));
    let (migrations, a) = (migration("role"), scenario("A"));
    let directory = project(&[("migrations/V1__a.sql", &migrations), ("scenarios/a.yaml", &a)]);
    let url = server().url().replace("postgres@", &format!("{name}@"));
    let refused = call(&directory).variable("CONNECTION_STRING", &url).run(&["test"]);
    assert_eq!(refused.status, "3", "{}", refused.text);
    assert!(refused.text.contains(&format!("alter role \"{name}\" createdb")), "{}", refused.text);
    server().execute(&format!("alter role {name} createdb"));
    let output =
        call(&directory).variable("CONNECTION_STRING", &url).run(&["test", "--repeat", "3", "--twice"]);
    assert_eq!(output.status, "1", "an add without a key adds again: {}", output.text);
    let output = call(&directory).variable("CONNECTION_STRING", &url).run(&["test", "--repeat", "3"]);
    assert_eq!(output.status, "0", "{}", output.text);
}

#[test]
fn a_database_that_cannot_be_dropped_is_named_and_a_session_left_open_ended() {
    let migrations = format!("{}create extension dblink;\n", migration("left"));
    let held = "scenario: Held
steps:
  - sql: A subscription, which nobody can drop a database with
    statements: create subscription held connection 'dbname=nowhere' publication p with (connect = false)
";
    let open = "scenario: Open
steps:
  - sql: A session of its own, which runs on
    statements: |
      select dblink_connect('left', format('host=%s user=postgres dbname=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_database()));
      select dblink_send_query('left', 'select pg_sleep(20)');
";
    let socket = crate::support::server().socket_directory().display().to_string();
    let open = open
        .replace("split_part(current_setting('unix_socket_directories'), ',', 1)", &format!("'{socket}'"));
    let directory = project(&[
        ("migrations/V1__a.sql", &*migrations),
        ("scenarios/held.yaml", held),
        ("scenarios/open.yaml", &open),
    ]);
    let output = test(&directory, &["--retry-delay", "10ms"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("the scenario left a session open, which was ended"), "{}", output.text);
    let name = output.text.split("the database `").nth(1).expect(&output.text).split('`').next().unwrap();
    assert!(output.text.contains(&format!("drop database \"{name}\"")), "{}", output.text);
    let left = Database { name: name.to_owned() };
    left.execute("alter subscription held disable");
    left.execute("alter subscription held set (slot_name = none)");
    left.execute("drop subscription held");
    assert_eq!(test(&directory, &["open"]).status, "0");
    assert_eq!(copies(run_of(name)), [""; 0]);
}

#[test]
fn what_is_selected_is_tested_in_an_order_that_stays() {
    let migrations = migration("selection");
    let named = |title: &str, tags: &str| format!("scenario: {title}\ntags: [{tags}]\n{ADD}");
    let (a, b, c) = (named("Alpha", "x"), named("Beta", "x, y"), named("Gamma", "z"));
    let directory = project(&[
        ("migrations/V1__a.sql", &*migrations),
        ("scenarios/a.yaml", &a),
        ("scenarios/b.yaml", &b),
        ("scenarios/c.yaml", &c),
    ]);
    let titles = |arguments: &[&str]| -> Vec<String> {
        let document = document(&test(&directory, &[&["--json"], arguments].concat()));
        let all = document.get("tests").or(document.get("scenarios")).unwrap_or(&Value::Null).clone();
        all.as_array().unwrap().iter().map(|it| it["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles(&["--filter", "tag:x and not beta"]), ["Alpha"]);
    assert_eq!(titles(&["--list", "--filter", "kind:verify"]), ["Alpha", "Beta", "Gamma"]);
    assert_eq!(titles(&["--shard", "1/2"]), ["Alpha", "Gamma"]);
    assert_eq!(titles(&["--shard", "2/2"]), ["Beta"]);
    assert_eq!(
        titles(&["--jobs", "3", "--repeat", "2"]),
        ["Alpha", "Beta", "Gamma", "Alpha", "Beta", "Gamma"]
    );
    assert_eq!(titles(&["--shuffle", "7"]), titles(&["--shuffle", "7", "--jobs", "1"]));
    let nothing = test(&directory, &["--filter", "tag:w"]);
    assert_eq!(nothing.status, "2", "{}", nothing.text);
    assert!(nothing.text.contains("tags: `x`, `y`, `z`"), "{}", nothing.text);
    std::fs::write(directory.path().join("scenarios/b.yaml"), b.replace("people: 1", "people: 2")).unwrap();
    let fast = document(&test(&directory, &["--json", "--fail-fast", "--jobs", "1"]));
    let verdicts: Vec<&str> =
        fast["tests"].as_array().unwrap().iter().map(|it| it["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["held", "failed", "not run"]);
    assert_eq!(titles(&["--rerun-failed"]), ["Beta", "Gamma"]);
    assert_eq!(titles(&["--rerun-failed"]), ["Beta"]);
    std::fs::write(directory.path().join("scenarios/b.yaml"), &b).unwrap();
    assert_eq!(titles(&["--rerun-failed"]), ["Beta"]);
    let over = test(&directory, &["--rerun-failed"]);
    assert_eq!((&*over.status, over.text.trim()), ("0", "nothing to test again: all held the last time"));
    let over = test(&directory, &["--rerun-failed", "--json", "--report", "junit=r.xml"]);
    assert_eq!(document(&over)["tests"], serde_json::json!([]));
    assert!(std::fs::read_to_string(directory.path().join("r.xml")).unwrap().contains("</testsuites>"));
}

#[test]
fn a_report_that_cannot_be_written_is_said_before_anything_is_run() {
    let (migrations, a) = (migration("reports"), scenario("A"));
    let directory = project(&[("migrations/V1__a.sql", &migrations), ("scenarios/a.yaml", &a)]);
    let check = |arguments: &[&str], expected: &str| {
        let output = test(&directory, arguments);
        assert_eq!(output.status, "2", "{}", output.text);
        assert!(output.text.contains(expected), "{}", output.text);
    };
    check(&["--report", "junit=nowhere/r.xml"], "the report `nowhere/r.xml` cannot be written");
    check(&["--report", "junit=scenarios"], "the report `scenarios` cannot be written");
    check(&["--report", "tap=r", "--report", "json=r"], "two reports go to `r`");
    check(&["--report", "junit"], "name a file: `junit=report.xml`");
    check(&["--report", "junti=r"], "did you mean `junit`?");
    check(&["--report", "github", "--json"], "both write to standard output");
    let output = test(&directory, &["--report", "html=r.html", "--report", "github"]);
    assert_eq!(output.status, "0", "{}", output.text);
    let files: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(files.iter().any(|name| name == "r.html"));
    assert!(!files.iter().any(|name| name.to_string_lossy().starts_with(".seedbed-report")), "{files:?}");
    // A stream is written to, and what a link leads to is replaced.
    std::fs::create_dir(directory.path().join("there")).unwrap();
    std::fs::write(directory.path().join("there/r.tap"), "of yesterday").unwrap();
    let link = directory.path().join("r.tap");
    std::os::unix::fs::symlink("there/r.tap", &link).unwrap();
    let output = test(&directory, &["--quiet", "--report", "json=/dev/stdout", "--report", "tap=r.tap"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("\"suite.ended\""), "{}", output.text);
    let [from, to] = ["/dev/stdout", link.to_str().unwrap()].map(|it| std::fs::symlink_metadata(it).unwrap());
    assert!(from.is_symlink() && to.is_symlink());
    assert!(std::fs::read_to_string(&link).unwrap().starts_with("TAP version 13"));
}

#[test]
fn a_second_time_may_write_nothing() {
    let migrations = format!("{}alter table people add unique (name);\n", migration("twice"));
    let settled = "scenario: Settled\nsteps:\n  - add: Alice\n    into: people\n    key: [name]\n    row: {name: Alice}\n";
    let again = "scenario: Again\nsteps:\n  - sql: Anybody\n    statements: insert into people (name) values (gen_random_uuid())\n";
    let directory = project(&[
        ("migrations/V1__a.sql", &*migrations),
        ("scenarios/again.yaml", again),
        ("scenarios/settled.yaml", settled),
    ]);
    let document = document(&test(&directory, &["--twice", "--json"]));
    let (first, second) = (&document["tests"][0], &document["tests"][1]);
    assert_eq!((&first["verdict"], &second["verdict"]), (&"failed".into(), &"held".into()), "{document:#}");
    assert_eq!(first["steps"][0]["accepted"], true);
    assert_eq!(first["again"][0]["accepted"], false);
    assert!(first["again"][0]["problems"][0]["notes"][0].as_str().unwrap().contains("people +1"));
    assert_eq!(second["again"][0]["outcome"], "present");
}

#[test]
fn an_upgrade_is_rehearsed_on_a_database_that_is_in_use() {
    let migrations = migration("rehearsal");
    let upgrade = "scenario: Upgrade
from: V1
steps:
  - sql: Some ids are gone
    statements: select setval(pg_get_serial_sequence('people', 'id'), 40)
  - add: Ada
    id: ada
    into: people
    row: {name: Ada Lovelace}
  - migrate: To the split
    to: V2
  - assert: She is split
    query: select first, name from people
    row: {first: Ada, name: Ada Lovelace}
  - migrate: To the newest
  - assert: The name is gone
    query: select * from people
    rows:
      - {id: {$ref: ada.id}, first: Ada}
";
    let directory = project(&[
        ("migrations/V1__a.sql", &*migrations),
        (
            "migrations/V2__b.sql",
            "alter table people add first text; update people set first = split_part(name, ' ', 1)",
        ),
        ("migrations/V3__c.sql", "alter table people drop name"),
        ("scenarios/upgrade.yaml", upgrade),
    ]);
    let document = document(&test(&directory, &["--json", "--twice"]));
    assert_eq!(document["exit"], 0, "{document:#}");
    let outcomes: Vec<&str> = document["tests"][0]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["done", "added", "migrated", "held", "migrated", "held"]);
    let again = document["tests"][0]["again"].as_array().unwrap();
    let again: Vec<&str> = again.iter().map(|step| step["title"].as_str().unwrap()).collect();
    assert_eq!(again, ["To the newest", "The name is gone"]);
    let twice =
        format!("{upgrade}  - add: Somebody without a key\n    into: people\n    row: {{first: Eve}}\n");
    let twice = twice.replace("  - assert: The name is gone\n    query: select * from people\n    rows:\n      - {id: {$ref: ada.id}, first: Ada}\n", "");
    std::fs::write(directory.path().join("scenarios/upgrade.yaml"), twice).unwrap();
    let output = test(&directory, &["--twice"]);
    assert_eq!(output.status, "1", "{}", output.text);
    assert!(
        output.text.contains("`Somebody without a key`: a second time, it writes again"),
        "{}",
        output.text
    );
    std::fs::write(directory.path().join("scenarios/upgrade.yaml"), upgrade).unwrap();
    let named = call(&directory).run(&["run", "upgrade"]);
    assert_eq!(named.status, "2", "{}", named.text);
    assert!(named.text.contains("seedbed test upgrade"), "{}", named.text);
    let check = |old: &str, new: &str, expected: &str| {
        std::fs::write(directory.path().join("scenarios/upgrade.yaml"), upgrade.replace(old, new)).unwrap();
        let output = call(&directory).run(&["check"]);
        assert_eq!(output.status, "2", "{}", output.text);
        assert!(output.text.contains(expected), "{}", output.text);
    };
    check("from: V1", "from: V7", "there is no migration V7");
    check("from: V1\n", "", "does not say which version it begins with");
    check("from: V1", "from: newest", "`newest` is no version of a migration");
    check("to: V2", "to: V1", "the schema is at this version already");
    check("to: V2", "to: V2\n    role: me", "a `migrate` step is run once");
    check("to: V2", "expect: {error: {sqlstate: '23502'}}", "cannot expect an error");
    check(upgrade, "scenario: A\nfrom: V1\nsteps:\n  - sql: A\n    statements: select 1\n", "never goes on");
    let compared = "  - migrate: To the newest\n  - verify: It is\n    unchanged: [people]\n";
    check("  - migrate: To the newest\n", compared, "under an older schema");
}

#[test]
fn seeds_that_many_begin_with_are_run_once_where_it_pays() {
    let migrations = format!("{}alter table people add unique (name);\n", migration("beginnings"));
    let slow = "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.3); return new; end $$;\ncreate trigger slow before insert on people for each row execute function slow();\n";
    let migrations = format!("{migrations}{slow}");
    let scenario = |title: &str, own: &str| {
        format!("scenario: {title}\nsteps:\n  - seed: Everybody ({title})\n    fixtures: people\n{own}")
    };
    let counted = "  - verify: One\n    count: {people: 1}\n  - delete: All\n    from: people\n    where: {name: Alice}\n";
    let a = scenario("A", counted);
    let b = scenario("B", counted);
    let c = scenario("C", "  - verify: As at the start\n    unchanged: people\n    expect: differs\n");
    let directory = project(&[
        ("migrations/V1__a.sql", &*migrations),
        ("fixtures/people.yaml", "- {name: Alice}\n"),
        ("scenarios/a.yaml", &a),
        ("scenarios/b.yaml", &b),
        ("scenarios/c.yaml", &c),
    ]);
    let document = document(&test(&directory, &["--json", "--jobs", "1", "--repeat", "6"]));
    assert_eq!(document["exit"], 0, "{document:#}");
    let shared = |title: &str| {
        let tests = document["tests"].as_array().unwrap().iter().filter(|test| test["title"] == title);
        let is_shared = |test: &&Value| {
            let detail = test["steps"][0]["detail"].as_str().unwrap_or_default();
            assert_eq!(test["steps"][0]["title"], format!("Everybody ({title})"));
            assert_eq!(test["steps"][0]["wrote"][0]["inserted"], 1);
            detail.contains("in the copy already")
        };
        tests.filter(is_shared).count()
    };
    assert_eq!((shared("A"), shared("B"), shared("C")), (5, 6, 0));
    assert_eq!(copies(document["run"].as_str().unwrap()), [""; 0]);
}

#[test]
fn one_database_as_it_is_is_tested_in_order() {
    let database = Database::create();
    database.execute(PEOPLE);
    let a = scenario("A");
    let b =
        "scenario: B\nsteps:\n  - verify: Alice is there from before\n    exists: {people: {name: Alice}}\n";
    let directory = project(&[("scenarios/a.yaml", &*a), ("scenarios/b.yaml", b)]);
    let call = || Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url());
    let output = call().run(&["test", "--isolate", "none"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select count(*) from people"), ["1"]);
    for arguments in
        [["--keep-failed", "--isolate=none"], ["--jobs=2", "--isolate=none"], ["--dry-run", "--json"]]
    {
        assert_eq!(call().run(&[&["test"], &arguments[..]].concat()).status, "2");
    }
    let unnamed = call().without("CONNECTION_STRING").run(&["test", "--isolate=none"]);
    assert_eq!(unnamed.status, "2", "{}", unnamed.text);
    assert!(unnamed.text.contains("none is named"), "{}", unnamed.text);
}

/// Eight at a time, and nothing is left: 1,000 runs with `SEEDBED_RUNS=1000`.
#[test]
fn many_runs_side_by_side_leave_no_database_behind() {
    let runs: u32 = std::env::var("SEEDBED_RUNS").map_or(100, |text| text.parse().unwrap());
    let (migrations, a) = (migration("many"), scenario("A"));
    let directory = project(&[("migrations/V1__a.sql", &migrations), ("scenarios/a.yaml", &a)]);
    let document = document(&test(&directory, &["--json", "--jobs", "8", "--repeat", &runs.to_string()]));
    assert_eq!(document["exit"], 0, "{document:#}");
    let held = document["tests"].as_array().unwrap().iter().filter(|test| test["verdict"] == "held").count();
    assert_eq!(held as u32, runs);
    assert_eq!(copies(document["run"].as_str().unwrap()), [""; 0]);
}

#[test]
fn what_a_signal_has_ended_is_not_kept() {
    let migrations = migration("not kept");
    let directory = project(&[("migrations/V1__a.sql", &*migrations), ("scenarios/z.yaml", &sleeper(43))]);
    let running = call(&directory).start(&["test", "--keep-failed"]);
    let copy = sleeping(43);
    kill(Pid::from_raw(running.pid() as i32), Signal::SIGTERM).unwrap();
    let output = running.finish();
    assert_eq!(output.status, "143", "{}", output.text);
    assert!(!output.text.contains("psql"), "{}", output.text);
    assert_eq!(copies(run_of(&copy)), [""; 0]);
}

#[test]
fn what_happens_is_told_to_a_collector_of_logs_while_it_happens() {
    let (migrations, a) = (migration("log"), scenario("A"));
    let bad = "scenario: Bad\nsteps: [{assert: One, query: select 2, value: 1}]\n";
    let files = [("migrations/V1__a.sql", &*migrations), ("scenarios/a.yaml", &a), ("scenarios/b.yaml", bad)];
    let output = test(&project(&files), &["--log", "json", "--quiet", "--jobs", "1"]);
    assert_eq!(output.status, "1", "{}", output.text);
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    // Standard output has the last lines, and what did not hold.
    let (log, rest): (Vec<&str>, Vec<&str>) = output.text.lines().partition(|it| it.starts_with('{'));
    assert!(!rest.iter().any(|it| it.contains("expected")), "{}", output.text);
    let lines: Vec<Value> = log.into_iter().map(line).collect();
    let told: Vec<&str> = lines.iter().map(|line| line["event.name"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        [
            "seedbed.connected",
            "seedbed.connected",
            "seedbed.migrations.begun",
            "seedbed.migration.begun",
            "seedbed.migration.applied",
            "seedbed.test.begun",
            "seedbed.test.ended",
            "seedbed.test.begun",
            "seedbed.test.ended",
            "seedbed.run.ended"
        ]
    );
    let last = &lines[told.len() - 2];
    assert_eq!((&last["seedbed.test"], &last["seedbed.verdict"]), (&"Bad".into(), &"failed".into()));
    assert_eq!(last["exception"][0]["place"], "scenarios/b.yaml:2:47", "{last:#}");
    let run = &lines[0]["seedbed.run"];
    assert!(run.as_str().is_some_and(|run| run.len() == 8), "{run}");
    assert!(lines.iter().all(|line| line["seedbed.run"] == *run), "{}", output.text);
}

#[test]
fn a_server_that_is_waited_for_is_named_once() {
    let directory =
        project(&[("scenarios/a.yaml", "scenario: A\nsteps: [{assert: One, query: select 1, value: 1}]\n")]);
    let output = test(&directory, &["--url", "postgres://u@127.0.0.1:1/d", "--wait", "1500ms"]);
    assert_eq!(output.status, "3", "{}", output.text);
    assert_eq!(output.text.matches("waiting for").count(), 1, "{}", output.text);
}
