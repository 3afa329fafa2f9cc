//! The figures in the README: the roster's story, told in turn by `seedbed up` and by others, on one
//! warm server. `scripts/bench` brings what it needs, and prints the table.
//!
//! Every contestant has a database of its own, where the story has been told before. What counts is
//! the wall time of the whole process, from its start to its end.

mod contestants;
mod measure;
#[path = "../tests/it/proxy.rs"]
mod proxy;
mod server;
mod table;
mod trips;

use std::ffi::OsString;

use contestants::{bare, help, notebook, psql, psql_on_path, seedbed, tell};
use measure::{Measured, in_turn, peak_memory, ratio, run, weigh};
use server::Server;
use table::{Row, Table};

/// How often each contestant runs before its time is taken.
const WARM_UPS: usize = 3;
/// How often each contestant runs.
const ROUNDS: usize = 40;
/// The databases of those who tell the story, in the order of their runs.
const DATABASES: [&str; 5] = ["seedbed", "psql", "psql_on_path", "notebook", "bare"];

fn main() {
    // Two processes of the benchmark are this program itself.
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|first| first.to_str()) {
        Some(contestants::TELL) => tell(arguments[1].as_ref(), &arguments[2].to_string_lossy()),
        Some(measure::WEIGH) => weigh(&arguments[1], &arguments[2..]),
        _ => print!("{}", compare()),
    }
}

/// Measures everything. What cannot be measured says why, in its row.
fn compare() -> Table {
    let server = Server::start();
    prepare(&server);
    let commands = [
        Ok(seedbed(server.socket(), "up", "seedbed")),
        psql(&server, "psql"),
        psql_on_path(&server, "psql_on_path"),
        notebook(&server, "notebook"),
        Ok(bare(&server, "bare")),
        Ok(help()),
    ];
    let times = in_turn(commands, WARM_UPS, ROUNDS);
    for (database, _) in DATABASES.iter().zip(&times).filter(|(_, times)| times.is_ok()) {
        server.assert_told(database);
    }
    let mut table = Table::new(&server, ROUNDS);
    wall_times(&mut table, &times);
    let peak = peak_memory(&seedbed(server.socket(), "up", "seedbed"), 5);
    let row = Row::new("memory of `seedbed up`, at its peak", format!("{peak:.1} MiB"));
    table.push(row.target("≤ 20 MiB", Some(peak <= 20.0)));
    trips::count(&server, &mut table);
    table
}

/// Creates the databases, with the tables in them.
fn prepare(server: &Server) {
    for database in DATABASES {
        server.create(database);
        match database {
            "seedbed" => drop(run(&mut seedbed(server.socket(), "migrate", database))),
            _ => server.migrate(database),
        }
    }
}

fn wall_times(table: &mut Table, [up, psql, psql_on_path, notebook, bare, help]: &[Measured; 6]) {
    let mut push = |what: &str, times: &Measured, target: &str, is_met: Option<bool>| {
        table.push(Row::times(what, times).ratio(ratio(times, psql)).target(target, is_met));
    };
    // What a person calls is what a bare client was measured against when the target was set: 0.22 of it.
    let called = if psql_on_path.is_ok() { psql_on_path } else { psql };
    let up_to_called = ratio(up, called);
    let measured = up_to_called.map_or(String::new(), |ratio| format!(": {ratio:.2} ×"));
    let target = format!("≤ 0.5 × the `psql` on the path{measured}");
    push("`seedbed up`, nothing left to do", up, &target, up_to_called.map(|ratio| ratio <= 0.5));
    push("`psql -f`, the story as SQL", psql, "", None);
    push("the same by the `psql` on the path, a wrapper", psql_on_path, "", None);
    let factor = ratio(notebook, up);
    let measured = factor.map_or(String::new(), |factor| format!(": {factor:.1} ×"));
    let target = format!("≥ 25 × `seedbed up`{measured}");
    push("SQLAlchemy, the story as a notebook", notebook, &target, factor.map(|factor| factor >= 25.0));
    push("a bare client, the same SQL: the floor", bare, "", None);
    let median = help.as_ref().ok().map(|times| times.milliseconds(0.5));
    table.push(Row::times("`seedbed --help`", help).target("≤ 10 ms", median.map(|median| median <= 10.0)));
}
