//! Scenarios: a story in steps. Each step is one transaction and one line of the report.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::cases::{self, Case, Table};
use super::diagnostic::Diagnostic;
use super::reading::Reading;
use super::rehearsal::{self, Version};
use super::source::{Name, Source, Span};
use super::used::{Expansion, Item, Parts, Scope};
use super::values::{self, Named, Values};
use super::yaml;
use crate::step::Step;
use crate::step::outline::Outline;

/// The keys of a scenario.
pub const KEYS: &[&str] = &["scenario", "tags", "from", "vars", "steps", "finally"];

/// One scenario file.
#[derive(Debug)]
pub struct Scenario {
    /// What the author calls it.
    pub title: Name,
    /// Words to select it by.
    pub tags: Vec<Name>,
    /// The version of the schema that it begins with, if it rehearses an upgrade.
    pub from: Option<Version>,
    /// The names of its variables.
    pub variables: Vec<String>,
    /// In the order they run; those that always run come last.
    pub steps: Vec<Step>,
    /// The file.
    pub source: Arc<Source>,
}

impl Scenario {
    /// Reads a scenario file. Every problem is noted; what is left of the scenario is returned.
    pub fn parse(source: Arc<Source>, problems: &mut Vec<Diagnostic>) -> Option<Scenario> {
        Scenario::parse_with(source, &BTreeMap::new(), &Parts::new(), problems)
    }

    /// The same with other values for some variables, and with files that it may use.
    pub fn parse_with(
        source: Arc<Source>,
        given: &BTreeMap<String, String>,
        parts: &Parts,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Scenario> {
        let node = yaml::parse(&source).map_err(|problem| problems.push(problem)).ok()?;
        let mut reading = Reading::new(&source, problems);
        let span = node.span;
        let entries = reading.map(node, "a scenario")?;
        let has_title = entries.iter().any(|entry| entry.key == "scenario");
        let (mut title, mut tags, mut steps, mut last) = (None, Vec::new(), None, None);
        let mut variables = Named::new();
        let mut from = None;
        for entry in entries {
            match entry.key.as_str() {
                "scenario" => title = reading.text(entry.value, "the scenario's title"),
                "from" => from = rehearsal::version(&mut reading, entry.value, "`from`"),
                "tags" => tags = reading.names(entry.value, "`tags`"),
                "vars" => variables = values::variables(&mut reading, entry.value, given),
                "steps" => steps = Some(entry.value),
                "finally" => last = Some(entry.value),
                _ => reading.unknown_key(&entry, "a scenario", KEYS),
            }
        }
        if !has_title {
            let help = "begin the file with `scenario: What it shows`";
            reading.problem_help(span, "a scenario needs a title", help);
        }
        let title = title.unwrap_or_else(|| Name { text: source.stem().to_owned(), span });
        let Some(steps) = steps else {
            reading.problem_help(span, "a scenario needs `steps`", "write `steps:` and a list of steps");
            return None;
        };
        let steps_span = steps.span;
        let items = reading.list(steps, "`steps`")?;
        if items.is_empty() {
            reading.problem(steps_span, "`steps` is empty: a scenario without steps proves nothing");
        }
        let mut final_items = Vec::new();
        if let Some(last) = last {
            let span = last.span;
            final_items = reading.list(last, "`finally`")?;
            if final_items.is_empty() {
                reading.problem_help(span, "`finally` is empty", "write steps under it, or leave it out");
            }
        }
        let names = variables.keys().cloned().collect();
        let own = Arc::new(variables);
        let (prefix, none) = (String::new(), String::new());
        let scope = Rc::new(Scope { source: source.clone(), prefix, title: none, own });
        let mut expansion = Expansion { parts, items: Vec::new(), uses: 0 };
        expansion.take(problems, items, &scope, false, &[&source.path]);
        expansion.take(problems, final_items, &scope, true, &[&source.path]);
        forget_repeated(problems, 0);
        let steps = read_steps(problems, expansion.items);
        check_names(problems, &steps);
        rehearsal::check(&source, from, &steps, problems);
        Some(Scenario { title, tags, from, variables: names, steps, source })
    }
}

/// Reads the steps, each as often as it has cases.
fn read_steps(problems: &mut Vec<Diagnostic>, items: Vec<Item>) -> Vec<Step> {
    let cases = cases::cases(problems, items);
    let outlines: Vec<Outline> =
        cases.iter().map(|case| Outline::of(&case.node, &case.scope.prefix)).collect();
    let ids = |outlines: &[Outline]| outlines.iter().filter_map(Outline::capturing).collect::<Vec<_>>();
    let capturing = Arc::new(ids(&outlines));
    let mut used: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let mut tables: BTreeMap<usize, Rc<Table>> = BTreeMap::new();
    let mut steps: Vec<Step> = Vec::new();
    for (at, Case { node, scope, is_final, cells, suffix, table }) in cases.into_iter().enumerate() {
        let known = problems.len();
        let reading = &mut Reading::new(&scope.source, problems);
        let own = || scope.own.iter().map(|(name, node)| (name.clone(), node.clone()));
        reading.values = Values {
            own: if cells.is_empty() { scope.own.clone() } else { Arc::new(own().chain(cells).collect()) },
            scope: scope.prefix.clone(),
            steps: capturing.clone(),
            before: ids(&outlines[..at]).len(),
            id: outlines[at].capturing().map(|capturing| capturing.id),
            ..Values::default()
        };
        let step = Step::read(reading, node, (&outlines, at));
        if let Some(table) = &table {
            used.entry(table.step).or_default().extend(reading.values.used.iter().cloned());
            tables.insert(table.step, table.clone());
        }
        forget_repeated(problems, known);
        steps.extend(step.map(|mut step| {
            step.title.text = format!("{}{}{suffix}", scope.title, step.title.text);
            if let Some(id) = &mut step.control.id {
                id.text.insert_str(0, &scope.prefix);
            }
            step.links.case_of = table.map(|table| table.step);
            step.control.is_final = is_final;
            step
        }));
    }
    for (number, table) in tables {
        let reading = &mut Reading::new(&table.source, problems);
        for (name, span) in table.columns.iter().filter(|(name, _)| !used[&number].contains(name)) {
            let help = format!("name it where it belongs: `{{$ref: {name}}}`, or `:{name}` in SQL");
            reading.problem_help(*span, format!("no case uses its `{name}`"), help);
        }
    }
    let taken: BTreeSet<String> =
        steps.iter().flat_map(|step| &step.links.taken).map(|taken| taken.id.clone()).collect();
    for step in &mut steps {
        let id = step.control.id.as_ref().map(|id| &id.text);
        step.links.is_captured = id.is_some_and(|id| taken.contains(id));
    }
    steps
}

/// Forgets what was noted twice, behind those problems that were known before: what is wrong with a step is
/// wrong with all of its cases.
pub(super) fn forget_repeated(problems: &mut Vec<Diagnostic>, known: usize) {
    for problem in problems.split_off(known) {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

/// Notes titles and ids that do not tell which step is meant.
fn check_names(problems: &mut Vec<Diagnostic>, steps: &[Step]) {
    for (at, step) in steps.iter().enumerate() {
        let earlier = &steps[..at];
        let twice = |name: &Name, message: String, first: (&Arc<Source>, Span, &str), help: &str| {
            let problem = Diagnostic::error(message).at(&step.source, name.span).help(help);
            match first {
                (source, span, label) if *source == step.source && span != name.span => {
                    problem.context(span, label)
                }
                _ => problem,
            }
        };
        if let Some(first) = earlier.iter().find(|it| it.title.text == step.title.text) {
            let message = format!("two steps are called `{}`", step.title.text);
            let help = "titles name steps in reports, so each is unique in its file";
            problems.push(twice(&step.title, message, (&first.source, first.title.span, "first here"), help));
        }
        let Some(id) = &step.control.id else { continue };
        let ids = earlier.iter().filter_map(|it| Some((&it.source, it.control.id.as_ref()?)));
        let titles = steps.iter().map(|it| (&it.source, &it.title));
        if let Some((source, other)) = ids.chain(titles).find(|(_, name)| name.text == id.text) {
            let message = format!("two things are called `{}`", id.text);
            let help = "an id is unique in its file, and is no step's title";
            problems.push(twice(id, message, (source, other.span, "here already"), help));
        }
    }
}
