//! A fixture with its overlay as a load: its key, its rule, its rows, and how far it goes.

use std::sync::Arc;

use super::load::{Given, Load, Rule, infer_key, written_key};
use super::remove::Removal;
use super::{file, overlay};
use crate::plan::catalog::{IndexKey, Table, TableKind};
use crate::plan::resolve::Resolver;
use crate::project::bulk::Bulk;
use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::project::fixture::exact::{DeleteMax, Exact, Scope};
use crate::project::fixture::{Fixture, Mode, place};
use crate::project::source::{Name, Place, Source, Span};
use crate::project::value::Row;

/// Which rows of a fixture are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// All of them, as they are.
    All,
    /// Those that are not named to be removed.
    Wanted,
    /// The same, and they are removed.
    ToRemove,
}

impl Taking {
    /// The rows that are taken of a fixture with its overlay.
    fn of<'c>(self, mut rows: Vec<Given<'c>>) -> Vec<Given<'c>> {
        if self != Taking::All {
            rows.retain(|row| !row.is_removed);
        }
        rows.iter_mut().for_each(|row| row.is_removed |= self == Taking::ToRemove);
        rows
    }
}

/// The rows of a fixture, resolved against the catalog. Every problem is noted; none of it comes back where its
/// key cannot be known.
pub fn load<'c>(
    number: usize,
    fixture: &Fixture,
    (taking, mode): (Taking, Mode),
    resolver: Resolver<'c, '_>,
    problems: &mut Vec<Diagnostic>,
) -> Result<Option<Load<'c>>, Diagnostic> {
    let table = resolver.table(&fixture.table)?;
    check_kind(table, mode, fixture)?;
    let first = place(fixture);
    let header = fixture.bulk.as_ref().map(|bulk| {
        (bulk, bulk.layouts.iter().map(|layout| file::header(layout, table)).collect::<Vec<_>>())
    });
    let said = fixture.said(|it| (it.key.is_some() || it.key_index.is_some()).then_some(it));
    let written = said.and_then(|(part, source)| Some((part.key.as_deref()?, source)));
    let index = match said.and_then(|(part, source)| Some((part.key_index.as_ref()?, source))) {
        Some((name, source)) => Some(index(table, name, source)?),
        None => None,
    };
    let key = match (written, &header) {
        _ if index.is_some() => {
            Ok(index.into_iter().flat_map(|index| &index.columns).map(String::as_str).collect())
        }
        (Some((key, source)), _) => written_key(table, key, Resolver { source, ..resolver }),
        (None, Some((bulk, rows))) => {
            let resolver = Resolver { source: &bulk.layouts[0].source, ..resolver };
            infer_key(table, rows, resolver, &fixture.source, first)
        }
        // An overlay's rows say no more than they have to: the key is in those below, if there are any.
        (None, None) => {
            let part = fixture.overlay.as_deref().filter(|_| fixture.rows.is_empty()).unwrap_or(fixture);
            let is_taken = |row: &&Row| taking == Taking::All || !row.is_removed;
            let rows: Vec<Row> = part.rows.iter().filter(is_taken).cloned().collect();
            let resolver = Resolver { source: &part.source, ..resolver };
            infer_key(table, &rows, resolver, &part.source, place(part))
        }
    };
    let has_two_parts =
        !fixture.rows.is_empty() && fixture.overlay.as_ref().is_some_and(|it| !it.rows.is_empty());
    // In a file, unlike in rows that are written, nobody sees whether a key is ever NULL.
    let may_lack = |key: &[&str]| {
        header.is_some() && key.iter().any(|name| table.column(name).is_none_or(|column| !column.not_null))
    };
    let key = match (mode, key) {
        (Mode::IfEmpty, Ok(key)) if written.is_none() && may_lack(&key) => Vec::new(),
        (_, Ok(key)) => key,
        // Rows need not be told apart when the table is empty.
        (Mode::IfEmpty, Err(_)) if written.is_none() && !has_two_parts => Vec::new(),
        (_, Err(problem)) => {
            // A misspelt column is the better thing to say than the key that it leaves out.
            let before = problems.len();
            let way = (Rule::Always, Vec::new());
            match &header {
                Some((bulk, _)) => drop(of_file(number, table, fixture, bulk, way, resolver, problems)),
                None => {
                    let rows = taking.of(overlay::rows(fixture, table, &[], resolver, problems));
                    drop(Load::of(number, table, Place::new(&fixture.source, first), way, rows, problems));
                }
            }
            if written.is_some() || problems.len() == before {
                problems.push(problem);
            }
            return Ok(None);
        }
    };
    let rule = match mode {
        Mode::IfEmpty => Rule::TableIsEmpty,
        Mode::Insert | Mode::Upsert | Mode::Exact => Rule::KeyIsMissing,
    };
    let before = problems.len();
    let mut load = match &header {
        Some((bulk, _)) => of_file(number, table, fixture, bulk, (rule, key), resolver, problems),
        None => {
            let rows = taking.of(overlay::rows(fixture, table, &key, resolver, problems));
            let place = Place::new(&fixture.source, fixture.table.span);
            Load::of(number, table, place, (rule, key), rows, problems)
        }
    };
    load.index = index;
    if taking == Taking::ToRemove {
        load = load.removing();
    }
    if problems.len() == before {
        load.lay();
    }
    let named = |names: Option<(&[Name], &Arc<Source>)>| {
        names.map_or(Ok(Vec::new()), |(names, source)| {
            Resolver { source, ..resolver }.key_columns(table, names)
        })
    };
    let insert_only = named(fixture.said(|it| (!it.insert_only.is_empty()).then_some(&*it.insert_only)))?;
    load.updates = (mode >= Mode::Upsert).then_some(insert_only);
    load.refreshed = named(fixture.said(|it| (!it.refresh.is_empty()).then_some(&*it.refresh)))?;
    if let (Mode::Exact, Some((exact, source))) = (mode, fixture.said(|it| it.exact.as_ref())) {
        load.removal = Some(removal(exact, table, Resolver { source, ..resolver }, problems));
    }
    let key = said.and_then(|(part, source)| {
        let span = match (part.key.as_deref(), &part.key_index) {
            (Some([first, .., last]), _) => Span { start: first.span.start, end: last.span.end },
            (Some([only]), _) | (_, Some(only)) => only.span,
            _ => return None,
        };
        Some((span, source))
    });
    if let (Some(key), Rule::KeyIsMissing, true) = (key, rule, problems.len() == before) {
        load.check_key(key, problems);
    }
    Ok(Some(load))
}

/// Lets a load answer for all rows of the fixture's scope, or of the table if it has none, however many they are.
pub fn close<'c>(
    load: &mut Load<'c>,
    fixture: &Fixture,
    resolver: Resolver<'c, '_>,
    problems: &mut Vec<Diagnostic>,
) {
    let said = fixture.said(|it| it.exact.as_ref());
    let scope = match said {
        Some((exact, source)) => removal(exact, load.table, Resolver { source, ..resolver }, problems).scope,
        None => Vec::new(),
    };
    load.removal = Some(Removal { scope, delete_max: DeleteMax::Rows(u64::MAX), place: load.place.clone() });
}

/// Refuses what a relation that is no table does not take.
fn check_kind(table: &Table, mode: Mode, fixture: &Fixture) -> Result<(), Diagnostic> {
    let at = |problem: Diagnostic| Err(problem.at(&fixture.source, fixture.table.span));
    let name = &table.name;
    match table.kind {
        TableKind::Materialized => {
            at(Diagnostic::error(format!("`{name}` is a materialized view, which nobody writes to"))
                .help("seed the tables that it reads from, and refresh it"))
        }
        TableKind::View | TableKind::Foreign if mode == Mode::Exact => {
            let what = if table.kind == TableKind::View { "a view" } else { "a foreign table" };
            at(Diagnostic::error(format!("`{name}` is {what}, and `mode: exact` is for tables"))
                .note("what it would delete is told by the place of rows in their table")
                .help("use `upsert` with `_delete: true` for single rows, or seed the table itself"))
        }
        _ => Ok(()),
    }
}

/// The unique index of a table that a fixture names as its key.
fn index<'c>(table: &'c Table, name: &Name, source: &Arc<Source>) -> Result<&'c IndexKey, Diagnostic> {
    table.indexes.iter().find(|index| index.name == name.text).ok_or_else(|| {
        let known = table.keys.iter().map(|key| key.name.as_str());
        Diagnostic::error(format!("`{}` has no unique index `{}`", table.name, name.text))
            .at(source, name.span)
            .maybe_help(did_you_mean(&name.text, known))
    })
}

/// The load of a fixture whose rows stand in a file.
fn of_file<'c>(
    number: usize,
    table: &'c Table,
    fixture: &Fixture,
    bulk: &Arc<Bulk>,
    identity: (Rule, Vec<&'c str>),
    resolver: Resolver<'c, '_>,
    problems: &mut Vec<Diagnostic>,
) -> Load<'c> {
    let defaults = |problems: &mut Vec<Diagnostic>| overlay::defaults(fixture, table, resolver, problems);
    let place = Place::new(&fixture.source, fixture.table.span);
    Load::of_file((number, table, place), identity, bulk, defaults, resolver, problems)
}

fn removal<'c>(
    exact: &Exact,
    table: &'c Table,
    resolver: Resolver<'c, '_>,
    problems: &mut Vec<Diagnostic>,
) -> Removal<'c> {
    let scope = match &exact.scope {
        Some(Scope::Rows(cells)) => resolver.targets(table, cells, problems),
        _ => Vec::new(),
    };
    Removal {
        scope,
        delete_max: exact.delete_max,
        place: Place::new(resolver.source, exact.span.unwrap_or_default()),
    }
}
