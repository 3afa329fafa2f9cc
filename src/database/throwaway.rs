//! A temporary PostgreSQL from the machine's own binaries, for `--throwaway`.
//!
//! It has a directory of its own under the system's temporary directory, which holds its data, its
//! log and its socket; it has no TCP port, and it never waits for a disk.
//!
//! It always ends the same way: the pipe to its guard closes. Stopping closes it, a panic does,
//! and so does the kernel when the runner is killed; so there is one way to clean up, which every
//! run exercises, instead of one per accident.

mod account;
mod binaries;
mod error;
mod guard;
mod home;

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use account::Account;
use binaries::Binaries;
pub use error::ThrowawayError;
use guard::Guard;
use home::Home;

/// The time a new server has to accept connections. It takes some 50 ms; an overloaded machine may
/// need a hundred times as long.
const READY_WITHIN: Duration = Duration::from_secs(60);
const READY_EVERY: Duration = Duration::from_millis(5);

/// A running temporary server. Dropping it stops the server and removes its directory.
///
/// Its superuser and its database are both named `postgres`; there is no password, because only the
/// owner of the directory can reach the socket.
pub struct Throwaway {
    // Fields are dropped in this order: the guard ends the server, the server is reaped, and what
    // is left of the directory is removed.
    guard: Guard,
    server: Server,
    home: Home,
    version: String,
}

impl Throwaway {
    /// Removes what killed runners have left, then makes a server and waits until it accepts
    /// connections.
    ///
    /// `binaries` is a directory that holds `initdb` and `postgres`; without it the newest server
    /// on this machine is taken. Fails if there is none, or if it does not start: the error then
    /// has the end of its log.
    pub fn start(binaries: Option<&Path>) -> Result<Throwaway, ThrowawayError> {
        let binaries = Binaries::find(binaries)?;
        let account = Account::of_server()?;
        let home = Home::create(&account)?;
        let guard = Guard::over(&home, &account)?;
        make_data_directory(&binaries, &account, &home, &guard)?;
        let server = Server::spawn(&binaries, &account, &home, &guard)?;
        let version = binaries.version.text;
        let mut throwaway = Throwaway { guard, server, home, version };
        throwaway.wait_until_ready()?;
        Ok(throwaway)
    }

    /// The directory to connect to, as `host`, with the default port.
    pub fn socket_directory(&self) -> &Path {
        self.home.path()
    }

    /// The server's version, as in `15.13`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Stops the server and removes its directory, as dropping does. Fails if the directory could
    /// not be removed.
    pub fn stop(self) -> Result<(), ThrowawayError> {
        let Throwaway { guard, server, home, .. } = self;
        drop(guard);
        drop(server);
        home.remove()
    }

    /// The server writes `ready` into its lock file when it accepts connections, which `pg_ctl` waits
    /// for too. Asking by connecting would fill the log with refused connections.
    fn wait_until_ready(&mut self) -> Result<(), ThrowawayError> {
        let lock_file = self.home.data().join("postmaster.pid");
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            // A file that is not there yet, or that is half written, is not ready.
            let status = fs::read_to_string(&lock_file).unwrap_or_default();
            if status.lines().any(|line| line.trim_end() == "ready") {
                return Ok(());
            }
            if self.server.has_exited() {
                return Err(ThrowawayError::Exited { log: self.home.log() });
            }
            if Instant::now() > deadline {
                return Err(ThrowawayError::NotReady { within: READY_WITHIN, log: self.home.log() });
            }
            sleep(READY_EVERY);
        }
    }
}

fn make_data_directory(
    binaries: &Binaries,
    account: &Account,
    home: &Home,
    guard: &Guard,
) -> Result<(), ThrowawayError> {
    let initdb = binaries.directory.join("initdb");
    let output = account
        .command(&initdb)
        .process_group(guard.group())
        .arg("--pgdata")
        .arg(home.data())
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"])
        .args(locale(binaries.version.major))
        .stdin(Stdio::null())
        .output()
        .map_err(ThrowawayError::cannot(format!("run `{}`", initdb.display())))?;
    if output.status.success() {
        return Ok(());
    }
    Err(ThrowawayError::Initdb { said: String::from_utf8_lossy(&output.stderr).into_owned() })
}

/// Text sorts by code point, and `upper`, `lower` and regular expressions know all of Unicode.
///
/// A linguistic order would differ between machines and releases, so the same project would pass
/// here and fail there; plain `C` would leave `upper('ä')` alone. Since PostgreSQL 17 the server
/// brings this locale itself. Before that it is the C library's, which macOS calls otherwise.
fn locale(major: u32) -> &'static [&'static str] {
    if major >= 17 {
        &["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    } else if cfg!(target_os = "macos") {
        &["--locale=C", "--lc-ctype=UTF-8"]
    } else {
        &["--locale=C.UTF-8"]
    }
}

/// The server's process. Dropping it reaps it, and kills it if its guard could not end it.
struct Server(Child);

impl Server {
    /// Starts `postgres` itself: `pg_ctl` would put another process and a poll of its own between.
    fn spawn(
        binaries: &Binaries,
        account: &Account,
        home: &Home,
        guard: &Guard,
    ) -> Result<Server, ThrowawayError> {
        let postgres = binaries.directory.join("postgres");
        let log = File::create(home.log_file())
            .map_err(ThrowawayError::cannot(format!("create `{}`", home.log_file().display())))?;
        account
            .command(&postgres)
            .process_group(guard.group())
            .arg("-D")
            .arg(home.data())
            // Relative to the data directory: an absolute path would have to be quoted.
            .args(["-c", "unix_socket_directories=.."])
            .args(["-c", "listen_addresses=", "-c", "port=5432"])
            .args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map(Server)
            .map_err(ThrowawayError::cannot(format!("run `{}`", postgres.display())))
    }

    fn has_exited(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both succeed if it has ended already, and there is nobody to tell if they do not.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests;
