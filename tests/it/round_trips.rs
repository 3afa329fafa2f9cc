//! A run over a slow link is predictable: round trips are counted, and few.

use std::path::Path;

use crate::proxy::{Counted, Proxy};
use crate::support::{Database, Seedbed, server};

fn up(proxy: &Proxy, database: &Database) -> Counted {
    let url = format!("host={} user=postgres dbname={}", proxy.host().display(), database.name);
    let output = Seedbed::new(Path::new(env!("CARGO_MANIFEST_DIR"))).run(&["up", "--url", &url]);
    assert_eq!(output.status, "0", "{}", output.text);
    proxy.take()
}

#[test]
fn steps_take_three_round_trips_and_the_rest_of_a_run_few() {
    let proxy = Proxy::before(&server().socket_directory().join(".s.PGSQL.5432"));
    let database = Database::create();
    for run in ["first", "second"] {
        let counted = up(&proxy, &database);
        let migrations = counted.transactions.len() - 8;
        for (sql, count) in &counted.transactions {
            let most = if sql.contains("read only") { 3 } else { 5 };
            assert!(*count <= most, "{run}: {count} round trips in {sql}");
        }
        let most: usize = counted.transactions.iter().map(|(_, count)| count).sum();
        // The socket trusts its owner; a password costs two more.
        assert!(counted.others + 2 <= 8, "{run}: {} others, {counted:?}", counted.others);
        eprintln!(
            "{run} run: {migrations} migration transactions, {most} round trips in transactions, {} others",
            counted.others
        );
    }
}
