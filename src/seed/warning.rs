//! Warnings: rows that can be applied, and that may mean something else than what is written there.

use std::collections::BTreeSet;

use super::load::Load;
use super::stage::leaves;
use crate::plan::catalog::Column;
use crate::plan::fit::is_without_zone;
use crate::plan::resolve::{Origin, Target};
use crate::project::diagnostic::{Diagnostic, count};

/// What to look at in the rows of loads and in their tables. Of each kind the first in a column is told.
pub fn warnings(loads: &[Load]) -> Vec<Diagnostic> {
    let hidden = loads.iter().filter(|load| load.table.is_secured).map(hidden);
    hidden.chain(loads.iter().flat_map(of_values)).collect()
}

fn hidden(load: &Load) -> Diagnostic {
    let name = &load.table.name;
    Diagnostic::warning(format!("row-level security may hide rows of `{name}` from this role"))
        .at_place(load.place.clone())
        .note("a row that is there and hidden counts as missing, and is not deleted or updated")
        .help("seed as the table's owner, or as a role with BYPASSRLS")
}

fn of_values(load: &Load) -> Vec<Diagnostic> {
    let (mut told, mut warnings) = (BTreeSet::new(), Vec::new());
    let mut more: Vec<usize> = Vec::new();
    let written = load.groups.iter().filter(|group| !group.is_in_file());
    for leaf in written.flat_map(|group| &group.rows).flat_map(|(_, targets)| leaves(targets)) {
        let Target::Plain { column, text: Some(text), origin: Origin::Written, place, .. } = leaf else {
            continue;
        };
        let Some((kind, words, help)) = odd(load, column, text) else { continue };
        let what = (column.name.as_str(), kind);
        if told.insert(what) {
            let message = format!("`{}` {words}", column.name);
            warnings.push((what, Diagnostic::warning(message).at_place(place.clone()).help(help)));
            more.push(0);
        } else if let Some(at) = warnings.iter().position(|(known, _)| *known == what) {
            more[at] += 1;
        }
    }
    let warnings = warnings.into_iter().zip(more);
    warnings
        .map(|((_, warning), more)| match more {
            0 => warning,
            more => warning.note(format!("and {} more", count(more, "time").replace("1 time", "once"))),
        })
        .collect()
}

/// What is odd about a value, in words behind its column's name, with the next action.
fn odd(load: &Load, column: &Column, text: &str) -> Option<(u8, &'static str, &'static str)> {
    let is_short = column.length_max.is_some() || load.key.contains(&column.name.as_str());
    if column.type_name == "timestamp with time zone" && is_without_zone(text) {
        return Some((
            1,
            "is a time without a zone, which is taken for UTC",
            "write the zone: `2026-01-02 03:04:05+00`",
        ));
    }
    if text.ends_with('\n') && is_short && !column.is_json() {
        return Some((
            2,
            "ends with an empty line",
            "write `|-` instead of `|`, so that the text ends where it ends",
        ));
    }
    let is_json = |text: &str| {
        let inner = serde_json::from_str::<String>(text).unwrap_or_default();
        inner.starts_with(['{', '[']) && serde_json::from_str::<serde_json::Value>(&inner).is_ok()
    };
    if column.is_json() && text.starts_with('"') && is_json(text) {
        return Some((
            3,
            "holds JSON inside of a JSON string",
            "for the JSON itself write `{$json: '…'}`, or a YAML map",
        ));
    }
    None
}
