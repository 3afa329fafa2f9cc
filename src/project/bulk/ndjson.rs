//! NDJSON: a JSON object on each line, whose members are columns. A member that is left out is absent,
//! which `null` is not.
//!
//! Rows are sent to PostgreSQL as CSV, which has room for one set of columns. So the objects are told
//! apart by the names they have, and those with the same names go together.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{BufRead, BufReader, Read};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::csv::{Field, MARK, Origin, RECORD_BYTES_MAX, Record};
use super::{FileColumn, Layout};
use crate::project::diagnostic::Diagnostic;
use crate::project::source::{Place, Span};
use crate::project::value::array_literal;
use crate::project::yaml::{Content, Node, Scalar};

/// The most different sets of names that the objects of a file may have.
pub const STRUCTURES_MAX: usize = 1_000;

/// How deep objects and lists are looked into. References and arrays do not go as far, and JSON may.
const DEPTH_MAX: usize = 16;

/// The names that an object has, and those in the objects within it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Structure {
    /// Each name, in alphabetical order, with what is within it, if that is an object.
    pub members: Vec<(String, Option<Structure>)>,
}

impl Structure {
    /// A text that tells structures apart.
    pub fn key(&self) -> String {
        let member = |(name, within): &(String, Option<Structure>)| match within {
            Some(within) => format!("{name:?}{}", within.key()),
            None => format!("{name:?}"),
        };
        format!("{{{}}}", self.members.iter().map(member).collect::<Vec<_>>().join(","))
    }
}

/// How a member becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// As its text.
    AsText,
    /// As JSON.
    AsJson,
    /// A list as an array.
    AsArray,
}

/// The values that are taken from the objects of each structure, as paths of names, in the order of the
/// columns. Objects of other structures are passed over.
pub type Pick = HashMap<String, Paths>;

/// The values that are taken from an object: the names that lead to each, and how it is taken.
pub type Paths = Vec<(Vec<String>, Taken)>;

/// The objects of a stream.
pub struct Lines<R> {
    input: BufReader<R>,
    path: String,
    line: u64,
    text: Vec<u8>,
    csv: Vec<u8>,
    fields: Vec<Field>,
    spans: Vec<Span>,
}

/// An object of a stream, as long as no other is read.
pub struct Object<'a> {
    members: Members<'a>,
    /// What names it has.
    pub structure: Structure,
}

impl<R: Read> Lines<R> {
    /// The objects of a stream; messages call it by a path.
    pub fn new(input: R, path: String) -> Lines<R> {
        Lines {
            input: BufReader::with_capacity(256 << 10, input),
            path,
            line: 0,
            text: Vec::new(),
            csv: Vec::new(),
            fields: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// The next object with the names it has, or none at the end. Empty lines are passed over.
    pub fn next_structure(&mut self) -> Result<Option<Structure>, Diagnostic> {
        if !self.read()? {
            return Ok(None);
        }
        Ok(Some(object(&self.text, &self.path, self.line)?.structure))
    }

    /// The object that was read last: the line it stands on, and its names with their places there.
    pub fn layout(&self) -> Result<Layout, Diagnostic> {
        let object = object(&self.text, &self.path, self.line)?;
        let source = place(&self.text, &self.path, self.line, Span::new(0, self.text.len())).source;
        Ok(Layout {
            key: object.structure.key(),
            columns: object.members.columns(&self.text, DEPTH_MAX),
            source,
        })
    }

    /// The line that was read last, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next object that is picked, as a record.
    #[allow(clippy::should_implement_trait)] // What it returns is lent.
    pub fn next(&mut self, pick: &Pick) -> Result<Option<Record<'_>>, Diagnostic> {
        loop {
            if !self.read()? {
                return Ok(None);
            }
            let object = object(&self.text, &self.path, self.line)?;
            let Some(paths) = pick.get(&object.structure.key()) else { continue };
            self.fields.clear();
            self.spans.clear();
            // The line comes first, so that the server can say which it is about.
            self.csv = self.line.to_string().into_bytes();
            for (path, taken) in paths {
                self.csv.push(b',');
                let value = object.members.find(path);
                let raw = value.map_or("null", RawValue::get);
                self.spans.push(span_of(raw, &self.text));
                let text = taken.text(raw).map_err(|message| {
                    Diagnostic::error(message).at_place(place(
                        &self.text,
                        &self.path,
                        self.line,
                        span_of(raw, &self.text),
                    ))
                })?;
                self.fields.push(write(text.as_deref(), &mut self.csv));
            }
            self.csv.push(b'\n');
            let origin = Some(Origin { text: &self.text, spans: &self.spans });
            return Ok(Some(Record::new(&self.csv, &self.fields, self.line, &self.path, origin)));
        }
    }

    /// Reads the next line that is not empty.
    fn read(&mut self) -> Result<bool, Diagnostic> {
        loop {
            self.text.clear();
            self.line += 1;
            let mut limited = (&mut self.input).take(RECORD_BYTES_MAX as u64 + 1);
            let read = limited.read_until(b'\n', &mut self.text);
            let read =
                read.map_err(|error| Diagnostic::error(format!("cannot read `{}`: {error}", self.path)))?;
            if read == 0 {
                return Ok(false);
            }
            if read > RECORD_BYTES_MAX {
                let message = format!("this line weighs more than {} MiB", RECORD_BYTES_MAX >> 20);
                self.text.truncate(80);
                return Err(Diagnostic::error(message)
                    .at_place(place(&self.text, &self.path, self.line, Span::new(0, 1)))
                    .help("each object stands on a line of its own"));
            }
            if self.line == 1 && self.text.starts_with(MARK) {
                self.text.drain(..MARK.len());
            }
            if !self.text.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }
}

impl Taken {
    /// A member's raw JSON as the text that the server reads.
    fn text<'a>(self, raw: &'a str) -> Result<Option<Cow<'a, str>>, String> {
        Ok(match (self, raw.as_bytes().first()) {
            (_, Some(b'n')) => None,
            (Taken::AsJson, _) => Some(Cow::Borrowed(raw)),
            (_, Some(b'"')) => {
                Some(Cow::Owned(serde_json::from_str(raw).map_err(|error| error.to_string())?))
            }
            (Taken::AsArray, Some(b'[')) => {
                let Some(Content::List(items)) = node(raw, DEPTH_MAX).map(|node| node.content) else {
                    return Err("this list is too deep".to_owned());
                };
                let literal = array_literal(&items).ok_or("an array holds no objects")?;
                Some(Cow::Owned(literal))
            }
            (_, Some(b'[')) => {
                return Err("here stands a list; lists are for array and json columns".to_owned());
            }
            (_, Some(b'{')) => {
                return Err("here stands an object; objects are for json columns and references".to_owned());
            }
            _ => Some(Cow::Borrowed(raw)),
        })
    }
}

/// A JSON value as a node without a place, if it is not too deep.
fn node(raw: &str, depth: usize) -> Option<Node> {
    let content = match raw.as_bytes().first().filter(|_| depth > 0)? {
        b'n' => Content::Null,
        b'"' => Content::Scalar(serde_json::from_str(raw).ok()?, Scalar::Text),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            Content::List(items.into_iter().map(|item| node(item.get(), depth - 1)).collect::<Option<_>>()?)
        }
        b'{' => Content::Map(Vec::new()),
        _ => Content::Scalar(raw.to_owned(), Scalar::Number),
    };
    Some(Node { content, span: Span::default() })
}

/// Writes a value as CSV, and says where it stands.
pub fn write(text: Option<&str>, csv: &mut Vec<u8>) -> Field {
    let Some(text) = text else {
        return Field { start: csv.len(), end: csv.len(), is_quoted: false, has_quotes: false };
    };
    csv.push(b'"');
    let start = csv.len();
    for (at, part) in text.split('"').enumerate() {
        if at > 0 {
            csv.extend_from_slice(b"\"\"");
        }
        csv.extend_from_slice(part.as_bytes());
    }
    let end = csv.len();
    csv.push(b'"');
    Field { start, end, is_quoted: true, has_quotes: text.contains('"') }
}

/// Understands a line.
fn object<'a>(text: &'a [u8], path: &str, line: u64) -> Result<Object<'a>, Diagnostic> {
    let members = std::str::from_utf8(text)
        .map_err(|error| ("this is not UTF-8".to_owned(), error.valid_up_to()))
        .and_then(|text| Members::parse(text).map_err(|(words, column)| (words, column.saturating_sub(1))));
    match members {
        Ok(members) => Ok(Object { structure: members.structure(DEPTH_MAX), members }),
        Err((words, at)) => {
            let at = at.min(text.trim_ascii_end().len().saturating_sub(1));
            Err(Diagnostic::error(format!("not JSON: {words}"))
                .at_place(place(text, path, line, Span::new(at, at + 1)))
                .help("each line is one object: `{\"code\": \"NO\", \"name\": \"Norway\"}`"))
        }
    }
}

fn place(text: &[u8], path: &str, line: u64, span: Span) -> Place {
    Record::new(text, &[], line, path, Some(Origin { text, spans: &[span] })).place(0)
}

/// Where a member stands in its line; the whole line when it does not.
fn span_of(raw: &str, line: &[u8]) -> Span {
    let start = (raw.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
    if start < line.len() { Span::new(start, start + raw.len()) } else { Span::new(0, 1) }
}

/// The members of an object, as they stand there.
struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Members<'a> {
    fn parse(text: &'a str) -> Result<Members<'a>, (String, usize)> {
        serde_json::from_str(text).map_err(|error| {
            let words = error.to_string();
            (words.split(" at line ").next().unwrap_or(&words).to_owned(), error.column())
        })
    }

    fn structure(&self, depth: usize) -> Structure {
        let within = |raw: &&RawValue| {
            let is_object = depth > 0 && raw.get().starts_with('{');
            let members = is_object.then(|| Members::parse(raw.get()).ok()).flatten();
            members.map(|members| members.structure(depth - 1))
        };
        let members = self.0.iter().map(|(name, raw)| (name.to_string(), within(raw)));
        Structure { members: members.collect() }
    }

    fn columns(&self, line: &[u8], depth: usize) -> Vec<FileColumn> {
        let column = |(name, raw): (&Cow<str>, &&RawValue)| FileColumn {
            name: name.to_string(),
            name_span: match name {
                Cow::Borrowed(name) => span_of(name, line),
                Cow::Owned(_) => span_of(raw.get(), line),
            },
            span: span_of(raw.get(), line),
            within: match depth > 0 && raw.get().starts_with('{') {
                true => Members::parse(raw.get())
                    .map(|members| members.columns(line, depth - 1))
                    .unwrap_or_default(),
                false => Vec::new(),
            },
        };
        self.0.iter().map(column).collect()
    }

    fn find(&self, path: &[String]) -> Option<&'a RawValue> {
        let [first, rest @ ..] = path else { return None };
        let found = *self.0.get(first.as_str())?;
        if rest.is_empty() { Some(found) } else { Members::parse(found.get()).ok()?.find(rest) }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Members<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = BTreeMap::new();
                while let Some(Name(name)) = map.next_key()? {
                    if members.contains_key(&name) {
                        return Err(serde::de::Error::custom(format!("`{name}` is given twice")));
                    }
                    members.insert(name, map.next_value()?);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// A name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_become_records_by_their_names() {
        let text = "{\"b\": {\"y\": \"NO\"}, \"a\": 1.50}\n\n{\"a\": null}\n{\"a\": \"x \\\"y\\\"\", \"b\": {\"y\": null}}\n";
        let mut lines = Lines::new(text.as_bytes(), "a.ndjson".to_owned());
        let key = lines.next_structure().unwrap().unwrap().key();
        assert_eq!(key, "{\"a\",\"b\"{\"y\"}}");
        let paths = vec![
            (vec!["a".to_owned()], Taken::AsText),
            (vec!["b".to_owned(), "y".to_owned()], Taken::AsText),
        ];
        let pick = Pick::from([(key, paths)]);
        let mut lines = Lines::new(text.as_bytes(), "a.ndjson".to_owned());
        let mut rows = Vec::new();
        while let Some(record) = lines.next(&pick).unwrap() {
            let bytes = String::from_utf8_lossy(record.bytes).into_owned();
            rows.push(format!("{bytes}{} {}", record.place(0), record.place(1)));
        }
        assert_eq!(
            rows,
            [
                "1,\"1.50\",\"NO\"\na.ndjson:1:25 a.ndjson:1:13",
                "4,\"x \"\"y\"\"\",\na.ndjson:4:7 a.ndjson:4:29"
            ]
        );
    }

    #[test]
    fn members_become_what_their_column_reads() {
        let check = |taken: Taken, raw: &str, expected: Result<Option<&str>, &str>| {
            let text = taken.text(raw);
            let text = text.as_ref().map(Option::as_deref).map_err(String::as_str);
            match (text, expected) {
                (Err(words), Err(expected)) => assert!(words.contains(expected), "{words}"),
                (text, expected) => assert_eq!(text, expected, "{raw}"),
            }
        };
        check(Taken::AsText, "12345678901234567890.10", Ok(Some("12345678901234567890.10")));
        check(Taken::AsText, "null", Ok(None));
        check(Taken::AsText, "\"null\"", Ok(Some("null")));
        check(Taken::AsText, "[1]", Err("a list"));
        check(Taken::AsText, "{}", Err("an object"));
        check(Taken::AsJson, "{\"a\": [1.0]}", Ok(Some("{\"a\": [1.0]}")));
        check(Taken::AsJson, "\"x\"", Ok(Some("\"x\"")));
        check(Taken::AsArray, "[\"a b\", null, [1]]", Ok(Some("{\"a b\",NULL,{\"1\"}}")));
        check(Taken::AsArray, "\"{1,2}\"", Ok(Some("{1,2}")));
        check(Taken::AsArray, "[{}]", Err("no objects"));
        check(Taken::AsArray, &("[".repeat(100_000) + &"]".repeat(100_000)), Err("too deep"));
    }

    #[test]
    fn deep_objects_are_looked_into_only_as_far_as_references_go() {
        let text = format!("{}1{}\n", "{\"a\":".repeat(20_000), "}".repeat(20_000));
        let mut lines = Lines::new(text.as_bytes(), "a.ndjson".to_owned());
        let key = lines.next_structure().unwrap().unwrap().key();
        assert_eq!(key.matches('a').count(), DEPTH_MAX + 1);
        assert_eq!(lines.layout().unwrap().key, key);
        let pick = Pick::from([(key, vec![(vec!["a".to_owned()], Taken::AsJson)])]);
        let mut lines = Lines::new(text.as_bytes(), "a.ndjson".to_owned());
        let record = lines.next(&pick).unwrap().unwrap();
        assert_eq!(record.text(0).unwrap(), text[5..text.len() - 2]);
    }

    #[test]
    fn what_is_no_object_is_found_at_its_place() {
        let check = |text: &str, expected: &str| {
            let mut lines = Lines::new(text.as_bytes(), "a.ndjson".to_owned());
            let problem = loop {
                match lines.next_structure() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("nothing is wrong with {text}"),
                    Err(problem) => break problem,
                }
            };
            assert_eq!(format!("{} {}", problem.place.unwrap(), problem.message), expected);
        };
        check("{\"a\": 1}\n{\"a\": }\n", "a.ndjson:2:7 not JSON: expected value");
        check("[1]\n", "a.ndjson:1:1 not JSON: invalid type: sequence, expected an object");
        check("{\"a\": 1, \"a\": 2}\n", "a.ndjson:1:12 not JSON: `a` is given twice");
        check("{\"a\": 1} {\"a\": 2}\n", "a.ndjson:1:10 not JSON: trailing characters");
    }
}
