//! Which database a command works on, and the connection to it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::Refusal;
use super::environment::Environment;
use super::interrupt::{self, Shared};
use super::options::Options;
use crate::database::connection::Connection;
use crate::database::dsn::{Dsn, DsnError};
use crate::database::passfile;
use crate::database::throwaway::{Throwaway, ThrowawayError};
use crate::project::diagnostic::Diagnostic;
use crate::report::exit::Exit;

/// The database of a command. Dropping it closes the connection, then stops a throwaway server.
pub struct Target {
    /// Not made yet.
    pub connection: Connection,
    _throwaway: Option<Shared>,
}

impl Target {
    /// Decides by the options and the environment; starts a throwaway server if asked.
    pub fn choose(options: &Options) -> Result<Target, Refusal> {
        if options.throwaway {
            let binaries = std::env::var_os("SEEDBED_POSTGRES_BIN");
            let server =
                Throwaway::start(binaries.as_deref().map(Path::new)).map_err(|error| no_server(&error))?;
            let text = format!("host={} user=postgres dbname=postgres", server.socket_directory().display());
            let dsn = Dsn::parse(&text, &|_| None).map_err(|error| malformed("--throwaway", error))?;
            let shared: Shared = Arc::new(Mutex::new(Some(server)));
            return Ok(Target::new(options, dsn, Some(shared)));
        }
        let environment = Environment::load(&options.dir, options.env_file.as_deref())
            .map_err(|problem| Refusal::new(Exit::Invalid, problem))?;
        Ok(Target::new(options, dsn(options, &environment)?, None))
    }

    fn new(options: &Options, dsn: Dsn, throwaway: Option<Shared>) -> Target {
        let connection = Connection::new(dsn, options.limits(), options.wait);
        interrupt::watch(connection.running(), throwaway.as_ref());
        Target { connection, _throwaway: throwaway }
    }
}

fn dsn(options: &Options, environment: &Environment) -> Result<Dsn, Refusal> {
    let get = |name: &str| environment.get(name);
    let named = [
        ("--url", options.url.clone()),
        ("CONNECTION_STRING", get("CONNECTION_STRING")),
        ("DATABASE_URL", get("DATABASE_URL")),
    ];
    let given = named.into_iter().find_map(|(name, text)| Some((name, text?)));
    let mut dsn = match given {
        Some((name, text)) => Dsn::parse(&text, &get).map_err(|error| malformed(name, error))?,
        None => match Dsn::from_environment(&get).map_err(|error| malformed("the PG* variables", error))? {
            Some(dsn) => dsn,
            None => {
                let diagnostic = Diagnostic::error("no database is named")
                    .note("looked for --url, CONNECTION_STRING, DATABASE_URL, PGHOST and PGDATABASE, in the environment and in `.env`")
                    .help("write `CONNECTION_STRING=postgres://user@host/name` into `.env`, or try the project with --throwaway");
                return Err(Refusal::new(Exit::Invalid, diagnostic));
            }
        },
    };
    if dsn.password.is_none() {
        dsn.password = passfile::password(&dsn, &get).map_err(|error| {
            Refusal::new(Exit::Invalid, Diagnostic::error(error.to_string()).help(error.help()))
        })?;
    }
    Ok(dsn)
}

fn malformed(name: &str, error: DsnError) -> Refusal {
    Refusal::new(
        Exit::Invalid,
        Diagnostic::error(format!("{name}: {}", error.message)).maybe_help(error.help),
    )
}

fn no_server(error: &ThrowawayError) -> Refusal {
    let mut diagnostic = Diagnostic::error(error.to_string()).maybe_help(error.help().map(str::to_owned));
    if let Some(tail) = error.log_tail() {
        diagnostic = diagnostic.note(tail);
    }
    Refusal::new(Exit::Unreachable, diagnostic)
}
