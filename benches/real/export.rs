//! Fixtures from tables, as a person might write them: parents by name, in files of all kinds.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use postgres::Client;

use super::catalog::{Column, Table, Target};
use super::names::Names;
use super::sql::{ident, literal, texts, value};

/// A fixture in YAML has no more values than this; that of a larger table is CSV.
const WRITTEN_MAX: usize = 100_000;
/// The endings of fixtures, which take turns.
const ENDINGS: &[&str] = &["csv", "csv.gz", "ndjson", "yaml", "ndjson.gz"];
/// What follows the key, in turns.
const MODES: &[&str] = &["mode: insert\n", "mode: upsert\n", "mode: exact\nscope: all\nallow_empty: true\n"];

/// What fixtures say of the tables of a schema.
pub struct Export<'a> {
    tables: &'a [Table],
    names: &'a Names,
    /// The ids that are left out.
    left_out: HashSet<Target>,
}

/// What a fixture says of one table.
pub struct Rows {
    /// The columns of CSV: their names or paths, and SQL.
    pub leaves: Vec<(String, String)>,
    /// The members of JSON.
    members: Vec<String>,
    /// The same for YAML.
    yaml: Vec<String>,
    /// How many columns name a parent.
    pub references: usize,
    /// The table.
    from: String,
}

impl Rows {
    /// The rows as they are in a file.
    pub fn query(&self) -> String {
        let columns: Vec<String> =
            self.leaves.iter().map(|(name, sql)| format!("{sql} as {}", ident(name))).collect();
        format!("select {} from {} t", columns.join(", "), self.from)
    }

    fn objects(&self, members: &[String]) -> String {
        let members = members.join(", ");
        format!("select row_to_json(r)::text from (select {members} from {} t) r", self.from)
    }
}

impl<'a> Export<'a> {
    /// With all ids, or without those that the server makes for rows with another name.
    pub fn new(tables: &'a [Table], names: &'a Names, leave_ids_out: bool) -> Export<'a> {
        let columns = tables.iter().flat_map(|table| &table.columns);
        let needed: HashSet<&Target> =
            columns.filter(|column| !column.is_reference).flat_map(|column| &column.parents).collect();
        let ids = tables.iter().filter(|_| leave_ids_out).filter_map(|table| {
            let id = Target { oid: table.oid.clone(), column: table.made_id()?.name.clone() };
            (names.of(&id).is_some() && !needed.contains(&id)).then_some(id)
        });
        Export { tables, names, left_out: ids.collect() }
    }

    /// How many ids are left out.
    pub fn left_out(&self) -> usize {
        self.left_out.len()
    }

    /// What a fixture says of a table.
    pub fn rows(&self, table: &Table) -> Rows {
        let mut rows = Rows {
            leaves: Vec::new(),
            members: Vec::new(),
            yaml: Vec::new(),
            references: 0,
            from: table.sql.clone(),
        };
        for column in &table.columns {
            if self.left_out.contains(&Target { oid: table.oid.clone(), column: column.name.clone() }) {
                continue;
            }
            let sql = format!("t.{}", ident(&column.name));
            let reference = self.refer(column, &sql, &column.name, &mut rows.leaves);
            rows.references += usize::from(reference.is_some());
            let member = reference.unwrap_or_else(|| {
                rows.leaves.push((column.name.clone(), plain(column, &sql)));
                plain(column, &sql)
            });
            let yaml = match column.kind.as_str() {
                // In YAML some keys of JSON would be instructions.
                "json" | "jsonb" => {
                    format!(
                        "case when {member} is not null then json_build_object('$json', {member}::text) end"
                    )
                }
                _ => member.clone(),
            };
            rows.members.push(format!("{member} as {}", ident(&column.name)));
            rows.yaml.push(format!("{yaml} as {}", ident(&column.name)));
        }
        rows
    }

    /// Writes the fixture of a table. `turn` says in which form. Returns whether its rows can be found again.
    pub fn write(&self, client: &mut Client, directory: &Path, table: &Table, turn: usize) -> bool {
        let rows = self.rows(table);
        let count: usize = value(client, &format!("select count(*) from {}", table.sql)).parse().unwrap();
        let key = self.key(client, table, count);
        let has_key = key.is_some();
        let head = match key {
            None => "mode: if-empty\n".to_owned(),
            Some(key) => match (key.as_str(), MODES[turn / ENDINGS.len() % MODES.len()]) {
                ("", "mode: insert\n") => String::new(),
                (key, mode) => format!("{key}{mode}"),
            },
        };
        let ending = match ENDINGS[turn % ENDINGS.len()] {
            "yaml" if count * table.columns.len() > WRITTEN_MAX => "csv",
            // NDJSON has a line for each row: none may break, and there must be one.
            "ndjson" | "ndjson.gz" if count == 0 || table.columns.iter().any(|it| it.kind == "json") => "csv",
            ending => ending,
        };
        let text = match ending {
            "csv" | "csv.gz" => csv(client, &rows.query()),
            "yaml" => lines(client, &rows.objects(&rows.yaml), "- "),
            _ => lines(client, &rows.objects(&rows.members), ""),
        };
        let name = |ending: &str| directory.join(format!("{}.{ending}", table.name));
        if ending == "yaml" {
            let rows = if count == 0 { "rows: []\n" } else { "rows:\n" };
            fs::write(name("yaml"), [head.as_bytes(), rows.as_bytes(), &text].concat()).unwrap();
            return has_key;
        }
        if ending.ends_with(".gz") {
            let mut packed = GzEncoder::new(File::create(name(ending)).unwrap(), Compression::fast());
            packed.write_all(&text).unwrap();
            packed.finish().unwrap();
        } else {
            fs::write(name(ending), text).unwrap();
        }
        if !head.is_empty() {
            let from = format!("from: {:?}\n", format!("{}.{ending}", table.name));
            fs::write(name("yaml"), head + &from).unwrap();
        }
        has_key
    }

    /// What says which key is meant, where that is not clear. None if nothing tells rows apart.
    fn key(&self, client: &mut Client, table: &Table, count: usize) -> Option<String> {
        let id = table.made_id().map(|id| Target { oid: table.oid.clone(), column: id.name.clone() });
        let columns = match id.filter(|id| self.left_out.contains(id)) {
            Some(id) => self.names.of(&id)?.to_vec(),
            None if table.keys.iter().any(|key| key.is_primary) => {
                return Some(String::new());
            }
            None => match table.keys.first() {
                Some(key) => key.columns.clone(),
                None => all_columns(client, table, count)?,
            },
        };
        let columns: Vec<String> = columns.into_iter().map(|column| format!("{column:?}")).collect();
        Some(format!("key: [{}]\n", columns.join(", ")))
    }

    /// What names the parent of a column: JSON, and the columns of CSV.
    fn refer(
        &self,
        column: &Column,
        sql: &str,
        path: &str,
        leaves: &mut Vec<(String, String)>,
    ) -> Option<String> {
        let target = column.parent()?;
        let names = self.names.of(target)?;
        let parent = self.tables.iter().find(|table| table.oid == target.oid)?;
        let mut members = Vec::new();
        for name in names {
            let own = parent.column(name)?;
            let found = format!(
                "(select p.{} from {} p where p.{} = {sql})",
                ident(name),
                parent.sql,
                ident(&target.column)
            );
            let path = format!("{path}.{name}");
            let member = self.refer(own, &found, &path, leaves).unwrap_or_else(|| {
                leaves.push((path, plain(own, &found)));
                plain(own, &found)
            });
            members.push(format!("{}, {member}", literal(name)));
        }
        Some(format!("case when {sql} is not null then json_build_object({}) end", members.join(", ")))
    }
}

/// The columns that are nowhere NULL, if they tell rows apart.
fn all_columns(client: &mut Client, table: &Table, count: usize) -> Option<Vec<String>> {
    let given = table.columns.iter().map(|column| format!("count({})", ident(&column.name)));
    let given = format!("select {} from {}", given.collect::<Vec<_>>().join(", "), table.sql);
    let given = texts(client, &given).remove(0);
    let columns = table.columns.iter().zip(given).filter(|(_, given)| *given == count.to_string());
    let columns: Vec<&str> = columns.map(|(column, _)| column.name.as_str()).collect();
    let list: Vec<String> = columns.iter().map(|column| format!("{}::text", ident(column))).collect();
    let distinct = format!("select count(distinct array[{}]::text[]) from {}", list.join(", "), table.sql);
    let tells = value(client, &distinct) == count.to_string();
    tells.then(|| columns.into_iter().map(str::to_owned).collect())
}

fn plain(column: &Column, sql: &str) -> String {
    if column.is_composite { format!("({sql})::text") } else { sql.to_owned() }
}

fn csv(client: &mut Client, query: &str) -> Vec<u8> {
    let mut text = Vec::new();
    let copy = format!("copy ({query}) to stdout (format csv, header)");
    client.copy_out(&copy).unwrap().read_to_end(&mut text).unwrap();
    text
}

fn lines(client: &mut Client, query: &str, before: &str) -> Vec<u8> {
    let rows = texts(client, query);
    let lines: String = rows.iter().map(|row| format!("{before}{}\n", row[0])).collect();
    // YAML has escapes for what JSON may hold as it is.
    let escape = |sign: char| match sign {
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => format!("\\u{:04x}", sign as u32),
        sign => sign.to_string(),
    };
    lines.chars().map(escape).collect::<String>().into_bytes()
}
