//! The tables of a database that was not made here.

use postgres::Client;

use super::sql::{ident, texts};

/// Columns of tables, without those that the server generates, with all that foreign keys tell of them.
/// Tables with a rule are left out: what is written to them goes elsewhere, and `seed` refuses that. So are
/// parents by inheritance, whose rows are their children's as well.
const COLUMNS: &str = "
select c.oid, n.nspname, c.relname, c.relkind = 'p', a.attname, a.attnotnull,
  a.attidentity <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid) ~ '\\(', false), d.oid is not null or a.attidentity <> '',
  format_type(b.oid, case when t.typtype = 'd' then t.typtypmod else a.atttypmod end), b.typtype, b.typcategory,
  b.typtype = 'c' or e.typtype = 'c' or e.oid in ('json'::regtype, 'jsonb'::regtype),
  f.parents, coalesce(f.is_alone, false)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  join pg_type t on t.oid = a.atttypid
  join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
  left join pg_type e on e.oid = b.typelem and b.typcategory = 'A'
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  left join lateral (
    select string_agg(f.confrelid || ' ' || p.attname, e'\\n' order by cardinality(f.conkey) desc, f.oid) parents,
      count(*) = 1 and bool_and(cardinality(f.conkey) = 1) is_alone
    from pg_constraint f join pg_attribute p
      on p.attrelid = f.confrelid and p.attnum = f.confkey[array_position(f.conkey, a.attnum)]
    where f.contype = 'f' and f.conrelid = c.oid and a.attnum = any (f.conkey) and f.conparentid = 0
  ) f on true
where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^(pg_|information_schema)'
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
  and not exists (select from pg_rewrite r where r.ev_class = c.oid and r.ev_type in ('2', '3', '4'))
  and not exists (select from pg_inherits i where i.inhparent = c.oid and c.relkind = 'r')
order by n.nspname, c.relname, a.attnum";
/// Unique keys whose columns are never NULL: table, whether it is the primary key, and its columns.
const KEYS: &str = "
select i.indrelid, i.indisprimary, a.names
from pg_index i, lateral (
  select string_agg(a.attname, e'\\n' order by k.at) names, bool_and(a.attnotnull) given
  from unnest(i.indkey) with ordinality k(number, at)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
  where k.at <= i.indnkeyatts) a
where i.indisunique and i.indimmediate and i.indpred is null and i.indexprs is null and a.given
order by i.indnkeyatts, i.indexrelid";

/// A table.
pub struct Table {
    /// Its number.
    pub oid: String,
    /// Its name behind its schema's.
    pub name: String,
    /// It alone, without those that inherit from it.
    pub sql: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// What tells its rows apart.
    pub keys: Vec<Key>,
}

/// A column.
pub struct Column {
    /// Its name.
    pub name: String,
    /// Whether it is never NULL.
    pub is_required: bool,
    /// Whether the server makes a value for each row.
    pub is_made: bool,
    /// Whether it has a default of any kind.
    pub has_default: bool,
    /// The type, or that below its domain.
    pub kind: String,
    /// Whether that is an enumeration.
    pub is_enum: bool,
    /// Whether it is an array.
    pub is_array: bool,
    /// Whether it is text.
    pub is_text: bool,
    /// Whether JSON has no form for it that a fixture understands: it is a composite, or has such elements.
    pub is_composite: bool,
    /// What foreign keys refer it to: tables and columns, the longest foreign key first.
    pub parents: Vec<Target>,
    /// Whether that is one foreign key of this column alone.
    pub is_reference: bool,
}

/// A column of a table that others refer to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The table.
    pub oid: String,
    /// The column.
    pub column: String,
}

/// A unique key.
pub struct Key {
    /// Whether it is the primary one.
    pub is_primary: bool,
    /// Its columns.
    pub columns: Vec<String>,
}

impl Table {
    /// Its name without the schema.
    pub fn bare(&self) -> &str {
        self.name.split_once('.').map_or("", |(_, name)| name)
    }

    /// A column.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column that alone is the primary key, where the server makes it.
    pub fn made_id(&self) -> Option<&Column> {
        match self.keys.iter().find(|key| key.is_primary)?.columns.as_slice() {
            [column] => self.column(column).filter(|column| column.is_made),
            _ => None,
        }
    }
}

impl Column {
    /// The parent that its values name.
    pub fn parent(&self) -> Option<&Target> {
        self.parents.first().filter(|_| self.is_reference)
    }
}

/// All tables but those that belong to extensions, and partitions.
pub fn tables(client: &mut Client) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for row in texts(client, COLUMNS) {
        let [oid, schema, name, is_partitioned, column, is_required, is_made, has_default, rest @ ..] =
            row.as_slice()
        else {
            unreachable!()
        };
        let [kind, sort, category, is_composite, parents, is_alone] = rest else { unreachable!() };
        if tables.last().is_none_or(|table| table.oid != *oid) {
            let only = if is_partitioned == "t" { "" } else { "only " };
            tables.push(Table {
                oid: oid.clone(),
                name: format!("{schema}.{name}"),
                sql: format!("{only}{}.{}", ident(schema), ident(name)),
                columns: Vec::new(),
                keys: Vec::new(),
            });
        }
        let parents = parents.lines().filter_map(|parent| parent.split_once(' '));
        let target = |(oid, column): (&str, &str)| Target { oid: oid.to_owned(), column: column.to_owned() };
        tables.last_mut().unwrap().columns.push(Column {
            name: column.clone(),
            is_required: is_required == "t",
            is_made: is_made == "t",
            has_default: has_default == "t",
            kind: kind.clone(),
            is_enum: sort == "e",
            is_array: category == "A",
            is_text: category == "S",
            is_composite: is_composite == "t",
            parents: parents.map(target).collect(),
            is_reference: is_alone == "t",
        });
    }
    for row in texts(client, KEYS) {
        if let Some(table) = tables.iter_mut().find(|table| table.oid == row[0]) {
            let columns = row[2].lines().map(str::to_owned).collect();
            table.keys.push(Key { is_primary: row[1] == "t", columns });
        }
    }
    tables
}
