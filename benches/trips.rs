//! The round trips of a run, counted by a proxy before the server's socket.

use crate::contestants::seedbed;
use crate::measure::run;
use crate::proxy::{Counted, Proxy};
use crate::server::Server;
use crate::table::{Row, Table};

/// What a password costs, which the socket does not ask for.
const PASSWORD: usize = 2;

/// Counts those of a first run and of a second one, and keeps the worse of the two.
pub fn count(server: &Server, table: &mut Table) {
    let proxy = Proxy::before(&server.socket().join(".s.PGSQL.5432"));
    server.create("trips");
    let runs = [(); 2].map(|()| {
        run(&mut seedbed(proxy.host(), "up", "trips"));
        proxy.take()
    });
    let reading = most(&runs, "read only");
    let writing = most(&runs, "read write");
    let others = runs.iter().map(|counted| counted.others).max().unwrap() + PASSWORD;
    let mut push = |what: &str, count: usize, limit: usize| {
        table.push(Row::new(what, count.to_string()).target(&format!("≤ {limit}"), Some(count <= limit)));
    };
    push("round trips of a step that reads, at most", reading, 3);
    push("round trips of a step that writes, at most", writing, 5);
    push("all other round trips, with a password", others, 8);
}

/// The most round trips of the steps whose transaction begins like this. A step says its number to the
/// server, a migration has none.
fn most(runs: &[Counted], access: &str) -> usize {
    let transactions = runs.iter().flat_map(|counted| &counted.transactions);
    let steps = transactions.filter(|(sql, _)| sql.contains(access) && sql.contains(" step "));
    steps.map(|(_, count)| *count).max().unwrap()
}
