//! Scenarios: a story in steps. Each step is one transaction and one line of the report.

use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::reading::Reading;
use super::source::{Name, Source};
use super::yaml;
use crate::step::Step;
use crate::step::outline::Outline;

/// The keys of a scenario.
pub const KEYS: &[&str] = &["scenario", "tags", "steps", "finally"];

/// One scenario file.
#[derive(Debug)]
pub struct Scenario {
    /// What the author calls it.
    pub title: Name,
    /// Words to select it by.
    pub tags: Vec<Name>,
    /// In the order they run; those that always run come last.
    pub steps: Vec<Step>,
    /// The file.
    pub source: Arc<Source>,
}

impl Scenario {
    /// Reads a scenario file. Every problem is noted; what is left of the scenario is returned.
    pub fn parse(source: Arc<Source>, problems: &mut Vec<Diagnostic>) -> Option<Scenario> {
        let node = yaml::parse(&source).map_err(|problem| problems.push(problem)).ok()?;
        let mut reading = Reading { source: &source, problems };
        let span = node.span;
        let entries = reading.map(node, "a scenario")?;
        let has_title = entries.iter().any(|entry| entry.key == "scenario");
        let (mut title, mut tags, mut steps, mut last) = (None, Vec::new(), None, None);
        for entry in entries {
            match entry.key.as_str() {
                "scenario" => title = reading.text(entry.value, "the scenario's title"),
                "tags" => tags = reading.names(entry.value, "`tags`"),
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
        let outlines: Vec<Outline> = items.iter().map(Outline::of).collect();
        let mut read = Vec::new();
        for (at, item) in items.into_iter().enumerate() {
            let step = Step::read(&mut reading, item, (&outlines, at));
            read.extend(step.map(|mut step| {
                step.control.is_final = at >= first_final;
                step
            }));
        }
        check_names(&mut reading, &read);
        Some(Scenario { title, tags, steps: read, source })
    }
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
