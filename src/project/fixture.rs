//! Fixtures: rows that should exist. The file's name is the table.

pub mod exact;
pub mod refs;
mod templates;

use std::sync::Arc;

use exact::{Exact, Scope};
use refs::Ref;
use templates::{Templates, fill};

use super::bulk::Bulk;
use super::diagnostic::{Diagnostic, did_you_mean};
use super::instruction::Purpose;
use super::reading::Reading;
use super::source::{Name, Source, Span};
use super::value::{Row, check_cell_for};
use super::yaml::{self, Content, Entry, Node};

/// The keys of a fixture written as a map.
pub const KEYS: &[&str] = &[
    "key",
    "refs",
    "mode",
    "insert_only",
    "refresh",
    "scope",
    "allow_empty",
    "max_delete",
    "cascade",
    "defaults",
    "templates",
    "rows",
    "from",
];

/// The key of a fixture file of several tables.
const TABLES: &str = "tables";

/// Rows of one table that should exist.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// The file's name without extension: what scenarios call it.
    pub name: String,
    /// The table it fills, `table` or `schema.table`.
    pub table: Name,
    /// The columns that tell one row from another, if the author says so.
    pub key: Option<Vec<Name>>,
    /// The unique index that tells one row from another instead, if the author says so.
    pub key_index: Option<Name>,
    /// Links of the table that no constraint tells of.
    pub refs: Vec<Ref>,
    /// What happens to rows, if the author says so.
    pub mode: Option<Mode>,
    /// The columns that are given to new rows, and left alone in rows that are there.
    pub insert_only: Vec<Name>,
    /// The columns whose values of the moment are compared and updated like others.
    pub refresh: Vec<Name>,
    /// How far `mode: exact` goes, if it is said.
    pub exact: Option<Exact>,
    /// The values for rows that do not give them.
    pub defaults: Vec<Entry>,
    /// The rows, each with the fixture's defaults filled in.
    pub rows: Vec<Row>,
    /// The file that holds the rows instead, relative to the fixture's own, if the author names one.
    pub from: Option<Name>,
    /// That file.
    pub bulk: Option<Arc<Bulk>>,
    /// What the run's environment says of it, if it says anything.
    pub overlay: Option<Box<Fixture>>,
    /// The file.
    pub source: Arc<Source>,
}

/// What happens to rows that are missing and rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Rows are inserted only when the table has no row at all.
    IfEmpty,
    /// Missing rows are inserted, existing ones kept.
    Insert,
    /// Missing rows are inserted, and existing ones get the values that the fixture gives.
    Upsert,
    /// The same, and rows inside the scope that the fixture does not name are deleted.
    Exact,
}

impl Mode {
    /// Every mode with its word, from the one that writes least.
    pub const WORDS: &[(&str, Mode)] = &[
        ("if-empty", Mode::IfEmpty),
        ("insert", Mode::Insert),
        ("upsert", Mode::Upsert),
        ("exact", Mode::Exact),
    ];
}

impl Fixture {
    /// Reads a fixture file, which may be of several tables. Every problem is noted; what is left of the
    /// fixtures is returned.
    pub fn parse(source: Arc<Source>, problems: &mut Vec<Diagnostic>) -> Vec<Fixture> {
        Fixture::parse_part(source, false, problems)
    }

    /// Reads a fixture file of an environment. It may say as little as it likes, since another says the rest.
    pub fn parse_overlay(source: Arc<Source>, problems: &mut Vec<Diagnostic>) -> Vec<Fixture> {
        Fixture::parse_part(source, true, problems)
    }

    fn parse_part(source: Arc<Source>, is_overlay: bool, problems: &mut Vec<Diagnostic>) -> Vec<Fixture> {
        let name = source.stem().to_owned();
        let node = match yaml::parse(&source) {
            Ok(node) => node,
            Err(problem) => {
                problems.push(problem);
                return Vec::new();
            }
        };
        let mut reading = Reading::new(&source, problems);
        if !matches!(&node.content, Content::Map(entries) if entries.iter().any(|entry| entry.key == TABLES))
        {
            let table = Name { text: name.clone(), span: node.span };
            return Fixture::read_part(&mut reading, name, table, node, is_overlay).into_iter().collect();
        }
        let mut fixtures = Vec::new();
        for entry in reading.map(node, "a fixture").unwrap_or_default() {
            if entry.key != TABLES {
                let help = "say it for each table, below its name";
                reading.problem_help(entry.key_span, "beside `tables` stands nothing else", help);
                continue;
            }
            for table in reading.map(entry.value, "`tables`").unwrap_or_default() {
                let place = Name { text: table.key, span: table.key_span };
                fixtures.extend(Fixture::read_part(
                    &mut reading,
                    name.clone(),
                    place,
                    table.value,
                    is_overlay,
                ));
            }
        }
        fixtures
    }

    /// Reads a fixture from a node: a list of rows, or a map with `rows`.
    pub fn read(reading: &mut Reading, name: String, table: Name, node: Node) -> Option<Fixture> {
        Fixture::read_part(reading, name, table, node, false)
    }

    fn read_part(
        reading: &mut Reading,
        name: String,
        table: Name,
        node: Node,
        is_overlay: bool,
    ) -> Option<Fixture> {
        let span = node.span;
        let mut fixture = Fixture {
            name,
            table,
            key: None,
            key_index: None,
            refs: Vec::new(),
            mode: None,
            insert_only: Vec::new(),
            refresh: Vec::new(),
            exact: None,
            defaults: Vec::new(),
            rows: Vec::new(),
            from: None,
            bulk: None,
            overlay: None,
            source: reading.source.clone(),
        };
        let mut templates = Templates::default();
        match node.content {
            Content::List(items) => fixture.rows = rows(reading, items),
            Content::Map(entries) => {
                let mut rows_span = None;
                for entry in entries {
                    match entry.key.as_str() {
                        "key" if matches!(entry.value.content, Content::Map(_)) => {
                            fixture.key_index = index(reading, entry.value);
                        }
                        "key" => fixture.key = Some(reading.names(entry.value, "`key`")),
                        "refs" => fixture.refs = refs::read(reading, entry.value),
                        "mode" => fixture.mode = reading.choice(entry.value, "mode", Mode::WORDS),
                        "insert_only" => fixture.insert_only = reading.names(entry.value, "`insert_only`"),
                        "refresh" => fixture.refresh = reading.names(entry.value, "`refresh`"),
                        key if exact::KEYS.contains(&key) => {
                            fixture.exact.get_or_insert_default().read(reading, entry);
                        }
                        "defaults" => {
                            fixture.defaults = reading.map(entry.value, "`defaults`").unwrap_or_default();
                            for cell in &fixture.defaults {
                                check_cell_for(Purpose::Write, reading, &cell.key, &cell.value);
                            }
                        }
                        "templates" => templates = Templates::read(reading, entry.value),
                        "from" => fixture.from = reading.text(entry.value, "`from`"),
                        "rows" => {
                            rows_span = Some(entry.key_span);
                            let items = reading.list(entry.value, "`rows`").unwrap_or_default();
                            fixture.rows = rows(reading, items);
                        }
                        _ => reading.unknown_key(&entry, "a fixture", KEYS),
                    }
                }
                match (rows_span, &fixture.from) {
                    (None, None) if is_overlay => {}
                    (None, None) => reading.problem_help(
                        span,
                        "a fixture needs `rows`",
                        "write `rows:` and a list of rows, or make the whole file that list",
                    ),
                    (Some(rows), Some(from)) => {
                        let context = (from.span, "and from here".to_owned());
                        let problem = reading.problem(rows, "rows come from one place");
                        problem.context = Some(context);
                        problem.help =
                            Some("keep `rows` or `from`; a file may hold several tables".to_owned());
                    }
                    _ => {}
                }
            }
            _ => {
                let message = format!("a fixture is a list of rows, and here stands {}", node.noun());
                reading.problem_help(span, message, "write `- {column: value}`, one line for each row");
                return None;
            }
        }
        for row in &mut fixture.rows {
            templates.fill(reading, row);
            row.own = row.cells.len();
            if !row.is_removed {
                fill(row, &fixture.defaults);
            }
        }
        if !is_overlay {
            fixture.check_whole(reading, span);
        }
        Some(fixture)
    }

    /// Lays what an environment says over it: what it says wins, and the rest stays. Rows are merged later.
    pub fn lay(&mut self, reading: &mut Reading, overlay: Fixture) {
        let span = overlay.table.span;
        let (own, others) = (self.bulk.is_some(), overlay.bulk.is_some());
        if others || own && !overlay.rows.is_empty() {
            let message = match others {
                true => "the rows of a file are not laid over others",
                false => "these rows would be laid over those of a file",
            };
            let help = "write the rows of both in YAML, or give the file a name of its own";
            reading.problem_help(span, message, help);
        }
        if let Some(link) = overlay.refs.first() {
            let help = format!("say it in `{}`", self.source.path);
            reading.problem_help(link.name.span, "`refs` are the same in every environment", help);
        }
        self.mode = overlay.mode.or(self.mode);
        if overlay.exact.is_some() {
            self.exact = overlay.exact.clone();
        }
        self.overlay = Some(Box::new(overlay));
        self.check_whole(reading, span);
    }

    /// Something that the fixture or its overlay says, with the file that says it: the overlay comes first.
    pub fn said<'f, T>(&'f self, of: impl Fn(&'f Fixture) -> Option<T>) -> Option<(T, &'f Arc<Source>)> {
        let parts = self.overlay.as_deref().into_iter().chain([self]);
        parts.into_iter().find_map(|part| Some((of(part)?, &part.source)))
    }

    /// Its own rows, and those of its overlay.
    pub fn all_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().chain(self.overlay.iter().flat_map(|overlay| &overlay.rows))
    }

    /// Notes what `mode: exact` lacks, or what only it may say, once all of the fixture is known.
    pub fn check_whole(&self, reading: &mut Reading, span: Span) {
        self.check_refresh(reading, span);
        let scoped = self.exact.as_ref().filter(|exact| exact.scope.is_some());
        match (self.mode, &self.exact) {
            (Some(Mode::Exact), _) if scoped.is_none() => reading.problem_help(
                span,
                "`mode: exact` deletes the rows it does not name, and here nothing says where",
                "name the rows it answers for: `scope: {column: value}`, or `scope: all`",
            ),
            (Some(Mode::Exact), Some(exact))
                if self.all_rows().next().is_none() && self.from.is_none() && !exact.allow_empty =>
            {
                reading.problem_help(
                    span,
                    "this fixture has no rows, and `mode: exact` would delete all of its scope",
                    "if that is meant, say `allow_empty: true`",
                )
            }
            (Some(Mode::Exact), _) | (_, None) => {}
            (_, Some(exact)) => {
                if let Some(span) = exact.span {
                    let message = "`scope`, `max_delete` and `allow_empty` belong to `mode: exact`";
                    reading.problem_help(span, message, "say `mode: exact`, or leave it out");
                }
            }
        }
    }

    /// Notes columns that would be refreshed where nothing is updated.
    fn check_refresh(&self, reading: &mut Reading, span: Span) {
        let said = self.said(|it| it.refresh.first().map(|first| (first, &it.refresh)));
        let Some(((first, names), source)) = said else { return };
        let span = if Arc::ptr_eq(source, reading.source) { first.span } else { span };
        if self.mode.unwrap_or(Mode::Insert) < Mode::Upsert {
            let help = "say `mode: upsert`, or leave it out";
            return reading.problem_help(span, "`refresh` is for rows that are updated", help);
        }
        let insert_only = self.said(|it| (!it.insert_only.is_empty()).then_some(&it.insert_only));
        let is_both =
            |name: &&Name| insert_only.is_some_and(|(only, _)| only.iter().any(|it| it.text == name.text));
        if let Some(name) = names.iter().find(is_both) {
            let message = format!("`{}` is to be refreshed, and for new rows only", name.text);
            reading.problem_help(span, message, "keep it under `refresh` or under `insert_only`");
        }
    }

    /// The fixture that a file of rows is without more words.
    pub fn of_file(bulk: Arc<Bulk>) -> Fixture {
        let name = bulk.stem().to_owned();
        // A file that could not be read has no layout; what is wrong with it is said already.
        let (span, source) = match bulk.layouts.first() {
            Some(it) => (it.columns.first().map(|it| it.span).unwrap_or_default(), it.source.clone()),
            None => (Span::default(), Source::new(bulk.path.clone(), "")),
        };
        Fixture {
            table: Name { text: name.clone(), span },
            name,
            key: None,
            key_index: None,
            refs: Vec::new(),
            mode: None,
            insert_only: Vec::new(),
            refresh: Vec::new(),
            exact: None,
            rows: Vec::new(),
            from: None,
            source,
            bulk: Some(bulk),
            defaults: Vec::new(),
            overlay: None,
        }
    }

    /// Gives fixtures the files of rows that they name. A file that none of them names is one of its own.
    pub fn find_files(fixtures: &mut Vec<Fixture>, files: Vec<Arc<Bulk>>, problems: &mut Vec<Diagnostic>) {
        for fixture in fixtures.iter_mut() {
            fixture.find_file(&files, problems);
        }
        let named: Vec<Arc<Bulk>> = fixtures.iter().filter_map(|fixture| fixture.bulk.clone()).collect();
        let alone = files.into_iter().filter(|file| !named.iter().any(|named| Arc::ptr_eq(named, file)));
        fixtures.extend(alone.map(Fixture::of_file));
    }

    /// Finds the file that `from` names among those of the project.
    fn find_file(&mut self, files: &[Arc<Bulk>], problems: &mut Vec<Diagnostic>) {
        let Some(from) = &self.from else { return };
        let directory = self.source.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let path = joined(directory, &from.text);
        self.bulk = files.iter().find(|file| file.path == path).cloned();
        if self.bulk.is_none() {
            let known = files.iter().map(|file| file.path.strip_prefix(directory).unwrap_or(&file.path));
            let known: Vec<&str> = known.map(|path| path.trim_start_matches('/')).collect();
            let help = did_you_mean(&from.text, known.iter().copied());
            let help = help.unwrap_or_else(|| "it is a file below `fixtures/` that ends in `.csv`, `.ndjson`, or one of these with `.gz`".to_owned());
            problems.push(
                Diagnostic::error(format!("there is no file `{path}`"))
                    .at(&self.source, from.span)
                    .help(help),
            );
        }
    }

    /// The cells of its rows, its defaults and its scope, and of its overlay, with the file they stand in.
    pub fn cells(&self) -> Vec<(&Arc<Source>, &[Entry])> {
        let mut cells: Vec<(&Arc<Source>, &[Entry])> = Vec::new();
        let is_filled_later = self.overlay.is_some() || self.bulk.is_some();
        for part in self.overlay.as_deref().into_iter().chain([self]) {
            cells.extend(part.rows.iter().map(|row| (&part.source, row.cells.as_slice())));
            cells.extend(is_filled_later.then_some((&part.source, part.defaults.as_slice())));
        }
        let scope = self.said(|it| match &it.exact.as_ref()?.scope {
            Some(Scope::Rows(cells)) => Some(cells.as_slice()),
            _ => None,
        });
        cells.extend(scope.map(|(scope, source)| (source, scope)));
        cells
    }

    /// Whether applying it may delete rows, in a mode that a step may have lowered.
    pub fn deletes(&self, mode: Mode) -> bool {
        mode == Mode::Exact || mode != Mode::IfEmpty && self.all_rows().any(|row| row.is_removed)
    }
}

/// The name of an index, from `{index: name}`.
fn index(reading: &mut Reading, node: Node) -> Option<Name> {
    let span = node.span;
    let mut name = None;
    for entry in reading.map(node, "`key`")? {
        match entry.key.as_str() {
            "index" => name = reading.text(entry.value, "`index`"),
            _ => reading.unknown_key(&entry, "a key", &["index"]),
        }
    }
    if name.is_none() {
        reading.problem_help(
            span,
            "this key names no index",
            "write `key: {index: users_lower_email}`, or a list of columns",
        );
    }
    name
}

fn rows(reading: &mut Reading, items: Vec<Node>) -> Vec<Row> {
    items.into_iter().filter_map(|item| row(reading, item)).collect()
}

/// A row, which may say that it shall not exist: `_delete: true`.
fn row(reading: &mut Reading, item: Node) -> Option<Row> {
    let mut row = Row::parse_for(Purpose::Write, reading, item, "a row")?;
    if let Some(at) = row.cells.iter().position(|cell| cell.key == "_delete") {
        let cell = row.cells.remove(at);
        row.is_removed = reading.flag(cell.value, "`_delete`");
        if row.cells.is_empty() {
            let help = "give the columns of its key";
            reading.problem_help(cell.key_span, "nothing tells which row to delete", help);
            return None;
        }
    }
    Some(row)
}

/// A path relative to a directory, without `.` and `..`.
fn joined(directory: &str, path: &str) -> String {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let root = if directory.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

/// The place of a fixture as a whole.
pub fn place(fixture: &Fixture) -> Span {
    fixture.rows.first().map_or(fixture.table.span, |row| row.span)
}
