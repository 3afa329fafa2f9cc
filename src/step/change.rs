//! `change`: gives the rows that `where` names other values.
//!
//! ```yaml
//! - change: Charlie moves to Human Resources
//!   in: employees
//!   where: {name: Charlie}
//!   set: {department: Human Resources}
//! ```
//!
//! Outcomes: `changed` when at least one row lacked one of the values; `unchanged` when all of them had
//! them already; `not_found` when no row matched. A row that lacks none is not written.

use std::sync::Arc;

use super::{Action, Head, Kind, Outcome, Step, capture};
use crate::plan::catalog::{Catalog, Table};
use crate::plan::resolve::{Origin, Resolver, Target};
use crate::plan::{Access, Answer, Batch, Judgement, number, text};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::instruction::Purpose;
use crate::project::reading::Reading;
use crate::project::source::{Name, Place, Source};
use crate::project::value::{Row, stem};
use crate::project::yaml::Entry;
use crate::seed::load::{Given, Load, Rule};
use crate::seed::{Seeding, change};

/// The kind's line in the register.
pub const KIND: Kind = Kind {
    name: "change",
    keys: &["in", "where", "set"],
    outcomes: &[Outcome::Changed, Outcome::Unchanged, Outcome::NotFound],
    accepted: &[Outcome::Changed, Outcome::Unchanged],
    parse,
};

/// What a `change` step says.
#[derive(Debug)]
pub struct Change {
    /// The table.
    pub table: Name,
    /// What the rows have.
    pub filter: Row,
    /// What they get.
    pub values: Row,
}

fn parse(reading: &mut Reading, Head { span, .. }: Head, entries: Vec<Entry>) -> Option<Box<dyn Action>> {
    let (mut table, mut filter, mut values) = (None, None, None);
    for entry in entries {
        match entry.key.as_str() {
            "in" => table = Some(reading.text(entry.value, "`in`")),
            "where" => filter = Some(Row::parse_for(Purpose::Find, reading, entry.value, "`where`")),
            "set" => values = Some(Row::parse_for(Purpose::Write, reading, entry.value, "`set`")),
            _ => reading.unknown_key(&entry, "a `change` step", KIND.keys),
        }
    }
    let mut missing = |is_missing: bool, message: &str, help: &str| {
        if is_missing {
            reading.problem_help(span, message, help);
        }
    };
    missing(table.is_none(), "this step does not say where to change", "name the table: `in: employees`");
    missing(
        filter.is_none(),
        "this step does not say which rows to change",
        "name them: `where: {name: Charlie}`",
    );
    missing(values.is_none(), "this step changes nothing", "say what they get: `set: {name: Charles}`");
    Some(Box::new(Change { table: table??, filter: filter??, values: values?? }))
}

impl Action for Change {
    fn check(&self, _: &Project, _: &Arc<Source>, _: &mut Vec<Diagnostic>) {}

    fn tables<'a>(&'a self, _: &'a Project) -> Vec<&'a str> {
        vec![&self.table.text]
    }

    fn cells<'a>(&'a self, source: &'a Arc<Source>) -> Vec<(&'a Arc<Source>, &'a [Entry])> {
        vec![(source, &self.filter.cells), (source, &self.values.cells)]
    }

    fn compile(&self, step: &Step, project: &Project, catalog: &Catalog) -> Result<Batch, Vec<Diagnostic>> {
        let resolver = Resolver { catalog, source: &step.source, outside: &project.outside };
        let table = resolver.table(&self.table).map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let place = Place::new(&step.source, self.table.span);
        let filter = Given::of(&self.filter, table, resolver);
        let mut values = Given::of(&self.values, table, resolver);
        let mut fixed = Vec::new();
        for target in &mut values.targets {
            match defaulted(target, table) {
                Ok(name) => fixed.extend(name),
                Err(problem) => problems.push(problem),
            }
        }
        if step.expect.refusal().is_none() {
            problems.extend(values.targets.iter().filter_map(|target| nulled(target, table)));
        }
        // What is of the moment comes along where something else differs, and alone it is what is meant.
        let (of_moment, compared): (Vec<&Target>, Vec<&Target>) = values.targets.iter().partition(|target| {
            matches!(target.volatile(), Some("$now" | "$sql"))
                && !target.columns().iter().any(|name| fixed.contains(name))
        });
        let compared = if compared.is_empty() { of_moment } else { compared };
        let compared: Vec<String> =
            compared.into_iter().flat_map(Target::columns).map(str::to_owned).collect();
        let mut load = |number, given| {
            let way = (Rule::Never, Vec::new());
            Load::of(number, table, place.clone(), way, vec![given], &mut problems)
        };
        let (named, given) = (load(1, filter), load(2, values));
        if !problems.is_empty() {
            return Err(problems);
        }
        let compared: Vec<&str> = compared.iter().map(String::as_str).collect();
        let Seeding { statement, finding } = change::compile(named, given, &compared);
        let name = table.name.clone();
        let [filter, values] = [&self.filter, &self.values].map(|row| Place::new(&step.source, row.span));
        let judge = move |answer: &Answer| {
            let obstacles = finding.obstacles(answer);
            if !obstacles.is_empty() {
                return Err(obstacles.into_iter().map(|obstacle| obstacle.diagnostic).collect());
            }
            judge(answer, &name, [&filter, &values])
        };
        let capture = capture::row(step, &self.table, &self.afterwards(), false, resolver)?;
        Ok(Batch { capture, ..Batch::ready(Access::Write, statement, &[], Box::new(judge)) })
    }
}

impl Change {
    /// What a row has when it was changed.
    fn afterwards(&self) -> Vec<Entry> {
        let is_set = |cell: &Entry| self.values.cells.iter().any(|set| stem(&set.key) == stem(&cell.key));
        let kept = self.filter.cells.iter().filter(|cell| !is_set(cell));
        kept.chain(&self.values.cells).cloned().collect()
    }
}

/// Makes a value of what leaves a column to its default, as nothing is left out here. The column's name comes
/// back where the default is the same each time.
fn defaulted<'c>(target: &mut Target<'c>, table: &'c Table) -> Result<Option<&'c str>, Diagnostic> {
    let Target::Made { column, sql: None, place, .. } = &*target else { return Ok(None) };
    let (column, place) = (*column, place.clone());
    if !column.identity.is_empty() {
        return Err(Diagnostic::error(format!("`{}` is numbered by the server", column.name))
            .at_place(place)
            .help("leave it out: a row that is there keeps its number"));
    }
    *target = match &column.default {
        Some(default) => Target::Made { table, column, sql: Some(default.clone()), place },
        None => Target::Plain { table, column, text: None, origin: Origin::Written, place },
    };
    Ok(column.is_default_fixed.then_some(column.name.as_str()))
}

/// What is wrong with taking the value from a column that must have one.
fn nulled(target: &Target, table: &Table) -> Option<Diagnostic> {
    match target {
        Target::Plain { column, text: None, place, .. } if column.not_null => Some(
            Diagnostic::error(format!("`{}.{}` cannot be null", table.name, column.name))
                .at_place(place.clone())
                .help("give it a value"),
        ),
        _ => None,
    }
}

fn counted(answer: &Answer, what: &str) -> usize {
    answer.iter().find(|row| text(row, 0) == what).map_or(0, |row| number(row, 2))
}

fn judge(answer: &Answer, table: &str, [filter, values]: [&Place; 2]) -> Result<Judgement, Vec<Diagnostic>> {
    let [found, wanted, changed, undone] =
        ["found", "wanted", "changed", "undone"].map(|what| counted(answer, what));
    if changed < wanted {
        let message = format!(
            "{} of `{table}` {} to be changed and {changed} {}: a trigger, rule or policy kept the rest",
            count(wanted, "row"),
            if wanted == 1 { "was" } else { "were" },
            if changed == 1 { "was" } else { "were" },
        );
        let help = "a BEFORE trigger that returns NULL keeps its row: let it return NEW";
        return Err(vec![Diagnostic::error(message).at_place(filter.clone()).help(help)]);
    }
    if undone > 0 {
        return Err(vec![unsettled(table, undone).at_place(values.clone())]);
    }
    if found == 0 {
        let problem = Diagnostic::failed(format!("no row of `{table}` has these values"))
            .at_place(filter.clone())
            .help("accept it with `expect: [changed, unchanged, not_found]` if it may be gone");
        return Ok(Judgement { problem: Some(problem), ..Judgement::of(Outcome::NotFound) });
    }
    let (outcome, detail) = match changed {
        0 => (Outcome::Unchanged, (found > 1).then(|| count(found, "row"))),
        _ => (Outcome::Changed, (found > 1).then(|| format!("{changed} of {}", count(found, "row")))),
    };
    Ok(Judgement { detail, ..Judgement::of(outcome) })
}

/// Rows that do not have what they were given.
fn unsettled(table: &str, rows: usize) -> Diagnostic {
    let does = if rows == 1 { "does" } else { "do" };
    Diagnostic::error(format!("{} of `{table}` {does} not have what was set", count(rows, "row")))
        .note("a trigger changes what is written: every run would write it again")
        .help("write what the trigger makes of it, or leave it out")
}
