//! The statement for rows: the server reads, orders and numbers values by their types. Which row is which is
//! found out here, from its answer.

use std::collections::HashMap;
use std::sync::Arc;

use super::columns::Compared;
use super::condition::{Conditions, Edge, edge, edge_texts, edges, misplaced, ordering};
use super::equality::{form, sorted};
use super::expected::{Expected, Match};
use super::faithful::{self, Leaf};
use super::{Assert, cell};
use crate::plan::Statement;
use crate::plan::description::{Kind, Type};
use crate::project::diagnostic::Diagnostic;
use crate::project::matcher::{self, Side};
use crate::project::source::{Place, Source};
use crate::project::value::json_text;
use crate::project::yaml::{Content, Node};

/// The most rows that are taken from the server to be paired.
pub const SEEN_MAX: usize = 100_000;
/// How many rows more than are listed are taken where others cannot be among them anyway.
const SEEN_MORE: usize = 1_000;
/// The most bytes of text that are taken along, to be shown.
const SHOWN_MAX: usize = 16 << 20;
/// The most different matchers of one expectation, beside those that only compare.
const CONDITIONS_MAX: usize = 1_000;
/// The columns of an answer that come before those of the query.
pub const LEADING: usize = 6;

/// What is compared in a cell.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'n> {
    /// Nothing.
    Any,
    /// That it is this value.
    Same(&'n Node),
    /// That it lies between edges.
    Inside([Option<Edge<'n>>; 2]),
    /// That the condition of this number holds.
    Holds(usize),
}

/// The statement for rows, while it is written.
pub struct Rows<'a> {
    /// The assertion.
    pub assert: &'a Assert,
    /// Takes the SQL and the values.
    pub statement: &'a mut Statement,
    /// The file it stands in.
    pub source: &'a Arc<Source>,
    /// The run's time.
    pub now: &'a str,
    /// The query's columns beside those that are named.
    pub compared: &'a Compared<'a>,
}

impl<'a> Rows<'a> {
    /// Writes one statement that runs the query once and reads what is expected by the types of its columns.
    /// It answers with the number of rows, with numbers that are the same for equal values, with ranks between
    /// edges and with conditions, with how it reads the texts that are returned here, and with the keys of the table
    /// that the columns are from.
    pub fn compile(&mut self, problems: &mut Vec<Diagnostic>) -> (Vec<Vec<Wanted<'a>>>, Vec<Leaf>) {
        let types = &self.compared.types;
        let count = types.len();
        let (wanted, conditions) = self.wanted(problems);
        let is_same = |at: &usize| wanted.iter().any(|row| matches!(row[*at], Wanted::Same(_)));
        let is_inside = |at: &usize| wanted.iter().any(|row| matches!(row[*at], Wanted::Inside(_)));
        let same: Vec<usize> = (0..count).filter(is_same).collect();
        let inside: Vec<usize> = (0..count).filter(is_inside).collect();
        let is_common = |at: &usize| wanted.iter().all(|row| matches!(row[*at], Wanted::Same(_)));
        // Where rows may come that are not listed, only those are taken that may be meant.
        let telling: Vec<usize> = match self.compared.key.as_slice() {
            [] => same.iter().copied().filter(is_common).collect(),
            key => key.to_vec(),
        };
        let leaves = self.leaves(&wanted);
        let each = |part: &dyn Fn(usize, &Type) -> String| -> String {
            let parts: Vec<String> = types.iter().enumerate().map(|(at, it)| part(at + 1, it)).collect();
            parts.join(", ")
        };
        let names = each(&|at, _| format!("c{at}"));
        let values = each(&|at, it| format!("q.c{at}::{} as c{at}", it.sql));
        let nulls = ", null".repeat(count);
        let texts = each(&|at, _| format!("c{at}::text as t{at}"));
        // Equal values have equal hashes, and a few others too: enough to tell which rows may be meant.
        let hashes = |columns: &[usize]| {
            let hash = |at: &usize| {
                let form = form(&format!("c{}", at + 1), &types[*at]);
                format!("coalesce(jsonb_hash_extended({form}, 0)::text, '-')")
            };
            concat(" ", &columns.iter().map(hash).collect::<Vec<_>>())
        };
        let sorted = |at: &usize| {
            let value = sorted(&format!("c{}", at + 1), &types[*at]);
            format!("{value} as k{}", at + 1)
        };
        let sorted: Vec<String> = same.iter().map(sorted).collect();
        let sorted = sorted.join(", ");
        let mut parts = String::new();
        if !same.is_empty() {
            let arrays = self.arrays(&wanted, problems);
            parts.push_str(&format!(
                ",\nexpected as materialized (\n  select n, {} as telling, {sorted}, {texts} from (\n    select q.n, {values} from unnest({arrays}) with ordinality as q({names}, n)) as e\n)",
                hashes(&telling),
            ));
        }
        for at in &inside {
            parts.push_str(&self.ranks(*at, &wanted));
        }
        let holds: Vec<String> = conditions
            .iter()
            .map(|condition| format!("case when {condition} then '1' else '0' end"))
            .collect();
        let (matching, listed) = match &self.assert.expected {
            Expected::Rows(rows) => (rows.matching, rows.rows.len()),
            _ => (Match::Exact, 1),
        };
        let only = match matching == Match::Contains && !telling.is_empty() {
            true => format!(" where {} in (select telling from expected)", hashes(&telling)),
            false => String::new(),
        };
        let limit = if matching == Match::Contains { SEEN_MAX + 1 } else { listed + SEEN_MORE };
        parts.push_str(&format!(
            ",
seen as materialized (
  select f.n, {holds} as holds, {comma_sorted}{texts}, sum(octet_length(f::text)) over (order by f.n) as size
  from (select * from found{only} order by n limit {limit}) as f
)
select 'found', (select count(*) from found)::text, null, null, null, null{nulls}
union all select 'row', n::text, holds, (size <= {SHOWN_MAX})::text, null, null, {shown} from seen",
            holds = concat("", &holds),
            comma_sorted = if same.is_empty() { String::new() } else { format!("{sorted}, ") },
            shown = each(&|at, _| format!("case when size <= {SHOWN_MAX} then t{at} end")),
        ));
        if !same.is_empty() {
            // Values that are equal get the same number, whichever side they are on.
            let keys: Vec<String> = same.iter().map(|at| format!("k{}", at + 1)).collect();
            let ranks: Vec<String> =
                keys.iter().map(|key| format!("dense_rank() over (order by {key})::text")).collect();
            let keys = keys.join(", ");
            parts.push_str(&format!(
                "\nunion all select 'same', is_listed::text, n::text, {}, null, null{nulls} from (
  select false as is_listed, n, {keys} from seen union all select true, n, {keys} from expected) as both_sides
union all select 'listed', n::text, null, null, null, null, {} from expected",
                concat(" ", &ranks),
                each(&|at, _| format!("t{at}"))
            ));
        }
        for at in &inside {
            parts.push_str(&format!(
                "\nunion all select 'edge', n::text, '{at}', who, r::text, null{nulls} from r{}",
                at + 1
            ));
        }
        parts.push_str(&self.readings(&leaves, &nulls));
        parts.push_str(&self.keys(&nulls));
        let before = format!(
            "with found as materialized (\nselect row_number() over () as n, {} from (\n",
            each(&|at, it| format!("q.c{at}::{} as c{at}", it.sql))
        );
        self.assert.embed(self.statement, self.source, &before, &format!(") as q({names})\n){parts}"));
        (wanted, leaves)
    }

    /// What is compared in each cell, and the conditions that are asked of every row.
    fn wanted(&mut self, problems: &mut Vec<Diagnostic>) -> (Vec<Vec<Wanted<'a>>>, Vec<String>) {
        let compared = self.compared;
        let mut conditions: Vec<String> = Vec::new();
        let mut known: HashMap<(usize, String), usize> = HashMap::new();
        let mut wanted = Vec::with_capacity(compared.rows.len());
        for row in &compared.rows {
            let mut tests = Vec::with_capacity(row.len());
            for (at, node) in row.iter().enumerate() {
                let Some(node) = node else {
                    tests.push(Wanted::Any);
                    continue;
                };
                let sql_type = &compared.types[at];
                match simple(node, sql_type) {
                    Some(Wanted::Inside(edges)) => {
                        for it in edges.iter().flatten() {
                            if let Some(what) = misplaced(it, sql_type) {
                                let message = format!(
                                    "`{}` is of type {}, and `{}` is for {what}",
                                    compared.columns[at].name, sql_type.sql, it.word
                                );
                                let problem = Diagnostic::error(message).at(self.source, it.node.span);
                                // Both edges of a matcher are told once.
                                if problems.last() != Some(&problem) {
                                    problems.push(problem);
                                }
                            }
                        }
                        tests.push(Wanted::Inside(edges));
                    }
                    Some(test) => tests.push(test),
                    None => {
                        let next = conditions.len();
                        let number = *known.entry((at, json_text(node))).or_insert(next);
                        if number == next {
                            let name = &compared.columns[at].name;
                            let mut writing = Conditions {
                                statement: &mut *self.statement,
                                source: self.source,
                                now: self.now,
                                name,
                            };
                            match writing.of(&format!("f.c{}", at + 1), sql_type, node) {
                                Ok(condition) => conditions.push(condition),
                                Err(problem) => {
                                    problems.push(problem);
                                    conditions.push("true".to_owned());
                                }
                            }
                        }
                        tests.push(Wanted::Holds(number));
                    }
                }
            }
            wanted.push(tests);
        }
        if conditions.len() > CONDITIONS_MAX {
            let place = Place::new(self.source, self.assert.expected_span);
            let message = format!(
                "an expectation holds at most {CONDITIONS_MAX} different matchers, and this one {}",
                conditions.len()
            );
            problems.push(Diagnostic::error(message).at_place(place).help("compare values, or a `count`"));
        }
        (wanted, conditions)
    }

    /// The values that are expected, as one list of texts a column.
    fn arrays(&mut self, wanted: &[Vec<Wanted>], problems: &mut Vec<Diagnostic>) -> String {
        let compared = self.compared;
        let mut arrays = Vec::new();
        for (at, column) in compared.columns.iter().enumerate() {
            let sql_type = &compared.types[at];
            let mut texts = Vec::with_capacity(wanted.len());
            for row in wanted {
                let Wanted::Same(node) = row[at] else {
                    texts.push(None);
                    continue;
                };
                let place = Place::new(self.source, node.span);
                match cell::text(node, sql_type, &column.name, &place) {
                    Ok(text) => {
                        if let Some(text) = &text {
                            self.statement.staged.add(text, &sql_type.sql, place, &column.name);
                        }
                        texts.push(text);
                    }
                    Err(problem) => problems.push(problem),
                }
            }
            arrays.push(format!("{}::text[]", self.statement.bind_list(texts)));
        }
        arrays.join(", ")
    }

    /// How many of the values that came are below the edges of a column, and below each of them: a value is
    /// inside where its number is above the one of the lower edge, and not above that of the upper one.
    fn ranks(&mut self, at: usize, wanted: &[Vec<Wanted>]) -> String {
        let sql_type = &self.compared.types[at];
        let what = &self.compared.columns[at].name;
        let mut sides: [[Vec<Option<String>>; 5]; 2] = Default::default();
        for (row, tests) in wanted.iter().enumerate() {
            let Wanted::Inside(edges) = &tests[at] else { continue };
            for (lists, it) in
                sides.iter_mut().zip(edges).filter_map(|(lists, it)| Some((lists, it.as_ref()?)))
            {
                let [text, shift, width] = edge_texts(it, self.now);
                let place = Place::new(self.source, it.node.span);
                let read = if sql_type.sql == "time" { "time" } else { ordering(sql_type) };
                if let Some(text) = &text {
                    self.statement.staged.add(text, read, place, what);
                }
                let texts =
                    [Some((row + 1).to_string()), text, shift, width, Some(it.side.is_closed.to_string())];
                lists.iter_mut().zip(texts).for_each(|(list, text)| list.push(text));
            }
        }
        let mut values = format!(
            "select 'f' as who, n, c{0}::{1} as v, 1 as tie from found where c{0} is not null",
            at + 1,
            ordering(sql_type)
        );
        for (lists, (who, is_above)) in sides.into_iter().zip([("l", true), ("h", false)]) {
            if lists[0].is_empty() {
                continue;
            }
            let lists = lists.map(|list| format!("{}::text[]", self.statement.bind_list(list)));
            let side = Side { is_above, is_closed: true };
            let value = edge(sql_type, side, "u.t", "u.s", "u.w");
            // Values equal to an edge that includes them are on its inner side.
            let (closed, open) = if is_above { (0, 2) } else { (2, 0) };
            values.push_str(&format!(
                "\n  union all select '{who}', u.n::int8, {value}, case when u.c = 'true' then {closed} else {open} end from unnest({}) as u(n, t, s, w, c)",
                lists.join(", ")
            ));
        }
        format!(
            ",\nr{} as materialized (\n  select who, n, count(*) filter (where who = 'f') over (order by v, tie) as r from (\n  {values}) as p\n)",
            at + 1
        )
    }

    /// The texts of values that their types may read as something else.
    fn leaves(&self, wanted: &[Vec<Wanted>]) -> Vec<Leaf> {
        let mut leaves: Vec<Leaf> = Vec::new();
        for (at, sql_type) in self.compared.types.iter().enumerate() {
            for row in wanted {
                if let Wanted::Same(node) = row[at]
                    && node.content != Content::Null
                {
                    leaves.extend(faithful::leaves(node, sql_type, self.source));
                }
            }
        }
        // Those of one type are asked for together.
        leaves.sort_by(|a, b| a.type_name.cmp(&b.type_name));
        leaves
    }

    /// Asks how the server reads those texts.
    fn readings(&mut self, leaves: &[Leaf], nulls: &str) -> String {
        let mut readings = String::new();
        let mut before = 0;
        for some in leaves.chunk_by(|a, b| a.type_name == b.type_name) {
            let (read, is_exact) = faithful::reading(&some[0].type_name);
            let list = self.statement.bind_list(some.iter().map(|leaf| Some(leaf.text.clone())).collect());
            readings.push_str(&format!(
                "\nunion all select 'read', (n + {before})::text, ({is_exact})::text, {read}, null, null{nulls} from unnest({list}::text[]) with ordinality as u(t, n)"
            ));
            before += some.len();
        }
        readings
    }

    /// Asks for the unique keys of the tables that the columns are from, of which all columns came back.
    fn keys(&self, nulls: &str) -> String {
        let columns = self.compared.columns.iter().enumerate();
        let origins: Vec<String> = columns
            .filter_map(|(at, column)| {
                column.origin.map(|(table, number)| format!("({table}, {number}, {at})"))
            })
            .collect();
        if origins.is_empty() {
            return String::new();
        }
        format!(
            "\nunion all select 'key', i.indisprimary::text, k.columns, null, null, null{nulls}
from pg_catalog.pg_index i cross join lateral (
  select string_agg(distinct o.at::text, ' ') as columns, count(distinct o.number) as count
  from (values {}) as o(tab, number, at) where o.tab::oid = i.indrelid and o.number = any(i.indkey::int2[])) as k
where i.indisunique and i.indpred is null and i.indexprs is null and k.count = i.indnkeyatts and i.indnkeyatts = i.indnatts",
            origins.join(", ")
        )
    }
}

/// Texts one after the other.
fn concat(separator: &str, parts: &[String]) -> String {
    match parts.is_empty() {
        true => "''".to_owned(),
        // Functions take at most a hundred arguments, arrays as many items as there are.
        false => format!("array_to_string(array[{}], '{separator}')", parts.join(", ")),
    }
}

/// What is compared in a cell, if no condition of its own has to be asked for.
fn simple<'n>(node: &'n Node, sql_type: &Type) -> Option<Wanted<'n>> {
    if !matcher::is_in(node) {
        return Some(Wanted::Same(node));
    }
    let matchers = matcher::all(node)?;
    if let [matcher::Matcher::Any] = matchers.as_slice() {
        return Some(Wanted::Any);
    }
    if sql_type.kind != Kind::Plain {
        return None;
    }
    let mut sides: [Option<Edge>; 2] = [None, None];
    for matcher in &matchers {
        let edges = edges(matcher);
        if edges.is_empty() {
            return None;
        }
        for edge in edges {
            let side = &mut sides[usize::from(!edge.side.is_above)];
            if side.replace(edge).is_some() {
                return None;
            }
        }
    }
    Some(Wanted::Inside(sides))
}
