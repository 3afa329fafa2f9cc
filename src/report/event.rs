//! What the library tells while it works. It never prints.

use std::time::Duration;

use super::suite::TestReport;
use super::{Migrated, StepReport};
use crate::database::lock::Holder;
use crate::project::diagnostic::Diagnostic;

/// Something that happened just now.
#[derive(Debug)]
pub enum Event<'a> {
    /// The first connection is there.
    Connected {
        /// `user@host:port/name`
        target: String,
        /// It is encrypted, without knowing to whom.
        is_unverified: bool,
        /// A pooler stands between.
        is_pooled: bool,
    },
    /// The database was not there, and was created.
    Created(&'a str),
    /// Another runner is at work; the lock is asked for again.
    LockHeld {
        /// Who it is, as far as the server shows it.
        holder: Option<&'a Holder>,
        /// How many tries were made.
        attempt: u32,
        /// How long more will be tried.
        left: Duration,
    },
    /// Nobody answers yet; another try follows.
    Waiting {
        /// `user@host:port/name`
        target: String,
        /// What the last try ran into.
        reason: String,
        /// How many tries were made.
        attempt: u32,
        /// How long more will be tried.
        left: Duration,
    },
    /// Something that does not stop the work.
    Warned(&'a Diagnostic),
    /// Migrations begin: how many are pending, how many were applied before.
    MigrationsBegun {
        /// To be applied now.
        pending: usize,
        /// Applied before.
        applied: usize,
    },
    /// A migration begins.
    MigrationBegun(&'a str),
    /// A migration was applied.
    MigrationApplied(&'a Migrated),
    /// A scenario begins.
    ScenarioBegun {
        /// Its title.
        title: &'a str,
        /// Its file.
        file: &'a str,
        /// The widest title of its steps, in characters.
        title_width: usize,
    },
    /// A step begins.
    StepBegun {
        /// The kind's word.
        kind: &'static str,
        /// Its title.
        title: &'a str,
    },
    /// Rows of a file are on their way.
    Copying(Copying<'a>),
    /// A step or migration is tried again.
    Retrying {
        /// What is tried.
        title: &'a str,
        /// What the last try ran into.
        reason: String,
        /// How many tries were made.
        attempt: u32,
        /// The pause before the next.
        delay: Duration,
    },
    /// The answer to a commit was lost; what became of it is being found out.
    Settling {
        /// What was committed.
        title: &'a str,
        /// How the connection ended.
        reason: String,
    },
    /// The server said something on its own: NOTICE, WARNING and their like.
    Noticed {
        /// `NOTICE`, `WARNING`, …
        severity: String,
        /// Its words.
        message: String,
    },
    /// A step ended.
    StepEnded(&'a StepReport),
    /// A test of a suite begins.
    TestBegun {
        /// Its name.
        name: &'a str,
        /// Its file.
        file: &'a str,
    },
    /// A test of a suite ended.
    TestEnded(&'a TestReport),
    /// Expectations were written anew in a file.
    Updated {
        /// The file.
        file: &'a str,
        /// How many steps.
        steps: usize,
    },
    /// The run ended.
    Ended {
        /// The exit status.
        exit: u8,
        /// How long it took.
        elapsed: Duration,
        /// What stopped it.
        diagnostics: &'a [Diagnostic],
    },
}

/// How far a file is.
#[derive(Debug, Clone, Copy)]
pub struct Copying<'a> {
    /// The file.
    pub file: &'a str,
    /// Rows sent.
    pub rows: u64,
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// Bytes of the whole file.
    pub of: u64,
    /// The time since the first row.
    pub elapsed: Duration,
}

impl Event<'_> {
    /// What it warns of, for those who do not read its line.
    pub fn warning(&self) -> Option<Diagnostic> {
        match self {
            Event::Warned(diagnostic) => Some((*diagnostic).clone()),
            Event::Connected { is_unverified: true, .. } => Some(
                Diagnostic::warning("the connection is encrypted, but nobody vouches for the server")
                    .help("use sslmode=verify-full"),
            ),
            _ => None,
        }
    }
}
