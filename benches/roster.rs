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

use contestants::{bare, help, notebook, psql, seedbed, tell};
use measure::{in_turn, peak_memory, ratio, run, weigh};
use server::Server;
use table::{Row, Table};

/// How often each contestant runs before its time is taken.
const WARM_UPS: usize = 3;
/// How often each contestant runs.
const ROUNDS: usize = 40;

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
        notebook(&server, "notebook"),
        Ok(bare(&server, "bare")),
        Ok(help()),
    ];
    let [up, psql, notebook, bare, help] = in_turn(commands, WARM_UPS, ROUNDS);
    for (database, times) in [("seedbed", &up), ("psql", &psql), ("notebook", &notebook), ("bare", &bare)] {
        if times.is_ok() {
            server.assert_told(database);
        }
    }

    let mut table = Table::new(&server, ROUNDS);
    let to_psql = ratio(&up, &psql);
    table.push(
        Row::times("`seedbed up`, nothing left to do", &up)
            .ratio(to_psql)
            .target("≤ 0.5 × `psql`", to_psql.map(|ratio| ratio <= 0.5)),
    );
    table.push(Row::times("`psql -f`, the story as SQL", &psql).ratio(ratio(&psql, &psql)));
    let factor = ratio(&notebook, &up);
    let target = format!("≥ 25 × `seedbed up`: {:.1} ×", factor.unwrap_or(f64::NAN));
    table.push(
        Row::times("SQLAlchemy, the story as a notebook", &notebook)
            .ratio(ratio(&notebook, &psql))
            .target(&target, factor.map(|factor| factor >= 25.0)),
    );
    table.push(Row::times("a bare client, the same SQL: the floor", &bare).ratio(ratio(&bare, &psql)));
    table.push(
        Row::times("`seedbed --help`", &help)
            .target("≤ 10 ms", help.as_ref().ok().map(|times| times.milliseconds(0.5) <= 10.0)),
    );
    let peak = peak_memory(&seedbed(server.socket(), "up", "seedbed"), 5);
    table.push(
        Row::new("memory of `seedbed up`, at its peak", format!("{peak:.1} MiB"))
            .target("≤ 20 MiB", Some(peak <= 20.0)),
    );
    trips::count(&server, &mut table);
    table
}

/// A database for each, with the tables there.
fn prepare(server: &Server) {
    for database in ["seedbed", "psql", "notebook", "bare"] {
        server.create(database);
    }
    run(&mut seedbed(server.socket(), "migrate", "seedbed"));
    for database in ["psql", "notebook", "bare"] {
        server.client(database).batch_execute(include_str!("../migrations/V1__create_roster.sql")).unwrap();
    }
}
