//! Filter: which scenarios are meant, in words.
//!
//! ```text
//! filter = all { "or" all }
//! all    = one { ["and"] one }
//! one    = "not" one | "(" filter ")" | [ key ":" ] value
//! key    = "path" | "title" | "tag" | "kind"
//! value  = word | "'" any "'" | '"' any '"'
//! ```
//!
//! `path` and `title` are found anywhere in them, whatever the case of letters; `tag` and `kind` are whole
//! words. With `*` a value is a pattern for the whole. Without a key it is a part of path or title, or a tag.

use std::sync::Arc;

use glob::{MatchOptions, Pattern};

use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::project::scenario::Scenario;
use crate::project::source::{Source, Span};
use crate::step::KINDS;
use crate::step::read::kind_named;

/// The keys.
const KEYS: &[&str] = &["path", "title", "tag", "kind"];

/// Which scenarios are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Those that one of them means.
    Any(Vec<Filter>),
    /// Those that all of them mean.
    All(Vec<Filter>),
    /// Those that it does not mean.
    Not(Box<Filter>),
    /// Those of which this is true.
    Is(Key, Value),
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Path, title and tags.
    Anything,
    /// The file's path.
    Path,
    /// The title.
    Title,
    /// Each tag, of the scenario and of its steps.
    Tag,
    /// The kind of each step.
    Kind,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// This text.
    Text(String),
    /// What fits this pattern as a whole.
    Pattern(Pattern),
}

/// What a filter can know of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Subject<'a> {
    /// The file.
    pub path: &'a str,
    /// The title.
    pub title: &'a str,
    /// The tags.
    pub tags: Vec<&'a str>,
    /// The kinds of its steps.
    pub kinds: Vec<&'a str>,
}

impl<'a> From<&'a Scenario> for Subject<'a> {
    fn from(scenario: &'a Scenario) -> Subject<'a> {
        let of_steps = scenario.steps.iter().flat_map(|step| &step.control.tags);
        Subject {
            path: &scenario.source.path,
            title: &scenario.title.text,
            tags: scenario.tags.iter().chain(of_steps).map(|tag| tag.text.as_str()).collect(),
            kinds: scenario.steps.iter().map(|step| step.kind.name).collect(),
        }
    }
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    ///
    /// It is none; the diagnostic points at the word.
    pub fn parse(text: &str) -> Result<Filter, Diagnostic> {
        let source = Source::new("--filter", text);
        let words = words(&source)?;
        let mut parser = Parser { source: &source, words: &words, at: 0 };
        let filter = parser.any()?;
        match parser.peek() {
            None => Ok(filter),
            Some(word) => Err(parser.problem(word.span, "nothing was opened that this closes")),
        }
    }

    /// Whether it means this scenario.
    pub fn means(&self, subject: &Subject) -> bool {
        match self {
            Filter::Any(filters) => filters.iter().any(|filter| filter.means(subject)),
            Filter::All(filters) => filters.iter().all(|filter| filter.means(subject)),
            Filter::Not(filter) => !filter.means(subject),
            Filter::Is(key, value) => match key {
                Key::Path => value.is_in(subject.path),
                Key::Title => value.is_in(subject.title),
                Key::Tag => subject.tags.iter().any(|tag| value.is(tag)),
                Key::Kind => subject.kinds.iter().any(|kind| value.is(kind)),
                Key::Anything => {
                    value.is_in(subject.path)
                        || value.is_in(subject.title)
                        || subject.tags.iter().any(|tag| value.is(tag))
                }
            },
        }
    }
}

impl Value {
    fn is_in(&self, text: &str) -> bool {
        match self {
            Value::Text(part) => text.to_lowercase().contains(&part.to_lowercase()),
            Value::Pattern(pattern) => fits(pattern, text),
        }
    }

    fn is(&self, text: &str) -> bool {
        match self {
            Value::Text(whole) => text == whole,
            Value::Pattern(pattern) => fits(pattern, text),
        }
    }
}

fn fits(pattern: &Pattern, text: &str) -> bool {
    pattern.matches_with(text, MatchOptions { case_sensitive: false, ..MatchOptions::new() })
}

/// A word, and where it stands.
struct Word {
    text: String,
    is_quoted: bool,
    span: Span,
}

/// Splits a filter into words, parentheses, and keys with their colon.
fn words(source: &Arc<Source>) -> Result<Vec<Word>, Diagnostic> {
    let text = source.text.as_str();
    let mut words = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        let mut push = |text: &str, is_quoted, end| {
            words.push(Word { text: text.to_owned(), is_quoted, span: Span::new(start, end) });
        };
        match c {
            c if c.is_whitespace() => {}
            '(' | ')' => push(&text[start..=start], false, start + 1),
            '\'' | '"' => {
                let Some((end, _)) = rest.find(|(_, other)| *other == c) else {
                    return Err(Diagnostic::error("this quote is not closed")
                        .at(source, Span::new(start, start + 1))
                        .help("write it once more behind the value"));
                };
                push(&text[start + 1..end], true, end + 1);
            }
            _ => {
                let mut end = start + c.len_utf8();
                let mut is_key = c == ':';
                while let Some((at, next)) = rest.peek().copied() {
                    if is_key || next.is_whitespace() || matches!(next, '(' | ')') {
                        break;
                    }
                    rest.next();
                    end = at + next.len_utf8();
                    // Only the first colon ends a key: the others are of the value.
                    is_key = next == ':' && KEYS.contains(&&text[start..at]);
                }
                push(&text[start..end], false, end);
            }
        }
    }
    Ok(words)
}

struct Parser<'a> {
    source: &'a Arc<Source>,
    words: &'a [Word],
    at: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Filter, Diagnostic> {
        let mut filters = vec![self.all()?];
        while self.takes("or") {
            filters.push(self.all()?);
        }
        Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::Any(filters) })
    }

    fn all(&mut self) -> Result<Filter, Diagnostic> {
        let mut filters = vec![self.one()?];
        loop {
            let is_more = self.takes("and")
                || self
                    .peek()
                    .is_some_and(|word| word.is_quoted || !matches!(word.text.as_str(), ")" | "or"));
            match is_more {
                true => filters.push(self.one()?),
                false => break,
            }
        }
        Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::All(filters) })
    }

    fn one(&mut self) -> Result<Filter, Diagnostic> {
        if self.takes("not") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        let word = self.next("a filter is missing here")?;
        if !word.is_quoted && word.text == "(" {
            let filter = self.any()?;
            return match self.takes(")") {
                true => Ok(filter),
                false => Err(self.problem(word.span, "this is not closed")),
            };
        }
        if !word.is_quoted && matches!(word.text.as_str(), ")" | "and" | "or") {
            return Err(self.problem(word.span, "a filter is missing before this"));
        }
        let Some(name) = word.text.strip_suffix(':').filter(|_| !word.is_quoted) else {
            self.refuse_other_key(word)?;
            return self.value(Key::Anything, word);
        };
        let key = match name {
            "path" => Key::Path,
            "title" => Key::Title,
            "tag" => Key::Tag,
            "kind" => Key::Kind,
            other => return Err(self.unknown(other, word.span)),
        };
        let value = self.next(&format!("`{name}:` needs a value"))?;
        if !value.is_quoted && matches!(value.text.as_str(), "(" | ")") {
            return Err(self.problem(value.span, format!("`{name}:` needs a value")));
        }
        if key == Key::Kind && !value.text.contains('*') && kind_named(&value.text).is_none() {
            let known = KINDS.iter().map(|kind| kind.name);
            let problem =
                self.problem(value.span, format!("there is no kind of step called `{}`", value.text));
            return Err(Diagnostic { help: did_you_mean(&value.text, known), ..problem });
        }
        self.value(key, value)
    }

    /// A word like `tags:bootstrap` is a mistake, not a title.
    fn refuse_other_key(&self, word: &Word) -> Result<(), Diagnostic> {
        match word.text.split_once(':') {
            Some((key, _)) if !word.is_quoted && key.chars().all(|c| c.is_ascii_alphabetic()) => {
                Err(self
                    .unknown(key, Span::new(word.span.start as usize, word.span.start as usize + key.len())))
            }
            _ => Ok(()),
        }
    }

    fn unknown(&self, key: &str, span: Span) -> Diagnostic {
        let problem = self.problem(span, format!("`{key}` is nothing to select by"));
        let help = did_you_mean(key, KEYS.iter().copied());
        Diagnostic {
            help: help.map(|help| format!("{help} (a text with a colon goes in quotes)")),
            ..problem
        }
    }

    fn value(&self, key: Key, word: &Word) -> Result<Filter, Diagnostic> {
        let value = match word.text.contains('*') {
            true => Value::Pattern(
                Pattern::new(&word.text).map_err(|error| self.problem(word.span, error.msg.to_owned()))?,
            ),
            false => Value::Text(word.text.clone()),
        };
        Ok(Filter::Is(key, value))
    }

    fn peek(&self) -> Option<&'a Word> {
        self.words.get(self.at)
    }

    fn next(&mut self, missing: &str) -> Result<&'a Word, Diagnostic> {
        let end = self.source.text.len();
        let word = self.peek().ok_or_else(|| self.problem(Span::new(end, end), missing.to_owned()))?;
        self.at += 1;
        Ok(word)
    }

    fn takes(&mut self, text: &str) -> bool {
        let is_it = self.peek().is_some_and(|word| !word.is_quoted && word.text == text);
        self.at += usize::from(is_it);
        is_it
    }

    fn problem(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(message)
            .at(self.source, span)
            .help("like `tag:bootstrap and not kind:delete`, or a part of a title or path")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster() -> Subject<'static> {
        Subject {
            path: "scenarios/team/roster.yaml",
            title: "Department roster",
            tags: vec!["bootstrap", "slow"],
            kinds: vec!["seed", "assert"],
        }
    }

    #[test]
    fn words_mean_parts_of_path_and_title_and_whole_tags_and_kinds() {
        let check = |filter: &str, expected: bool| {
            assert_eq!(Filter::parse(filter).unwrap().means(&roster()), expected, "{filter}");
        };
        check("roster", true);
        check("ROSTER", true);
        check("boot", false);
        check("bootstrap", true);
        check("path:team/", true);
        check("path:*/team/*", true);
        check("path:team*", false);
        check("title:'department r'", true);
        check("title:\"hiring\"", false);
        check("tag:slow", true);
        check("tag:slo", false);
        check("tag:s*", true);
        check("kind:assert", true);
        check("kind:delete", false);
        check("not kind:delete", true);
        check("tag:slow kind:assert", true);
        check("tag:slow and kind:delete", false);
        check("tag:fast or kind:assert and title:roster", true);
        check("(tag:fast or kind:assert) and title:hiring", false);
        check("not (tag:fast or tag:quick)", true);
        check("not not roster", true);
        check("tag: slow", true);
        check("'not'", false);
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        let check = |filter: &str, expected: &str| {
            let problem = Filter::parse(filter).unwrap_err();
            let place = problem.place.as_ref().unwrap();
            let told = format!("{}: {}", place.span.start, problem.message);
            assert_eq!(told, expected, "{filter}");
        };
        check("", "0: a filter is missing here");
        check("tag:", "4: `tag:` needs a value");
        check("tags:slow", "0: `tags` is nothing to select by");
        check("kind:assertion", "5: there is no kind of step called `assertion`");
        check("(a or b", "0: this is not closed");
        check("a)", "1: nothing was opened that this closes");
        check("a or", "4: a filter is missing here");
        check("and a", "0: a filter is missing before this");
        check("'a", "0: this quote is not closed");
        check("a***b", "0: wildcards are either regular `*` or recursive `**`");
    }
}
