//! What the server's catalog says of the tables a project names, as plain data.

use std::collections::BTreeMap;

use super::quote::qualified;
use super::resolve::Resolver;
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::project::fixture::refs::Ref;
use crate::project::source::Name;

/// The tables a project names and those their foreign keys lead to.
#[derive(Debug, Default)]
pub struct Catalog {
    /// From a name as the author writes it to the table's object id.
    pub names: BTreeMap<String, u32>,
    /// Every table reached.
    pub tables: Vec<Table>,
    /// The names of all tables, when a name was not found; for "did you mean".
    pub known: Vec<String>,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its object id.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// In the table's order.
    pub columns: Vec<Column>,
    /// The primary key first.
    pub keys: Vec<Key>,
    /// Unique indexes that fixtures name as their key; they may be partial or on expressions.
    pub indexes: Vec<IndexKey>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// The tables that foreign keys of its partitions lead to.
    pub partitions_refer_to: Vec<u32>,
    /// What it is.
    pub kind: TableKind,
    /// Whether row-level security holds for us, so that there may be rows we do not see.
    pub is_secured: bool,
    /// Whether a BEFORE INSERT trigger may fill in what a row leaves out.
    pub has_insert_trigger: bool,
    /// Whether a trigger fires when a row is inserted or updated, in a partition too, or a rule is there.
    pub has_trigger: bool,
}

/// What rows can be put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// A table, partitioned or not.
    Table,
    /// A view.
    View,
    /// A view that is stored, which nobody writes to.
    Materialized,
    /// A table of another server.
    Foreign,
}

impl TableKind {
    /// The kind of a relation, as `pg_class.relkind` has it.
    pub fn of(relkind: &str) -> TableKind {
        match relkind {
            "v" => TableKind::View,
            "m" => TableKind::Materialized,
            "f" => TableKind::Foreign,
            _ => TableKind::Table,
        }
    }
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type without length or precision, so that a cast never cuts or rounds; for a domain,
    /// the type it is made from.
    pub type_name: String,
    /// Its type as declared.
    pub declared: String,
    /// That type with its length or precision, when it has one that a value may not fit.
    pub exact: Option<String>,
    /// What values are compared as when the type has no `=` of its own.
    pub compared_as: Option<String>,
    /// The most characters it holds, for `varchar(n)` and `char(n)`.
    pub length_max: Option<usize>,
    /// Whether it holds arrays.
    pub is_array: bool,
    /// Whether the type is a domain.
    pub is_domain: bool,
    /// Whether it is NOT NULL.
    pub not_null: bool,
    /// The default, as an expression.
    pub default: Option<String>,
    /// Whether the default is the same each time.
    pub is_default_fixed: bool,
    /// `a` for GENERATED ALWAYS AS IDENTITY, `d` for BY DEFAULT, empty otherwise.
    pub identity: String,
    /// Whether it is a generated column, which nobody may write.
    pub generated: bool,
    /// The sequence that numbers an identity or serial column, schema-qualified and quoted.
    pub sequence: Option<String>,
    /// The labels of an enum type, in order.
    pub labels: Option<Vec<String>>,
}

/// A unique key: immediate, neither partial nor on expressions.
#[derive(Debug)]
pub struct Key {
    /// The index's name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// Whether it is the primary key.
    pub primary: bool,
}

/// A unique index of any kind, whose SQL speaks of the table's columns by their bare names.
#[derive(Debug, Clone)]
pub struct IndexKey {
    /// Its name.
    pub name: String,
    /// What it is on: columns or expressions.
    pub parts: Vec<String>,
    /// The condition of a partial one.
    pub predicate: Option<String>,
    /// The columns that these speak of.
    pub columns: Vec<String>,
}

/// A foreign key.
#[derive(Debug)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The object id of the table referred to.
    pub parent: u32,
    /// The columns referred to, in the order of `columns`.
    pub parent_columns: Vec<String>,
}

impl Catalog {
    /// The table an author's name stands for.
    pub fn table(&self, written: &str) -> Option<&Table> {
        self.table_by_oid(*self.names.get(written)?)
    }

    /// The table with that object id.
    pub fn table_by_oid(&self, oid: u32) -> Option<&Table> {
        self.tables.iter().find(|table| table.oid == oid)
    }
}

impl Catalog {
    /// Adds the links that fixtures declare to the foreign keys of their tables. What names no table or
    /// column is a problem.
    pub fn declare(&mut self, project: &Project, problems: &mut Vec<Diagnostic>) {
        for fixture in &project.fixtures {
            let Some(of) = self.table(&fixture.table.text).map(|table| table.oid) else { continue };
            for link in &fixture.refs {
                match self.link(
                    of,
                    link,
                    Resolver { catalog: self, source: &fixture.source, outside: &project.outside },
                ) {
                    Ok(key) => {
                        if let Some(table) = self.tables.iter_mut().find(|table| table.oid == of) {
                            table.foreign_keys.retain(|known| known.name != key.name);
                            table.foreign_keys.push(key);
                        }
                    }
                    Err(problem) => problems.push(problem),
                }
            }
        }
    }

    fn link(&self, of: u32, link: &Ref, resolver: Resolver) -> Result<ForeignKey, Diagnostic> {
        let source = resolver.source;
        let parent = resolver.table(&link.table)?;
        let column =
            |table: Option<&Table>, name: &Name| match table.and_then(|table| table.column(&name.text)) {
                Some(column) => Ok(column.name.clone()),
                None => {
                    let known = table.map(|table| table.columns.iter().map(|column| column.name.as_str()));
                    let of = table.map_or("", |table| table.name.as_str());
                    Err(Diagnostic::error(format!("table `{of}` has no column `{}`", name.text))
                        .at(source, name.span)
                        .maybe_help(did_you_mean(&name.text, known.into_iter().flatten())))
                }
            };
        let own = self.table_by_oid(of);
        let columns = link.columns.iter().map(|(name, _)| column(own, name)).collect::<Result<_, _>>()?;
        let theirs =
            link.columns.iter().map(|(_, name)| column(Some(parent), name)).collect::<Result<_, _>>()?;
        Ok(ForeignKey { name: link.name.text.clone(), columns, parent: parent.oid, parent_columns: theirs })
    }
}

impl Table {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The schema-qualified, quoted name.
    pub fn sql(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// The unique keys a person would use to name a row: those without a generated column.
    pub fn natural_keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(|key| {
            !key.columns.iter().any(|name| self.column(name).is_some_and(Column::is_assigned_by_server))
        })
    }
}

impl Column {
    /// Whether the server makes up its values, so that nobody can know them beforehand.
    pub fn is_assigned_by_server(&self) -> bool {
        let is_made_up = self.default.is_some() && !self.is_default_fixed;
        !self.identity.is_empty() || self.generated || is_made_up
    }

    /// Whether an INSERT must give it.
    pub fn is_required(&self) -> bool {
        self.not_null && self.default.is_none() && self.identity.is_empty() && !self.generated
    }

    /// Whether the type is `json` or `jsonb`.
    pub fn is_json(&self) -> bool {
        matches!(self.type_name.as_str(), "json" | "jsonb")
    }

    /// Whether the type holds text as it is.
    pub fn is_text(&self) -> bool {
        let name = self.type_name.as_str();
        !self.is_array
            && (matches!(name, "text" | "character varying" | "bpchar") || name.ends_with("citext"))
    }

    /// The type as declared, and for a domain what it is made from.
    pub fn exactly(&self) -> String {
        let exact = self.exact.as_ref().unwrap_or(&self.type_name);
        match self.is_domain {
            true => format!("{} ({exact})", self.declared),
            false => self.declared.clone(),
        }
    }

    /// An SQL expression that compares two values of this type, NULL equal to NULL. Types without
    /// an `=` of their own are compared as what has one.
    pub fn is_same(&self, left: &str, right: &str) -> String {
        let (left, right) = (self.comparable(left), self.comparable(right));
        if self.not_null {
            format!("{left} = {right}")
        } else {
            format!("{left} is not distinct from {right}")
        }
    }

    /// An SQL expression that holds when two values of this type differ, NULL from a value included.
    pub fn differs(&self, left: &str, right: &str) -> String {
        format!("{} is distinct from {}", self.comparable(left), self.comparable(right))
    }

    /// The expression as something that has an `=`.
    pub fn comparable(&self, expression: &str) -> String {
        match &self.compared_as {
            Some(type_name) => format!("({expression})::{type_name}"),
            None => expression.to_owned(),
        }
    }
}
