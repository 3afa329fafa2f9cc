//! An index that is built concurrently: a build that was cut off leaves it invalid.

use crate::database::error::Error;
use crate::database::session::{Limits, Session};
use crate::plan::quote::literal;
use crate::plan::text;
use crate::project::sql::lexer::{Kind, tokens};

/// What the catalog has of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is there, and used.
    Valid,
    /// What an unfinished build has left: its name, with its schema, quoted.
    Invalid(String),
    /// There is none.
    Absent,
}

/// The index that a `create index concurrently` makes, as it is written, quotes included.
#[derive(Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its table.
    pub table: String,
}

impl Index {
    /// That of a statement, if it makes one.
    pub fn of(sql: &str) -> Option<Index> {
        let tokens = tokens(sql).ok()?;
        let mut words = tokens
            .iter()
            .filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment))
            .map(|token| &sql[token.start..token.end])
            .peekable();
        let mut next = |word: &str| words.next().is_some_and(|it| it.eq_ignore_ascii_case(word));
        if !(next("create") && (next("index") || next("index")) && next("concurrently")) {
            return None;
        }
        let is = |word: &&str, one: &str| word.eq_ignore_ascii_case(one);
        while words.next_if(|word| ["if", "not", "exists"].iter().any(|it| is(word, it))).is_some() {}
        let name = words.next_if(|word| !is(word, "on")).map(str::to_owned);
        words.next_if(|word| is(word, "on"))?;
        while words.next_if(|word| is(word, "only")).is_some() {}
        let table = words.take_while(|word| *word != "(" && !is(word, "using")).collect();
        Some(Index { name, table })
    }

    /// What the catalog has of it.
    pub fn state(&self, session: &mut Session, limits: Limits) -> Result<State, Error> {
        let sql = format!(
            "select i.indisvalid, format('%I.%I', n.nspname, c.relname)
from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where i.indrelid = to_regclass({}) and c.relname = (parse_ident({}))[1]::name",
            literal(&self.table),
            literal(self.name.as_deref().unwrap_or_default())
        );
        let answer = session.simple(sql, limits.statement)?;
        Ok(match answer.first() {
            Some(row) if text(row, 0) == "t" => State::Valid,
            Some(row) => State::Invalid(text(row, 1).to_owned()),
            None => State::Absent,
        })
    }
}

/// Drops an index that is called so, with its schema and its quotes, without locking anybody out.
pub fn drop(session: &mut Session, index: &str, limits: Limits) -> Result<(), Error> {
    session.simple(format!("drop index concurrently {index}"), limits.migration).map(std::mem::drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_is_built_concurrently_is_known_by_its_name_and_its_table() {
        let check = |sql: &str, expected: Option<(Option<&str>, &str)>| {
            let index = Index::of(sql);
            let index = index.as_ref().map(|index| (index.name.as_deref(), index.table.as_str()));
            assert_eq!(index, expected, "{sql}");
        };
        check("create index concurrently i on t (a)", Some((Some("i"), "t")));
        check(
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"I x\" ON ONLY app . \"T\" USING btree (a)",
            Some((Some("\"I x\""), "app.\"T\"")),
        );
        check("create /* why */ index concurrently on t(a)", Some((None, "t")));
        check("create index i on t (a)", None);
        check("vacuum t", None);
    }
}
