//! The directory of a throwaway server, and how to tell a living one from a dead one.
//!
//! Its lock is held by the runner and by the guard, and the kernel drops it when both have ended.
//! So a directory that can be locked is abandoned: no process ids that may have been given to others,
//! no clocks.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{Statvfs, statvfs};

use super::account::Account;
use super::error::ThrowawayError;

const PREFIX: &str = "seedbed-";
/// Where Linux has a file system in memory.
const MEMORY: &str = "/dev/shm";
/// The bytes that must be free in it. Containers have 64 MiB there, and machines half of their memory.
const MEMORY_MIN: u128 = 4 << 30;
/// The most a directory's path may have, so that the socket's path fits into 104 bytes everywhere.
const PARENT_BYTES_MAX: usize = 70;

/// A locked directory that only the server's account and root may enter. Dropping it removes it.
pub struct Home {
    path: PathBuf,
    lock: File,
}

impl Home {
    /// Removes abandoned directories, then makes one: in memory, or in the temporary directory. Fails if
    /// neither can be written.
    pub fn create(account: &Account) -> Result<Home, ThrowawayError> {
        // The place of an earlier run may have become too small for this one.
        for place in [Path::new(MEMORY), &temporary(account)] {
            sweep(place, account);
        }
        let parent = parent(account);
        let cannot = format!("create a directory in `{}`", parent.display());
        Home::create_in(&parent, account).map_err(ThrowawayError::cannot(cannot))
    }

    fn create_in(parent: &Path, account: &Account) -> io::Result<Home> {
        // It gets its name when it is locked: a sweep that runs meanwhile must not take it.
        let unnamed = tempfile::Builder::new().prefix(".").tempdir_in(parent)?;
        let lock = File::open(unnamed.path())?;
        lock.try_lock()?;
        chown(unnamed.path(), Some(account.uid), Some(account.gid))?;
        let suffix = unnamed.path().file_name().unwrap_or_default().to_string_lossy();
        let path = parent.join(format!("{PREFIX}{}", suffix.trim_start_matches('.')));
        fs::rename(unnamed.path(), &path)?;
        let _ = unnamed.keep();
        Ok(Home { path, lock })
    }

    /// The directory, which holds the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the server keeps its data.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Where the server's standard error goes.
    pub fn log_file(&self) -> PathBuf {
        self.path.join("log")
    }

    /// What the server has written so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Another hold on the lock.
    pub fn lock(&self) -> io::Result<File> {
        self.lock.try_clone()
    }

    /// Removes the directory. Fails if something is left.
    pub fn remove(self) -> Result<(), ThrowawayError> {
        remove(&self.path).map_err(ThrowawayError::cannot(format!("remove `{}`", self.path.display())))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What cannot be removed now is swept at the next start.
        let _ = remove(&self.path);
    }
}

/// Memory, if there is plenty of it: where files are on a disk, a database takes several times as long to
/// copy. Who names a temporary directory has chosen.
fn parent(account: &Account) -> PathBuf {
    let is_chosen = std::env::var_os("TMPDIR").is_some_and(|it| !it.is_empty());
    // The width of these numbers differs between systems.
    let bytes = |it: Statvfs| it.blocks_available() as u128 * it.fragment_size() as u128;
    let is_roomy = || statvfs(MEMORY).is_ok_and(|it| bytes(it) >= MEMORY_MIN);
    if !is_chosen && is_roomy() { PathBuf::from(MEMORY) } else { temporary(account) }
}

/// The system's temporary directory, or `/tmp` if that one's path is too long for a socket, or if it
/// is root's and the server's account may not be able to enter it.
fn temporary(account: &Account) -> PathBuf {
    let parent = std::env::temp_dir();
    let fits = parent.is_absolute() && parent.as_os_str().as_bytes().len() <= PARENT_BYTES_MAX;
    if fits && !account.is_lent { parent } else { PathBuf::from("/tmp") }
}

/// Removes the directories of this account that nobody holds. A server that has lost both its runner
/// and its guard ends by itself within a minute of losing its directory.
fn sweep(parent: &Path, account: &Account) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().as_bytes().starts_with(PREFIX.as_bytes())
            && entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == account.uid);
        if !is_ours {
            continue;
        }
        if let Ok(lock) = File::open(entry.path())
            && lock.try_lock().is_ok()
        {
            let _ = remove(&entry.path());
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
