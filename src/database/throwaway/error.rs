//! Why there is no throwaway server.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong, as facts. The words are in `Display`, one line, and in [`help`](Self::help).
#[derive(Debug)]
pub enum ThrowawayError {
    /// The machine has no server.
    NoBinaries,
    /// The directory that was named does not hold one.
    NotBinaries {
        /// As it was given.
        directory: PathBuf,
    },
    /// We are root, and there is no account to run the server as.
    NoAccount,
    /// `initdb` failed.
    Initdb {
        /// Its standard error.
        said: String,
    },
    /// The server ended before it accepted connections.
    Exited {
        /// Its log.
        log: String,
    },
    /// The server did not accept connections in time.
    NotReady {
        /// How long it was waited for.
        within: Duration,
        /// Its log.
        log: String,
    },
    /// The operating system refused.
    System {
        /// What was tried, with the path in backticks.
        what: String,
        /// Its reason.
        error: io::Error,
    },
}

impl ThrowawayError {
    /// For `map_err`, where the operating system is asked to do `what`.
    pub(super) fn cannot(what: impl Into<String>) -> impl FnOnce(io::Error) -> ThrowawayError {
        move |error| ThrowawayError::System { what: what.into(), error }
    }

    /// What to do next, if that is known.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            ThrowawayError::NoBinaries => Some(
                "install a server: `apt-get install postgresql` (Debian, Ubuntu), `dnf install postgresql-server` \
                 (Fedora), `apk add postgresql` (Alpine), `pacman -S postgresql` (Arch), `brew install postgresql` \
                 (macOS); or set SEEDBED_POSTGRES_BIN to the directory of its binaries",
            ),
            ThrowawayError::NotBinaries { .. } => {
                Some("set SEEDBED_POSTGRES_BIN to a directory that holds both programs, or unset it")
            }
            ThrowawayError::NoAccount => {
                Some("run as an ordinary user, or create the account with `useradd --system postgres`")
            }
            _ => None,
        }
    }

    /// The last lines of what the server said, if it did.
    pub fn log_tail(&self) -> Option<String> {
        let (ThrowawayError::Initdb { said: log }
        | ThrowawayError::Exited { log }
        | ThrowawayError::NotReady { log, .. }) = self
        else {
            return None;
        };
        const LINES_MAX: usize = 10;
        let lines: Vec<&str> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LINES_MAX)..];
        (!tail.is_empty()).then(|| tail.join("\n"))
    }
}

impl fmt::Display for ThrowawayError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ThrowawayError::NoBinaries => {
                write!(formatter, "found no PostgreSQL server on this machine")
            }
            ThrowawayError::NotBinaries { directory } => {
                write!(formatter, "found no `initdb` and `postgres` that run in `{}`", directory.display())
            }
            ThrowawayError::NoAccount => write!(
                formatter,
                "PostgreSQL does not run as root, and there is neither an account `postgres` nor `nobody`"
            ),
            ThrowawayError::Initdb { .. } => {
                write!(formatter, "`initdb` could not make a throwaway server")
            }
            ThrowawayError::Exited { .. } => {
                write!(formatter, "the throwaway server ended while it was starting")
            }
            ThrowawayError::NotReady { within, .. } => write!(
                formatter,
                "the throwaway server accepted no connections within {} s",
                within.as_secs()
            ),
            ThrowawayError::System { what, error } => write!(formatter, "cannot {what}: {error}"),
        }
    }
}

impl std::error::Error for ThrowawayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ThrowawayError::System { error, .. } => Some(error),
            _ => None,
        }
    }
}
