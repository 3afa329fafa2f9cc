//! Reads one step: its first key is its kind, that key's value its title. The keys that every kind has
//! are read here, and the others by the kind.

use super::changes::{self, Changes};
use super::control::{self, Control};
use super::expect::{Ends, Expect};
use super::links::{Late, Links};
use super::outline::Outline;
use super::refusal::Refusal;
use super::{Head, KINDS, Kind, Step};
use crate::project::diagnostic::{did_you_mean, list};
use crate::project::reading::Reading;
use crate::project::source::Span;
use crate::project::yaml::{Entry, Node};

impl Step {
    /// Reads the step of that number among these. Every problem is noted.
    pub fn read(reading: &mut Reading, node: Node, among: (&[Outline], usize)) -> Option<Step> {
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
        let (mut expect, mut error, mut rest) = (None, None, Vec::new());
        let mut control = Control::default();
        let mut changes = None;
        for entry in entries {
            match entry.key.as_str() {
                "expect" => expect = Some(Expect::read(reading, kind, entry.value)),
                changes::KEY => changes = Some(Changes::read(reading, entry)),
                "error" if kind.keys.contains(&"error") => {
                    error = Some((entry.key_span, Refusal::read(reading, entry.value)));
                }
                _ => {
                    let left = control.take(reading, entry, among);
                    rest.extend(left.filter(|entry| !is_misspelt(reading, kind, entry)));
                }
            }
        }
        if let (Some(Expect { span: Some(span), .. }), Some(_)) = (&expect, &error) {
            reading.problem_help(*span, "`error` says already how this step ends", "leave `expect` out");
        }
        let expect = match error {
            Some((span, refusal)) => {
                Expect { ends: Ends::Refusal(refusal.unwrap_or_default()), span: Some(span) }
            }
            None => expect.unwrap_or_else(|| Expect::of(kind)),
        };
        let error = expect.refusal().and(expect.span);
        let head = Head { span: first.key_span, error };
        // Only where something may be known later is the step read once more.
        let may_be_late = !reading.values.steps.is_empty() || !reading.values.own.is_empty();
        let written = if may_be_late { rest.clone() } else { Vec::new() };
        let rest = reading.fill_all(rest);
        let action = (kind.parse)(reading, head, rest);
        let since = action.as_ref().and_then(|action| action.since().cloned());
        let since = since.and_then(|name| match Outline::find_before(among.0, among.1, &name) {
            Ok(at) => Some(at),
            Err((message, help)) => {
                reading.problem_help(name.span, message, help);
                None
            }
        });
        let values = &reading.values;
        let late = values.is_late.then(|| Late { entries: written, head, values: values.clone() });
        let links = Links { taken: values.taken.clone(), since, late, ..Links::default() };
        if let (Some(polling), Some(true)) = (&control.eventually, action.as_ref().map(|it| it.writes())) {
            let help = "let an `assert` or `verify` behind it wait for what it brings about";
            reading.problem_help(polling.span, "only steps that look can look again", help);
        }
        if let Some(changes) = &changes {
            if action.as_ref().is_some_and(|action| !action.writes()) {
                let help = "leave it out, or let the step that writes say it";
                reading.problem_help(changes.span, "a step that only looks writes nothing", help);
            } else if expect.refusal().is_some() {
                let help = "leave one of the two out";
                reading.problem_help(changes.span, "of a step that must be refused nothing is kept", help);
            }
        }
        Some(Step {
            kind,
            title: title?,
            span: first.key_span,
            action: action?,
            expect,
            changes,
            control,
            links,
            source: reading.source.clone(),
        })
    }
}

/// The kind of that name.
pub fn kind_named(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

/// Notes a key that is nearly one of those that every kind has, and not one of its kind's own.
fn is_misspelt(reading: &mut Reading, kind: &Kind, entry: &Entry) -> bool {
    if kind.keys.contains(&entry.key.as_str()) {
        return false;
    }
    let known = kind.keys.iter().chain(control::KEYS).chain(&["expect", changes::KEY]).copied();
    let near = match entry.key.as_str() {
        // Where `assert` has it, the others have `expect`.
        "error" => Some("write it below `expect`: `expect: {error: {…}}`".to_owned()),
        key => did_you_mean(key, known).filter(|help| help.starts_with("did you mean")),
    };
    let Some(help) = near else {
        return false;
    };
    let of = match kind.name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => "an",
        false => "a",
    };
    let message = format!("unknown key `{}` in {of} `{}` step", entry.key, kind.name);
    reading.problem_help(entry.key_span, message, help);
    true
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
