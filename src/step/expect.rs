//! Expect: how a step may end, as its author has it.

use super::refusal::Refusal;
use super::{Kind, Outcome};
use crate::project::diagnostic::{did_you_mean, list};
use crate::project::reading::Reading;
use crate::project::source::Span;
use crate::project::yaml::{Content, Entry, Node};

/// How a step may end.
#[derive(Debug)]
pub struct Expect {
    /// What is fine.
    pub ends: Ends,
    /// Where the author says so, if it is not the kind's own.
    pub span: Option<Span>,
}

/// What is fine.
#[derive(Debug)]
pub enum Ends {
    /// One of these outcomes.
    Outcomes(Vec<Outcome>),
    /// An error of the server, and nothing else.
    Refusal(Refusal),
}

impl Expect {
    /// What a kind accepts by itself.
    pub fn of(kind: &Kind) -> Expect {
        Expect { ends: Ends::Outcomes(kind.accepted.to_vec()), span: None }
    }

    /// Whether a step may end so.
    pub fn accepts(&self, outcome: Outcome) -> bool {
        match &self.ends {
            Ends::Outcomes(outcomes) => outcomes.contains(&outcome),
            Ends::Refusal(_) => outcome == Outcome::Refused,
        }
    }

    /// The error that must come, if one must.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.ends {
            Ends::Outcomes(_) => None,
            Ends::Refusal(refusal) => Some(refusal),
        }
    }

    /// Reads `expect`: an outcome, a list of them, or an error.
    pub fn read(reading: &mut Reading, kind: &Kind, node: Node) -> Expect {
        let span = Some(node.span);
        let ends = match node.content {
            Content::Map(entries) => match error(reading, entries, node.span) {
                Some(refusal) => Ends::Refusal(refusal),
                None => Ends::Outcomes(Vec::new()),
            },
            _ => Ends::Outcomes(outcomes(reading, kind, node)),
        };
        Expect { ends, span }
    }
}

/// Reads the map under `expect`.
fn error(reading: &mut Reading, entries: Vec<Entry>, span: Span) -> Option<Refusal> {
    let mut refusal = None;
    if entries.is_empty() {
        reading.problem_help(span, "`expect` says nothing", "name an outcome, or an `error`");
    }
    for entry in entries {
        match entry.key.as_str() {
            "error" => refusal = Refusal::read(reading, entry.value),
            _ => reading.unknown_key(&entry, "`expect`", &["error"]),
        }
    }
    refusal
}

/// Reads one outcome, or a list of them.
fn outcomes(reading: &mut Reading, kind: &Kind, node: Node) -> Vec<Outcome> {
    let names = reading.names(node, "`expect`");
    let known: Vec<&str> = kind.outcomes.iter().map(|outcome| outcome.word()).collect();
    let mut outcomes = Vec::new();
    for name in names {
        match kind.outcomes.iter().find(|outcome| outcome.word() == name.text) {
            Some(outcome) => outcomes.push(*outcome),
            None => {
                let help = match name.text.as_str() {
                    "error" | "refused" => {
                        Some("say which error: `expect: {error: {condition: unique_violation}}`".to_owned())
                    }
                    _ => did_you_mean(&name.text, known.iter().copied()),
                };
                let message = format!("a step of kind `{}` never ends as `{}`", kind.name, name.text);
                reading.problem(name.span, message).help =
                    help.or_else(|| Some(format!("it ends as one of {}", list(&known))));
            }
        }
    }
    outcomes
}
