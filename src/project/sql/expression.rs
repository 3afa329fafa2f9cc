//! One expression: SQL that may stand between parentheses, and ends where they do.

use super::lexer::{Kind, tokens};
use super::{SqlError, SqlErrorKind};

/// Refuses what is no single expression: what would close parentheses that it did not open, end the
/// statement around it, or take a parameter of it.
pub fn check(sql: &str) -> Result<(), SqlError> {
    let mut open: Vec<(&str, usize)> = Vec::new();
    let mut is_empty = true;
    for token in tokens(sql)? {
        let text = &sql[token.start..token.end];
        let error = |kind| Err(SqlError { offset: token.start, kind });
        is_empty &= matches!(token.kind, Kind::Space | Kind::Comment);
        match token.kind {
            Kind::Semicolon => return error(SqlErrorKind::Semicolon),
            Kind::Positional => return error(SqlErrorKind::ForeignParameter),
            Kind::Open => open.push((text, token.start)),
            Kind::Close => match (open.pop(), text) {
                (Some(("(", _)), ")") | (Some(("[", _)), "]") => {}
                _ => return error(SqlErrorKind::Unopened),
            },
            Kind::Sign if text == "," && open.is_empty() => return error(SqlErrorKind::SeveralExpressions),
            _ => {}
        }
    }
    match open.first() {
        Some((_, offset)) => Err(SqlError { offset: *offset, kind: SqlErrorKind::Unclosed }),
        None if is_empty => Err(SqlError { offset: 0, kind: SqlErrorKind::NoExpression }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ends_by_itself_is_one_expression() {
        let check = |sql: &str, expected: Option<(usize, SqlErrorKind)>| {
            let error = super::check(sql).err();
            assert_eq!(error.map(|error| (error.offset, error.kind)), expected, "{sql}");
        };
        check("gen_random_uuid()", None);
        check("coalesce(a, b[1]) || ';),' -- ) ;", None);
        check("select max(id) + 1 from t", None);
        check("1; drop table t", Some((1, SqlErrorKind::Semicolon)));
        check("1) from t; --", Some((1, SqlErrorKind::Unopened)));
        check("(1]", Some((2, SqlErrorKind::Unopened)));
        check("f(g(1)", Some((1, SqlErrorKind::Unclosed)));
        check("1, 2", Some((1, SqlErrorKind::SeveralExpressions)));
        check("$1", Some((0, SqlErrorKind::ForeignParameter)));
        check(" -- nothing", Some((0, SqlErrorKind::NoExpression)));
        check("1 /* ) ", Some((2, SqlErrorKind::OpenComment)));
        check("'a", Some((0, SqlErrorKind::OpenString)));
    }
}
