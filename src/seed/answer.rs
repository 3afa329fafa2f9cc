//! Answer: what the statement says about each load and each row, read by [`super::finding`].

use super::identify::same_key;
use super::load::{Load, Rule};
use super::lookup::{Lookups, Operand};
use super::problems::{ROWS_SHOWN_MAX, problems_select};
use super::{remove, write};
use crate::plan::quote::{identifier, literal};

/// The closing select: `(what, load, n, detail, offered)`; of `rows` those are the numbers of the rows that
/// were created, that should have been, and that were there.
pub fn select(loads: &[Load], scopes: &[Option<String>], lookups: &Lookups) -> String {
    let mut selects = vec![problems_select(loads)];
    for (load, scope) in loads.iter().zip(scopes) {
        let sum = |counts: Vec<String>| match counts.is_empty() {
            true => "'0'".to_owned(),
            false => format!("({})::text", counts.join(" + ")),
        };
        let count = |what: &str, counts: Vec<String>| {
            format!("select '{what}', '{}', {}, null, null", load.number, sum(counts))
        };
        let removed: Vec<String> =
            remove::suffixes(load).map(|suffix| format!("(select count(*) from removed_{suffix})")).collect();
        if !removed.is_empty() {
            selects.push(count("deleted", removed));
            selects.push(count("to_delete", vec![remove::wanted(load, lookups)]));
        }
        selects.extend(scope.iter().flat_map(|scope| remove::outside(load, lookups, scope)));
        let given = || load.groups.iter().filter(|group| !group.is_removed);
        let groups = given().map(|group| &group.suffix);
        let each = |of: &dyn Fn(&String) -> String| sum(groups.clone().map(of).collect());
        selects.push(format!(
            "select 'rows', '{}', {}, {}, {}",
            load.number,
            each(&|suffix| format!("(select count(*) from written_{suffix})")),
            each(&|suffix| format!("(select count(*) from resolved_{suffix} where is_new)")),
            each(&|suffix| format!("(select count(*) from resolved_{suffix} where not is_new)")),
        ));
        if load.updates.is_some() {
            let groups = given().filter(|group| write::differing(load, group, lookups).is_some());
            selects.push(count(
                "updated",
                groups.map(|group| format!("(select count(*) from updated_{})", group.suffix)).collect(),
            ));
        }
        for group in given() {
            let key = &load.key;
            if key.is_empty() || load.rule != Rule::KeyIsMissing {
                continue;
            }
            let same = same_key(load, group, lookups, "x", false);
            for (name, operand) in &lookups.groups[&group.suffix].given {
                let Some(column) = load.table.column(name).filter(|_| !load.is_key(name)) else { continue };
                let is_for_new_rows = load.updates.as_ref().is_some_and(|except| except.contains(name));
                if is_for_new_rows || !load.is_compared(group, name) {
                    continue;
                }
                let value = match operand {
                    Operand::Leaf(number) => format!("x.c{number}"),
                    Operand::Found(number, at) => format!("x.r{number}_v{at}"),
                    Operand::Made(number) => format!("x.e{number}"),
                    Operand::Null => continue,
                };
                let own = format!("t.{}", identifier(name));
                selects.push(format!(
                    "(select 'differs', '{}', x.n::text, {}, {} from resolved_{} x join {} t on {same}\n  where not x.is_new and {} order by x.n limit {ROWS_SHOWN_MAX})",
                    load.number, literal(name), load.shown(group, column), group.suffix, load.table.sql(), column.differs(&own, &value)
                ));
            }
        }
    }
    selects.join("\nunion all\n")
}
