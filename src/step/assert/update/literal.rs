//! A value that came back, as it is written in a file so that it is read again as the same value.

use crate::plan::description::{Kind, Type};
use crate::project::source::Source;
use crate::project::value::{json_string, json_text};
use crate::project::written;
use crate::project::yaml::{self, Content, Node};

/// How deep JSON and arrays may be nested to be written as YAML.
const DEPTH_MAX: usize = 50;

/// What is written, and what is read from it.
#[derive(Debug)]
pub struct Literal {
    /// As it stands in the file; it may stand between brackets and pipes too.
    pub text: String,
    /// What it says.
    pub node: Node,
}

/// A value of a type, of which this is the server's text. A text is put between quotes like those that were
/// there before, if there were any.
pub fn literal(value: Option<&str>, sql_type: &Type, quote: Option<char>) -> Option<Literal> {
    let Some(value) = value else { return read("null".to_owned()) };
    match &sql_type.kind {
        Kind::Json => json(value),
        Kind::Array(_) => array(value).or_else(|| scalar(value, quote)),
        _ => scalar(value, quote),
    }
}

fn read(text: String) -> Option<Literal> {
    let source = Source::new("", format!("[{text}]"));
    let Content::List(mut items) = yaml::parse(&source).ok()?.content else { return None };
    let node = items.pop().filter(|_| items.is_empty())?;
    Some(Literal { text, node })
}

fn scalar(value: &str, quote: Option<char>) -> Option<Literal> {
    let is_it = |it: &Literal| matches!(&it.node.content, Content::Scalar(text, _) if text == value);
    let text = match quote {
        Some('"') => written::double_quoted(value),
        Some(_) => written::quoted(value),
        None if is_plain(value) => value.to_owned(),
        None => written::write(value),
    };
    let found = read(text).filter(is_it);
    found.or_else(|| read(written::double_quoted(value)).filter(is_it))
}

/// Whether a text needs no quotes, though it is more than a word: a number below zero, a time, an address.
fn is_plain(text: &str) -> bool {
    let is_inner = |c: char| c.is_alphanumeric() || "_./+- @:".contains(c);
    let number = text.strip_prefix('-').unwrap_or(text);
    let begins = number.starts_with(|c: char| c.is_ascii_digit())
        || text.starts_with(char::is_alphabetic) && !text.eq_ignore_ascii_case("null");
    let colons_are_inner = text.match_indices(':').all(|(at, _)| {
        text[at + 1..].starts_with(char::is_alphanumeric) && text[..at].ends_with(char::is_alphanumeric)
    });
    begins && text.ends_with(char::is_alphanumeric) && text.chars().all(is_inner) && colons_are_inner
}

/// JSON as maps and lists of YAML where these say exactly the same, else as a text.
fn json(value: &str) -> Option<Literal> {
    let mut yaml = Yaml { rest: value, yaml: String::new(), json: String::new() };
    // Null would be NULL.
    let is_whole = value.trim() != "null" && yaml.value(0).is_some() && yaml.rest.trim().is_empty();
    let Yaml { yaml, json, .. } = yaml;
    let found = is_whole.then(|| read(yaml)).flatten().filter(|it| json_text(&it.node) == json);
    found.or_else(|| {
        read(format!("{{$json: {}}}", written::quoted(value))).filter(|it| json_text(&it.node) == value)
    })
}

/// JSON on its way into YAML, and into JSON without blanks.
struct Yaml<'a> {
    rest: &'a str,
    yaml: String,
    json: String,
}

impl Yaml<'_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        self.rest = self.rest.trim_start();
        match self.rest.chars().next().filter(|_| depth < DEPTH_MAX)? {
            '[' => self.items('[', ']', &mut |it| it.value(depth + 1)),
            '{' => self.items('{', '}', &mut |it| it.member(depth)),
            '"' => {
                let text = self.text().filter(|text| !text.contains('\0'))?;
                self.yaml.push_str(&json_word(&text));
                self.json.push_str(&json_string(&text));
                Some(())
            }
            _ => {
                let length = self.rest.find(|c| ",]} \t\r\n".contains(c)).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(length);
                self.rest = rest;
                self.yaml.push_str(word);
                self.json.push_str(word);
                Some(())
            }
        }
    }

    fn member(&mut self, depth: usize) -> Option<()> {
        let key = self.text().filter(|key| !key.starts_with('$') && !key.contains('\0'))?;
        self.yaml.push_str(&json_word(&key));
        self.json.push_str(&json_string(&key));
        self.rest = self.rest.trim_start().strip_prefix(':')?;
        self.yaml.push_str(": ");
        self.json.push(':');
        self.value(depth + 1)
    }

    fn items(
        &mut self,
        open: char,
        close: char,
        item: &mut dyn FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.rest = self.rest.strip_prefix(open)?.trim_start();
        self.yaml.push(open);
        self.json.push(open);
        let mut is_first = true;
        while !self.rest.starts_with(close) {
            if !is_first {
                self.rest = self.rest.strip_prefix(',')?.trim_start();
                self.yaml.push_str(", ");
                self.json.push(',');
            }
            is_first = false;
            item(self)?;
            self.rest = self.rest.trim_start();
        }
        self.rest = self.rest.strip_prefix(close)?;
        self.yaml.push(close);
        self.json.push(close);
        Some(())
    }

    fn text(&mut self) -> Option<String> {
        let body = self.rest.strip_prefix('"')?;
        let mut is_escaped = false;
        let end = body.find(|c| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        })?;
        let text = serde_json::from_str(&self.rest[..end + 2]).ok()?;
        self.rest = &self.rest[end + 2..];
        Some(text)
    }
}

/// A text of JSON, with quotes where YAML would take it for something else.
fn json_word(text: &str) -> String {
    let is_other = ["true", "false", "null", "nan", "inf"].iter().any(|word| text.eq_ignore_ascii_case(word));
    match text.starts_with(char::is_alphabetic) && is_plain(text) && !is_other {
        true => text.to_owned(),
        false => written::quoted(text),
    }
}

/// An array as a list, if its numbering starts where that of a list does.
fn array(value: &str) -> Option<Literal> {
    let mut rest = value;
    let list = elements(&mut rest, 0)?;
    rest.is_empty().then(|| read(list)).flatten().filter(|it| says(&it.node, &mut &*value))
}

fn elements(rest: &mut &str, depth: usize) -> Option<String> {
    let mut items = Vec::new();
    *rest = rest.strip_prefix('{').filter(|_| depth < DEPTH_MAX)?;
    while !rest.starts_with('}') {
        if !items.is_empty() {
            *rest = rest.strip_prefix(',')?;
        }
        items.push(match element(rest)? {
            Element::List => elements(rest, depth + 1)?,
            Element::Null => "null".to_owned(),
            Element::Text(text) => scalar(&text, None)?.text,
        });
    }
    *rest = &rest[1..];
    Some(format!("[{}]", items.join(", ")))
}

/// An element of an array.
enum Element {
    List,
    Null,
    Text(String),
}

/// The next element of an array; of a list in it nothing is taken.
fn element(rest: &mut &str) -> Option<Element> {
    if rest.starts_with('{') {
        return Some(Element::List);
    }
    let begin = usize::from(rest.starts_with('"'));
    let is_quoted = begin > 0;
    let mut text = String::new();
    let mut chars = rest[begin..].char_indices();
    let end = loop {
        let (at, c) = chars.next()?;
        match c {
            '\\' => text.push(chars.next()?.1),
            '"' if is_quoted => break begin + at + 1,
            ',' | '}' if !is_quoted => break at,
            c => text.push(c),
        }
    };
    *rest = &rest[end..];
    Some(match text.as_str() {
        "NULL" if !is_quoted => Element::Null,
        _ => Element::Text(text),
    })
}

/// Whether a list says what an array does.
fn says(node: &Node, rest: &mut &str) -> bool {
    let Content::List(items) = &node.content else { return false };
    for item in items {
        *rest = &rest[1..];
        let is_same = match (element(rest), &item.content) {
            (Some(Element::List), _) => says(item, rest),
            (Some(Element::Null), content) => *content == Content::Null,
            (Some(Element::Text(text)), Content::Scalar(read, _)) => text == *read,
            _ => false,
        };
        if !is_same {
            return false;
        }
    }
    if items.is_empty() {
        *rest = &rest[1..];
    }
    let is_closed = rest.starts_with('}');
    *rest = rest.strip_prefix('}').unwrap_or(rest);
    is_closed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::value::array_literal;

    fn of(kind: Kind) -> Type {
        Type { sql: String::new(), kind }
    }

    #[test]
    fn texts_need_quotes_only_where_they_would_be_read_as_something_else() {
        let check = |value: Option<&str>, quote, expected: &str| {
            let found = literal(value, &of(Kind::Plain), quote).unwrap();
            assert_eq!(found.text, expected);
            match (value, found.node.content) {
                (Some(value), Content::Scalar(text, _)) => assert_eq!(text, value),
                (value, content) => assert_eq!((value, content), (None, Content::Null)),
            }
        };
        check(None, None, "null");
        let plain = [
            "Ann B",
            "1.10",
            "-5",
            "-0.5e3",
            "007",
            "true",
            "2024-01-01 10:00:00.5+00",
            "a@b.c",
            "Anne-Marie",
            "日本",
            "/a",
        ];
        for plain in plain {
            check(Some(plain), None, plain);
        }
        let quoted = [
            "null", "~", "", " a", "a ", "a: b", "a:", "- a", "-", "---", "-a", "a, b", "#a", "a #b", "[a]",
            "{a,b}", "a|b", "'", "it's", "!a", "&a", "*a", "? a", "%a", "@a", "a\\b", "NULL",
        ];
        for quoted in quoted {
            check(Some(quoted), None, &format!("'{}'", quoted.replace('\'', "''")));
        }
        check(Some("a\n\"b\"\\"), None, r#""a\n\"b\"\\""#);
        check(Some("a"), Some('\''), "'a'");
        check(Some("a"), Some('"'), "\"a\"");
        check(None, Some('"'), "null");
    }

    #[test]
    fn json_is_yaml_where_that_says_the_same() {
        let check = |value: &str, expected: &str| {
            let found = literal(Some(value), &of(Kind::Json), None).unwrap();
            assert_eq!(found.text, expected);
        };
        check(r#"{"a": [1, 2.50, true, null], "b c": "x"}"#, "{a: [1, 2.50, true, null], b c: x}");
        check(
            r#"{"1": "1", "t": "true", "e": "", "n": "null", "": {}}"#,
            "{'1': '1', t: 'true', e: '', n: 'null', '': {}}",
        );
        check(r#""x""#, "x");
        check("12345678901234567890.123450", "12345678901234567890.123450");
        check(r#"["a\nb\u2028", "it's", "10:30"]"#, r#"["a\nb\u2028", 'it''s', '10:30']"#);
        check("null", "{$json: 'null'}");
        check(r#"{"$gt": 1}"#, r#"{$json: '{"$gt": 1}'}"#);
        check(r#"{"a": 1, "a": 2}"#, r#"{$json: '{"a": 1, "a": 2}'}"#);
        check(r#""a\u0000b""#, r#"{$json: '"a\u0000b"'}"#);
        let deep = format!("{}{}", "[".repeat(60), "]".repeat(60));
        check(&deep, &format!("{{$json: '{deep}'}}"));
    }

    #[test]
    fn arrays_are_lists() {
        let check = |value: &str, expected: &str, literal_expected: Option<&str>| {
            let found = literal(Some(value), &of(Kind::Array(Box::new(of(Kind::Plain)))), None).unwrap();
            assert_eq!(found.text, expected);
            if let Content::List(items) = &found.node.content {
                assert_eq!(array_literal(items).as_deref(), literal_expected, "{value}");
            }
        };
        check("{}", "[]", Some("{}"));
        check("{1,NULL,a}", "[1, null, a]", Some(r#"{"1",NULL,"a"}"#));
        check(
            r#"{"a \"b\"","NULL","","x,y"}"#,
            r#"['a "b"', 'NULL', '', 'x,y']"#,
            Some(r#"{"a \"b\"","NULL","","x,y"}"#),
        );
        check("{{1,2},{3,4}}", "[[1, 2], [3, 4]]", Some(r#"{{"1","2"},{"3","4"}}"#));
        check("[0:1]={1,2}", "'[0:1]={1,2}'", None);
    }
}
