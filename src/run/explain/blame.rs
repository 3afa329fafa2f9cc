//! Blame: which of the rows that were written the server refused, as far as it says.

use std::collections::{BTreeMap, BTreeSet};

use super::detail::Detail;
use crate::database::error::ServerError;
use crate::database::session::Session;
use crate::plan::staged::{Staged, StagedTable};
use crate::plan::{Access, Statement};
use crate::project::diagnostic::list;
use crate::project::source::Place;

/// The most values among which a row is looked for.
const CELLS_MAX: usize = 200_000;

/// The values that a row gives, by column: as the server prints them, with their places.
type Values<'a> = BTreeMap<&'a str, (&'a str, &'a Place)>;

/// What is to blame: a value or the beginning of its row, and an earlier row that it collides with.
pub struct Blamed {
    /// The place.
    pub place: Place,
    /// The other place.
    pub first: Option<Place>,
}

/// The row that violates a constraint. Nothing is blamed that another row would do for as well.
pub fn row(staged: &Staged, server: &ServerError, session: &mut Session) -> Option<Blamed> {
    let detail = Detail::parse(server.detail.as_deref()?)?;
    let name = server.table.as_deref()?;
    let is_own = |table: usize| staged.tables.get(table).is_some_and(|table| table.name == name);
    let cells: Vec<_> = staged
        .cells
        .iter()
        .filter_map(|cell| Some((cell, cell.owner.as_ref().filter(|owner| is_own(owner.table))?)))
        .take(CELLS_MAX)
        .collect();
    let typed: Vec<(&str, &str)> =
        cells.iter().map(|(cell, _)| (cell.type_name.as_str(), cell.text.as_str())).collect();
    let first = staged.tables.iter().find(|table| table.name == name)?;
    let (texts, constrained) = ask(session, &typed, first, server)?;

    let mut rows: BTreeMap<(usize, usize), Values> = BTreeMap::new();
    for ((cell, owner), text) in cells.iter().zip(&texts) {
        let row = rows.entry((owner.table, owner.row)).or_default();
        row.insert(&owner.column, (text, &cell.place));
    }
    let fitting = rows.iter().filter(|((table, _), values)| {
        let value = |column: &str| values.get(column).map(|(text, _)| *text);
        detail.fits(&staged.tables[*table].columns, value).is_some_and(|known| known > 0)
    });
    let columns: Vec<&str> = match (&server.column, &detail) {
        (Some(column), _) => vec![column],
        (None, Detail::Key(names, _)) if constrained.is_empty() => names.clone(),
        _ => constrained.iter().map(String::as_str).collect(),
    };
    let place = |((table, row), values): (&(usize, usize), &Values)| {
        let given: Vec<&Place> =
            columns.iter().filter_map(|column| values.get(column).map(|(_, place)| *place)).collect();
        match (given.as_slice(), columns.len()) {
            ([only], 1) => Some((*only).clone()),
            _ => staged.tables.get(*table)?.rows.get(*row).cloned(),
        }
    };
    let mut places: Vec<Place> = fitting.filter_map(place).collect();
    places.dedup();
    match places.len() {
        1 => Some(Blamed { place: places.remove(0), first: None }),
        // Two rows with one key are both to blame.
        2 if server.sqlstate == "23505" => {
            let place = places.remove(1);
            Some(Blamed { place, first: Some(places.remove(0)) })
        }
        _ => None,
    }
}

/// The values as the server prints them (a cast to text would print `false` for `f`), and the columns of the constraint.
fn ask(
    session: &mut Session,
    typed: &[(&str, &str)],
    table: &StagedTable,
    server: &ServerError,
) -> Option<(Vec<String>, Vec<String>)> {
    session.begin(Access::Read, "", "").ok()?;
    let asked = printed(session, typed).zip(constrained(session, table, server));
    session.rollback().ok()?;
    asked
}

fn printed(session: &mut Session, typed: &[(&str, &str)]) -> Option<Vec<String>> {
    let mut by_type: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (type_name, _)) in typed.iter().enumerate() {
        by_type.entry(type_name).or_default().push(at);
    }
    let mut texts = vec![String::new(); typed.len()];
    for (type_name, cells) in by_type {
        let mut statement = Statement::default();
        let list = statement.bind_list(cells.iter().map(|&at| Some(typed[at].1.to_owned())).collect());
        statement.sql = format!(
            "select format('%s', u.v::{type_name}) from unnest({list}::text[]) with ordinality as u(v, at) order by u.at"
        );
        for (at, row) in cells.into_iter().zip(session.query(&statement).ok()?) {
            texts[at] = row.into_iter().next().flatten().unwrap_or_default();
        }
    }
    Some(texts)
}

fn constrained(session: &mut Session, table: &StagedTable, server: &ServerError) -> Option<Vec<String>> {
    let mut statement = Statement::default();
    let table = statement.bind(Some(table.sql.clone()), None, "");
    let name = statement.bind(server.constraint.clone(), None, "");
    statement.sql = format!(
        "select a.attname::text from pg_catalog.pg_constraint k
join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
where k.conrelid = to_regclass({table}::text) and k.conname = {name}::name"
    );
    Some(session.query(&statement).ok()?.into_iter().filter_map(|row| row.into_iter().next()?).collect())
}

/// The table whose rows are to blame, when it cannot be said which of them is: the one that the
/// server names, or the only one with a trigger that may have complained, or the only one.
pub fn table<'a>(staged: &'a Staged, server: &ServerError) -> Option<&'a StagedTable> {
    if server.sqlstate == "0A000" {
        let is_quoted = |it: &&StagedTable| server.message.contains(&format!("\"{}\"", it.name));
        return only(staged.tables.iter().filter(is_quoted));
    }
    if !is_about_rows(server) {
        return None;
    }
    let is_named = |table: &&StagedTable| server.table.as_ref().is_some_and(|name| *name == table.name);
    only(staged.tables.iter().filter(is_named))
        .or_else(|| only(staged.tables.iter().filter(|it| it.has_trigger && server.context.is_some())))
        .or_else(|| only(staged.tables.iter()))
}

/// The files whose rows may be to blame, when nothing more can be said.
pub fn files(staged: &Staged, server: &ServerError) -> Option<String> {
    let files: BTreeSet<&str> = staged.tables.iter().map(|table| table.place.source.path.as_str()).collect();
    let files: Vec<&str> = files.into_iter().collect();
    (is_about_rows(server) && !files.is_empty()).then(|| list(&files))
}

fn is_about_rows(server: &ServerError) -> bool {
    ["22", "23", "42501", "428C9", "44", "P0"].iter().any(|it| server.sqlstate.starts_with(it))
}

fn only<'a>(mut tables: impl Iterator<Item = &'a StagedTable>) -> Option<&'a StagedTable> {
    let first = tables.next()?;
    tables.next().is_none().then_some(first)
}
