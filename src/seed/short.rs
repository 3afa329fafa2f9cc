//! The short way of one file into one table: a handful of statements that the server does with whole
//! tables at once, where the way for all cases looks at every row several times.
//!
//! It is taken where nothing but counts is needed to know that all went well. When they do not add up,
//! nothing of it is kept and the statement for all cases says what is wrong, or does it.

use super::file::FileRows;
use super::identify::raise;
use super::load::{Group, Load, Rule};
use super::lookup::{Find, Lookups, Operand};
use super::problems::named_by;
use super::stage::{leaf_columns, leaves, temporary, text};
use crate::plan::Statement;
use crate::plan::catalog::{Column, Table};
use crate::plan::intake::Short;
use crate::plan::quote::identifier;

/// How many of the first rows are looked for to guess whether a file was applied before.
const SAMPLE_ROWS: usize = 1_000;

/// The most rows that are updated one by one, by their places.
const PLACES_MAX: usize = 50_000;

/// The short way of a load, if there is one: for a file whose rows are told apart by a unique key of the
/// table, refer to no other rows of it, and delete none.
pub fn short(load: &Load, lookups: &Lookups) -> Option<Short> {
    let [group] = load.groups.as_slice() else { return None };
    let file = group.file.as_ref()?;
    let way = Way { load, group, file, finds: &lookups.groups[&group.suffix].finds, lookups };
    way.is_open().then(|| way.short())
}

/// A way being built. In its SQL `s` are the file's rows, `t` is the table, and `p1`… are parents.
struct Way<'a, 'c> {
    load: &'a Load<'c>,
    group: &'a Group<'c>,
    file: &'a FileRows,
    finds: &'a [Find<'c>],
    lookups: &'a Lookups<'c>,
}

impl<'c> Way<'_, 'c> {
    fn is_open(&self) -> bool {
        let Load { table, key, rule, removal, updates, .. } = self.load;
        let is_key_given = key.iter().all(|name| self.given().any(|(given, _)| given == *name));
        let is_unique =
            table.keys.iter().any(|it| it.columns.iter().all(|name| key.contains(&name.as_str())));
        let is_found = match rule {
            Rule::TableIsEmpty => true,
            Rule::KeyIsMissing => is_unique && !key.is_empty(),
            Rule::Always | Rule::Never => false,
        };
        let refers_to_itself = self.finds.iter().any(|find| find.parent.oid == table.oid);
        // A value that no update may name is told of by its row.
        let is_fixed = |(name, _): (&str, &Operand)| {
            updates.is_some()
                && table
                    .column(name)
                    .is_some_and(|it| it.identity == "a" && self.load.is_updated(self.group, it))
        };
        let is_plain = self.group.targets().iter().all(|target| target.volatile().is_none());
        is_plain
            && is_found
            && is_key_given
            && !self.group.is_removed
            && removal.is_none()
            && !refers_to_itself
            && !self.given().any(is_fixed)
    }

    fn short(&self) -> Short {
        let table = self.load.table.sql();
        let (mut sample, mut compare, mut insert_all) = Default::default();
        let first = format!("(select * from {} limit {SAMPLE_ROWS})", temporary(self.group));
        let (rows, same) = (self.joined(&first, &mut sample), self.same("t", &mut sample));
        sample.sql = format!("select (exists (select from {rows} join {table} t on {same}))::text");
        self.compare(&mut compare);
        self.insert(&mut insert_all, false);
        let mut insert_new = Statement::default();
        self.insert(&mut insert_new, true);
        Short {
            number: self.load.number,
            is_if_empty: self.load.rule == Rule::TableIsEmpty,
            has_trigger: self.load.table.has_trigger,
            table: format!(
                "select (not exists (select from {table}))::text, (select c.relkind in ('r', 'p') and not c.relhasrules and not c.relrowsecurity from pg_catalog.pg_class c where c.oid = {})::text",
                self.load.table.oid
            ),
            straight: self.straight(),
            sample,
            compare,
            insert_all,
            insert_new,
            update: self.update(false),
            update_at: self.update(true),
            raise: self.raise(),
        }
    }

    /// The columns that are given, with where their values come from.
    fn given(&self) -> impl Iterator<Item = (&'c str, &Operand)> {
        self.lookups.groups[&self.group.suffix].given.iter().map(|(name, operand)| (*name, operand))
    }

    fn column(&self, name: &str) -> Option<&'c Column> {
        self.load.table.column(name)
    }

    /// A staged value.
    fn leaf(&self, number: usize, statement: &mut Statement) -> String {
        if let Some(Some(_)) = self.file.columns.get(number - 1) {
            return format!("s.c{number}");
        }
        let targets = self.group.targets();
        let (leaf, column) = (leaves(targets)[number - 1], leaf_columns(targets)[number - 1]);
        let what = format!("the default of `{}`", column.name);
        let value = statement.bind(text(leaf).cloned(), Some(leaf.place().clone()), what);
        format!("{value}::text::{}", column.type_name)
    }

    fn value(&self, operand: &Operand, statement: &mut Statement) -> String {
        match operand {
            Operand::Null | Operand::Made(_) => "null".to_owned(), // Where any is made, this way is not open.
            Operand::Leaf(number) => self.leaf(*number, statement),
            Operand::Found(number, at) => {
                let find = self.finds.iter().find(|find| find.number == *number);
                match find.filter(|find| is_unique(find)) {
                    Some(find) => format!("p{number}.{}", identifier(&find.parent_columns[at - 1])),
                    None => format!("p{number}.v{at}"),
                }
            }
        }
    }

    /// The file's rows with the parents that their references find.
    fn rows(&self, statement: &mut Statement) -> String {
        self.joined(&temporary(self.group), statement)
    }

    fn joined(&self, staged: &str, statement: &mut Statement) -> String {
        let mut rows = format!("{staged} s");
        for find in self.finds {
            let alias = format!("p{}", find.number);
            let (mut conditions, mut keys) = (Vec::new(), Vec::new());
            for (at, (column, operand)) in find.conditions.iter().enumerate() {
                let own = match is_unique(find) {
                    true => column.comparable(&format!("{alias}.{}", identifier(&column.name))),
                    false => format!("{alias}.k{}", at + 1),
                };
                keys.push(format!("{} as k{}", column.comparable(&identifier(&column.name)), at + 1));
                conditions.push(match operand {
                    Operand::Null => format!("{own} is null"),
                    _ => format!("{own} = {}", column.comparable(&self.value(operand, statement))),
                });
            }
            let parent: &Table = find.parent;
            let parent = match is_unique(find) {
                true => parent.sql(),
                false => {
                    let names = find.parent_columns.iter().enumerate();
                    let values = names
                        .map(|(at, name)| format!("(array_agg({}))[1] as v{}", identifier(name), at + 1));
                    let numbers: Vec<String> = (1..=keys.len()).map(|at| at.to_string()).collect();
                    format!(
                        "(select {}, {} from {} group by {} having count(*) = 1)",
                        keys.join(", "),
                        values.collect::<Vec<_>>().join(", "),
                        parent.sql(),
                        numbers.join(", ")
                    )
                }
            };
            rows.push_str(&format!("\n  left join {parent} {alias} on {}", conditions.join(" and ")));
        }
        rows
    }

    /// The condition under which every reference of a row has found its parent, or refers to nobody.
    fn resolved(&self, statement: &mut Statement) -> String {
        let mut conditions = Vec::new();
        for find in self.finds.iter().filter(|find| !find.is_nested) {
            let found = self.value(&Operand::Found(find.number, 1), statement);
            let leaves = named_by(find, self.finds);
            let none: Vec<String> =
                leaves.iter().map(|leaf| format!("{} is null", self.leaf(*leaf, statement))).collect();
            conditions.push(match none.is_empty() {
                true => format!("{found} is not null"),
                false => format!("({found} is not null or {})", none.join(" and ")),
            });
        }
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" and ") }
    }

    /// The condition under which `alias`, a row of the table, is the file's row. No value of a file's key
    /// is NULL.
    fn same(&self, alias: &str, statement: &mut Statement) -> String {
        let mut conditions = Vec::new();
        for name in &self.load.key {
            let (Some(column), Some((_, operand))) =
                (self.column(name), self.given().find(|(it, _)| it == name))
            else {
                continue;
            };
            let value = self.value(operand, statement);
            let own = column.comparable(&format!("{alias}.{}", identifier(name)));
            conditions.push(format!("{own} = {}", column.comparable(&value)));
        }
        if conditions.is_empty() { "false".to_owned() } else { conditions.join(" and ") }
    }

    /// The columns that are compared with what is there.
    fn compared(&self) -> Vec<(&'c Column, &Operand)> {
        let except = self.load.updates.as_deref().unwrap_or_default();
        let given = self.given().filter(|(name, _)| !self.load.key.contains(name) && !except.contains(name));
        given.filter_map(|(name, operand)| Some((self.column(name)?, operand))).collect()
    }

    fn differs(&self, statement: &mut Statement) -> String {
        let mut conditions = Vec::new();
        for (column, operand) in self.compared() {
            let value = self.value(operand, statement);
            conditions.push(column.differs(&format!("t.{}", identifier(&column.name)), &value));
        }
        if conditions.is_empty() { "false".to_owned() } else { conditions.join(" or ") }
    }

    fn compare(&self, statement: &mut Statement) {
        let (rows, same) = (self.rows(statement), self.same("t", statement));
        let (differs, resolved) = (self.differs(statement), self.resolved(statement));
        let is_there = match self.load.key.first() {
            Some(name) => format!("t.{} is not null", identifier(name)),
            None => "false".to_owned(),
        };
        statement.sql = format!(
            "select count(*)::text, (count(*) filter (where {is_there}))::text, (count(*) filter (where {is_there} and ({differs})))::text, (count(*) filter (where not ({resolved})))::text,\n  case when count(*) filter (where {is_there} and ({differs})) between 1 and {PLACES_MAX} then (array_agg(s.ctid) filter (where {is_there} and ({differs})))::text end\nfrom {rows}\n  left join {} t on {same}",
            self.load.table.sql()
        );
    }

    fn insert(&self, statement: &mut Statement, only_new: bool) {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (name, operand) in self.given() {
            names.push(identifier(name));
            values.push(self.value(operand, statement));
        }
        let is_identity = |name: &str| self.column(name).is_some_and(|column| column.identity == "a");
        let overriding =
            if self.given().any(|(name, _)| is_identity(name)) { " overriding system value" } else { "" };
        let (table, rows, resolved) = (self.load.table.sql(), self.rows(statement), self.resolved(statement));
        let unless = match only_new {
            true => format!(" and not exists (select from {table} t where {})", self.same("t", statement)),
            false => String::new(),
        };
        // An index takes sorted keys faster than it saves to keep the order of the file.
        let keys = self.load.key.iter().filter_map(|name| self.given().find(|(given, _)| given == name));
        let keys: Vec<String> = keys.map(|(_, operand)| self.value(operand, statement)).collect();
        let order = if keys.is_empty() { String::new() } else { format!("\norder by {}", keys.join(", ")) };
        statement.sql = format!(
            "insert into {table} ({}){overriding}\nselect {}\nfrom {rows}\nwhere {resolved}{unless}{order}",
            names.join(", "),
            values.join(", ")
        );
    }

    /// The update of all rows that differ, or only of those at certain places, which are the first parameter.
    fn update(&self, at_places: bool) -> Option<Statement> {
        self.load.updates.as_ref()?;
        let mut statement = Statement::default();
        let places = at_places.then(|| statement.bind(None, None, "the places of rows"));
        let staged = match &places {
            Some(places) => {
                format!("(select * from {} where ctid = any ({places}::tid[]))", temporary(self.group))
            }
            None => temporary(self.group),
        };
        let mut values = Vec::new();
        for (column, operand) in self.compared() {
            values.push(format!("{} = {}", identifier(&column.name), self.value(operand, &mut statement)));
        }
        if values.is_empty() {
            return None;
        }
        let (rows, resolved) = (self.joined(&staged, &mut statement), self.resolved(&mut statement));
        let (same, differs) = (self.same("t", &mut statement), self.differs(&mut statement));
        let (again, same_again) = (self.rows(&mut statement), self.same("u", &mut statement));
        let keys: Vec<String> = self.load.key.iter().map(|name| format!("t.{}", identifier(name))).collect();
        statement.sql = format!(
            "with u as (\n  update {} t set {}\n  from {rows}\n  where {resolved} and {same} and ({differs})\n  returning {}\n)\nselect (select count(*) from u)::text, (select count(*) from {again}\n  join u on {same_again})::text",
            self.load.table.sql(),
            values.join(", "),
            keys.join(", ")
        );
        Some(statement)
    }

    /// The sequences of columns that the file gives.
    fn raise(&self) -> Vec<String> {
        let given = self.given().filter_map(|(name, operand)| match operand {
            Operand::Leaf(number) => Some((self.column(name)?.sequence.as_ref()?, *number)),
            _ => None,
        });
        let is_of_file = |number: usize| matches!(self.file.columns.get(number - 1), Some(Some(_)));
        given
            .filter(|(_, number)| is_of_file(*number))
            .map(|(sequence, number)| {
                raise(sequence, &format!("select s.c{number}::int8 as id from {} s", temporary(self.group)))
            })
            .collect()
    }

    /// COPY straight into the table, where that does what INSERT would.
    fn straight(&self) -> Option<String> {
        let is_told_apart = self.load.rule == Rule::TableIsEmpty || !self.load.key.is_empty();
        let is_plain = !self.file.pick.is_numbered()
            && self.finds.is_empty()
            && self.file.columns.iter().all(Option::is_some);
        let is_simple = is_plain && !self.load.table.has_trigger && self.raise().is_empty();
        if !is_told_apart || !is_simple {
            return None;
        }
        let staged = self.file.staged(self.group.targets());
        let columns: Vec<String> = staged.iter().map(|(_, column)| identifier(&column.name)).collect();
        Some(format!("copy {} ({}) from stdin (format csv)", self.load.table.sql(), columns.join(", ")))
    }
}

/// Whether a unique key of the parent is among what is looked for, so that one row is found at most.
fn is_unique(find: &Find) -> bool {
    let is_given = |name: &String| {
        find.conditions.iter().any(|(it, operand)| it.name == *name && *operand != Operand::Null)
    };
    find.parent.keys.iter().any(|key| key.columns.iter().all(is_given))
}
