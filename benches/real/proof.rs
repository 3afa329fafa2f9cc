//! A proof: what `seedbed` makes of fixtures in a database without rows is what they were read from.

use std::fmt;
use std::fs;
use std::process::Command;
use std::time::Instant;

use postgres::Client;
use serde_json::Value;
use tempfile::TempDir;

use super::catalog::Table;
use super::export::{Export, Rows};
use super::schema::Schema;
use super::sql::{ident, literal, texts, value};

/// Sequences, and the columns that they fill.
const SEQUENCES: &str = "
select distinct s.oid::regclass, t.oid::regclass, quote_ident(a.attname)
from pg_class s join pg_depend d on d.refobjid = s.oid or (d.objid = s.oid and d.deptype = 'i')
  left join pg_attrdef f on f.oid = d.objid and d.classid = 'pg_attrdef'::regclass
  join pg_attribute a on a.attrelid = coalesce(f.adrelid, d.refobjid) and a.attnum = coalesce(f.adnum, d.refobjsubid)
  join pg_class t on t.oid = a.attrelid and t.relkind in ('r', 'p')
where s.relkind = 'S' and a.attnum > 0 order by 1, 2";

/// How many problems of a run are told.
const PROBLEMS_TOLD: usize = 3;

/// What was found.
pub struct Proof {
    name: String,
    tables: usize,
    made: usize,
    rows: u64,
    references: usize,
    left_out: Option<usize>,
    inserted: u64,
    times: Vec<f64>,
    faults: Vec<String>,
}

impl Proof {
    /// The head of the table whose lines proofs are.
    pub const HEAD: &str = "\
| schema | tables | rows | of them made up | references by name | ids left out | inserted | plan | seed | again | unseed | faults |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

    /// Tries a schema.
    pub fn of(schema: &Schema, leave_ids_out: bool) -> Proof {
        let mut full = schema.server.client(&schema.full());
        full.batch_execute("set timezone = utc").unwrap();
        let export = Export::new(&schema.tables, &schema.names, leave_ids_out);
        let trial = Trial { schema, database: schema.empty(), project: tempfile::tempdir().unwrap() };
        let fixtures = trial.project.path().join("fixtures");
        fs::create_dir(&fixtures).unwrap();
        let mut proof = Proof {
            name: schema.name.clone(),
            tables: schema.tables.len(),
            made: schema.made,
            rows: 0,
            references: 0,
            left_out: leave_ids_out.then(|| export.left_out()),
            inserted: 0,
            times: Vec::new(),
            faults: Vec::new(),
        };
        let mut contents = Vec::new();
        for (at, table) in schema.tables.iter().enumerate() {
            // The second time each table comes in another form.
            let turn = at + 7 * usize::from(leave_ids_out);
            let has_key = export.write(&mut full, &fixtures, table, turn);
            let count: u64 =
                value(&mut full, &format!("select count(*) from {}", table.sql)).parse().unwrap();
            let rows = export.rows(table);
            proof.rows += count;
            proof.references += rows.references;
            contents.push(Content { table, rows, count, has_key });
        }
        trial.run(&mut proof, &mut full, &contents);
        if std::env::var_os("SEEDBED_KEEP").is_some() {
            eprintln!("{} is kept", trial.project.keep().display());
        }
        proof
    }

    /// Whether anything is not as it should be.
    pub fn failed(&self) -> bool {
        !self.faults.is_empty()
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Proof { name, tables, rows, made, references, inserted, .. } = self;
        let left_out = self.left_out.map(|count| count.to_string()).unwrap_or("–".into());
        write!(
            formatter,
            "| {name} | {tables} | {rows} | {made} | {references} | {left_out} | {inserted} |"
        )?;
        for at in 0..4 {
            match self.times.get(at) {
                Some(time) => write!(formatter, " {time:.1} s |")?,
                None => write!(formatter, " |")?,
            }
        }
        write!(formatter, " {} |", self.faults.len())?;
        self.faults.iter().try_for_each(|fault| write!(formatter, "\n    {}", fault.replace('\n', "\n    ")))
    }
}

/// What a table holds.
struct Content<'a> {
    table: &'a Table,
    rows: Rows,
    count: u64,
    has_key: bool,
}

/// The project that is tried on a database.
struct Trial<'a> {
    schema: &'a Schema<'a>,
    database: String,
    project: TempDir,
}

impl Trial<'_> {
    fn run(&self, proof: &mut Proof, full: &mut Client, contents: &[Content]) {
        let mut empty = self.schema.server.client(&self.database);
        empty.batch_execute("set timezone = utc").unwrap();
        let before = state(&mut empty, contents);
        let plan = self.seedbed(&["seed", "--plan", "--json"], proof);
        if state(&mut empty, contents) != before {
            proof.faults.push("the plan has written".into());
        }
        let report = self.seedbed(&["seed", "--json"], proof);
        if plan.is_null() || report.is_null() {
            return;
        }
        // A plan tells of tables, without their schemas, in the order of fixtures; a report of partitions.
        let mut planned: Vec<(String, u64)> = inserted(&plan["tables"]);
        let mut there: Vec<(String, u64)> =
            contents.iter().map(|content| (content.table.bare().to_owned(), content.count)).collect();
        planned.sort();
        there.sort();
        if planned != there {
            planned.retain(|count| !there.contains(count));
            proof.faults.push(format!("other counts are planned than are there: {planned:?}"));
        }
        let wrote = &report["scenarios"][0]["steps"][0]["wrote"];
        proof.inserted = inserted(wrote).into_iter().map(|(_, count)| count).sum();
        if proof.inserted != proof.rows {
            proof.faults.push(format!("{} rows are inserted where there are {}", proof.inserted, proof.rows));
        }
        compare(full, &mut empty, contents, proof);
        let before = state(&mut empty, contents);
        let again = self.seedbed(&["seed", "--json"], proof);
        let step = &again["scenarios"][0]["steps"][0];
        if step["outcome"] != "unchanged" {
            proof.faults.push(format!("the second run says {step}"));
        }
        if state(&mut empty, contents) != before {
            proof.faults.push("the second run has written".into());
        }
        sequences(&mut empty, proof);
        // Rows that nothing tells apart cannot be unseeded, and so neither can what they refer to.
        if contents.iter().any(|content| !content.has_key) {
            return;
        }
        let names = contents.iter().map(|content| content.table.name.as_str());
        let unseed: Vec<&str> =
            ["unseed", "--json", "--max-delete", "1000000"].into_iter().chain(names).collect();
        if self.seedbed(&unseed, proof).is_null() {
            return;
        }
        for Content { table, .. } in contents {
            let left = value(&mut empty, &format!("select count(*) from {}", table.sql));
            if left != "0" {
                proof.faults.push(format!("unseed has left {left} rows of {}", table.name));
            }
        }
    }

    /// Runs the command, and returns its JSON if it succeeds.
    fn seedbed(&self, arguments: &[&str], proof: &mut Proof) -> Value {
        let socket = self.schema.server.socket().to_string_lossy().replace('/', "%2F");
        let mut command = Command::new(env!("CARGO_BIN_EXE_seedbed"));
        command.args(arguments).arg("--dir").arg(self.project.path());
        command.env("DATABASE_URL", format!("postgresql://postgres@{socket}/{}", self.database));
        let start = Instant::now();
        let output = command.output().unwrap();
        proof.times.push(start.elapsed().as_secs_f64());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if output.status.success() {
            return report;
        }
        let mut said = vec![format!("`seedbed {}` fails", arguments[..2].join(" "))];
        problems(&report, &mut said);
        if said.len() == 1 {
            said.push(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let more = said.len().saturating_sub(PROBLEMS_TOLD + 1);
        if more > 0 {
            said.truncate(PROBLEMS_TOLD + 1);
            said.push(format!("and {more} more"));
        }
        proof.faults.push(said.join("\n"));
        Value::Null
    }
}

/// The tables of a plan or report, and how many of their rows are inserted.
fn inserted(tables: &Value) -> Vec<(String, u64)> {
    let counted = |table: &Value| Some((table["table"].as_str()?.to_owned(), table["inserted"].as_u64()?));
    tables.as_array().into_iter().flatten().filter_map(counted).collect()
}

/// What is wrong in a report, at whatever depth.
fn problems(report: &Value, said: &mut Vec<String>) {
    match report {
        Value::Object(map) if map.contains_key("message") && map["severity"] != "warning" => {
            let place = &map["place"];
            let (file, line) = (&place["file"], &place["line"]);
            said.push(format!("{} {file}:{line}: {}; {}", map["message"], map["notes"], map["help"]));
        }
        Value::Object(map) => map.values().for_each(|value| problems(value, said)),
        Value::Array(values) => values.iter().for_each(|value| problems(value, said)),
        _ => {}
    }
}

/// Compares all rows of both, and tells of columns that differ.
fn compare(full: &mut Client, empty: &mut Client, contents: &[Content], proof: &mut Proof) {
    for Content { table, rows, .. } in contents {
        let query = rows.query();
        let mut differs = |what: &str| {
            let sum = format!(
                "select md5(string_agg(({what})::text, e'\\n' order by ({what})::text collate \"C\")) from ({query}) q"
            );
            value(full, &sum) != value(empty, &sum)
        };
        if differs("q") {
            let mut columns: Vec<&str> = rows.leaves.iter().map(|(name, _)| name.as_str()).collect();
            columns.retain(|column| differs(&format!("q.{}", ident(column))));
            proof.faults.push(format!("rows of {} differ in {columns:?}", table.name));
        }
    }
}

/// Whatever changes when anything is written.
fn state(client: &mut Client, contents: &[Content]) -> Vec<String> {
    let versions = contents.iter().map(|Content { table, .. }| {
        let version = "concat(tableoid, ctid, xmin, xmax)";
        format!("select md5(string_agg({version}, ',' order by tableoid, ctid)) from {}", table.sql)
    });
    let mut state: Vec<String> = versions.map(|sql| value(client, &sql)).collect();
    for row in texts(client, "select oid::regclass from pg_class where relkind = 'S'") {
        let look = format!("select last_value, is_called, log_cnt from {}", row[0]);
        state.push(texts(client, &look).concat().join(" "));
    }
    state
}

/// A row without an id must find its way in behind those of the fixtures.
fn sequences(client: &mut Client, proof: &mut Proof) {
    for row in texts(client, SEQUENCES) {
        let [sequence, table, column] = row.try_into().unwrap();
        let next = format!("select nextval({}), coalesce(max({column}), 0) from {table}", literal(&sequence));
        let next = texts(client, &next).concat();
        if next[0].parse::<i64>().unwrap() <= next[1].parse().unwrap_or(i64::MAX) {
            proof.faults.push(format!("{sequence} gives {} where {table}.{column} has {}", next[0], next[1]));
        }
    }
}
