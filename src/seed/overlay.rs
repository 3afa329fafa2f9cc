//! Overlay: a fixture's rows, with those that the run's environment lays over them.
//!
//! Rows are the same when they say the same in the columns of the key, word for word. Two that only the
//! server takes for the same stay two, and it refuses them.

use std::collections::HashMap;

use super::load::{Given, note_new};
use super::stage::{leaves, text};
use crate::plan::catalog::Table;
use crate::plan::resolve::{Resolver, Target};
use crate::project::diagnostic::Diagnostic;
use crate::project::fixture::Fixture;
use crate::project::value::Row;

/// The rows of a fixture, resolved and merged: what the overlay gives comes first, then what the fixture
/// gives, then the defaults of both.
pub fn rows<'c>(
    fixture: &Fixture,
    table: &'c Table,
    key: &[&str],
    resolver: Resolver<'c, '_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Given<'c>> {
    let Some(overlay) = &fixture.overlay else {
        return fixture.rows.iter().map(|row| Given::of(row, table, resolver)).collect();
    };
    let defaults = defaults(fixture, table, resolver, problems);
    let above = Resolver { source: &overlay.source, ..resolver };
    let mut over: Vec<Option<Given>> = overlay.rows.iter().map(|row| Some(own(row, table, above))).collect();
    let mut places: HashMap<Vec<Option<String>>, usize> = HashMap::new();
    for (at, row) in over.iter().enumerate() {
        places.entry(row.iter().flat_map(|row| key_of(row, key, &defaults)).collect()).or_insert(at);
    }
    let mut rows = Vec::new();
    for row in &fixture.rows {
        let row = own(row, table, resolver);
        let key: Vec<Option<String>> = key_of(&row, key, &defaults).collect();
        let same = places.get(&key).and_then(|at| over[*at].take());
        rows.push(filled(same.map_or_else(|| row.clone(), |over| merged(over, &row)), &defaults));
    }
    rows.extend(over.into_iter().flatten().map(|row| filled(row, &defaults)));
    rows
}

/// The defaults of a fixture, those of its overlay before its own.
pub fn defaults<'c>(
    fixture: &Fixture,
    table: &'c Table,
    resolver: Resolver<'c, '_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Target<'c>> {
    let mut wrong = Vec::new();
    let mut defaults = Vec::new();
    if let Some(overlay) = &fixture.overlay {
        let above = Resolver { source: &overlay.source, ..resolver };
        defaults = above.targets(table, &overlay.defaults, &mut wrong);
    }
    fill(&mut defaults, &resolver.targets(table, &fixture.defaults, &mut wrong));
    note_new(wrong, problems);
    defaults
}

/// A row with what it gives itself.
fn own<'c>(row: &Row, table: &'c Table, resolver: Resolver<'c, '_>) -> Given<'c> {
    let cells = row.cells.iter().take(row.own).cloned().collect();
    Given::of(&Row { cells, ..row.clone() }, table, resolver)
}

/// An overlay's row over another. One that is to be removed stays alone.
fn merged<'c>(mut over: Given<'c>, row: &Given<'c>) -> Given<'c> {
    if !over.is_removed {
        fill(&mut over.targets, &row.targets);
        over.wrong.splice(0..0, row.wrong.iter().cloned());
        over.place = row.place.clone();
    }
    over
}

fn filled<'c>(mut row: Given<'c>, defaults: &[Target<'c>]) -> Given<'c> {
    if !row.is_removed {
        fill(&mut row.targets, defaults);
    }
    row
}

/// Adds what gives other columns than those that are given.
fn fill<'c>(targets: &mut Vec<Target<'c>>, others: &[Target<'c>]) {
    let given: Vec<String> = targets.iter().flat_map(Target::columns).map(str::to_owned).collect();
    let is_new = |target: &&Target| !target.columns().iter().any(|name| given.iter().any(|it| it == name));
    targets.extend(others.iter().filter(is_new).cloned());
}

/// What a row says in each column of the key, as text; nothing where it leaves the column out.
fn key_of<'a>(
    row: &'a Given,
    key: &'a [&str],
    defaults: &'a [Target],
) -> impl Iterator<Item = Option<String>> + 'a {
    let defaults = if row.is_removed { &[] } else { defaults };
    key.iter().map(move |name| {
        let target = row.targets.iter().chain(defaults).find(|target| target.columns().contains(name))?;
        let texts: Vec<Option<&String>> =
            leaves(std::slice::from_ref(target)).into_iter().map(text).collect();
        Some(format!("{}\0{texts:?}", target.shape()))
    })
}
