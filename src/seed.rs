//! Seeding: desired rows in, the least possible change out, in one statement.
//!
//! The statement goes the way the files of this module are named, each common table expression
//! building on those before it:
//!
//! 1. [`stage`]: the rows arrive as text arrays and are cast to their columns' types, and [`exact`]
//!    notes the values that would be cut or rounded;
//! 2. [`lookup`]: references find their parent row, in the database or among the rows being added;
//! 3. [`identify`]: a row is new when its key is not there; new rows that others refer to get
//!    their ids now, and [`made`] what the author's own expressions give, so that references need no order and cycles no deferred constraint, and
//!    sequences are raised above the ids that rows give themselves;
//! 4. [`mod@write`]: new rows are inserted and others updated, unless anything was wrong with any of them,
//!    and [`remove`] deletes what shall not be there;
//! 5. [`answer`] says what happened and [`problems`] what is wrong, by row; [`finding`] puts it into words.
//!
//! The rows of a [`mod@file`] are not in the statement: an [`mod@intake`] lays them into a temporary table that it
//! reads, and the [`mod@short`] way saves it where counts alone tell that all is well.
//!
//! One statement is one snapshot: foreign keys are checked at its end, and a second run, which
//! finds every row, writes nothing and moves no sequence. [`seek`] goes the first half of the way,
//! for steps that name rows and insert none, and [`mod@change`] for those that give them other values.

pub mod answer;
pub mod change;
pub mod exact;
pub mod file;
pub mod finding;
pub mod fixture;
pub mod identify;
pub mod intake;
pub mod load;
pub mod look;
pub mod lookup;
pub mod made;
pub mod overlay;
pub mod problems;
pub mod remove;
pub mod seek;
pub mod short;
pub mod stage;
pub mod unit;
pub mod warning;
pub mod write;

use std::ops::Range;

use crate::plan::Statement;
use crate::plan::intake::Unit;
use crate::project::diagnostic::{Diagnostic, list};
use finding::Finding;
use identify::Aim;
use load::Load;
use lookup::Lookups;

/// What was found of each load when the statement ran.
pub struct Seeding {
    /// The statement.
    pub statement: Statement,
    /// Reads its answer.
    pub finding: Finding,
}

/// Compiles loads, which see each other's rows, into the one statement that applies them.
///
/// Fails for tables whose keys refer to each other in a circle, so that none of them can be
/// identified first.
pub fn compile(loads: &[Load]) -> Result<Seeding, Diagnostic> {
    let lookups = Lookups::of(loads);
    Ok(Seeding { statement: statement(loads, &lookups)?, finding: Finding::of(loads, &lookups) })
}

/// Compiles loads of which some take their rows from files into statements that follow each other, those
/// of parents first. The loads stand in that order, in units that see each other's rows.
///
/// Fails like [`compile`].
pub fn series(loads: &[Load], units: &[Range<usize>]) -> Result<(Vec<Unit>, Finding), Diagnostic> {
    let mut compiled = Vec::new();
    for unit in units {
        let loads = &loads[unit.clone()];
        let lookups = Lookups::of(loads);
        let groups = loads.iter().flat_map(|load| load.groups.iter().map(move |group| (load, group)));
        let intakes = groups.filter_map(|(load, group)| {
            group.file.as_ref().map(|file| intake::intake(load, group, file, &lookups))
        });
        let short = match loads {
            [only] => short::short(only, &lookups),
            _ => None,
        };
        compiled.push(Unit { intakes: intakes.collect(), short, statement: statement(loads, &lookups)? });
    }
    Ok((compiled, Finding::of(loads, &Lookups::among_existing(loads))))
}

fn statement(loads: &[Load], lookups: &Lookups) -> Result<Statement, Diagnostic> {
    let mut statement = Statement::default();
    let mut tables = tables(loads, lookups, Aim::Write, &mut statement)?;
    let mut scopes = Vec::new();
    for load in loads {
        let (doomed, scope) = remove::doomed(load, loads, lookups, &mut statement).unzip();
        tables.extend(doomed);
        scopes.push(scope);
    }
    tables.push(problems::problems(loads, &scopes, lookups));
    for load in loads {
        tables.extend(remove::deletes(load, lookups));
        tables.extend(write::inserts(load, lookups));
        tables.extend(write::updates(load, lookups));
    }
    let answer = answer::select(loads, &scopes, lookups);
    statement.sql = format!("with\n{}\n{answer}", tables.join(",\n"));
    made::note(loads, &mut statement);
    Ok(statement)
}

/// The expressions up to the rows with all their lookups.
fn tables(
    loads: &[Load],
    lookups: &Lookups,
    aim: Aim,
    statement: &mut Statement,
) -> Result<Vec<String>, Diagnostic> {
    let order = lookups.order(loads).map_err(|circle| in_a_circle(loads, &circle))?;
    let mut tables = Vec::new();
    for load in loads {
        tables.extend(stage::expressions(load, statement));
    }
    for &at in &order {
        tables.extend(identify::keyed(&loads[at], lookups));
        if order.iter().rfind(|&&last| loads[last].table.oid == loads[at].table.oid) == Some(&at) {
            tables.extend(identify::numbered(loads, loads[at].table, lookups, aim));
            tables.extend(identify::added(loads, loads[at].table, lookups));
        }
    }
    for load in loads {
        tables.extend(write::resolved(load, lookups));
    }
    Ok(tables)
}

fn in_a_circle(loads: &[Load], circle: &[usize]) -> Diagnostic {
    let mut names: Vec<&str> = circle.iter().map(|&at| loads[at].table.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let diagnostic = match names.as_slice() {
        [only] => Diagnostic::error(format!("the key of `{only}` refers to `{only}` itself"))
            .note("a row is told apart by its parent, which would have to be told apart before it"),
        several => {
            Diagnostic::error(format!("the keys of {} refer to each other in a circle", list(several)))
        }
    };
    let diagnostic = diagnostic.help("give a `key` without the reference");
    match circle.first() {
        Some(&at) => diagnostic.at_place(loads[at].place.clone()),
        None => diagnostic,
    }
}
