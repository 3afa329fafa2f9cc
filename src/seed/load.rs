//! The rows meant for one table, resolved against the catalog.

use std::sync::Arc;

use super::file::{self, FileRows};
use super::remove::Removal;
use crate::plan::catalog::{Column, IndexKey, Table};
use crate::plan::quote::identifier;
use crate::plan::resolve::{Origin, Resolver, Target};
use crate::project::bulk::{Bulk, Pick};
use crate::project::diagnostic::{Diagnostic, count, list};
use crate::project::source::{Name, Place, Source, Span};
use crate::project::value::Row;

/// The rows meant for one table.
#[derive(Debug)]
pub struct Load<'c> {
    /// Tells it from the others in the same statement; counted from 1.
    pub number: usize,
    /// Where they go.
    pub table: &'c Table,
    /// Where the author names it.
    pub place: Place,
    /// When a row is inserted.
    pub rule: Rule,
    /// The columns that tell one row from another, if any do.
    pub key: Vec<&'c str>,
    /// The unique index that does so in the place of its columns, if one was named.
    pub index: Option<&'c IndexKey>,
    /// Whether rows that are there get the values that are given, and in which columns not: those that are
    /// for new rows only.
    pub updates: Option<Vec<&'c str>>,
    /// The columns whose values of the moment are compared and updated like others.
    pub refreshed: Vec<&'c str>,
    /// Which rows it deletes that nobody names, if any.
    pub removal: Option<Removal<'c>>,
    /// The rows, those of the same shape together.
    pub groups: Vec<Group<'c>>,
    /// Where the rows stand.
    pub places: Places,
}

/// Where the rows of a load stand.
#[derive(Debug, Clone)]
pub enum Places {
    /// Each at its place, in the order written.
    Written(Vec<Place>),
    /// In a file that is read again to find one.
    InFile(Arc<Bulk>),
}

impl Places {
    /// The place of a row, given by its number, counted from 1.
    pub fn get(&self, number: usize) -> Option<Place> {
        match self {
            Places::Written(places) => places.get(number.checked_sub(1)?).cloned(),
            Places::InFile(bulk) => bulk.place(number),
        }
    }

    /// Those that are known without looking.
    pub fn written(&self) -> &[Place] {
        match self {
            Places::Written(places) => places,
            Places::InFile(_) => &[],
        }
    }
}

/// When a row is inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// When the table has no row at all.
    TableIsEmpty,
    /// When no row has the same values in the columns of the key.
    KeyIsMissing,
    /// In any case.
    Always,
    /// Never: it is only looked for.
    Never,
}

/// A row as it was resolved.
#[derive(Debug, Clone)]
pub struct Given<'c> {
    /// Where it stands.
    pub place: Place,
    /// Whether it is named to be removed.
    pub is_removed: bool,
    /// Whether it may lack what its table needs, because that is what the server is to refuse.
    pub may_lack: bool,
    /// What is wrong with its cells.
    pub wrong: Vec<Diagnostic>,
    /// What it gives.
    pub targets: Vec<Target<'c>>,
}

impl<'c> Given<'c> {
    /// Resolves a row.
    pub fn of(row: &Row, table: &'c Table, resolver: Resolver<'c, '_>) -> Given<'c> {
        let mut wrong = Vec::new();
        let targets = resolver.targets(table, &row.cells, &mut wrong);
        let place = Place::new(resolver.source, row.span);
        Given { place, is_removed: row.is_removed, may_lack: false, wrong, targets }
    }
}

/// Notes problems that are not noted yet: rows share the values of a default.
pub fn note_new(mut wrong: Vec<Diagnostic>, problems: &mut Vec<Diagnostic>) {
    wrong.retain(|problem| !problems.contains(problem));
    problems.append(&mut wrong);
}

/// Rows that give values to the same columns in the same way.
#[derive(Debug)]
pub struct Group<'c> {
    /// Names the group's expressions: `1_2` is the second group of the first load.
    pub suffix: String,
    /// Whether the rows are named to be removed.
    pub is_removed: bool,
    /// Each row's number in the load, counted from 1, and what it gives. Of a file's rows, only what stands
    /// for all of them: see [`FileRows`].
    pub rows: Vec<(usize, Vec<Target<'c>>)>,
    /// The file, if the rows are not written down here.
    pub file: Option<FileRows>,
}

impl<'c> Group<'c> {
    /// Whether its rows stand in a file of their own.
    pub fn is_in_file(&self) -> bool {
        self.file.as_ref().is_some_and(|file| !matches!(file.pick, Pick::Written))
    }

    /// Whether it is one row, which has no order.
    pub fn is_one_row(&self) -> bool {
        self.file.is_none() && self.rows.len() == 1
    }

    /// What its rows give, by the example of the first.
    pub fn targets(&self) -> &[Target<'c>] {
        self.rows.first().map_or(&[], |(_, targets)| targets)
    }
}

impl<'c> Load<'c> {
    /// Resolves rows for a table and groups them by shape. Every problem is noted, and one that
    /// several rows share, like a misspelt default, only once.
    pub fn new(
        number: usize,
        table: &'c Table,
        place: Span,
        (rule, key): (Rule, Vec<&'c str>),
        rows: &[Row],
        resolver: Resolver<'c, '_>,
        problems: &mut Vec<Diagnostic>,
    ) -> Load<'c> {
        let given = rows.iter().map(|row| Given::of(row, table, resolver)).collect();
        Load::of(number, table, Place::new(resolver.source, place), (rule, key), given, problems)
    }

    /// Groups rows that were resolved by shape.
    pub fn of(
        number: usize,
        table: &'c Table,
        place: Place,
        (rule, key): (Rule, Vec<&'c str>),
        rows: Vec<Given<'c>>,
        problems: &mut Vec<Diagnostic>,
    ) -> Load<'c> {
        let mut load = Load::without_rows(number, table, place, (rule, key));
        let mut places = Vec::new();
        let mut shapes: Vec<(bool, Vec<String>)> = Vec::new();
        for (at, mut row) in rows.into_iter().enumerate() {
            let mut wrong = std::mem::take(&mut row.wrong);
            let is_whole = wrong.is_empty();
            // What has the column's own default is left out.
            row.targets.retain(|target| !target.is_default());
            if rule == Rule::KeyIsMissing {
                check_volatile(table, &load.key, &row.targets, &mut wrong);
            }
            // A cell that could not be resolved may be the very one that is missed.
            if is_whole && row.is_removed {
                check_removed(&load.key, &row, table, &mut wrong);
            } else if is_whole && rule != Rule::Never && !row.may_lack {
                check_required(&row, table, &mut wrong);
            }
            note_new(wrong, problems);
            places.push(row.place);
            let mut targets = row.targets;
            let mut shape: Vec<String> = targets.iter().map(Target::shape).collect();
            shape.sort();
            let shape = (row.is_removed, shape);
            targets.sort_by_cached_key(Target::shape);
            let found = shapes.iter().position(|known| *known == shape);
            let group = found.unwrap_or_else(|| {
                shapes.push(shape);
                let suffix = format!("{number}_{}", shapes.len());
                load.groups.push(Group { suffix, is_removed: row.is_removed, rows: Vec::new(), file: None });
                shapes.len() - 1
            });
            load.groups[group].rows.push((at + 1, targets));
        }
        load.places = Places::Written(places);
        load
    }

    /// Lets many written rows of the same columns go the way of a file's.
    pub fn lay(&mut self) {
        let laid: Vec<_> = self.groups.iter().map(|group| file::laid(self, group)).collect();
        for (group, laid) in self.groups.iter_mut().zip(laid).filter(|(_, laid)| laid.is_some()) {
            group.file = laid;
        }
    }

    /// A load that has no rows yet.
    pub fn without_rows(
        number: usize,
        table: &'c Table,
        place: Place,
        (rule, key): (Rule, Vec<&'c str>),
    ) -> Load<'c> {
        let places = Places::Written(Vec::new());
        let groups = Vec::new();
        let (updates, refreshed, index, removal) = (None, Vec::new(), None, None);
        Load { number, table, place, rule, key, index, updates, refreshed, removal, groups, places }
    }

    /// The load that removes the rows of a file instead.
    pub fn removing(mut self) -> Load<'c> {
        self.groups.iter_mut().for_each(|group| group.is_removed = true);
        self
    }

    /// The object ids of the tables that its rows refer to.
    pub fn parents(&self) -> Vec<u32> {
        fn of(targets: &[Target], parents: &mut Vec<u32>) {
            for target in targets {
                if let Target::Reference { lookup, .. } = target {
                    parents.push(lookup.parent.oid);
                    of(&lookup.targets, parents);
                }
            }
        }
        let mut parents = Vec::new();
        self.groups.iter().for_each(|group| of(group.targets(), &mut parents));
        parents
    }

    /// Whether applying it may delete rows.
    pub fn deletes(&self) -> bool {
        self.removal.is_some() || self.groups.iter().any(|group| group.is_removed)
    }

    /// Whether the server lets no two rows be the same in the key.
    pub fn has_unique_key(&self) -> bool {
        self.index.is_some()
            || self.table.keys.iter().any(|key| {
                key.columns.iter().all(|name| {
                    self.key.contains(&name.as_str()) && self.table.column(name).is_some_and(|it| it.not_null)
                })
            })
    }

    /// Whether a column is the same in all rows that count as one. What an index is on need not be.
    pub fn is_key(&self, name: &str) -> bool {
        self.index.is_none() && self.key.contains(&name)
    }

    /// Whether a row that is there gets the value of a column that a group gives.
    pub fn is_updated(&self, group: &Group, column: &Column) -> bool {
        let name = column.name.as_str();
        self.updates.as_ref().is_some_and(|except| !except.contains(&name) && !self.is_key(name))
            && self.is_compared(group, name)
    }

    /// Whether the value that a group gives a column is compared with that of a row that is there. One of
    /// the moment is for new rows, unless the author wants it refreshed.
    pub fn is_compared(&self, group: &Group, name: &str) -> bool {
        let target = group.targets().iter().find(|target| target.columns().contains(&name));
        target.is_none_or(|target| target.volatile().is_none())
            || self.updates.is_some() && self.refreshed.contains(&name)
    }

    /// Whether a group gives a column a value that nobody is shown.
    pub fn is_secret(&self, group: &Group, name: &str) -> bool {
        group.targets().iter().any(|it| it.is_secret() && it.columns().contains(&name))
    }

    /// A column of the table's row `t` as text, for a message; not where a secret may have stood in it.
    pub fn shown(&self, group: &Group, column: &Column) -> String {
        match self.is_secret(group, &column.name) {
            true => "'***'".to_owned(),
            false => format!("t.{}::text", identifier(&column.name)),
        }
    }

    /// Notes columns of a written key that rows leave to the server: it would make up another value
    /// on every run, and the row would never be found again.
    pub fn check_key(&self, (span, source): (Span, &Arc<Source>), problems: &mut Vec<Diagnostic>) {
        for name in &self.key {
            let Some(column) = self.table.column(name) else { continue };
            // What an index is on need not be given, nor what it is generated from.
            let is_of_index = self.index.is_some();
            let is_made_up = column.is_assigned_by_server() && !(is_of_index && column.generated);
            let may_be_filled_in = !is_of_index && self.table.has_insert_trigger && column.default.is_none();
            if !is_made_up && !may_be_filled_in {
                continue;
            }
            let rows = self.groups.iter().flat_map(|group| &group.rows);
            let lacking = rows.filter(|(_, targets)| !targets.iter().any(|it| it.columns().contains(name)));
            let mut lacking: Vec<usize> = lacking.map(|(number, _)| *number).collect();
            lacking.sort_unstable();
            let Some(place) = lacking.first().and_then(|number| self.places.get(*number)) else {
                continue;
            };
            let made_by =
                if is_made_up { "is made up by the server" } else { "may be filled in by a trigger" };
            let mut problem =
                Diagnostic::error(format!("the row gives no `{name}`, which is part of its key"))
                    .at_place(place.clone())
                    .note(format!(
                        "`{}.{name}` {made_by}: the row would be inserted again on every run",
                        self.table.name
                    ))
                    .help(match column.generated {
                        true => "take the columns that it is generated from as the key",
                        false => "give it in each row, or take columns that every row gives as the key",
                    });
            if place.source == *source {
                problem = problem.context(span, "the key");
            }
            if lacking.len() > 1 {
                problem = problem.note(format!("{} give none", count(lacking.len(), "row")));
            }
            problems.push(problem);
        }
    }
}

/// The key of a table that every row fills: the primary key, else the only other unique key.
pub fn infer_key<'c>(
    table: &'c Table,
    rows: &[Row],
    resolver: Resolver<'c, '_>,
    source: &Arc<Source>,
    span: Span,
) -> Result<Vec<&'c str>, Diagnostic> {
    if rows.is_empty() {
        return Ok(Vec::new()); // There is nothing to tell apart.
    }
    let mut given: Option<Vec<&str>> = None;
    for row in rows {
        let mut ignored = Vec::new();
        let targets = resolver.targets(table, &row.cells, &mut ignored);
        let columns: Vec<&str> = targets
            .iter()
            .flat_map(|target| match target {
                Target::Plain { origin: Origin::Moment(_), .. } => Vec::new(),
                Target::Plain { column, text: Some(_), .. } => vec![column.name.as_str()],
                Target::Plain { .. } | Target::Made { .. } => Vec::new(),
                Target::Reference { foreign_key, .. } => {
                    foreign_key.columns.iter().map(String::as_str).collect()
                }
            })
            .collect();
        given = Some(match given {
            None => columns,
            Some(earlier) => earlier.into_iter().filter(|column| columns.contains(column)).collect(),
        });
    }
    let given = given.unwrap_or_default();
    let filled: Vec<_> = table
        .keys
        .iter()
        .filter(|key| key.columns.iter().all(|column| given.contains(&column.as_str())))
        .collect();
    let chosen = match filled.as_slice() {
        [first, ..] if first.primary => first,
        [only] => only,
        [] => {
            let has: Vec<String> =
                table.keys.iter().map(|key| format!("({})", key.columns.join(", "))).collect();
            let has = if has.is_empty() { "none".to_owned() } else { has.join(" and ") };
            return Err(Diagnostic::error(format!(
                "no unique key of `{}` is filled by every row, so nothing tells which rows are there already",
                table.name
            ))
            .at(source, span)
            .note(format!("its unique keys: {has}"))
            .help(match given.is_empty() {
                true => "give every row the columns of one of them".to_owned(),
                false => format!("name the columns that tell rows apart: `key: [{}]`", given.join(", ")),
            }));
        }
        several => {
            let names: Vec<&str> = several.iter().map(|key| key.name.as_str()).collect();
            return Err(Diagnostic::error(format!(
                "`{}` has several unique keys that every row fills: {}",
                table.name,
                list(&names)
            ))
            .at(source, span)
            .help(format!("say which one tells rows apart: `key: [{}]`", several[0].columns.join(", "))));
        }
    };
    Ok(chosen.columns.iter().map(String::as_str).collect())
}

/// The columns of a key the author wrote.
pub fn written_key<'c>(
    table: &'c Table,
    key: &[Name],
    resolver: Resolver<'c, '_>,
) -> Result<Vec<&'c str>, Diagnostic> {
    resolver.key_columns(table, key)
}

/// Notes values of the moment in the key. A variable is none here: it names the same row until it changes.
pub fn check_volatile(table: &Table, key: &[&str], targets: &[Target], problems: &mut Vec<Diagnostic>) {
    let in_key = targets.iter().filter(|target| target.columns().iter().any(|name| key.contains(name)));
    for target in in_key.filter(|target| !target.is_secret()) {
        if let Some(word) = target.volatile() {
            let message = format!(
                "`{word}` gives another value on every run, and `{}` is part of the key",
                target.columns().join(", ")
            );
            problems.push(
                Diagnostic::error(message)
                    .at_place(target.place().clone())
                    .note(format!("the key of `{}` is: {}", table.name, key.join(", ")))
                    .help("take other columns as the key, or a value that stays, like `{$uuid: label}`"),
            );
        }
    }
}

/// Notes columns of the key that a row to be removed does not give.
fn check_removed(key: &[&str], row: &Given, table: &Table, problems: &mut Vec<Diagnostic>) {
    let lacking = key.iter().find(|name| !row.targets.iter().any(|target| target.columns().contains(name)));
    if let Some(name) = lacking {
        problems.push(
            Diagnostic::error(format!("this row to delete gives no `{name}`, which is part of its key"))
                .at_place(row.place.clone())
                .help(format!("the key of `{}` is: {}", table.name, key.join(", "))),
        );
    }
}

/// Notes columns that a row must give and does not. A trigger may fill them in, so a table that
/// has one is left to the server's own judgement.
fn check_required(row: &Given, table: &Table, problems: &mut Vec<Diagnostic>) {
    if table.has_insert_trigger {
        return;
    }
    for column in &table.columns {
        let given = row.targets.iter().find(|target| target.columns().contains(&column.name.as_str()));
        match given {
            None if column.is_required() => problems.push(
                Diagnostic::error(format!("this row needs `{}`", column.name))
                    .at_place(row.place.clone())
                    .note(format!("`{}.{}` is NOT NULL and has no default", table.name, column.name))
                    .help(format!("add `{}: …` to the row, or to the fixture's `defaults`", column.name)),
            ),
            Some(Target::Plain { text: None, place, .. }) if column.not_null => problems.push(
                Diagnostic::error(format!("`{}.{}` cannot be null", table.name, column.name))
                    .at_place(place.clone())
                    .help(match column.default {
                        Some(_) => "leave it out to get its default",
                        None => "give it a value",
                    }),
            ),
            _ => {}
        }
    }
}
