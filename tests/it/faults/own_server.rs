//! A server of a test's own, to be stopped, killed, starved and started again.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use postgres::{Client, NoTls, SimpleQueryMessage};

/// A server with its socket and data in a directory that is gone with it.
pub struct Server {
    directory: tempfile::TempDir,
    process: Option<Child>,
}

impl Server {
    /// Makes and starts one, with these settings, like `max_connections=5`.
    pub fn new(settings: &[&str]) -> Server {
        let directory = tempfile::tempdir().unwrap();
        own(directory.path());
        let mut server = Server { directory, process: None };
        let output = program("initdb")
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg("--pgdata")
            .arg(server.data())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        server.set(settings);
        server.start();
        server
    }

    /// Adds settings; they hold from the next start.
    pub fn set(&self, settings: &[&str]) {
        let path = self.data().join("postgresql.conf");
        let mut text = fs::read_to_string(&path).unwrap();
        for setting in settings {
            text.push_str(&format!("\n{setting}"));
        }
        fs::write(&path, text + "\n").unwrap();
        own(self.directory.path());
    }

    /// Decides who is let in, from now on.
    pub fn hba(&self, lines: &str) {
        fs::write(self.data().join("pg_hba.conf"), lines).unwrap();
        own(self.directory.path());
        self.rows("select pg_reload_conf()");
        thread::sleep(Duration::from_millis(200)); // The main process reads it when it gets to it.
    }

    /// Starts it, and waits until it takes connections.
    pub fn start(&mut self) {
        self.start_as(program("postgres"));
    }

    /// Starts it so that no file may grow beyond this many bytes.
    pub fn start_with_files_up_to(&mut self, bytes: u64) {
        let mut limited = Command::new("sh");
        let real = program("postgres");
        limited.arg("-c").arg(format!("ulimit -f {}; exec \"$@\"", bytes / 512)).arg("sh");
        limited.arg(real.get_program());
        lend(&mut limited);
        self.start_as(limited);
    }

    fn start_as(&mut self, mut program: Command) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file()).unwrap();
        program.arg("-D").arg(self.data()).args(["-c", "listen_addresses="]);
        program.arg("-c").arg(format!("unix_socket_directories={}", self.directory.path().display()));
        program.args(["-c", "log_connections=on", "-c", "wal_level=replica"]);
        self.process = Some(program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let started = Instant::now();
        while self.try_client().is_none() {
            assert!(started.elapsed() < Duration::from_secs(30), "{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it: SIGINT is a fast shutdown, SIGQUIT an immediate one, SIGKILL an accident.
    pub fn end(&mut self, signal: Signal) {
        let Some(mut process) = self.process.take() else { return };
        let _ = kill(Pid::from_raw(process.id() as i32), signal);
        process.wait().unwrap();
    }

    /// The main process.
    pub fn postmaster(&self) -> Pid {
        Pid::from_raw(self.process.as_ref().unwrap().id() as i32)
    }

    /// Turns a stopped server into a standby, which takes no writes until it is promoted.
    pub fn become_standby(&mut self) {
        self.end(Signal::SIGINT);
        fs::write(self.data().join("standby.signal"), "").unwrap();
        own(self.directory.path());
        self.start();
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join(".s.PGSQL.5432")
    }

    pub fn url(&self) -> String {
        self.url_of("postgres", "postgres")
    }

    /// The URL of a role, with its password if it has one, and a database.
    pub fn url_of(&self, who: &str, name: &str) -> String {
        let host = self.directory.path().to_string_lossy().replace('/', "%2F");
        format!("postgresql://{who}@{host}/{name}")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    pub fn client(&self) -> Client {
        self.try_client().unwrap()
    }

    fn try_client(&self) -> Option<Client> {
        let mut config = postgres::Config::new();
        config.host_path(self.directory.path()).user("postgres").dbname("postgres");
        config.connect(NoTls).ok()
    }

    pub fn execute(&self, sql: &str) {
        self.client().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The first column of each row.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let messages = self.client().simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
            _ => None,
        });
        rows.collect()
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.is_some() {
            let _ = kill(self.postmaster(), Signal::SIGCONT);
        }
        self.end(Signal::SIGQUIT);
    }
}

/// A program of the server, which refuses to run as root.
fn program(name: &str) -> Command {
    let mut command = Command::new(crate::support::programs().join(name));
    lend(&mut command);
    command
}

fn lend(command: &mut Command) {
    if nix::unistd::geteuid().is_root() {
        let user = User::from_name("postgres").unwrap().unwrap();
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command.current_dir("/");
}

fn own(directory: &Path) {
    if nix::unistd::geteuid().is_root() {
        let status = Command::new("chown").args(["-R", "postgres"]).arg(directory).status().unwrap();
        assert!(status.success());
    }
}
