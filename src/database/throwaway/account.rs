//! Who the server runs as: PostgreSQL refuses to run as root.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, getegid, geteuid};

use super::error::ThrowawayError;

/// The account that owns the server's processes and files.
pub struct Account {
    pub uid: u32,
    pub gid: u32,
    /// Whether the runner is root and the server must be somebody else.
    pub is_lent: bool,
}

impl Account {
    /// Ours; for root `postgres`, which every package of the server creates, else `nobody`. Fails
    /// if we are root and there is neither.
    pub fn of_server() -> Result<Account, ThrowawayError> {
        if !geteuid().is_root() {
            let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
            return Ok(Account { uid, gid, is_lent: false });
        }
        let user = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok()?);
        let user = user.ok_or(ThrowawayError::NoAccount)?;
        Ok(Account { uid: user.uid.as_raw(), gid: user.gid.as_raw(), is_lent: true })
    }

    /// A command that runs under this account, in a directory that anybody may enter, and unmoved
    /// by the runner's own settings for PostgreSQL.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if self.is_lent {
            command.uid(self.uid).gid(self.gid);
        }
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        // English messages, and the same time zone everywhere. With neither set, initdb would
        // compare every zone of the machine with its clock, which takes longer than the rest.
        command.env("LC_ALL", "C").env("TZ", "UTC").current_dir("/");
        command
    }
}
