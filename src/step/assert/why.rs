//! Why a value is not the one expected, in a few words.

use crate::plan::description::{Kind, Type};
use crate::project::grid::cut;
use crate::project::matcher;
use crate::project::value::json_text;
use crate::project::yaml::{Content, Node};

/// What came back instead of what a node says, and in what the two differ where that is easily overlooked.
/// `expected` is how the server writes the value of a node that is one.
pub fn why(node: &Node, expected: Option<&str>, found: Option<&str>, sql_type: &Type) -> String {
    let came = match found {
        None => "NULL came back".to_owned(),
        Some(text) => format!("{} came back", quoted(text)),
    };
    if matcher::all(node).is_some() {
        return format!("{came}, expected {}", matcher::words(node, &written));
    }
    let (Some(expected), Some(found)) = (expected, found) else {
        return match (&node.content, found) {
            (Content::Null, Some(_)) => format!("{came}, not NULL"),
            (Content::Scalar(text, _), None) if text.eq_ignore_ascii_case("null") => {
                format!("{came}, not the text '{text}'")
            }
            _ => came,
        };
    };
    if sql_type.kind == Kind::Json {
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        let part = parse(expected).zip(parse(found)).and_then(|(a, b)| first_difference(&a, &b, "$"));
        return part.unwrap_or(came);
    }
    let bare = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if expected == found {
        return format!("{came}, which is another value that is written alike");
    }
    if bare(expected) == bare(found) {
        return format!("{came}: only white space differs");
    }
    if expected.to_lowercase() == found.to_lowercase() {
        return format!("{came}: only upper and lower case differ");
    }
    came
}

/// A node as the author may have written it.
pub fn written(node: &Node) -> String {
    match &node.content {
        Content::Null => "null".to_owned(),
        Content::Scalar(text, _) => cut(text, 0),
        _ => cut(&json_text(node), 0),
    }
}

fn quoted(text: &str) -> String {
    format!("`{}`", cut(text, 0))
}

/// Where two pieces of JSON begin to differ, and how.
fn first_difference(expected: &serde_json::Value, found: &serde_json::Value, path: &str) -> Option<String> {
    use serde_json::Value;
    match (expected, found) {
        (Value::Object(left), Value::Object(right)) => {
            let inner = left.iter().find_map(|(key, value)| match right.get(key) {
                None => Some(format!("`{path}.{key}` did not come back")),
                Some(other) => first_difference(value, other, &format!("{path}.{key}")),
            });
            let more = || right.keys().find(|key| !left.contains_key(*key));
            inner.or_else(|| more().map(|key| format!("`{path}.{key}` came back too")))
        }
        (Value::Array(left), Value::Array(right)) => {
            let mut pairs = left.iter().zip(right).enumerate();
            let inner = pairs.find_map(|(at, (a, b))| first_difference(a, b, &format!("{path}[{at}]")));
            let lengths = || format!("`{path}` has {} items, not {}", right.len(), left.len());
            inner.or_else(|| (left.len() != right.len()).then(lengths))
        }
        (Value::Number(left), Value::Number(right)) if left.as_f64() == right.as_f64() => None,
        _ if expected == found || path == "$" => None,
        _ => {
            Some(format!("`{path}` is {}, not {}", cut(&found.to_string(), 0), cut(&expected.to_string(), 0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::source::Source;
    use crate::project::yaml;

    fn check(node: &str, expected: Option<&str>, found: Option<&str>, json: bool, words: &str) {
        let kind = if json { Kind::Json } else { Kind::Plain };
        let node = yaml::parse(&Source::new("a.yaml", node)).unwrap();
        let sql_type = Type { sql: String::new(), kind };
        assert_eq!(why(&node, expected, found, &sql_type), words);
    }

    #[test]
    fn small_differences_are_named() {
        check("a", Some("a"), Some("b"), false, "`b` came back");
        check("a", Some("a"), Some("a "), false, "`a ` came back: only white space differs");
        check("a", Some("a"), Some("A"), false, "`A` came back: only upper and lower case differ");
        check("a", Some("a"), None, false, "NULL came back");
        check("'null'", Some("null"), None, false, "NULL came back, not the text 'null'");
        check("[~]", None, Some("x"), false, "`x` came back");
        check("{$gt: 3}", None, Some("2"), false, "`2` came back, expected > 3");
        check(
            "{a: [1, 2]}",
            Some(r#"{"a": [1, 2]}"#),
            Some(r#"{"a": [1, 3]}"#),
            true,
            "`$.a[1]` is 3, not 2",
        );
        check("{a: 1}", Some(r#"{"a": 1}"#), Some(r#"{"a": 1.0, "b": 2}"#), true, "`$.b` came back too");
    }
}
