//! Directives: what a migration says to seedbed, in comments at its head.
//!
//! ```sql
//! -- seedbed: no-transaction
//! -- seedbed: lock-timeout 2s
//! -- seedbed: statement-timeout 30min
//! create index concurrently employees_name on employees (name);
//! ```

use std::sync::Arc;
use std::time::Duration;

use super::diagnostic::{Diagnostic, did_you_mean};
use super::source::{Source, Span};
use super::sql::lexer::{Kind, tokens};

const WORDS: &[&str] = &["no-transaction", "lock-timeout", "statement-timeout"];

/// What a migration says of how it is to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Directives {
    /// Its statements are run one at a time, outside of any transaction.
    pub no_transaction: bool,
    /// The most time to wait for a lock, if it says so.
    pub lock_timeout: Option<Duration>,
    /// The most time one statement may take, if it says so.
    pub statement_timeout: Option<Duration>,
}

impl Directives {
    /// Reads the comments before the first statement.
    ///
    /// # Errors
    ///
    /// A directive is unknown, or its time is none. SQL that cannot be read has no directives here;
    /// somebody else tells of that.
    pub fn parse(source: &Arc<Source>) -> Result<Directives, Diagnostic> {
        let mut directives = Directives::default();
        let text = source.text.as_str();
        let tokens = tokens(text).unwrap_or_default();
        let head = tokens.iter().take_while(|token| matches!(token.kind, Kind::Space | Kind::Comment));
        for token in head.filter(|token| token.kind == Kind::Comment) {
            let comment = &text[token.start..token.end];
            let Some(said) = comment.strip_prefix("--").map(str::trim_start) else { continue };
            let Some(said) = said.strip_prefix("seedbed:") else { continue };
            let at = |part: &str| {
                let start = part.as_ptr() as usize - text.as_ptr() as usize;
                Span::new(start, start + part.len())
            };
            let said = said.trim();
            let (word, value) = said.split_once(char::is_whitespace).unwrap_or((said, ""));
            let time = || {
                humantime::parse_duration(value.trim()).map_err(|_| {
                    Diagnostic::error(format!("`{word}` needs a time"))
                        .at(source, at(said))
                        .help(format!("write it like `-- seedbed: {word} 2s`; 0s is no limit"))
                })
            };
            match word {
                "no-transaction" => directives.no_transaction = true,
                "lock-timeout" => directives.lock_timeout = Some(time()?),
                "statement-timeout" => directives.statement_timeout = Some(time()?),
                _ => {
                    return Err(Diagnostic::error(format!("unknown directive `{word}`"))
                        .at(source, at(word))
                        .maybe_help(did_you_mean(word, WORDS.iter().copied())));
                }
            }
        }
        Ok(directives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match Directives::parse(&Source::new("V1__a.sql", text)) {
            Ok(Directives { no_transaction, lock_timeout, statement_timeout }) => {
                format!("{no_transaction} {lock_timeout:?} {statement_timeout:?}")
            }
            Err(problem) => {
                format!(
                    "{} at {}",
                    problem.message,
                    problem.place.map(|it| it.to_string()).unwrap_or_default()
                )
            }
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn comments_at_the_head_are_read_and_no_others() {
        check("select 1", "false None None");
        check("-- why\n-- seedbed: no-transaction\n\nselect 1", "true None None");
        check(
            "--seedbed: lock-timeout 2s\n-- seedbed: statement-timeout 1min\nselect 1",
            "false Some(2s) Some(60s)",
        );
        check("select 1; -- seedbed: no-transaction", "false None None");
        check("/* seedbed: no-transaction */ select 1", "false None None");
    }

    #[test]
    fn what_is_no_directive_is_an_error_at_its_place() {
        check("-- seedbed: no-transction\n", "unknown directive `no-transction` at V1__a.sql:1:13");
        check("-- seedbed: lock-timeout soon\n", "`lock-timeout` needs a time at V1__a.sql:1:13");
    }
}
