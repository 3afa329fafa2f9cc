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

/// How often each is measured.
const ROUNDS: usize = 3;
/// How many scenarios, and how many migrations.
const MANY: usize = 200;
/// How many databases are migrated one by one; the others would take as long.
const MIGRATED: usize = 20;
/// How many files are checked.
const FILES: usize = 1_000;

fn main() {
    let server = Server::start();
    println!(
        "PostgreSQL {} without waiting for a disk, in `{}`; {} processors.",
        server.version(),
        server.socket().parent().unwrap().display(),
        std::thread::available_parallelism().unwrap()
    );
    // As projects grow, five migrations for each table; and as a bench is written, one.
    for each in [5, 1] {
        suite(&server, each);
    }
    whole();
}

/// Two hundred scenarios on two hundred migrations, of which one in so many creates a table.
fn suite(server: &Server, each: usize) {
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join("cache");
    project(home.path(), (MANY, each), MANY);
    println!(
        "\n{MANY} scenarios of 5 steps on a schema of {MANY} migrations, which create {} tables:\n",
        MANY / each
    );
    let first = document(server, home.path(), &cache, &[]);
    let template = first["templates"][0]["name"].as_str().unwrap().to_owned();
    let cloned = |strategy: &str| {
        let mut script = String::new();
        for number in 0..MANY {
            let _ = writeln!(
                script,
                "create database bench_{number} template {template}{strategy};\ndrop database bench_{number};"
            );
        }
        let file = home.path().join(format!("script{}.sql", strategy.len()));
        std::fs::write(&file, script).unwrap();
        let mut command = psql(server, "postgres");
        command.arg("-f").arg(file);
        Ok(command)
    };
    let tested = |jobs: usize| {
        let mut command = seedbed(server, home.path(), &cache);
        command.args(["test", "--quiet", "--jobs", &jobs.to_string()]);
        Ok(command)
    };
    let commands = [cloned(""), cloned(" strategy file_copy"), tested(1), tested(2)];
    let [plain, copied, alone, two] = in_turn(commands, 0, ROUNDS).map(seconds);
    let own = document(server, home.path(), &cache, &["--jobs", "1"]);
    let own = own["tests"].as_array().unwrap().iter().map(|test| test["elapsed_ms"].as_f64().unwrap());
    let own = own.sum::<f64>() / 1e3;
    println!("| | time | target |\n|---|---:|---|");
    println!("| psql: {MANY} × create from the template, drop | {plain:.2} s | |");
    println!("| the same with `strategy file_copy` | {copied:.2} s | |");
    println!("| the steps' own time, with connecting and reading the catalog | {own:.2} s | |");
    let most = 1.2 * plain + own;
    for (jobs, time) in [(1, alone), (2, two)] {
        println!("| `seedbed test --jobs {jobs}` | {time:.2} s | ≤ {most:.2} s: {} |", met(time <= most));
    }
    for (jobs, time) in [(1, alone), (2, two)] {
        for (with, tool, count) in [
            ("`seedbed migrate`", Tool::Seedbed, MIGRATED),
            ("`psql -f` for each file", Tool::Psql, MIGRATED / 5),
        ] {
            let migrated = migrated(server, home.path(), &cache, tool, (jobs, count));
            println!(
                "| a new database for each instead, {jobs} at a time, migrated by {with} ({count} measured), and the steps | {migrated:.1} s | ≥ 20 ×: {:.1} ×, {} |",
                migrated / time,
                met(migrated / time >= 20.0)
            );
        }
    }
}

/// What migrates a database.
#[derive(Clone, Copy)]
enum Tool {
    Seedbed,
    Psql,
}

/// The seconds that it takes to make a new database for each scenario, to migrate it, to run the scenario and
/// to drop it, with so many at a time, after as many as are to be measured.
fn migrated(server: &Server, home: &Path, cache: &Path, tool: Tool, (jobs, count): (usize, usize)) -> f64 {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for job in 0..jobs {
            scope.spawn(move || {
                for number in (job..count).step_by(jobs) {
                    let name = format!("migrated_{number}");
                    server.create(&name);
                    let run = |mut command: Command| {
                        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
                        assert!(command.status().unwrap().success());
                    };
                    let call = |arguments: &[&str]| {
                        let mut command = seedbed(server, home, cache);
                        command.env("CONNECTION_STRING", url(server, &name)).args(arguments);
                        run(command);
                    };
                    match tool {
                        Tool::Seedbed => call(&["migrate", "--quiet"]),
                        Tool::Psql => {
                            let folder = std::fs::read_dir(home.join("migrations")).unwrap();
                            let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
                            files.sort_by_key(|file| version(file));
                            for file in files {
                                let mut command = psql(server, &name);
                                command.arg("-f").arg(file);
                                run(command);
                            }
                        }
                    }
                    call(&["run", "--quiet", &format!("s{:04}", number + 1)]);
                    server.client("postgres").batch_execute(&format!("drop database {name}")).unwrap();
                }
            });
        }
    });
    begun.elapsed().as_secs_f64() / count as f64 * MANY as f64
}

/// The number that a migration's name begins with.
fn version(file: &Path) -> u32 {
    let name = file.file_name().unwrap().to_str().unwrap();
    name[1..].split("__").next().unwrap().parse().unwrap()
}

/// The server's own psql, which stops at the first error.
fn psql(server: &Server, database: &str) -> Command {
    let mut command = Command::new(server.programs().join("psql"));
    command.args(["-qXd", database, "-U", "postgres", "-v", "ON_ERROR_STOP=1"]);
    command.arg("-h").arg(server.socket()).stdout(Stdio::null());
    command
}

/// Commands as a whole, from their start to their end.
fn whole() {
    let home = tempfile::tempdir().unwrap();
    println!("\nFrom the start of the command to its end:\n\n| | time | target |\n|---|---:|---|");
    let roster = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut without = Command::new(env!("CARGO_BIN_EXE_seedbed"));
    without.args(["test", "--quiet", "--throwaway", "--dir"]).arg(roster);
    without.env("SEEDBED_CACHE_DIR", home.path().join("cache")).stdout(Stdio::null());
    let [without] = in_turn([Ok(without)], 1, 5).map(seconds);
    println!(
        "| `seedbed test` of the roster, no server running, cached data directory | {without:.2} s | ≤ 1.0 s: {} |",
        met(without <= 1.0)
    );
    project(home.path(), (1, 1), FILES);
    let mut check = Command::new(env!("CARGO_BIN_EXE_seedbed"));
    check.args(["check", "--dir"]).arg(home.path()).stdout(Stdio::null());
    let [check] = in_turn([Ok(check)], 1, 5).map(seconds);
    println!("| `seedbed check` of {FILES} scenario files | {check:.2} s | ≤ 0.3 s: {} |", met(check <= 0.3));
}

fn seconds(times: measure::Measured) -> f64 {
    times.unwrap().milliseconds(0.5) / 1e3
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

/// A project of so many migrations, of which one in so many creates a table and the others change it, and of
/// so many scenarios of five steps.
fn project(directory: &Path, (migrations, each): (usize, usize), scenarios: usize) {
    for folder in ["migrations", "scenarios"] {
        std::fs::create_dir_all(directory.join(folder)).unwrap();
    }
    for number in 0..migrations {
        let table = number / each + 1;
        let text = match number % each {
            0 => format!(
                "create table t{table} (
    id bigint generated always as identity primary key,
    name text not null unique,
    amount numeric not null default 0
);\n"
            ),
            1 => format!(
                "alter table t{table} add column note text, add column created timestamptz default now();\n"
            ),
            2 => format!("create index on t{table} (created);\n"),
            3 => format!("alter table t{table} add check (amount >= 0);\n"),
            _ => format!("create view v{table} as select name, amount from t{table} where amount > 0;\n"),
        };
        let file = format!("migrations/V{}__t{table}.sql", number + 1);
        std::fs::write(directory.join(file), text).unwrap();
    }
    let tables = migrations.div_ceil(each);
    for number in 1..=scenarios {
        let table = format!("t{}", number % tables + 1);
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
