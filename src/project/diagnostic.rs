//! Bad news: one shape for it, and the one place that lays it out.
//!
//! Whoever finds a problem names it, points at it and says what to do next; the drawing (excerpt,
//! caret, colours) is left to the `annotate-snippets` crate, as cargo does.

use std::borrow::Cow;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;

use super::control;
use super::grid::Grid;
use super::source::{Place, Source, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The work goes on.
    Warning,
    /// Something the author said does not hold: a result, not a fault.
    Failed,
    /// The work could not be done.
    Error,
}

/// One problem: what it is, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// One line, lower case, without a full stop.
    pub message: String,
    /// What is underlined.
    pub place: Option<Place>,
    /// The words beside the underline.
    pub label: Option<String>,
    /// A second place in the same file that explains the first, with its words.
    pub context: Option<(Span, String)>,
    /// Facts that help to understand, one line or a small block each.
    pub notes: Vec<String>,
    /// Which of the notes is a grid, if one is, with its cells apart.
    pub grid: Option<(usize, Grid)>,
    /// The next action.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error: the work could not be done.
    pub fn error(message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, message)
    }

    /// A statement of the author that does not hold.
    pub fn failed(message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Failed, message)
    }

    /// A warning: the work goes on.
    pub fn warning(message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, message)
    }

    fn new(severity: Severity, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity,
            message: printable(&message.into()),
            place: None,
            label: None,
            context: None,
            notes: Vec::new(),
            grid: None,
            help: None,
        }
    }

    /// Points at a span of a source.
    pub fn at(self, source: &Arc<Source>, span: Span) -> Diagnostic {
        self.at_place(Place::new(source, span))
    }

    /// Points at a place.
    pub fn at_place(mut self, place: Place) -> Diagnostic {
        self.place = Some(place);
        self
    }

    /// Says something beside the underline.
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = Some(printable(&label.into()));
        self
    }

    /// Shows a second span of the same file.
    pub fn context(mut self, span: Span, label: impl Into<String>) -> Diagnostic {
        self.context = Some((span, printable(&label.into())));
        self
    }

    /// Adds a fact.
    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(printable(&note.into()));
        self
    }

    /// Adds a grid as a fact.
    pub fn grid(mut self, grid: Grid) -> Diagnostic {
        self.notes.push(printable(&grid.text()));
        self.grid = Some((self.notes.len() - 1, grid));
        self
    }

    /// Says what to do next.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(printable(&help.into()));
        self
    }

    /// Says what to do next, if there is something to say.
    pub fn maybe_help(mut self, help: Option<String>) -> Diagnostic {
        self.help = help.map(|help| printable(&help)).or(self.help);
        self
    }

    /// The diagnostic as text, with ANSI colours if asked, ending in a newline.
    pub fn render(&self, coloured: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Failed => Level::ERROR.with_name("failed"),
            Severity::Warning => Level::WARNING,
        };
        let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let title = level.primary_title(&self.message);
        let Some(excerpt) = self.excerpt() else {
            return self.render_without_excerpt(&renderer.render(&[Group::with_title(title)]), coloured);
        };
        let notes = self.notes.iter().map(|note| Level::NOTE.message(note));
        let help = self.help.iter().map(|help| Level::HELP.message(help));
        let mut text = renderer.render(&[title.element(excerpt).elements(notes.chain(help))]);
        text.push('\n');
        text
    }

    /// With nothing to show of a file, its name, the notes and the help stand under the title.
    fn render_without_excerpt(&self, title: &str, coloured: bool) -> String {
        let mut text = format!("{title}\n");
        if let Some(place) = &self.place {
            // An excerpt knows its line, even an empty one.
            match place.source.line_first {
                1 => text.push_str(&format!("  --> {}\n", place.source.path)),
                _ => text.push_str(&format!("  --> {place}\n")),
            }
        }
        let mut line = |word: &str, style: anstyle::Style, words: &str| {
            let style = if coloured { style } else { anstyle::Style::new() };
            let words = words.replace('\n', &format!("\n{}", " ".repeat(word.len() + 6)));
            text.push_str(&format!("  = {style}{word}{style:#}: {words}\n"));
        };
        self.notes
            .iter()
            .for_each(|note| line("note", annotate_snippets::renderer::DEFAULT_NOTE_STYLE, note));
        self.help.iter().for_each(|help| line("help", annotate_snippets::renderer::DEFAULT_HELP_STYLE, help));
        text
    }

    /// The diagnostic for machines.
    pub fn json(&self) -> serde_json::Value {
        let place = self.place.as_ref().map(|place| {
            let (line, column) = place.source.line_column(place.span.start as usize);
            json!({ "file": place.source.path, "line": line, "column": column })
        });
        json!({
            "severity": match self.severity {
                Severity::Warning => "warning",
                Severity::Failed => "failed",
                Severity::Error => "error",
            },
            "message": self.message,
            "label": self.label,
            "place": place,
            "notes": self.notes,
            "help": self.help,
        })
    }

    fn excerpt(&self) -> Option<annotate_snippets::Element<'_>> {
        let place = self.place.as_ref().filter(|place| !place.source.text.is_empty())?;
        let text = place.source.text.as_str();
        let mut primary = AnnotationKind::Primary.span(shown(text, place.span));
        if let Some(label) = &self.label {
            primary = primary.label(label.as_str());
        }
        // The crate shows the older control characters; these newer ones steer terminals too. What
        // stands for them is as long as they are.
        let is_steering = |c: char| ('\u{80}'..='\u{9f}').contains(&c);
        let excerpt = match text.contains(is_steering) {
            true => Cow::Owned(text.replace(is_steering, "·")),
            false => Cow::Borrowed(text),
        };
        let mut snippet = Snippet::source(excerpt)
            .line_start(place.source.line_first)
            .path(place.source.path.as_str())
            .annotation(primary);
        if let Some((span, label)) = &self.context {
            let context = AnnotationKind::Context.span(shown(text, *span));
            snippet = snippet.annotation(context.label(label.as_str()));
        }
        Some(snippet.into())
    }
}

/// The most a single underline covers is one line: what follows is seen in the file.
pub(crate) fn shown(text: &str, span: Span) -> std::ops::Range<usize> {
    let range = span.range();
    let start = range.start.min(text.len());
    let end = range.end.min(text.len());
    let Some(covered) = text.get(start..end) else { return start..start };
    let first_line = covered.find(['\n', '\r']).map_or(end, |at| start + at);
    if first_line == start && end > start { start..start + 1 } else { start..first_line }
}

/// A "did you mean" for a word the author wrote, given the words that exist there.
///
/// With no near word, the words that exist are listed, if they are few enough to read.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known
        .iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count().max(3) / 3).max(1))
        .min_by_key(|(distance, _)| *distance);
    match near {
        Some((_, candidate)) => Some(format!("did you mean `{candidate}`?")),
        None if known.is_empty() => None,
        None if known.len() <= 20 => Some(format!("known here: {}", list(&known))),
        None => None,
    }
}

/// Words in backticks, with commas between them.
pub fn list<'a>(words: impl IntoIterator<Item = &'a &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// A number and its noun: `1 row`, `2 rows`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Text from outside with its control characters made visible, so that no server, file or name
/// can steer the terminal it is shown on, or turn around what stands there. Newlines and tabs stay.
pub fn printable(text: &str) -> String {
    let is_harmful = |c: char| control::is_harmful(c) && c != '\n' && c != '\t';
    if !text.contains(is_harmful) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_harmful(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_drawn_with_its_place_and_the_next_action() {
        let source = Source::new("scenarios/a.yaml", "steps:\n  - sead: x\n");
        let drawn = Diagnostic::error("unknown step kind `sead`")
            .at(&source, Span::new(11, 15))
            .help("did you mean `seed`?")
            .render(false);
        let expected = "error: unknown step kind `sead`
 --> scenarios/a.yaml:2:5
  |
2 |   - sead: x
  |     ^^^^
  |
  = help: did you mean `seed`?
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn near_words_are_offered_and_far_ones_listed() {
        let known = ["seed", "assert", "add"];
        assert_eq!(did_you_mean("sead", known).as_deref(), Some("did you mean `seed`?"));
        assert_eq!(did_you_mean("migrate", known).as_deref(), Some("known here: `seed`, `assert`, `add`"));
        assert_eq!(did_you_mean("x", []), None);
    }

    #[test]
    fn control_characters_cannot_reach_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\nc"), "a\\u{1b}[31mb\nc");
        assert_eq!(printable("\u{202e}cba\u{2069} אב"), "\\u{202e}cba\\u{2069} אב");
    }
}
