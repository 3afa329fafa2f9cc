//! Changes: everything that a step may write, triggers and cascades included.
//!
//! ```yaml
//! - delete: Bob leaves
//!   from: employees
//!   where: {name: Bob}
//!   changes: {employees: {deleted: 1}, audit_log: {inserted: {$between: [1, 2]}}}
//! ```
//!
//! What is not named is 0, and a table that is not named is not written to. The server counts, and the
//! counts are judged here.

use std::sync::Arc;

use crate::plan::JudgeWritten;
use crate::plan::catalog::{Catalog, TableKind};
use crate::plan::resolve::Resolver;
use crate::plan::wrote::{Named, Written, shown};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::grid::Grid;
use crate::project::quantity::Quantity;
use crate::project::reading::Reading;
use crate::project::source::{Name, Place, Source, Span};
use crate::project::yaml::{Content, Entry, Node};

/// The key of a step.
pub const KEY: &str = "changes";
/// What can happen to rows, in the order it is counted.
const WORDS: [&str; 3] = ["inserted", "updated", "deleted"];

/// What a step may write.
#[derive(Debug)]
pub struct Changes {
    /// Where the author says so.
    pub span: Span,
    /// By table, in the order written.
    pub tables: Vec<(Name, Allowed)>,
}

/// What may happen to the rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Anything.
    Anything,
    /// So many may be inserted, updated and deleted; none where nothing is said.
    Rows([Option<Quantity>; 3]),
}

impl Changes {
    /// Reads the value of the key. Every problem is noted.
    pub fn read(reading: &mut Reading, entry: Entry) -> Changes {
        let span = entry.key_span;
        let was_late = reading.values.is_late;
        let value = reading.fill(entry.value);
        if reading.values.is_late && !was_late {
            let help = "name a variable of the scenario, or a value of `each`";
            reading.problem_help(span, "what a step may write is known before the run", help);
            return Changes { span, tables: Vec::new() };
        }
        let mut tables = Vec::new();
        for Entry { key, key_span, value } in reading.map(value, "`changes`").unwrap_or_default() {
            let allowed = allowed(reading, &key, value);
            tables.extend(allowed.map(|allowed| (Name { text: key, span: key_span }, allowed)));
        }
        Changes { span, tables }
    }

    /// Makes a judge of it; or says which of its tables are not there.
    pub fn compile(
        &self,
        source: &Arc<Source>,
        project: &Project,
        catalog: &Catalog,
    ) -> Result<JudgeWritten, Vec<Diagnostic>> {
        let resolver = Resolver { catalog, source, outside: &project.outside };
        let mut problems = Vec::new();
        let mut permits: Vec<Permit> = Vec::new();
        for (name, allowed) in &self.tables {
            let problem = |message: String| Diagnostic::error(message).at(source, name.span);
            match resolver.table(name) {
                Err(unknown) => problems.push(unknown),
                Ok(table) if table.kind != TableKind::Table => {
                    let what = match table.kind {
                        TableKind::Foreign => "a foreign table, whose rows another server counts",
                        _ => "a view, and has no rows of its own",
                    };
                    let help = "name the tables that are written to";
                    problems.push(problem(format!("`{}` is {what}", name.text)).help(help));
                }
                Ok(table) => {
                    let table = (table.schema.clone(), table.name.clone());
                    if let Some(earlier) = permits.iter().find(|it| it.table == table) {
                        let twice = problem(format!("`{}` is named twice", name.text));
                        problems.push(twice.context(earlier.place.span, "first here"));
                    }
                    let place = Place::new(source, name.span);
                    permits.push(Permit { table, place, allowed: allowed.clone() });
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let place = Place::new(source, self.span);
        Ok(Box::new(move |written| judge(&permits, &place, written)))
    }
}

fn allowed(reading: &mut Reading, table: &str, node: Node) -> Option<Allowed> {
    let span = node.span;
    let entries = reading.map(node, &format!("what happens to `{table}`"))?;
    if entries.is_empty() {
        let help = "say what is written, like `{inserted: 1}`, or leave the table out: then nothing may be";
        reading.problem_help(span, format!("`changes` says nothing of `{table}`"), help);
        return None;
    }
    if let [Entry { key, value, .. }] = entries.as_slice()
        && key == "$any"
    {
        if !matches!(&value.content, Content::Scalar(text, _) if text == "true") {
            reading.problem_help(value.span, "`$any` says `true`", "write `{$any: true}`");
        }
        return Some(Allowed::Anything);
    }
    let mut rows = [None, None, None];
    for entry in entries {
        match WORDS.iter().position(|word| *word == entry.key) {
            Some(at) => {
                rows[at] = Quantity::read(reading, entry.value, &format!("a number of rows {}", WORDS[at]));
            }
            None => reading.unknown_key(&entry, &format!("what happens to `{table}`"), &WORDS),
        }
    }
    Some(Allowed::Rows(rows))
}

/// What may be written to one table.
struct Permit {
    table: Named,
    place: Place,
    allowed: Allowed,
}

/// What was written to one table: how many rows, and whether it was made anew.
#[derive(Default, Clone, Copy)]
struct Sum {
    rows: [u64; 3],
    is_remade: bool,
}

/// What is wrong with what was written, if anything is.
fn judge(permits: &[Permit], place: &Place, written: &Written) -> Option<Diagnostic> {
    let mut sums = vec![Sum::default(); permits.len()];
    let mut others: Vec<(Named, Sum)> = Vec::new();
    let mut add = |table: &Named, rows: [u64; 3], is_remade: bool| {
        let above = || written.parts.iter().filter(|(part, _)| part == table).map(|(_, above)| above);
        let lineage = std::iter::once(table).chain(above());
        let named = lineage.filter_map(|it| permits.iter().position(|permit| permit.table == *it)).next();
        let sum = match named {
            Some(at) => &mut sums[at],
            None => {
                let root = above().next_back().unwrap_or(table);
                let at = others.iter().position(|(other, _)| other == root).unwrap_or_else(|| {
                    others.push((root.clone(), Sum::default()));
                    others.len() - 1
                });
                &mut others[at].1
            }
        };
        sum.rows.iter_mut().zip(rows).for_each(|(sum, rows)| *sum += rows);
        sum.is_remade |= is_remade;
    };
    for wrote in &written.tables {
        add(&(wrote.schema.clone(), wrote.table.clone()), wrote.rows, false);
    }
    written.remade.iter().for_each(|table| add(table, [0; 3], true));
    let mut failures = Vec::new();
    let mut lines = vec![(" ", ["table", "written", "expected"].map(str::to_owned).to_vec())];
    for (permit, sum) in permits.iter().zip(&sums) {
        let before = failures.len();
        permit.judge(sum, &mut failures);
        let sign = if failures.len() > before { "!" } else { " " };
        lines.push((sign, vec![shown(&permit.table.0, &permit.table.1), words(sum), permit.words()]));
    }
    for ((schema, table), sum) in &others {
        let name = shown(schema, table);
        let message = match first(sum) {
            Some((rows, word)) => {
                format!("{}, and `changes` does not name it", happened(rows, &name, word))
            }
            None => format!("`{name}` was emptied, rewritten or dropped, and `changes` does not name it"),
        };
        failures.push(Diagnostic::failed(message).at_place(place.clone()));
        lines.push(("!", vec![name, words(sum), "nothing".to_owned()]));
    }
    let more = failures.len().saturating_sub(1);
    let mut problem = failures.into_iter().next()?;
    if more > 0 {
        problem = problem.note(format!("{} not as expected either", more_are(more)));
    }
    if lines.len() > 1 {
        problem = problem.grid(Grid::of(lines));
    }
    Some(problem)
}

impl Permit {
    fn judge(&self, sum: &Sum, failures: &mut Vec<Diagnostic>) {
        let Allowed::Rows(wanted) = &self.allowed else { return };
        let name = shown(&self.table.0, &self.table.1);
        for ((rows, wanted), word) in sum.rows.iter().zip(wanted).zip(WORDS) {
            let rows = *rows;
            let (message, span) = match wanted {
                Some(wanted) if !wanted.holds(rows) => {
                    (format!("{}, not {wanted}", happened(rows, &name, word)), wanted.span)
                }
                None if rows > 0 => {
                    let message = format!("{}, which `changes` does not say", happened(rows, &name, word));
                    (message, self.place.span)
                }
                _ => continue,
            };
            failures.push(Diagnostic::failed(message).at(&self.place.source, span));
        }
        if sum.is_remade {
            let message = format!("`{name}` was emptied, rewritten or dropped, which counts no rows");
            let help = format!("if that is meant: `{name}: {{$any: true}}`");
            failures.push(Diagnostic::failed(message).at_place(self.place.clone()).help(help));
        }
    }

    /// What is expected.
    fn words(&self) -> String {
        let Allowed::Rows(wanted) = &self.allowed else { return "anything".to_owned() };
        let said = wanted.iter().zip(WORDS).filter_map(|(wanted, word)| Some((wanted.as_ref()?, word)));
        said.map(|(wanted, word)| format!("{word} {wanted}")).collect::<Vec<_>>().join(", ")
    }
}

/// What was written.
fn words(sum: &Sum) -> String {
    let counted = sum.rows.iter().zip(WORDS).filter(|(rows, _)| **rows > 0);
    let mut words: Vec<String> = counted.map(|(rows, word)| format!("{word} {rows}")).collect();
    words.extend(sum.is_remade.then(|| "emptied, rewritten or dropped".to_owned()));
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// The first thing that happened to rows.
fn first(sum: &Sum) -> Option<(u64, &'static str)> {
    sum.rows.iter().zip(WORDS).find(|(rows, _)| **rows > 0).map(|(rows, word)| (*rows, word))
}

fn happened(rows: u64, table: &str, word: &str) -> String {
    let were = if rows == 1 { "was" } else { "were" };
    format!("{} of `{table}` {were} {word}", count(rows as usize, "row"))
}

fn more_are(more: usize) -> String {
    if more == 1 { "1 more is".to_owned() } else { format!("{more} more are") }
}
