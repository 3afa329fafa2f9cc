//! Cases: a step with `each` is one for every row of a table of values.

use std::rc::Rc;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, count};
use super::pipe;
use super::reading::Reading;
use super::source::{Source, Span};
use super::used::{Item, Scope};
use super::values::{self, Named, is_name};
use super::yaml::{Content, Entry, Node};

/// The most cases of one step.
const CASES_MAX: usize = 10_000;
/// The most characters of its values that tell a case from others in a title.
const TITLE_MAX: usize = 60;

/// A step as it is written, with the values of one case.
#[derive(Debug)]
pub struct Case {
    /// The step, without `each`.
    pub node: Node,
    /// Where it is written.
    pub scope: Rc<Scope>,
    /// Whether it always runs.
    pub is_final: bool,
    /// The values.
    pub cells: Named,
    /// What is put behind the title.
    pub suffix: String,
    /// The table that it is from, if it is from one.
    pub table: Option<Rc<Table>>,
}

/// A table of values.
#[derive(Debug)]
pub struct Table {
    /// The number of its step in the scenario.
    pub step: usize,
    /// The file it stands in.
    pub source: Arc<Source>,
    /// Its columns, each where it is named first.
    pub columns: Vec<(String, Span)>,
}

/// Every step once for each of its cases.
pub fn cases(problems: &mut Vec<Diagnostic>, items: Vec<Item>) -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, Item { mut node, scope, is_final }) in items.into_iter().enumerate() {
        let Some(each) = take(&mut node, "each") else {
            let (cells, suffix) = (Named::new(), String::new());
            cases.push(Case { node, scope, is_final, cells, suffix, table: None });
            continue;
        };
        let source = scope.source.clone();
        let reading = &mut Reading::new(&source, problems);
        let rows = rows(reading, each);
        if let Some(id) = entry(&node, "id").filter(|_| rows.len() > 1) {
            let help = "leave out `id`, or `each`";
            reading.problem_help(id.key_span, "a step of several cases has no single row", help);
            take(&mut node, "id");
        }
        let mut columns: Vec<(String, Span)> = Vec::new();
        for row in rows.iter().flatten() {
            if !columns.iter().any(|(name, _)| *name == row.key) {
                columns.push((row.key.clone(), row.key_span));
            }
        }
        let table = Rc::new(Table { step: number, source: source.clone(), columns });
        for row in rows {
            let suffix = format!(" ({})", title(&row));
            let cells = row.into_iter().map(|cell| (cell.key, cell.value)).collect();
            let (node, scope, table) = (node.clone(), scope.clone(), Some(table.clone()));
            cases.push(Case { node, scope, is_final, cells, suffix, table });
        }
    }
    cases
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    let Content::Map(entries) = &node.content else { return None };
    entries.iter().skip(1).find(|entry| entry.key == key)
}

fn take(node: &mut Node, key: &str) -> Option<Entry> {
    let Content::Map(entries) = &mut node.content else { return None };
    let at = entries.iter().skip(1).position(|entry| entry.key == key)?;
    Some(entries.remove(at + 1))
}

/// The rows of a table: a list of maps, or lines between pipes. All of them have the same columns.
fn rows(reading: &mut Reading, each: Entry) -> Vec<Vec<Entry>> {
    let span = each.value.span;
    let items = match each.value.content {
        Content::Scalar(text, _) => pipe::rows(reading, &text, span),
        content => reading.list(Node { content, span }, "`each`").unwrap_or_default(),
    };
    if items.is_empty() || items.len() > CASES_MAX {
        let message = format!("`each` has {}", count(items.len(), "case"));
        let help =
            format!("list the values of 1 to {CASES_MAX} cases: `each: [{{name: Ann}}, {{name: Bob}}]`");
        reading.problem_help(each.key_span, message, help);
        return Vec::new();
    }
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    for item in items {
        let item_span = item.span;
        let Some(row) = reading.map(item, "a case") else { continue };
        for cell in &row {
            if !is_name(&cell.key) {
                let help = "letters, digits and `_`";
                reading.problem_help(cell.key_span, format!("`{}` cannot be a name", cell.key), help);
            }
            values::check(reading, cell);
        }
        let names = |row: &[Entry]| {
            row.iter().map(|cell| cell.key.clone()).collect::<std::collections::BTreeSet<_>>()
        };
        if rows.first().is_some_and(|first| names(first) != names(&row)) {
            reading.problem_help(
                item_span,
                "every case gives the same values",
                "write `null` where one has none",
            );
        }
        rows.push(row);
    }
    rows
}

/// What tells some values from others.
pub fn title(row: &[Entry]) -> String {
    let cell = |cell: &Entry| match values::referred(&cell.value) {
        Some(name) => format!("{}: {}", cell.key, name.rsplit('/').next().unwrap_or_default()),
        None => format!("{}: {}", cell.key, super::value::json_text(&cell.value).trim_matches('"')),
    };
    let whole = row.iter().map(cell).collect::<Vec<_>>().join(", ");
    match whole.chars().count() > TITLE_MAX {
        true => format!("{}…", whole.chars().take(TITLE_MAX).collect::<String>()),
        false => whole,
    }
}
