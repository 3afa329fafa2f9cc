//! The one statement an assertion becomes, when the columns of its query are known.
//!
//! The author's query is a subselect whose columns get names of ours, so that no name of the author's
//! can be in the way. What is expected travels as one text array a column.

use std::sync::Arc;

use super::columns::Compared;
use super::equality::form;
use super::faithful::{self, Leaf};
use super::judge::{Expectation, judge_count, judge_rows};
use super::{Assert, Expected, Match, ROWS_MORE, cell};
use crate::plan::description::{Description, Type};
use crate::plan::staged::Cell;
use crate::plan::{Answer, Locate, Question, Statement, Value};
use crate::project::diagnostic::Diagnostic;
use crate::project::source::{Place, Source};
use crate::project::yaml::Content;

impl Assert {
    /// The query as the author wrote it, to be described.
    pub(super) fn described(&self, source: &Arc<Source>) -> Statement {
        let mut statement = Statement { sql: self.sql.sql.clone(), ..Statement::default() };
        for entry in &self.with {
            let place = Place::new(source, entry.value.span);
            statement.bind(None, Some(place), format!(":{}", entry.key));
        }
        statement.locate = Some(self.locate(0, source));
        statement
    }

    /// The statement for a query with these columns.
    pub(super) fn question(
        &self,
        description: &Description,
        source: &Arc<Source>,
    ) -> Result<Question, Vec<Diagnostic>> {
        let compared = self.compared(description, source)?;
        let mut statement = Statement::default();
        let mut problems = Vec::new();
        self.bind_parameters(&mut statement, description, source, &mut problems);
        let place = Place::new(source, self.expected_span);
        // Rows without columns can only be counted.
        let counted = match self.expected {
            Expected::Count(count) => Some(count as usize),
            Expected::Rows(..) if compared.columns.is_empty() => Some(0),
            _ => None,
        };
        let question = if let Some(count) = counted {
            self.embed(&mut statement, source, "select count(*)::text from (\n", ") as q");
            let judge = Box::new(move |answer: &Answer| Ok(judge_count(answer, count, &place)));
            Question { statement, judge }
        } else {
            let matching = match self.expected {
                Expected::Rows(_, matching) => matching,
                _ => Match::Exact,
            };
            let leaves = self.compile_rows(&mut statement, &compared, matching, source, &mut problems);
            let expectation = Expectation {
                names: compared.columns.iter().map(|column| column.name.clone()).collect(),
                rows: compared.rows.len(),
                matching,
                noun: if matches!(self.expected, Expected::Value(_)) { "value" } else { "row" },
                place,
                leaves,
            };
            Question { statement, judge: Box::new(move |answer| judge_rows(answer, &expectation)) }
        };
        if problems.is_empty() { Ok(question) } else { Err(problems) }
    }

    /// The values under `with`, each by the type that the query uses it as.
    pub(super) fn bind_parameters(
        &self,
        statement: &mut Statement,
        description: &Description,
        source: &Arc<Source>,
        problems: &mut Vec<Diagnostic>,
    ) {
        for (at, (entry, sql_type)) in self.with.iter().zip(&description.parameters).enumerate() {
            let (place, what) = (Place::new(source, entry.value.span), format!(":{}", entry.key));
            let text = cell::text(&entry.value, sql_type, &what, &place);
            let text = text.unwrap_or_else(|problem| {
                problems.push(problem);
                None
            });
            statement.bind(text.clone(), Some(place), what);
            if description.untyped.contains(&at) {
                statement.parameters[at].value = Value::Untyped(text);
            }
        }
    }

    /// One statement that runs the query once, reads what is expected by the types of its columns, and
    /// pairs equal rows, the second of a kind with the second. It answers with the number of rows, with
    /// those that have no partner, and with how it reads the texts that are returned here.
    fn compile_rows(
        &self,
        statement: &mut Statement,
        compared: &Compared,
        matching: Match,
        source: &Arc<Source>,
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<Leaf> {
        let (mut arrays, mut leaves, mut readings) = (Vec::new(), Vec::new(), String::new());
        for (at, column) in compared.columns.iter().enumerate() {
            let nodes = compared.rows.iter().map(|row| row[at]);
            let mut texts = Vec::with_capacity(compared.rows.len());
            let mut lossy: Vec<Leaf> = Vec::new();
            for node in nodes {
                let place = Place::new(source, node.span);
                match cell::text(node, &column.sql_type, &column.name, &place) {
                    Ok(text) => texts.push(text),
                    Err(problem) => problems.push(problem),
                }
                if let Some(text) = texts.last().cloned().flatten() {
                    let (type_name, what) = (column.sql_type.sql.clone(), column.name.clone());
                    statement.staged.cells.push(Cell {
                        text,
                        type_name,
                        place,
                        what,
                        is_secret: false,
                        owner: None,
                    });
                }
                if node.content != Content::Null {
                    lossy.extend(faithful::leaves(node, &column.sql_type, source));
                }
            }
            arrays.push(format!("{}::text[]", statement.bind_list(texts)));
            if let Some(first) = lossy.first() {
                let (read, is_exact) = faithful::reading(&first.type_name);
                let texts = lossy.iter().map(|leaf| Some(leaf.text.clone())).collect();
                let list = statement.bind_list(texts);
                let (before, nulls) = (leaves.len(), ", null".repeat(compared.columns.len() - 1));
                readings.push_str(&format!(
                    "\nunion all select 'read', (n + {before})::text, ({is_exact})::text, {read}{nulls} from unnest({list}::text[]) with ordinality as u(t, n)"
                ));
                leaves.extend(lossy);
            }
        }
        let types: Vec<&Type> = compared.columns.iter().map(|column| &column.sql_type).collect();
        let each = |part: &dyn Fn(usize, &Type) -> String| -> String {
            let parts: Vec<String> = types.iter().enumerate().map(|(at, it)| part(at + 1, it)).collect();
            parts.join(", ")
        };
        let names = each(&|at, _| format!("c{at}"));
        let values = each(&|at, it| format!("q.c{at}::{} as c{at}", it.sql));
        let texts = each(&|at, _| format!("c{at}::text"));
        let key = each(&|at, it| form(&format!("c{at}"), it));
        let paired = |rows: &str| {
            format!(
                "select *, row_number() over (partition by key order by n) as copy from (select *, jsonb_build_array({key}) as key from {rows}) as k"
            )
        };
        let unpaired = |rows: &str, others: &str, wanted: bool| {
            let more = if wanted { "" } else { " and false" };
            format!(
                "select * from {rows} as a where not exists (select from {others} as b where b.key = a.key and b.copy = a.copy){more}"
            )
        };
        let behind = format!(
            ") as q({names})
),
expected as materialized (
  select q.n, {values} from unnest({arrays}) with ordinality as q({names}, n)
),
found_keys as ({found}),
expected_keys as ({expected}),
missing as ({missing}),
extra as ({extra})
select 'found', (select count(*) from found)::text, (select count(*) from extra)::text, {nulls}
union all select 'missing', n::text, null, {texts} from missing
union all (select 'extra', n::text, null, {texts} from extra order by extra.n limit {ROWS_MORE}){readings}",
            arrays = arrays.join(", "),
            found = paired("found"),
            expected = paired("expected"),
            missing = unpaired("expected_keys", "found_keys", matching != Match::Contained),
            extra = unpaired("found_keys", "expected_keys", matching != Match::Contains),
            nulls = each(&|_, _| "null".to_owned()),
        );
        let before =
            format!("with found as materialized (\nselect row_number() over () as n, {values} from (\n");
        self.embed(statement, source, &before, &behind);
        leaves
    }

    /// The author's query between two pieces of SQL, and how to find its characters again.
    pub(super) fn embed(&self, statement: &mut Statement, source: &Arc<Source>, before: &str, behind: &str) {
        statement.sql = format!("{before}{}\n{behind}", self.sql.sql);
        statement.locate = Some(self.locate(before.chars().count(), source));
    }

    /// Where a character of a statement stands in the author's file, if it is the author's: the query
    /// begins behind the first `before` of them.
    fn locate(&self, before: usize, source: &Arc<Source>) -> Locate {
        let (sql, query, source) = (self.sql.clone(), self.query.clone(), source.clone());
        // An end that comes too early is found behind the last character.
        let length = sql.sql.chars().count() + 1;
        Box::new(move |position| {
            let inside = position.checked_sub(before).filter(|inside| (1..=length).contains(inside))?;
            let offset = sql.original(inside);
            Some((Place::new(&source, source.within(query.span, &query.text, offset)), None))
        })
    }
}
