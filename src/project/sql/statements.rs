//! Where one statement ends and the next begins.

use super::SqlError;
use super::lexer::{Kind, Token, tokens};
use crate::project::source::Span;

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

/// The statements of a text that begin, end or divide a transaction.
pub fn transaction_control(sql: &str) -> Result<Vec<Span>, SqlError> {
    let mut control = Vec::new();
    for statement in statements(sql)? {
        let text = &sql[statement.clone()];
        let words: Vec<Token> =
            tokens(text)?.into_iter().filter(|token| token.kind == Kind::Word).take(2).collect();
        let word =
            |at: usize| words.get(at).map(|token: &Token| text[token.start..token.end].to_ascii_lowercase());
        let (first, second) = (word(0).unwrap_or_default(), word(1).unwrap_or_default());
        let is_control = match first.as_str() {
            "begin" | "commit" | "end" | "rollback" | "abort" => true,
            "start" | "prepare" => second == "transaction",
            _ => false,
        };
        // A savepoint and the rollback to it stay inside the transaction.
        let is_partial =
            first == "rollback" && text.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("to"));
        if is_control && !is_partial {
            control.push(Span::new(statement.start, statement.start + first.len()));
        }
    }
    Ok(control)
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
    fn transaction_control_is_found_outside_of_bodies() {
        let found = |sql: &str| -> Vec<String> {
            transaction_control(sql).unwrap().into_iter().map(|span| sql[span.range()].to_owned()).collect()
        };
        assert_eq!(found("BEGIN; select 1; commit work;"), ["BEGIN", "commit"]);
        assert_eq!(found("start transaction; prepare transaction 'x'; END"), ["start", "prepare", "END"]);
        assert_eq!(
            found(
                "do $$ begin commit; end $$; savepoint a; rollback to a; rollback to savepoint a; prepare p as select 1"
            ),
            [""; 0]
        );
        assert_eq!(found("create table \"commit\" (id int); rollback"), ["rollback"]);
    }
}
