//! `--update` and `--review`: expectations that do not hold are written anew, and nothing else is.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Database, Output, Seedbed, binary, project};

const FILE: &str = "scenarios/a.yaml";

fn database() -> Database {
    let database = Database::create();
    database.execute(
        "create table t (id int primary key, name text, amount numeric, data jsonb, tags text[]);
         insert into t values (1, 'Alice', 1.10, '{\"level\": 4, \"ok\": [true, null]}', '{a,\"b c\"}'),
           (2, 'it''s', -5, null, '{}'), (3, '', null, 'null', null), (4, 'null', 0, '\"x\"', '{NULL}')",
    );
    database
}

fn run(directory: &Path, database: &Database, arguments: &[&str]) -> Output {
    Seedbed::new(directory).variable("CONNECTION_STRING", &database.url()).run(arguments)
}

fn read(directory: &Path) -> String {
    fs::read_to_string(directory.join(FILE)).unwrap()
}

/// Updates a scenario: what it says then; it holds, and a second update changes nothing.
fn updated(database: &Database, scenario: &str) -> String {
    let directory = project(&[(FILE, scenario)]);
    let output = run(directory.path(), database, &["run", "--update"]);
    assert_eq!(output.status, "0", "{scenario}\n{}", output.text);
    let written = read(directory.path());
    let output = run(directory.path(), database, &["run"]);
    assert_eq!(output.status, "0", "{written}\n{}", output.text);
    let output = run(directory.path(), database, &["run", "--update"]);
    assert_eq!(output.status, "0", "{written}\n{}", output.text);
    assert!(!output.text.contains("updated"), "{}", output.text);
    assert_eq!(read(directory.path()), written);
    let files = fs::read_dir(directory.path().join("scenarios")).unwrap().count();
    assert_eq!(files, 1, "nothing is left beside it");
    written
}

#[test]
fn what_came_back_is_written_in_place_and_the_rest_stays() {
    let database = database();
    let before = r#"# A story
scenario: S   # its title
steps:
  - assert: a list
    query: select id, name, amount from t where id < 4
    rows:
      # numbers are as they are written
      - {id: 01, name: "Alice", amount: 1.100} # one
      - { amount: {$lt: 0}, name: 'its', id: 2 }
      - {id: 9, name: gone, amount: 3} # nine
      # behind
  - assert: a table
    query: select id, name, data from t
    rows: |
      | id         | name  | data            |
      |------------|-------|-----------------|
      | 2          | it's  | null            |
      | 3          | x     | null            |
    key: id
    match: contains
  - assert: in order
    query: select id from t order by id desc
    rows: [{id: 4}, {id: 1}] # four
    ordered: true
  - assert: some are missing
    query: select name from t where id < 3
    rows: [{name: Zoe}, {name: Alice}]
    match: contained
  - assert: none
    query: select id, tags from t where id in (1, 4)
    rows: []
  - {assert: flow, query: select 1 as a, rows: []}
  - assert: a row
    query: select * from t where id = 1
    row:
      id: 1
      name: {$matches: '^A'}
      amount: 1.1
      data: {level: 5}
      tags:
        - a
  - assert: part of them
    query: select * from t where id > 2
    columns: partial
    rows:
      - id: 3
        name: none
  - assert: a value
    query: select data from t where id = 3
    value: null
  - assert: a count
    query: select from t
    count: {$gt: 10}
  - assert: it holds
    query: select 1 as a
    value: 1
"#;
    let written = updated(&database, before);
    let expected = [
        "    rows:\n      # numbers are as they are written\n      - {id: 01, name: \"Alice\", amount: 1.100} # one\n      - { amount: {$lt: 0}, name: 'it''s', id: 2 }\n      - { id: 3, name: '', amount: null }\n      # behind\n",
        "      | 2          | it's  | null            |\n      | 3          | ''    | {$json: 'null'} |\n    key: id\n",
        "    rows: [{id: 4}, {id: 3}, {id: 2}, {id: 1}] # four\n",
        "    rows: [{name: Zoe}, {name: Alice}, {name: 'it''s'}]\n",
        "    rows:\n      - {id: 1, tags: [a, b c]}\n      - {id: 4, tags: [null]}\n",
        "rows: [{a: 1}]}\n",
        "      name: {$matches: '^A'}\n      amount: 1.1\n      data: {ok: [true, null], level: 4}\n      tags: [a, b c]\n",
        "      - id: 3\n        name: ''\n      - id: 4\n        name: 'null'\n",
        "    value: {$json: 'null'}\n",
        "    count: 4\n",
    ];
    for piece in expected {
        assert!(written.contains(piece), "{piece}\n{written}");
    }
}

#[test]
fn what_cannot_be_written_fails_as_ever_and_says_why() {
    let database = database();
    let check = |step: &str, words: &str| {
        let scenario = format!(
            "scenario: S\nvars: {{who: Bob}}\nsteps:\n  - assert: first\n    query: select 1 as a\n    value: 2\n  - assert: it\n{step}"
        );
        let directory = project(&[(FILE, &scenario)]);
        let output = run(directory.path(), &database, &["run", "--update"]);
        assert_eq!(output.status, "1", "{step}\n{}", output.text);
        assert!(output.text.contains(words), "{step}\n{}", output.text);
        // What was updated before is written all the same.
        assert_eq!(read(directory.path()), scenario.replacen("value: 2", "value: 1", 1), "{}", output.text);
    };
    check("    query: select 1 as a union select 2\n    row: {a: 1}\n", "not updated: 2 rows came back");
    check("    query: select 1 as a where false\n    value: 1\n", "not updated: 0 rows");
    check(
        "    query: select name from t where id = 1\n    rows: [{name: {$ref: who}}]\n",
        "not updated: its value has a name",
    );
    check(
        "    query: select name from t where id = 1\n    rows: [{name: {$ref: it}}]\n    each: [{it: Bob}]\n",
        "not updated: it is one of several cases",
    );
    check(
        "    query: select generate_series(1, 5000) as a\n    rows: []\n",
        "not updated: only 1000 of the 5000 rows",
    );
    check(
        "    query: select 1 as a\n    rows: [{a: 3}, {a: 2}]\n    match: contains\n",
        "not updated: none of its rows",
    );
    check(
        "    query: select id, 'a' as k from t\n    rows: [{id: 1, k: a}]\n    key: k\n",
        "not updated: two rows",
    );
    check("    query: select\n    rows: []\n", "not updated: the query returns no columns");
    check(
        "    query: select 1 as a\n    value: 2\n    eventually: {within: 300ms, every: 100ms}\n",
        "not updated: a step that waits",
    );
    check("    query: select 1 / 0 as a\n    value: 2\n", "division by zero");
    check("    query: select 1 as a\n    error: {condition: division_by_zero}\n", "no error came");
}

#[test]
fn a_story_goes_on_as_if_the_step_had_held() {
    let database = database();
    let written = updated(
        &database,
        "scenario: S\nsteps:\n  - assert: somebody\n    id: who\n    query: select name from t where id = 1\n    row: {name: Bob}\n  - assert: it is her\n    when: {who: held}\n    query: select :who.name as name\n    value: Alice\n  - assert: count\n    query: select 1\n    count: 2\n",
    );
    assert!(written.contains("row: {name: Alice}"), "{written}");
    assert!(written.ends_with("count: 1\n"), "{written}");
}

#[test]
fn it_is_refused_in_ci_and_over_uncommitted_changes() {
    let database = database();
    let scenario = "scenario: S\nsteps:\n  - assert: it\n    query: select 1 as a\n    value: 2\n";
    let directory = project(&[(FILE, scenario)]);
    let refused = |arguments: &[&str], ci: &str, words: &str| {
        let seedbed = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url());
        let output = seedbed.variable("CI", ci).run(arguments);
        assert_eq!(output.status, "2", "{}", output.text);
        assert!(output.text.contains(words), "{}", output.text);
        assert_eq!(read(directory.path()), scenario);
    };
    refused(&["run", "--update"], "true", "where `CI` is set");
    refused(&["up", "--update", "--force"], "1", "where `CI` is set");
    refused(&["run", "--update", "--dry-run"], "false", "`--dry-run` keeps nothing");
    refused(&["run", "--review"], "", "standard input is none");
    refused(&["run", "--force"], "0", "`--force` belongs to `--update`");
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(directory.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        git.env("HOME", directory.path()).args(["-c", "user.name=A", "-c", "user.email=a@b.c"]);
        let output = git.args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "-q"]);
    refused(&["run", "--update"], "", "`scenarios/a.yaml` has uncommitted changes");
    git(&["add", "."]);
    refused(&["run", "--update"], "", "`scenarios/a.yaml` has uncommitted changes");
    git(&["commit", "-qm", "A story"]);
    fs::write(
        directory.path().join("scenarios/b a.yaml"),
        "scenario: B\nsteps: [{assert: it, query: select 1, count: 1}]\n",
    )
    .unwrap();
    refused(&["run", "--update"], "", "`scenarios/b a.yaml` has uncommitted changes");
    let output = run(directory.path(), &database, &["run", "a", "--update"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("✎ assert"), "{}", output.text);
    assert!(output.text.contains("wrote 1 expectation anew in scenarios/a.yaml"), "{}", output.text);
    assert!(read(directory.path()).ends_with("value: 1\n"));
    fs::write(directory.path().join(FILE), scenario).unwrap();
    git(&["commit", "-qam", "again", "--allow-empty"]);
    fs::write(directory.path().join(FILE), scenario.replace("value: 2", "value: 3")).unwrap();
    let output = run(directory.path(), &database, &["run", "a", "--update"]);
    assert_eq!(output.status, "2", "{}", output.text);
    let output = run(directory.path(), &database, &["run", "a", "--update", "--force"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(read(directory.path()).ends_with("value: 1\n"));
    // A repository that git does not understand is no reason to go on.
    fs::write(directory.path().join(".git/HEAD"), "nonsense").unwrap();
    let output = run(directory.path(), &database, &["run", "a", "--update"]);
    assert_eq!(output.status, "2", "{}", output.text);
    assert!(output.text.contains("git does not say"), "{}", output.text);
}

#[test]
fn a_file_that_changes_meanwhile_is_left_alone() {
    let database = database();
    let scenario =
        "scenario: S\nsteps:\n  - assert: it\n    query: select pg_sleep(2)::text as a\n    value: x\n";
    let directory = project(&[(FILE, scenario)]);
    let mut running = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).start(&[
        "run",
        "--update",
        "--verbose",
    ]);
    running.read_until("assert: it");
    let changed = format!("{scenario}# mine\n");
    fs::write(directory.path().join(FILE), &changed).unwrap();
    let output = running.finish();
    assert_eq!(output.status, "1", "{}", output.text);
    assert!(output.text.contains("has changed since it was read"), "{}", output.text);
    assert_eq!(read(directory.path()), changed);
}

#[test]
fn an_interrupted_run_writes_nothing() {
    let database = database();
    let scenario = "scenario: S\nsteps:\n  - assert: first\n    query: select 1 as a\n    value: 2\n  - assert: it\n    query: select pg_sleep(60)::text as a\n    value: ''\n";
    let directory = project(&[(FILE, scenario)]);
    let mut running = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).start(&[
        "run",
        "--update",
        "--verbose",
    ]);
    running.read_until("assert: it");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(running.pid() as i32),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    let output = running.finish();
    assert_eq!(output.status, "143", "{}", output.text);
    assert!(output.text.contains("was left as it is"), "{}", output.text);
    assert_eq!(read(directory.path()), scenario);
}

/// Answers on a terminal of its own, and returns what was said there and what the file holds then.
fn reviewed(scenario: &str, answers: &str) -> (String, String) {
    let database = database();
    let directory = project(&[(FILE, scenario)]);
    let command = format!("{} run --review", binary().display());
    let script = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("CONNECTION_STRING", database.url())
        .env("HOME", directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut script = script.expect("the tests need `script`, which makes terminals: scripts/tools gets it");
    let mut input = script.stdin.take().unwrap();
    input.write_all(answers.as_bytes()).unwrap();
    let output = script.wait_with_output().unwrap();
    drop(input);
    (String::from_utf8_lossy(&output.stdout).into_owned(), read(directory.path()))
}

#[test]
fn a_person_decides_about_each_step() {
    let story = |values: [i32; 3]| {
        let steps = ["one", "two", "three"].iter().zip(values).map(|(title, value)| {
            format!("  - assert: {title}\n    query: select 1 as a\n    value: {value}\n")
        });
        let files = steps.collect::<String>();
        format!("scenario: S\nsteps:\n{files}")
    };
    let check = |answers: &str, expected: [i32; 3], asked: usize, shown: usize| {
        let (said, written) = reviewed(&story([2, 2, 2]), answers);
        assert_eq!(written, story(expected), "{said}");
        assert_eq!(said.matches("update this expectation?").count(), asked, "{said}");
        // What a person has seen is not told again.
        assert_eq!(said.matches("`1` came back").count(), shown, "{said}");
    };
    check("a\na\na\n", [1, 1, 1], 3, 3);
    check("a\nwhat\na\ns\n", [1, 1, 2], 4, 3);
    check("A\n", [1, 1, 1], 1, 1);
    check("s\n", [2, 2, 2], 1, 1);
    check("a\nq\n", [1, 2, 2], 2, 2);
}

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % limit
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const WORDS: &[&str] = &[
    "a", "it's", "null", "", " b ", "x|y", "[1", "k: v", "#c", "a\\b", "l1\nl2", "日本", "-", "-5",
    "10:30:00", "true", "\"q\"",
];
const NUMBERS: &[&str] = &["0", "1.10", "-5", "1200", "0.001"];
const JSON: &[&str] =
    &["{\"a\": [1, null, \"x|y\"]}", "null", "\"s\"", "[]", "{\"$gt\": 1}", "1.50", "{\"k v\": \"1\"}"];

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A row as it is expected, right or wrong, by its cells in YAML.
fn cells(random: &mut Random) -> [String; 3] {
    let word = match random.below(4) {
        0 => "null".to_owned(),
        1 => "{$len: {$gt: 0}}".to_owned(),
        _ => quoted(random.pick(WORDS)),
    };
    let number = match random.below(3) {
        0 => "{$gte: 0}".to_owned(),
        _ => random.pick(NUMBERS).to_owned(),
    };
    let json = match random.below(3) {
        0 => "{$any: true}".to_owned(),
        _ => format!("{{$json: '{}'}}", random.pick(JSON)),
    };
    [word, number, json]
}

/// Rows in some style, with comments that have to stay, and the key they stand under.
fn expectation(random: &mut Random) -> String {
    let rows: Vec<[String; 3]> = (0..random.below(4)).map(|_| cells(random)).collect();
    let flow = |[w, n, j]: &[String; 3]| format!("{{w: {w}, n: {n}, j: {j}}}");
    let matching = random.pick(&["", "", "", "    match: contained\n", "    ordered: true\n"]);
    let style = random.below(5);
    let text = match style {
        _ if rows.is_empty() => "    rows: []\n".to_owned(),
        0 => {
            let rows: String = rows.iter().map(|row| format!("      - {} # row\n", flow(row))).collect();
            format!("    rows:\n      # stays\n{rows}      # stays too\n")
        }
        1 => {
            let block = |[w, n, j]: &[String; 3]| format!("    - n: {n} # row\n      w: {w}\n      j: {j}\n");
            format!("    rows: # stays\n{}", rows.iter().map(block).collect::<String>())
        }
        2 => format!("    rows: [{}] # stays\n", rows.iter().map(flow).collect::<Vec<_>>().join(", ")),
        3 => {
            let rows: String = rows.iter().map(|row| format!("      {}, # row\n", flow(row))).collect();
            format!("    rows: [ # stays\n{rows}    ]\n")
        }
        _ => {
            let rows: String =
                rows.iter().map(|[w, n, j]| format!("      | {n:>9} | {w:<8} | {j} |\n")).collect();
            format!(
                "    rows: |\n      | n         | w        | j |\n      |-----------|----------|---|\n{rows}"
            )
        }
    };
    format!("{text}{matching}")
}

#[test]
fn whatever_is_expected_holds_after_an_update_and_other_lines_stay() {
    let database = Database::create();
    database.execute("create table r (id serial primary key, w text, n numeric, j jsonb)");
    let mut random = Random(20_261_126);
    for round in 0..40 {
        database.execute("truncate r");
        let mut client = database.client();
        for _ in 0..random.below(5) {
            let word = (random.below(5) > 0).then(|| random.pick(WORDS));
            let json = (random.below(5) > 0).then(|| random.pick(JSON));
            let (number, sql) = (
                random.pick(NUMBERS),
                "insert into r (w, n, j) values ($1, $2::text::numeric, $3::text::jsonb)",
            );
            client.execute(sql, &[&word, &number, &json]).unwrap();
        }
        let mut scenario = format!("# round {round}\nscenario: S\nsteps:\n");
        for step in 0..4 {
            scenario.push_str(&format!(
                "  # step {step}\n  - assert: step {step}  # untouched\n    query: select w, n, j from r order by id\n{}\n",
                expectation(&mut random)
            ));
        }
        let written = updated(&database, &scenario);
        let marks = ["stays", "# round", "# step", "untouched", "query: "];
        let stays = |line: &&str| marks.iter().any(|mark| line.contains(mark));
        let kept = |text: &str| -> Vec<String> {
            // The brackets before a comment may have rows in them now.
            let short = |line: &str| match line.trim_start().starts_with("rows:") {
                true => line.rsplit("# ").next().unwrap_or_default().to_owned(),
                false => line.to_owned(),
            };
            text.lines().filter(stays).map(short).collect()
        };
        assert_eq!(kept(&written), kept(&scenario), "{scenario}\n{written}");
    }
}

#[test]
fn values_of_every_kind_are_read_again_as_they_came() {
    let database = Database::create();
    database.execute(
        "create type mood as enum ('so so', 'null'); create type pair as (a int, b text);
         create table kinds as select
           timestamptz '2024-02-29 12:30:00.123456+02' as tz, timestamp 'infinity' as ts, date '0044-03-15 BC' as d,
           time '23:59:59.5' as t, timetz '10:00+05' as ttz, interval '-1 year 2 days 03:04:05.6' as i,
           int4range(1, 5) as r, tstzrange('2024-01-01', null) as tr, '{[1,3),[5,7)}'::int4multirange as mr,
           '\\x00ff'::bytea as b, 'NaN'::float8 as f, '-0'::float8 as z, 1e-320::float8 as tiny, 0.1::float4 as f4,
           12345678901234567890.1200::numeric as n, 'Infinity'::numeric as ni, 12.5::money as m,
           'ab'::char(5) as c, 'so so'::mood as mood, row(1, 'x, \"y\"')::pair as p,
           array[[1, 2], [3, null]] as a2, '[0:1]={1,2}'::int[] as a0, array['a,b', 'NULL', null, ''] as ta,
           array['{\"a\": 1}']::jsonb[] as ja, array[row(1, 'x')::pair] as pa, array[int4range(1, 2)] as ra,
           '{\"b\": 1.50, \"a\": \"x\", \"a\": 2}'::json as j, '[{\"a b\": [\"1\", 1e3, \"~\"]}]'::jsonb as jb,
           inet '10.0.0.1/8' as ip, 'a:1 b:2'::tsvector as v, point '(1,2)' as pt, '<a>x</a>'::xml as x,
           E'tab\\there\\r\\nnew ' as txt, uuid '00000000-0000-0000-0000-000000000001' as u, true as ok, 'x'::\"char\" as ch,
           B'0101' as bits, oid '5' as o, null::int as nothing",
    );
    for rows in ["rows: []", "rows: []\n    text: true"] {
        updated(
            &database,
            &format!("scenario: S\nsteps:\n  - assert: all\n    query: select * from kinds\n    {rows}\n"),
        );
    }
    let names =
        database.rows("select attname from pg_attribute where attrelid = 'kinds'::regclass and attnum > 0");
    for name in &names {
        updated(
            &database,
            &format!(
                "scenario: S\nsteps:\n  - assert: one\n    query: select {name} as v from kinds\n    rows: |\n      | v |\n"
            ),
        );
    }
}

#[test]
fn a_secret_that_comes_back_is_written_nowhere() {
    let database = Database::create();
    let scenario = "scenario: S\nvars: {hash: {$env: ADMIN_HASH}}\nsteps:\n  - assert: it\n    query: select 'x' || :hash as a\n    value: old\n";
    let directory = project(&[(FILE, scenario)]);
    let seedbed = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url());
    let output = seedbed.variable("ADMIN_HASH", "canary-of-admins").run(&["run", "--update"]);
    assert_eq!(output.status, "1", "{}", output.text);
    assert!(output.text.contains("not updated: a secret came back"), "{}", output.text);
    assert!(!output.text.contains("canary-of-admins"), "{}", output.text);
    assert_eq!(read(directory.path()), scenario);
}
