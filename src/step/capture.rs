//! The row that a step writes or deletes, as later steps refer to it.

use super::Step;
use crate::plan::capture::{Capture, Held};
use crate::plan::resolve::Resolver;
use crate::project::diagnostic::Diagnostic;
use crate::project::instruction;
use crate::project::source::{Name, Place};
use crate::project::value::Row;
use crate::project::yaml::Entry;
use crate::seed::load::{Load, Rule};
use crate::seed::seek;

/// How the only row that has these values is captured, if a later step takes something from it. Instructions
/// say nothing that a row could be found by.
pub fn row(
    step: &Step,
    table: &Name,
    cells: &[Entry],
    is_before: bool,
    resolver: Resolver,
) -> Result<Option<Capture>, Vec<Diagnostic>> {
    if !step.links.is_captured {
        return Ok(None);
    }
    let found = resolver.table(table).map_err(|problem| vec![problem])?;
    let is_made = |cell: &&Entry| {
        let word = instruction::entry(&cell.value).map(|entry| entry.key.as_str());
        matches!(word, Some("$now" | "$sql" | "$default"))
    };
    let cells: Vec<Entry> = cells.iter().filter(|cell| !is_made(cell)).cloned().collect();
    let span = cells.first().map_or(table.span, |cell| cell.key_span);
    let place = Place::new(&step.source, span);
    let mut problems = Vec::new();
    let row = Row { span, own: cells.len(), cells, is_removed: false };
    let way = (Rule::Never, Vec::new());
    let load = Load::new(1, found, table.span, way, std::slice::from_ref(&row), resolver, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let columns =
        found.columns.iter().map(|column| (column.name.clone(), Held::of(&column.type_name))).collect();
    Ok(Some(Capture { statement: seek::rows(load), columns, is_before, place }))
}
