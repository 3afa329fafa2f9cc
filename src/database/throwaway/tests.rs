//! Against real servers, and runners that really die.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use super::*;

mod cache;

/// Where a runner (see below) writes the directory of its server.
const RUNNER: &str = "SEEDBED_TEST_RUNNER";
/// Its cache, if it has one.
const RUNNER_CACHE: &str = "SEEDBED_TEST_RUNNER_CACHE";
const RUNNER_TEST: &str = "database::throwaway::tests::runner";

#[test]
fn a_server_answers_on_its_socket_and_leaves_nothing() {
    let server = start();
    let directory = server.socket_directory().to_owned();
    let check = |query, expected| assert_eq!(psql(&directory, query), expected, "{query}");
    check("show listen_addresses", "");
    check("show fsync", "off");
    check("show max_wal_size", "1GB");
    check("show server_encoding", "UTF8");
    check("show timezone", "UTC");
    check("select current_user || ' ' || current_database()", "postgres postgres");
    check("select upper('straße ä'), 'Ä' ~ '^\\w$'", "STRAßE Ä|t");
    check("select string_agg(x, '' order by x) from unnest('{b,ä,a,B}'::text[]) x", "Babä");
    assert!(psql(&directory, "select version()").contains(server.version()));
    assert!(!processes_in(&directory).is_empty());
    let memory = shared_memory(&server);
    assert!(is_there(&memory));

    server.stop().unwrap();
    assert!(!directory.exists());
    assert!(!is_there(&memory));
    assert_eq!(processes_in(&directory), [] as [PathBuf; 0]);
}

#[test]
fn a_panic_leaves_nothing() {
    let (sender, receiver) = mpsc::channel();
    let panicked = std::thread::spawn(move || {
        let server = start();
        sender.send(server.socket_directory().to_owned()).unwrap();
        panic!("as the test wants");
    });
    assert!(panicked.join().is_err());
    let directory = receiver.recv().unwrap();
    assert!(!directory.exists());
    assert_eq!(processes_in(&directory), [] as [PathBuf; 0]);
}

#[test]
fn two_servers_do_not_meet() {
    let [one, two] = [start(), start()];
    psql(one.socket_directory(), "create table only_here ()");
    let there = "select to_regclass('only_here') is not null";
    assert_eq!(psql(one.socket_directory(), there), "t");
    assert_eq!(psql(two.socket_directory(), there), "f");
    drop(one);
    assert_eq!(psql(two.socket_directory(), there), "f");
}

#[test]
fn a_stop_does_not_wait_for_open_sessions() {
    let server = start();
    let mut session = psql_command(server.socket_directory(), "select pg_sleep(600)")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the session runs", || {
        let count = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
        psql(server.socket_directory(), count) == "1"
    });
    let memory = shared_memory(&server);
    let started = Instant::now();
    server.stop().unwrap();
    assert!(!is_there(&memory));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(!session.wait().unwrap().success());
}

#[test]
fn a_server_does_not_outlive_its_runner() {
    for signal in ["INT", "TERM", "HUP", "KILL"] {
        let mut runner = Runner::start();
        let directory = runner.directory();
        assert_eq!(psql(&directory, "select 1"), "1", "{signal}");
        // To the whole process group, as a terminal does.
        send(signal, &format!("-{}", runner.0.id()));
        runner.0.wait().unwrap();
        has_been_ended(&directory);
    }
}

#[test]
fn a_runner_that_dies_while_it_starts_leaves_nothing() {
    for milliseconds in [5, 50, 150, 300, 500, 700] {
        let mut runner = Runner::start();
        sleep(Duration::from_millis(milliseconds));
        let guard = runner.guard();
        send("KILL", &runner.0.id().to_string());
        runner.0.wait().unwrap();
        // Without a guard, nothing had been made yet.
        let Some(Guarded { directory, .. }) = guard else {
            continue;
        };
        has_been_ended(&directory);
    }
}

#[test]
fn the_next_start_sweeps_what_a_guard_could_not() {
    let mut runner = Runner::start();
    let directory = runner.directory();
    let guard = runner.guard().unwrap().process;
    for process in [guard, runner.0.id()] {
        send("KILL", &process.to_string());
    }
    runner.0.wait().unwrap();
    eventually("the guard ends", || !is_running(guard));
    assert!(directory.exists());

    let alive = start();
    assert!(!directory.exists());
    let next = start();
    assert!(alive.socket_directory().exists() && next.socket_directory().exists());
    end_now(&directory);
}

#[test]
fn a_stop_without_a_guard_leaves_nothing() {
    let server = start();
    let directory = server.socket_directory().to_owned();
    send("KILL", &server.guard.group().to_string());
    server.stop().unwrap();
    assert!(!directory.exists());
    eventually("the server ends", || processes_in(&directory).is_empty());
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let check = |initdb: &str, postgres: &str, message: &str, tail: Option<&str>| {
        let binaries = tempfile::tempdir().unwrap();
        fs::set_permissions(binaries.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, body) in [("initdb", initdb), ("postgres", postgres)] {
            // Written by another process: a file that any thread of this one still had open for
            // writing could not be executed.
            let version = "if [ \"$1\" = --version ]; then echo 'postgres 15.13'; exit; fi";
            let script = "printf '#!/bin/sh\n%s\n%s\n' \"$1\" \"$2\" >\"$0\" && chmod 755 \"$0\"";
            let program = binaries.path().join(name);
            let mut write = Command::new("sh");
            write.args(["-c", script]).arg(program).args([version, body]);
            assert!(write.status().unwrap().success());
        }
        let error = Throwaway::start(Some(binaries.path()), None).err().unwrap();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.log_tail().as_deref(), tail);
    };
    check(
        "echo 'no space left' >&2; exit 1",
        "",
        "`initdb` could not make a throwaway server",
        Some("no space left"),
    );
    check(
        "",
        "seq 1 20 >&2; exit 1",
        "the throwaway server ended while it was starting",
        Some("11\n12\n13\n14\n15\n16\n17\n18\n19\n20"),
    );
    check("", "", "the throwaway server ended while it was starting", None);
}

/// A process that starts a server and waits to be killed: this test binary, with `runner` alone.
struct Runner(Child, tempfile::TempDir);

impl Runner {
    fn start() -> Runner {
        Runner::start_with(None)
    }

    fn start_with(cache: Option<&Path>) -> Runner {
        let notes = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", RUNNER_TEST]).env(RUNNER, notes.path().join("directory"));
        if let Some(cache) = cache {
            command.env(RUNNER_CACHE, cache);
        }
        let runner = command.process_group(0).stdout(Stdio::null()).spawn().unwrap();
        Runner(runner, notes)
    }

    fn directory(&self) -> PathBuf {
        let file = self.1.path().join("directory");
        eventually("the runner has a server", || file.exists());
        fs::read_to_string(file).unwrap().into()
    }

    /// Its guard, once it has one.
    fn guard(&self) -> Option<Guarded> {
        let parent = format!("\nPPid:\t{}\n", self.0.id());
        processes().find_map(|process| {
            let status = fs::read_to_string(process.join("status")).ok()?;
            let command = fs::read_to_string(process.join("cmdline")).ok()?;
            let words: Vec<&str> = command.split_terminator('\0').collect();
            let [.., "seedbed-guard", directory] = words[..] else {
                return None;
            };
            let process = process.file_name()?.to_str()?.parse().ok()?;
            status.contains(&parent).then(|| Guarded { process, directory: directory.into() })
        })
    }
}

struct Guarded {
    process: u32,
    directory: PathBuf,
}

#[test]
fn runner() {
    let Some(file) = std::env::var_os(RUNNER).map(PathBuf::from) else {
        return;
    };
    let cache = std::env::var_os(RUNNER_CACHE).map(PathBuf::from);
    let server = Throwaway::start(named().as_deref(), cache.as_deref()).unwrap();
    // Renamed into place, so that it is never seen half written.
    let unfinished = file.with_extension("unfinished");
    fs::write(&unfinished, server.socket_directory().to_str().unwrap()).unwrap();
    fs::rename(unfinished, file).unwrap();
    sleep(Duration::from_secs(600));
}

fn start() -> Throwaway {
    Throwaway::start(named().as_deref(), None).unwrap()
}

fn named() -> Option<PathBuf> {
    std::env::var_os("SEEDBED_POSTGRES_BIN").map(PathBuf::from)
}

fn psql(directory: &Path, query: &str) -> String {
    let output = psql_command(directory, query).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn psql_command(directory: &Path, query: &str) -> Command {
    let psql = Binaries::find(named().as_deref()).unwrap().directory.join("psql");
    let mut command = Command::new(if psql.exists() { psql } else { "psql".into() });
    command.args(["-XAtq", "-U", "postgres", "-c", query, "-h"]).arg(directory);
    command.env("PGCLIENTENCODING", "UTF8").current_dir("/");
    command
}

/// The server's key and number of its segment of shared memory, which is left where it dies in disorder.
fn shared_memory(server: &Throwaway) -> Vec<String> {
    let lock_file = fs::read_to_string(server.home.data().join("postmaster.pid")).unwrap();
    let words: Vec<String> =
        lock_file.lines().nth(6).unwrap().split_whitespace().map(str::to_owned).collect();
    assert_eq!(words.len(), 2, "{lock_file}");
    words
}

fn is_there(memory: &[String]) -> bool {
    let all = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    all.lines().any(|line| line.split_whitespace().take(2).eq(memory))
}

fn send(signal: &str, process: &str) {
    assert!(try_to_send(signal, process), "no process {process}");
}

/// Whether there was such a process.
fn try_to_send(signal: &str, process: &str) -> bool {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s \"$0\" -- \"$1\"", signal, process]).stderr(Stdio::null());
    kill.status().unwrap().success()
}

/// A server ends before its directory does. One that nobody ended would end by itself, but later.
fn has_been_ended(directory: &Path) {
    eventually("the directory is gone", || !directory.exists());
    within(Duration::from_secs(1), "nothing runs there", || processes_in(directory).is_empty());
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    within(Duration::from_secs(20), what, holds);
}

fn within(limit: Duration, what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(10));
    }
}

/// The processes that work in the server's data directory: all of PostgreSQL's do.
fn processes_in(directory: &Path) -> Vec<PathBuf> {
    let works_there =
        |process: &PathBuf| fs::read_link(process.join("cwd")).is_ok_and(|it| it.starts_with(directory));
    processes().filter(works_there).collect()
}

/// Whether a process exists and is more than an entry that waits to be reaped.
fn is_running(process: u32) -> bool {
    fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|it| !it.is_empty())
}

fn processes() -> impl Iterator<Item = PathBuf> {
    fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path())
}

/// Ends at once a server whose directory was swept: by itself it would take up to a minute.
fn end_now(directory: &Path) {
    eventually("the swept server ends", || {
        // When the first is dead the others end too, so some may be gone already.
        for process in processes_in(directory) {
            try_to_send("KILL", process.file_name().unwrap().to_str().unwrap());
        }
        processes_in(directory).is_empty()
    });
}
