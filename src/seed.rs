//! Seeding: desired rows in, the least possible change out, in one statement.
//!
//! The statement goes the way the files of this module are named, each common table expression
//! building on those before it:
//!
//! 1. [`stage`]: the rows arrive as text arrays and are cast to their columns' types;
//! 2. [`lookup`]: references find their parent row, in the database or among the rows being added;
//! 3. [`identify`]: a row is new when its key is not there; new rows that others refer to get
//!    their ids now, so that references need no order and cycles no deferred constraint;
//! 4. [`mod@write`]: new rows are inserted, unless anything was wrong with any of them;
//! 5. [`answer`]: what happened, or what is wrong, by row.
//!
//! One statement is one snapshot: foreign keys are checked at its end, and a second run, which
//! finds every row, writes nothing and moves no sequence.

pub mod answer;
pub mod identify;
pub mod load;
pub mod lookup;
pub mod stage;
pub mod write;

use crate::plan::Statement;
use answer::Finding;
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
/// Fails with the names of tables whose keys refer to each other in a circle, so that none of
/// them can be identified first.
pub fn compile(loads: &[Load]) -> Result<Seeding, Vec<String>> {
    let mut statement = Statement::default();
    let lookups = Lookups::of(loads);
    let order = lookups.order(loads)?;
    let mut tables = Vec::new();
    for load in loads {
        tables.extend(stage::expressions(load, &mut statement));
    }
    for &at in &order {
        tables.extend(identify::expressions(&loads[at], &lookups));
        if order.iter().rfind(|&&last| loads[last].table.oid == loads[at].table.oid) == Some(&at) {
            tables.extend(identify::added(loads, loads[at].table, &lookups));
        }
    }
    for load in loads {
        tables.extend(write::resolved(load, &lookups));
    }
    tables.push(answer::problems(loads, &lookups));
    for load in loads {
        tables.extend(write::inserts(load, &lookups));
    }
    let answer = answer::select(loads, &lookups);
    statement.sql = format!("with\n{}\n{answer}", tables.join(",\n"));
    Ok(Seeding { statement, finding: Finding::of(loads, &lookups) })
}
