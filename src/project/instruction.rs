//! Instructions: what a map with one key that begins with `$` asks for, instead of saying a value.
//!
//! What is known of one without a database and without the world around the project is checked here.

pub mod interval;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::diagnostic::{did_you_mean, list};
use super::matcher;
use super::reading::Reading;
use super::sql::expression;
use super::values;
use super::yaml::{Content, Entry, Node};

/// Every instruction, in the order the manual lists them.
pub const WORDS: &[&str] = &["$now", "$env", "$sql", "$file", "$base64", "$json", "$uuid", "$default"];

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Instruction<'n> {
    /// The run's time and an interval, in words that the server understands.
    Now(String),
    /// The value of a variable of the environment.
    Env(&'n str),
    /// What an SQL expression gives, for new rows.
    Sql(&'n str),
    /// What a file beside this one holds.
    File(&'n str),
    /// These bytes.
    Base64(Vec<u8>),
    /// JSON as text.
    Json,
    /// The UUID that a label always has.
    Uuid(&'n str),
    /// The column's own default.
    Default,
}

/// What a cell is for, which decides what may be asked for in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It becomes a part of a row.
    Write,
    /// It tells which row is meant.
    Find,
    /// It is a part of JSON or of an array, or something is compared with it.
    Compare,
    /// It is what a query is expected to return.
    Expect,
}

impl Purpose {
    fn allows(self, word: &str) -> bool {
        match self {
            Purpose::Write => true,
            Purpose::Find => !matches!(word, "$now" | "$sql" | "$default"),
            Purpose::Compare | Purpose::Expect => word == "$json",
        }
    }

    /// What the cells inside of a map are for: of a reference, or of JSON.
    pub fn inside(self) -> Purpose {
        match self {
            Purpose::Write | Purpose::Find => Purpose::Find,
            Purpose::Compare | Purpose::Expect => self,
        }
    }
}

/// What is wrong with an instruction.
struct Fault {
    /// The byte of its text, where one is to blame.
    offset: Option<usize>,
    message: String,
    help: String,
}

impl Fault {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Fault {
        Fault { offset: None, message: message.into(), help: help.into() }
    }
}

/// The only entry of a map, if its key is that of an instruction.
pub fn entry(node: &Node) -> Option<&Entry> {
    match &node.content {
        Content::Map(entries) if entries.len() == 1 => {
            entries.first().filter(|entry| WORDS.contains(&entry.key.as_str()))
        }
        _ => None,
    }
}

/// The first instruction but `$json` inside of a list or map, which nothing there would follow.
pub fn nested(node: &Node) -> Option<&Entry> {
    let within = |node| match entry(node) {
        Some(entry) if entry.key != "$json" => Some(entry),
        _ => nested(node),
    };
    match &node.content {
        Content::List(items) => items.iter().find_map(within),
        Content::Map(entries) => entries.iter().find_map(|entry| within(&entry.value)),
        _ => None,
    }
}

impl<'n> Instruction<'n> {
    /// What a node asks for, if it is an instruction and nothing is wrong with it.
    pub fn of(node: &'n Node) -> Option<Instruction<'n>> {
        read(entry(node)?).ok()
    }
}

/// Notes what is wrong with an instruction, or with its standing here. `name` is the cell's.
pub fn check(reading: &mut Reading, name: &str, entry: &Entry, purpose: Purpose) {
    let word = entry.key.as_str();
    if !purpose.allows(word) {
        let help = match purpose {
            Purpose::Write | Purpose::Find => {
                "it stands for a whole column of a row that is written: give the value itself here"
            }
            Purpose::Compare | Purpose::Expect => {
                "give the value itself here; inside of JSON there is `$json` alone"
            }
        };
        return reading.problem_help(entry.key_span, format!("`{word}` has no place in `{name}`"), help);
    }
    if let Err(Fault { offset, message, help }) = read(entry) {
        let span = match (&entry.value.content, offset) {
            (Content::Scalar(text, _), Some(offset)) => reading.source.within(entry.value.span, text, offset),
            _ => entry.value.span,
        };
        reading.problem_help(span, message, help);
    }
}

/// Notes a key that begins with `$` and is no instruction, or not alone.
pub fn check_key(reading: &mut Reading, name: &str, entry: &Entry, purpose: Purpose) {
    let key = &entry.key;
    let escape = format!(
        "to store a key that begins with `$`, write the JSON as text: {name}: {{$json: '{{\"{key}\": …}}'}}"
    );
    if WORDS.contains(&key.as_str()) {
        return reading.problem_help(entry.key_span, format!("`{key}` stands alone in its map"), escape);
    }
    if key == values::REF {
        let help = "variables and rows of steps are a scenario's: write the value itself, or a reference";
        return reading.problem_help(entry.key_span, "`$ref` names nothing here", help);
    }
    if matcher::WORDS.contains(&key.as_str()) {
        let message = format!("`{key}` is a matcher, and has no place in `{name}`");
        let help = "matchers say what a query is expected to return: in `rows`, `row`, `value` and `count`";
        return reading.problem_help(entry.key_span, message, help);
    }
    let known: Vec<&str> = WORDS.iter().copied().filter(|word| purpose.allows(word)).collect();
    let near = did_you_mean(key, known.iter().copied()).filter(|help| help.starts_with("did you mean"));
    let problem = reading.problem(entry.key_span, format!("there is no instruction `{key}`"));
    problem.notes.push(format!("known here: {}", list(&known)));
    problem.help = Some(near.unwrap_or(escape));
}

fn read(entry: &Entry) -> Result<Instruction<'_>, Fault> {
    let word = entry.key.as_str();
    match word {
        "$now" => now(&entry.value).map(Instruction::Now),
        "$env" => name(entry, "ADMIN_HASH").and_then(variable).map(Instruction::Env),
        "$sql" => {
            let sql = name(entry, "gen_random_uuid()")?;
            expression::check(sql).map_err(|error| Fault {
                offset: Some(error.offset),
                message: error.to_string(),
                help: error.kind.help().to_owned(),
            })?;
            Ok(Instruction::Sql(sql))
        }
        "$file" => name(entry, "logo.png").map(Instruction::File),
        "$base64" => base64(entry).map(Instruction::Base64),
        "$uuid" => name(entry, "ann").map(Instruction::Uuid),
        "$default" => match &entry.value.content {
            Content::Scalar(text, _) if text == "true" => Ok(Instruction::Default),
            _ => Err(Fault::new("`$default` says `true`", "write `{$default: true}`")),
        },
        _ => Ok(Instruction::Json), // Its text is checked by whoever reads JSON.
    }
}

/// The text of an instruction, which must not be empty.
fn name<'n>(entry: &'n Entry, example: &str) -> Result<&'n str, Fault> {
    match &entry.value.content {
        Content::Scalar(text, _) if !text.trim().is_empty() && !text.contains('\0') => Ok(text),
        _ => Err(Fault::new(
            format!("`{}` is followed by a text", entry.key),
            format!("like `{{{}: {example}}}`", entry.key),
        )),
    }
}

fn variable(name: &str) -> Result<&str, Fault> {
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match is_name && !name.starts_with(|c: char| c.is_ascii_digit()) {
        true => Ok(name),
        false => Err(Fault::new(
            format!("`{name}` is no name of a variable"),
            "letters, digits and `_`, like `{$env: ADMIN_HASH}`; the value itself never stands in a file",
        )),
    }
}

fn now(node: &Node) -> Result<String, Fault> {
    match &node.content {
        Content::Null => Ok(interval::NONE.to_owned()),
        Content::Scalar(text, _) => interval::parse(text).map_err(|error| Fault {
            offset: Some(error.offset),
            message: error.message,
            help: error.help.to_owned(),
        }),
        _ => Err(Fault::new(
            format!("`$now` is followed by an interval, and here stands {}", node.noun()),
            "like `{$now: -3d}`, `{$now: +1 month 2 hours}`, or `{$now: 0}` for the time itself",
        )),
    }
}

/// Bytes in the usual alphabet. White space is passed over, and the signs that fill up may be missing.
fn base64(entry: &Entry) -> Result<Vec<u8>, Fault> {
    let Content::Scalar(text, _) = &entry.value.content else {
        return Err(Fault::new("`$base64` is followed by a text", "like `{$base64: aGVsbG8=}`"));
    };
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bare: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    GeneralPurpose::new(&STANDARD, config).decode(&bare).map_err(|_| {
        let is_foreign =
            |c: char| !(c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || "+/=".contains(c));
        Fault {
            offset: text.find(is_foreign),
            message: "this is not base64".to_owned(),
            help: "make it with `base64 FILE`, or name the file: `{$file: FILE}`".to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::super::yaml;
    use super::*;

    fn check(yaml: &str, expected: &str) {
        let node = yaml::parse(&Source::new("a.yaml", yaml)).unwrap();
        let read = match entry(&node).map(read) {
            None => "none".to_owned(),
            Some(Ok(instruction)) => format!("{instruction:?}"),
            Some(Err(fault)) => fault.message,
        };
        assert_eq!(read, expected, "{yaml}");
    }

    #[test]
    fn a_map_with_one_known_key_asks_for_something() {
        check("{$env: ADMIN_HASH}", "Env(\"ADMIN_HASH\")");
        check("{$base64: aGk=}", "Base64([104, 105])");
        check("{$base64: 'aG\n  k'}", "Base64([104, 105])");
        check("{$uuid: 007}", "Uuid(\"007\")");
        check("{$default: true}", "Default");
        check("{$now: null}", "Now(\"0\")");
        check("{$now: 0}", "Now(\"0\")");
        check("{$json: x}", "Json");
        check("{$foo: x}", "none");
        check("{$env: A, b: c}", "none");
        check("{env: A}", "none");
    }

    #[test]
    fn what_cannot_be_meant_is_a_fault() {
        check("{$env: s3cret!}", "`s3cret!` is no name of a variable");
        check("{$env: ''}", "`$env` is followed by a text");
        check("{$sql: [1]}", "`$sql` is followed by a text");
        check("{$base64: a$}", "this is not base64");
        check("{$default: false}", "`$default` says `true`");
        check("{$now: [1]}", "`$now` is followed by an interval, and here stands a list");
    }

    #[test]
    fn instructions_inside_of_json_are_found() {
        let check = |yaml: &str, expected: Option<&str>| {
            let node = yaml::parse(&Source::new("a.yaml", yaml)).unwrap();
            assert_eq!(nested(&node).map(|entry| entry.key.as_str()), expected, "{yaml}");
        };
        check("{a: {$env: B}}", Some("$env"));
        check("[{$json: '1'}, {b: [{$uuid: x}]}]", Some("$uuid"));
        check("{a: {$json: '1'}}", None);
    }
}
