//! Scenarios: a story in steps. Each step is one transaction and one line of the report.

use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::reading::Reading;
use super::source::{Name, Source};
use super::yaml;
use crate::step::Step;

/// The keys of a scenario.
pub const KEYS: &[&str] = &["scenario", "tags", "steps"];

/// One scenario file.
#[derive(Debug)]
pub struct Scenario {
    /// What the author calls it.
    pub title: Name,
    /// Words to select it by.
    pub tags: Vec<Name>,
    /// In the order they run.
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
        let (mut title, mut tags, mut steps) = (None, Vec::new(), None);
        for entry in entries {
            match entry.key.as_str() {
                "scenario" => title = reading.text(entry.value, "the scenario's title"),
                "tags" => tags = reading.names(entry.value, "`tags`"),
                "steps" => steps = Some(entry.value),
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
        let steps: Vec<Step> = items.into_iter().filter_map(|item| Step::read(&mut reading, item)).collect();
        for (at, step) in steps.iter().enumerate() {
            if let Some(earlier) = steps[..at].iter().find(|earlier| earlier.title.text == step.title.text) {
                let context = (earlier.title.span, "first here".to_owned());
                let problem =
                    reading.problem(step.title.span, format!("two steps are called `{}`", step.title.text));
                problem.context = Some(context);
                problem.help = Some("titles name steps in reports, so each is unique in its file".to_owned());
            }
        }
        Some(Scenario { title, tags, steps, source })
    }
}
