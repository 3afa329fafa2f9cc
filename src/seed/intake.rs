//! Intake: how the rows of a file get to the server, and what each value has to be like on its way.

use std::sync::Arc;

use super::exact;
use super::file::FileRows;
use super::load::{Group, Load};
use super::lookup::{Lookups, Operand};
use super::problems::named_by;
use super::stage::{leaves, owned, temporary};
use crate::plan::catalog::Column;
use crate::plan::fit::Fitting;
use crate::plan::intake::Intake;
use crate::plan::resolve::Target;

/// What the server may use to join and sort, if it is set to less.
const WORK_MEMORY: &str = "64MB";

/// The intake of a group whose rows stand in a file.
pub fn intake(load: &Load, group: &Group, file: &FileRows, lookups: &Lookups) -> Intake {
    let staged = file.staged(group.targets());
    let (leaves, owned, of_key) = (leaves(group.targets()), owned(group), of_key(load, group, lookups));
    let fitting = |(number, column): &(usize, &Column)| {
        let table = match leaves[number - 1] {
            Target::Plain { table, .. } => table,
            Target::Reference { .. } | Target::Made { .. } => load.table,
        };
        let question = exact::changed(column, "u.t", &format!("u.t::{}", column.type_name));
        let is_refused = owned[number - 1] && column.not_null && !load.table.has_insert_trigger;
        let mut fitting = Fitting::of(table, column, question);
        fitting.not_null = match (of_key.contains(number), is_refused) {
            (true, _) => Some("is part of the key and cannot be NULL"),
            (false, true) => Some("cannot be NULL"),
            (false, false) => None,
        };
        fitting
    };
    let name = temporary(group);
    let number = file.pick.is_numbered().then(|| "n int4".to_owned());
    let columns = staged.iter().map(|(number, column)| format!("c{number} {}", column.declared));
    let columns: Vec<String> = number.into_iter().chain(columns).collect();
    Intake {
        file: file.bulk.clone(),
        pick: file.pick.clone(),
        fittings: Arc::new(staged.iter().map(fitting).collect()),
        staged: staged.iter().map(|(number, _)| format!("c{number}")).collect(),
        // Nothing is known of the temporary table yet, which misleads the server into sorting all of it.
        create: format!(
            "set local enable_mergejoin = off; set local jit = off; set local random_page_cost = 1.1;\nselect set_config('work_mem', '{WORK_MEMORY}', true) where pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('{WORK_MEMORY}');\ndrop table if exists {name};\ncreate temporary table {name} ({}) on commit drop",
            columns.join(", ")
        ),
        copy: format!("copy {name} from stdin (format csv)"),
    }
}

/// The numbers of the staged values that the key is made of.
fn of_key(load: &Load, group: &Group, lookups: &Lookups) -> Vec<usize> {
    let collected = &lookups.groups[&group.suffix];
    let of_key = collected.given.iter().filter(|(name, _)| load.key.contains(name));
    of_key
        .flat_map(|(_, operand)| match operand {
            Operand::Leaf(number) => vec![*number],
            Operand::Null | Operand::Made(_) => Vec::new(),
            Operand::Found(number, _) => {
                let find = collected.finds.iter().find(|find| find.number == *number);
                find.map_or(Vec::new(), |find| named_by(find, &collected.finds))
            }
        })
        .collect()
}
