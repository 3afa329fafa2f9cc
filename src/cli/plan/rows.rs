//! The rows of a plan, as lines and as JSON.

use crate::cli::terminal;
use crate::project::diagnostic::{count, printable};
use crate::report::text::{BAD, FAINT, GOOD, ODD};
use crate::seed::look::{Change, ChangeKind, Foreseen};

/// How many rows of a table are shown, unless all are asked for.
const ROWS_SHOWN_MAX: usize = 20;

/// Prints what would become of a table.
pub fn print(foreseen: &Foreseen, is_verbose: bool) {
    let Foreseen { table, inserted, updated, deleted, kept, is_skipped, changes, .. } = foreseen;
    let counts = [(GOOD, "+", inserted), (ODD, "~", updated), (BAD, "-", deleted)];
    let counts = counts.into_iter().filter(|(_, _, count)| **count > 0);
    let mut words: Vec<String> =
        counts.map(|(style, sign, count)| format!("{style}{sign}{count}{style:#}")).collect();
    match (words.is_empty(), is_skipped) {
        (true, true) => words.push(format!("{FAINT}skipped: it has rows{FAINT:#}")),
        (true, false) => words.push(format!("{FAINT}unchanged{FAINT:#}")),
        (false, _) => {}
    }
    if *kept > 0 {
        let differ = if *kept == 1 { "differs" } else { "differ" };
        words.push(format!("{FAINT}keeps {} that {differ}{FAINT:#}", count(*kept, "row")));
    }
    terminal::print_line(&format!("    {}  {}", printable(table), words.join(" ")));
    let most = if is_verbose { usize::MAX } else { ROWS_SHOWN_MAX };
    changes.iter().take(most).for_each(print_change);
    let shown = changes.len().min(most);
    let all = inserted + updated + deleted;
    if all > shown {
        let more = count(all - shown, "more row");
        let how = if changes.len() > shown { "; --verbose shows them" } else { "" };
        terminal::print_line(&format!("      {FAINT}… {more}{how}{FAINT:#}"));
    }
}

fn print_change(change: &Change) {
    let (style, sign) = match change.kind {
        ChangeKind::Insert => (GOOD, "+"),
        ChangeKind::Update => (ODD, "~"),
        ChangeKind::Delete => (BAD, "-"),
    };
    let values: Vec<String> =
        change.values.iter().map(|(name, value)| format!("{name}: {}", shown(value))).collect();
    let place = change.place.as_ref().map(|place| format!("  {FAINT}{place}{FAINT:#}")).unwrap_or_default();
    terminal::print_line(&format!("      {style}{sign}{style:#} {}{place}", values.join(", ")));
    for (name, old, new) in &change.cells {
        terminal::print_line(&format!("          {name}: {} → {}", shown(old), shown(new)));
    }
}

/// A value in one line, as it would be written.
fn shown(value: &Option<String>) -> String {
    const LENGTH_MAX: usize = 60;
    let Some(value) = value else { return "null".to_owned() };
    let line = printable(value).replace('\n', "\\n");
    let mut shown: String = line.chars().take(LENGTH_MAX).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    if value.is_empty() || value == "null" || value == "~" { format!("'{shown}'") } else { shown }
}

/// What would become of a table, for machines.
pub fn json(foreseen: &Foreseen) -> serde_json::Value {
    let map = |values: &[(String, Option<String>)]| -> serde_json::Value {
        values
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let change = |change: &Change| {
        let cells = change
            .cells
            .iter()
            .map(|(name, old, new)| (name.clone(), serde_json::json!({ "old": old, "new": new })));
        let place = change.place.as_ref().map(|place| {
            let (line, column) = place.source.line_column(place.span.start as usize);
            serde_json::json!({ "file": place.source.path, "line": line, "column": column })
        });
        serde_json::json!({
            "kind": match change.kind {
                ChangeKind::Insert => "insert",
                ChangeKind::Update => "update",
                ChangeKind::Delete => "delete",
            },
            "place": place,
            "values": map(&change.values),
            "cells": cells.collect::<serde_json::Map<_, _>>(),
        })
    };
    serde_json::json!({
        "table": foreseen.table,
        "inserted": foreseen.inserted,
        "updated": foreseen.updated,
        "deleted": foreseen.deleted,
        "kept": foreseen.kept,
        "skipped": foreseen.is_skipped,
        "rows": foreseen.changes.iter().map(change).collect::<Vec<_>>(),
    })
}
