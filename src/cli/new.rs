//! `new`: begins a file, as much of it as can be known.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::options::Options;
use super::target::Target;
use super::{Refusal, terminal};
use crate::database::catalog;
use crate::plan::catalog::{Catalog, Column, ForeignKey, Table};
use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::project::load;
use crate::project::migration::Migration;
use crate::project::source::Source;
use crate::project::written;
use crate::report::exit::Exit;
use crate::run::Run;

/// What can be begun.
#[derive(Debug, Subcommand)]
pub enum New {
    /// Begin a migration, with the next version
    Migration {
        /// What it does, like create_roster
        name: String,
    },
    /// Begin a fixture from the columns of its table
    ///
    /// Reads the live table: its columns and types, defaults, the labels of enums, and the natural
    /// key of each parent.
    Fixture {
        /// The table, like employees or app.employees
        table: String,
    },
    /// Begin a scenario
    Scenario {
        /// What it shows, like roster
        name: String,
    },
}

/// Writes the new file, and says where.
pub fn new(options: &Options, new: &New) -> Result<Exit, Refusal> {
    let (path, text) = match new {
        New::Migration { name } => migration(options, name)?,
        New::Fixture { table } => (PathBuf::from(format!("fixtures/{table}.yaml")), fixture(options, table)?),
        New::Scenario { name } => scenario(name)?,
    };
    let path = match options.dir.as_os_str() == "." {
        true => path,
        false => options.dir.join(path),
    };
    write(&path, &text)?;
    if options.json {
        terminal::print_json(
            &serde_json::json!({ "version": 1, "exit": 0, "held": true, "created": path.display().to_string() }),
        );
    } else {
        terminal::print_line(&format!("created {}", path.display()));
    }
    Ok(Exit::Held)
}

fn invalid(diagnostic: Diagnostic) -> Refusal {
    Refusal::new(Exit::Invalid, diagnostic)
}

fn write(path: &Path, text: &str) -> Result<(), Refusal> {
    let cannot = |error: std::io::Error| {
        let diagnostic = Diagnostic::error(format!("cannot create `{}`: {error}", path.display()));
        invalid(if error.kind() == std::io::ErrorKind::AlreadyExists {
            diagnostic.help("edit it, or choose another name")
        } else {
            diagnostic
        })
    };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(cannot)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(cannot)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(cannot)
}

fn migration(options: &Options, name: &str) -> Result<(PathBuf, String), Refusal> {
    let files = load::load(&options.dir);
    let newest = files
        .migrations
        .iter()
        .filter_map(|source| Migration::parse(source.clone()).ok())
        .map(|migration| migration.version)
        .max();
    let version = newest.unwrap_or(0) + 1;
    let file = format!("migrations/V{version}__{name}.sql");
    Migration::parse(Source::new(file.clone(), "")).map_err(|mut problem| {
        problem.place = None;
        invalid(problem)
    })?;
    let text = "-- One transaction: all of this file is applied, or nothing of it.\n\n".to_owned();
    Ok((PathBuf::from(file), text))
}

fn scenario(name: &str) -> Result<(PathBuf, String), Refusal> {
    if name.is_empty() || name.contains(['/', '\\', '\0']) || name.starts_with('.') {
        return Err(invalid(
            Diagnostic::error(format!("`{name}` is no file name")).help("use a word, like `roster`"),
        ));
    }
    let title = name.replace(['_', '-'], " ");
    let text = format!(
        "scenario: {title}\n\nsteps:\n  - assert: The database answers\n    query: select 1 as one\n    rows:\n      - {{one: 1}}\n"
    );
    Ok((PathBuf::from(format!("scenarios/{name}.yaml")), text))
}

fn fixture(options: &Options, name: &str) -> Result<String, Refusal> {
    let project = Default::default();
    let work = options.work(&project);
    let mut target = Target::choose(options)?;
    let quiet = Options { quiet: true, ..options.clone() };
    let mut terminal = terminal::Terminal::new(&quiet);
    let read = Run::new(&work, &mut target.connection, &mut |event| terminal.show(&event))
        .reading("the catalog", |session| catalog::read(session, &[name]));
    let catalog = read.map_err(|stop| Refusal { exit: stop.exit, diagnostics: stop.diagnostics })?;
    let Some(table) = catalog.table(name) else {
        let help = did_you_mean(name, catalog.known.iter().map(String::as_str));
        let help = help.unwrap_or_else(|| "apply the migrations first: `seedbed migrate`".to_owned());
        return Err(invalid(Diagnostic::error(format!("there is no table `{name}`")).help(help)));
    };
    Ok(skeleton(table, &catalog))
}

/// A fixture of one row to fill in, and comments that say what each column takes.
fn skeleton(table: &Table, catalog: &Catalog) -> String {
    let mut text = format!("# Rows that should exist in {}.{}.\n", table.schema, table.name);
    let keys: Vec<_> = table.natural_keys().collect();
    match keys.as_slice() {
        [] => {
            let columns = table.columns.iter().filter(|column| !column.is_assigned_by_server());
            let required = columns.filter(|column| column.is_required()).map(|column| column.name.clone());
            let key = names(&required.collect::<Vec<_>>());
            text.push_str(&format!(
                "# No unique key tells its rows apart: name the columns that do.\nkey: [{key}]\n"
            ));
        }
        [only] => text.push_str(&format!("key: [{}]\n", names(&only.columns))),
        several => {
            let all: Vec<String> = several.iter().map(|key| format!("[{}]", names(&key.columns))).collect();
            text.push_str(&format!(
                "# Unique keys: {}.\nkey: [{}]\n",
                all.join(" "),
                names(&several[0].columns)
            ));
        }
    }
    text.push_str("mode: insert            # or if-empty\nrows:\n");
    let mut first = true;
    let mut left_out = Vec::new();
    for column in &table.columns {
        if column.is_assigned_by_server() {
            left_out.push(format!("#   {}: {} is made by the server\n", column.name, column.declared));
            continue;
        }
        let parent = table.foreign_keys.iter().find(|key| key.columns == [column.name.as_str()]);
        let (name, value, words) = cell(column, parent, catalog);
        let bullet = if first { "  - " } else { "    " };
        first = false;
        text.push_str(
            format!("{:<40} # {words}", format!("{bullet}{}: {value}", written::write(&name))).trim_end(),
        );
        text.push('\n');
    }
    if first {
        text.push_str("  []\n");
    }
    text + &left_out.concat()
}

fn names(columns: &[String]) -> String {
    columns.iter().map(|name| written::write(name)).collect::<Vec<_>>().join(", ")
}

/// The name, an example value and the description of one column.
fn cell(column: &Column, parent: Option<&ForeignKey>, catalog: &Catalog) -> (String, String, String) {
    let mut words = column.declared.clone();
    if let Some(labels) = &column.labels {
        words = format!("one of {}", labels.join(", "));
    }
    words.push_str(match (&column.default, column.not_null) {
        (Some(_), _) => ", may be left out",
        (None, true) => ", required",
        (None, false) => ", may be null",
    });
    if let Some(default) = &column.default {
        words.push_str(&format!(": {default}"));
    }
    let parent_table = parent.and_then(|key| catalog.table_by_oid(key.parent));
    let Some(parent_table) = parent_table else {
        let value =
            column.labels.as_ref().and_then(|labels| labels.first()).map(|label| written::write(label));
        return (column.name.clone(), value.unwrap_or_else(|| "null".to_owned()), words);
    };
    let required = if column.not_null { ", required" } else { ", may be null" };
    let keys: Vec<_> = parent_table.natural_keys().collect();
    let single = keys.iter().filter(|key| key.columns.len() == 1).count() == 1;
    match keys.first() {
        Some(key) if single && column.name.ends_with("_id") && key.columns.len() == 1 => {
            let short = column.name.trim_end_matches("_id").to_owned();
            (short, "null".to_owned(), format!("{} by its {}{required}", parent_table.name, key.columns[0]))
        }
        Some(key) => {
            let members: Vec<String> =
                key.columns.iter().map(|name| format!("{}: null", written::write(name))).collect();
            (
                column.name.clone(),
                format!("{{{}}}", members.join(", ")),
                format!("{} by its key{required}", parent_table.name),
            )
        }
        None => {
            (column.name.clone(), "null".to_owned(), format!("{} by its id{required}", parent_table.name))
        }
    }
}
