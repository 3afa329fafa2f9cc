//! The one statement an assertion becomes.

use super::{Assert, Expected, ROWS_MORE};
use crate::plan::quote::identifier;
use crate::plan::{Locate, Statement};
use crate::project::source::{Place, character_offset};
use crate::project::value::{array_literal, json_text};
use crate::project::yaml::{Content, Node};
use crate::step::Step;

impl Assert {
    /// One statement that runs the query once, reads the expected values by the types of its
    /// columns, and says for each row that came back which expected rows it equals.
    ///
    /// The expected values take their types from an empty select of the query's columns that they
    /// are united with. Two values are equal when their texts are, or their JSON forms: that gives
    /// every type the equality of its values (numbers by number, times by instant) without knowing
    /// the type, and none of the looseness of `=` on citext or char.
    pub(super) fn compile_rows(
        &self,
        statement: &mut Statement,
        step: &Step,
        names: &[&str],
        rows: &[Vec<&Node>],
        alias: &str,
        columns: &[String],
    ) {
        let aliases: Vec<String> = (1..=names.len()).map(|at| format!("c{at}")).collect();
        let typed: Vec<String> =
            columns.iter().zip(&aliases).map(|(column, alias)| format!("q.{column} as {alias}")).collect();
        let mut expected = format!("select 0 as n{} from seedbed_query q where false", comma_before(&typed));
        for (at, cells) in rows.iter().enumerate() {
            let values: Vec<String> = cells
                .iter()
                .zip(names)
                .map(|(cell, name)| {
                    let place = Place::new(&step.source, cell.span);
                    statement.bind(parameter_text(cell), Some(place), (*name).to_owned())
                })
                .collect();
            expected.push_str(&format!("\n  union all select {}{}", at + 1, comma_before(&values)));
        }
        let same: Vec<String> = columns
            .iter()
            .zip(&aliases)
            .map(|(column, alias)| {
                format!("(a.{column}::text is not distinct from e.{alias}::text or to_jsonb(a.{column}) = to_jsonb(e.{alias}))")
            })
            .collect();
        let same = if same.is_empty() { "true".to_owned() } else { same.join(" and ") };
        let texts = |alias: &str, columns: &[String]| {
            let texts: Vec<String> = columns.iter().map(|column| format!("{alias}.{column}::text")).collect();
            comma_before(&texts)
        };
        let select = format!(
            "select 'columns', (select string_agg(k, chr(10)) from (select json_object_keys(row_to_json(q)) as k from (select * from seedbed_query limit 1) q) k), (select count(*)::text from seedbed_query){nulls}
union all
select 'expected', e.n::text, null{expected_texts} from seedbed_expected e
union all
(select 'actual', a.seedbed_n::text, (select string_agg(e.n::text, ',') from seedbed_expected e where {same}){actual_texts}
from (select row_number() over () as seedbed_n, q.* from seedbed_query q limit {limit}) a)",
            nulls = ", null".repeat(columns.len().max(1)),
            expected_texts = if columns.is_empty() { ", null".to_owned() } else { texts("e", &aliases) },
            actual_texts = if columns.is_empty() {
                ", (to_jsonb(a) - 'seedbed_n')::text".to_owned()
            } else {
                texts("a", columns)
            },
            limit = rows.len() + ROWS_MORE,
        );
        let expected = format!(",\nseedbed_expected as materialized (\n  {expected}\n)");
        self.wrap_with(statement, step, alias, &expected, &select);
    }

    /// The columns that are expected, and where they are first named.
    fn columns(&self, step: &Step) -> Vec<(String, Place)> {
        let Expected::Rows(rows, _) = &self.expected else { return Vec::new() };
        let cells = rows.first().map_or(&[][..], |row| &row.cells);
        cells.iter().map(|cell| (cell.key.clone(), Place::new(&step.source, cell.key_span))).collect()
    }

    pub(super) fn wrap(&self, statement: &mut Statement, step: &Step, alias: &str, select: &str) {
        self.wrap_with(statement, step, alias, "", select);
    }

    /// The author's query as a common table expression, and how to find its characters again.
    fn wrap_with(&self, statement: &mut Statement, step: &Step, alias: &str, tables: &str, select: &str) {
        let head = format!("with seedbed_query{alias} as materialized (\n");
        statement.sql = format!("{head}{}\n){tables}\n{select}", self.sql.sql);
        let (sql, query, source) = (self.sql.clone(), self.query.clone(), step.source.clone());
        let (before, length) = (head.chars().count(), self.sql.sql.chars().count());
        let columns = self.columns(step);
        let whole = statement.sql.clone();
        let locate: Locate = Box::new(move |position| {
            let Some(inside) = position.checked_sub(before).filter(|inside| (1..=length).contains(inside))
            else {
                // Behind the query, the only names of the author's are the expected columns.
                let rest = &whole[character_offset(&whole, position)..];
                let (name, place) =
                    columns.iter().find(|(name, _)| rest.starts_with(&format!("q.{}", identifier(name))))?;
                return Some((place.clone(), Some(format!("the query returns no column `{name}`"))));
            };
            let offset = sql.original(inside);
            Some((Place::new(&source, source.within(query.span, &query.text, offset)), None))
        });
        statement.locate = Some(locate);
    }
}

fn comma_before(items: &[String]) -> String {
    items.iter().map(|item| format!(", {item}")).collect()
}

/// A value as the text of a parameter whose type only the server knows.
pub(super) fn parameter_text(node: &Node) -> Option<String> {
    match &node.content {
        Content::Null | Content::Empty => None,
        Content::Scalar(text, _) => Some(text.clone()),
        Content::Map(_) => Some(json_text(node)),
        Content::List(items) => Some(array_literal(items).unwrap_or_else(|| json_text(node))),
    }
}
