//! `verify`: states facts about tables, without SQL.
//!
//! ```yaml
//! - verify: Alice stayed and Zoe never was
//!   exists: {employees: [{name: Alice, department: Human Resources}]}
//!   absent: {employees: {name: Zoe}}
//!   count: {employees: 3, departments: 2}
//! ```
//!
//! A row exists when at least one row of the table has all of its values; only the columns that are
//! named are looked at. Outcomes: `held`, `differs`. A reference to a row that is not there is an
//! error: nothing could be absent from it.

use std::sync::Arc;

use super::{Action, Head, Kind, Outcome, Step};
use crate::plan::catalog::Catalog;
use crate::plan::resolve::Resolver;
use crate::plan::{Access, Batch, Judgement, number, text};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::reading::Reading;
use crate::project::source::{Name, Place, Source, Span};
use crate::project::value::Row;
use crate::project::yaml::Entry;
use crate::seed::load::{Load, Rule};
use crate::seed::{Seeding, seek};

/// The kind's line in the register.
pub const KIND: Kind = Kind {
    name: "verify",
    keys: &["exists", "absent", "count"],
    outcomes: &[Outcome::Held, Outcome::Differs],
    accepted: &[Outcome::Held],
    parse,
};

/// What a `verify` step says.
#[derive(Debug)]
pub struct Verify {
    /// At least one.
    pub claims: Vec<Claim>,
}

/// One fact about one table.
#[derive(Debug)]
pub struct Claim {
    /// The table.
    pub table: Name,
    /// What is said of it.
    pub fact: Fact,
}

/// What can be said of a table.
#[derive(Debug)]
pub enum Fact {
    /// A row has these values.
    Exists(Row),
    /// No row has these values.
    Absent(Row),
    /// It has this many rows.
    Count(u64, Span),
}

fn parse(reading: &mut Reading, Head { span, .. }: Head, entries: Vec<Entry>) -> Option<Box<dyn Action>> {
    let mut claims = Vec::new();
    for entry in entries {
        let fact: fn(Row) -> Fact = match entry.key.as_str() {
            "exists" => Fact::Exists,
            "absent" => Fact::Absent,
            "count" => {
                for table in reading.map(entry.value, "`count`").unwrap_or_default() {
                    let name = Name { text: table.key, span: table.key_span };
                    let span = table.value.span;
                    let number = reading.whole_number(table.value, "a count");
                    claims
                        .extend(number.map(|number| Claim { table: name, fact: Fact::Count(number, span) }));
                }
                continue;
            }
            _ => {
                reading.unknown_key(&entry, "a `verify` step", KIND.keys);
                continue;
            }
        };
        let what = format!("`{}`", entry.key);
        for table in reading.map(entry.value, &what).unwrap_or_default() {
            let rows = Row::parse_some(reading, table.value, "a row");
            if rows.is_empty() {
                reading.problem(table.key_span, format!("{what} says nothing of `{}`", table.key));
            }
            for row in rows {
                let name = Name { text: table.key.clone(), span: table.key_span };
                claims.push(Claim { table: name, fact: fact(row) });
            }
        }
    }
    if claims.is_empty() {
        reading.problem_help(
            span,
            "this step verifies nothing",
            "state a fact: `exists: {employees: {name: Alice}}`",
        );
        return None;
    }
    Some(Box::new(Verify { claims }))
}

impl Action for Verify {
    fn check(&self, _: &Project, _: &Arc<Source>, _: &mut Vec<Diagnostic>) {}

    fn tables<'a>(&'a self, _: &'a Project) -> Vec<&'a str> {
        self.claims.iter().map(|claim| claim.table.text.as_str()).collect()
    }

    fn writes(&self) -> bool {
        false
    }

    fn cells<'a>(&'a self, source: &'a Arc<Source>) -> Vec<(&'a Arc<Source>, &'a [Entry])> {
        let rows = self.claims.iter().filter_map(|claim| match &claim.fact {
            Fact::Exists(row) | Fact::Absent(row) => Some((source, row.cells.as_slice())),
            Fact::Count(..) => None,
        });
        rows.collect()
    }

    fn compile(&self, step: &Step, project: &Project, catalog: &Catalog) -> Result<Batch, Vec<Diagnostic>> {
        let resolver = Resolver { catalog, source: &step.source, outside: &project.outside };
        let mut problems = Vec::new();
        let (mut loads, mut counts, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for (number, claim) in self.claims.iter().enumerate() {
            let table = match resolver.table(&claim.table) {
                Ok(table) => table,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            let (wanted, span) = match &claim.fact {
                Fact::Exists(row) | Fact::Absent(row) => {
                    let way = (Rule::Never, Vec::new());
                    let (place, rows) = (claim.table.span, std::slice::from_ref(row));
                    let load = Load::new(loads.len() + 1, table, place, way, rows, resolver, &mut problems);
                    loads.push(load);
                    let is_wanted = matches!(claim.fact, Fact::Exists(_));
                    (if is_wanted { Wanted::Some } else { Wanted::None }, row.span)
                }
                Fact::Count(wanted, span) => {
                    counts.push(format!(
                        "\nunion all\nselect 'counted', '{number}', count(*)::text, null, null from {}",
                        table.sql()
                    ));
                    (Wanted::Exactly(*wanted as usize), *span)
                }
            };
            told.push((table.name.clone(), Place::new(&step.source, span), wanted));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let Seeding { mut statement, finding } = seek::count(&loads);
        statement.sql.push_str(&counts.concat());
        Ok(Batch::ready(
            Access::Read,
            statement,
            &[],
            Box::new(move |answer| {
                let obstacles = finding.obstacles(answer);
                if !obstacles.is_empty() {
                    return Err(obstacles.into_iter().map(|obstacle| obstacle.diagnostic).collect());
                }
                Ok(judge(answer, &told))
            }),
        ))
    }
}

/// How many rows must match.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Some,
    None,
    Exactly(usize),
}

fn judge(answer: &[Vec<Option<String>>], told: &[(String, Place, Wanted)]) -> Judgement {
    // The facts about rows are numbered among themselves.
    let of_rows: Vec<usize> =
        (0..told.len()).filter(|&at| !matches!(told[at].2, Wanted::Exactly(_))).collect();
    let mut found: Vec<(usize, usize)> = answer
        .iter()
        .filter_map(|row| match text(row, 0) {
            "found" => Some((*of_rows.get(number(row, 1).checked_sub(1)?)?, number(row, 2))),
            "counted" => Some((number(row, 1), number(row, 2))),
            _ => None,
        })
        .collect();
    found.sort_unstable();
    let mut failures = found.into_iter().filter_map(|(at, found)| {
        let (table, place, wanted) = told.get(at)?;
        let message = match wanted {
            Wanted::Some if found == 0 => format!("no row of `{table}` has these values"),
            Wanted::None if found > 0 => format!(
                "{} of `{table}` {} these values",
                count(found, "row"),
                if found == 1 { "has" } else { "have" }
            ),
            Wanted::Exactly(expected) if found != *expected => {
                format!("`{table}` has {}, not {expected}", count(found, "row"))
            }
            _ => return None,
        };
        Some(Diagnostic::failed(message).at_place(place.clone()))
    });
    let first = failures.next();
    let more = failures.count();
    let detail = Some(count(told.len(), "fact"));
    match first {
        None => Judgement { outcome: Outcome::Held, detail, problem: None, captured: None },
        Some(problem) => {
            let problem = if more > 0 {
                problem.note(format!("{more} more of {} differ", count(told.len(), "fact")))
            } else {
                problem
            };
            Judgement { outcome: Outcome::Differs, detail: None, problem: Some(problem), captured: None }
        }
    }
}
