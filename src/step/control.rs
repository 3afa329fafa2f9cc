//! Control: whether and how a step is run, in the keys that steps of every kind have.

use std::ops::Range;
use std::time::Duration;

use super::Outcome;
use super::outline::Outline;
use crate::project::diagnostic::{did_you_mean, list};
use crate::project::reading::Reading;
use crate::project::source::{Name, Span};
use crate::project::yaml::{Content, Entry, Node, Scalar};

/// The keys.
pub const KEYS: &[&str] = &["id", "tags", "skip", "when", "each", "role", "timeout", "eventually"];

/// How long a pause between two looks is, unless the author says otherwise.
const EVERY: Duration = Duration::from_millis(250);

/// Whether and how a step is run.
#[derive(Debug, Default)]
pub struct Control {
    /// What other steps call it, beside its title.
    pub id: Option<Name>,
    /// Words to select it by.
    pub tags: Vec<Name>,
    /// Why it is not run, if it is not.
    pub skip: Option<Name>,
    /// What must be true of earlier steps; else it is not run.
    pub when: Vec<Condition>,
    /// The role that it is run as.
    pub role: Option<Name>,
    /// The most time one of its statements may take.
    pub timeout: Option<Duration>,
    /// How long it is looked again when it does not hold.
    pub eventually: Option<Polling>,
    /// Whether it is run whatever became of the steps before it.
    pub is_final: bool,
}

/// An earlier step, and how it must have ended.
#[derive(Debug)]
pub struct Condition {
    /// The step, by its number in the scenario, counted from 0; all its cases, if it has several.
    pub steps: Range<usize>,
    /// What the author calls it.
    pub name: Name,
    /// The ends that are meant.
    pub outcomes: Vec<Outcome>,
}

/// How long and how often a step is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Polling {
    /// From the first look to the last.
    pub within: Duration,
    /// The pause between two.
    pub every: Duration,
    /// Where the author says so.
    pub span: Span,
}

impl Control {
    /// Takes a key that every kind has, for the step of that number among these. Others are handed back.
    pub fn take(
        &mut self,
        reading: &mut Reading,
        entry: Entry,
        (outlines, at): (&[Outline], usize),
    ) -> Option<Entry> {
        let Entry { key, key_span, value } = entry;
        match key.as_str() {
            "id" => self.id = id(reading, value),
            "tags" => self.tags = reading.names(value, "`tags`"),
            "skip" => self.skip = reason(reading, value),
            "when" => self.when = conditions(reading, value, outlines, at),
            "role" => self.role = reading.text(value, "`role`"),
            "timeout" => self.timeout = reading.time(value, "`timeout`"),
            "eventually" => self.eventually = polling(reading, key_span, value),
            _ => return Some(Entry { key, key_span, value }),
        }
        None
    }
}

fn id(reading: &mut Reading, node: Node) -> Option<Name> {
    let name = reading.text(node, "`id`")?;
    let is_word = name.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_word || name.text.starts_with(|c: char| c.is_ascii_digit()) {
        let help = "letters, digits and `_`, like `id: frank`";
        reading.problem_help(name.span, format!("`{}` cannot be an id", name.text), help);
        return None;
    }
    Some(name)
}

fn reason(reading: &mut Reading, node: Node) -> Option<Name> {
    if let Content::Scalar(_, Scalar::Bool) = node.content {
        let help = "say it in words: `skip: the report is not written yet`";
        reading.problem_help(node.span, "`skip` does not say why", help);
        return None;
    }
    reading.text(node, "`skip`")
}

fn conditions(reading: &mut Reading, node: Node, outlines: &[Outline], at: usize) -> Vec<Condition> {
    let span = node.span;
    let Some(entries) = reading.map(node, "`when`") else { return Vec::new() };
    if entries.is_empty() {
        let help = "name an earlier step and its outcome: `when: {frank: added}`";
        reading.problem_help(span, "`when` says nothing", help);
    }
    entries.into_iter().filter_map(|entry| condition(reading, entry, outlines, at)).collect()
}

fn condition(reading: &mut Reading, entry: Entry, outlines: &[Outline], at: usize) -> Option<Condition> {
    let (key, span) = (entry.key, entry.key_span);
    let Some(step) = Outline::find(outlines, at, &key) else {
        let known = outlines[..at].iter().flat_map(Outline::names);
        let help = did_you_mean(&key, known);
        reading.problem(span, format!("no step is called `{key}`")).help =
            help.or_else(|| Some("name an earlier step by its id or title".to_owned()));
        return None;
    };
    if step >= at {
        let message = match step == at {
            true => "a step cannot depend on itself".to_owned(),
            false => format!("`{key}` comes later"),
        };
        reading.problem_help(span, message, "name an earlier step");
        return None;
    }
    let known = outlines[step].outcomes();
    let words: Vec<&str> = known.iter().map(|outcome| outcome.word()).collect();
    let names = reading.names(entry.value, &format!("the outcome of `{key}`"));
    let mut outcomes = Vec::new();
    for name in names {
        match known.iter().find(|outcome| outcome.word() == name.text) {
            Some(outcome) => outcomes.push(*outcome),
            None if known.is_empty() => {} // Its kind is unknown, which is told there.
            None => {
                let help = did_you_mean(&name.text, words.iter().copied());
                reading.problem(name.span, format!("`{key}` never ends as `{}`", name.text)).help =
                    help.or_else(|| Some(format!("it ends as one of {}", list(&words))));
            }
        }
    }
    let cases = outlines[step..at].iter().take_while(|it| it.names().any(|name| *name == key)).count();
    Some(Condition { steps: step..step + cases, name: Name { text: key, span }, outcomes })
}

fn polling(reading: &mut Reading, span: Span, node: Node) -> Option<Polling> {
    let (mut within, mut every) = (None, Some(EVERY));
    let (mut within_span, mut is_said) = (span, false);
    for entry in reading.map(node, "`eventually`")? {
        match entry.key.as_str() {
            "within" => {
                (within_span, is_said) = (entry.value.span, true);
                within = reading.time(entry.value, "`within`");
            }
            "every" => every = reading.time(entry.value, "`every`"),
            _ => reading.unknown_key(&entry, "`eventually`", &["within", "every"]),
        }
    }
    if !is_said {
        let help = "like `eventually: {within: 10s, every: 250ms}`";
        reading.problem_help(span, "`eventually` does not say how long", help);
    }
    let (within, every) = (within?, every?);
    if every > within {
        let help = "a step is looked at more than once: let `within` be longer, or `every` shorter";
        reading.problem_help(within_span, "`within` is over before the second look", help);
    }
    Some(Polling { within, every, span })
}
