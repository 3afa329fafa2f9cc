//! Claims: rows that are there or not, and how many.

use crate::plan::catalog::Catalog;
use crate::plan::fact::{Asked, Told};
use crate::plan::resolve::Resolver;
use crate::plan::{Answer, number, text};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::instruction::Purpose;
use crate::project::quantity::Quantity;
use crate::project::reading::Reading;
use crate::project::source::{Name, Place};
use crate::project::value::Row;
use crate::project::yaml::{Content, Entry, Node};
use crate::seed::load::{Load, Rule};
use crate::seed::{Seeding, seek};
use crate::step::Step;

/// One fact about one table.
#[derive(Debug)]
pub struct Claim {
    /// The table.
    pub table: Name,
    /// What is said of it.
    pub kind: ClaimKind,
}

/// What can be said of a table.
#[derive(Debug)]
pub enum ClaimKind {
    /// A row has these values.
    Exists(Row),
    /// No row has these values.
    Absent(Row),
    /// It has this many rows, or this many that have these values.
    Count(Quantity, Option<Row>),
}

impl Claim {
    /// The row that it speaks of.
    pub fn row(&self) -> Option<&Row> {
        match &self.kind {
            ClaimKind::Exists(row) | ClaimKind::Absent(row) => Some(row),
            ClaimKind::Count(_, row) => row.as_ref(),
        }
    }
}

/// Reads one of the keys.
pub fn read(reading: &mut Reading, entry: Entry, claims: &mut Vec<Claim>) {
    let kind: fn(Row) -> ClaimKind = match entry.key.as_str() {
        "exists" => ClaimKind::Exists,
        "absent" => ClaimKind::Absent,
        _ => return read_counts(reading, entry.value, claims),
    };
    let what = format!("`{}`", entry.key);
    for table in reading.map(entry.value, &what).unwrap_or_default() {
        let rows = Row::parse_some(reading, table.value, "a row");
        if rows.is_empty() {
            reading.problem(table.key_span, format!("{what} says nothing of `{}`", table.key));
        }
        for row in rows {
            let name = Name { text: table.key.clone(), span: table.key_span };
            claims.push(Claim { table: name, kind: kind(row) });
        }
    }
}

/// Reads a map from tables to numbers, or a list of such maps with a `where` beside the table.
fn read_counts(reading: &mut Reading, node: Node, claims: &mut Vec<Claim>) {
    let items = match node.content {
        Content::List(items) => items,
        _ => {
            let tables = reading.map(node, "`count`").unwrap_or_default();
            claims.extend(tables.into_iter().filter_map(|table| counted(reading, table, None)));
            return;
        }
    };
    for item in items {
        let span = item.span;
        let (mut filter, mut tables) = (None, Vec::new());
        for entry in reading.map(item, "a count").unwrap_or_default() {
            match entry.key.as_str() {
                "where" => filter = Row::parse_for(Purpose::Find, reading, entry.value, "`where`"),
                _ => tables.push(entry),
            }
        }
        match <[Entry; 1]>::try_from(tables) {
            Ok([table]) => claims.extend(counted(reading, table, filter)),
            Err(_) => {
                let help = "like `{employees: 1, where: {department: Human Resources}}`";
                reading.problem_help(span, "each count of a list is of one table", help);
            }
        }
    }
}

fn counted(reading: &mut Reading, table: Entry, filter: Option<Row>) -> Option<Claim> {
    let quantity = Quantity::read(reading, table.value, "a count")?;
    let name = Name { text: table.key, span: table.key_span };
    Some(Claim { table: name, kind: ClaimKind::Count(quantity, filter) })
}

/// How many rows there must be.
enum Wanted {
    Some,
    None,
    /// So many, of the table or of those that have certain values.
    Number(Quantity, bool),
}

/// A claim as it is judged.
struct Judged {
    table: String,
    place: Place,
    wanted: Wanted,
    /// What tells it in the answer.
    tag: (&'static str, usize),
}

/// The statement that finds all of them out.
pub fn compile(
    claims: &[Claim],
    step: &Step,
    project: &Project,
    catalog: &Catalog,
) -> Result<Asked, Vec<Diagnostic>> {
    let resolver = Resolver { catalog, source: &step.source, outside: &project.outside };
    let mut problems = Vec::new();
    let (mut loads, mut counts, mut judged) = (Vec::new(), Vec::new(), Vec::new());
    for claim in claims {
        let table = match resolver.table(&claim.table) {
            Ok(table) => table,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let tag = match claim.row() {
            Some(row) => {
                let way = (Rule::Never, Vec::new());
                let (place, rows) = (claim.table.span, std::slice::from_ref(row));
                loads.push(Load::new(loads.len() + 1, table, place, way, rows, resolver, &mut problems));
                ("found", loads.len())
            }
            None => {
                let number = counts.len() + 1;
                counts.push(format!(
                    "\nunion all\nselect 'counted', '{number}', count(*)::text, null, null from {}",
                    table.sql()
                ));
                ("counted", number)
            }
        };
        let (wanted, span) = match &claim.kind {
            ClaimKind::Exists(row) => (Wanted::Some, row.span),
            ClaimKind::Absent(row) => (Wanted::None, row.span),
            ClaimKind::Count(quantity, row) => {
                (Wanted::Number(quantity.clone(), row.is_some()), quantity.span)
            }
        };
        let place = Place::new(&step.source, span);
        judged.push(Judged { table: table.name.clone(), place, wanted, tag });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let Seeding { mut statement, finding } = seek::count(&loads);
    statement.sql.push_str(&counts.concat());
    let judge = move |answer: &Answer| {
        let obstacles = finding.obstacles(answer);
        if !obstacles.is_empty() {
            return Err(obstacles.into_iter().map(|obstacle| obstacle.diagnostic).collect());
        }
        let failures = judged.iter().filter_map(|claim| claim.judge(answer)).collect();
        Ok(Told { facts: judged.len(), failures })
    };
    Ok(Asked { intakes: Vec::new(), statement, judge: Box::new(judge) })
}

impl Judged {
    /// What is wrong with the claim, if anything is.
    fn judge(&self, answer: &Answer) -> Option<Diagnostic> {
        let is_told = |row: &&Vec<Option<String>>| (text(row, 0), number(row, 1)) == self.tag;
        let found = answer.iter().find(is_told).map(|row| number(row, 2))?;
        let (table, rows) = (&self.table, count(found, "row"));
        let have = if found == 1 { "has" } else { "have" };
        let message = match &self.wanted {
            Wanted::Some if found == 0 => format!("no row of `{table}` has these values"),
            Wanted::None if found > 0 => format!("{rows} of `{table}` {have} these values"),
            Wanted::Number(wanted, false) if !wanted.holds(found as u64) => {
                format!("`{table}` has {rows}, not {wanted}")
            }
            Wanted::Number(wanted, true) if !wanted.holds(found as u64) => {
                format!("{rows} of `{table}` {have} the values of `where`, not {wanted}")
            }
            _ => return None,
        };
        Some(Diagnostic::failed(message).at_place(self.place.clone()))
    }
}
