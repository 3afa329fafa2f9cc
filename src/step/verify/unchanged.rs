//! Unchanged: tables whose rows are as they were right after an earlier step, or at the start.

use crate::plan::catalog::Catalog;
use crate::plan::fact::{Kept, Told};
use crate::plan::resolve::Resolver;
use crate::plan::snapshot::{
    Change, Compared, Difference, DifferenceKind, SHOWN_MAX, Selection, VALUES_MAX, cells,
};
use crate::plan::wrote::{Named, shown as table_name};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::grid::{Grid, Line, shown};
use crate::project::reading::Reading;
use crate::project::source::{Name, Place, Span};
use crate::project::yaml::{Content, Entry};
use crate::step::Step;

/// The word for every table.
const ALL: &str = "all";

/// Tables that are as they were.
#[derive(Debug)]
pub struct Unchanged {
    /// Which; every one if none is named.
    pub tables: Vec<Name>,
    /// Which of all are left out.
    pub except: Vec<Name>,
    /// Where the author says so.
    pub span: Span,
    /// The step behind which they were so; the start of the scenario without it.
    pub since: Option<Name>,
}

/// The keys as they are read one by one.
#[derive(Default)]
pub struct Written {
    tables: Option<(Vec<Name>, bool, Span)>,
    since: Option<(Option<Name>, Span)>,
    except: Option<(Vec<Name>, Span)>,
}

impl Written {
    /// Reads one of the keys.
    pub fn read(&mut self, reading: &mut Reading, entry: Entry) {
        let Entry { key, key_span, value } = entry;
        match key.as_str() {
            "unchanged" => {
                let span = value.span;
                let is_all = matches!(&value.content, Content::Scalar(word, _) if word == ALL);
                let names = if is_all { Vec::new() } else { reading.names(value, "`unchanged`") };
                self.tables = Some((names, is_all, span));
            }
            "since" => self.since = Some((reading.text(value, "`since`"), key_span)),
            _ => self.except = Some((reading.names(value, "`except`"), key_span)),
        }
    }

    /// What they say together.
    pub fn finish(self, reading: &mut Reading) -> Option<Unchanged> {
        let Some((tables, is_all, span)) = self.tables else {
            let others = [("since", self.since.map(|it| it.1)), ("except", self.except.map(|it| it.1))];
            for (key, span) in others {
                if let Some(span) = span {
                    let help = "name the tables: `unchanged: [departments]`, or `unchanged: all`";
                    reading.problem_help(span, format!("`{key}` belongs to `unchanged`"), help);
                }
            }
            return None;
        };
        if let Some((_, span)) = self.except.as_ref().filter(|_| !is_all) {
            let help = "say `unchanged: all`, or leave the table out of the list";
            reading.problem_help(*span, "`except` belongs to `unchanged: all`", help);
        }
        if tables.is_empty() && !is_all {
            return None; // Which is told.
        }
        let except = self.except.map(|(names, _)| names).unwrap_or_default();
        Some(Unchanged { tables, except, span, since: self.since.and_then(|(name, _)| name) })
    }
}

impl Unchanged {
    /// The tables that it names.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.tables.iter().chain(&self.except)
    }

    /// What is compared, and what it means.
    pub fn compile(
        &self,
        step: &Step,
        project: &Project,
        catalog: &Catalog,
    ) -> Result<Kept, Vec<Diagnostic>> {
        let resolver = Resolver { catalog, source: &step.source, outside: &project.outside };
        let mut problems = Vec::new();
        let mut found: Vec<(Named, Span)> = Vec::new();
        for name in self.names() {
            match resolver.table(name) {
                Ok(table) => {
                    let own = (table.schema.clone(), table.name.clone());
                    if let Some((_, first)) = found.iter().find(|(known, _)| *known == own) {
                        let problem = Diagnostic::error(format!("`{}` is named twice", name.text));
                        problems.push(problem.at(&step.source, name.span).context(*first, "first here"));
                    }
                    found.push((own, name.span));
                }
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let names = found.iter().map(|(name, _)| name.clone()).collect();
        let selection = match self.tables.is_empty() {
            true => Selection::All(names),
            false => Selection::Tables(names),
        };
        let since = match &self.since {
            Some(name) => format!("after `{}`", name.text),
            None => "at the start".to_owned(),
        };
        let is_all = self.tables.is_empty();
        let (source, span) = (step.source.clone(), self.span);
        let judge = move |compared: &Compared| {
            if compared.tables == 0 {
                let problem = Diagnostic::failed("there is no table to compare");
                return Told { facts: 0, failures: vec![problem.at(&source, span)] };
            }
            let place = |difference: &Difference| {
                let own = found.iter().find(|(name, _)| !is_all && *name == difference.name);
                Place::new(&source, own.map_or(span, |(_, span)| *span))
            };
            let mut failures: Vec<Diagnostic> = compared
                .differences
                .iter()
                .map(|difference| failure(difference, &since).at_place(place(difference)))
                .collect();
            let others: Vec<String> = compared
                .differences
                .iter()
                .skip(1)
                .map(|difference| format!("`{}`", table_name(&difference.name.0, &difference.name.1)))
                .collect();
            if let Some(first) = failures.first_mut().filter(|_| !others.is_empty()) {
                first.notes.push(format!("changed as well: {}", others.join(", ")));
            }
            Told { facts: compared.tables, failures }
        };
        let place = Place::new(&step.source, self.span);
        Ok(Kept { selection, place, judge: Box::new(judge) })
    }
}

/// The words for a table that differs.
fn failure(difference: &Difference, since: &str) -> Diagnostic {
    let table = difference.table();
    let rows = |rows: u64| count(rows as usize, "row");
    match &difference.kind {
        DifferenceKind::Made(after) => {
            Diagnostic::failed(format!("`{table}` was not there {since}, and has {}", rows(*after)))
        }
        DifferenceKind::Dropped(before) => {
            Diagnostic::failed(format!("`{table}` had {} {since}, and is not there any more", rows(*before)))
        }
        DifferenceKind::Altered => Diagnostic::failed(format!("`{table}` has other columns than {since}")),
        DifferenceKind::Other(before, after) => {
            let message = format!("`{table}` has other rows than {since}");
            let counts = match before == after {
                true => format!("{} then and now; which of them changed is not known", rows(*before)),
                false => format!("{} then, {after} now; which they are is not known", rows(*before)),
            };
            Diagnostic::failed(message).note(counts).note("of so many rows only a fingerprint is kept")
        }
        DifferenceKind::Rows { columns, key, changes, values } => {
            let number = |of: fn(&Change) -> bool| changes.iter().filter(|change| of(change)).count();
            let counts = [
                (number(|it| it.before.is_none()), "came"),
                (number(|it| it.after.is_none()), "went"),
                (number(|it| it.before.is_some() && it.after.is_some()), "changed"),
            ];
            let counted: Vec<String> = counts
                .iter()
                .filter(|(rows, _)| *rows > 0)
                .enumerate()
                .map(|(at, (rows, word))| match at {
                    0 => format!("{} {word}", count(*rows, "row")),
                    _ => format!("{rows} {word}"),
                })
                .collect();
            let message = format!("`{table}` is not as it was {since}: {}", counted.join(", "));
            let problem = Diagnostic::failed(message).grid(draw(columns, key, changes, values));
            let is_unknown = |hash: Option<u128>| hash.is_some_and(|hash| !values.contains_key(&hash));
            match changes.iter().take(SHOWN_MAX).any(|change| is_unknown(change.before)) {
                true => problem
                    .note(format!("what rows had before is kept of tables of at most {VALUES_MAX} rows")),
                false => problem,
            }
        }
    }
}

/// The rows that differ, in columns.
fn draw(
    columns: &[String],
    key: &[String],
    changes: &[Change],
    values: &std::collections::HashMap<u128, Vec<Option<String>>>,
) -> Grid {
    let mut lines: Vec<Line> = vec![(" ", columns.to_vec())];
    for change in changes.iter().take(SHOWN_MAX) {
        let sign = match (change.before, change.after) {
            (None, _) => "+",
            (_, None) => "-",
            _ => "~",
        };
        let [before, after] = [change.before, change.after].map(|hash| values.get(&hash?));
        let own_key = change.key.as_deref().map(cells).unwrap_or_default();
        let cell = |(at, name): (usize, &String)| {
            let [before, after] = [before, after].map(|row| row.and_then(|row| row.get(at)));
            let show = |cell: &Option<String>| shown(cell.as_deref(), 0);
            match (before, after) {
                (Some(before), Some(after)) if before != after => {
                    format!("{} → {}", show(before), show(after))
                }
                (_, Some(cell)) | (Some(cell), None) => show(cell),
                (None, None) => {
                    let at = key.iter().position(|own| own == name);
                    at.and_then(|at| own_key.get(at)).map_or("…".to_owned(), show)
                }
            }
        };
        lines.push((sign, columns.iter().enumerate().map(cell).collect()));
    }
    let more = changes.len().saturating_sub(SHOWN_MAX);
    let more = (more > 0).then(|| count(more, "more row"));
    Grid {
        legend: Some("+ came, - went, ~ changed"),
        lines,
        more: more.into_iter().collect(),
        ..Grid::default()
    }
}
