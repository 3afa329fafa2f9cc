//! Lost, silent, lying and refusing servers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use seedbed::database::clock::Clock;
use seedbed::database::dsn::Dsn;
use seedbed::database::error::{Class, Error, Phase};
use seedbed::database::session::{Limits, Session};
use seedbed::plan::{Access, Statement};

use crate::support::{Database, Seedbed, project, server};

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    statement: Duration::from_secs(5),
    migration: Duration::from_secs(5),
    lock: Duration::from_secs(1),
    runner: Duration::from_secs(5),
    grace: Duration::from_millis(500),
};

fn session(database: &Database, limits: Limits) -> Session {
    let dsn = Dsn::parse(&database.url(), &|_| None).unwrap();
    Session::open(&dsn, "test", None, limits, &Clock::start(Duration::ZERO)).unwrap()
}

fn statement(sql: &str) -> Statement {
    Statement { sql: sql.to_owned(), ..Statement::default() }
}

#[test]
fn a_commit_that_would_lie_is_an_error() {
    let database = Database::create();
    database.execute("create table t (id int)");
    let mut session = session(&database, LIMITS);
    session.begin(Access::Write, "", "").unwrap();
    session
        .query(&statement("with i as (insert into t values (1) returning 1) select count(*)::text from i"))
        .unwrap();
    // Someone swallows an error inside the transaction: the server has given it up.
    session.query(&statement("select (1 / 0)::text")).unwrap_err();
    let error = session.commit(Access::Write, "").unwrap_err();
    assert_eq!(error.server().unwrap().sqlstate, "25P02");
    assert_eq!(error.class(Phase::Commit), Class::Permanent);
    session.rollback().unwrap();
    assert_eq!(database.rows("select count(*) from t"), ["0"]);
}

#[test]
fn a_commit_says_what_its_own_transaction_wrote() {
    let database = Database::create();
    database.execute(
        "create table parent (id int primary key); create table child (id int references parent on delete cascade);
         create table log (what text);
         create function note() returns trigger language plpgsql as $$ begin insert into log values (tg_op); return null; end $$;
         create trigger note after insert or delete on parent for each statement execute function note()",
    );
    let mut session = session(&database, LIMITS);
    let mut wrote = |sql: &str| {
        session.begin(Access::Write, "", "").unwrap();
        session
            .query(&statement(&format!("with w as ({sql} returning 1) select count(*)::text from w")))
            .unwrap();
        let wrote = session.commit(Access::Write, "").unwrap();
        wrote.into_iter().map(|it| format!("{} {:?}", it.table, it.rows)).collect::<Vec<_>>()
    };
    assert_eq!(wrote("insert into parent values (1), (2)"), ["log [1, 0, 0]", "parent [2, 0, 0]"]);
    assert_eq!(wrote("insert into child values (1), (1), (2)"), ["child [3, 0, 0]"]);
    assert_eq!(
        wrote("delete from parent where id = 1"),
        ["child [0, 0, 2]", "log [1, 0, 0]", "parent [0, 0, 1]"]
    );
    assert_eq!(wrote("update child set id = 2"), ["child [0, 1, 0]"]);
}

#[test]
fn a_stopped_server_process_is_given_up_in_time() {
    let database = Database::create();
    let mut session = session(&database, Limits { statement: Duration::from_millis(300), ..LIMITS });
    let pid = session.simple("select pg_backend_pid()".to_owned(), LIMITS.statement).unwrap()[0][0]
        .clone()
        .unwrap();
    signal(Signal::SIGSTOP, &pid);
    let started = Instant::now();
    let result = session.query(&statement("select ''"));
    let elapsed = started.elapsed();
    signal(Signal::SIGCONT, &pid);
    assert!(matches!(result, Err(Error::Silent(_))), "{result:?}");
    assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let directory = project(&[("migrations/V1__a.sql", "select 1;")]);
    let started = Instant::now();
    let url = format!("postgres://u@127.0.0.1:{port}/d");
    let output =
        Seedbed::new(directory.path()).run(&["up", "--wait", "2s", "--connect-timeout", "1s", "--url", &url]);
    assert_eq!(output.status, "3", "{}", output.text);
    assert!(output.text.contains("the server was silent for 1s"), "{}", output.text);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[test]
fn a_server_that_comes_later_is_waited_for() {
    let database = Database::create();
    let socket = server().socket_directory().join(".s.PGSQL.5432");
    let port = free_port();
    let directory = project(&[("migrations/V1__a.sql", "create table a (id int);")]);
    let relay = thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (client, _) = listener.accept().unwrap();
        relay(client, std::os::unix::net::UnixStream::connect(socket).unwrap());
    });
    let url = format!("postgres://postgres@127.0.0.1:{port}/{}?sslmode=disable", database.name);
    let output = Seedbed::new(directory.path()).run(&["up", "--wait", "20s", "--url", &url]);
    relay.join().unwrap();
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("connection refused (try 1"), "{}", output.text);
}

#[test]
fn a_step_whose_connection_dies_is_done_again_on_a_new_one() {
    let database = Database::create();
    // The first two times the step runs, it kills the process that serves it.
    database.execute(
        "create table t (id int primary key); create sequence tries;
         create function flaky() returns trigger language plpgsql as $$ begin
           if nextval('tries') <= 2 then perform pg_terminate_backend(pg_backend_pid()); end if; return new; end $$;
         create trigger flaky before insert on t for each row execute function flaky()",
    );
    let directory = project(&[(
        "scenarios/a.yaml",
        "scenario: Flaky\nsteps:\n  - add: One\n    into: t\n    row: {id: 1}\n  - verify: Once\n    count: {t: 1}\n",
    )]);
    let run = |attempts: &str| {
        let seedbed = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url());
        seedbed.run(&["run", "--attempts", attempts, "--retry-delay", "10ms"])
    };
    let output = run("3");
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("3 tries"), "{}", output.text);
    assert_eq!(database.rows("select * from t"), ["1"]);
    database.execute("delete from t; select setval('tries', 1, false)");
    let output = run("2");
    assert_eq!(output.status, "3", "{}", output.text);
    assert_eq!(database.rows("select * from t"), Vec::<String>::new());
}

#[test]
fn an_idle_connection_that_was_cut_is_replaced() {
    let database = Database::create();
    let directory = project(&[(
        "scenarios/a.yaml",
        "scenario: Cut\nsteps:\n  - assert: Cuts every connection of the database\n    query: select pg_terminate_backend(pid)::text from pg_stat_activity where datname = current_database() and pid = pg_backend_pid() and not exists (select from pg_class where relname = 'was_here')\n    rows: []\n",
    )]);
    // The query of the step ends its own session until the table is there.
    let database_name = database.name.clone();
    let maker = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        Database { name: database_name }.execute("create table was_here ()");
    });
    let output = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(&[
        "run",
        "--attempts",
        "10",
        "--retry-delay",
        "100ms",
    ]);
    maker.join().unwrap();
    assert_eq!(output.status, "0", "{}", output.text);
}

#[test]
fn a_wrong_password_is_tried_once() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let (port, counted) = (free_port(), attempts.clone());
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut client = client.unwrap();
            let mut startup = [0; 4096];
            let _ = client.read(&mut startup).unwrap();
            // AuthenticationCleartextPassword, then the server's own refusal.
            client.write_all(b"R\0\0\0\x08\0\0\0\x03").unwrap();
            let _ = client.read(&mut startup).unwrap();
            let fields = b"SFATAL\0C28P01\0Mpassword authentication failed for user \"u\"\0\0";
            client.write_all(b"E").unwrap();
            client.write_all(&(fields.len() as u32 + 4).to_be_bytes()).unwrap();
            client.write_all(fields).unwrap();
        }
    });
    let directory = project(&[("migrations/V1__a.sql", "select 1;")]);
    let url = format!("postgres://u:s3cret-canary@127.0.0.1:{port}/d?sslmode=disable");
    let output = Seedbed::new(directory.path()).run(&["up", "--verbose", "--wait", "5s", "--url", &url]);
    assert_eq!(output.status, "3", "{}", output.text);
    assert!(output.text.contains("password authentication failed"), "{}", output.text);
    assert!(!output.text.contains("s3cret"), "{}", output.text);
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
}

#[test]
fn a_lost_answer_to_a_commit_is_settled_by_the_ledger() {
    let database = Database::create();
    database.execute(
        "create table t (id int primary key);
         create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.5); return null; end $$;
         create constraint trigger slow after insert on t initially deferred for each row execute function slow()",
    );
    let directory = project(&[(
        "scenarios/a.yaml",
        "scenario: Lost\nsteps:\n  - add: One\n    into: t\n    key: [id]\n    row: {id: 1}\n",
    )]);
    // The server is told to end the session while its COMMIT sleeps.
    let name = database.name.clone();
    let done = Arc::new(Mutex::new(false));
    let seen = done.clone();
    let killer = thread::spawn(move || {
        let database = Database { name };
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'seedbed %' and datname = current_database() and query like 'insert into %commit' and state = 'active'";
        for _ in 0..500 {
            if *seen.lock().unwrap() || !database.rows(kill).is_empty() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    });
    let seedbed = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url());
    let output = seedbed.run(&["run"]);
    *done.lock().unwrap() = true;
    killer.join().unwrap();
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("while it was being committed; asking the database"), "{}", output.text);
    assert!(output.text.contains("2 tries"), "{}", output.text);
    assert_eq!(database.rows("select * from t"), ["1"]);
    assert_eq!(database.rows("select outcome from seedbed_ledger"), ["added"]);
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    let database = Database::create();
    database.execute("create table t (id int)");
    let directory = project(&[("migrations/V1__slow.sql", "insert into t values (1); select pg_sleep(30);")]);
    let mut child = std::process::Command::new(crate::support::binary())
        .args(["up", "--url", &database.url()])
        .current_dir(directory.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let sleeping = "select 1 from pg_stat_activity where datname = current_database() and query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()";
    while database.rows(sleeping).is_empty() {
        thread::sleep(Duration::from_millis(20));
    }
    let started = Instant::now();
    signal(Signal::SIGINT, &child.id().to_string());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    thread::sleep(Duration::from_millis(200));
    assert_eq!(database.rows(sleeping), Vec::<String>::new());
    assert_eq!(database.rows("select * from t"), Vec::<String>::new());
}

fn signal(signal: Signal, pid: &str) {
    kill(Pid::from_raw(pid.parse().unwrap()), signal).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn relay(client: std::net::TcpStream, server: std::os::unix::net::UnixStream) {
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
    let back = thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
    let _ = std::io::copy(&mut from_client, &mut to_server);
    let _ = to_server.shutdown(std::net::Shutdown::Both);
    let _ = back.join();
}
