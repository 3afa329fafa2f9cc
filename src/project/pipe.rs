//! A table of rows between pipes, below `|`: one line a row, the first one names the columns.
//!
//! ```text
//! | name    | salary  | hired      |
//! | Alice   | 1200.10 | 2024-01-01 |
//! | Charlie | null    | 2024-02-29 |
//! ```
//!
//! A cell is what it would be in a flow list: a plain text, `null`, a quoted text, a list or a map. In a
//! plain text a pipe is `\|`, and commas, colons and brackets behind its first character are themselves.

use std::ops::Range;

use super::diagnostic::count;
use super::reading::Reading;
use super::source::{Source, Span};
use super::yaml::{self, Content, Entry, Node, Scalar};

/// Reads the rows of a table from the block scalar that holds it: each a map. Every problem is noted.
pub fn rows(reading: &mut Reading, text: &str, span: Span) -> Vec<Node> {
    let file = reading.source.clone();
    if !file.text[span.start as usize..].starts_with('|') {
        reading.problem_help(
            span,
            "a table of rows stands below `|`",
            "write `rows: |`, and each row on a line of its own between pipes",
        );
        return Vec::new();
    }
    let mut lines = lines(&file.text, span, text).into_iter().filter(|(line, _)| !line.trim().is_empty());
    let Some((head, head_start)) = lines.next() else {
        reading.problem_help(span, "the table is empty", "write `rows: []` where nothing may come back");
        return Vec::new();
    };
    let Some(names) = cells(reading, head, head_start) else { return Vec::new() };
    let names: Vec<(String, Span)> = names.iter().map(|cell| name(reading, cell)).collect();
    for (at, (name, span)) in names.iter().enumerate() {
        if names[..at].iter().any(|(earlier, _)| earlier == name) {
            reading.problem(*span, format!("two columns are called `{name}`"));
        }
    }
    let mut rows = Vec::new();
    for (line, start) in lines {
        let Some(cells) = cells(reading, line, start) else { continue };
        if cells.iter().all(|cell| is_rule(&cell.text)) {
            continue;
        }
        let first = cells.first().map_or(Span::new(start, start + 1), |cell| cell.span());
        if cells.len() != names.len() {
            let (found, wanted) = (count(cells.len(), "cell"), count(names.len(), "column"));
            reading.problem_help(
                first,
                format!("this row has {found}, and the table {wanted}"),
                "put each cell between pipes; a pipe inside of a text is `\\|`",
            );
            continue;
        }
        let entry = |(cell, (key, head)): (&Cell, &(String, Span))| Entry {
            key: key.clone(),
            key_span: *head,
            value: value(reading, cell),
        };
        let entries = cells.iter().zip(&names).map(entry).collect();
        rows.push(Node { content: Content::Map(entries), span: first });
    }
    rows
}

/// A cell as it stands in the file, without the blanks around it.
struct Cell {
    text: String,
    start: usize,
    length: usize,
}

impl Cell {
    /// Its place; of an empty one the blank before the pipe.
    fn span(&self) -> Span {
        Span::new(self.start, self.start + self.length.max(1))
    }
}

/// The lines of a literal block, each with the byte of the file at which it begins.
fn lines<'t>(file: &str, span: Span, text: &'t str) -> Vec<(&'t str, usize)> {
    let mut start = span.start as usize;
    let mut written = file[start..].split_inclusive('\n').map(|line| {
        start += line.len();
        (line, start - line.len())
    });
    written.next(); // What stands behind `|`.
    let place = |(line, (written, start)): (&'t str, (&str, usize))| {
        (line, start + written.find(line.trim_end()).unwrap_or(0))
    };
    text.lines().zip(written).map(place).collect()
}

/// A line of a table as it stands in its file.
pub struct Line {
    /// What stands between its pipes, in bytes of the file.
    pub slots: Vec<Range<usize>>,
    /// Whether it is the one that some draw below the head.
    pub is_rule: bool,
}

/// The lines of a table that was read without a problem, the one that names the columns first.
pub fn drawn(file: &str, text: &str, span: Span) -> Vec<Line> {
    let lines = lines(file, span, text).into_iter().filter(|(line, _)| !line.trim().is_empty());
    let drawn = |(at, (line, start)): (usize, (&str, usize))| {
        let inner = line.trim();
        let mut from = start + (line.len() - line.trim_start().len()) + 1;
        let mut rest = inner.get(1..).unwrap_or_default();
        let mut slots = Vec::new();
        while !rest.is_empty() {
            let end = end_of_cell(rest);
            slots.push(from..from + end);
            let next = (end + 1).min(rest.len());
            from += next;
            rest = &rest[next..];
        }
        let is_rule = at > 0 && slots.iter().all(|slot| is_rule(file[slot.clone()].trim()));
        Line { slots, is_rule }
    };
    lines.enumerate().map(drawn).collect()
}

/// The cells of a line, which begins and ends with a pipe.
fn cells(reading: &mut Reading, line: &str, start: usize) -> Option<Vec<Cell>> {
    let trimmed = line.trim_end();
    let indent = trimmed.len() - trimmed.trim_start().len();
    let inner = trimmed[indent..].strip_prefix('|').and_then(|rest| Some((rest, rest.strip_suffix('|')?)));
    let Some((rest, _)) = inner else {
        let help = "a row of a table stands between pipes: `| Alice | 1200.10 |`";
        let begin = start + indent;
        reading.problem_help(Span::new(begin, start + trimmed.len()), "this line is no row", help);
        return None;
    };
    let mut cells = Vec::new();
    let mut at = start + indent + 1;
    let mut rest = rest;
    while !rest.is_empty() {
        let end = end_of_cell(rest);
        let raw = &rest[..end];
        let text = raw.trim();
        let lead = raw.len() - raw.trim_start().len();
        let lead = if text.is_empty() { lead.saturating_sub(1) } else { lead };
        cells.push(Cell { text: text.to_owned(), start: at + lead, length: text.len() });
        let next = (end + 1).min(rest.len());
        at += next;
        rest = &rest[next..];
    }
    Some(cells)
}

/// The byte of the pipe that ends the cell at the beginning of a text.
fn end_of_cell(text: &str) -> usize {
    let is_flow = text.trim_start().starts_with(['\'', '"', '[', '{']);
    let (mut quote, mut is_escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if is_escaped => is_escaped = false,
            (None, '\\') if !is_flow => is_escaped = true,
            (Some('"'), '\\') => is_escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') if is_flow => quote = Some(c),
            (None, '|') => return at,
            _ => {}
        }
    }
    text.len()
}

/// Whether a cell is a piece of the line that some draw below the head.
fn is_rule(text: &str) -> bool {
    text.contains('-') && text.chars().all(|c| matches!(c, '-' | ':')) && text.len() > 2
}

fn name(reading: &mut Reading, cell: &Cell) -> (String, Span) {
    match value(reading, cell).content {
        Content::Scalar(text, _) if !text.is_empty() => (text, cell.span()),
        Content::Empty => {
            reading.problem(cell.span(), "a column without a name");
            (String::new(), cell.span())
        }
        _ => {
            reading.problem(cell.span(), "a column's name is a text");
            (cell.text.clone(), cell.span())
        }
    }
}

/// What a cell says.
fn value(reading: &mut Reading, cell: &Cell) -> Node {
    let span = cell.span();
    let content = match cell.text.as_str() {
        "" => Content::Empty,
        // As YAML has them.
        "null" | "Null" | "NULL" | "~" => Content::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => {
            Content::Scalar(cell.text.clone(), Scalar::Bool)
        }
        text if text.starts_with(['\'', '"', '[', '{']) => return flow(reading, cell),
        text if serde_json::from_str::<serde_json::Number>(text).is_ok() => {
            Content::Scalar(text.to_owned(), Scalar::Number)
        }
        text => Content::Scalar(text.replace("\\|", "|"), Scalar::Text),
    };
    Node { content, span }
}

/// A cell that is YAML of its own, at its place in the file.
fn flow(reading: &mut Reading, cell: &Cell) -> Node {
    let source = Source::new(reading.source.path.clone(), cell.text.clone());
    match yaml::parse(&source) {
        Ok(mut node) => {
            shift(&mut node, cell.start);
            node
        }
        Err(mut problem) => {
            let span = problem.place.take().map_or(cell.span(), |place| moved(place.span, cell.start));
            reading.problems.push(problem.at(reading.source, span));
            Node { content: Content::Null, span: cell.span() }
        }
    }
}

fn shift(node: &mut Node, by: usize) {
    node.span = moved(node.span, by);
    match &mut node.content {
        Content::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Content::Map(entries) => {
            for entry in entries {
                entry.key_span = moved(entry.key_span, by);
                shift(&mut entry.value, by);
            }
        }
        Content::Null | Content::Empty | Content::Scalar(..) => {}
    }
}

fn moved(span: Span, by: usize) -> Span {
    Span::new(span.start as usize + by, span.end as usize + by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::source::Place;
    use crate::project::value::json_text;

    fn check(table: &str, expected: &str, problems_expected: &[&str]) {
        let file = format!("rows: |\n{table}");
        let source = Source::new("a.yaml", file);
        let node = yaml::parse(&source).unwrap();
        let Content::Map(mut entries) = node.content else { panic!("{table}") };
        let value = entries.remove(0).value;
        let Content::Scalar(text, _) = value.content else { panic!("{table}") };
        let mut problems = Vec::new();
        let rows = rows(&mut Reading::new(&source, &mut problems), &text, value.span);
        let told: Vec<String> = problems
            .iter()
            .map(|it| {
                format!("{} {}", it.place.as_ref().map(Place::to_string).unwrap_or_default(), it.message)
            })
            .collect();
        assert_eq!(told, problems_expected, "{table}");
        assert_eq!(rows.iter().map(json_text).collect::<Vec<_>>().join(" "), expected, "{table}");
    }

    #[test]
    fn a_line_is_a_row() {
        check(
            "  | name  | n    | more        |\n  |-------|------|-------------|\n  | Ann B | 1.50 | null        |\n  | 'x | ''y' | 'null' | {$gt: \"|\"} |\n",
            r#"{"name":"Ann B","n":1.50,"more":null} {"name":"x | 'y","n":"null","more":{"$gt":"|"}}"#,
            &[],
        );
        check("  | a |\n  | x\\|y, z: [1 |\n", r#"{"a":"x|y, z: [1"}"#, &[]);
        check("  | a |\n", "", &[]);
    }

    #[test]
    fn what_is_no_row_is_told_at_its_place() {
        check("  | a | b |\n  | 1 |\n", "", &["a.yaml:3:5 this row has 1 cell, and the table 2 columns"]);
        check("  | a | a |\n", "", &["a.yaml:2:9 two columns are called `a`"]);
        check("  | a |\n  1\n", "", &["a.yaml:3:3 this line is no row"]);
        check(
            "  | ä |\n  | [x |\n",
            r#"{"ä":null}"#,
            &["a.yaml:3:7 not YAML: did not find expected ',' or ']'"],
        );
        check("  | a |\n  |   |\n", r#"{"a":null}"#, &[]);
    }

    #[test]
    fn cells_stand_where_they_are_written() {
        let source = Source::new("a.yaml", "rows: |\n  | ä | b        |\n  | é | {$gt: x} |\n");
        let mut problems = Vec::new();
        let text = "| ä | b        |\n| é | {$gt: x} |\n";
        let rows = rows(&mut Reading::new(&source, &mut problems), text, Span::new(6, 7));
        let Content::Map(entries) = &rows[0].content else { panic!() };
        let Content::Map(inner) = &entries[1].value.content else { panic!() };
        assert_eq!(Place::new(&source, entries[0].value.span).to_string(), "a.yaml:3:5");
        assert_eq!(&source.text[inner[0].value.span.range()], "x");
    }
}
