//! What a cell says: raw text, null, a list, or a map. The column's type decides what it means.

use super::instruction::{self, Purpose};
use super::matcher;
use super::reading::Reading;
use super::source::Span;
use super::yaml::{Content, Entry, Node, Scalar};

/// One row as the author wrote it: column names, or names of references, with their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The row's first word.
    pub span: Span,
    /// In the order written; names are unique.
    pub cells: Vec<Entry>,
    /// How many of the cells are its own, and not defaults.
    pub own: usize,
    /// Whether it is named to be removed.
    pub is_removed: bool,
}

impl Row {
    /// Reads a row for some purpose, and refuses cells that cannot mean anything for any column type.
    pub fn parse_for(purpose: Purpose, reading: &mut Reading, node: Node, what: &str) -> Option<Row> {
        let span = node.span;
        let cells = reading.map(node, what)?;
        if cells.is_empty() {
            reading.problem(span, format!("{what} has no column"));
            return None;
        }
        for cell in &cells {
            check_cell_for(purpose, reading, &cell.key, &cell.value);
        }
        Some(Row { span, own: cells.len(), cells, is_removed: false })
    }

    /// A list of rows, or one row alone, that are looked for.
    pub fn parse_some(reading: &mut Reading, node: Node, what: &str) -> Vec<Row> {
        match node.content {
            Content::List(items) => items
                .into_iter()
                .filter_map(|item| Row::parse_for(Purpose::Find, reading, item, what))
                .collect(),
            _ => Row::parse_for(Purpose::Find, reading, node, what).into_iter().collect(),
        }
    }
}

/// Refuses a cell that has no value, or holds what PostgreSQL cannot store. What it is for decides about
/// instructions and matchers.
pub fn check_cell_for(purpose: Purpose, reading: &mut Reading, name: &str, node: &Node) {
    match &node.content {
        Content::Empty => reading.problem_help(
            node.span,
            format!("`{name}` has no value"),
            "write `null` for SQL NULL, or `''` for an empty text",
        ),
        Content::Scalar(text, _) if text.contains('\0') => {
            reading
                .problem(node.span, format!("`{name}` holds a NUL character, which PostgreSQL text cannot"));
        }
        Content::List(items) => {
            let inside = if purpose == Purpose::Expect { purpose } else { Purpose::Compare };
            items.iter().for_each(|item| check_cell_for(inside, reading, name, item))
        }
        Content::Map(entries) => {
            if let Some(entry) = instruction::entry(node) {
                instruction::check(reading, name, entry, purpose);
                if entry.key == "$json" {
                    check_json(reading, entry);
                }
                return;
            }
            if purpose == Purpose::Expect && entries.iter().any(|entry| entry.key.starts_with('$')) {
                return matcher::check(reading, name, entries);
            }
            for entry in entries {
                if entry.key.starts_with('$') {
                    instruction::check_key(reading, name, entry, purpose);
                }
                check_cell_for(purpose.inside(), reading, &entry.key, &entry.value);
            }
        }
        Content::Null | Content::Scalar(..) => {}
    }
}

/// The name by which a reference and its column are called alike: `department` and `department_id`.
pub fn stem(name: &str) -> &str {
    name.strip_suffix("_id").unwrap_or(name)
}

/// Whether a node is `{$json: …}`: JSON as text, for what a YAML map cannot say.
pub fn is_json_instruction(node: &Node) -> bool {
    matches!(&node.content, Content::Map(entries) if entries.len() == 1 && entries[0].key == "$json")
}

fn check_json(reading: &mut Reading, entry: &Entry) {
    let text = match &entry.value.content {
        Content::Scalar(text, _) => text,
        Content::Null => return,
        _ => {
            return reading.problem_help(
                entry.value.span,
                format!("`$json` is JSON as text, and here stands {}", entry.value.noun()),
                "put it between single quotes: {$json: '{\"a\": 1}'}",
            );
        }
    };
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let before: usize =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let line = text[before..].split('\n').next().unwrap_or_default();
        // The column counts bytes, and the end of the text is its last byte.
        let offset = before + error.column().saturating_sub(1).min(line.len().saturating_sub(1));
        let span = reading.source.within(entry.value.span, text, offset);
        let words = error.to_string();
        let words = words.split(" at line ").next().unwrap_or(&words);
        reading.problem(span, format!("not JSON: {words}"));
    }
}

/// A list as a PostgreSQL array literal: `{a,"b c",NULL}`. Lists within become dimensions.
///
/// Returns `None` for a list that holds a map, which no array element can be.
pub fn array_literal(items: &[Node]) -> Option<String> {
    let mut literal = String::from("{");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            literal.push(',');
        }
        match &item.content {
            Content::Null => literal.push_str("NULL"),
            Content::Scalar(text, _) => {
                literal.push('"');
                for c in text.chars() {
                    if matches!(c, '"' | '\\') {
                        literal.push('\\');
                    }
                    literal.push(c);
                }
                literal.push('"');
            }
            Content::List(inner) => literal.push_str(&array_literal(inner)?),
            Content::Map(_) | Content::Empty => return None,
        }
    }
    literal.push('}');
    Some(literal)
}

/// A node as JSON text. Plain numbers are written through, so that no digit is lost.
pub fn json_text(node: &Node) -> String {
    match &node.content {
        Content::Null | Content::Empty => "null".to_owned(),
        Content::Scalar(text, Scalar::Bool) => text.to_lowercase(),
        Content::Scalar(text, Scalar::Number) if is_json_number(text) => text.clone(),
        Content::Scalar(text, _) => json_string(text),
        Content::List(items) => {
            let items: Vec<String> = items.iter().map(json_text).collect();
            format!("[{}]", items.join(","))
        }
        Content::Map(entries) if is_json_instruction(node) => match &entries[0].value.content {
            Content::Scalar(text, _) => text.clone(),
            _ => "null".to_owned(),
        },
        Content::Map(entries) => {
            let members: Vec<String> = entries
                .iter()
                .map(|entry| {
                    format!("{}:{}", serde_json::Value::from(entry.key.as_str()), json_text(&entry.value))
                })
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

/// A text as a JSON string.
pub fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// YAML takes `0x1F`, `+1` and `.5` for numbers too; JSON does not.
fn is_json_number(text: &str) -> bool {
    serde_json::from_str::<serde_json::Number>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::super::yaml;
    use super::*;

    fn check(yaml: &str, array: Option<&str>, json: &str) {
        let node = yaml::parse(&Source::new("a.yaml", yaml)).unwrap();
        if let Content::List(items) = &node.content {
            assert_eq!(array_literal(items).as_deref(), array, "{yaml}");
        }
        assert_eq!(json_text(&node), json, "{yaml}");
    }

    #[test]
    fn lists_become_arrays_and_json() {
        check(
            r#"[a, "b c", null, 'null', '{"x"\y}']"#,
            Some(r#"{"a","b c",NULL,"null","{\"x\"\\y}"}"#),
            r#"["a","b c",null,"null","{\"x\"\\y}"]"#,
        );
        check("[[1, 2], [3, 4]]", Some(r#"{{"1","2"},{"3","4"}}"#), "[[1,2],[3,4]]");
        check("[]", Some("{}"), "[]");
        check("[{a: 1}]", None, r#"[{"a":1}]"#);
    }

    #[test]
    fn json_keeps_every_digit_and_quotes_what_is_quoted() {
        check(
            "{n: 12345678901234567890.120, s: '1', b: True, x: 0x1F, e: {}}",
            None,
            r#"{"n":12345678901234567890.120,"s":"1","b":true,"x":"0x1F","e":{}}"#,
        );
    }
}
