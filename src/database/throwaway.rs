//! A temporary PostgreSQL from the machine's own binaries, for `--throwaway`.
//!
//! It has a directory of its own, in memory where there is plenty, which holds its data, its
//! log and its socket; it has no TCP port, and it never waits for a disk. What initdb makes is the
//! same every time, so it may be kept in a cache.
//!
//! It always ends the same way: the pipe to its guard closes. Stopping closes it, a panic does,
//! and so does the kernel when the runner is killed; so there is one way to clean up, which every
//! run exercises, instead of one per accident.

mod account;
mod binaries;
mod cache;
mod data;
mod error;
mod guard;
mod home;

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use account::Account;
use binaries::Binaries;
use cache::Entry;
pub use error::ThrowawayError;
use guard::Guard;
use home::Home;

/// The time a new server has to accept connections. It takes some 30 ms; an overloaded machine may
/// need a hundred times as long.
const READY_WITHIN: Duration = Duration::from_secs(60);
const READY_EVERY: Duration = Duration::from_millis(1);

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
    /// on this machine is taken. `cache` is a directory for what initdb makes, which need not exist;
    /// one that cannot be used is passed over. Fails if there is no server, or if it does not start:
    /// the error then has the end of its log.
    pub fn start(binaries: Option<&Path>, cache: Option<&Path>) -> Result<Throwaway, ThrowawayError> {
        let binaries = Binaries::find(binaries)?;
        let account = Account::of_server()?;
        let home = Home::create(&account)?;
        let guard = Guard::over(&home, &account)?;
        let entry = cache.and_then(|it| Entry::find(it, &binaries, &account).ok());
        let is_copy = entry.as_ref().is_some_and(|it| it.unpack(&account, &home, &guard).is_ok());
        if !is_copy {
            make_data_directory(entry.as_ref(), &binaries, &account, &home, &guard)?;
        }
        let server = Server::spawn(&binaries, &account, &home, &guard)?;
        let version = binaries.version.text.clone();
        let mut throwaway = Throwaway { guard, server, home, version };
        match throwaway.wait_until_ready() {
            Err(ThrowawayError::Exited { .. }) if is_copy => {
                let Throwaway { guard, server, home, .. } = &mut throwaway;
                make_data_directory(entry.as_ref(), &binaries, &account, home, guard)?;
                *server = Server::spawn(&binaries, &account, home, guard)?;
                throwaway.wait_until_ready()?;
            }
            ready => ready?,
        }
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

/// Makes a data directory without the cache, in place of what a damaged archive may have left, and puts
/// it into the cache.
fn make_data_directory(
    entry: Option<&Entry>,
    binaries: &Binaries,
    account: &Account,
    home: &Home,
    guard: &Guard,
) -> Result<(), ThrowawayError> {
    // Where something is left, initdb says so.
    let _ = fs::remove_dir_all(home.data());
    data::make(binaries, account, home, guard)?;
    if let Some(entry) = entry
        && entry.pack(account, home, guard).is_err()
    {
        entry.remove();
    }
    Ok(())
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
        let log =
            log(home).map_err(ThrowawayError::cannot(format!("create `{}`", home.log_file().display())))?;
        account
            .command(&postgres)
            .process_group(guard.group())
            .arg("-D")
            .arg(home.data())
            // Relative to the data directory: an absolute path would have to be quoted.
            .args(["-c", "unix_socket_directories=.."])
            .args(["-c", "listen_addresses=", "-c", "port=5432"])
            .args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"])
            // What is usual; initdb would make it fit its smaller segments.
            .args(["-c", "max_wal_size=1GB", "-c", "min_wal_size=80MB"])
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

/// A new file for what the server says, never one that is there: the directory is the server's, and root
/// follows no links in it.
fn log(home: &Home) -> io::Result<File> {
    let _ = fs::remove_file(home.log_file());
    File::create_new(home.log_file())
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
