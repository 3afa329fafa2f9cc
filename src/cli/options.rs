//! The options that every command understands.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};

use super::Refusal;
use super::environment::EnvFile;
use crate::database::retry::Policy;
use crate::database::session::Limits;
use crate::project::Project;
use crate::project::diagnostic::Diagnostic;
use crate::report::exit::Exit;
use crate::run::Work;
use crate::run::guard::Guard;

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The project's directory
    #[arg(long, value_name = "DIR", default_value = ".", global = true, help_heading = "Project")]
    pub dir: PathBuf,

    /// The environment whose fixtures in `fixtures/NAME/` are laid over the others
    #[arg(long, value_name = "NAME", env = "SEEDBED_ENV", global = true, help_heading = "Project")]
    pub env: Option<String>,

    /// Another value for a variable of scenarios, like department=Sales; may be given more than once
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable, global = true, help_heading = "Project")]
    pub vars: Vec<(String, String)>,

    /// The time that `{$now: …}` counts from, like 2026-01-01T00:00:00Z [default: when the run began]
    #[arg(long, value_name = "TIME", env = "SEEDBED_NOW", value_parser = humantime::parse_rfc3339_weak, global = true, help_heading = "Project")]
    pub now: Option<SystemTime>,

    /// The database, like postgres://user@host/name
    ///
    /// Other processes can see it: keep passwords in CONNECTION_STRING, PGPASSWORD or a .pgpass
    /// file. SQLAlchemy, JDBC and key=value spellings are understood too.
    #[arg(long, value_name = "URL", global = true, help_heading = "Database")]
    pub url: Option<String>,

    /// Use a temporary PostgreSQL, started from this machine's own server programs
    ///
    /// It listens on no port, and is stopped and removed at the end, whatever the end is.
    #[arg(long, global = true, conflicts_with = "url", help_heading = "Database")]
    pub throwaway: bool,

    /// Create the database if it is not there
    #[arg(long, global = true, conflicts_with = "throwaway", help_heading = "Database")]
    pub create: bool,

    /// The .env file to read [default: the nearest one in the project or above it]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Database")]
    pub env_file: Option<PathBuf>,

    /// Read no .env file at all
    #[arg(long, global = true, conflicts_with = "env_file", help_heading = "Database")]
    pub no_env_file: bool,

    /// How long to wait for a server that does not answer yet
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration, global = true, help_heading = "Patience")]
    pub wait: Duration,

    /// How long to wait for another runner at work on the database; 0s not to wait at all
    #[arg(long, value_name = "TIME", default_value = "5min", value_parser = humantime::parse_duration, global = true, help_heading = "Patience")]
    pub lock_wait: Duration,

    /// The most time the whole run may take; 0s for no limit
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration, global = true, help_heading = "Patience")]
    pub deadline: Duration,

    /// How often to try a step or migration when the connection fails under it
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..), global = true, help_heading = "Patience")]
    pub attempts: u32,

    /// The pause before the second try; it doubles with each further one
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration, global = true, help_heading = "Patience")]
    pub retry_delay: Duration,

    /// The most time one connection may take to be made
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = humantime::parse_duration, global = true, help_heading = "Patience")]
    pub connect_timeout: Duration,

    /// The most time one step may take; 0s for no limit
    #[arg(long, value_name = "TIME", default_value = "5min", value_parser = humantime::parse_duration, global = true, help_heading = "Patience")]
    pub statement_timeout: Duration,

    /// The most time one migration may take; 0s for no limit
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration, global = true, help_heading = "Patience")]
    pub migration_timeout: Duration,

    /// The most time to wait for a lock that another session holds; 0s for no limit
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, global = true, help_heading = "Patience")]
    pub lock_timeout: Duration,

    /// What this run takes the database for, like production; see `seedbed environment`
    #[arg(
        long,
        value_name = "NAME",
        env = "SEEDBED_ENVIRONMENT",
        global = true,
        help_heading = "Protection"
    )]
    pub environment: Option<String>,

    /// Let steps delete in the protected or other environment of this name
    #[arg(long, value_name = "NAME", global = true, help_heading = "Protection")]
    pub confirm: Option<String>,

    /// The most rows one step may delete, cascades included
    #[arg(long, value_name = "N", default_value_t = 1000, global = true, help_heading = "Protection")]
    pub max_delete: u64,

    /// Do everything, and roll it back at the end; sequences keep what they gave out
    #[arg(long, global = true, help_heading = "Protection")]
    pub dry_run: bool,

    /// Write the result as one JSON document to standard output
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,

    /// Only tell what failed, and the result
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,

    /// Write what happens to standard error, in this form
    #[arg(long, value_name = "FORM", default_value = "text", global = true, help_heading = "Output")]
    pub log: Log,

    /// Tell of everything, as it begins
    #[arg(long, short, global = true, help_heading = "Output")]
    pub verbose: bool,

    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true, help_heading = "Output")]
    pub color: Color,
}

impl Options {
    /// The limits of a session.
    pub fn limits(&self) -> Limits {
        Limits {
            connect: self.connect_timeout,
            statement: self.statement_timeout,
            migration: self.migration_timeout,
            lock: self.lock_timeout,
            runner: self.lock_wait,
            // The server ends a statement itself; this long after that it is given up for dead.
            grace: Duration::from_secs(30),
        }
    }

    /// Which `.env` file is read.
    pub fn env_file(&self) -> EnvFile {
        match &self.env_file {
            _ if self.no_env_file => EnvFile::Ignore,
            Some(path) => EnvFile::At(path.clone()),
            None => EnvFile::Search,
        }
    }

    /// What steps may do.
    pub fn guard(&self) -> Guard {
        Guard {
            environment: self.environment.clone(),
            confirmed: self.confirm.clone(),
            deleted_max: self.max_delete,
        }
    }

    /// Refuses `--dry-run` for a command that would then say it had done what is rolled back.
    ///
    /// # Errors
    ///
    /// It was asked for; `instead` says what to do.
    pub(super) fn refuse_dry_run(&self, instead: &str) -> Result<(), Refusal> {
        match self.dry_run {
            true => Err(Refusal::new(
                Exit::Invalid,
                Diagnostic::error("`--dry-run` is for `up`, `migrate`, `seed` and `run`").help(instead),
            )),
            false => Ok(()),
        }
    }

    /// Work that has no steps yet.
    pub fn work<'a>(&self, project: &'a Project) -> Work<'a> {
        Work {
            project,
            migrate: None,
            stories: Vec::new(),
            retry: self.retry(),
            guard: self.guard(),
            update: None,
            keeps_sent: false,
        }
    }

    /// How often steps and migrations are tried.
    pub fn retry(&self) -> Policy {
        Policy {
            attempts_max: self.attempts,
            delay_first: self.retry_delay,
            delay_max: Duration::from_secs(30).max(self.retry_delay),
            total_max: Duration::MAX, // The run's own deadline is the limit.
        }
    }
}

/// The form in which events are written while they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Log {
    /// Words for people
    Text,
    /// One JSON object a line, for a collector of logs
    Json,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Makes it the choice for everything this process prints.
    pub fn apply(self) {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// A name and its value.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it is written NAME=VALUE".to_owned()),
    }
}
