//! Schema: what files may say, as JSON Schema, so that editors complete words and underline mistakes.
//!
//! Kinds, keys, outcomes, modes, instructions and matchers come from the registers that the readers use. What
//! a schema cannot say (names that are there, columns that fit, one key beside another) `check` says.

use serde_json::{Map, Value, json};

use crate::project::fixture;
use crate::project::instruction;
use crate::project::matcher;
use crate::project::scenario;
use crate::project::used;
use crate::step::{KINDS, Kind, changes, control, refusal};

/// The dialect that editors know best.
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// What a file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// A scenario.
    Scenario,
    /// A fixture.
    Fixture,
}

/// The schema of such files: each is one of them.
pub fn schema(files: &[File]) -> Value {
    let roots = files.iter().map(|file| match file {
        File::Scenario => refer("scenario"),
        File::Fixture => refer("fixture_file"),
    });
    let title = match files {
        [File::Scenario] => "seedbed scenario",
        [File::Fixture] => "seedbed fixture",
        _ => "seedbed",
    };
    json!({
        "$schema": DIALECT,
        "title": title,
        "anyOf": roots.collect::<Vec<_>>(),
        "definitions": definitions(),
    })
}

fn definitions() -> Map<String, Value> {
    let mut all = Map::new();
    let mut define = |name: &str, schema: Value| drop(all.insert(name.to_owned(), schema));
    define("text", json!({ "type": ["string", "number", "boolean"] }));
    define("names", json!({ "anyOf": [refer("text"), list_of("text")] }));
    define("flag", json!({ "enum": [true, false, "true", "false"] }));
    define("time", json!({ "type": ["string", "number"], "examples": ["250ms", "5s", "1m"] }));
    define("version", json!({ "type": ["string", "integer"], "pattern": "^[VUvu]?[0-9]+$" }));
    define("value", value("value", instruction::WORDS, &[]));
    define("expected", value("expected", &["$json"], matcher::WORDS));
    define("row", object_of("value"));
    define("rows", list_of("row"));
    define("row_or_rows", json!({ "anyOf": [refer("row"), list_of("row")] }));
    define("expected_row", object_of("expected"));
    define(
        "expected_rows",
        json!({ "anyOf": [list_of("expected_row"), { "type": "string", "pattern": "^\\s*\\|" }] }),
    );
    define("values", object_of("value"));
    define(
        "cases",
        json!({ "anyOf": [
            { "type": "array", "items": refer("values"), "minItems": 1 },
            { "type": "string", "pattern": "^\\s*\\|" }
        ] }),
    );
    define("count", json!({ "anyOf": [{ "type": ["integer", "string"] }, refer("expected")] }));
    let written = ["inserted", "updated", "deleted"].map(|key| (key, refer("count")));
    define("written", json!({ "anyOf": [closed(written, &[]), refer("expected")] }));
    define("counted", counted());
    define("changes", json!({ "type": "object", "additionalProperties": refer("written") }));
    define("refusal", refused());
    define("step", step());
    for kind in KINDS {
        define(&format!("step_{}", kind.name), step_of(kind));
    }
    define("step_use", closed([(used::USE, refer("text")), ("with", refer("values"))], &[used::USE]));
    define("steps", json!({ "type": "array", "items": refer("step"), "minItems": 1 }));
    define("scenario", scenario());
    define("fixture", json!({ "anyOf": [list_of("row"), fixture_map()] }));
    define(
        "fixture_file",
        json!({ "anyOf": [
            refer("fixture"),
            closed([("tables", object_of("fixture"))], &["tables"])
        ] }),
    );
    all
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{name}") })
}

fn list_of(name: &str) -> Value {
    json!({ "type": "array", "items": refer(name) })
}

fn object_of(name: &str) -> Value {
    json!({ "type": "object", "additionalProperties": refer(name), "minProperties": 1 })
}

/// An object of these keys and no others.
fn closed<K: Into<String>>(keys: impl IntoIterator<Item = (K, Value)>, required: &[&str]) -> Value {
    let properties: Map<String, Value> = keys.into_iter().map(|(key, value)| (key.into(), value)).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A cell: a scalar, a list, a map without `$`, or what a map with it asks for.
fn value(own: &str, instructions: &[&str], matchers: &[&str]) -> Value {
    let mut ways = vec![
        json!({ "type": ["null", "string", "number", "boolean"] }),
        list_of(own),
        json!({ "type": "object", "patternProperties": { "^[^$]": refer(own) }, "additionalProperties": false }),
        json!({ "type": "object", "properties": { "$ref": refer("text") }, "required": ["$ref"], "additionalProperties": false }),
    ];
    for word in instructions {
        ways.push(json!({
            "type": "object",
            "properties": { *word: instructed(word) },
            "required": [word],
            "additionalProperties": false,
        }));
    }
    if !matchers.is_empty() {
        let keys = matchers.iter().copied().chain([matcher::WITHIN]);
        let mut object = closed(keys.map(|word| (word, matched(word))), &[]);
        object["minProperties"] = 1.into();
        ways.push(object);
    }
    json!({ "anyOf": ways })
}

fn instructed(word: &str) -> Value {
    match word {
        "$now" => {
            json!({ "type": ["null", "string", "number"], "description": "the run's time and an interval, like -3d" })
        }
        "$env" => {
            json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "description": "a variable of the environment" })
        }
        "$sql" => json!({ "type": "string", "description": "an SQL expression, for new rows" }),
        "$file" => json!({ "type": "string", "description": "a file beside this one" }),
        "$base64" => json!({ "type": "string", "description": "bytes" }),
        "$json" => json!({ "type": ["string", "number", "boolean", "null"], "description": "JSON as text" }),
        "$uuid" => {
            json!({ "type": ["string", "number", "boolean"], "description": "a label that always has the same UUID" })
        }
        "$default" => json!({ "enum": [true, "true"], "description": "the column's own default" }),
        _ => json!({}),
    }
}

fn matched(word: &str) -> Value {
    match word {
        "$any" | "$not_null" => json!({ "enum": [true, "true"] }),
        "$between" => json!({ "type": "array", "items": refer("value"), "minItems": 2, "maxItems": 2 }),
        "$one_of" => json!({ "type": "array", "items": refer("expected"), "minItems": 1 }),
        "$not" => refer("expected"),
        "$len" => json!({ "anyOf": [{ "type": ["integer", "string"] }, refer("expected")] }),
        "$matches" => {
            json!({ "type": ["string", "number", "boolean"], "description": "a regular expression of PostgreSQL" })
        }
        _ => refer("value"),
    }
}

fn refused() -> Value {
    let mut object = closed(refusal::KEYS.iter().map(|key| (*key, refer("text"))), &[]);
    object["minProperties"] = 1.into();
    object
}

/// A step is of the kind that it names first. The kind decides what else is looked at, so that an editor
/// speaks of that one alone.
fn step() -> Value {
    let words = || KINDS.iter().map(|kind| kind.name).chain([used::USE]);
    let names: Vec<Value> = words().map(|word| json!({ "required": [word] })).collect();
    let branches =
        words().map(|word| json!({ "if": { "required": [word] }, "then": refer(&format!("step_{word}")) }));
    json!({ "type": "object", "anyOf": names, "allOf": branches.collect::<Vec<_>>() })
}

fn step_of(kind: &Kind) -> Value {
    let outcomes: Vec<&str> = kind.outcomes.iter().map(|outcome| outcome.word()).collect();
    let outcome = json!({ "enum": outcomes });
    let expect = json!({ "anyOf": [
        outcome,
        { "type": "array", "items": outcome, "minItems": 1 },
        closed([("error", refer("refusal"))], &["error"]),
    ] });
    let mut keys =
        vec![(kind.name.to_owned(), json!({ "$ref": "#/definitions/text" })), ("expect".to_owned(), expect)];
    if kind.outcomes.iter().any(|outcome| outcome.has_written()) {
        keys.push((changes::KEY.to_owned(), refer("changes")));
    }
    keys.extend(control::KEYS.iter().map(|key| ((*key).to_owned(), controlled(key))));
    keys.extend(
        kind.keys.iter().map(|key| ((*key).to_owned(), of_kind(kind.name, key).unwrap_or(json!({})))),
    );
    closed(keys, &[kind.name])
}

fn controlled(key: &str) -> Value {
    match key {
        "id" => json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }),
        "tags" => refer("names"),
        "when" => json!({ "type": "object", "additionalProperties": refer("names"), "minProperties": 1 }),
        "each" => refer("cases"),
        "timeout" => refer("time"),
        "eventually" => closed([("within", refer("time")), ("every", refer("time"))], &["within"]),
        _ => refer("text"),
    }
}

/// What stands behind a key of a kind; nothing for one that nobody has described.
pub fn of_kind(kind: &str, key: &str) -> Option<Value> {
    Some(match (kind, key) {
        (_, "query" | "statements") => json!({ "type": "string", "minLength": 1 }),
        (_, "with") => refer("values"),
        ("migrate", "to") => refer("version"),
        ("assert", "rows") => refer("expected_rows"),
        ("assert", "row") => refer("expected_row"),
        ("assert", "value") => refer("expected"),
        ("assert", "count") => refer("count"),
        ("assert", "match") => json!({ "enum": ["exact", "contains", "contained"] }),
        ("assert", "columns") => json!({ "enum": ["exact", "partial"] }),
        ("assert", "ordered" | "text") => refer("flag"),
        (_, "error") => refer("refusal"),
        (_, "key" | "fixtures") => refer("names"),
        ("seed", "tables") => object_of("fixture"),
        ("seed", "mode") => modes(),
        (_, "into" | "from" | "in") => refer("text"),
        (_, "row" | "where" | "set") => refer("row"),
        (_, "rows") => refer("rows"),
        ("verify", "exists" | "absent") => object_of("row_or_rows"),
        ("verify", "count") => json!({ "anyOf": [object_of("count"), list_of("counted")] }),
        ("verify", "matches" | "equals" | "unchanged" | "except" | "idempotent") => refer("names"),
        ("verify", "since") => refer("text"),
        _ => return None,
    })
}

/// The number of rows of one table that have certain values.
fn counted() -> Value {
    json!({ "type": "object", "properties": { "where": refer("row") }, "additionalProperties": refer("count"),
        "minProperties": 1, "maxProperties": 2 })
}

fn modes() -> Value {
    json!({ "enum": fixture::Mode::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>() })
}

fn scenario() -> Value {
    let form = |key: &str| match key {
        "scenario" => refer("text"),
        "tags" => refer("names"),
        "from" => refer("version"),
        "vars" => refer("values"),
        _ => refer("steps"),
    };
    // A file that others use needs no title.
    closed(scenario::KEYS.iter().map(|key| (*key, form(key))), &["steps"])
}

fn fixture_map() -> Value {
    let form = |key: &str| match key {
        "key" => json!({ "anyOf": [refer("names"), closed([("index", refer("text"))], &["index"])] }),
        "mode" => modes(),
        "insert_only" | "refresh" => refer("names"),
        "scope" => json!({ "anyOf": [{ "const": "all" }, refer("row")] }),
        "allow_empty" => refer("flag"),
        "max_delete" | "from" => refer("text"),
        "cascade" => json!({ "enum": ["allow", "refuse"] }),
        "defaults" => refer("row"),
        "rows" => list_of("row"),
        _ => json!({}), // `refs` and `templates` have forms of their own.
    };
    let keys = fixture::KEYS.iter().map(|key| (*key, form(key)));
    let mut map = closed(keys, &[]);
    map["anyOf"] = json!([{ "required": ["rows"] }, { "required": ["from"] }]);
    map
}
