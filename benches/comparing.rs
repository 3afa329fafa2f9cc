//! Assertions with many rows: how long a whole run takes that compares them, and what it holds.
//! `scripts/bench-comparing` brings what it needs, and prints the table.

#[allow(dead_code)] // It measures other things elsewhere.
mod measure;
#[allow(dead_code)]
mod server;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use measure::{in_turn, peak_memory, weigh};
use server::Server;

/// How often each is measured.
const ROUNDS: usize = 5;
/// How many rows are listed.
const ROWS: usize = 10_000;
/// A row of five columns for each.
const QUERY: &str = "select i as id, 'name ' || i as name, (i * 1.5)::numeric as amount, date '2024-01-01' + i as day, i % 7 = 0 as ok from generate_series(1, 10000) i";
const NUMBERS: &str = "select i as id from generate_series(1, 10000) i";
const MILLION: &str = "select i as id, 'x' || i as name from generate_series(1, 1000000) i";

fn main() {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == measure::WEIGH) {
        return weigh(&arguments[1], &arguments[2..]);
    }
    let server = Server::start();
    server.create("comparing");
    println!(
        "An assertion with {ROWS} rows in any order, a whole run each; medians of {ROUNDS}; PostgreSQL {} on the same machine.\n\n| | time | memory | target |\n|---|---:|---:|---|",
        server.version()
    );
    let cells = |row: usize, name: usize| {
        format!(
            "{{id: {row}, name: name {name}, amount: {}, day: {{$any: true}}, ok: {}}}",
            row as f64 * 1.5,
            row.is_multiple_of(7)
        )
    };
    let report = |what: &str, target: Option<f64>, scenario: String| {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("scenarios")).unwrap();
        std::fs::write(home.path().join("scenarios/a.yaml"), scenario).unwrap();
        let [times] = in_turn([Ok(seedbed(&server, home.path()))], 1, ROUNDS);
        let seconds = times.unwrap().milliseconds(0.5) / 1e3;
        let memory = peak_memory(&seedbed(&server, home.path()), 2);
        let target = target.map_or(String::new(), |most| {
            format!("≤ {most} s: {}", if seconds <= most { "met" } else { "missed" })
        });
        println!("| {what} | {seconds:.2} s | {memory:.0} MiB | {target} |");
    };
    let plain = |row: usize| cells(row, row).replace("{$any: true}", &day(row));
    report("equal, five columns", None, listed(QUERY, "held", plain));
    let different = |row: usize| {
        cells(row, if row.is_multiple_of(100) { 0 } else { row }).replace("{$any: true}", &day(row))
    };
    report("one of a hundred differs", Some(1.0), listed(QUERY, "differs", different));
    let matchers = |row: usize| cells(row, row).replace(&format!("name {row},"), "{$matches: ^name},");
    report("with matchers in two columns", None, listed(QUERY, "held", matchers));
    let between = |row: usize| format!("{{id: {{$between: [{}, {row}]}}}}", row.saturating_sub(500).max(1));
    report("with nothing but `$between`, 500 wide", None, listed(NUMBERS, "held", between));
    let few = "rows: [{id: 1, name: {$any: true}}, {id: 900000, name: x900000}]";
    report(
        "two rows among a million",
        None,
        format!(
            "scenario: Many\nsteps:\n  - assert: It\n    query: {MILLION}\n    match: contains\n    {few}\n"
        ),
    );
    report(
        "a million rows, where two are expected",
        None,
        format!(
            "scenario: Many\nsteps:\n  - assert: It\n    query: {MILLION}\n    {few}\n    expect: differs\n"
        ),
    );
}

/// A scenario that lists a row for each number, in an order that no query has.
fn listed(query: &str, end: &str, row: impl Fn(usize) -> String) -> String {
    let mut text =
        format!("scenario: Many\nsteps:\n  - assert: It\n    query: {query}\n    expect: {end}\n    rows:\n");
    for at in 0..ROWS {
        text.push_str(&format!("      - {}\n", row((at * 7_919) % ROWS + 1)));
    }
    text
}

/// So many days behind the first of 2024.
fn day(days: usize) -> String {
    let first = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(19_723 * 86_400);
    let day = first + std::time::Duration::from_secs(days as u64 * 86_400);
    humantime::format_rfc3339_seconds(day).to_string()[..10].to_owned()
}

fn seedbed(server: &Server, home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seedbed"));
    let socket = server.socket().to_string_lossy().replace('/', "%2F");
    command.args(["run", "--quiet", "--url", &format!("postgresql://postgres@{socket}/comparing")]);
    command.current_dir(home);
    command
}
