//! Every style of writing rows, with cells that change, rows that go and rows that come.

use super::*;

fn plain() -> Type {
    Type { sql: "text".to_owned(), kind: Kind::Plain }
}

fn json() -> Type {
    Type { sql: "jsonb".to_owned(), kind: Kind::Json }
}

fn text(word: &str) -> Option<String> {
    (word != "NULL").then(|| word.to_owned())
}

/// Rows by one word each: `0` is kept, `0:1=x` has `x` in its second column, `+x,y` is new.
fn rows(words: &str) -> Revision {
    let row = |word: &str| match (word.strip_prefix('+'), word.split_once(':')) {
        (Some(cells), _) => Renewed::New(cells.split(',').map(text).collect()),
        (None, Some((row, cells))) => {
            let cell = |cell: &str| {
                let (at, value) = cell.split_once('=').unwrap();
                (at.parse().unwrap(), text(value))
            };
            Renewed::Changed(row.parse().unwrap(), cells.split(',').map(cell).collect())
        }
        (None, None) => Renewed::Kept(word.parse().unwrap()),
    };
    let names = vec!["a".to_owned(), "b".to_owned()];
    Revision::Rows { names, types: vec![plain(), plain()], rows: words.split_whitespace().map(row).collect() }
}

/// The step with its expectation written anew, or why it is not.
fn written(step: &str, revision: &Revision) -> Result<String, Refused> {
    let head = "scenario: S\nsteps:\n  - assert: it\n    query: select\n";
    let source = Source::new("a.yaml", format!("{head}{step}"));
    let file = yaml::parse(&source).unwrap();
    fn keys(node: &Node, found: &mut Vec<Span>) {
        match &node.content {
            Content::List(items) => items.iter().for_each(|item| keys(item, found)),
            Content::Map(entries) => {
                for entry in entries {
                    if matches!(entry.key.as_str(), "rows" | "row" | "value" | "count") {
                        found.push(entry.key_span);
                    }
                    keys(&entry.value, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    keys(&file, &mut found);
    let edits = edits(&source, found[0], revision)?;
    let edited = edit::apply(&source.text, &edits).unwrap();
    Ok(edited.strip_prefix(head).unwrap().to_owned())
}

fn check(step: &str, revision: &Revision, expected: &str) {
    assert_eq!(written(step, revision).as_deref(), Ok(expected), "{step}");
}

#[test]
fn cells_keep_all_that_stands_around_them() {
    let step = "    rows: # all\n      - {a: 'x',  b: {$gt: 1}} # one\n      # two\n      - { b: \"y\", a: z }\n    with: {}\n";
    check(
        step,
        &rows("0:0=it's 1:1=NULL,0=w"),
        "    rows: # all\n      - {a: 'it''s',  b: {$gt: 1}} # one\n      # two\n      - { b: null, a: w }\n    with: {}\n",
    );
    check(
        "    rows:\n    - a: x # one\n      b: |\n        long\n        text\n    -   b: [1,\n          2]\n        a:\n          k:\n            - v\n    with: {}\n",
        &rows("0:1=y,0=p 1:0=q,1=r"),
        "    rows:\n    - a: p # one\n      b: y\n    -   b: r\n        a: q\n    with: {}\n",
    );
}

#[test]
fn rows_of_a_block_come_and_go_with_their_lines() {
    let step = "    rows:\n      # first\n      - {a: x, b: y} # one\n      # second\n      - {a: z, b: w} # two\n    with: {}\n";
    check(
        step,
        &rows("1"),
        "    rows:\n      # first\n      # second\n      - {a: z, b: w} # two\n    with: {}\n",
    );
    check(
        step,
        &rows("0 +p,q 1 +r,NULL"),
        "    rows:\n      # first\n      - {a: x, b: y} # one\n      - {a: p, b: q}\n      # second\n      - {a: z, b: w} # two\n      - {a: r, b: null}\n    with: {}\n",
    );
    check(
        step,
        &rows("+p,q"),
        "    rows:\n      # first\n      - {a: p, b: q}\n      # second\n    with: {}\n",
    );
    check(step, &rows(""), "    rows: []\n      # first\n      # second\n    with: {}\n");
    let step = "    rows:\n      -   b: \"y\"\n          'a': x\n      - {a: z, b: w}";
    check(
        step,
        &rows("0 +p,q 1"),
        "    rows:\n      -   b: \"q\"\n          'a': p\n      -   b: \"y\"\n          'a': x\n      - {a: z, b: w}".replace("      -   b: \"q\"\n          'a': p\n      -   b: \"y\"\n          'a': x\n", "      -   b: \"y\"\n          'a': x\n      -   b: \"q\"\n          'a': p\n").as_str(),
    );
    check(step, &rows("1 +p,q"), "    rows:\n      - {a: z, b: w}\n      - {b: q, 'a': p}");
    check(
        "    rows:\r\n      - {a: x, b: y}\r\n    with: {}\r\n",
        &rows("0 +p,q"),
        "    rows:\r\n      - {a: x, b: y}\r\n      - {a: p, b: q}\r\n    with: {}\r\n",
    );
}

#[test]
fn rows_between_brackets_keep_what_stands_between_them() {
    let step = "    rows: [{a: x, b: y},   {a: z, b: w}, {a: u, b: v}] # three\n";
    check(step, &rows("0 2"), "    rows: [{a: x, b: y},   {a: u, b: v}] # three\n");
    check(step, &rows("1 2"), "    rows: [{a: z, b: w}, {a: u, b: v}] # three\n");
    check(
        step,
        &rows("+p,q 0:0=t 1 2"),
        "    rows: [{a: p, b: q},   {a: t, b: y},   {a: z, b: w}, {a: u, b: v}] # three\n",
    );
    check(step, &rows(""), "    rows: [] # three\n");
    let step = "    rows: [\n      {a: x, b: y}, # one\n      {a: z, b: w} # two\n    ]\n";
    check(
        step,
        &rows("0 1:0=t +p,q"),
        "    rows: [\n      {a: x, b: y}, # one\n      {a: t, b: w}, # two\n      {a: p, b: q}\n    ]\n",
    );
    check(step, &rows("0"), "    rows: [\n      {a: x, b: y}, # one\n    ]\n");
    check(step, &rows(""), "    rows: [\n    ]\n");
    check(step, &rows("1"), "    rows: [\n      {a: z, b: w} # two\n    ]\n");
    check(step, &rows("+p,q"), "    rows: [\n      {a: p, b: q}\n    ]\n");
    let step = "    rows: [{a: x, b: y}, # one\n           {a: z, b: w}]\n";
    assert_eq!(written(step, &rows("0")), Err("comments stand between its rows".to_owned()));
}

#[test]
fn the_first_rows_stand_on_lines_of_their_own_where_there_are_any() {
    check(
        "    rows: []\n    with: {}\n",
        &rows("+x,y +'z,NULL"),
        "    rows:\n      - {a: x, b: y}\n      - {a: '''z', b: null}\n    with: {}\n",
    );
    check("    rows: [ ] # none\n", &rows("+x,y"), "    rows: [{a: x, b: y}] # none\n");
    check("    rows: []", &rows("+x,y"), "    rows:\n      - {a: x, b: y}");
    let step = "  - {assert: other, query: select, rows: []}\n";
    check(step, &rows("+x,y"), "  - {assert: other, query: select, rows: [{a: x, b: y}]}\n");
}

#[test]
fn tables_stay_below_their_heads() {
    let step = "    rows: |\n      | a    | b   |\n      |------|----:|\n      | x    |   1 |\n      | {$any: true} | 22 |\n    with: {}\n";
    // What was not aligned is not made so.
    check(
        step,
        &rows("0:0=y 1:1=333"),
        "    rows: |\n      | a    | b   |\n      |------|----:|\n      | y |   1 |\n      | {$any: true} | 333 |\n    with: {}\n",
    );
    let step = "    rows: |\n      | a    | b   |\n      |------|----:|\n      | x    |   1 |\n      | y\\|z | 222 |\n    with: {}\n";
    check(
        step,
        &rows("0:0=q|r,1=NULL 1"),
        "    rows: |\n      | a     | b    |\n      |-------|-----:|\n      | 'q|r' | null |\n      | y\\|z  |  222 |\n    with: {}\n",
    );
    check(
        step,
        &rows("0:1=30 +w,5 1"),
        "    rows: |\n      | a    | b   |\n      |------|----:|\n      | x    |  30 |\n      | w    |   5 |\n      | y\\|z | 222 |\n    with: {}\n",
    );
    check(
        step,
        &rows("1"),
        "    rows: |\n      | a    | b   |\n      |------|----:|\n      | y\\|z | 222 |\n    with: {}\n",
    );
    check(step, &rows(""), "    rows: |\n      | a    | b   |\n      |------|----:|\n    with: {}\n");
    check(
        "    rows: |\n      | b | a |\n",
        &rows("+x,long"),
        "    rows: |\n      | b    | a |\n      | long | x |\n",
    );
    check(
        "    rows: |\n      | a | b |\n      | 日 | y |",
        &rows("0 +本本,NULL"),
        "    rows: |\n      | a | b    |\n      | 日 | y    |\n      | 本本 | null |",
    );
}

#[test]
fn one_row_and_one_value_are_written_in_place() {
    check("    row: {a: x, b: y} # why\n", &rows("0:1=z"), "    row: {a: x, b: z} # why\n");
    check("    row:\n      a: x\n      b: y\n", &rows("0:0=z"), "    row:\n      a: z\n      b: y\n");
    let value = |text: Option<&str>, sql_type| Revision::Value { text: text.map(str::to_owned), sql_type };
    check("    value: 'x' # why\n", &value(Some("y"), plain()), "    value: 'y' # why\n");
    check("    value: {$gt: 1}\n", &value(None, plain()), "    value: null\n");
    check(
        "    value:\n      k:\n        - 1\n",
        &value(Some(r#"{"k": [2]}"#), json()),
        "    value: {k: [2]}\n",
    );
    check(
        "    value: |\n      | x\n      y\n    with: {}\n",
        &value(Some("| y"), plain()),
        "    value: '| y'\n    with: {}\n",
    );
    check("    count: 3\n", &Revision::Count(4), "    count: 4\n");
    check("    count: {$gt: 3}\n", &Revision::Count(2), "    count: 2\n");
}

#[test]
fn what_is_said_elsewhere_stays() {
    let refused = |step: &str, words: &str| {
        let reason = written(step, &rows("0:0=x")).unwrap_err();
        assert!(reason.contains(words), "{step}: {reason}");
    };
    refused("    rows: [{a: {$ref: who}, b: y}]\n", "has a name");
    refused("    rows: |\n      | a           | b |\n      | {$ref: who} | y |\n", "has a name");
    refused("    rows: [{$ref: who}]\n", "maps of columns");
    refused("    rows: &all [{a: y, b: y}]\n", "anchors");
    refused("    rows: [{a: &y y, b: *y}]\n", "anchors");
}

#[test]
fn columns_are_those_that_the_other_rows_name() {
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    let row = |words: &str| Renewed::New(words.split(',').map(text).collect());
    let rows = vec![Renewed::Kept(0), Renewed::Kept(1), row("1,2,3")];
    let revision = Revision::Rows { names, types: vec![plain(), plain(), plain()], rows };
    check(
        "    rows: [{c: x}, {a: y}]\n    columns: partial\n",
        &revision,
        "    rows: [{c: x}, {a: y}, {c: 3, a: 1}]\n    columns: partial\n",
    );
}
