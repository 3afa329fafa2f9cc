//! Named parameters: `:name` in the author's SQL, `$1` in the server's.

use std::ops::Range;

use super::lexer::{Kind, Token, tokens};
use super::{SqlError, SqlErrorKind};

/// SQL with numbered parameters, and the way back to what the author wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameterised {
    /// The SQL for the server.
    pub sql: String,
    /// The parameters, `$1` first. A name that is used twice is one parameter.
    pub parameters: Vec<Parameter>,
    /// Where the original was replaced: its bytes, and the bytes of the new text.
    replaced: Vec<(Range<usize>, Range<usize>)>,
}

/// A named parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// `name`, or `name.column`
    pub name: String,
    /// The bytes of each use in the original, the colon included.
    pub uses: Vec<Range<usize>>,
}

impl Parameterised {
    /// The byte of the original behind a character of [`Parameterised::sql`], counted from 1 as
    /// the server counts.
    pub fn original(&self, position: usize) -> usize {
        let new = super::super::source::character_offset(&self.sql, position);
        let mut shift = 0isize;
        for (old, rewritten) in &self.replaced {
            if rewritten.contains(&new) {
                return old.start;
            }
            if rewritten.end <= new {
                shift = old.end as isize - rewritten.end as isize;
            }
        }
        new.saturating_add_signed(shift)
    }
}

/// Finds `:name` and `:name.column` and numbers them.
///
/// Strings, comments, casts (`::`) and `:=` are left alone. Directly inside square brackets a colon
/// is a slice, as in `a[1:n]`; a parameter there is put in parentheses: `a[(:n)]`. A `$1` in the
/// text is refused: it would be mistaken for one of ours.
pub fn parameters(sql: &str) -> Result<Parameterised, SqlError> {
    let tokens = tokens(sql)?;
    let mut result =
        Parameterised { sql: String::with_capacity(sql.len()), parameters: Vec::new(), replaced: Vec::new() };
    let mut brackets: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let token = tokens[at];
        let text = &sql[token.start..token.end];
        match token.kind {
            Kind::Open => brackets.push(text.as_bytes()[0]),
            Kind::Close => drop(brackets.pop()),
            Kind::Positional => {
                return Err(SqlError { offset: token.start, kind: SqlErrorKind::NumberedParameter });
            }
            Kind::Colon if brackets.last() != Some(&b'[') => {
                if let Some(used) = name(sql, &tokens, at) {
                    let number = number(&mut result.parameters, sql, &used);
                    let start = result.sql.len();
                    result.sql.push_str(&format!("${number}"));
                    result.replaced.push((used.start..used.end, start..result.sql.len()));
                    while at < tokens.len() && tokens[at].start < used.end {
                        at += 1;
                    }
                    continue;
                }
            }
            _ => {}
        }
        result.sql.push_str(text);
        at += 1;
    }
    Ok(result)
}

/// The bytes of the parameter whose colon is the token at `at`.
fn name(sql: &str, tokens: &[Token], at: usize) -> Option<Range<usize>> {
    let is_name = |token: &&Token| {
        token.kind == Kind::Word
            && sql[token.start..token.end].is_ascii()
            && !sql[token.start..token.end].contains('$')
    };
    let name = tokens.get(at + 1).filter(is_name)?;
    let is_dot = |token: &&Token| &sql[token.start..token.end] == ".";
    let column = tokens.get(at + 2).filter(is_dot).and_then(|_| tokens.get(at + 3)).filter(is_name);
    Some(tokens[at].start..column.unwrap_or(name).end)
}

fn number(parameters: &mut Vec<Parameter>, sql: &str, used: &Range<usize>) -> usize {
    let name = &sql[used.start + 1..used.end];
    let known = parameters.iter().position(|parameter| parameter.name == name);
    let at = known.unwrap_or_else(|| {
        parameters.push(Parameter { name: name.to_owned(), uses: Vec::new() });
        parameters.len() - 1
    });
    parameters[at].uses.push(used.clone());
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expected: &str, names: &[&str]) {
        let found = parameters(sql).unwrap();
        assert_eq!(found.sql, expected);
        assert_eq!(found.parameters.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), names);
    }

    #[test]
    fn names_are_numbered_and_everything_else_left_alone() {
        check("select :a, :b_1 + :a", "select $1, $2 + $1", &["a", "b_1"]);
        check(
            "select ':a', \":b\", $$:c$$ -- :d\n/* :e */",
            "select ':a', \":b\", $$:c$$ -- :d\n/* :e */",
            &[],
        );
        check("select a::int, :x::text, f(b := :y)", "select a::int, $1::text, f(b := $2)", &["x", "y"]);
        check(
            "select a[1:n], a[lo:hi], a[(:n)], array[(:m)]",
            "select a[1:n], a[lo:hi], a[($1)], array[($2)]",
            &["n", "m"],
        );
        check("where id = :frank.id and x = :y.", "where id = $1 and x = $2.", &["frank.id", "y"]);
        check("select 1 : 2", "select 1 : 2", &[]);
    }

    #[test]
    fn numbered_parameters_are_refused() {
        assert_eq!(parameters("select $1").unwrap_err().offset, 7);
    }

    #[test]
    fn a_position_of_the_server_is_found_in_the_original() {
        let sql = "select ä, :long_name, :b from t";
        let found = parameters(sql).unwrap();
        for word in ["ä", "from", "t"] {
            let new = found.sql.find(word).unwrap();
            let position = found.sql[..new].chars().count() + 1;
            assert_eq!(found.original(position), sql.find(word).unwrap(), "{word}");
        }
        let position = found.sql.find("$2").map(|at| found.sql[..at].chars().count() + 1).unwrap();
        assert_eq!(found.original(position), sql.find(":b").unwrap());
    }
}
