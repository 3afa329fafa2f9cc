//! Scenarios: a story in steps. Each step is one transaction and one line of the report.

use std::sync::Arc;

use super::diagnostic::{Diagnostic, did_you_mean, list};
use super::reading::Reading;
use super::source::{Name, Source, Span};
use super::yaml::{self, Node};
use crate::step::{KINDS, Kind, Outcome, Step};

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
        let steps: Vec<Step> = items.into_iter().filter_map(|item| step(&mut reading, item)).collect();
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

/// Reads one step: its first key is its kind, that key's value its title.
fn step(reading: &mut Reading, node: Node) -> Option<Step> {
    let span = node.span;
    let mut entries = reading.map(node, "a step")?;
    if entries.is_empty() {
        reading.problem(span, "a step says nothing");
        return None;
    }
    let first = entries.remove(0);
    let kind = find_kind(
        reading,
        &first.key,
        first.key_span,
        entries.iter().any(|entry| kind_named(&entry.key).is_some()),
    )?;
    let title = reading.text(first.value, &format!("the title of this `{}` step", kind.name));
    let mut accepted = None;
    let mut rest = Vec::new();
    for entry in entries {
        match entry.key.as_str() {
            "expect" => accepted = Some((entry.value.span, outcomes(reading, kind, entry.value))),
            _ => rest.push(entry),
        }
    }
    let action = (kind.parse)(reading, first.key_span, rest);
    let (expect_span, expected) = accepted.unzip();
    Some(Step {
        kind,
        title: title?,
        span: first.key_span,
        action: action?,
        accepted: expected.unwrap_or_else(|| kind.accepted.to_vec()),
        expect_span,
        source: reading.source.clone(),
    })
}

fn kind_named(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

fn find_kind(reading: &mut Reading, name: &str, span: Span, later: bool) -> Option<&'static Kind> {
    let kind = kind_named(name);
    if kind.is_none() {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let help = if later {
            "write the kind and the title first: `- seed: What it does`".to_owned()
        } else {
            did_you_mean(name, known.iter().copied())
                .unwrap_or_else(|| format!("a kind is one of {}", list(&known)))
        };
        reading.problem_help(span, format!("unknown step kind `{name}`"), help);
    }
    kind
}

/// Reads `expect`: one outcome, or a list of them.
fn outcomes(reading: &mut Reading, kind: &Kind, node: Node) -> Vec<Outcome> {
    let names = reading.names(node, "`expect`");
    let known: Vec<&str> = kind.outcomes.iter().map(|outcome| outcome.word()).collect();
    let mut outcomes = Vec::new();
    for name in names {
        match kind.outcomes.iter().find(|outcome| outcome.word() == name.text) {
            Some(outcome) => outcomes.push(*outcome),
            None => {
                let help = did_you_mean(&name.text, known.iter().copied());
                let message = format!("a step of kind `{}` never ends as `{}`", kind.name, name.text);
                reading.problem(name.span, message).help =
                    help.or_else(|| Some(format!("it ends as one of {}", list(&known))));
            }
        }
    }
    outcomes
}
