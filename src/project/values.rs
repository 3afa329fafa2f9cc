//! Values that have a name: variables of a scenario, the cells of one case of a step, and what earlier steps
//! captured. `{$ref: name}` stands for one in YAML, and `:name` is bound to one in SQL; no text is ever
//! pasted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, did_you_mean, list};
use super::instruction::Instruction;
use super::outside::Outside;
use super::reading::Reading;
use super::source::{Place, Span};
use super::yaml::{Content, Entry, Node, Scalar};

/// The key of a map that stands for a value.
pub const REF: &str = "$ref";

/// Values by their names.
pub type Named = BTreeMap<String, Node>;

/// The row that a step captured, by column.
pub type Captured = BTreeMap<String, Content>;

/// A step that comes before, or after, as far as its row may be referred to.
#[derive(Debug, Clone)]
pub struct Capturing {
    /// Its id.
    pub id: String,
    /// Whether its kind has a row to refer to.
    pub has_row: bool,
}

/// A value that a step takes from the row of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The id of the other step.
    pub id: String,
    /// The column.
    pub column: String,
    /// Where it is named.
    pub span: Span,
}

/// The values that a step may name.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// Those that are known from the beginning.
    pub own: Arc<Named>,
    /// What comes before the ids of this step's file; names that begin with `/` have it already.
    pub scope: String,
    /// The steps with an id, in order.
    pub steps: Arc<Vec<Capturing>>,
    /// How many of them come before this one.
    pub before: usize,
    /// The id of this step.
    pub id: Option<String>,
    /// What they captured so far; nothing before the run.
    pub captured: Option<Arc<BTreeMap<String, Captured>>>,
    /// The world around the project, once it is known.
    pub outside: Option<Outside>,
    /// Names that were used so far.
    pub used: BTreeSet<String>,
    /// Columns that are taken from other steps.
    pub taken: Vec<Taken>,
    /// Whether a value is not known before the run.
    pub is_late: bool,
}

/// Why there is no such value.
struct Unknown {
    message: String,
    help: Option<String>,
}

impl Unknown {
    fn at(self, place: &Place) -> Diagnostic {
        Diagnostic::error(self.message).at_place(place.clone()).maybe_help(self.help)
    }
}

/// What stands for a value that is not known yet: a scalar that most readers take.
fn unknown() -> Content {
    Content::Scalar("1".to_owned(), Scalar::Number)
}

/// The name that a node refers to, if it is nothing but that.
pub fn referred(node: &Node) -> Option<String> {
    match &node.content {
        Content::Map(entries) => match entries.as_slice() {
            [Entry { key, value: Node { content: Content::Scalar(name, _), .. }, .. }] if key == REF => {
                Some(name.clone())
            }
            _ => None,
        },
        _ => None,
    }
}

impl Values {
    /// The value of a name, at the place where it is used.
    fn get(&mut self, name: &str, place: &Place) -> Result<Node, Diagnostic> {
        let span = place.span;
        if let Some(node) = self.own.get(name).cloned() {
            self.used.insert(name.to_owned());
            if let Some(outer) = referred(&node) {
                let (id, column) = outer.split_once('.').unwrap_or((&outer, ""));
                let content = self.column(id, column, span);
                return content.map(|content| Node { content, span }).map_err(|it| it.at(place));
            }
            let variable = match Instruction::of(&node) {
                Some(Instruction::Env(variable)) => variable.to_owned(),
                _ => return Ok(moved(node, span)),
            };
            self.is_late = true;
            let content = match &self.outside {
                Some(outside) => {
                    let text = outside.variable(&variable, place.clone())?;
                    Content::Scalar(text, Scalar::Text)
                }
                None => unknown(),
            };
            return Ok(Node { content, span });
        }
        let content = match name.split_once('.') {
            Some((id, column)) => self.column(id, column, span),
            None => Err(self.unknown(name)),
        };
        content.map(|content| Node { content, span }).map_err(|it| it.at(place))
    }

    fn column(&mut self, id: &str, column: &str, span: Span) -> Result<Content, Unknown> {
        let problem = |message: String, help: &str| Unknown { message, help: Some(help.to_owned()) };
        let full = match id.strip_prefix('/') {
            Some(full) => full.to_owned(),
            None => format!("{}{id}", self.scope),
        };
        let id = id.rsplit('/').next().unwrap_or(id);
        let Some(at) = self.steps.iter().position(|step| step.id == full) else {
            let known = self.steps[..self.before].iter().filter_map(|step| step.id.strip_prefix(&self.scope));
            let known = known.filter(|id| !id.contains('/'));
            let help = did_you_mean(id, known).or_else(|| {
                Some(format!("give an earlier step an id: `id: {id}`, and name a column of its row"))
            });
            return Err(Unknown { message: format!("no step has the id `{id}`"), help });
        };
        if self.id.as_ref() == Some(&full) {
            return Err(problem("a step cannot refer to its own row".to_owned(), "name an earlier step"));
        }
        if at >= self.before {
            return Err(problem(format!("`{id}` comes later"), "name an earlier step"));
        }
        if !self.steps[at].has_row {
            let help =
                "the row of an `add`, `change`, `delete` or `assert` with one `row` or `value` can be named";
            return Err(problem(format!("`{id}` has no single row to refer to"), help));
        }
        self.is_late = true;
        self.taken.push(Taken { id: full.clone(), column: column.to_owned(), span });
        let Some(captured) = &self.captured else { return Ok(unknown()) };
        let Some(row) = captured.get(&full) else {
            return Err(problem(
                format!("`{id}` has captured nothing"),
                "it did not run, or ended without a row: make this step depend on it with `when`",
            ));
        };
        row.get(column).cloned().ok_or_else(|| Unknown {
            message: format!("the row of `{id}` has no column `{column}`"),
            help: did_you_mean(column, row.keys().map(String::as_str)).or_else(|| {
                Some(format!("it has {}", list(&row.keys().map(String::as_str).collect::<Vec<_>>())))
            }),
        })
    }

    fn unknown(&self, name: &str) -> Unknown {
        let known: Vec<&str> = self.own.keys().map(String::as_str).collect();
        let help = did_you_mean(name, known.iter().copied()).or_else(|| {
            Some("name a variable under `vars` of the scenario, or a column of an earlier step: `{$ref: id.column}`".to_owned())
        });
        Unknown { message: format!("no value is called `{name}`"), help }
    }
}

impl Reading<'_> {
    /// A node with values in place of what stands for them.
    pub fn fill(&mut self, node: Node) -> Node {
        let Node { content, span } = node;
        let content = match content {
            Content::List(items) => Content::List(items.into_iter().map(|item| self.fill(item)).collect()),
            Content::Map(mut entries) => {
                if let Some(at) = entries.iter().position(|entry| entry.key == REF) {
                    let named = entries.swap_remove(at);
                    return self.refer(named, entries.is_empty());
                }
                Content::Map(self.fill_all(entries))
            }
            other => other,
        };
        Node { content, span }
    }

    /// The same for the values of entries.
    pub fn fill_all(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        entries.into_iter().map(|entry| Entry { value: self.fill(entry.value), ..entry }).collect()
    }

    /// The value that a parameter of the author's SQL is bound to, if it has a name.
    pub fn bound(&mut self, name: &str, span: Span) -> Option<Node> {
        let is_known = self.values.own.contains_key(name) || name.contains('.');
        is_known.then(|| self.named(name, span))
    }

    fn refer(&mut self, named: Entry, is_alone: bool) -> Node {
        let span = named.value.span;
        match &named.value.content {
            _ if !is_alone => self.problem_help(
                named.key_span,
                "`$ref` stands alone in its map",
                "it is the whole value: `{$ref: frank.id}`",
            ),
            Content::Scalar(name, _) if !name.trim().is_empty() => {
                let name = name.clone();
                return self.named(&name, span);
            }
            _ => self.problem_help(
                span,
                format!("`$ref` names a value, and here stands {}", named.value.noun()),
                "like `{$ref: frank.id}`",
            ),
        }
        Node { content: Content::Null, span }
    }

    fn named(&mut self, name: &str, span: Span) -> Node {
        let place = Place::new(self.source, span);
        self.values.get(name, &place).unwrap_or_else(|problem| {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
            Node { content: Content::Null, span }
        })
    }
}

/// The variables of a scenario, of which some may be given otherwise.
pub fn variables(reading: &mut Reading, node: Node, given: &BTreeMap<String, String>) -> Named {
    let mut named = Named::new();
    for entry in reading.map(node, "`vars`").unwrap_or_default() {
        if !is_name(&entry.key) {
            let help = "letters, digits and `_`, like `vars: {department: Sales}`";
            reading.problem_help(entry.key_span, format!("`{}` cannot be a name", entry.key), help);
            continue;
        }
        let value = match given.get(&entry.key) {
            Some(text) => {
                let scalar = instead(&entry.value, text);
                Node { content: Content::Scalar(text.clone(), scalar), span: entry.value.span }
            }
            None => {
                check(reading, &entry);
                entry.value
            }
        };
        named.insert(entry.key, value);
    }
    named
}

/// What a text is that is given in place of a value: a number or a truth value where that is one, else a text.
fn instead(value: &Node, text: &str) -> Scalar {
    match &value.content {
        Content::Scalar(_, Scalar::Number) if serde_json::from_str::<serde_json::Number>(text).is_ok() => {
            Scalar::Number
        }
        Content::Scalar(_, Scalar::Bool) if matches!(text, "true" | "false") => Scalar::Bool,
        _ => Scalar::Text,
    }
}

/// Notes what cannot be a value.
pub fn check(reading: &mut Reading, entry: &Entry) {
    let is_variable = matches!(Instruction::of(&entry.value), Some(Instruction::Env(_)));
    if !is_variable {
        super::value::check_cell_for(super::instruction::Purpose::Compare, reading, &entry.key, &entry.value);
    }
}

/// The same of a value that is given to a file, which may be the row of a step.
pub fn check_given(reading: &mut Reading, entry: &Entry) {
    if referred(&entry.value).is_none() {
        check(reading, entry);
    }
}

/// Whether a text can be written as a parameter.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The same value at another place.
fn moved(node: Node, span: Span) -> Node {
    let content = match node.content {
        Content::List(items) => Content::List(items.into_iter().map(|item| moved(item, span)).collect()),
        Content::Map(entries) => Content::Map(
            entries
                .into_iter()
                .map(|entry| Entry { key_span: span, value: moved(entry.value, span), ..entry })
                .collect(),
        ),
        other => other,
    };
    Node { content, span }
}
