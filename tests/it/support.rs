//! A real server for all tests of the binary, a database for each, and the command under test.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, OnceLock};

use postgres::{Client, NoTls, SimpleQueryMessage};
use regex::Regex;
use seedbed::database::throwaway::Throwaway;

/// The server of this test run: a throwaway one, which ends with the process.
pub fn server() -> &'static Throwaway {
    static SERVER: OnceLock<Throwaway> = OnceLock::new();
    SERVER.get_or_init(|| {
        Throwaway::start(Some(&programs()), Some(&cache())).unwrap_or_else(|error| {
            panic!("the tests need a PostgreSQL server: {error}\n{}", error.help().unwrap_or_default())
        })
    })
}

/// Where servers of the tests are cached: never where a person's are.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// The directory of the server's programs: what `scripts/test` found or installed.
pub fn programs() -> PathBuf {
    if let Some(named) = std::env::var_os("SEEDBED_POSTGRES_BIN") {
        return PathBuf::from(named);
    }
    let mut found: Vec<PathBuf> =
        glob::glob("/usr/lib/postgresql/*/bin").unwrap().map(Result::unwrap).collect();
    found.sort();
    found.pop().expect("set SEEDBED_POSTGRES_BIN to the directory of initdb, or run scripts/test")
}

/// A database of its own.
pub struct Database {
    pub name: String,
}

impl Database {
    pub fn create() -> Database {
        Database::create_as("")
    }

    fn create_as(template: &str) -> Database {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        client("postgres").batch_execute(&format!("create database {name}{template}")).unwrap();
        Database { name }
    }

    /// Another one with the same in it, while nobody is connected to this one.
    pub fn copy(&self) -> Database {
        Database::create_as(&format!(" template {}", self.name))
    }

    /// Takes no more room.
    pub fn remove(self) {
        client("postgres").batch_execute(&format!("drop database {} with (force)", self.name)).unwrap();
    }

    /// A URL over the server's socket.
    pub fn url(&self) -> String {
        let socket = server().socket_directory().to_string_lossy().replace('/', "%2F");
        format!("postgresql://postgres@{socket}/{}", self.name)
    }

    /// The database as messages name it.
    pub fn shown_name(&self) -> String {
        seedbed::database::dsn::Dsn::parse(&self.url(), &|_| None).unwrap().name()
    }

    pub fn client(&self) -> Client {
        client(&self.name)
    }

    pub fn execute(&self, sql: &str) {
        self.client().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Rows as texts, columns joined by `|`.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let messages = self.client().simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|at| row.get(at).unwrap_or("null")).collect::<Vec<_>>().join("|"))
                }
                _ => None,
            })
            .collect()
    }

    /// Waits until all other sessions are gone: a session tells what it wrote before that, and not sooner.
    pub fn wait_for_counters(&self) {
        let others = "select count(*) from pg_stat_activity where datname = current_database()
            and pid <> pg_backend_pid() and backend_type = 'client backend'";
        for _ in 0..1_000 {
            if self.rows(others) == ["0"] {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("a session is still there");
    }

    /// Every table and how many rows it has.
    pub fn inventory(&self) -> String {
        let tables = self.rows(
            "select format('%I.%I', schemaname, tablename), tablename from pg_tables
             where schemaname not in ('pg_catalog', 'information_schema') order by 2",
        );
        let mut text = String::new();
        for table in &tables {
            let (qualified, name) = table.split_once('|').unwrap();
            let count = self.rows(&format!("select count(*) from {qualified}")).remove(0);
            text.push_str(&format!("  {name}: {count}\n"));
        }
        if text.is_empty() { "  no tables\n".to_owned() } else { text }
    }
}

fn client(database: &str) -> Client {
    postgres::Config::new()
        .host_path(server().socket_directory())
        .user("postgres")
        .dbname(database)
        .connect(NoTls)
        .unwrap()
}

/// One call of the command.
pub struct Seedbed {
    command: Command,
}

/// What a call answered.
pub struct Output {
    /// Standard output and standard error as they came.
    pub text: String,
    /// The exit status, or `signal N`.
    pub status: String,
}

impl Seedbed {
    /// A call in a directory, with nothing of the surrounding environment but the search path.
    pub fn new(directory: &Path) -> Seedbed {
        let mut command = Command::new(binary());
        command.current_dir(directory).env_clear().stdin(Stdio::null());
        for name in ["PATH", "TMPDIR", "SEEDBED_POSTGRES_BIN", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", directory).env("SEEDBED_CACHE_DIR", cache());
        Seedbed { command }
    }

    pub fn variable(mut self, name: &str, value: &str) -> Seedbed {
        self.command.env(name, value);
        self
    }

    pub fn without(mut self, name: &str) -> Seedbed {
        self.command.env_remove(name);
        self
    }

    pub fn run(self, arguments: &[impl AsRef<str>]) -> Output {
        self.start(arguments).finish()
    }

    /// Begins a call, for those who have something to do while it runs.
    pub fn start(mut self, arguments: &[impl AsRef<str>]) -> Running {
        let (reader, writer) = std::io::pipe().unwrap();
        self.command.args(arguments.iter().map(AsRef::as_ref));
        self.command.stdout(writer.try_clone().unwrap()).stderr(writer);
        // Dropping the command closes its writing end, which the reader would wait for.
        let child = self.command.spawn().unwrap();
        Running { child, reader }
    }
}

/// A call that has begun.
pub struct Running {
    child: Child,
    reader: std::io::PipeReader,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads on until what was said contains these words, and gives all of it.
    pub fn read_until(&mut self, words: &str) -> String {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&bytes).contains(words) {
            let count = self.reader.read(&mut piece).unwrap();
            assert!(count > 0, "it ended before it said {words}: {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&piece[..count]);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for the end; the text is what was not read before.
    pub fn finish(mut self) -> Output {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes).unwrap();
        let status = self.child.wait().unwrap();
        let status = status.code().map_or_else(|| format!("{status}"), |code| code.to_string());
        Output { text: String::from_utf8(bytes).unwrap(), status }
    }
}

/// The built command.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_seedbed"))
}

/// A project in a directory that is gone with it.
pub fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

/// An answer without what differs from run to run: names, times, and how often was tried.
pub fn elide(text: &str, names: &[(&str, &str)]) -> String {
    static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        [
            (r"(?m)^(waiting for .*) \(try \d+, \d+ s left\)\n(waiting for .*\n)*", "$1 [tries]\n"),
            (r#""(elapsed_ms)": [0-9.e-]+"#, r#""$1": [time]"#),
            (r"seedbed_tpl_[0-9a-f]{16}", "seedbed_tpl_[hash]"),
            (r"PostgreSQL \d+(\.\d+|[a-z]+\d*)", "PostgreSQL [version]"),
            (r#""run": "[0-9a-f]{8}""#, r#""run": "[run]""#),
            (r"\[when\]Z by (\S+) on \S+", "[when] by $1 on [host]"),
            (r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d+Z)?", "[when]"),
            (r"\b\d+(\.\d+)? m?s\b", "[time]"),
        ]
        .into_iter()
        .map(|(pattern, replacement)| (Regex::new(pattern).unwrap(), replacement))
        .collect()
    });
    let mut text = text.to_owned();
    for (name, replacement) in names {
        text = text.replace(name, replacement);
    }
    for (pattern, replacement) in PATTERNS.iter() {
        text = pattern.replace_all(&text, *replacement).into_owned();
    }
    text
}
