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

use super::{Action, Head, Kind, Outcome, Step};
use crate::plan::catalog::Catalog;
use crate::plan::resolve::Resolver;
use crate::plan::{Access, Answer, Batch, Deletion, JudgeReach, JudgeSettled, Judgement, Shape, Shortcut};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count, did_you_mean};
use crate::project::fixture::{Fixture, Mode};
use crate::project::reading::Reading;
use crate::project::source::{Name, Source};
use crate::project::yaml::Entry;
use crate::seed::finding::{Applied, Finding, diagnostics};
use crate::seed::fixture::{self, Taking};
use crate::seed::load::{Load, Rule};
use crate::seed::warning::warnings;

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

fn parse(reading: &mut Reading, Head { span, .. }: Head, entries: Vec<Entry>) -> Option<Box<dyn Action>> {
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
    fn key(&self) -> Option<String> {
        let names: Vec<&str> = self.fixtures.iter().map(|name| name.text.as_str()).collect();
        self.tables.is_empty().then(|| format!("{names:?} {:?} {:?}", self.mode, self.purpose))
    }

    fn check(&self, project: &Project, source: &Arc<Source>, problems: &mut Vec<Diagnostic>) {
        check_fixtures(&self.fixtures, project, source, problems);
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
            deletion: loads.iter().any(Load::deletes).then(|| self.deletion(project, &loads, finding)),
            settled: shortcut.is_none().then_some(settled),
            shortcut,
            warnings: warnings(&loads),
            ..Batch::of(Access::Write, Shape::Series { units, judge: Box::new(judge) })
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
            let loaded = fixture::load(loads.len() + 1, fixture, (taking, mode), resolver, &mut problems);
            loaded.map_or_else(|problem| problems.push(problem), |load| loads.extend(load));
            if at == fixtures.len() && self.purpose == Purpose::ApplyWithParents {
                fixtures.extend(parents(&fixtures, &loads, project, catalog));
            }
        }
        if problems.is_empty() { Ok(loads) } else { Err(problems) }
    }

    fn deletion(&self, project: &Project, loads: &[Load], finding: Arc<Finding>) -> Deletion {
        let may_cascade = |fixture: &Fixture| fixture.exact.as_ref().is_some_and(|exact| exact.cascades);
        // One that may not is not allowed to by one beside it.
        let may_not = |fixture: &Fixture| fixture.deletes(self.mode(fixture)) && !may_cascade(fixture);
        let is_bounded = !self.all(project).any(may_cascade) || self.all(project).any(may_not);
        let tables: Vec<u32> = loads.iter().map(|load| load.table.oid).collect();
        let reach: JudgeReach = Box::new(move |answer| finding.reach(answer, &tables));
        let alone = loads.iter().filter(|load| load.removal.is_some());
        Deletion { alone: alone.map(|load| load.table.sql()).collect(), reach: is_bounded.then_some(reach) }
    }
}

/// Notes fixtures that are not there.
pub fn check_fixtures(
    names: &[Name],
    project: &Project,
    source: &Arc<Source>,
    problems: &mut Vec<Diagnostic>,
) {
    for name in names.iter().filter(|name| project.fixtures_named(&name.text).next().is_none()) {
        let known = project.fixtures.iter().map(|fixture| fixture.name.as_str());
        let help = did_you_mean(&name.text, known)
            .unwrap_or_else(|| format!("write it: `seedbed new fixture {}`", name.text));
        let problem = Diagnostic::error(format!("there is no fixture `{}`", name.text));
        problems.push(problem.at(source, name.span).help(help));
    }
}

/// The tables that a fixture names.
pub fn tables(fixture: &Fixture) -> impl Iterator<Item = &str> {
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
    Judgement { detail, ..Judgement::of(outcome) }
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

fn word(mode: Mode) -> &'static str {
    Mode::WORDS.iter().find(|(_, known)| *known == mode).map_or("", |(word, _)| word)
}
