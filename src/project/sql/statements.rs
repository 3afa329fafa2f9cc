//! Where one statement ends and the next begins.

use super::SqlError;
use super::lexer::{Kind, tokens};

/// The statements of a text, without their semicolons and without the space and comments around
/// them; empty ones are left out.
///
/// A semicolon ends a statement unless it stands in parentheses (as in `create rule`) or in the
/// body of an SQL function (`begin atomic … end`).
pub fn statements(sql: &str) -> Result<Vec<std::ops::Range<usize>>, SqlError> {
    let tokens = tokens(sql)?;
    let mut found = Vec::new();
    let mut current: Option<(usize, usize)> = None;
    let (mut depth, mut blocks) = (0usize, 0usize);
    let mut before = "";
    for token in &tokens {
        let text = &sql[token.start..token.end];
        match token.kind {
            Kind::Space | Kind::Comment => continue,
            Kind::Semicolon if depth == 0 && blocks == 0 => {
                found.extend(current.take().map(|(start, end)| start..end));
                before = "";
                continue;
            }
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Word if text.eq_ignore_ascii_case("atomic") && before.eq_ignore_ascii_case("begin") => {
                blocks += 1
            }
            Kind::Word if blocks > 0 && text.eq_ignore_ascii_case("case") => blocks += 1,
            Kind::Word if blocks > 0 && text.eq_ignore_ascii_case("end") => blocks -= 1,
            _ => {}
        }
        before = text;
        current = Some((current.map_or(token.start, |(start, _)| start), token.end));
    }
    found.extend(current.map(|(start, end)| start..end));
    Ok(found)
}

/// The words a statement begins with, in lower case, comments and quoted names left out; at most
/// `most` of them.
pub fn first_words(statement: &str, most: usize) -> Vec<String> {
    let words = tokens(statement).unwrap_or_default().into_iter().filter(|token| token.kind == Kind::Word);
    words.take(most).map(|token| statement[token.start..token.end].to_ascii_lowercase()).collect()
}

/// What keeps a statement from being a part of a migration like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peculiarity {
    /// It begins, ends or divides a transaction.
    TransactionControl,
    /// The server does not run it in a transaction.
    NoTransaction,
    /// It wants data from a client that sends none.
    CopyFromStdin,
}

/// What is peculiar about a statement, if anything is.
pub fn peculiarity(statement: &str) -> Option<Peculiarity> {
    let words = first_words(statement, usize::MAX);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let has = |word: &str| words.contains(&word);
    match words.as_slice() {
        // A savepoint and the rollback to it stay inside the transaction.
        ["rollback", ..] if has("to") => None,
        ["begin" | "commit" | "end" | "rollback" | "abort", ..]
        | ["start" | "prepare", "transaction", ..] => Some(Peculiarity::TransactionControl),
        ["copy", .., "from", "stdin"] => Some(Peculiarity::CopyFromStdin),
        ["copy", ..] if words.windows(2).any(|pair| pair == ["from", "stdin"]) => {
            Some(Peculiarity::CopyFromStdin)
        }
        ["create", "index", "concurrently", ..]
        | ["create", "unique", "index", "concurrently", ..]
        | ["drop", "index", "concurrently", ..]
        | ["vacuum", ..]
        | ["create" | "drop", "database" | "tablespace", ..]
        | ["discard", "all"]
        | ["cluster"]
        | ["cluster", "verbose"]
        | ["alter", "system", ..] => Some(Peculiarity::NoTransaction),
        ["reindex", ..] if has("database") || has("schema") || has("system") => {
            Some(Peculiarity::NoTransaction)
        }
        ["reindex", ..] if has("concurrently") => Some(Peculiarity::NoTransaction),
        ["alter", "table", ..] if has("detach") && has("concurrently") => Some(Peculiarity::NoTransaction),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expected: &[&str]) {
        let found = statements(sql).unwrap();
        assert_eq!(found.into_iter().map(|range| &sql[range]).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn statements_end_at_semicolons_that_are_code() {
        check(" select 1 ; ; -- x;\n select ';' ", &["select 1", "select ';'"]);
        check("do $$ begin; end $$; select $x$;$x$", &["do $$ begin; end $$", "select $x$;$x$"]);
        check(
            "create rule r as on insert to t do (select 1; select 2); select 3",
            &["create rule r as on insert to t do (select 1; select 2)", "select 3"],
        );
        check(
            "create function f() returns int begin atomic select 1; select case when true then 2 end; end; select 3",
            &[
                "create function f() returns int begin atomic select 1; select case when true then 2 end; end",
                "select 3",
            ],
        );
        check("-- nothing\n/* at all */ ;", &[]);
        check("begin; select 1; commit", &["begin", "select 1", "commit"]);
    }

    #[test]
    fn peculiar_statements_are_found_outside_of_bodies() {
        let check = |sql: &str, expected: &[(&str, Peculiarity)]| {
            let found = statements(sql).unwrap();
            let found: Vec<_> = found
                .into_iter()
                .filter_map(|range| Some((&sql[range.clone()], peculiarity(&sql[range])?)))
                .collect();
            assert_eq!(found, expected, "{sql}");
        };
        use Peculiarity::{CopyFromStdin, NoTransaction, TransactionControl};
        check(
            "BEGIN; select 1; commit work;",
            &[("BEGIN", TransactionControl), ("commit work", TransactionControl)],
        );
        check(
            "start transaction; prepare transaction 'x'; END",
            &[
                ("start transaction", TransactionControl),
                ("prepare transaction 'x'", TransactionControl),
                ("END", TransactionControl),
            ],
        );
        check(
            "do $$ begin commit; end $$; savepoint a; rollback to a; rollback to savepoint a; prepare p as select 1",
            &[],
        );
        check("create table \"commit\" (id int); rollback", &[("rollback", TransactionControl)]);
        check(
            "create unique index concurrently i on t (a); create index i on t (a); vacuum t; alter type e add value 'x'",
            &[("create unique index concurrently i on t (a)", NoTransaction), ("vacuum t", NoTransaction)],
        );
        check(
            "copy t from stdin; copy t (a) from stdin with csv; copy (select 1) to stdout; copy t from 'file'",
            &[("copy t from stdin", CopyFromStdin), ("copy t (a) from stdin with csv", CopyFromStdin)],
        );
    }
}
