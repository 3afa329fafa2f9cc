//! `seedbed test`: two hundred scenarios, each on a database of its own, beside what psql takes to make and
//! drop as many databases. `scripts/bench-testing` brings what it needs, and prints the tables.

#[allow(dead_code)] // It measures other things elsewhere.
mod measure;
#[allow(dead_code)]
mod server;

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use measure::in_turn;
use serde_json::Value;
use server::Server;

/// How often each is measured: a round takes minutes where files are slow to create.
const ROUNDS: usize = 1;
/// How many scenarios, and how many migrations.
const MANY: usize = 200;
/// How many databases are migrated one by one; the others would take as long.
const MIGRATED: usize = 10;
/// How many files are checked.
const FILES: usize = 1_000;

fn main() {
    let server = Server::start();
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join("cache");
    project(home.path(), MANY, MANY);
    println!(
        "{MANY} scenarios of 5 steps on a schema of {MANY} migrations; {ROUNDS} round; PostgreSQL {} without waiting for a disk, {} processors.\n",
        server.version(),
        std::thread::available_parallelism().unwrap()
    );
    let first = document(&server, home.path(), &cache, &[]);
    let template = first["template"]["name"].as_str().unwrap().to_owned();
    let psql = |strategy: &str| {
        let mut script = String::new();
        for number in 0..MANY {
            let _ = writeln!(
                script,
                "create database bench_{number} template {template}{strategy};\ndrop database bench_{number};"
            );
        }
        let file = home.path().join(format!("script{}.sql", strategy.len()));
        std::fs::write(&file, script).unwrap();
        let mut command = Command::new(server.programs().join("psql"));
        command.args(["-qXd", "postgres", "-U", "postgres", "-v", "ON_ERROR_STOP=1"]);
        command.arg("-h").arg(server.socket()).arg("-f").arg(file);
        command.stdout(Stdio::null());
        Ok(command)
    };
    let tested = |jobs: &str| {
        let mut command = seedbed(&server, home.path(), &cache);
        command.args(["test", "--quiet", "--jobs", jobs]);
        Ok(command)
    };
    let commands = [psql(""), psql(" strategy file_copy"), tested("1"), tested("2")];
    let [plain, copied, alone, two] = in_turn(commands, 0, ROUNDS);
    let seconds = |times: measure::Measured| times.unwrap().milliseconds(0.5) / 1e3;
    let [plain, copied, alone, two] = [plain, copied, alone, two].map(seconds);
    let own = document(&server, home.path(), &cache, &["--jobs", "1"]);
    let steps: f64 =
        own["tests"].as_array().unwrap().iter().map(|test| test["elapsed_ms"].as_f64().unwrap()).sum();
    let steps = steps / 1e3;
    let begun = Instant::now();
    for number in 0..MIGRATED {
        let name = format!("migrated_{number}");
        server.create(&name);
        let mut command = seedbed(&server, home.path(), &cache);
        command.env("CONNECTION_STRING", url(&server, &name)).args(["migrate", "--quiet"]);
        assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
        server.client("postgres").batch_execute(&format!("drop database {name}")).unwrap();
    }
    let migrated = begun.elapsed().as_secs_f64() / MIGRATED as f64 * MANY as f64;
    println!("| | time | target |\n|---|---:|---|");
    println!("| psql: {MANY} × create from the template, drop | {plain:.2} s | |");
    println!("| the same with `strategy file_copy` | {copied:.2} s | |");
    println!("| the steps' own time, with connecting and reading the catalog | {steps:.2} s | |");
    let most = 1.2 * plain + steps;
    for (jobs, time) in [(1, alone), (2, two)] {
        println!("| `seedbed test --jobs {jobs}` | {time:.2} s | ≤ {most:.2} s: {} |", met(time <= most));
    }
    println!(
        "| a new database migrated for each ({MIGRATED} measured) | {migrated:.0} s | ≥ 20 ×: {:.0} ×, {} |",
        migrated / two,
        met(migrated / two >= 20.0)
    );
    let roster = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut without = Command::new(env!("CARGO_BIN_EXE_seedbed"));
    without.args(["test", "--quiet", "--throwaway", "--dir"]).arg(roster);
    without.env("SEEDBED_CACHE_DIR", &cache).stdout(Stdio::null());
    let [without] = in_turn([Ok(without)], 1, 5);
    let without = seconds(without);
    println!(
        "| `seedbed test` of the roster, no server running, cached data directory | {without:.2} s | ≤ 1.0 s: {} |",
        met(without <= 1.0)
    );
    let files = tempfile::tempdir().unwrap();
    project(files.path(), 1, FILES);
    let mut check = Command::new(env!("CARGO_BIN_EXE_seedbed"));
    check.args(["check", "--dir"]).arg(files.path()).stdout(Stdio::null());
    let [check] = in_turn([Ok(check)], 1, 5);
    let check = seconds(check);
    println!("| `seedbed check` of {FILES} scenario files | {check:.2} s | ≤ 0.3 s: {} |", met(check <= 0.3));
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

/// A project of so many migrations, a table each, and so many scenarios of five steps.
fn project(directory: &Path, migrations: usize, scenarios: usize) {
    for folder in ["migrations", "scenarios"] {
        std::fs::create_dir_all(directory.join(folder)).unwrap();
    }
    for number in 1..=migrations {
        let text = format!(
            "create table t{number} (id bigint generated always as identity primary key, name text not null unique, amount numeric not null default 0);\n"
        );
        std::fs::write(directory.join(format!("migrations/V{number}__t.sql")), text).unwrap();
    }
    for number in 1..=scenarios {
        let table = format!("t{}", number % migrations + 1);
        let text = format!(
            "scenario: Number {number}
steps:
  - add: A row
    into: {table}
    row: {{name: Alice, amount: 1.50}}
  - assert: It is there
    query: select name, amount from {table}
    rows:
      - {{name: Alice, amount: 1.5}}
  - change: It has more
    in: {table}
    where: {{name: Alice}}
    set: {{amount: 2}}
  - verify: It has
    exists: {{{table}: {{name: Alice, amount: 2}}}}
  - delete: It goes
    from: {table}
    where: {{name: Alice}}
"
        );
        std::fs::write(directory.join(format!("scenarios/s{number:04}.yaml")), text).unwrap();
    }
}

fn document(server: &Server, home: &Path, cache: &Path, arguments: &[&str]) -> Value {
    let mut command = seedbed(server, home, cache);
    let output = command.args(["test", "--json"]).args(arguments).stdout(Stdio::piped()).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["exit"], 0, "{document:#}");
    document
}

fn seedbed(server: &Server, home: &Path, cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seedbed"));
    command.current_dir(home).env("CONNECTION_STRING", url(server, "postgres"));
    command.env("SEEDBED_CACHE_DIR", cache).stdout(Stdio::null());
    command
}

fn url(server: &Server, database: &str) -> String {
    format!("host={} user=postgres dbname={database}", server.socket().display())
}
