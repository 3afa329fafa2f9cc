//! Behind PgBouncer in transaction mode: sessions are a fiction there, transactions are not.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::{Database, Seedbed, server};

/// A running PgBouncer. Dropping it ends it.
struct Pooler {
    process: Child,
    directory: tempfile::TempDir,
}

impl Pooler {
    /// In front of one database of the server; few server connections, so that clients share them.
    fn start(database: &Database) -> Pooler {
        let directory = tempfile::Builder::new().prefix("pooler").tempdir_in("/tmp").unwrap();
        let socket = server().socket_directory().display();
        let path = directory.path().display();
        let settings = format!(
            "[databases]\n{0} = host={socket} port=5432 dbname={0} user=postgres\n\
             [pgbouncer]\nlisten_addr =\nlisten_port = 7432\nunix_socket_dir = {path}\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 2\nlogfile = {path}/log\n",
            database.name
        );
        let file = directory.path().join("settings");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new("pgbouncer");
        command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        // The server's own account, which may enter the socket's directory; PgBouncer refuses root.
        let owner = std::fs::metadata(server().socket_directory()).unwrap();
        use std::os::unix::fs::{MetadataExt, chown};
        let runs_as = std::fs::metadata(directory.path()).unwrap().uid();
        if owner.uid() != runs_as {
            chown(directory.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
            chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
            command.uid(owner.uid()).gid(owner.gid());
        }
        let process = command.spawn();
        let process =
            process.unwrap_or_else(|error| panic!("the tests need PgBouncer ({error}): run scripts/tools"));
        let pooler = Pooler { process, directory };
        let directory = &pooler.directory;
        let ready = directory.path().join(".s.PGSQL.7432");
        for _ in 0..500 {
            if ready.exists() {
                return pooler;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("PgBouncer did not start: {:?}", std::fs::read_to_string(directory.path().join("log")));
    }

    fn url(&self, database: &Database) -> String {
        format!("host={} port=7432 user=postgres dbname={}", self.directory.path().display(), database.name)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const LOCKS: &str = "select count(*) from pg_locks where locktype = 'advisory'
    and database = (select oid from pg_database where datname = current_database())";

fn up(url: &str) -> String {
    up_in(Path::new(env!("CARGO_MANIFEST_DIR")), url)
}

fn up_in(project: &Path, url: &str) -> String {
    let output = Seedbed::new(project).run(&["up", "--url", url]);
    assert_eq!(output.status, "0", "{}", output.text);
    output.text
}

#[test]
fn runners_behind_a_pooler_do_everything_once_and_leave_no_lock() {
    let database = Database::create();
    let pooler = Pooler::start(&database);
    let url = pooler.url(&database);
    let runners: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            thread::spawn(move || up(&url))
        })
        .collect();
    for runner in runners {
        let text = runner.join().unwrap();
        assert!(text.contains("a pooler stands between"), "{text}");
    }
    let roster = "select e.id, e.name from employees e order by 1";
    assert_eq!(database.rows(roster), ["1|Alice", "3|Charlie", "4|David"]);
    assert_eq!(database.rows("select count(*) from refinery_schema_history"), ["1"]);
    assert_eq!(database.rows("select count(*) from seedbed_ledger"), ["3"]);
    assert_eq!(database.rows(LOCKS), ["0"]);
    // Past the pooler and through it: the same database, the same story.
    assert!(!up(&database.url()).contains("pooler"));
    assert!(up(&url).contains("nothing pending"));
}

#[test]
fn a_client_that_was_killed_behind_a_pooler_leaves_nothing_in_the_way() {
    let database = Database::create();
    let pooler = Pooler::start(&database);
    let url = pooler.url(&database);
    // Its rows say nothing of their ids: those that a killed run has drawn are gone.
    let project = crate::faults::trial::project();
    for delay in [5, 15, 25, 35, 45] {
        let mut runner = Command::new(crate::support::binary())
            .args(["up", "--no-env-file", "--url", &url])
            .current_dir(&project)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(delay));
        runner.kill().unwrap();
        runner.wait().unwrap();
    }
    up_in(&project, &url);
    assert_eq!(database.rows("select count(*) from effects"), ["7"]);
    // She comes without a key, so whoever is killed behind her visit lets her come again.
    assert_eq!(database.rows("select count(*) between 1 and 6 from visits"), ["t"]);
}

#[test]
fn a_migration_without_a_transaction_is_refused_behind_a_pooler() {
    let database = Database::create();
    let pooler = Pooler::start(&database);
    database.execute("create table t (a int)");
    let directory = crate::support::project(&[(
        "migrations/V1__index.sql",
        "-- seedbed: no-transaction\ncreate index concurrently t_a on t (a);",
    )]);
    let output = Seedbed::new(directory.path()).run(&["migrate", "--url", &pooler.url(&database)]);
    assert_eq!(output.status, "4", "{}", output.text);
    assert!(output.text.contains("connect past the pooler"), "{}", output.text);
    assert_eq!(database.rows("select count(*) from pg_index where indrelid = 't'::regclass"), ["0"]);
}

#[test]
fn every_kind_of_step_holds_behind_a_pooler_and_leaves_its_sessions_as_they_were() {
    let database = Database::create();
    database.execute(
        "create role pooled_app; create table t (id int, said text); grant insert on t to pooled_app",
    );
    let pooler = Pooler::start(&database);
    let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/steps");
    for _ in 0..2 {
        let output = Seedbed::new(&steps).run(&["up", "--url", &pooler.url(&database)]);
        assert_eq!(output.status, "0", "{}", output.text);
    }
    let scenario = "scenario: Sessions
steps:
  - sql: What it sets
    statements: |
      set search_path = pg_catalog;
      set role pooled_app;
      insert into public.t select n, :said from generate_series(1, :n::int) n;
      select :nothing is null
    with: {said: a, n: 3, nothing: null}
  - add: As another
    into: t
    row: {id: 4, said: b}
    role: pooled_app
  - assert: Refused
    role: pooled_app
    query: select * from t
    error: {condition: insufficient_privilege}
  - assert: Looks again
    query: select current_user || ' ' || current_setting('search_path') || ' ' || count(*) from t
    value: 'postgres \"$user\", public 4'
    eventually: {within: 5s}
";
    let directory = crate::support::project(&[("scenarios/a.yaml", scenario)]);
    let output = Seedbed::new(directory.path()).run(&["run", "--url", &pooler.url(&database)]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert_eq!(database.rows(LOCKS), ["0"]);
}

#[test]
fn tests_on_databases_of_their_own_need_the_server_itself() {
    let database = Database::create();
    let pooler = Pooler::start(&database);
    let scenario = "scenario: A\nsteps:\n  - assert: One\n    query: select 1\n    value: 1\n";
    let directory = crate::support::project(&[("scenarios/a.yaml", scenario)]);
    let run = |arguments: &[&str]| {
        Seedbed::new(directory.path()).variable("CONNECTION_STRING", &pooler.url(&database)).run(arguments)
    };
    let refused = run(&["test", "--wait", "2s"]);
    assert_eq!(refused.status, "3", "{}", refused.text);
    assert!(refused.text.contains("a pooler stands between here and"), "{}", refused.text);
    let alone = run(&["test", "--isolate", "none"]);
    assert_eq!(alone.status, "0", "{}", alone.text);
}
