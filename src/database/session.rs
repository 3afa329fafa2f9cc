//! One session with the server: one transaction at a time, and a limit on every wait.
//!
//! The client lives on a thread of its own, because nothing else bounds time: a server that is
//! stopped, or a network that swallows packets, answers neither keepalives' absence nor
//! `statement_timeout` (reproduced with a stopped backend). The caller waits on a channel; when the
//! limit passes, the thread is abandoned with its connection and never joined.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use postgres::types::{Format, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use postgres::{Client, SimpleQueryMessage};

use super::dsn::Dsn;
use super::error::{Error, ServerError};
use super::tls::{self, Tls};
use crate::plan::{Access, Answer, Statement, Value};

/// Limits of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first packet to a session that takes statements.
    pub connect: Duration,
    /// One statement of a step; zero for no limit.
    pub statement: Duration,
    /// One migration; zero for no limit.
    pub migration: Duration,
    /// Waiting for a lock.
    pub lock: Duration,
    /// What is added to a statement's own limit before a silent server is given up.
    pub grace: Duration,
}

/// A row count by table: what a transaction wrote, triggers and cascades included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrote {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Rows inserted, updated, deleted.
    pub rows: [u64; 3],
}

type Job = Box<dyn FnOnce(&mut Client) + Send>;

/// A session. Dropping it closes the connection; an open transaction is rolled back by the server.
pub struct Session {
    jobs: Option<mpsc::Sender<Job>>,
    closed: mpsc::Receiver<()>,
    cancel: Cancel,
    limits: Limits,
    /// The server's version, like `150018`.
    pub version: u32,
    /// Whether the connection is encrypted without knowing to whom.
    pub is_unverified: bool,
    before: Vec<Wrote>,
}

/// Ends the statement a session is running, from any thread.
#[derive(Clone)]
pub struct Cancel {
    token: postgres::CancelToken,
    tls: Tls,
}

impl Cancel {
    /// Asks the server to end the running statement. Says nothing of whether it did.
    pub fn cancel(&self) {
        let _ = self.token.cancel_query(self.tls.connector.clone());
    }
}

impl Session {
    /// Makes one try to connect.
    pub fn open(dsn: &Dsn, application_name: &str, limits: Limits) -> Result<Session, Error> {
        let tls = tls::connector(dsn)
            .map_err(|error| Error::Lost { reason: error.to_string(), is_transient: false })?;
        let mut config = dsn.config();
        config.application_name(application_name);
        let is_unverified = tls.is_unverified;
        let (opened, opening) = mpsc::channel();
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (closing, closed) = mpsc::channel();
        let connector = tls.clone();
        thread::spawn(move || {
            let mut client = match config.connect(connector.connector) {
                Ok(client) => client,
                Err(error) => return drop(opened.send(Err(Error::from(error)))),
            };
            if opened.send(Ok(client.cancel_token())).is_err() {
                return;
            }
            for job in inbox {
                job(&mut client);
            }
            let _ = client.close();
            let _ = closing.send(());
        });
        let token = match opening.recv_timeout(limits.connect) {
            Ok(opened) => opened?,
            Err(_) => return Err(Error::Silent(limits.connect)),
        };
        let cancel = Cancel { token, tls };
        Ok(Session {
            jobs: Some(jobs),
            closed,
            cancel,
            limits,
            version: 0,
            is_unverified,
            before: Vec::new(),
        })
    }

    /// What ends the running statement, from any thread.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Begins a transaction in one round trip, with everything pinned that changes how text is
    /// read or written.
    pub fn begin(&mut self, access: Access) -> Result<(), Error> {
        let (mode, count) = match access {
            Access::Read => ("read only", ""),
            // What earlier transactions of this session wrote may still be counted: it is taken off.
            Access::Write => ("read write", WROTE),
        };
        let sql = format!(
            "begin isolation level read committed {mode};\n{}{count}",
            settings(self.limits.statement, self.limits.lock)
        );
        self.before = wrote(&self.simple(sql, self.limits.statement)?);
        Ok(())
    }

    /// Runs a statement in one round trip. Every column must be of type text.
    pub fn query(&mut self, statement: &Statement) -> Result<Answer, Error> {
        let sql = statement.sql.clone();
        let parameters: Vec<Bound> =
            statement.parameters.iter().map(|parameter| Bound::of(&parameter.value)).collect();
        self.call(self.limits.statement, move |client| {
            let parameters = parameters.iter().map(|bound| (bound, bound.sql_type()));
            // Types are named here, so that the unnamed statement is used: it takes one round trip,
            // and a pooler may hand it to any server.
            let typed: Vec<(&(dyn ToSql + Sync), Type)> =
                parameters.map(|(bound, sql_type)| (bound as &(dyn ToSql + Sync), sql_type)).collect();
            let rows = client.query_typed(&sql, &typed)?;
            rows.iter()
                .map(|row| (0..row.len()).map(|column| row.try_get(column)).collect())
                .collect::<Result<Answer, postgres::Error>>()
        })
    }

    /// Commits in one round trip, and says what the transaction wrote.
    ///
    /// The count comes before COMMIT in the same message on purpose. COMMIT of an aborted
    /// transaction is answered like a success (rust-postgres#1334), but a SELECT in one fails, and
    /// COMMIT is then not reached.
    pub fn commit(&mut self, access: Access) -> Result<Vec<Wrote>, Error> {
        let count = if access == Access::Write { WROTE } else { "select 1;" };
        let after = wrote(&self.simple(format!("{count}\ncommit"), self.limits.statement)?);
        let before = std::mem::take(&mut self.before);
        let own = after.into_iter().filter_map(|mut wrote| {
            if let Some(earlier) =
                before.iter().find(|it| (&it.schema, &it.table) == (&wrote.schema, &wrote.table))
            {
                for (rows, earlier) in wrote.rows.iter_mut().zip(earlier.rows) {
                    *rows = rows.saturating_sub(earlier);
                }
            }
            (wrote.rows != [0; 3]).then_some(wrote)
        });
        Ok(own.collect())
    }

    /// Rolls back in one round trip.
    pub fn rollback(&mut self) -> Result<(), Error> {
        self.simple("rollback".to_owned(), self.limits.statement).map(drop)
    }

    /// Sends SQL text as it is, in one round trip; rows come back as texts. `limit` zero waits for ever.
    pub fn simple(&mut self, sql: String, limit: Duration) -> Result<Answer, Error> {
        self.call(limit, move |client| {
            let messages = client.simple_query(&sql)?;
            let rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
                }
                _ => None,
            });
            Ok(rows.collect())
        })
    }

    /// Lets the client's thread do a piece of work, and waits for it no longer than `limit` and the
    /// grace. Behind a silence the session is of no more use.
    fn call<T: Send + 'static>(
        &mut self,
        limit: Duration,
        work: impl FnOnce(&mut Client) -> Result<T, postgres::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let lost = || Error::Lost { reason: "the connection is closed".to_owned(), is_transient: true };
        let (done, doing) = mpsc::channel();
        let job: Job = Box::new(move |client| drop(done.send(work(client).map_err(Error::from))));
        self.jobs.as_ref().ok_or_else(lost)?.send(job).map_err(|_| lost())?;
        if limit.is_zero() {
            return doing.recv().map_err(|_| lost())?;
        }
        let limit = limit + self.limits.grace;
        match doing.recv_timeout(limit) {
            Ok(result) => result,
            Err(RecvTimeoutError::Disconnected) => Err(lost()),
            Err(RecvTimeoutError::Timeout) => {
                self.jobs = None;
                let cancel = self.cancel();
                thread::spawn(move || cancel.cancel()); // It may find the same silence.
                Err(Error::Silent(limit))
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.jobs.take().is_some() {
            // Long enough for a goodbye, too short to be held up by a dead server.
            let _ = self.closed.recv_timeout(Duration::from_millis(200));
        }
    }
}

/// The rows written so far, by table, as the server's own counters have them.
const WROTE: &str = "select n.nspname, c.relname, pg_stat_get_xact_tuples_inserted(c.oid),
  pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_deleted(c.oid)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')
  and pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid)
    + pg_stat_get_xact_tuples_deleted(c.oid) > 0
order by 1, 2;";

fn wrote(answer: &Answer) -> Vec<Wrote> {
    let counted = answer.iter().filter(|row| row.len() == 5);
    let number = |cell: &Option<String>| cell.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
    counted
        .map(|row| Wrote {
            schema: row[0].clone().unwrap_or_default(),
            table: row[1].clone().unwrap_or_default(),
            rows: [number(&row[2]), number(&row[3]), number(&row[4])],
        })
        .collect()
}

/// The settings every transaction pins: the same file means the same rows on every machine. They
/// are local to the transaction, so that they hold behind a pooler and leak nowhere.
pub fn settings(statement: Duration, lock: Duration) -> String {
    format!(
        "set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres';
set local bytea_output = 'hex'; set local extra_float_digits = 1; set local standard_conforming_strings = on;
set local statement_timeout = {}; set local lock_timeout = {}; set local idle_in_transaction_session_timeout = 60000;\n",
        statement.as_millis(),
        lock.as_millis(),
    )
}

/// A parameter on its way: always text, of a type the server works out from its use.
#[derive(Debug)]
enum Bound {
    Text(Option<String>),
    List(Vec<Option<String>>),
}

impl Bound {
    fn of(value: &Value) -> Bound {
        match value {
            Value::Text(text) => Bound::Text(text.clone()),
            Value::List(texts) => Bound::List(texts.clone()),
        }
    }

    fn sql_type(&self) -> Type {
        match self {
            Bound::Text(_) => Type::UNKNOWN,
            Bound::List(_) => Type::TEXT_ARRAY,
        }
    }
}

impl ToSql for Bound {
    fn to_sql(
        &self,
        sql_type: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Bound::Text(None) => Ok(IsNull::Yes),
            Bound::Text(Some(text)) => text.to_sql(&Type::TEXT, out),
            Bound::List(texts) => texts.to_sql(sql_type, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        match self {
            Bound::Text(_) => Format::Text,
            Bound::List(_) => Format::Binary,
        }
    }

    to_sql_checked!();
}

/// The server error behind an [`Error`], for callers that only care about its code.
pub fn sqlstate(error: &Error) -> Option<&str> {
    error.server().map(|server: &ServerError| server.sqlstate.as_str())
}
