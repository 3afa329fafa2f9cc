//! One trial: a run through a proxy that does harm, a clean run behind it, and what must be true then.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, SimpleQueryMessage};

use super::proxy::{Fault, Proxy};
use crate::support::{Database, Output, Running, Seedbed, server};

/// The password of every URL here; the server does not ask for one, and nobody else may see it.
pub const CANARY: &str = "canary-Zx81!pass";

/// No run may take longer, whatever breaks.
const WITHIN: Duration = Duration::from_secs(15);
/// The server ends the statements of a client that is gone within five seconds.
const GONE_WITHIN: Duration = Duration::from_secs(8);

/// The project that is run: a roster with a trigger that notes every row that comes or goes.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults")
}

/// The socket of the tests' server.
pub fn socket() -> PathBuf {
    server().socket_directory().join(".s.PGSQL.5432")
}

/// A place for trials: a database that is emptied before each, and what it should look like behind it.
pub struct Bench {
    database: Database,
    client: Client,
    home: tempfile::TempDir,
    golden: Vec<String>,
}

/// How a trial went.
pub struct Trial {
    /// Whether the fault's message came.
    pub has_struck: bool,
    pub output: Output,
    /// What should be true, and is not.
    pub violations: Vec<String>,
}

impl Bench {
    /// Learns from two clean runs what is right.
    pub fn new() -> Bench {
        let database = Database::create();
        let client = database.client();
        let home = tempfile::tempdir().unwrap();
        let mut bench = Bench { database, client, home, golden: Vec::new() };
        for _ in 0..2 {
            let output = bench.run_clean();
            assert_eq!(output.status, "0", "{}", output.text);
        }
        bench.golden = bench.dump();
        assert_eq!(bench.rows("select what from effects order by 1").len(), 7);
        bench
    }

    /// The messages of a first run, which nothing disturbs.
    pub fn messages(&mut self) -> Vec<(super::wire::Way, String, bool)> {
        self.empty();
        let proxy = Proxy::before(&socket(), None);
        let output = self.begin(&proxy, &[]).finish();
        assert_eq!(output.status, "0", "{}", output.text);
        proxy.seen()
    }

    /// A first run with a fault, then a clean one. `expected` says whether an exit status is right.
    pub fn attempt(&mut self, fault: Fault, arguments: &[&str], expected: &dyn Fn(&str) -> bool) -> Trial {
        self.empty();
        let proxy = Proxy::before(&socket(), Some(fault));
        let started = Instant::now();
        let running = self.begin(&proxy, arguments);
        proxy.aim_at(running.pid());
        let output = running.finish();
        let elapsed = started.elapsed();
        let has_struck = proxy.has_struck();
        drop(proxy);
        let mut violations = Vec::new();
        if elapsed > WITHIN {
            violations.push(format!("I4: it took {elapsed:?}"));
        }
        if !expected(&output.status) {
            violations.push(format!("I7: exit status {}", output.status));
        }
        violations.extend(self.judge(&output));
        Trial { has_struck, output, violations }
    }

    /// Begins a run through a proxy, with little patience.
    pub fn begin(&self, proxy: &Proxy, arguments: &[&str]) -> Running {
        let url = format!("postgres://postgres:{CANARY}@127.0.0.1:{}/{}", proxy.port, self.database.name);
        let patience = ["--wait", "5s", "--lock-wait", "8s", "--retry-delay", "5ms", "--verbose"];
        let mut all = vec!["up", "--url", &url];
        all.extend(patience);
        all.extend(arguments);
        let temporary = self.home.path().to_string_lossy().into_owned();
        Seedbed::new(&project()).variable("TMPDIR", &temporary).start(&all)
    }

    fn run_clean(&self) -> Output {
        Seedbed::new(&project()).run(&["up", "--url", &self.database.url(), "--lock-wait", "8s"])
    }

    /// Everything that must be true behind a run, whatever was done to it, and behind a second one.
    pub fn judge(&mut self, output: &Output) -> Vec<String> {
        let mut violations = Vec::new();
        let is_told = |what: &str| output.text.contains(what);
        if output.status != "0" && !output.status.starts_with("signal") {
            // A step or file, a code or a place, and what to do.
            let names_work = is_told("roster.yaml")
                || is_told("migration")
                || is_told("cannot reach")
                || is_told("ended the connection");
            if !names_work || !is_told("help:") {
                violations.push("I8: the message names no work or no next action".to_owned());
            }
        }
        if output.status == "0" && self.rows("select who from visits") != ["Eve"] {
            violations.push("I1: it ended well, and Eve did not come exactly once".to_owned());
        }
        let clean = self.run_clean();
        if clean.status != "0" {
            violations.push(format!("I7: the clean run ended with {}\n{}", clean.status, clean.text));
            return violations;
        }
        for text in [&output.text, &clean.text] {
            if text.contains(CANARY) || text.contains("canary") {
                violations.push("I5: the password was shown".to_owned());
            }
        }
        let dump = self.dump();
        if dump != self.golden {
            let missing = self.golden.iter().filter(|line| !dump.contains(line));
            let extra = dump.iter().filter(|line| !self.golden.contains(line));
            let (missing, extra): (Vec<_>, Vec<_>) = (missing.collect(), extra.collect());
            violations.push(format!("I1, I3: missing {missing:?}, extra {extra:?}"));
        }
        for (kind, count) in
            [("created", "1"), ("added", "1 + (select count(*) from visits)"), ("deleted", "1")]
        {
            let entered =
                format!("select (select count(*) from seedbed_ledger where outcome = '{kind}') = {count}");
            if self.rows(&entered) != ["t"] {
                let ledger =
                    self.rows("select run, number, title, outcome from seedbed_ledger order by done_at");
                violations.push(format!("I2: not {count} steps `{kind}` in the ledger: {ledger:?}"));
            }
        }
        if self.rows("select count(*) between 1 and 2 from visits") != ["t"] {
            violations.push("I1: Eve came neither once nor twice".to_owned());
        }
        violations.extend(self.leftovers());
        violations
    }

    /// Sessions, locks and files that are still there after a while.
    fn leftovers(&mut self) -> Vec<String> {
        let started = Instant::now();
        loop {
            let mut left = self.rows(
                "select format('I6: session %s, %s: %s', a.application_name, a.state, a.query) from pg_stat_activity a
                 where a.datname = current_database() and a.application_name like 'seedbed %'
                 union all select format('I6: advisory lock of %s', l.pid) from pg_locks l
                 where l.locktype = 'advisory' and l.database = (select oid from pg_database where datname = current_database())",
            );
            let files = std::fs::read_dir(self.home.path()).unwrap();
            left.extend(files.map(|file| format!("I6: file {:?}", file.unwrap().file_name())));
            if left.is_empty() || started.elapsed() > GONE_WITHIN {
                return left;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn empty(&mut self) {
        self.client.batch_execute("drop schema public cascade; create schema public").unwrap();
    }

    /// Everything in the database that must be the same behind every trial: definitions, rows without
    /// the numbers they were given, the history, and whether the sequences are ahead of their columns.
    fn dump(&mut self) -> Vec<String> {
        [
            "select format('column %s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity)
             from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relnamespace = 'public'::regnamespace and a.attnum > 0 order by 1",
            "select format('constraint %s', pg_get_constraintdef(oid)) from pg_constraint
             where connamespace = 'public'::regnamespace order by 1",
            "select format('trigger %s', pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal order by 1",
            "select format('function %s', proname) from pg_proc where pronamespace = 'public'::regnamespace order by 1",
            "select format('history %s %s %s', version, name, checksum) from refinery_schema_history order by version",
            "select format('department %s', name) from departments order by 1",
            "select format('employee %s of %s', e.name, d.name) from employees e join departments d on d.id = e.department_id order by 1",
            "select format('effect %s', what) from effects order by 1",
            "select format('sequence of departments ahead: %s', (select last_value from departments_id_seq) >= (select max(id) from departments))",
            "select format('sequence of employees ahead: %s', (select last_value from employees_id_seq) >= (select max(id) from employees))",
        ]
        .iter()
        .flat_map(|sql| self.rows(sql))
        .collect()
    }

    fn rows(&mut self, sql: &str) -> Vec<String> {
        let messages = self.client.simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).unwrap_or("null")).collect::<Vec<_>>().join("|"))
            }
            _ => None,
        });
        rows.collect()
    }
}
