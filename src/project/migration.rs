//! Migration files: refinery's own grammar of names, with its silences made loud.

use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::directive::Directives;
use super::source::{Source, Span};

/// One SQL file of `migrations/`.
#[derive(Debug, Clone)]
pub struct Migration {
    /// Unique in a project.
    pub version: i32,
    /// What follows the two underscores, without `.sql`.
    pub name: String,
    /// refinery's `U`: may be applied though a higher version already is.
    pub unversioned: bool,
    /// What it says of how it is to be applied.
    pub directives: Directives,
    /// The file; its text goes to the server verbatim.
    pub source: Arc<Source>,
}

impl Migration {
    /// Reads the file's name: `V1__create_roster.sql`, or `U1__…`.
    ///
    /// refinery skips a name it cannot read with no more than a log line, and misreads some others;
    /// here every name it would not run is an error.
    pub fn parse(source: Arc<Source>) -> Result<Migration, Diagnostic> {
        let (version, name, unversioned) = {
            let problem = |message: String, help: String| {
                Err(Diagnostic::error(message).at(&source, Span::default()).help(help))
            };
            let file = source.path.rsplit('/').next().unwrap_or(&source.path);
            let Some(stem) = file.strip_suffix(".sql") else {
                return problem(
                    format!("migration `{file}` does not end in `.sql`"),
                    format!("rename it to `{}.sql`", &file[..file.len() - 4]),
                );
            };
            let shape = format!("name it like `{}`", suggestion(stem));
            let Some((head, name)) = stem.split_once("__") else {
                return problem(format!("migration `{file}` has no `__` between version and name"), shape);
            };
            let unversioned = match head.chars().next() {
                Some('V') => false,
                Some('U') => true,
                _ => return problem(format!("migration `{file}` does not start with `V` or `U`"), shape),
            };
            let digits = &head[1..];
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return problem(format!("`{digits}` in `{file}` is no version: it is a whole number"), shape);
            }
            let Ok(version) = digits.parse::<i32>() else {
                return problem(
                    format!("version {digits} in `{file}` is too large"),
                    format!("at most {}; a date and a counter fit: `V2026112401__{name}.sql`", i32::MAX),
                );
            };
            if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                return problem(
                    format!("`{name}` in `{file}` is no name: use letters, digits and `_`"),
                    shape,
                );
            }
            if name.len() > 255 {
                return problem(
                    format!(
                        "the name of migration {version} is longer than the 255 bytes its history can hold"
                    ),
                    "give it a shorter one".to_owned(),
                );
            }
            (version, name.to_owned(), unversioned)
        };
        if source.text.starts_with('\u{feff}') {
            return Err(Diagnostic::error(
                "the file starts with a byte order mark, which PostgreSQL refuses",
            )
            .at(&source, Span::default())
            .help("save it as UTF-8 without a byte order mark"));
        }
        let directives = Directives::parse(&source)?;
        Ok(Migration { version, name, unversioned, directives, source })
    }

    /// `V1 create_roster`, as reports show it.
    pub fn title(&self) -> String {
        format!("{}{} {}", self.prefix(), self.version, self.name)
    }

    /// `V1__create_roster`, as refinery names it.
    pub fn stem(&self) -> String {
        format!("{}{}__{}", self.prefix(), self.version, self.name)
    }

    fn prefix(&self) -> char {
        if self.unversioned { 'U' } else { 'V' }
    }
}

/// A name that would be read, made from one that was not.
fn suggestion(stem: &str) -> String {
    let words = |text: &str| {
        let text: String = text.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        text.trim_matches('_').to_owned()
    };
    let digits_start = stem.find(|c: char| c.is_ascii_digit());
    let (version, rest) = match digits_start {
        Some(start) if start <= 1 => {
            let rest = stem[start..].trim_start_matches(|c: char| c.is_ascii_digit());
            (&stem[start..stem.len() - rest.len()], rest)
        }
        _ => ("1", stem),
    };
    let version = if version.parse::<i32>().is_ok() { version } else { "1" };
    let name = Some(words(rest)).filter(|name| !name.is_empty());
    format!("V{version}__{}.sql", name.as_deref().unwrap_or("create_tables"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, expected: &str) {
        let actual = match Migration::parse(Source::new(format!("migrations/{file}"), "")) {
            Ok(migration) => format!("{} = {}", migration.stem(), migration.version),
            Err(problem) => format!("{} | {}", problem.message, problem.help.unwrap_or_default()),
        };
        assert_eq!(actual, expected);
    }

    #[test]
    fn names_refinery_runs_are_read_as_it_reads_them() {
        check("V1__create_roster.sql", "V1__create_roster = 1");
        check("V0012__größe.sql", "V12__größe = 12");
        check("U2__late.sql", "U2__late = 2");
        check("V2026112401__a__b.sql", "V2026112401__a__b = 2026112401");
    }

    #[test]
    fn names_refinery_would_skip_or_stumble_over_are_errors() {
        check("v2__x.sql", "migration `v2__x.sql` does not start with `V` or `U` | name it like `V2__x.sql`");
        check(
            "V1_x.sql",
            "migration `V1_x.sql` has no `__` between version and name | name it like `V1__x.sql`",
        );
        check(
            "V1__add-col.sql",
            "`add-col` in `V1__add-col.sql` is no name: use letters, digits and `_` | name it like `V1__add_col.sql`",
        );
        check("V1__x.SQL", "migration `V1__x.SQL` does not end in `.sql` | rename it to `V1__x.sql`");
        check(
            "V1.1__x.sql",
            "`1.1` in `V1.1__x.sql` is no version: it is a whole number | name it like `V1__1__x.sql`",
        );
        check("|1__x.sql", "migration `|1__x.sql` does not start with `V` or `U` | name it like `V1__x.sql`");
        check(
            "V20260102030405__x.sql",
            "version 20260102030405 in `V20260102030405__x.sql` is too large | at most 2147483647; a date and a counter fit: `V2026112401__x.sql`",
        );
        check(
            "roster.sql",
            "migration `roster.sql` has no `__` between version and name | name it like `V1__roster.sql`",
        );
        check(
            "V1__.sql",
            "`` in `V1__.sql` is no name: use letters, digits and `_` | name it like `V1__create_tables.sql`",
        );
    }
}
