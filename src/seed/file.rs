//! The rows of a file: what its header means, and how its values are told apart from what was written.

use std::sync::Arc;

use super::load::{Group, Load, Places, Rule};
use super::stage::leaves;
use crate::plan::catalog::{Column, Table};
use crate::plan::resolve::{Resolver, Target};
use crate::project::bulk::Bulk;
use crate::project::diagnostic::Diagnostic;
use crate::project::source::{Name, Place};
use crate::project::value::Row;
use crate::project::yaml::{Content, Entry, Node, Scalar};

/// Stands for the value of a file's column, by its number, wherever a text is asked for.
const MARKS: [char; 2] = ['\u{1}', '\u{2}'];

/// The rows of one file, all of them with the same columns.
#[derive(Debug)]
pub struct FileRows {
    /// The file.
    pub bulk: Arc<Bulk>,
    /// For each staged value, depth first, the file's column that it comes from, counted from 0; none for
    /// what the fixture says of all rows.
    pub columns: Vec<Option<usize>>,
}

/// The header as a row whose values nobody knows yet.
pub fn header(bulk: &Bulk, table: &Table) -> Row {
    let mut cells: Vec<Entry> = Vec::new();
    for name in &bulk.names {
        let path: Vec<&str> = match table.column(&name.text) {
            Some(_) => vec![&name.text],
            None => name.text.split('.').collect(),
        };
        insert(&mut cells, &path, name);
    }
    Row { span: bulk.names.first().map(|name| name.span).unwrap_or_default(), cells, is_removed: false }
}

fn insert(cells: &mut Vec<Entry>, path: &[&str], name: &Name) {
    let [first, rest @ ..] = path else { return };
    let node = |content| Node { content, span: name.span };
    let at = cells.iter().position(|cell| !rest.is_empty() && cell.key == *first);
    let at = at.unwrap_or_else(|| {
        let content = match rest.is_empty() {
            true => Content::Scalar("0".to_owned(), Scalar::Text),
            false => Content::Map(Vec::new()),
        };
        cells.push(Entry { key: (*first).to_owned(), key_span: name.span, value: node(content) });
        cells.len() - 1
    });
    if let Content::Map(inner) = &mut cells[at].value.content {
        insert(inner, rest, name);
    }
}

impl<'c> Load<'c> {
    /// The load of a file's rows. `defaults` are values that all of them have, resolved.
    pub fn of_file(
        (number, table, place): (usize, &'c Table, Place),
        identity: (Rule, Vec<&'c str>),
        bulk: &Arc<Bulk>,
        defaults: Vec<Target<'c>>,
        resolver: Resolver<'c, '_>,
        problems: &mut Vec<Diagnostic>,
    ) -> Load<'c> {
        let row = header(bulk, table);
        let mut targets = resolver.targets(table, &row.cells, problems);
        let given: Vec<String> = targets.iter().flat_map(Target::columns).map(str::to_owned).collect();
        let is_other = |target: &Target| !target.columns().iter().any(|name| given.iter().any(|it| it == name));
        targets.extend(defaults.into_iter().filter(is_other));
        targets.sort_by_cached_key(Target::shape);
        let columns: Vec<Option<usize>> = leaves(&targets).iter().map(|leaf| column_of(bulk, leaf)).collect();
        for (at, name) in bulk.names.iter().enumerate() {
            if problems.is_empty() && !columns.contains(&Some(at)) {
                problems.push(
                    Diagnostic::error(format!("`{}` is given by another name of this line already", name.text))
                        .at(&bulk.header, name.span)
                        .help("keep one of the two"),
                );
            }
        }
        let is_given = |name: &str| targets.iter().any(|target| target.columns().contains(&name));
        let lacking = table.columns.iter().find(|it| it.is_required() && !is_given(&it.name));
        if let Some(column) = lacking.filter(|_| problems.is_empty() && !table.has_insert_trigger) {
            problems.push(
                Diagnostic::error(format!("the rows of this file need `{}`", column.name))
                    .at(&bulk.header, row.span)
                    .note(format!("`{}.{}` is NOT NULL and has no default", table.name, column.name))
                    .help(format!("add a column `{}`, or name it in the fixture's `defaults`", column.name)),
            );
        }
        let mut at = 0;
        targets.iter_mut().for_each(|target| mark(target, &columns, &mut at));
        let mut load = Load::without_rows(number, table, place, identity);
        load.places = Places::InFile(bulk.clone());
        load.groups.push(Group {
            suffix: format!("{number}_1"),
            is_removed: false,
            rows: vec![(1, targets)],
            file: Some(FileRows { bulk: bulk.clone(), columns }),
        });
        load
    }
}

/// The file's column that a value comes from: its place is that of the name in the header.
fn column_of(bulk: &Bulk, leaf: &Target) -> Option<usize> {
    let place = leaf.place();
    let is_of_header = Arc::ptr_eq(&place.source, &bulk.header);
    bulk.names.iter().position(|name| is_of_header && name.span == place.span)
}

fn mark(target: &mut Target, columns: &[Option<usize>], at: &mut usize) {
    match target {
        Target::Plain { text, .. } => {
            if let Some(Some(column)) = columns.get(*at) {
                *text = Some(format!("{}{column}{}", MARKS[0], MARKS[1]));
            }
            *at += 1;
        }
        Target::Reference { lookup, .. } => {
            lookup.targets.iter_mut().for_each(|target| mark(target, columns, at));
        }
    }
}

/// A text with the values of a row in place of what stands for them, and the column of the first of them.
pub fn filled(text: &str, values: &[Option<String>]) -> (String, Option<usize>) {
    let (mut filled, mut first, mut rest) = (String::new(), None, text);
    while let Some((before, behind)) = rest.split_once(MARKS[0]) {
        let Some((number, behind)) = behind.split_once(MARKS[1]) else { break };
        let column = number.parse().ok();
        first = first.or(column);
        filled.push_str(before);
        filled.push_str(column.and_then(|at: usize| values.get(at)?.as_deref()).unwrap_or("null"));
        rest = behind;
    }
    (filled + rest, first)
}

impl FileRows {
    /// The file's columns with what they are staged as, in the file's order: the number of the staged
    /// value, and its column in the table it belongs to.
    pub fn staged<'a, 'c>(&self, targets: &'a [Target<'c>]) -> Vec<(usize, &'c Column)> {
        let mut staged: Vec<(usize, usize, &Column)> = Vec::new();
        for (at, leaf) in leaves(targets).into_iter().enumerate() {
            if let (Some(Some(column)), Target::Plain { column: of, .. }) = (self.columns.get(at), leaf) {
                staged.push((*column, at + 1, of));
            }
        }
        staged.sort_by_key(|(column, _, _)| *column);
        staged.into_iter().map(|(_, number, of)| (number, of)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_filled_with_the_values_of_a_row() {
        let values = [Some("Legal".to_owned()), None];
        assert_eq!(filled("name = '\u{1}0\u{2}'", &values), ("name = 'Legal'".to_owned(), Some(0)));
        assert_eq!(filled("a = \u{1}1\u{2} and b", &values), ("a = null and b".to_owned(), Some(1)));
        assert_eq!(filled("plain", &values), ("plain".to_owned(), None));
    }
}
