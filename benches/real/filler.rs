//! Rows for the tables that a schema brings none for. They mean nothing, but are of their types.

use std::collections::HashSet;

use postgres::Client;

use super::catalog::{Column, Table};
use super::sql::{ident, literal, value};

/// How many rows are tried for a table.
const ROWS: usize = 12;

/// Fills tables that are empty, parents first, and returns how many rows that are. What a constraint refuses
/// is left out.
pub fn fill(client: &mut Client, tables: &[Table]) -> usize {
    let mut is_open: Vec<bool> = tables.iter().map(|table| is_empty(client, table)).collect();
    let (mut made, mut went_on) = (0, true);
    while std::mem::take(&mut went_on) {
        for (at, table) in tables.iter().enumerate() {
            let waits = table.columns.iter().filter(|column| column.is_required).any(|column| {
                column.parents.iter().any(|parent| {
                    parent.oid != table.oid
                        && tables.iter().any(|other| other.oid == parent.oid && is_empty(client, other))
                })
            });
            if is_open[at] && !waits {
                is_open[at] = false;
                went_on = true;
                made += (1..=ROWS).filter(|number| insert(client, tables, table, *number)).count();
            }
        }
    }
    made
}

fn is_empty(client: &mut Client, table: &Table) -> bool {
    value(client, &format!("select not exists (select from {})", table.sql)) == "t"
}

/// Inserts a row with all of its columns, or at least with those that it needs.
fn insert(client: &mut Client, tables: &[Table], table: &Table, number: usize) -> bool {
    let mut tried = HashSet::new();
    for keep in [true, false] {
        let columns = table.columns.iter().enumerate().filter(|(at, column)| {
            let is_left_out = (at + number).is_multiple_of(4);
            match column.is_required && !column.has_default {
                true => true,
                false => keep && !is_left_out && !column.is_made,
            }
        });
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (_, column) in columns {
            names.push(ident(&column.name));
            values.push(made(tables, table, column, number));
        }
        let insert = match names.is_empty() {
            true => format!("insert into {} default values", target(table)),
            false => {
                format!("insert into {} ({}) values ({})", target(table), names.join(", "), values.join(", "))
            }
        };
        if tried.insert(insert.clone()) && client.batch_execute(&insert).is_ok() {
            return true;
        }
    }
    false
}

fn target(table: &Table) -> &str {
    table.sql.strip_prefix("only ").unwrap_or(&table.sql)
}

/// The value of a column in a row.
fn made(tables: &[Table], table: &Table, column: &Column, number: usize) -> String {
    if let Some(parent) = column.parents.first() {
        let Some(of) = tables.iter().find(|other| other.oid == parent.oid) else { return "null".to_owned() };
        // The same parent for each column of a foreign key.
        return format!(
            "(select p.{} from {} p order by p.ctid offset {number} % greatest(1, (select count(*) from {})) limit 1)",
            ident(&parent.column),
            of.sql,
            of.sql
        );
    }
    if column.is_enum {
        let values = format!("enum_range(null::{})", column.kind);
        return format!("({values})[1 + {number} % cardinality({values})]");
    }
    if column.is_array {
        let element = column.kind.trim_end_matches("[]");
        let element = [plain(element, &column.name, number), plain(element, &column.name, number + 1)];
        return format!("array[{}]::{}", element.join(", "), column.kind);
    }
    let _ = table;
    plain(&column.kind, &column.name, number)
}

/// A value of a type, by its name.
fn plain(kind: &str, name: &str, number: usize) -> String {
    let word = kind.split('(').next().unwrap_or(kind);
    let size =
        kind.split_once('(').and_then(|(_, size)| size.split([',', ')']).next()?.parse::<usize>().ok());
    let text = match word {
        "boolean" => (number.is_multiple_of(2)).to_string(),
        "smallint" | "integer" | "bigint" | "oid" => number.to_string(),
        "numeric" => number.to_string(),
        "real" | "double precision" => format!("{number}.1"),
        "money" => format!("{number}.50"),
        "text" | "citext" | "character varying" | "character" | "\"char\"" => {
            let text = format!("{name} \"{number}\", é");
            let short = size.unwrap_or(if word == "\"char\"" { 1 } else { 200 });
            match text.chars().count() > short {
                true => format!("{number:0width$}", width = short.min(4)).chars().take(short).collect(),
                false => text,
            }
        }
        "name" => format!("{name}_{number}"),
        "uuid" => return format!("md5({} || {number})::uuid", literal(name)),
        "json" | "jsonb" => format!("{{\"a\": [{number}, null, 1.50], \"$b\": {{\"c d\": \"x\"}}}}"),
        "bytea" => format!("\\x00ff{number:02}"),
        "date" => format!("2024-02-{number:02}"),
        "timestamp" | "timestamp without time zone" => format!("2024-02-{number:02} 12:34:56"),
        "timestamp with time zone" => format!("2024-02-{number:02} 12:34:56.789+01"),
        "time without time zone" => format!("{number:02}:30:00"),
        "time with time zone" => format!("{number:02}:30:00+02"),
        "interval" => format!("{number} days 02:03:04"),
        "inet" | "cidr" => format!("10.0.0.{number}"),
        "macaddr" => format!("08:00:2b:01:02:{number:02}"),
        "xml" => format!("<a n=\"{number}\"/>"),
        "point" => format!("({number},1.5)"),
        "tsvector" => format!("'word':{number}"),
        "tsquery" => "word & other".to_owned(),
        "hstore" => format!("\"a\"=>\"{number}\", \"b\"=>NULL"),
        "ltree" => format!("top.n{number}"),
        "bit" | "bit varying" => "1".repeat(size.unwrap_or(1)),
        "cube" => format!("({number}, 2)"),
        "int4range" | "int8range" | "numrange" => format!("[{number},{})", number + 5),
        "daterange" | "tsrange" | "tstzrange" => format!("[2024-01-{number:02},2024-02-{number:02})"),
        _ => return "null".to_owned(),
    };
    format!("{}::{kind}", literal(&text))
}
