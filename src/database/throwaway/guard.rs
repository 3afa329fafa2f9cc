//! The process that outlives the runner, to end what the runner started.
//!
//! It is a shell that waits for the end of its standard input, a pipe that only the runner holds
//! open. The kernel closes it however the runner ends, `kill -9` included. The guard leads a process
//! group that initdb and the server join: Ctrl-C in a terminal does not reach them, and the guard
//! needs no process id to signal them, so it can never signal a stranger.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};

use super::account::Account;
use super::error::ThrowawayError;
use super::home::Home;

const SCRIPT: &str = include_str!("guard.sh");

/// A guard on duty. Dropping it closes the pipe and waits until the guard has done its work.
pub struct Guard(Child);

impl Guard {
    /// Puts a guard over the directory and whatever joins its group. Fails if there is no `sh`.
    pub fn over(home: &Home, account: &Account) -> Result<Guard, ThrowawayError> {
        let cannot = |error| ThrowawayError::cannot("run `/bin/sh`")(error);
        account
            .command(Path::new("/bin/sh"))
            .args(["-c", SCRIPT, "seedbed-guard"])
            .arg(home.path())
            .process_group(0)
            .stdin(Stdio::piped())
            // It writes nothing there: it holds the lock until it is done.
            .stdout(home.lock().map_err(cannot)?)
            .stderr(Stdio::null())
            .spawn()
            .map(Guard)
            .map_err(cannot)
    }

    /// The process group to join, for [`CommandExt::process_group`].
    pub fn group(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Waiting closes the pipe first. If it fails the guard is gone, and those who are dropped
        // after it do its work.
        let _ = self.0.wait();
    }
}
