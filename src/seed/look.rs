//! Look: what applying loads would insert, update and delete, row by row, without writing anything.
//!
//! The way is that of the statement that writes, up to the rows with all their lookups. What earlier
//! loads would have written is taken for written, so that later ones find their parents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::file::filled;
use super::finding::{Finding, Obstacle, diagnostics};
use super::identify::{Aim, same_key};
use super::intake::intake;
use super::load::{Group, Load, Places, Rule};
use super::lookup::{Lookups, Operand};
use super::problems::{problems, problems_select};
use super::{remove, unit};
use crate::plan::catalog::Column;
use crate::plan::intake::Intake;
use crate::plan::quote::{identifier, literal};
use crate::plan::resolve::{Origin, Target};
use crate::plan::{Answer, Statement, number, text};
use crate::project::bulk::{Bulk, FoundRow, Pick};
use crate::project::diagnostic::Diagnostic;
use crate::project::source::Place;

/// The most rows of a load that are told of one by one.
pub const ROWS_TOLD_MAX: usize = 1_000;
/// The same for rows in a file, each of which is read again.
const FILE_ROWS_TOLD_MAX: usize = 20;

/// A look that can be taken.
pub struct Look {
    loads: Vec<Told>,
    /// The files whose rows it needs.
    pub intakes: Vec<Intake>,
    /// What is asked.
    pub statement: Statement,
    finding: Finding,
}

/// What would become of one load.
#[derive(Debug)]
pub struct Foreseen {
    /// The table.
    pub table: String,
    /// Where the author names it.
    pub place: Place,
    /// Rows that would be inserted.
    pub inserted: usize,
    /// Rows that would get values they lack.
    pub updated: usize,
    /// Rows that would be deleted.
    pub deleted: usize,
    /// Rows that say something else and would be kept.
    pub kept: usize,
    /// Whether the load would be left alone because its table has rows.
    pub is_skipped: bool,
    /// The first of these rows.
    pub changes: Vec<Change>,
}

/// What would become of one row.
#[derive(Debug)]
pub struct Change {
    /// What.
    pub kind: ChangeKind,
    /// Where the author wrote the row, if it is written.
    pub place: Option<Place>,
    /// What it is told by: all that an inserted row gives, the key of another.
    pub values: Vec<(String, Option<String>)>,
    /// The columns that would change, with what they have and what they would get.
    pub cells: Vec<(String, Option<String>, Option<String>)>,
}

/// What would become of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It would be inserted.
    Insert,
    /// It would be updated.
    Update,
    /// It would be deleted.
    Delete,
}

impl Look {
    /// A look at what `own` loads would do behind those `before` them.
    ///
    /// Fails for tables whose keys refer to each other in a circle.
    pub fn new<'c>(before: Vec<Load<'c>>, own: Vec<Load<'c>>) -> Result<Look, Diagnostic> {
        let first = before.len();
        let mut loads: Vec<Load> = before.into_iter().chain(own).collect();
        unit::number(&mut loads);
        let mut statement = Statement::default();
        let lookups = Lookups::of(&loads);
        let mut tables = super::tables(&loads, &lookups, Aim::Look, &mut statement)?;
        let own = &loads[first..];
        let mut scopes = Vec::new();
        for load in own {
            let (doomed, scope) = remove::doomed(load, own, &lookups, &mut statement).unzip();
            tables.extend(doomed);
            scopes.push(scope);
        }
        tables.push(problems(own, &scopes, &lookups));
        let mut selects = vec![problems_select(own)];
        own.iter().for_each(|load| selects.extend(asked(load, &lookups)));
        statement.sql = format!("with\n{}\n{}", tables.join(",\n"), selects.join("\nunion all\n"));
        let groups = loads.iter().flat_map(|load| load.groups.iter().map(move |group| (load, group)));
        let intakes = groups
            .filter_map(|(load, group)| group.file.as_ref().map(|file| intake(load, group, file, &lookups)));
        let intakes = intakes.collect();
        let finding = Finding::of(&loads, &lookups);
        let told = loads.drain(first..).map(Told::of).collect();
        Ok(Look { intakes, statement, finding, loads: told })
    }

    /// What is asked, for somebody else to ask it.
    pub fn take_statement(&mut self) -> Statement {
        std::mem::take(&mut self.statement)
    }

    /// What the answer foresees for each own load, or what would keep them from being applied.
    pub fn read(&self, answer: &Answer) -> Result<Vec<Foreseen>, Vec<Diagnostic>> {
        self.judge(answer).map_err(diagnostics)
    }

    /// The same, with what the obstacles are.
    pub fn judge(&self, answer: &Answer) -> Result<Vec<Foreseen>, Vec<Obstacle>> {
        let obstacles = self.finding.obstacles(answer);
        if !obstacles.is_empty() {
            return Err(obstacles);
        }
        Ok(self.loads.iter().map(|load| self.foreseen(load, answer)).collect())
    }

    fn foreseen(&self, load: &Told, answer: &Answer) -> Foreseen {
        let mut foreseen = Foreseen {
            table: load.table.clone(),
            place: load.place.clone(),
            inserted: 0,
            updated: 0,
            deleted: 0,
            kept: 0,
            is_skipped: false,
            changes: Vec::new(),
        };
        let mut there = 0;
        let found = found(load, answer);
        for row in answer.iter().filter(|row| number(row, 1) == load.number) {
            match text(row, 0) {
                "insert_count" => foreseen.inserted = number(row, 2),
                "update_count" => foreseen.updated = number(row, 2),
                "delete_count" => foreseen.deleted = number(row, 2),
                "kept_count" => foreseen.kept = number(row, 2),
                "there" => there = number(row, 2),
                "insert" => foreseen.changes.extend(inserted(load, &found, number(row, 2), text(row, 3))),
                "update" => updated(load, &found, row, &mut foreseen.changes),
                "delete" => foreseen.changes.push(deleted(row)),
                _ => {}
            }
        }
        foreseen.changes.sort_by_key(|change| {
            change
                .place
                .as_ref()
                .map_or((true, 0, 0), |place| (false, place.source.line_first, place.span.start))
        });
        foreseen.is_skipped = load.is_if_empty && foreseen.inserted == 0 && there > 0;
        foreseen
    }
}

/// The part of the answer about one load.
fn asked(load: &Load, lookups: &Lookups) -> Vec<String> {
    let mut selects = Vec::new();
    let (mut inserted, mut differing, mut there) = (Vec::new(), Vec::new(), Vec::new());
    let table = load.table.sql();
    for (at, group) in load.groups.iter().enumerate().filter(|(_, group)| !group.is_removed) {
        let suffix = &group.suffix;
        inserted.push(format!("(select count(*) from resolved_{suffix} where is_new)"));
        there.push(format!("(select count(*) from resolved_{suffix} where not is_new)"));
        let most = if group.is_in_file() { FILE_ROWS_TOLD_MAX } else { ROWS_TOLD_MAX };
        selects.push(format!(
            "(select 'insert', '{}', x.n::text, '{at}', null from resolved_{suffix} x where x.is_new order by x.n limit {most})",
            load.number
        ));
        if load.key.is_empty() || load.rule != Rule::KeyIsMissing {
            continue;
        }
        let same = same_key(load, group, lookups, "x", false);
        let compared = compared(load, group, lookups);
        let differs: Vec<String> =
            compared.iter().map(|(_, own, value, column)| column.differs(own, value)).collect();
        if differs.is_empty() {
            continue;
        }
        let differs = differs.join(" or ");
        let joined = format!("resolved_{suffix} x join {table} t on {same}\n  where not x.is_new");
        differing.push(format!("(select count(*) from {joined} and ({differs}))"));
        for (name, own, value, column) in compared.iter().filter(|_| load.updates.is_some()) {
            let is_secret = load.is_secret(group, name);
            let new = if is_secret { "'***'".to_owned() } else { format!("{value}::text") };
            let old = load.shown(group, column);
            selects.push(format!(
                "(select 'update', '{}', x.n::text, {}, json_build_array({at}, {old}, {new})::text from {joined} and {} order by x.n limit {most})",
                load.number,
                literal(name),
                column.differs(own, value)
            ));
        }
    }
    let mut count = |what: &str, counts: Vec<String>| {
        let sum = if counts.is_empty() { "0".to_owned() } else { counts.join(" + ") };
        selects.push(format!("select '{what}', '{}', ({sum})::text, null, null", load.number));
    };
    count("insert_count", inserted);
    count("there", there);
    count(if load.updates.is_some() { "update_count" } else { "kept_count" }, differing);
    if load.deletes() {
        count("delete_count", vec![remove::wanted(load, lookups)]);
    }
    let key = |name: &&str| format!("{}, t.{}::text", literal(name), identifier(name));
    let keys: Vec<String> = telling(load).iter().map(key).collect();
    let told = format!("json_build_array(json_build_object({}))::text", keys.join(", "));
    for group in load.groups.iter().filter(|group| group.is_removed) {
        selects.push(format!(
            "(select 'delete', '{}', x.n::text, null, {told} from {table} t join resolved_{} x on {} order by x.n limit {ROWS_TOLD_MAX})",
            load.number,
            group.suffix,
            remove::same_row(load, group, lookups)
        ));
    }
    if load.removal.is_some() {
        selects.push(format!(
            "(select 'delete', '{0}', '0', null, {told} from {table} t join doomed_{0} d on t.tableoid = d.source and t.ctid = d.place limit {ROWS_TOLD_MAX})",
            load.number
        ));
    }
    selects
}

/// The columns that a row which nobody names is told by: those of the key, or else as many as can be read.
fn telling<'c>(load: &Load<'c>) -> Vec<&'c str> {
    const COLUMNS_MAX: usize = 8;
    let primary = load.table.keys.iter().find(|key| key.primary);
    match primary.filter(|_| load.key.is_empty()) {
        Some(primary) => primary.columns.iter().map(String::as_str).collect(),
        None if load.key.is_empty() => {
            load.table.columns.iter().take(COLUMNS_MAX).map(|column| column.name.as_str()).collect()
        }
        None => load.key.clone(),
    }
}

/// The columns of a group that are compared with what is there: names, and what they have and would get.
fn compared<'c>(
    load: &Load<'c>,
    group: &Group,
    lookups: &Lookups,
) -> Vec<(String, String, String, &'c Column)> {
    let except = load.updates.as_deref().unwrap_or_default();
    let given = lookups.groups[&group.suffix].given.iter();
    let given = given
        .filter(|(name, _)| !load.is_key(name) && !except.contains(name) && load.is_compared(group, name));
    given
        .filter_map(|(name, operand)| {
            let value = match operand {
                Operand::Leaf(number) => format!("x.c{number}"),
                Operand::Found(number, at) => format!("x.r{number}_v{at}"),
                Operand::Made(number) => format!("x.e{number}"),
                Operand::Null => return None,
            };
            Some(((*name).to_owned(), format!("t.{}", identifier(name)), value, load.table.column(name)?))
        })
        .collect()
}

fn inserted(load: &Told, found: &Found, row: usize, group: &str) -> Option<Change> {
    let group = load.groups.get(group.parse::<usize>().ok()?)?;
    let (values, place) = told(load, group, found, row, |_| true)?;
    Some(Change { kind: ChangeKind::Insert, place, values, cells: Vec::new() })
}

/// Adds a cell to the change of its row.
fn updated(load: &Told, found: &Found, row: &[Option<String>], changes: &mut Vec<Change>) {
    let told_cell: Option<(usize, Option<String>, Option<String>)> = serde_json::from_str(text(row, 4)).ok();
    let Some((group, old, new)) = told_cell else { return };
    let Some(group) = load.groups.get(group) else { return };
    let is_key = |columns: &[String]| columns.iter().any(|name| load.key.contains(name));
    let Some((values, place)) = told(load, group, found, number(row, 2), is_key) else { return };
    // The id of a parent that is still to be inserted is not known yet; how it is named is.
    let parents =
        told(load, group, found, number(row, 2), |columns| columns.iter().any(|name| name == text(row, 3)));
    let named = parents.and_then(|(values, _)| values.into_iter().next()?.1.filter(|it| it.starts_with('{')));
    let is_reference =
        group.values().iter().any(|it| it.is_reference && it.columns.iter().any(|name| name == text(row, 3)));
    let cell = (text(row, 3).to_owned(), old, named.filter(|_| is_reference).or(new));
    let is_same = |change: &&mut Change| change.kind == ChangeKind::Update && change.place == place;
    match changes.iter_mut().find(is_same) {
        Some(change) => change.cells.push(cell),
        None => changes.push(Change { kind: ChangeKind::Update, place, values, cells: vec![cell] }),
    }
}

fn deleted(row: &[Option<String>]) -> Change {
    let keys: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(text(row, 4)).unwrap_or_default();
    let values = keys.into_iter().flatten().map(|(name, value)| (name, value.as_str().map(str::to_owned)));
    Change { kind: ChangeKind::Delete, place: None, values: values.collect(), cells: Vec::new() }
}

/// Rows of files, by their numbers.
type Found = BTreeMap<usize, FoundRow>;

/// The rows of a load's file that an answer speaks of, all read at once.
fn found(load: &Told, answer: &Answer) -> Found {
    let of_load = answer.iter().filter(|row| number(row, 1) == load.number);
    let told = of_load.filter(|row| matches!(text(row, 0), "insert" | "update"));
    let numbers: BTreeSet<usize> = told.map(|row| number(row, 2)).collect();
    let files = load.groups.iter().filter_map(|group| group.file.as_ref());
    files.flat_map(|(bulk, pick)| bulk.found(&numbers, pick)).collect()
}

/// Values of a row, by their names.
type Values = Vec<(String, Option<String>)>;

/// What a row gives in the columns that are wanted, and where it stands.
fn told(
    load: &Told,
    group: &ToldGroup,
    found: &Found,
    row: usize,
    is_wanted: impl Fn(&[String]) -> bool,
) -> Option<(Values, Option<Place>)> {
    if group.file.is_some() {
        let found = found.get(&row)?;
        let values = group.values().iter().filter(|value| is_wanted(&value.columns)).map(|value| {
            let is_null = value.is_plain
                && value
                    .text
                    .as_ref()
                    .and_then(|text| filled(text, &found.texts).1)
                    .is_some_and(|at| found.texts[at].is_none());
            let text = value.text.as_ref().filter(|_| !is_null);
            (value.name.clone(), text.map(|text| filled(text, &found.texts).0))
        });
        return Some((values.collect(), found.place()));
    }
    let (_, values) = group.rows.iter().find(|(number, _)| *number == row)?;
    let values = values.iter().filter(|value| is_wanted(&value.columns));
    let values = values.map(|value| (value.name.clone(), value.text.clone()));
    Some((values.collect(), load.places.get(row)))
}

/// What has to be known of a load when the answer is there.
struct Told {
    number: usize,
    table: String,
    place: Place,
    is_if_empty: bool,
    key: Vec<String>,
    groups: Vec<ToldGroup>,
    places: Places,
}

/// Rows of the same columns.
struct ToldGroup {
    rows: Vec<(usize, Vec<ToldValue>)>,
    /// The file they stand in, if it is one of their own.
    file: Option<(Arc<Bulk>, Pick)>,
}

/// A value that a row gives.
struct ToldValue {
    columns: Vec<String>,
    name: String,
    text: Option<String>,
    is_plain: bool,
    is_reference: bool,
}

impl Told {
    fn of(load: Load) -> Told {
        let group = |group: &Group| ToldGroup {
            file: group
                .file
                .as_ref()
                .filter(|_| group.is_in_file())
                .map(|file| (file.bulk.clone(), file.pick.clone())),
            rows: group
                .rows
                .iter()
                .map(|(number, targets)| (*number, targets.iter().map(ToldValue::of).collect()))
                .collect(),
        };
        Told {
            number: load.number,
            table: load.table.name.clone(),
            place: load.place.clone(),
            is_if_empty: load.rule == Rule::TableIsEmpty,
            key: load.key.iter().map(|name| (*name).to_owned()).collect(),
            groups: load.groups.iter().map(group).collect(),
            places: load.places,
        }
    }
}

impl ToldGroup {
    /// What its rows give, by the example of the first.
    fn values(&self) -> &[ToldValue] {
        self.rows.first().map_or(&[], |(_, values)| values)
    }
}

impl ToldValue {
    fn of(target: &Target) -> ToldValue {
        let (name, text) = value(target);
        ToldValue {
            columns: target.columns().into_iter().map(str::to_owned).collect(),
            name,
            text,
            is_plain: matches!(target, Target::Plain { .. }),
            is_reference: matches!(target, Target::Reference { .. }),
        }
    }
}

/// A value by the name it is written with.
fn value(target: &Target) -> (String, Option<String>) {
    match target {
        target if target.is_secret() => (target.columns().join(", "), Some("***".to_owned())),
        Target::Plain { column, text, origin: Origin::Moment(_), .. } => {
            (column.name.clone(), text.as_ref().map(|text| format!("{{$now: {text}}}")))
        }
        Target::Made { column, sql, .. } => {
            (column.name.clone(), sql.as_ref().map(|sql| format!("{{$sql: {sql}}}")))
        }
        Target::Plain { column, text, .. } => (column.name.clone(), text.clone()),
        Target::Reference { lookup, .. } => {
            let inner: Vec<String> = lookup
                .targets
                .iter()
                .map(|target| {
                    let (name, text) = value(target);
                    format!("{name}: {}", text.as_deref().unwrap_or("null"))
                })
                .collect();
            (target.columns().join(", "), Some(format!("{{{}}}", inner.join(", "))))
        }
    }
}
