//! What the server does to a statement: refuses, cancels, blocks, deadlocks or throws it back.

use std::thread;
use std::time::{Duration, Instant};

use super::proxy::{Fault, Harm, Passes, Proxy};
use super::trial::socket;
use super::wait_for;
use super::wire::Way;
use crate::support::{Database, Output, Seedbed, project};

const ADD: &str = "scenario: Trouble\nsteps:\n  - add: One\n    into: t\n    row: {id: 1}\n";

/// A table whose rows, as they are inserted, run some PL/pgSQL that knows how often it was tried.
fn table(deferred: &str, body: &str) -> Database {
    let database = Database::create();
    database.execute(&format!(
        "create table t (id int); create sequence tries;
         create function trouble() returns trigger language plpgsql as $$
         declare try int := nextval('tries'); begin {body}; return null; end $$;
         create constraint trigger trouble after insert on t {deferred} for each row execute function trouble()"
    ));
    database
}

fn run(database: &Database, arguments: &[&str]) -> Output {
    let directory = project(&[("scenarios/a.yaml", ADD)]);
    let url = database.url();
    let mut all = vec!["run", "--url", &url, "--retry-delay", "10ms", "--verbose"];
    all.extend(arguments);
    Seedbed::new(directory.path()).run(&all)
}

/// Ran once, kept nothing, and said these words.
fn is_refused(database: &Database, output: &Output, words: &[&str]) {
    assert_eq!(output.status, "1", "{}", output.text);
    for words in words.iter().chain(&["One", "scenarios/a.yaml:3"]) {
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
    }
    assert_eq!(database.rows("select last_value from tries"), ["1"], "{}", output.text);
    assert_eq!(database.rows("select * from t"), Vec::<String>::new());
    assert_eq!(database.rows("select * from seedbed_ledger"), Vec::<String>::new());
}

/// Ran this often, and was kept once.
fn is_done(database: &Database, output: &Output, tries: &str) {
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select last_value from tries"), [tries], "{}", output.text);
    assert_eq!(database.rows("select * from t"), ["1"]);
    assert_eq!(database.rows("select outcome from seedbed_ledger"), ["added"]);
}

#[test]
fn what_the_server_cancels_is_not_tried_again() {
    let database = table("", "perform pg_sleep(20)");
    let output = run(&database, &["--statement-timeout", "300ms"]);
    is_refused(&database, &output, &["57014", "--statement-timeout"]);
    let database = table("", "perform pg_cancel_backend(pg_backend_pid()); perform pg_sleep(1)");
    is_refused(&database, &run(&database, &[]), &["57014"]);
    let database =
        table("initially deferred", "perform pg_cancel_backend(pg_backend_pid()); perform pg_sleep(1)");
    is_refused(&database, &run(&database, &[]), &["57014"]);
}

#[test]
fn a_full_disk_is_not_tried_again() {
    let database =
        table("", "perform count(*) from (select random() r from generate_series(1, 300000) order by r) x");
    database.execute(&format!(
        "alter database {0} set temp_file_limit = '1MB'; alter database {0} set work_mem = '64kB'",
        database.name
    ));
    is_refused(&database, &run(&database, &[]), &["53400", "temporary file size exceeds"]);
    let body = "raise exception 'No space left on device' using errcode = '53100'";
    for deferred in ["", "initially deferred"] {
        let database = table(deferred, body);
        is_refused(&database, &run(&database, &[]), &["53100"]);
    }
}

#[test]
fn what_is_thrown_back_is_tried_again_whatever_the_language_of_the_server() {
    for (state, words) in [
        ("40001", "konnte Zugriff nicht serialisieren wegen gleichzeitiger Aktualisierung"),
        ("40P01", "Verklemmung entdeckt"),
        ("55P03", "Sperre nicht verfügbar"),
        ("55006", "Objekt wird benutzt"),
    ] {
        for deferred in ["", "initially deferred"] {
            let body =
                format!("if try <= 2 then raise exception '{words}' using errcode = '{state}'; end if");
            let database = table(deferred, &body);
            is_done(&database, &run(&database, &[]), "3");
        }
    }
    let body = "raise exception 'Verklemmung entdeckt' using errcode = '40P01'";
    let database = table("", body);
    let output = run(&database, &["--attempts", "2"]);
    assert_eq!(output.status, "1", "{}", output.text);
    assert_eq!(database.rows("select last_value from tries"), ["2"]);
}

#[test]
fn a_deadlock_ends_with_the_step_done_once_whoever_is_the_victim() {
    // Who waits for the shorter time finds the deadlock, and is its victim.
    for (own, others) in [("100ms", "20s"), ("20s", "100ms")] {
        let database = table("", "lock table b in exclusive mode");
        database.execute("create table b (id int)");
        let mut partner = database.client();
        partner
            .batch_execute(&format!(
                "set deadlock_timeout = '{others}'; begin; lock table b in exclusive mode"
            ))
            .unwrap();
        database.execute(&format!("alter database {} set deadlock_timeout = '{own}'", database.name));
        let waits = "select 1 from pg_locks where not granted and relation = 'b'::regclass";
        let name = database.name.clone();
        let partner = thread::spawn(move || {
            let database = Database { name };
            wait_for(|| database.rows(waits).pop());
            let won = partner.batch_execute("lock table t in access exclusive mode").is_ok();
            partner.batch_execute("rollback").unwrap();
            won
        });
        let output = run(&database, &[]);
        let partner_won = partner.join().unwrap();
        assert_eq!(partner_won, own == "100ms");
        is_done(&database, &output, if partner_won { "2" } else { "1" });
        assert_eq!(output.text.contains("deadlock detected"), partner_won, "{}", output.text);
    }
}

#[test]
fn a_lock_on_the_table_is_waited_for_within_limits() {
    let database = table("", "perform 1");
    let mut other = database.client();
    other.batch_execute("begin; lock table t in access exclusive mode").unwrap();
    let started = Instant::now();
    let output = run(&database, &["--lock-timeout", "300ms", "--attempts", "2"]);
    assert_eq!(output.status, "1", "{}", output.text);
    for words in ["55P03", "try 2", "scenarios/a.yaml:3", "help: "] {
        assert!(output.text.contains(words), "no `{words}` in {}", output.text);
    }
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    let free = thread::spawn(move || {
        thread::sleep(Duration::from_millis(700));
        other.batch_execute("rollback").unwrap();
    });
    let output = run(&database, &["--lock-timeout", "300ms", "--attempts", "10"]);
    free.join().unwrap();
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows("select * from t"), ["1"]);
}

#[test]
fn a_short_limit_for_idle_transactions_does_not_end_a_slow_step() {
    let database = table("", "perform 1");
    let limit = "alter database {} set idle_in_transaction_session_timeout = '100ms'";
    database.execute(&limit.replace("{}", &database.name));
    let directory = project(&[("scenarios/a.yaml", ADD)]);
    let arguments = |port| {
        let url = format!("postgres://postgres@127.0.0.1:{port}/{}?sslmode=disable", database.name);
        ["run".to_owned(), "--url".to_owned(), url, "--attempts".to_owned(), "1".to_owned()]
    };
    let proxy = Proxy::before(&socket(), None);
    let output = Seedbed::new(directory.path()).run(&arguments(proxy.port));
    assert_eq!(output.status, "0", "{}", output.text);
    let messages = proxy.seen();
    let sent: Vec<_> = messages.iter().filter(|(way, _, _)| *way == Way::ToServer).collect();
    // On the second run, which finds the ledger there, the statement comes one message earlier; it
    // comes half a second after its BEGIN.
    let at = sent.iter().rposition(|(_, text, _)| text.starts_with("P ")).unwrap();
    database.execute("delete from t; delete from seedbed_ledger; select setval('tries', 1, false)");
    let harm = Harm::Delay(Duration::from_millis(500));
    let proxy = Proxy::before(&socket(), Some(Fault { way: Way::ToServer, at, harm, passes: Passes::All }));
    let output = Seedbed::new(directory.path()).run(&arguments(proxy.port));
    let seen = proxy.seen();
    let mut sent = seen.iter().filter(|(way, _, _)| *way == Way::ToServer);
    assert!(sent.nth(at - 1).unwrap().1.starts_with("P "), "{seen:?}");
    is_done(&database, &output, "1");
}
