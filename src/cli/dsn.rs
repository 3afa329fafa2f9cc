//! Which database is meant. Nothing is guessed: somebody has said so, or it is an error.

use std::fmt;

use super::environment::{EnvFileError, EnvPlace, Environment};
use crate::database::dsn::{Dsn, DsnError, VARIABLES};
use crate::database::passfile::{self, PassfileError};

/// The variables that hold a connection string, the stronger one first.
const CONNECTION_STRINGS: &[&str] = &["CONNECTION_STRING", "DATABASE_URL"];

/// Why there is no target. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetError {
    /// One line, lower case, without a full stop.
    pub message: String,
    /// Where in a `.env` file it comes from, if it does.
    pub place: Option<EnvPlace>,
    /// The next action.
    pub help: Option<String>,
}

/// The database that is meant: by `url`, else by `CONNECTION_STRING`, else by `DATABASE_URL`, else
/// by libpq's variables.
///
/// A connection string in the process's environment comes before one in a file, whatever they are
/// called: what was said for this run counts more than what lies about. A password that nobody
/// gave is looked up in the password file.
///
/// # Errors
///
/// Nobody has said which database is meant; or what they said cannot be used, be it because the
/// `.env` file changes it.
pub fn target(url: Option<&str>, environment: &Environment) -> Result<Dsn, TargetError> {
    target_if_named(url, environment)?.ok_or_else(nobody_said)
}

/// The same; none if nobody has said which database is meant.
///
/// # Errors
///
/// What they said cannot be used.
pub fn target_if_named(url: Option<&str>, environment: &Environment) -> Result<Option<Dsn>, TargetError> {
    let Some(mut dsn) = named(url, environment)? else { return Ok(None) };
    if dsn.password.is_none() {
        let get = |name: &str| environment.get(name).map(str::to_owned);
        dsn.password = passfile::password(&dsn, &get)?;
    }
    Ok(Some(dsn))
}

fn named(url: Option<&str>, environment: &Environment) -> Result<Option<Dsn>, TargetError> {
    if let Some(url) = url {
        return parse("--url", url, None, environment).map(Some);
    }
    for name in CONNECTION_STRINGS {
        if let Some(text) = environment.in_process(name) {
            return parse(name, text, None, environment).map(Some);
        }
    }
    for name in CONNECTION_STRINGS {
        refuse_unusable(name, environment)?;
        if let Some(text) = environment.in_file(name) {
            return parse(name, text, environment.place(name), environment).map(Some);
        }
    }
    let get = libpq_variables(environment)?;
    Ok(Dsn::from_environment(&get)?)
}

fn parse(
    name: &str,
    text: &str,
    place: Option<EnvPlace>,
    environment: &Environment,
) -> Result<Dsn, TargetError> {
    let get = libpq_variables(environment)?;
    Dsn::parse(text, &get).map_err(|error| TargetError {
        message: format!("`{name}` cannot be used: {}", error.message),
        place,
        help: error.help,
    })
}

fn libpq_variables(environment: &Environment) -> Result<impl Fn(&str) -> Option<String>, TargetError> {
    for (name, _) in VARIABLES.iter().filter(|(name, _)| environment.in_process(name).is_none()) {
        refuse_unusable(name, environment)?;
    }
    Ok(|name: &str| environment.get(name).map(str::to_owned))
}

/// Refuses the file's value of a variable that matters, if it is not what its author wrote.
pub fn refuse_unusable(name: &str, environment: &Environment) -> Result<(), TargetError> {
    if let Some(fault) = environment.fault(name) {
        return Err(fault.into());
    }
    match environment.expansion(name) {
        Some(place) => Err(TargetError {
            message: format!("the `$` in `{name}` is taken for the beginning of a variable"),
            place: Some(place),
            help: Some(format!("put the value in single quotes: `{name}='…'`")),
        }),
        None => Ok(()),
    }
}

fn nobody_said() -> TargetError {
    TargetError {
        message: "no database is named".to_owned(),
        place: None,
        help: Some(
            "pass `--url`, or set `CONNECTION_STRING`, `DATABASE_URL` or `PGHOST` and its kin, in \
             the environment or in `.env`"
                .to_owned(),
        ),
    }
}

impl From<DsnError> for TargetError {
    fn from(error: DsnError) -> TargetError {
        TargetError { message: error.message, place: None, help: error.help }
    }
}

impl From<PassfileError> for TargetError {
    fn from(error: PassfileError) -> TargetError {
        TargetError { message: error.to_string(), place: None, help: Some(error.help()) }
    }
}

impl From<EnvFileError> for TargetError {
    fn from(error: EnvFileError) -> TargetError {
        TargetError { message: error.message, place: Some(error.place), help: Some(error.help) }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(formatter, "{place}: ")?;
        }
        formatter.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(formatter, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::super::environment::EnvFile;
    use super::*;

    const NOBODY: &str = "no database is named; pass `--url`, or set `CONNECTION_STRING`, \
                          `DATABASE_URL` or `PGHOST` and its kin, in the environment or in `.env`";

    #[test]
    fn the_target_is_what_somebody_said() {
        let all = "CONNECTION_STRING=postgres://u@c/db DATABASE_URL=postgres://u@d/db PGHOST=p";
        check(Some("postgres://u@a/db"), all, "", "u@a:5432/db");
        check(None, all, "", "u@c:5432/db");
        check(None, "DATABASE_URL=postgres://u@d/db PGHOST=p", "", "u@d:5432/db");
        check(None, "PGHOST=p PGUSER=u", "", "u@p:5432/u");
        check(None, "", "", NOBODY);
        check(None, "PGUSER=u PGPASSWORD=canary", "", NOBODY);
    }

    #[test]
    fn each_variable_may_come_from_a_file_but_the_process_comes_first() {
        check(None, "", "CONNECTION_STRING='postgres://u@c/db'", "u@c:5432/db");
        check(None, "", "DATABASE_URL='postgres://u@d/db'\nPGHOST=p", "u@d:5432/db");
        check(None, "", "PGHOST=p\nPGUSER=u", "u@p:5432/u");
        check(None, "PGHOST=q", "PGHOST=p\nPGUSER=u", "u@q:5432/u");
        check(None, "DATABASE_URL=postgres://u@d/db", "DATABASE_URL=postgres://u@e/db", "u@d:5432/db");
        check(None, "DATABASE_URL=postgres://u@d/db", "CONNECTION_STRING=x", "u@d:5432/db");
        check(None, "PGHOST=p", "DATABASE_URL=postgres://u@d/db", "u@d:5432/db");
        check(None, "", "U=u\nP=canary\nDATABASE_URL=postgres://${U}:${P}@h/db", "u@h:5432/db");
    }

    #[test]
    fn what_cannot_be_used_says_where_it_stands_and_what_to_do() {
        check(Some(""), "", "", "`--url` cannot be used: the connection string is empty; write `postgres://");
        check(Some("u:canary@h"), "", "", "`--url` cannot be used: the connection string is neither");
        check(None, "DATABASE_URL=", "", "`DATABASE_URL` cannot be used: the connection string is empty");
        check(
            None,
            "",
            "\nDATABASE_URL=postgres://u:canary@h:x/db",
            ".env:2: `DATABASE_URL` cannot be used: the port is not",
        );
        check(
            None,
            "",
            "A=1\nDATABASE_URL=postgres://u:pa$canary@h/db",
            ".env:2:29: the `$` in `DATABASE_URL` is taken for the beginning of a variable; put the \
             value in single quotes: `DATABASE_URL='…'`",
        );
        check(None, "", "PGHOST=h\nPGPASSWORD=\"$canary-\"", ".env:2:13: the `$` in `PGPASSWORD` is");
        check(
            None,
            "",
            "DATABASE_URL=postgres://u@h/db\nDATABASE_URL=canary",
            ".env:2: `DATABASE_URL` is set twice",
        );
        check(None, "", "PGHOST=h\nPGPASSWORD=\"canary", ".env:2: this line is no variable");
        check(
            None,
            "DATABASE_URL=postgres://u@h/db",
            "DATABASE_URL='canary\nCONNECTION_STRING='",
            "u@h:5432/db",
        );
        check(
            None,
            "",
            "canary it's\nCONNECTION_STRING=postgres://u@h/db\nDATABASE_URL='canary",
            "u@h:5432/db",
        );
        check(None, "PGPASSWORD=x PGUSER=u", "PGHOST=h\nPGPASSWORD=$canary", "u@h:5432/u");
        check(None, "PGHOST=h PGSERVICE=canary", "", "`PGSERVICE` is not supported; set PGHOST");
        check(None, "PGHOST=h PGPORT=canary", "", "`PGPORT` is not a number from 1 to 65535; write digits");
        check(
            Some("postgres://u@h/db"),
            "PGPORT=canary",
            "",
            "`--url` cannot be used: `PGPORT` is not a number from 1 to 65535; write digits alone, like 5432",
        );
        check(None, "PGHOST=h PGSSLMODE=canary", "", "the value of `PGSSLMODE` is not known; use one");
    }

    /// The target's name or the error, which must begin as expected; `.env` stands for the file.
    fn check(url: Option<&str>, process: &str, file: &str, expected: &str) {
        let (directory, environment) = environment(process, file);
        let observed = match target(url, &environment) {
            Ok(dsn) => dsn.name(),
            Err(error) => error.to_string(),
        };
        let observed = observed.replace(&format!("{}/", directory.path().display()), "");
        assert!(observed.starts_with(expected), "{process} | {file}: {observed}");
        assert!(!observed.contains("canary"), "{observed}");
    }

    #[cfg(unix)]
    #[test]
    fn a_password_that_nobody_gave_is_in_the_password_file() {
        use std::os::unix::fs::PermissionsExt;

        let password = |url: &str, mode: u32| {
            let (directory, _) = environment("", "");
            let path = directory.path().join(".pgpass");
            std::fs::write(&path, "*:*:*:*:canary\n").unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let home = format!("HOME={}", directory.path().display());
            let environment = Environment::of(&home, directory.path(), &EnvFile::Ignore);
            match target(Some(url), &environment) {
                Ok(dsn) => dsn.password.map_or("none".to_owned(), |it| it.reveal().to_owned()),
                Err(error) => error.to_string(),
            }
        };
        assert_eq!(password("postgres://u@h/db", 0o600), "canary");
        assert_eq!(password("postgres://u:given@h/db", 0o644), "given");
        let refused = password("postgres://u@h/db", 0o644);
        assert!(refused.starts_with("others can read the password file"), "{refused}");
        assert!(refused.ends_with(".pgpass`"), "{refused}");
    }

    fn environment(process: &str, file: &str) -> (tempfile::TempDir, Environment) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(".env"), file).unwrap();
        let environment = Environment::of(process, directory.path(), &EnvFile::Search);
        (directory, environment)
    }
}
