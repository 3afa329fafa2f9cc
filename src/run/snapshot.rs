//! Takes snapshots of tables, and compares them.

use crate::database::error::Error;
use crate::database::session::Session;
use crate::plan::snapshot::{self, Compared, Selection, Snapshot};

/// What there is now, without any rows.
fn look(session: &mut Session, selection: &Selection) -> Result<Snapshot, Error> {
    let layouts = session.simple(snapshot::layouts(selection), session.limits.statement)?;
    let layouts = snapshot::read_layouts(&layouts);
    if layouts.is_empty() {
        return Ok(Snapshot::default());
    }
    let prints = session.query(&snapshot::prints(&layouts))?;
    Ok(snapshot::read_prints(layouts, &prints))
}

/// Keeps what there is now, in a transaction that has begun.
pub fn take(session: &mut Session, selection: &Selection) -> Result<Snapshot, Error> {
    let mut taken = look(session, selection)?;
    if let Some(statement) = taken.ask_rows(None) {
        let rows = session.query(&statement)?;
        taken.read_rows(rows);
    }
    Ok(taken)
}

/// Compares what there is now with what was kept. Rows are asked for only where they differ.
pub fn compare(session: &mut Session, selection: &Selection, earlier: &Snapshot) -> Result<Compared, Error> {
    let mut now = look(session, selection)?;
    let differing = now.differing(earlier);
    if let Some(statement) = now.ask_rows(Some(&differing)) {
        let rows = session.query(&statement)?;
        now.read_rows(rows);
    }
    let mut compared = now.compare(earlier);
    for at in 0..compared.differences.len() {
        if let Some(statement) = compared.ask_values(at) {
            let values = session.query(&statement)?;
            compared.read_values(at, &values);
        }
    }
    Ok(compared)
}
