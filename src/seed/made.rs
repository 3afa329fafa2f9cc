//! Made: values that the author's own expressions give to new rows, and the way back to them from what the
//! server says.

use super::identify::Aim;
use super::load::{Group, Load};
use crate::plan::catalog::Column;
use crate::plan::resolve::Target;
use crate::plan::staged::Expression;
use crate::plan::{Locate, Statement};
use crate::project::source::{Place, character_offset};

/// The number of the column that an expression's value has, among those of its table.
pub fn number(load: &Load, column: &Column) -> usize {
    load.table.columns.iter().position(|other| other.name == column.name).map_or(0, |at| at + 1)
}

/// The columns `e…` of a group's rows `k`. Only those that get a value ask for one: a sequence would move.
///
/// Who only looks asks for none that is for new rows.
pub fn columns(load: &Load, group: &Group, aim: Aim) -> String {
    let mut columns = String::new();
    for target in group.targets() {
        let Target::Made { column, sql: Some(sql), .. } = target else { continue };
        let value = value(sql, column);
        let is_of_all = !group.is_removed && load.is_updated(group, column);
        let value = match (is_of_all, aim) {
            (true, _) => value,
            (false, Aim::Write) => format!("case when k.is_new then {value} end"),
            (false, Aim::Look) => format!("null::{}", column.type_name),
        };
        columns.push_str(&format!(", {value} as e{}", number(load, column)));
    }
    columns
}

/// The same columns of rows that get every value.
pub fn values(load: &Load, group: &Group) -> String {
    let made = group.targets().iter().filter_map(|target| match target {
        Target::Made { column, sql: Some(sql), .. } => {
            Some(format!(", {} as e{}", value(sql, column), number(load, column)))
        }
        _ => None,
    });
    made.collect()
}

/// An expression as it stands in the statement: on lines of its own, so that a comment ends with it.
fn value(sql: &str, column: &Column) -> String {
    format!("{}::{}", parenthesised(sql), column.type_name)
}

fn parenthesised(sql: &str) -> String {
    format!("(\n{sql}\n)")
}

/// Notes the expressions in a statement that holds them.
pub fn note(loads: &[Load], statement: &mut Statement) {
    let groups = loads.iter().flat_map(|load| load.groups.iter().map(move |group| (load, group)));
    let targets = groups.flat_map(|(load, group)| group.targets().iter().map(move |it| (load, it)));
    let made = targets.filter_map(|(load, target)| match target {
        Target::Made { column, sql: Some(sql), place, .. } => Some(Expression {
            sql: sql.clone(),
            type_name: column.type_name.clone(),
            place: place.clone(),
            what: format!("{}.{}", load.table.name, column.name),
        }),
        _ => None,
    });
    statement.staged.expressions = made.collect();
    if !statement.staged.expressions.is_empty() {
        statement.locate = Some(locate(statement));
    }
}

/// From a character of the statement to the place of the expression it is in. Two that are written alike
/// are wrong alike: the first is pointed at.
fn locate(statement: &Statement) -> Locate {
    let mut known: Vec<(std::ops::Range<usize>, String, Place)> = Vec::new();
    for expression in &statement.staged.expressions {
        let text = parenthesised(&expression.sql);
        for (start, _) in statement.sql.match_indices(&text) {
            let range = start..start + text.len();
            known.push((range, expression.sql.clone(), expression.place.clone()));
        }
    }
    let sql = statement.sql.clone();
    Box::new(move |position| {
        let at = character_offset(&sql, position);
        let (range, text, place) = known.iter().find(|(range, ..)| range.contains(&at))?;
        let within = at.saturating_sub(range.start + "(\n".len()).min(text.len());
        Some((Place::new(&place.source, place.source.within(place.span, text, within)), None))
    })
}
