//! The rows of a file: what its names mean, and how its values are told apart from what was written.

use std::sync::Arc;

use super::load::{Group, Load, Places, Rule, check_volatile};
use super::stage::{leaves, text};
use crate::plan::catalog::{Column, Table};
use crate::plan::resolve::{Resolver, Target};
use crate::project::bulk::ndjson::{self, Paths, Taken};
use crate::project::bulk::{Bulk, FileColumn, Layout, Pick};
use crate::project::diagnostic::Diagnostic;
use crate::project::source::{Place, Span};
use crate::project::value::Row;
use crate::project::yaml::{Content, Entry, Node, Scalar};

/// Stands for a value of a row, by its number, wherever a text is asked for.
const MARKS: [char; 2] = ['\u{1}', '\u{2}'];

/// How many written rows of the same columns go the way of a file's.
const LAID_ROWS_MIN: usize = 2_000;

/// The rows of one file, or those of them that give the same columns.
#[derive(Debug)]
pub struct FileRows {
    /// The file.
    pub bulk: Arc<Bulk>,
    /// For each staged value, depth first, which value of a row it is, counted from 0; none for what the
    /// fixture says of all rows.
    pub columns: Vec<Option<usize>>,
    /// Which rows, and which values of them.
    pub pick: Pick,
}

/// What a layout names, as a row whose values nobody knows yet.
pub fn header(layout: &Layout, table: &Table) -> Row {
    let mut cells: Vec<Entry> = Vec::new();
    for column in &layout.columns {
        let path: Vec<&str> = match table.column(&column.name) {
            Some(_) => vec![&column.name],
            None => column.name.split('.').collect(),
        };
        insert(&mut cells, &path, column);
    }
    let span = layout.columns.first().map(|it| it.span).unwrap_or_default();
    Row { span, own: cells.len(), cells, is_removed: false }
}

fn insert(cells: &mut Vec<Entry>, path: &[&str], column: &FileColumn) {
    let [first, rest @ ..] = path else { return };
    let node = |content| Node { content, span: column.span };
    let at = cells.iter().position(|cell| !rest.is_empty() && cell.key == *first);
    let at = at.unwrap_or_else(|| {
        let content = match (rest, column.within.as_slice()) {
            ([], []) => Content::Scalar("0".to_owned(), Scalar::Text),
            // What stands in such a file is a value, and asks for nothing.
            ([], [only]) if only.name.starts_with('$') => Content::Scalar("0".to_owned(), Scalar::Text),
            _ => Content::Map(Vec::new()),
        };
        cells.push(Entry { key: (*first).to_owned(), key_span: column.name_span, value: node(content) });
        cells.len() - 1
    });
    if let Content::Map(inner) = &mut cells[at].value.content {
        insert(inner, rest, column);
        if rest.is_empty() {
            column.within.iter().for_each(|within| insert(inner, &[&within.name], within));
        }
    }
}

impl<'c> Load<'c> {
    /// The load of a file's rows. `defaults` are values that all of them have, resolved.
    pub fn of_file(
        (number, table, place): (usize, &'c Table, Place),
        identity: (Rule, Vec<&'c str>),
        bulk: &Arc<Bulk>,
        defaults: impl Fn(&mut Vec<Diagnostic>) -> Vec<Target<'c>>,
        resolver: Resolver<'c, '_>,
        problems: &mut Vec<Diagnostic>,
    ) -> Load<'c> {
        let mut load = Load::without_rows(number, table, place, identity);
        load.places = Places::InFile(bulk.clone());
        // Two rows are alike where the same columns come from the file, and the same from the defaults.
        let mut shapes: Vec<(Vec<String>, Vec<bool>)> = Vec::new();
        let mut picks: Vec<ndjson::Pick> = Vec::new();
        for layout in &bulk.layouts {
            let mut wrong = Vec::new();
            let mut targets = targets(table, layout, &defaults, resolver, &mut wrong);
            targets.retain(|target| !target.is_default());
            if load.rule == Rule::KeyIsMissing {
                check_volatile(table, &load.key, &targets, &mut wrong);
            }
            let is_right = wrong.is_empty();
            wrong.retain(|problem| !problems.contains(problem));
            problems.append(&mut wrong);
            if !is_right {
                continue;
            }
            let (paths, columns) = paths(layout, &targets);
            let from_file = columns.iter().map(Option::is_some).collect();
            let shape = (targets.iter().map(Target::shape).collect(), from_file);
            let known = shapes.iter().position(|known| *known == shape).unwrap_or_else(|| {
                let mut targets = targets;
                let mut at = 0;
                targets.iter_mut().for_each(|target| mark(target, &columns, &mut at));
                shapes.push(shape);
                picks.push(ndjson::Pick::default());
                load.groups.push(Group {
                    suffix: format!("{number}_{}", shapes.len()),
                    is_removed: false,
                    rows: vec![(1, targets)],
                    file: Some(FileRows { bulk: bulk.clone(), columns, pick: Pick::All }),
                });
                shapes.len() - 1
            });
            picks[known].insert(layout.key.clone(), paths);
        }
        if !bulk.is_csv() {
            for (group, pick) in load.groups.iter_mut().zip(picks) {
                if let Some(file) = &mut group.file {
                    file.pick = Pick::Objects(Arc::new(pick));
                }
            }
        }
        load
    }
}

/// Rows that were written, laid out as those of a file: the server takes many of them faster so.
pub fn laid(load: &Load, group: &Group) -> Option<FileRows> {
    let width = group.targets().len();
    let is_null = |target: &Target| matches!(target, Target::Plain { text: None, .. });
    let of_key = |target: &Target| target.columns().iter().any(|name| load.key.contains(name));
    let mut rows = group.rows.iter().map(|(_, targets)| targets);
    // What instructions ask for of the moment is not a text that could be copied, or not one to be shown.
    let is_plain = |target: &Target| {
        target.volatile().is_none()
            && !leaves(std::slice::from_ref(target)).into_iter().any(Target::is_secret)
    };
    let is_fit =
        load.rule != Rule::Never && !group.is_removed && width > 0 && group.targets().iter().all(is_plain);
    if group.rows.len() < LAID_ROWS_MIN
        || !is_fit
        || rows.any(|row| row.iter().any(|it| is_null(it) && of_key(it)))
    {
        return None;
    }
    let (mut csv, mut places, mut columns) = (Vec::new(), Vec::new(), 0);
    for (number, targets) in &group.rows {
        csv.extend_from_slice(number.to_string().as_bytes());
        let leaves = leaves(targets);
        for leaf in &leaves {
            csv.push(b',');
            ndjson::write(text(leaf).map(String::as_str), &mut csv);
        }
        csv.push(b'\n');
        columns = leaves.len();
        places.push(leaves.iter().map(|leaf| leaf.place().clone()).collect());
    }
    Some(FileRows {
        bulk: Arc::new(Bulk::written(load.place.source.path.clone(), csv, places)),
        columns: (0..columns).map(Some).collect(),
        pick: Pick::Written,
    })
}

/// What the rows of a layout give, with the fixture's `defaults` behind it.
fn targets<'c>(
    table: &'c Table,
    layout: &Layout,
    defaults: &impl Fn(&mut Vec<Diagnostic>) -> Vec<Target<'c>>,
    resolver: Resolver<'c, '_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Target<'c>> {
    let row = header(layout, table);
    let mut targets = Resolver { source: &layout.source, ..resolver }.targets(table, &row.cells, problems);
    let given: Vec<String> = targets.iter().flat_map(Target::columns).map(str::to_owned).collect();
    let is_other = |target: &Target| !target.columns().iter().any(|name| given.iter().any(|it| it == name));
    targets.extend(defaults(problems).into_iter().filter(is_other));
    targets.sort_by_cached_key(Target::shape);
    if !problems.is_empty() {
        return targets;
    }
    let leaves = leaves(&targets);
    let is_used = |column: &FileColumn| leaves.iter().any(|leaf| names(column, layout, leaf));
    if let Some(column) = layout.columns.iter().find(|column| !is_used(column)) {
        problems.push(
            Diagnostic::error(format!("`{}` is given by another name of this line already", column.name))
                .at(&layout.source, column.name_span)
                .help("keep one of the two"),
        );
    }
    let is_given = |name: &str| targets.iter().any(|target| target.columns().contains(&name));
    let lacking = table.columns.iter().find(|it| it.is_required() && !is_given(&it.name));
    if let Some(column) = lacking.filter(|_| !table.has_insert_trigger) {
        problems.push(
            Diagnostic::error(format!("the rows of this file need `{}`", column.name))
                .at(&layout.source, row.span)
                .note(format!("`{}.{}` is NOT NULL and has no default", table.name, column.name))
                .help(format!("add a column `{}`, or name it in the fixture's `defaults`", column.name)),
        );
    }
    targets
}

/// Whether a value comes from a name, or from one within it.
fn names(column: &FileColumn, layout: &Layout, leaf: &Target) -> bool {
    let place = leaf.place();
    Arc::ptr_eq(&place.source, &layout.source)
        && (column.span == place.span || column.within.iter().any(|within| names(within, layout, leaf)))
}

/// For each staged value, depth first, which value of a row it is; and how these are found in an object.
fn paths(layout: &Layout, targets: &[Target]) -> (Paths, Vec<Option<usize>>) {
    let (mut paths, mut columns) = (Vec::new(), Vec::new());
    for leaf in leaves(targets) {
        let found = layout.columns.iter().position(|column| names(column, layout, leaf));
        let is_csv = layout.key.is_empty();
        columns.push(found.map(|at| if is_csv { at } else { paths.len() }));
        if let (Some(at), Target::Plain { column, .. }) = (found, leaf) {
            let mut path = Vec::new();
            path_to(&layout.columns[at], leaf.place().span, &mut path);
            let taken = match (column.is_json(), column.is_array) {
                (true, _) => Taken::AsJson,
                (false, true) => Taken::AsArray,
                (false, false) => Taken::AsText,
            };
            paths.push((path, taken));
        }
    }
    (paths, columns)
}

/// The names that lead to the value at a place.
fn path_to(column: &FileColumn, span: Span, path: &mut Vec<String>) -> bool {
    path.push(column.name.clone());
    if column.span == span || column.within.iter().any(|within| path_to(within, span, path)) {
        return true;
    }
    path.pop();
    false
}

fn mark(target: &mut Target, columns: &[Option<usize>], at: &mut usize) {
    match target {
        Target::Plain { text, .. } => {
            if let Some(Some(column)) = columns.get(*at) {
                *text = Some(format!("{}{column}{}", MARKS[0], MARKS[1]));
            }
            *at += 1;
        }
        Target::Made { .. } => {}
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
    pub fn staged<'c>(&self, targets: &[Target<'c>]) -> Vec<(usize, &'c Column)> {
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
