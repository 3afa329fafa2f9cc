//! Instructed: what an instruction gives to a column.

use std::fmt::Write;

use uuid::{Uuid, uuid};

use super::{Origin, Resolver, Target};
use crate::plan::catalog::{Catalog, Column, Table};
use crate::plan::cell::fits;
use crate::project::diagnostic::Diagnostic;
use crate::project::instruction::Instruction;
use crate::project::source::Place;
use crate::project::value::json_string;

/// The namespace of every UUID that a label stands for. With another one, no row would be found again.
const NAMESPACE: Uuid = uuid!("7fddb60e-cfff-511e-a5c2-7138256c142d");

/// How deep foreign keys may lead from one column to the next.
const DEPTH_MAX: usize = 16;

impl<'c> Resolver<'c, '_> {
    /// The value of a column that an instruction asks for.
    pub(super) fn instructed(
        &self,
        table: &'c Table,
        column: &'c Column,
        instruction: Instruction,
        place: Place,
    ) -> Result<Target<'c>, Diagnostic> {
        let plain = |text: String, origin: Origin, place: Place| {
            Ok(Target::Plain { table, column, text: Some(text), origin, place })
        };
        let written = |text: String, place: Place| {
            fits(column, &text, false).map_err(|problem| problem.at_place(place.clone()))?;
            plain(text, Origin::Written, place)
        };
        match instruction {
            Instruction::Default => Ok(Target::Made { table, column, sql: None, place }),
            Instruction::Sql(sql) => Ok(Target::Made { table, column, sql: Some(sql.to_owned()), place }),
            Instruction::Now(interval) => match is_of_time(column) || column.is_text() {
                true => plain(interval, Origin::Moment(self.outside.now.clone()), place),
                false => Err(is_for("$now", "columns of dates, times and text", column, place)),
            },
            Instruction::Env(name) => {
                let value = self.outside.variable(name, place.clone())?;
                fits(column, &value, true).map_err(|problem| problem.at_place(place.clone()))?;
                let text = if column.is_json() { json_string(&value) } else { value };
                plain(text, Origin::Environment, place)
            }
            Instruction::Uuid(label) => match column.type_name == "uuid" || column.is_text() {
                true => written(labelled(self.catalog, table, column, label).to_string(), place),
                false => Err(is_for("$uuid", "uuid and text columns", column, place)),
            },
            Instruction::Base64(bytes) => written(as_text(column, &bytes, "these bytes", &place)?, place),
            Instruction::File(name) => {
                let Some(bytes) = self.outside.file(self.source, name) else {
                    return Err(Diagnostic::error(format!("`{name}` was not read")).at_place(place));
                };
                written(as_text(column, bytes, &format!("`{name}`"), &place)?, place)
            }
            Instruction::Json => Err(is_for("$json", "json columns", column, place)),
        }
    }
}

fn is_for(word: &str, what: &str, column: &Column, place: Place) -> Diagnostic {
    let message = format!("`{}` is of type {}, and `{word}` is for {what}", column.name, column.declared);
    Diagnostic::error(message).at_place(place)
}

fn is_of_time(column: &Column) -> bool {
    let name = column.type_name.as_str();
    !column.is_array && (name == "date" || name.starts_with("time"))
}

/// Bytes as what the server reads: all of them for `bytea`, else the text that they are.
fn as_text(column: &Column, bytes: &[u8], what: &str, place: &Place) -> Result<String, Diagnostic> {
    if column.type_name == "bytea" {
        let mut hex = String::with_capacity(2 + 2 * bytes.len());
        hex.push_str("\\x");
        for byte in bytes {
            let _ = write!(hex, "{byte:02x}");
        }
        return Ok(hex);
    }
    let named = format!("`{}` is of type {}, and {what}", column.name, column.declared);
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => {
            Err(Diagnostic::error(format!("{named} hold a NUL character, which PostgreSQL text cannot"))
                .at_place(place.clone()))
        }
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Diagnostic::error(format!("{named} are no UTF-8"))
            .at_place(place.clone())
            .help("bytes as they are go into a `bytea` column")),
    }
}

/// The UUID of a label: that of the row which a foreign key refers to, so that both are written alike.
fn labelled(catalog: &Catalog, table: &Table, column: &Column, label: &str) -> Uuid {
    let (mut table, mut column) = (table, column.name.as_str());
    for _ in 0..DEPTH_MAX {
        let foreign_key = table.foreign_keys.iter().rev().find(|key| key.columns == [column]);
        let parent = foreign_key.and_then(|key| Some((catalog.table_by_oid(key.parent)?, key)));
        let Some((parent, key)) = parent else { break };
        if parent.oid == table.oid {
            break;
        }
        (table, column) = (parent, key.parent_columns[0].as_str());
    }
    Uuid::new_v5(&NAMESPACE, format!("{}/{label}", table.name).as_bytes())
}
