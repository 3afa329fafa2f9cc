//! Values of every type, equal and nearly so, compared by an assertion and by the server itself.

use std::collections::BTreeSet;

use crate::support::{Database, Seedbed, project};

/// Types with some of their values: each is compared with each of the same line.
const VALUES: &[(&str, &[&str])] = &[
    ("bool", &["true", "t", "yes", "on", "false", "0"]),
    ("int2", &["1", "01", "+1", "-1", "32767"]),
    ("int4", &["1", "0001", "-1", "2147483647"]),
    ("int8", &["1", "9223372036854775807", "9223372036854775806"]),
    (
        "numeric",
        &["1", "1.0", "1e0", "1.0000000000000000000000000001", "NaN", "Infinity", "-Infinity", "0", "-0"],
    ),
    ("float4", &["1", "1.0", "NaN", "Infinity", "0", "-0", "16777216", "16777218"]),
    ("float8", &["1.5", "15e-1", "NaN", "9007199254740992", "9007199254740994", "1e-300", "2e-300"]),
    ("money", &["1.00", "$1.00", "1.01", "-1.00"]),
    ("text", &["a", "A", "a ", "", "null", "ä", "a\u{308}"]),
    ("varchar", &["a", "A", "a ", ""]),
    ("name", &["a", "A", "a "]),
    ("\"char\"", &["a", "b"]),
    ("bytea", &["\\x0102", "\\x0103", "\\001\\002", ""]),
    ("date", &["2024-02-29", "29 Feb 2024", "2024-03-01", "infinity", "0044-03-15 BC", "20240229"]),
    ("time", &["12:00", "12:00:00", "12:00:00.000001", "24:00", "00:00"]),
    ("timetz", &["12:00+00", "12:00:00+00", "13:00+01", "12:00+01"]),
    ("timestamp", &["2024-01-01", "2024-01-01 00:00:00", "2024-01-01 00:00:00.000001", "infinity"]),
    (
        "timestamptz",
        &[
            "2024-01-01 00:00+00",
            "2024-01-01 02:00+02",
            "2024-01-01T00:00:00Z",
            "2024-01-01 00:00:00.5Z",
            "infinity",
        ],
    ),
    (
        "uuid",
        &[
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc999c0b4ef8bb6d6bb9bd380a12}",
        ],
    ),
    (
        "jsonb",
        &[
            "{\"a\": 1, \"b\": [1, 2]}",
            "{\"b\":[1,2],\"a\":1.0}",
            "{\"a\": 1, \"b\": [2, 1]}",
            "null",
            "[]",
            "{}",
            "\"1\"",
            "1",
        ],
    ),
    ("inet", &["10.0.0.1", "10.0.0.1/32", "10.0.0.1/8", "::1"]),
    ("cidr", &["10.0.0.0/8", "10.0.0.0/9", "::/0"]),
    ("macaddr", &["08:00:2b:01:02:03", "08-00-2b-01-02-03", "0800.2b01.0204"]),
    ("macaddr8", &["08:00:2b:01:02:03:04:05", "08002b:0102030405", "08:00:2b:01:02:03:04:06"]),
    ("bit", &["1", "0"]),
    ("varbit", &["101", "0101", "1010", ""]),
    ("oid", &["1", "01", "2"]),
    ("regclass", &["pg_class", "pg_catalog.pg_class", "pg_type"]),
    ("regtype", &["int4", "integer", "text"]),
    ("regproc", &["pg_catalog.now", "pg_catalog.random"]),
    ("regprocedure", &["now()", "pg_catalog.now()", "random()"]),
    ("regoper", &["pg_catalog.||/", "pg_catalog.|/"]),
    ("regoperator", &["+(integer,integer)", "pg_catalog.+(int4,int4)", "-(integer,integer)"]),
    ("regconfig", &["english", "pg_catalog.english", "simple"]),
    ("regdictionary", &["simple", "pg_catalog.simple", "english_stem"]),
    ("regnamespace", &["pg_catalog", "public"]),
    ("regcollation", &["\"C\"", "pg_catalog.\"C\"", "\"POSIX\""]),
    ("regrole", &["pg_monitor", "pg_read_all_stats"]),
    ("pg_lsn", &["0/10", "0/00000010", "0/11"]),
    ("xid8", &["1", "2"]),
    ("tid", &["(0,1)", "(0,2)"]),
    ("tsvector", &["a b", "b a", "a:1 b", "a"]),
    ("tsquery", &["a & b", "a&b", "b & a"]),
    ("int4range", &["[1,3)", "[1,2]", "(0,3)", "empty", "[1,4)"]),
    ("int8range", &["[1,3)", "[1,2]", "(,3)"]),
    ("numrange", &["[1,3)", "[1.0,3.00)", "(1,3)"]),
    ("daterange", &["[2024-01-01,2024-01-03)", "[2024-01-01,2024-01-02]", "[2024-01-01,2024-01-04)"]),
    (
        "tsrange",
        &["[2024-01-01,2024-01-03)", "[2024-01-01 00:00,2024-01-03 00:00)", "[2024-01-01,2024-01-03]"],
    ),
    ("tstzrange", &["[2024-01-01 00:00Z,2024-01-03 00:00Z)", "[2024-01-01 01:00+01,2024-01-03 00:00Z)"]),
    ("int4multirange", &["{[1,3),[5,6)}", "{[1,2],[5,5]}", "{}"]),
    ("int8multirange", &["{[1,3)}", "{[1,2]}", "{}"]),
    ("nummultirange", &["{[1,3)}", "{[1.0,3)}", "{[1,3]}"]),
    ("datemultirange", &["{[2024-01-01,2024-01-03)}", "{[2024-01-01,2024-01-02]}"]),
    ("tsmultirange", &["{[2024-01-01,2024-01-03)}", "{[2024-01-01 00:00,2024-01-03)}", "{}"]),
    (
        "tstzmultirange",
        &["{[2024-01-01 00:00Z,2024-01-03 00:00Z)}", "{[2024-01-01 01:00+01,2024-01-03 00:00Z)}"],
    ),
    ("int4[]", &["{1,2}", "{01,2}", "{2,1}", "{1,null}", "{}", "{{1,2}}"]),
    ("text[]", &["{a,b}", "{\"a\",b}", "{A,b}", "{a,null}", "{a,\"null\"}"]),
    ("numeric[]", &["{1.0,2}", "{1,2.00}", "{1,2.01}"]),
];
/// Types of which this tool takes for equal what has the same text: for them the server's `=` is looser
/// (intervals of 30 days and a month, citext, char(n) and collations), stranger (points that are near), or
/// is not there at all.
const BY_TEXT: &[(&str, &[&str])] = &[
    ("interval", &["1 month", "30 days", "1 mon", "720:00:00", "24:00:00", "1 day"]),
    ("public.citext", &["a", "A"]),
    ("text collate \"und-ci\"", &["a", "A", "b"]),
    ("point", &["(1,2)", "(1.0,2)", "(2,1)", "(1,2.0000001)"]),
    ("line", &["{1,2,3}", "{2,4,6}"]),
    ("lseg", &["[(0,0),(1,1)]", "[(1,1),(0,0)]"]),
    ("box", &["(1,1),(0,0)", "(0,0),(1,1)", "(2,1),(0,0)"]),
    ("path", &["[(0,0),(1,1)]", "((0,0),(1,1))"]),
    ("polygon", &["((0,0),(1,1),(1,0))", "((1,1),(1,0),(0,0))"]),
    ("circle", &["<(0,0),1>", "<(0,0),2>", "<(1,0),1>"]),
    ("xml", &["<a/>", "<a></a>"]),
    ("jsonpath", &["$.a", "$.\"a\"", "$.b"]),
    ("xid", &["1", "2"]),
    ("cid", &["1", "2"]),
    ("txid_snapshot", &["1:1:", "1:2:"]),
    ("pg_snapshot", &["1:1:", "1:2:"]),
    ("aclitem", &["postgres=r/postgres", "postgres=w/postgres"]),
    ("refcursor", &["a", "b"]),
];
/// Types compared by rules of their own: `char(n)` without the blanks at its end, and json by what it says.
const BY_OTHER: &[(&str, &[&str], &str)] = &[
    ("char(4)", &["a", "a  ", "b"], "rtrim({}::text)"),
    ("json", &["{\"a\": 1, \"b\": 2}", "{\"b\":2,\"a\":1}", "{\"a\": 1}", "null"], "({})::jsonb"),
];
/// Types that no column of anybody's has, or that take no text.
const INTERNAL: &[&str] = &[
    "pg_node_tree",
    "pg_ndistinct",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "gtsvector",
    "oidvector",
    "int2vector",
    "bpchar",
    "regdatabase",
];

#[test]
fn values_of_every_type_are_equal_when_the_server_says_so() {
    let database = Database::create();
    database.execute(
        "create extension citext; create collation \"und-ci\" (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    );
    let mut client = database.client();
    let mut files: Vec<(String, String)> = Vec::new();
    let plain = VALUES.iter().map(|(name, values)| (*name, *values, "{}"));
    let by_text = BY_TEXT.iter().map(|(name, values)| (*name, *values, "({})::text collate \"C\""));
    let others = BY_OTHER.iter().map(|(name, values, as_other)| (*name, *values, *as_other));
    let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
    for (name, values, form) in plain.chain(by_text).chain(others) {
        let (type_name, collation) = name
            .split_once(" collate ")
            .map_or((name, String::new()), |(name, of)| (name, format!(" collate {of}")));
        let typed = |value: &str| format!("({}::{type_name}{collation})", quote(value));
        for one in values {
            for other in values {
                let (left, right) = (form.replace("{}", &typed(one)), form.replace("{}", &typed(other)));
                let sql = format!("select {left} = {right}");
                let is_equal: bool =
                    client.query_one(&sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0);
                let end = if is_equal { "held" } else { "differs" };
                let is_json = matches!(name, "json" | "jsonb");
                let written = if is_json { format!("{{$json: {}}}", quote(other)) } else { quote(other) };
                let query = serde_json::Value::from(format!("select 1 as id, {} as v", typed(one)));
                let step = format!("query: {query}\n    row: {{id: 1, v: {written}}}\n    expect: {end}\n");
                let title = serde_json::Value::from(format!("{} {name} {one} {other}", files.len()));
                files.push((
                    format!("scenarios/{}.yaml", files.len()),
                    format!("scenario: {title}\nsteps:\n  - assert: it\n    {step}"),
                ));
            }
        }
    }
    let named: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let directory = project(&named);
    let output = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(&["run"]);
    let failures: Vec<&str> = output.text.split("\n\n").filter(|part| !part.contains("✓")).collect();
    assert_eq!(output.status, "0", "{}", failures.join("\n\n"));
    assert!(output.text.contains(&format!("{} steps held", files.len())), "{}", output.text);

    let known: BTreeSet<&str> = VALUES
        .iter()
        .map(|(name, _)| *name)
        .chain(BY_TEXT.iter().map(|(name, _)| *name))
        .chain(["json"])
        .collect();
    let types = client
        .query("select typname::text from pg_type where typnamespace = 'pg_catalog'::regnamespace and typtype in ('b', 'r', 'm') and typcategory <> 'A'", &[])
        .unwrap();
    for row in types {
        let name: String = row.get(0);
        let name = if name == "char" { "\"char\"".to_owned() } else { name };
        assert!(
            known.contains(name.as_str()) || INTERNAL.contains(&name.as_str()),
            "nothing is compared of type {name}"
        );
    }
}

#[test]
fn matchers_hold_when_the_server_says_so() {
    let database = Database::create();
    let mut client = database.client();
    let mut steps = String::new();
    let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let ordered = [
        "int2",
        "int4",
        "int8",
        "numeric",
        "float4",
        "float8",
        "text",
        "bytea",
        "date",
        "time",
        "timetz",
        "timestamp",
        "timestamptz",
        "interval",
        "uuid",
        "inet",
        "macaddr",
        "bool",
        "varbit",
        "money",
        "pg_lsn",
        "tsvector",
    ];
    let mut count = 0;
    for (name, values) in VALUES.iter().chain(BY_TEXT).filter(|(name, _)| ordered.contains(name)) {
        for one in *values {
            for other in *values {
                for (word, operator) in [("$gt", ">"), ("$gte", ">="), ("$lt", "<"), ("$lte", "<=")] {
                    let sql = format!("select {}::{name} {operator} {}::{name}", quote(one), quote(other));
                    let holds: bool = client.query_one(&sql, &[]).unwrap().get(0);
                    count += 1;
                    // Once by its rank among the values that came, once as a condition of its own.
                    let end = if holds { "held" } else { "differs" };
                    let query = serde_json::Value::from(format!("select {}::{name} as v", quote(one)));
                    let matcher = format!("{{{word}: {}}}", quote(other));
                    steps.push_str(&format!(
                        "  - assert: {count} a\n    query: {query}\n    value: {matcher}\n    expect: {end}\n"
                    ));
                    let opposite = if holds { "differs" } else { "held" };
                    steps.push_str(&format!(
                        "  - assert: {count} b\n    query: {query}\n    value: {{$not: {matcher}}}\n    expect: {opposite}\n"
                    ));
                }
            }
        }
    }
    let directory = project(&[("scenarios/a.yaml", &format!("scenario: Order\nsteps:\n{steps}"))]);
    let output = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(&["run"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains(&format!("{} steps held", 2 * count)), "{}", output.text);
}
