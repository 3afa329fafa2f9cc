//! Scenarios: a story in steps. Each step is one transaction and one line of the report.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::cases::{self, Case, Table};
use super::diagnostic::Diagnostic;
use super::reading::Reading;
use super::source::{Name, Source};
use super::values::{self, Named, Values};
use super::yaml::{self, Node};
use crate::step::Step;
use crate::step::outline::Outline;

/// The keys of a scenario.
pub const KEYS: &[&str] = &["scenario", "tags", "vars", "steps", "finally"];

/// One scenario file.
#[derive(Debug)]
pub struct Scenario {
    /// What the author calls it.
    pub title: Name,
    /// Words to select it by.
    pub tags: Vec<Name>,
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
        Scenario::parse_with(source, &BTreeMap::new(), problems)
    }

    /// The same with other values for some variables.
    pub fn parse_with(
        source: Arc<Source>,
        given: &BTreeMap<String, String>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Scenario> {
        let node = yaml::parse(&source).map_err(|problem| problems.push(problem)).ok()?;
        let mut reading = Reading::new(&source, problems);
        let span = node.span;
        let entries = reading.map(node, "a scenario")?;
        let has_title = entries.iter().any(|entry| entry.key == "scenario");
        let (mut title, mut tags, mut steps, mut last) = (None, Vec::new(), None, None);
        let mut variables = Named::new();
        for entry in entries {
            match entry.key.as_str() {
                "scenario" => title = reading.text(entry.value, "the scenario's title"),
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
        let mut items = reading.list(steps, "`steps`")?;
        if items.is_empty() {
            reading.problem(steps_span, "`steps` is empty: a scenario without steps proves nothing");
        }
        let first_final = items.len();
        if let Some(last) = last {
            let span = last.span;
            let last = reading.list(last, "`finally`")?;
            if last.is_empty() {
                reading.problem_help(span, "`finally` is empty", "write steps under it, or leave it out");
            }
            items.extend(last);
        }
        let names = variables.keys().cloned().collect();
        let steps = read_steps(&mut reading, items, first_final, &Arc::new(variables));
        check_names(&mut reading, &steps);
        Some(Scenario { title, tags, variables: names, steps, source })
    }
}

/// Reads the steps, each as often as it has cases.
fn read_steps(
    reading: &mut Reading,
    items: Vec<Node>,
    first_final: usize,
    variables: &Arc<Named>,
) -> Vec<Step> {
    let final_span = items.get(first_final).map(|item| item.span);
    let cases = cases::cases(reading, items);
    let first_final = cases.iter().position(|case| Some(case.node.span) == final_span).unwrap_or(cases.len());
    let outlines: Vec<Outline> = cases.iter().map(|case| Outline::of(&case.node)).collect();
    let ids = |outlines: &[Outline]| outlines.iter().filter_map(Outline::capturing).collect::<Vec<_>>();
    let capturing = Arc::new(ids(&outlines));
    let mut used: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let mut tables: Vec<Rc<Table>> = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    for (at, Case { node, cells, suffix, table }) in cases.into_iter().enumerate() {
        let own = match cells.is_empty() {
            true => variables.clone(),
            false => Arc::new(
                variables.iter().map(|(name, node)| (name.clone(), node.clone())).chain(cells).collect(),
            ),
        };
        reading.values = Values {
            own,
            steps: capturing.clone(),
            before: ids(&outlines[..at]).len(),
            id: outlines[at].capturing().map(|capturing| capturing.id),
            ..Values::default()
        };
        let known = reading.problems.len();
        let step = Step::read(reading, node, (&outlines, at));
        forget_repeated(reading.problems, known);
        if let Some(table) = table {
            used.entry(table.step).or_default().extend(reading.values.used.iter().cloned());
            if !tables.iter().any(|known| known.step == table.step) {
                tables.push(table.clone());
            }
            steps.extend(step.map(|mut step| {
                step.title.text.push_str(&suffix);
                step.links.case_of = Some(table.step);
                step.control.is_final = at >= first_final;
                step
            }));
            continue;
        }
        steps.extend(step.map(|mut step| {
            step.control.is_final = at >= first_final;
            step
        }));
    }
    for table in tables {
        for (name, span) in table.columns.iter().filter(|(name, _)| !used[&table.step].contains(name)) {
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

/// What is wrong with a step is wrong with all of its cases.
fn forget_repeated(problems: &mut Vec<Diagnostic>, known: usize) {
    let mut new = problems.split_off(known);
    new.retain(|problem| !problems.contains(problem));
    problems.extend(new);
}

/// Notes titles and ids that do not tell which step is meant.
fn check_names(reading: &mut Reading, steps: &[Step]) {
    for (at, step) in steps.iter().enumerate() {
        let earlier = &steps[..at];
        if let Some(first) = earlier.iter().find(|it| it.title.text == step.title.text) {
            let context = (first.title.span, "first here".to_owned());
            let problem =
                reading.problem(step.title.span, format!("two steps are called `{}`", step.title.text));
            problem.context = Some(context);
            problem.help = Some("titles name steps in reports, so each is unique in its file".to_owned());
        }
        let Some(id) = &step.control.id else { continue };
        let ids = earlier.iter().filter_map(|it| it.control.id.as_ref());
        let titles = steps.iter().map(|it| &it.title);
        if let Some(other) = ids.chain(titles).find(|name| name.text == id.text) {
            let context = (other.span, "here already".to_owned());
            let problem = reading.problem(id.span, format!("two things are called `{}`", id.text));
            problem.context = Some(context);
            problem.help = Some("an id is unique in its file, and is no step's title".to_owned());
        }
    }
}
