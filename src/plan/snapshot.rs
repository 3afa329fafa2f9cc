//! Snapshots: what is kept of the rows of tables, so that it can be told later whether they are the same.
//!
//! Of each table a fingerprint is kept, which does not depend on the order of rows: how many there are, and
//! the sums of the halves of their hashes. Of rows their hashes and keys are kept as well, and of few rows
//! their values, so that a difference can be shown. The server makes the hashes, of what it writes for a row.

use std::collections::HashMap;

use super::quote::{identifier, literal, qualified};
use super::wrote::{Named, shown};
use super::{Answer, Statement, number, text};

/// The most rows of all tables of which hashes and keys are kept.
pub const ROWS_MAX: u64 = 100_000;
/// The most rows of a table of which the values are kept.
pub const VALUES_MAX: u64 = 1_000;
/// The most bytes that such values take, of all tables.
const VALUES_BYTES_MAX: u64 = 4 << 20;
/// The most rows of a table that are shown.
pub const SHOWN_MAX: usize = 20;

/// Which tables are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These.
    Tables(Vec<Named>),
    /// Those of the search path's schemas but for these.
    All(Vec<Named>),
}

/// A table as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Its schema and name.
    pub name: Named,
    /// Its columns.
    pub columns: Vec<String>,
    /// The columns of its primary key.
    pub key: Vec<String>,
}

/// What is kept of some tables.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// By table.
    pub tables: Vec<Kept>,
}

/// What is kept of one table.
#[derive(Debug)]
pub struct Kept {
    /// What it is.
    pub layout: Layout,
    /// How many rows it has, and the sums of their hashes.
    pub print: (u64, String),
    /// How many bytes its rows take.
    pub bytes: u64,
    /// Its rows, if they are not too many.
    pub rows: Option<Rows>,
}

/// What is kept of rows.
#[derive(Debug, Default)]
pub struct Rows {
    /// The hash of each, and its key if it has one.
    hashes: Vec<(u128, Option<Box<str>>)>,
    /// The values of some, by their hashes.
    values: HashMap<u128, Box<str>>,
}

/// How tables are now, beside what was kept of them.
#[derive(Debug, Default)]
pub struct Compared {
    /// How many there are.
    pub tables: usize,
    /// Those that differ.
    pub differences: Vec<Difference>,
}

/// How one table differs.
#[derive(Debug)]
pub struct Difference {
    /// The table.
    pub name: Named,
    /// What can be said of it.
    pub kind: DifferenceKind,
}

/// What can be said of a table that differs.
#[derive(Debug)]
pub enum DifferenceKind {
    /// It was not there, and has so many rows.
    Made(u64),
    /// It is not there any more, and had so many rows.
    Dropped(u64),
    /// It has other columns.
    Altered,
    /// It has other rows. Which they are is not known: so many there were, and so many there are.
    Other(u64, u64),
    /// Its rows differ so.
    Rows {
        /// Its columns.
        columns: Vec<String>,
        /// The names of those in its key.
        key: Vec<String>,
        /// Each row that differs.
        changes: Vec<Change>,
        /// The values of some rows, by their hashes.
        values: HashMap<u128, Vec<Option<String>>>,
    },
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its key, if it has one.
    pub key: Option<Box<str>>,
    /// The hash of the row that was there.
    pub before: Option<u128>,
    /// The hash of the row that is there.
    pub after: Option<u128>,
}

/// Asks for the tables that are meant.
pub fn layouts(selection: &Selection) -> String {
    let names = |names: &[Named]| {
        let pair = |(schema, name): &Named| format!("({}, {})", literal(schema), literal(name));
        names.iter().map(pair).collect::<Vec<_>>().join(", ")
    };
    let condition = match selection {
        Selection::Tables(tables) => format!("(n.nspname, c.relname) in ({})", names(tables)),
        Selection::All(except) => {
            let others = match except.is_empty() {
                true => String::new(),
                false => format!(" and (n.nspname, c.relname) not in ({})", names(except)),
            };
            format!(
                "c.relkind in ('r', 'p') and not c.relispartition and n.nspname = any (current_schemas(false))
  and c.relname not in ('refinery_schema_history', 'seedbed_ledger', 'seedbed_environment'){others}"
            )
        }
    };
    format!(
        "select n.nspname, c.relname,
  (select json_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
  (select json_agg(a.attname order by k.place) from pg_catalog.pg_index i
   cross join lateral unnest(i.indkey::int2[]) with ordinality k(number, place)
   join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
   where i.indrelid = c.oid and i.indisprimary and k.place <= i.indnkeyatts)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where {condition} order by 1, 2"
    )
}

/// Reads the answer to [`layouts`].
pub fn read_layouts(answer: &Answer) -> Vec<Layout> {
    let list = |row: &[Option<String>], at| serde_json::from_str(text(row, at)).unwrap_or_default();
    let layout = |row: &Vec<Option<String>>| Layout {
        name: (text(row, 0).to_owned(), text(row, 1).to_owned()),
        columns: list(row, 2),
        key: list(row, 3),
    };
    // What begins the transaction answers before it, if that was due.
    answer.iter().filter(|row| row.len() == 4).map(layout).collect()
}

impl Layout {
    fn array(columns: &[String]) -> String {
        let texts: Vec<String> = columns.iter().map(|name| format!("t.{}::text", identifier(name))).collect();
        format!("to_json(array[{}]::text[])::text", texts.join(", "))
    }

    /// The table's rows as texts: `r`, and their keys: `k`.
    fn rows(&self) -> String {
        let key = match self.key.is_empty() {
            true => "null::text".to_owned(),
            false => Layout::array(&self.key),
        };
        let table = qualified(&self.name.0, &self.name.1);
        format!("(select {} as r, {key} as k from {table} t) q", Layout::array(&self.columns))
    }
}

/// Asks for the fingerprints of tables: their numbers, of rows and bytes, and the sums of hashes.
pub fn prints(layouts: &[Layout]) -> Statement {
    let half =
        |side: &str| format!("coalesce(sum(('x' || {side}(md5(r), 16))::bit(64)::int8::numeric), 0)::text");
    let select = |(at, layout): (usize, &Layout)| {
        format!(
            "select '{at}', count(*)::text, {} || ' ' || {}, coalesce(sum(octet_length(r)), 0)::text from {}",
            half("left"),
            half("right"),
            layout.rows()
        )
    };
    let selects: Vec<String> = layouts.iter().enumerate().map(select).collect();
    Statement { sql: selects.join("\nunion all\n"), ..Statement::default() }
}

/// Reads the answer to [`prints`].
pub fn read_prints(layouts: Vec<Layout>, answer: &Answer) -> Snapshot {
    let mut tables: Vec<Kept> = layouts
        .into_iter()
        .map(|layout| Kept { layout, print: (0, String::new()), bytes: 0, rows: None })
        .collect();
    for row in answer {
        if let Some(table) = tables.get_mut(number(row, 0)) {
            table.print = (number(row, 1) as u64, text(row, 2).to_owned());
            table.bytes = number(row, 3) as u64;
        }
    }
    Snapshot { tables }
}

/// Asks for the rows of tables: their hashes, keys, and of some the values.
fn rows<'k>(tables: impl Iterator<Item = (usize, &'k Kept, bool)>) -> Statement {
    let select = |(at, table, has_values): (usize, &Kept, bool)| {
        let values = if has_values { "r" } else { "null::text" };
        format!("select '{at}', md5(r), k, {values} from {}", table.layout.rows())
    };
    let selects: Vec<String> = tables.map(select).collect();
    Statement { sql: selects.join("\nunion all\n"), ..Statement::default() }
}

impl Snapshot {
    /// Asks for as many rows as are kept, those of the smallest tables; nothing if there are none. With
    /// `wanted`, of these tables alone.
    pub fn ask_rows(&mut self, wanted: Option<&[bool]>) -> Option<Statement> {
        let mut order: Vec<usize> = (0..self.tables.len()).collect();
        order.sort_by_key(|at| self.tables[*at].print.0);
        let (mut rows_left, mut bytes_left) = (ROWS_MAX, VALUES_BYTES_MAX);
        let mut asked = Vec::new();
        for at in order {
            let (count, bytes) = (self.tables[at].print.0, self.tables[at].bytes);
            let is_wanted = wanted.is_none_or(|wanted| wanted[at]);
            if !is_wanted || count > rows_left {
                continue;
            }
            rows_left -= count;
            self.tables[at].rows = Some(Rows::default());
            let has_values = count <= VALUES_MAX && bytes <= bytes_left;
            bytes_left -= if has_values { bytes } else { 0 };
            if count > 0 {
                asked.push((at, has_values));
            }
        }
        let tables = asked.iter().map(|(at, has_values)| (*at, &self.tables[*at], *has_values));
        (!asked.is_empty()).then(|| rows(tables))
    }

    /// Reads the answer to that.
    pub fn read_rows(&mut self, answer: Answer) {
        for row in answer {
            let Some(Some(rows)) = self.tables.get_mut(number(&row, 0)).map(|table| &mut table.rows) else {
                continue;
            };
            let hash = u128::from_str_radix(text(&row, 1), 16).unwrap_or_default();
            let mut cells = row.into_iter().skip(2);
            rows.hashes.push((hash, cells.next().flatten().map(String::into_boxed_str)));
            if let Some(values) = cells.next().flatten() {
                rows.values.insert(hash, values.into_boxed_str());
            }
        }
        // Rows that came between two looks belong to neither.
        for table in &mut self.tables {
            let is_whole = |rows: &Rows| rows.hashes.len() as u64 == table.print.0;
            table.rows = table.rows.take().filter(is_whole);
        }
    }

    /// What was kept of a table.
    fn table(&self, name: &Named) -> Option<&Kept> {
        self.tables.iter().find(|table| table.layout.name == *name)
    }

    /// Which tables differ from what was kept of them, in their order.
    pub fn differing(&self, earlier: &Snapshot) -> Vec<bool> {
        let differs = |now: &Kept| {
            earlier
                .table(&now.layout.name)
                .is_none_or(|then| then.print != now.print || then.layout.columns != now.layout.columns)
        };
        self.tables.iter().map(differs).collect()
    }

    /// What differs from what was kept before.
    pub fn compare(&self, earlier: &Snapshot) -> Compared {
        let mut differences = Vec::new();
        for (now, differs) in self.tables.iter().zip(self.differing(earlier)) {
            let name = now.layout.name.clone();
            let kind = match earlier.table(&name) {
                None => DifferenceKind::Made(now.print.0),
                Some(_) if !differs => continue,
                Some(then) => difference(then, now),
            };
            differences.push(Difference { name, kind });
        }
        let is_gone = |then: &&Kept| self.table(&then.layout.name).is_none();
        let gone: Vec<&Kept> = earlier.tables.iter().filter(is_gone).collect();
        let tables = self.tables.len() + gone.len();
        differences.extend(gone.into_iter().map(|then| Difference {
            name: then.layout.name.clone(),
            kind: DifferenceKind::Dropped(then.print.0),
        }));
        Compared { tables, differences }
    }
}

impl Compared {
    /// Asks for the values of rows that are shown and were not asked for, of a table; nothing if all are there.
    pub fn ask_values(&self, at: usize) -> Option<Statement> {
        let DifferenceKind::Rows { columns, key, changes, values } = &self.differences[at].kind else {
            return None;
        };
        let shown = changes.iter().take(SHOWN_MAX).filter_map(|change| change.after);
        let wanted: Vec<Option<String>> = shown
            .filter(|hash| !values.contains_key(hash))
            .map(|hash| Some(format!("{hash:032x}")))
            .collect();
        if wanted.is_empty() {
            return None;
        }
        let name = self.differences[at].name.clone();
        let layout = Layout { name, columns: columns.clone(), key: key.clone() };
        let mut statement = Statement::default();
        let list = statement.bind_list(wanted);
        statement.sql =
            format!("select md5(r), r from {} where md5(r) = any ({list}::text[])", layout.rows());
        Some(statement)
    }

    /// Reads the answer to that.
    pub fn read_values(&mut self, at: usize, answer: &Answer) {
        let DifferenceKind::Rows { values, .. } = &mut self.differences[at].kind else { return };
        for row in answer {
            let hash = u128::from_str_radix(text(row, 0), 16).unwrap_or_default();
            values.insert(hash, cells(text(row, 1)));
        }
    }
}

impl Difference {
    /// The table as it is shown.
    pub fn table(&self) -> String {
        shown(&self.name.0, &self.name.1)
    }
}

/// The values of a row, as they came.
pub fn cells(row: &str) -> Vec<Option<String>> {
    serde_json::from_str(row).unwrap_or_default()
}

fn difference(then: &Kept, now: &Kept) -> DifferenceKind {
    if then.layout.columns != now.layout.columns {
        return DifferenceKind::Altered;
    }
    let (Some(before), Some(after)) = (&then.rows, &now.rows) else {
        return DifferenceKind::Other(then.print.0, now.print.0);
    };
    let changes = changes(before, after);
    let told = changes.iter().take(SHOWN_MAX);
    let hashes = told.flat_map(|change| change.before.into_iter().chain(change.after));
    let values = hashes.filter_map(|hash| {
        let row = after.values.get(&hash).or_else(|| before.values.get(&hash))?;
        Some((hash, cells(row)))
    });
    DifferenceKind::Rows {
        columns: now.layout.columns.clone(),
        key: now.layout.key.clone(),
        values: values.collect(),
        changes,
    }
}

/// Which rows came, went or changed. Rows without a key are the same as others only where all of them is.
fn changes(before: &Rows, after: &Rows) -> Vec<Change> {
    let is_keyed = |rows: &Rows| rows.hashes.iter().all(|(_, key)| key.is_some());
    let mut changes = Vec::new();
    if is_keyed(before) && is_keyed(after) {
        let mut known: HashMap<&str, u128> = HashMap::with_capacity(before.hashes.len());
        let keyed = |rows: &'_ Rows| -> Vec<(u128, usize)> {
            rows.hashes.iter().enumerate().map(|(at, (hash, _))| (*hash, at)).collect()
        };
        for (hash, key) in &before.hashes {
            known.insert(key.as_deref().unwrap_or_default(), *hash);
        }
        for (hash, at) in keyed(after) {
            let key = &after.hashes[at].1;
            match known.remove(key.as_deref().unwrap_or_default()) {
                Some(before) if before == hash => {}
                before => changes.push(Change { key: key.clone(), before, after: Some(hash) }),
            }
        }
        let gone = known.into_iter().map(|(key, before)| Change {
            key: Some(key.into()),
            before: Some(before),
            after: None,
        });
        changes.extend(gone);
    } else {
        let mut known: HashMap<u128, usize> = HashMap::with_capacity(before.hashes.len());
        before.hashes.iter().for_each(|(hash, _)| *known.entry(*hash).or_default() += 1);
        for (hash, _) in &after.hashes {
            match known.get_mut(hash).filter(|left| **left > 0) {
                Some(left) => *left -= 1,
                None => changes.push(Change { key: None, before: None, after: Some(*hash) }),
            }
        }
        let gone = known.into_iter().flat_map(|(hash, left)| std::iter::repeat_n(hash, left));
        changes.extend(gone.map(|before| Change { key: None, before: Some(before), after: None }));
    }
    // A short number is a smaller one.
    changes.sort_by(|a, b| {
        let order = |change: &Change| {
            (change.key.as_ref().map_or(0, |key| key.len()), change.key.clone(), change.before, change.after)
        };
        order(a).cmp(&order(b))
    });
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(u128, Option<&str>)]) -> Rows {
        let hashes = rows.iter().map(|(hash, key)| (*hash, key.map(Into::into))).collect();
        Rows { hashes, values: HashMap::new() }
    }

    fn check(before: &[(u128, Option<&str>)], after: &[(u128, Option<&str>)], expected: &str) {
        let told: Vec<String> = changes(&rows(before), &rows(after))
            .iter()
            .map(|it| format!("{:?} {:?}→{:?}", it.key.as_deref().unwrap_or("-"), it.before, it.after))
            .collect();
        assert_eq!(told.join("; ").replace("Some", ""), expected);
    }

    #[test]
    fn rows_come_go_and_change_by_their_keys() {
        let before = [(1, Some("a")), (2, Some("b")), (3, Some("c"))];
        check(&before, &[(3, Some("c")), (1, Some("a")), (2, Some("b"))], "");
        check(
            &before,
            &[(1, Some("a")), (9, Some("b")), (4, Some("d"))],
            "\"b\" (2)→(9); \"c\" (3)→None; \"d\" None→(4)",
        );
    }

    #[test]
    fn rows_without_a_key_are_counted() {
        let before = [(1, None), (1, None), (2, None)];
        check(&before, &[(2, None), (1, None), (1, None)], "");
        check(&before, &[(1, None), (2, None), (2, None)], "\"-\" None→(2); \"-\" (1)→None");
        // A table that has lost its key is compared all the same.
        check(&[(1, Some("a"))], &[(1, None)], "");
    }

    #[test]
    fn only_so_many_rows_are_kept_as_fit() {
        let kept = |name: &str, count: u64, bytes: u64| Kept {
            layout: Layout {
                name: ("s".to_owned(), name.to_owned()),
                columns: vec!["c".to_owned()],
                key: Vec::new(),
            },
            print: (count, String::new()),
            bytes,
            rows: None,
        };
        let mut snapshot = Snapshot {
            tables: vec![
                kept("huge", ROWS_MAX + 1, 1),
                kept("large", VALUES_MAX + 1, 1),
                kept("wide", 2, 5 << 20),
                kept("small", 3, 9),
            ],
        };
        let sql = snapshot.ask_rows(None).unwrap().sql;
        let is_kept: Vec<bool> = snapshot.tables.iter().map(|table| table.rows.is_some()).collect();
        assert_eq!(is_kept, [false, true, true, true]);
        let with_values: Vec<&str> =
            sql.split("\nunion all\n").filter(|it| it.contains("k, r from")).collect();
        assert!(matches!(with_values[..], [only] if only.contains("small")), "{sql}");
    }
}
