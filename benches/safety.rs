//! What locks, ledger and watchdog cost: a project of many plain steps under this build, and under a
//! build of the last commit that had none of them. `scripts/bench-safety` makes that one, and prints the
//! table.

#[allow(dead_code)] // It measures other things elsewhere.
mod measure;
#[path = "../tests/it/proxy.rs"]
mod proxy;
#[allow(dead_code)]
mod server;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use measure::run;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use proxy::Proxy;
use server::Server;

/// How many steps of each sort a run has, beside one that has a single one of them.
const STEPS: u32 = 300;
/// How often each run is repeated.
const ROUNDS: usize = 15;

/// A sort of plain step: its name, what it looks like, and how its transaction begins.
struct Sort {
    name: &'static str,
    step: fn(u32) -> String,
    access: &'static str,
}

const SORTS: [Sort; 2] = [
    Sort {
        name: "a step that reads (`assert`, one row)",
        step: |n| {
            format!("  - assert: Reads {n}\n    query: select a from t where a = 0\n    rows: [{{a: 0}}]\n")
        },
        access: "read only",
    },
    Sort {
        name: "a step that writes (`add`, one row)",
        step: |n| format!("  - add: Writes {n}\n    into: t\n    key: [a]\n    row: {{a: {n}}}\n"),
        access: "read write",
    },
];

fn main() {
    let before = std::env::var_os("SEEDBED_BEFORE").expect("run `scripts/bench-safety`: it builds the other");
    let builds = [Path::new(&before), Path::new(env!("CARGO_BIN_EXE_seedbed"))];
    let server = Server::start();
    server.create("safety");
    println!(
        "{ROUNDS} runs in turn of {STEPS} steps, less those of one step; PostgreSQL {} through its socket.\n",
        server.version()
    );
    println!("| | before | now | | target |\n|---|---:|---:|---:|---|");
    for sort in &SORTS {
        let (one, many) = (project(sort, 1), project(sort, STEPS));
        let mut times = [(); 2].map(|()| (Vec::new(), Vec::new()));
        for _ in 0..ROUNDS {
            for (build, (ones, manys)) in builds.iter().zip(&mut times) {
                ones.push(clean_run(build, &server, one.path()));
                manys.push(clean_run(build, &server, many.path()));
            }
        }
        let [before, now] = times
            .map(|(ones, manys)| (median(manys) - median(ones)).as_secs_f64() * 1e6 / f64::from(STEPS - 1));
        let more = (now / before - 1.0) * 100.0;
        let mark = if more <= 5.0 { "✓" } else { "✗ missed" };
        println!(
            "| processor time of {} | {before:.0} µs | {now:.0} µs | {more:+.0} % | ≤ +5 % {mark} |",
            sort.name
        );
        let [before, now] = builds.map(|build| round_trips(build, &server, sort, one.path()));
        let most = if sort.access == "read only" { 0 } else { 2 };
        let mark = if now <= before + most { "✓" } else { "✗ missed" };
        println!("| its round trips | {before} | {now} | | ≤ +{most} {mark} |");
    }
}

/// A project whose scenario has this many steps of a sort.
fn project(sort: &Sort, steps: u32) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut scenario = "scenario: Plain\nsteps:\n".to_owned();
    for number in 1..=steps {
        scenario.write_str(&(sort.step)(number)).unwrap();
    }
    std::fs::create_dir(directory.path().join("scenarios")).unwrap();
    std::fs::write(directory.path().join("scenarios/plain.yaml"), scenario).unwrap();
    directory
}

/// The processor time of a run on a table with one row.
fn clean_run(build: &Path, server: &Server, project: &Path) -> Duration {
    let table = "drop table if exists t, seedbed_ledger;
        create table t (a int primary key); insert into t values (0)";
    server.client("safety").batch_execute(table).unwrap();
    let mut command = command(build, server.socket(), project);
    processor_time(|| {
        run(&mut command);
    })
}

/// The round trips of the one step of a project.
fn round_trips(build: &Path, server: &Server, sort: &Sort, project: &Path) -> usize {
    let proxy = Proxy::before(&server.socket().join(".s.PGSQL.5432"));
    clean_run(build, server, project); // So that the ledger is there.
    server.client("safety").batch_execute("delete from t where a > 0").unwrap();
    run(&mut command(build, proxy.host(), project));
    let counted = proxy.take();
    let steps = counted.transactions.iter().filter(|(sql, _)| sql.contains(sort.access));
    steps.map(|(_, count)| *count).max().unwrap()
}

fn command(build: &Path, socket: &Path, project: &Path) -> Command {
    let mut command = Command::new(build);
    command.current_dir(project).args(["run", "--no-env-file", "--quiet", "--url"]);
    command.arg(format!("host={} user=postgres dbname=safety", socket.display()));
    command
}

/// The processor time of the processes that some work starts and waits for.
fn processor_time(work: impl FnOnce()) -> Duration {
    let so_far = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        [usage.user_time(), usage.system_time()]
            .map(|time| Duration::from_micros(time.num_microseconds() as u64))
            .iter()
            .sum::<Duration>()
    };
    let before = so_far();
    work();
    so_far() - before
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
