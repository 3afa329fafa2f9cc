//! The database of one command: the server it is on, and the connection to it.

use std::path::Path;

use super::cache;
use super::dsn::{self, TargetError};
use super::environment::{EnvPlace, Environment};
use super::interrupt;
use super::options::Options;
use super::terminal::Terminal;
use super::{Refusal, censor};
use crate::database::clock::Clock;
use crate::database::connection::{Connection, Mode};
use crate::database::dsn::Dsn;
use crate::database::throwaway::{Throwaway, ThrowawayError};
use crate::project::Project;
use crate::project::diagnostic::Diagnostic;
use crate::project::source::{Source, Span};
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::run::{Run, Stop};

/// The database of a command. Dropping it closes the connection, then stops a throwaway server.
pub struct Target {
    /// Not made yet.
    pub connection: Connection,
    _throwaway: Option<Throwaway>,
}

impl Target {
    /// Decides by the options and the environment; starts a throwaway server if asked.
    pub fn choose(options: &Options) -> Result<Target, Refusal> {
        let (dsn, server) = match options.throwaway {
            true => throwaway().map(|(dsn, server)| (dsn, Some(server)))?,
            false => {
                let named = dsn::target(options.url.as_deref(), &environment(options)?);
                (named.map_err(unusable)?, None)
            }
        };
        Ok(Target::new(options, dsn, server))
    }

    /// Lets a command do something with the database outside of any step, and shows what happens meanwhile.
    pub fn run<T>(
        &mut self,
        options: &Options,
        project: &Project,
        ask: impl FnOnce(&mut Run) -> Result<T, Stop>,
    ) -> Result<T, Refusal> {
        let work = options.work(project);
        let mut terminal = Terminal::new(options);
        terminal.is_of(&self.connection.run);
        let mut emit = |event: Event| terminal.show(&event);
        ask(&mut Run::new(&work, &mut self.connection, &mut emit)).map_err(Refusal::from)
    }

    fn new(options: &Options, dsn: Dsn, throwaway: Option<Throwaway>) -> Target {
        censor::keep(&dsn);
        let clock = Clock::start(options.deadline);
        let mut connection = Connection::new(dsn, options.limits(), options.wait, clock.clone());
        connection.mode = Mode { creates: options.create, rehearses: options.dry_run };
        let running = connection.running();
        interrupt::watch(clock, move || running.cancel());
        Target { connection, _throwaway: throwaway }
    }
}

/// The server that a command makes databases on: the one that is named, or a throwaway one where none is.
/// Dropping the latter stops it.
pub fn server(options: &Options) -> Result<(Dsn, Option<Throwaway>), Refusal> {
    let named = match options.throwaway {
        true => None,
        false => dsn::target_if_named(options.url.as_deref(), &environment(options)?).map_err(unusable)?,
    };
    match named {
        Some(dsn) => {
            censor::keep(&dsn);
            Ok((dsn, None))
        }
        None => throwaway().map(|(dsn, server)| (dsn, Some(server))),
    }
}

fn environment(options: &Options) -> Result<Environment, Refusal> {
    Environment::load(&options.dir, &options.env_file())
        .map_err(|error| invalid(&error.message, Some(error.place), Some(error.help)))
}

fn throwaway() -> Result<(Dsn, Throwaway), Refusal> {
    let binaries = std::env::var_os("SEEDBED_POSTGRES_BIN");
    let cache = cache::directory();
    let server = Throwaway::start(binaries.as_deref().map(Path::new), cache.as_deref())
        .map_err(|error| no_server(&error))?;
    let text = format!("host={} user=postgres dbname=postgres", server.socket_directory().display());
    let dsn =
        Dsn::parse(&text, &|_| None).map_err(|error| invalid(&error.message, None, error.help.clone()))?;
    Ok((dsn, server))
}

fn unusable(TargetError { message, place, help }: TargetError) -> Refusal {
    invalid(&message, place, help)
}

/// The place names the line of a `.env` file without showing it: it may hold a secret.
fn invalid(message: &str, place: Option<EnvPlace>, help: Option<String>) -> Refusal {
    let diagnostic = Diagnostic::error(message).maybe_help(help);
    Refusal::new(
        Exit::Invalid,
        match place {
            Some(place) => diagnostic.at(&Source::new(place.to_string(), ""), Span::default()),
            None => diagnostic,
        },
    )
}

fn no_server(error: &ThrowawayError) -> Refusal {
    let mut diagnostic = Diagnostic::error(error.to_string()).maybe_help(error.help().map(str::to_owned));
    if let Some(tail) = error.log_tail() {
        diagnostic = diagnostic.note(tail);
    }
    Refusal::new(Exit::Unreachable, diagnostic)
}
