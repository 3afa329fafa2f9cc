//! `seed`: applies fixtures, by name or written in the step.
//!
//! ```yaml
//! - seed: Two departments and their people
//!   fixtures: [departments, employees]     # fixtures by name
//!   tables: {employees: [{name: Ada}]}     # and/or rows written here, as in a fixture file
//!   mode: if-empty                         # for fixtures that allow more, do only this much
//! ```
//!
//! Outcomes: `created` when a row was inserted, `updated` when none was and one got values or was
//! deleted, `skipped` when every fixture was left alone because its table has rows, `unchanged` when
//! nothing had to be done. References between the fixtures of a step are resolved whatever their order.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Action, Kind, Outcome, Step};
use crate::plan::catalog::{Catalog, IndexKey, Table, TableKind};
use crate::plan::resolve::Resolver;
use crate::plan::{Access, Answer, Batch, Deletion, JudgeReach, JudgeSettled, Judgement, Shape, Shortcut};
use crate::project::Project;
use crate::project::bulk::Bulk;
use crate::project::diagnostic::{Diagnostic, count, did_you_mean};
use crate::project::fixture::exact::{Exact, Scope};
use crate::project::fixture::{Fixture, Mode, place};
use crate::project::reading::Reading;
use crate::project::source::{Name, Place, Source, Span};
use crate::project::value::Row;
use crate::project::yaml::Entry;
use crate::seed::finding::{Applied, Finding, diagnostics};
use crate::seed::load::{Given, Load, Rule, infer_key, written_key};
use crate::seed::remove::Removal;
use crate::seed::{file, overlay};

/// The kind's line in the register.
pub const KIND: Kind = Kind {
    name: "seed",
    keys: &["fixtures", "tables", "mode"],
    outcomes: &[Outcome::Created, Outcome::Updated, Outcome::Unchanged, Outcome::Skipped],
    accepted: &[Outcome::Created, Outcome::Updated, Outcome::Unchanged, Outcome::Skipped],
    parse,
};

const ALREADY_THERE: &str = "already there";

/// What a `seed` step says.
#[derive(Debug)]
pub struct Seed {
    /// Fixtures by name.
    pub fixtures: Vec<Name>,
    /// Fixtures written in the step.
    pub tables: Vec<Fixture>,
    /// The most that may be done, if the step says so.
    pub mode: Option<Mode>,
    /// What is done with them.
    pub purpose: Purpose,
}

/// What is done with fixtures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They are applied.
    Apply,
    /// The same, and parents that their rows need come along, if other fixtures have them.
    ApplyWithParents,
    /// Their rows are removed.
    Remove,
}

fn parse(reading: &mut Reading, span: Span, entries: Vec<Entry>) -> Option<Box<dyn Action>> {
    let mut seed = Seed { fixtures: Vec::new(), tables: Vec::new(), mode: None, purpose: Purpose::Apply };
    let mut is_empty = true;
    for entry in entries {
        match entry.key.as_str() {
            "fixtures" => {
                is_empty = false;
                seed.fixtures = reading.names(entry.value, "`fixtures`");
            }
            "tables" => {
                is_empty = false;
                for table in reading.map(entry.value, "`tables`")? {
                    let name = Name { text: table.key.clone(), span: table.key_span };
                    seed.tables.extend(Fixture::read(reading, table.key, name, table.value));
                }
            }
            "mode" => seed.mode = reading.choice(entry.value, "mode", Mode::WORDS),
            _ => reading.unknown_key(&entry, "a `seed` step", KIND.keys),
        }
    }
    if is_empty {
        reading.problem_help(
            span,
            "this step seeds nothing",
            "name fixtures: `fixtures: [departments, employees]`",
        );
        return None;
    }
    Some(Box::new(seed))
}

impl Seed {
    fn all<'a>(&'a self, project: &'a Project) -> impl Iterator<Item = &'a Fixture> {
        self.fixtures.iter().flat_map(|name| project.fixtures_named(&name.text)).chain(&self.tables)
    }
}

impl Action for Seed {
    fn check(&self, project: &Project, source: &Arc<Source>, problems: &mut Vec<Diagnostic>) {
        for name in &self.fixtures {
            if project.fixtures_named(&name.text).next().is_none() {
                let known = project.fixtures.iter().map(|fixture| fixture.name.as_str());
                problems.push(
                    Diagnostic::error(format!("there is no fixture `{}`", name.text))
                        .at(source, name.span)
                        .help(
                            did_you_mean(&name.text, known)
                                .unwrap_or_else(|| format!("write it: `seedbed new fixture {}`", name.text)),
                        ),
                );
            }
        }
        for fixture in self.all(project) {
            let named = self.fixtures.iter().find(|name| name.text == fixture.name);
            let span = named.map_or(fixture.table.span, |name| name.span);
            let name = named.map_or(&fixture.table.text, |name| &name.text);
            if let Some(own) = fixture.mode.filter(|own| self.mode.is_some_and(|step| step > *own)) {
                problems.push(
                    Diagnostic::error(format!("the step's mode does more than `{name}` allows"))
                        .at(source, span)
                        .note(format!("the fixture says `mode: {}`", word(own)))
                        .help("a step may lower a fixture's mode, never raise it"),
                );
            } else if self.mode(fixture) == Mode::Exact
                && fixture.exact.as_ref().is_none_or(|it| it.scope.is_none())
                && fixture.mode.is_none()
            {
                problems.push(
                    Diagnostic::error(format!("`{name}` does not say what `exact` may delete"))
                        .at(source, span)
                        .help("say `mode: exact` in the fixture, with a `scope`"),
                );
            }
        }
    }

    fn tables<'a>(&'a self, project: &'a Project) -> Vec<&'a str> {
        match self.purpose == Purpose::ApplyWithParents {
            true => project.fixtures.iter().flat_map(tables).collect(),
            false => self.all(project).flat_map(tables).collect(),
        }
    }

    fn sources<'a>(&'a self, project: &'a Project) -> Vec<&'a Source> {
        let mut sources: Vec<&Source> = Vec::new();
        for fixture in Action::fixtures(self, project) {
            let overlay = fixture.overlay.as_ref().map(|overlay| &*overlay.source);
            for source in [Some(&*fixture.source), overlay].into_iter().flatten() {
                if !sources.iter().any(|known| std::ptr::eq(*known, source)) {
                    sources.push(source);
                }
            }
        }
        sources
    }

    fn fixtures_written(&self) -> &[Fixture] {
        &self.tables
    }

    fn cells<'a>(&'a self, _: &'a Arc<Source>) -> Vec<(&'a Arc<Source>, &'a [Entry])> {
        self.tables.iter().flat_map(Fixture::cells).collect()
    }

    fn fixtures<'a>(&'a self, project: &'a Project) -> Vec<&'a Fixture> {
        self.fixtures.iter().flat_map(|name| project.fixtures_named(&name.text)).collect()
    }

    fn deletes(&self, project: &Project) -> bool {
        self.purpose == Purpose::Remove || self.all(project).any(|it| it.deletes(self.mode(it)))
    }

    fn foreseen<'c>(
        &self,
        _: &Step,
        project: &Project,
        catalog: &'c Catalog,
    ) -> Option<Result<Vec<Load<'c>>, Vec<Diagnostic>>> {
        Some(self.loads(project, catalog))
    }

    fn compile(&self, _: &Step, project: &Project, catalog: &Catalog) -> Result<Batch, Vec<Diagnostic>> {
        let loads = self.loads(project, catalog)?;
        let has_file = loads.iter().any(|load| load.groups.iter().any(|group| group.file.is_some()));
        if has_file {
            return self.series(project, loads);
        }
        let seeding = crate::seed::compile(&loads).map_err(|problem| vec![problem])?;
        let finding = Arc::new(seeding.finding);
        let [first, second] = [finding.clone(), finding.clone()];
        let judge = move |answer: &Answer| first.read(answer).map(|it| judgement(&it)).map_err(diagnostics);
        let settled: JudgeSettled = Box::new(move |answer| second.settled(answer));
        let (shortcut, warnings) = (shortcut(&loads), warnings(&loads));
        Ok(Batch {
            warnings,
            deletion: loads.iter().any(Load::deletes).then(|| self.deletion(project, &loads, finding)),
            // Rows for an empty table have no key that they would have to be found by again.
            settled: shortcut.is_none().then_some(settled),
            shortcut,
            ..Batch::ready(Access::Write, seeding.statement, &[], Box::new(judge))
        })
    }
}

impl Seed {
    fn mode(&self, fixture: &Fixture) -> Mode {
        self.mode.or(fixture.mode).unwrap_or(Mode::Insert)
    }

    /// The batch of loads of which some take their rows from files.
    fn series(&self, project: &Project, loads: Vec<Load>) -> Result<Batch, Vec<Diagnostic>> {
        let (loads, units) = crate::seed::unit::ordered(loads);
        let (units, finding) = crate::seed::series(&loads, &units).map_err(|problem| vec![problem])?;
        let finding = Arc::new(finding);
        let [first, second] = [finding.clone(), finding.clone()];
        let judge = move |answer: &Answer| first.read(answer).map(|it| judgement(&it)).map_err(diagnostics);
        let shortcut = shortcut(&loads);
        let settled: JudgeSettled = Box::new(move |answer| second.settled(answer));
        Ok(Batch {
            access: Access::Write,
            shape: Shape::Series { units, judge: Box::new(judge) },
            deletion: loads.iter().any(Load::deletes).then(|| self.deletion(project, &loads, finding)),
            settled: shortcut.is_none().then_some(settled),
            shortcut,
            warnings: warnings(&loads),
            refusals: &[],
        })
    }

    /// The rows of all its fixtures, and of those that come along.
    fn loads<'c>(&self, project: &Project, catalog: &'c Catalog) -> Result<Vec<Load<'c>>, Vec<Diagnostic>> {
        let (mut loads, mut problems): (Vec<Load>, _) = (Vec::new(), Vec::new());
        let mut fixtures: Vec<&Fixture> = self.all(project).collect();
        let (named, mut at) = (fixtures.len(), 0);
        while let Some(fixture) = fixtures.get(at) {
            at += 1;
            let resolver = Resolver { catalog, source: &fixture.source, outside: &project.outside };
            let (taking, mode) = match self.purpose {
                Purpose::Remove => (Taking::ToRemove, Mode::Insert),
                _ if self.mode(fixture) == Mode::IfEmpty => (Taking::Wanted, Mode::IfEmpty),
                // What only comes along is there afterwards, and nothing else is done to its table.
                _ if at > named => (Taking::Wanted, self.mode(fixture).min(Mode::Insert)),
                _ => (Taking::All, self.mode(fixture)),
            };
            let loaded = load(loads.len() + 1, fixture, (taking, mode), resolver, &mut problems);
            loaded.map_or_else(|problem| problems.push(problem), |load| loads.extend(load));
            if at == fixtures.len() && self.purpose == Purpose::ApplyWithParents {
                fixtures.extend(parents(&fixtures, &loads, project, catalog));
            }
        }
        if problems.is_empty() { Ok(loads) } else { Err(problems) }
    }

    fn deletion(&self, project: &Project, loads: &[Load], finding: Arc<Finding>) -> Deletion {
        let may_cascade = |fixture: &Fixture| fixture.exact.as_ref().is_some_and(|exact| exact.cascades);
        let is_bounded = !self.all(project).any(may_cascade);
        let tables: Vec<u32> = loads.iter().map(|load| load.table.oid).collect();
        let reach: JudgeReach = Box::new(move |answer| finding.reach(answer, &tables));
        let alone = loads.iter().filter(|load| load.removal.is_some());
        Deletion { alone: alone.map(|load| load.table.sql()).collect(), reach: is_bounded.then_some(reach) }
    }
}

/// The tables that a fixture names.
fn tables(fixture: &Fixture) -> impl Iterator<Item = &str> {
    let links = fixture.refs.iter().map(|link| link.table.text.as_str());
    std::iter::once(fixture.table.text.as_str()).chain(links)
}

/// The fixtures of tables that loads refer to, without those that are known.
fn parents<'p>(
    known: &[&Fixture],
    loads: &[Load],
    project: &'p Project,
    catalog: &Catalog,
) -> Vec<&'p Fixture> {
    let parents: BTreeSet<u32> = loads.iter().flat_map(Load::parents).collect();
    let is_parent = |it: &&Fixture| {
        catalog.table(&it.table.text).is_some_and(|table| parents.contains(&table.oid))
            && !known.iter().any(|known| std::ptr::eq(*known, *it))
    };
    project.fixtures.iter().filter(is_parent).collect()
}

fn judgement(applied: &[Applied]) -> Judgement {
    let outcome = if applied.iter().any(|load| load.created > 0) {
        Outcome::Created
    } else if applied.iter().any(|load| load.updated + load.deleted > 0) {
        Outcome::Updated
    } else if applied.iter().all(|load| load.is_skipped) {
        Outcome::Skipped
    } else {
        Outcome::Unchanged
    };
    let differing =
        |load: &Applied| load.differing.iter().map(|cell| cell.row).collect::<BTreeSet<_>>().len();
    let left = applied.iter().filter(|load| load.updated == 0);
    let kept: usize = left.map(|load| load.kept + differing(load)).sum();
    let detail = match outcome {
        Outcome::Skipped => Some(ALREADY_THERE.to_owned()),
        _ if kept > 0 => {
            Some(format!("kept {} that {}", count(kept, "row"), if kept == 1 { "differs" } else { "differ" }))
        }
        _ => None,
    };
    Judgement { outcome, detail, problem: None }
}

/// What to look at in tables of which rows may be hidden.
fn warnings(loads: &[Load]) -> Vec<Diagnostic> {
    let secured = loads.iter().filter(|load| load.table.is_secured);
    let warning = |load: &Load| {
        let name = &load.table.name;
        Diagnostic::warning(format!("row-level security may hide rows of `{name}` from this role"))
            .at_place(load.place.clone())
            .note("a row that is there and hidden counts as missing, and is not deleted or updated")
            .help("seed as the table's owner, or as a role with BYPASSRLS")
    };
    secured.map(warning).collect()
}

/// Where every load is for an empty table only, and no table is.
fn shortcut(loads: &[Load]) -> Option<Shortcut> {
    let mut conditions: Vec<String> = Vec::new();
    for load in loads {
        if load.rule != Rule::TableIsEmpty {
            return None;
        }
        conditions.push(format!("exists (select from {})", load.table.sql()));
    }
    (!conditions.is_empty()).then(|| Shortcut {
        condition: conditions.join(" and "),
        outcome: Outcome::Skipped,
        detail: ALREADY_THERE,
    })
}

/// Which rows of a fixture are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taking {
    /// All of them, as they are.
    All,
    /// Those that are not named to be removed.
    Wanted,
    /// The same, and they are removed.
    ToRemove,
}

impl Taking {
    /// The rows that are taken of a fixture with its overlay.
    fn of<'c>(self, mut rows: Vec<Given<'c>>) -> Vec<Given<'c>> {
        if self != Taking::All {
            rows.retain(|row| !row.is_removed);
        }
        rows.iter_mut().for_each(|row| row.is_removed |= self == Taking::ToRemove);
        rows
    }
}

fn load<'c>(
    number: usize,
    fixture: &Fixture,
    (taking, mode): (Taking, Mode),
    resolver: Resolver<'c, '_>,
    problems: &mut Vec<Diagnostic>,
) -> Result<Option<Load<'c>>, Diagnostic> {
    let table = resolver.table(&fixture.table)?;
    check_kind(table, mode, fixture)?;
    let place = place(fixture);
    let header = fixture.bulk.as_ref().map(|bulk| {
        (bulk, bulk.layouts.iter().map(|layout| file::header(layout, table)).collect::<Vec<_>>())
    });
    let said = fixture.said(|it| (it.key.is_some() || it.key_index.is_some()).then_some(it));
    let written = said.and_then(|(part, source)| Some((part.key.as_deref()?, source)));
    let index = match said.and_then(|(part, source)| Some((part.key_index.as_ref()?, source))) {
        Some((name, source)) => Some(index(table, name, source)?),
        None => None,
    };
    let key = match (written, &header) {
        _ if index.is_some() => {
            Ok(index.into_iter().flat_map(|index| &index.columns).map(String::as_str).collect())
        }
        (Some((key, source)), _) => written_key(table, key, Resolver { source, ..resolver }),
        (None, Some((bulk, rows))) => {
            let resolver = Resolver { source: &bulk.layouts[0].source, ..resolver };
            infer_key(table, rows, resolver, &fixture.source, place)
        }
        // An overlay's rows say no more than they have to: the key is in those below, if there are any.
        (None, None) => {
            let part = fixture.overlay.as_deref().filter(|_| fixture.rows.is_empty()).unwrap_or(fixture);
            let is_taken = |row: &&Row| taking == Taking::All || !row.is_removed;
            let rows: Vec<Row> = part.rows.iter().filter(is_taken).cloned().collect();
            let resolver = Resolver { source: &part.source, ..resolver };
            infer_key(table, &rows, resolver, &part.source, crate::project::fixture::place(part))
        }
    };
    let has_two_parts =
        !fixture.rows.is_empty() && fixture.overlay.as_ref().is_some_and(|it| !it.rows.is_empty());
    let key = match (mode, key) {
        (_, Ok(key)) => key,
        // Rows need not be told apart when the table is empty.
        (Mode::IfEmpty, Err(_)) if written.is_none() && !has_two_parts => Vec::new(),
        (_, Err(problem)) => {
            // A misspelt column is the better thing to say than the key that it leaves out.
            let before = problems.len();
            let way = (Rule::Always, Vec::new());
            match &header {
                Some((bulk, _)) => drop(of_file(number, table, fixture, bulk, way, resolver, problems)),
                None => {
                    let rows = taking.of(overlay::rows(fixture, table, &[], resolver, problems));
                    drop(Load::of(number, table, Place::new(&fixture.source, place), way, rows, problems));
                }
            }
            if written.is_some() || problems.len() == before {
                problems.push(problem);
            }
            return Ok(None);
        }
    };
    let rule = match mode {
        Mode::IfEmpty => Rule::TableIsEmpty,
        Mode::Insert | Mode::Upsert | Mode::Exact => Rule::KeyIsMissing,
    };
    let before = problems.len();
    let mut load = match &header {
        Some((bulk, _)) => of_file(number, table, fixture, bulk, (rule, key), resolver, problems),
        None => {
            let rows = taking.of(overlay::rows(fixture, table, &key, resolver, problems));
            let place = Place::new(&fixture.source, fixture.table.span);
            Load::of(number, table, place, (rule, key), rows, problems)
        }
    };
    load.index = index;
    if taking == Taking::ToRemove {
        load = load.removing();
    }
    if problems.len() == before {
        load.lay();
    }
    let named = |names: Option<(&[Name], &Arc<Source>)>| {
        names.map_or(Ok(Vec::new()), |(names, source)| {
            Resolver { source, ..resolver }.key_columns(table, names)
        })
    };
    let insert_only = named(fixture.said(|it| (!it.insert_only.is_empty()).then_some(&*it.insert_only)))?;
    load.updates = (mode >= Mode::Upsert).then_some(insert_only);
    load.refreshed = named(fixture.said(|it| (!it.refresh.is_empty()).then_some(&*it.refresh)))?;
    if let (Mode::Exact, Some((exact, source))) = (mode, fixture.said(|it| it.exact.as_ref())) {
        load.removal = Some(removal(exact, table, Resolver { source, ..resolver }, problems));
    }
    if let (Some(key), Rule::KeyIsMissing, true) = (written, rule, problems.len() == before) {
        load.check_key(key, problems);
    }
    Ok(Some(load))
}

/// Refuses what a relation that is no table does not take.
fn check_kind(table: &Table, mode: Mode, fixture: &Fixture) -> Result<(), Diagnostic> {
    let at = |problem: Diagnostic| Err(problem.at(&fixture.source, fixture.table.span));
    let name = &table.name;
    match table.kind {
        TableKind::Materialized => {
            at(Diagnostic::error(format!("`{name}` is a materialized view, which nobody writes to"))
                .help("seed the tables that it reads from, and refresh it"))
        }
        TableKind::View | TableKind::Foreign if mode == Mode::Exact => {
            let what = if table.kind == TableKind::View { "a view" } else { "a foreign table" };
            at(Diagnostic::error(format!("`{name}` is {what}, and `mode: exact` is for tables"))
                .note("what it would delete is told by the place of rows in their table")
                .help("use `upsert` with `_delete: true` for single rows, or seed the table itself"))
        }
        _ => Ok(()),
    }
}

/// The unique index of a table that a fixture names as its key.
fn index<'c>(table: &'c Table, name: &Name, source: &Arc<Source>) -> Result<&'c IndexKey, Diagnostic> {
    table.indexes.iter().find(|index| index.name == name.text).ok_or_else(|| {
        let known = table.keys.iter().map(|key| key.name.as_str());
        Diagnostic::error(format!("`{}` has no unique index `{}`", table.name, name.text))
            .at(source, name.span)
            .maybe_help(did_you_mean(&name.text, known))
    })
}

/// The load of a fixture whose rows stand in a file.
fn of_file<'c>(
    number: usize,
    table: &'c Table,
    fixture: &Fixture,
    bulk: &Arc<Bulk>,
    identity: (Rule, Vec<&'c str>),
    resolver: Resolver<'c, '_>,
    problems: &mut Vec<Diagnostic>,
) -> Load<'c> {
    let defaults = |problems: &mut Vec<Diagnostic>| overlay::defaults(fixture, table, resolver, problems);
    let place = Place::new(&fixture.source, fixture.table.span);
    Load::of_file((number, table, place), identity, bulk, defaults, resolver, problems)
}

fn removal<'c>(
    exact: &Exact,
    table: &'c Table,
    resolver: Resolver<'c, '_>,
    problems: &mut Vec<Diagnostic>,
) -> Removal<'c> {
    let scope = match &exact.scope {
        Some(Scope::Rows(cells)) => resolver.targets(table, cells, problems),
        _ => Vec::new(),
    };
    Removal {
        scope,
        delete_max: exact.delete_max,
        place: Place::new(resolver.source, exact.span.unwrap_or_default()),
    }
}

fn word(mode: Mode) -> &'static str {
    Mode::WORDS.iter().find(|(_, known)| *known == mode).map_or("", |(word, _)| word)
}
