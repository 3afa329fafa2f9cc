//! What can go wrong with a database, and what that means for the work at hand.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use super::lock::Holder;
use super::proxy;

/// A failure of the connection or of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The server refused, with its own words.
    Server(Box<ServerError>),
    /// There is no connection any more, or none could be made.
    Lost {
        /// What the system says.
        reason: String,
        /// Whether trying again may help: a port that is closed may open, a bad certificate stays bad.
        is_transient: bool,
    },
    /// The server asks for a password, and there is none.
    NoPassword,
    /// TLS is demanded, and the server has none.
    NoTls,
    /// The server said nothing for this long, and was given up.
    Silent(Duration),
    /// This signal asked the run to end.
    Interrupted(i32),
    /// The run has used up its time, which was this long.
    Late(Duration),
    /// Another runner held the lock for longer than this.
    Locked {
        /// How long it was waited for.
        waited: Duration,
        /// Who holds it, as far as the server shows it.
        holder: Option<Box<Holder>>,
    },
    /// The server takes no writes, and the work needs some.
    ReadOnly,
    /// What the database has or lacks keeps us from working with it.
    Unfit(String),
}

/// The fields of the server's own error message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerError {
    /// Five characters, like `23505`.
    pub sqlstate: String,
    /// The message, in the server's language.
    pub message: String,
    /// More of it; may hold data of the row.
    pub detail: Option<String>,
    /// What the server suggests.
    pub hint: Option<String>,
    /// The context, like a line of COPY or the parameter being read.
    pub context: Option<String>,
    /// The character of the statement it is about, counted from 1.
    pub position: Option<usize>,
    /// A statement of the server's own making (inside a function), and the character in it.
    pub internal: Option<(String, usize)>,
    /// The constraint that was violated.
    pub constraint: Option<String>,
    /// The table it is about.
    pub table: Option<String>,
    /// The schema of that table.
    pub schema: Option<String>,
    /// The column it is about.
    pub column: Option<String>,
}

/// Where in a transaction's life an error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before there was a session.
    Connect,
    /// From BEGIN until COMMIT is sent: nothing can have been kept.
    Work,
    /// After COMMIT was sent: without an answer nobody knows.
    Commit,
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Do the whole unit again: nothing of it was kept.
    Transient,
    /// It may or may not have been kept.
    Ambiguous,
    /// It would fail again.
    Permanent,
}

impl Error {
    /// What to do about the error, by the phase it came in.
    pub fn class(&self, phase: Phase) -> Class {
        match self {
            Error::Server(error) => error.class(phase),
            Error::Lost { is_transient: false, .. } => Class::Permanent,
            Error::Lost { .. } | Error::Silent(_) if phase == Phase::Commit => Class::Ambiguous,
            Error::Lost { .. } | Error::Silent(_) | Error::ReadOnly => Class::Transient,
            Error::NoPassword
            | Error::NoTls
            | Error::Interrupted(_)
            | Error::Late(_)
            | Error::Locked { .. }
            | Error::Unfit(_) => Class::Permanent,
        }
    }

    /// The error as it would be without so many characters before the statement.
    pub fn moved_back(mut self, characters: usize) -> Error {
        if let Error::Server(server) = &mut self {
            server.position = server.position.and_then(|position| position.checked_sub(characters));
        }
        self
    }

    /// Whether the session that gave this error can still be used.
    pub fn leaves_session_usable(&self) -> bool {
        match self {
            Error::Server(error) => !error.ends_session(),
            Error::Unfit(_) => true,
            Error::Lost { .. }
            | Error::NoPassword
            | Error::NoTls
            | Error::Silent(_)
            | Error::Interrupted(_)
            | Error::Late(_)
            | Error::Locked { .. }
            | Error::ReadOnly => false,
        }
    }

    /// Whether the server takes no writes: it is a standby now, or was made read-only.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Error::ReadOnly) || self.server().is_some_and(|server| server.sqlstate == "25006")
    }

    /// The server's own error.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Error::Server(error) => Some(error),
            _ => None,
        }
    }
}

impl ServerError {
    fn class(&self, phase: Phase) -> Class {
        let state = self.sqlstate.as_str();
        if self.ends_session() || matches!(state, "08007" | "40003") {
            return match phase {
                Phase::Commit => Class::Ambiguous,
                Phase::Connect | Phase::Work if state == "08P01" && !self.is_pooler_full() => {
                    Class::Permanent
                }
                Phase::Connect | Phase::Work => Class::Transient,
            };
        }
        match (phase, state) {
            (Phase::Connect, "53300") => Class::Transient,
            // A proxy that has no code of its own for what it says: only the words tell.
            (Phase::Connect, "XX000") if proxy::passes(&self.message) => Class::Transient,
            (Phase::Connect, _) => Class::Permanent,
            // Another session was faster, or holds what is needed.
            (_, "40001" | "40P01" | "55P03" | "55006") => Class::Transient,
            (_, "XX000") if self.message.contains("concurrently updated") => Class::Transient,
            // After a failover, the old primary: the next connection may find the new one.
            (Phase::Work, "25006") => Class::Transient,
            _ => Class::Permanent,
        }
    }

    /// Whether a pooler does not take the options that mark a session.
    pub fn refuses_options(&self) -> bool {
        matches!(self.sqlstate.as_str(), "08P01" | "0A000" | "XX000") && self.message.contains("option")
            || self.message.contains("unsupported startup parameter")
    }

    /// PgBouncer says everything as 08P01; this is what passes.
    fn is_pooler_full(&self) -> bool {
        let passes = ["no more connections allowed", "query_wait_timeout", "server login"];
        passes.iter().any(|words| self.message.contains(words))
    }

    /// Whether the server closes the connection behind this error, or never opened it.
    fn ends_session(&self) -> bool {
        let state = self.sqlstate.as_str();
        matches!(state, "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04") || state.starts_with("08")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Server(error) => write!(formatter, "{} ({})", error.message, error.sqlstate),
            Error::Lost { reason, .. } => formatter.write_str(reason),
            Error::NoPassword => formatter.write_str("the server asks for a password, and there is none"),
            Error::NoTls => formatter.write_str("TLS is demanded, and the server has none"),
            Error::Silent(limit) => {
                write!(formatter, "the server was silent for {}", humantime::format_duration(*limit))
            }
            Error::Interrupted(signal) => write!(formatter, "interrupted by signal {signal}"),
            Error::Late(limit) => {
                write!(formatter, "the run has used up its {}", humantime::format_duration(*limit))
            }
            Error::Locked { waited, .. } => {
                let waited = humantime::format_duration(*waited);
                write!(formatter, "another runner has held the lock for more than {waited}")
            }
            Error::ReadOnly => formatter.write_str("the server takes no writes"),
            Error::Unfit(reason) => formatter.write_str(reason),
        }
    }
}

impl std::error::Error for Error {}

impl From<postgres::Error> for Error {
    fn from(error: postgres::Error) -> Error {
        if let Some(server) = error.as_db_error() {
            return Error::Server(Box::new(ServerError::from(server)));
        }
        if error.is_closed() {
            return Error::Lost { reason: "the server closed the connection".to_owned(), is_transient: true };
        }
        // The crate's own words are only "error connecting to server"; the cause is behind them.
        let mut innermost: &dyn std::error::Error = &error;
        let mut io = None;
        while let Some(source) = innermost.source() {
            innermost = source;
            io = innermost.downcast_ref::<std::io::Error>().map(std::io::Error::kind).or(io);
        }
        let reason = match innermost.to_string() {
            // With `target_session_attrs`, of hosts that are all standbys for now.
            words if words == "database does not allow writes" => return Error::ReadOnly,
            words if words == "password missing" => return Error::NoPassword,
            words if words == "server does not support TLS" => return Error::NoTls,
            // rustls explains at length, with a link.
            words if words.contains("close_notify") => "the server closed the connection".to_owned(),
            words if words == "bytes remaining on stream" => {
                "the server closed the connection within an answer".to_owned()
            }
            words => words,
        };
        // A name that does not resolve has no kind of its own. A new name may take a while to
        // appear, so it is tried again like a closed port.
        let is_transient = match io {
            Some(
                ErrorKind::PermissionDenied
                | ErrorKind::InvalidInput
                | ErrorKind::InvalidData
                | ErrorKind::NotADirectory,
            ) => false,
            Some(_) => !reason.contains("certificate") && !reason.contains("TLS"),
            None => false,
        };
        let reason = match reason.split_once(" (os error") {
            Some((words, _)) => words.to_lowercase(),
            None => reason,
        };
        Error::Lost { reason, is_transient }
    }
}

impl From<&postgres::error::DbError> for ServerError {
    fn from(error: &postgres::error::DbError) -> ServerError {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (position, internal) = match error.position() {
            Some(postgres::error::ErrorPosition::Original(at)) => (Some(*at as usize), None),
            Some(postgres::error::ErrorPosition::Internal { position, query }) => {
                (None, Some((query.clone(), *position as usize)))
            }
            None => (None, None),
        };
        ServerError {
            sqlstate: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: owned(error.detail()),
            hint: owned(error.hint()),
            context: owned(error.where_()),
            position,
            internal,
            constraint: owned(error.constraint()),
            table: owned(error.table()),
            schema: owned(error.schema()),
            column: owned(error.column()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: Error, expected: [Class; 3]) {
        let actual = [Phase::Connect, Phase::Work, Phase::Commit].map(|phase| error.class(phase));
        assert_eq!(actual, expected, "{error}");
    }

    #[test]
    fn every_error_has_a_class_in_every_phase() {
        use Class::{Ambiguous, Permanent, Transient};
        let server = |sqlstate: &str| {
            Error::Server(Box::new(ServerError { sqlstate: sqlstate.to_owned(), ..ServerError::default() }))
        };
        check(Error::Lost { reason: "reset".into(), is_transient: true }, [Transient, Transient, Ambiguous]);
        check(Error::Lost { reason: "bad certificate".into(), is_transient: false }, [Permanent; 3]);
        check(Error::NoPassword, [Permanent; 3]);
        check(Error::NoTls, [Permanent; 3]);
        check(Error::Silent(Duration::from_secs(1)), [Transient, Transient, Ambiguous]);
        for state in ["57P01", "57P02", "57P03", "08006", "08000", "25P03"] {
            check(server(state), [Transient, Transient, Ambiguous]);
        }
        for state in ["40001", "40P01"] {
            check(server(state), [Permanent, Transient, Transient]);
        }
        check(server("53300"), [Transient, Permanent, Permanent]);
        for state in ["55P03", "55006"] {
            check(server(state), [Permanent, Transient, Transient]);
        }
        check(server("25006"), [Permanent, Transient, Permanent]);
        check(server("XX000"), [Permanent; 3]);
        let says = |sqlstate: &str, message: &str| {
            let (sqlstate, message) = (sqlstate.to_owned(), message.to_owned());
            Error::Server(Box::new(ServerError { sqlstate, message, ..ServerError::default() }))
        };
        check(says("XX000", "tuple concurrently updated"), [Permanent, Transient, Transient]);
        check(
            says("08P01", "no more connections allowed (max_client_conn)"),
            [Transient, Transient, Ambiguous],
        );
        check(says("08P01", "unsupported startup parameter: options"), [Permanent, Permanent, Ambiguous]);
        for state in ["28P01", "28000", "3D000", "42P01", "23505", "22P02", "57014", "53100", "25P02"] {
            check(server(state), [Permanent; 3]);
        }
    }
}
