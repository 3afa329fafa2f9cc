//! Every expectation of some scenarios is changed in turn, and the run has to turn red: one that stays green
//! would be a test that passes silently.

use std::fs;
use std::path::{Path, PathBuf};

use seedbed::project::source::{Source, Span};
use seedbed::project::yaml::{self, Content, Entry, Node, Scalar};
use seedbed::step::KINDS;

use crate::support::{Database, Seedbed};

/// A change of a file: what is replaced, and by what.
#[derive(Debug)]
struct Mutation {
    span: std::ops::Range<usize>,
    by: String,
}

/// Keys whose values say what must be true.
const EXPECTATIONS: &[&str] = &["rows", "row", "value", "count", "exists"];

#[test]
fn no_expectation_can_be_changed_unseen() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let survivors: Vec<String> =
        [root.clone(), root.join("tests/mutation")].iter().flat_map(|it| mutate(it)).collect();
    assert!(
        survivors.is_empty(),
        "{} mutations were not noticed:\n{}",
        survivors.len(),
        survivors.join("\n")
    );
}

/// Runs every mutation of a project's scenarios, and says which of them were not noticed.
fn mutate(directory: &Path) -> Vec<String> {
    let template = Database::create();
    let run = |directory: &Path| {
        let database = template.copy();
        let seedbed = Seedbed::new(directory).variable("CONNECTION_STRING", &database.url());
        let output = seedbed.run(&["run", "--log", "json"]);
        database.remove();
        output
    };
    let migrated = Seedbed::new(directory).variable("CONNECTION_STRING", &template.url()).run(&["migrate"]);
    assert_eq!(migrated.status, "0", "{}", migrated.text);
    let home = copy(directory);
    let (mut survivors, mut count) = (Vec::new(), 0);
    for entry in fs::read_dir(directory.join("scenarios")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = fs::read_to_string(directory.join("scenarios").join(&name)).unwrap();
        // The others would only take time.
        let _ = fs::remove_dir_all(home.path().join("scenarios"));
        fs::create_dir(home.path().join("scenarios")).unwrap();
        let file = home.path().join("scenarios").join(&name);
        fs::write(&file, &text).unwrap();
        let output = run(home.path());
        assert_eq!(output.status, "0", "{}", output.text);
        for Mutation { span, by } in mutations(&text, &ends(&output.text)) {
            let mut mutated = text.clone();
            mutated.replace_range(span.clone(), &by);
            fs::write(&file, &mutated).unwrap();
            let output = run(home.path());
            count += 1;
            match output.status.as_str() {
                "1" => {}
                // What cannot be meant is noticed too, unless it is the test that writes nonsense.
                "2" if !output.text.contains("not YAML") => {}
                _ => survivors.push(format!("{name}: `{}` by `{by}`: exit {}", &text[span], output.status)),
            }
        }
    }
    assert!(count > 20, "{count} mutations");
    survivors
}

/// The project without its scenarios.
fn copy(directory: &Path) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for part in ["migrations", "fixtures"] {
        if let Ok(entries) = fs::read_dir(directory.join(part)) {
            fs::create_dir(home.path().join(part)).unwrap();
            for entry in entries.map(Result::unwrap) {
                fs::copy(entry.path(), home.path().join(part).join(entry.file_name())).unwrap();
            }
        }
    }
    home
}

/// The titles and outcomes of the steps.
fn ends(log: &str) -> Vec<(String, String)> {
    let events = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let ended = events.filter(|event| event["event.name"] == "seedbed.step.ended");
    let text = |event: &serde_json::Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    ended.map(|event| (text(&event, "seedbed.step"), text(&event, "seedbed.outcome"))).collect()
}

fn mutations(text: &str, ends: &[(String, String)]) -> Vec<Mutation> {
    let source = Source::new("a.yaml", text);
    let root = entries(yaml::parse(&source).unwrap());
    let steps = root.into_iter().find(|entry| entry.key == "steps").unwrap().value;
    let Content::List(steps) = steps.content else { panic!("steps are a list") };
    let mut found = Vec::new();
    for step in steps {
        let step = entries(step);
        let Content::Scalar(title, _) = &step[0].value.content else { panic!("a title is a text") };
        // Cases have their values behind the title.
        let (_, end) = ends.iter().find(|(ended, _)| ended.starts_with(title.as_str())).unwrap();
        let kind = KINDS.iter().find(|kind| kind.name == step[0].key).unwrap();
        let others = kind.outcomes.iter().map(|outcome| outcome.word()).filter(|word| word != end);
        match step.iter().find(|entry| entry.key == "expect") {
            Some(Entry { value: Node { content: Content::Map(error), .. }, .. }) => {
                for field in entries(error[0].value.clone()) {
                    let by = if field.key == "condition" { "check_violation" } else { "another" };
                    found.push(Mutation { span: field.value.span.range(), by: by.to_owned() });
                }
            }
            Some(expect) => {
                let start = expect.value.span.start as usize;
                let line_end = text[start..].find(['\n', '#']).map_or(text.len(), |at| start + at);
                // A list begins before its first word.
                let from = text[..start].rfind(':').unwrap() + 1;
                found.extend(others.map(|word| Mutation { span: from..line_end, by: format!(" {word}") }));
            }
            None => {
                // A line of its own, indented as the first key is.
                let at = step[0].key_span.start as usize;
                let indent = at - text[..at].rfind('\n').unwrap() - 1;
                let line_end = text[at..].find('\n').map_or(text.len(), |end| at + end);
                let line = |word| format!("\n{}expect: {word}", " ".repeat(indent));
                found.extend(others.map(|word| Mutation { span: line_end..line_end, by: line(word) }));
            }
        }
        for entry in step.iter().filter(|entry| EXPECTATIONS.contains(&entry.key.as_str())) {
            let is_of_assert = kind.name == "assert";
            if let ("verify", "count", Content::List(items)) =
                (kind.name, entry.key.as_str(), &entry.value.content)
            {
                items.iter().for_each(|item| nodes(text, item, false, &mut found));
                continue;
            }
            if entry.key != "exists" && !is_of_assert && entry.key != "count" {
                continue; // Rows that are written, not expected.
            }
            match &entry.value.content {
                Content::Scalar(table, _) if table.trim_start().starts_with('|') => {
                    cells_of_table(text, entry.value.span, &mut found);
                }
                _ => nodes(text, &entry.value, is_of_assert, &mut found),
            }
        }
        fixtures_and_tables(&step, &mut found);
        for entry in step.iter().filter(|entry| entry.key == "changes") {
            changes(text, &entry.value, &mut found);
        }
        for entry in step.iter().filter(|entry| entry.key == "absent") {
            let span = entry.key_span.range();
            found.push(Mutation { span, by: "exists".to_owned() });
        }
    }
    found
}

/// Names other fixtures, other tables and other times: `strangers` are not there, `staff` has changed since the
/// step `start`.
fn fixtures_and_tables(step: &[Entry], found: &mut Vec<Mutation>) {
    let is_since_start = step.iter().any(|entry| {
        entry.key == "since" && matches!(&entry.value.content, Content::Scalar(name, _) if name == "start")
    });
    for entry in step {
        let other = match entry.key.as_str() {
            "matches" | "equals" | "idempotent" => "strangers",
            "unchanged" if is_since_start => "staff",
            "except" if is_since_start => "teams",
            "since" if !is_since_start => "start",
            _ => continue,
        };
        let names = match &entry.value.content {
            Content::List(items) => items.iter().collect(),
            _ => vec![&entry.value],
        };
        found.extend(names.iter().map(|name| Mutation { span: name.span.range(), by: other.to_owned() }));
        if entry.key == "matches" {
            found.push(Mutation { span: entry.key_span.range(), by: "equals".to_owned() });
        }
    }
}

/// Changes what a step may write: each number, each table that it names, and what is left out.
fn changes(text: &str, node: &Node, found: &mut Vec<Mutation>) {
    let Content::Map(tables) = &node.content else { panic!("changes are a map") };
    nodes(text, node, true, found);
    if tables.is_empty() {
        let span = node.span.range();
        found.push(Mutation { span, by: "{staff: {inserted: 1}}".to_owned() });
    }
    for table in tables {
        found.push(Mutation { span: table.key_span.range(), by: "teams".to_owned() });
        let Content::Map(counts) = &table.value.content else { continue };
        for count in counts {
            // One word in the place of another would still be true of the same number.
            let by = if count.key == "updated" { "deleted" } else { "updated" };
            let is_nothing = matches!(&count.value.content, Content::Scalar(text, _) if text == "0");
            let span = count.key_span.range();
            found.extend((!is_nothing).then(|| Mutation { span, by: by.to_owned() }));
        }
    }
}

fn entries(node: Node) -> Vec<Entry> {
    let Content::Map(entries) = node.content else { panic!("not a map") };
    entries
}

/// Changes every value below a node.
fn nodes(text: &str, node: &Node, has_matchers: bool, found: &mut Vec<Mutation>) {
    match &node.content {
        Content::Null => found.push(Mutation { span: node.span.range(), by: "x".to_owned() }),
        Content::Scalar(value, kind) => {
            let written = &text[node.span.range()];
            found.extend(others(value, *kind).into_iter().map(|by| Mutation { span: node.span.range(), by }));
            if has_matchers && !written.starts_with('|') {
                found.push(Mutation { span: node.span.range(), by: format!("{{$not: {written}}}") });
            }
        }
        Content::List(items) if items.is_empty() => {
            found.push(Mutation { span: node.span.range(), by: "[{name: x}]".to_owned() });
        }
        Content::List(items) => items.iter().for_each(|item| nodes(text, item, has_matchers, found)),
        Content::Map(entries) => {
            for entry in entries {
                // Bounds and patterns may be changed without a difference, so the matcher is turned round.
                match entry.key.starts_with('$') {
                    true => {
                        let start = entry.key_span.start as usize;
                        let open = text[..start].rfind('{').unwrap();
                        let close = start + closing(&text[start..]);
                        let span = open..close + 1;
                        let by = format!("{{$not: {}}}", &text[span.clone()]);
                        found.push(Mutation { span, by });
                        break;
                    }
                    false => nodes(text, &entry.value, has_matchers, found),
                }
            }
        }
        Content::Empty => {}
    }
}

/// Values that are near, and are others.
fn others(value: &str, kind: Scalar) -> Vec<String> {
    let quoted = |text: String| format!("'{}'", text.replace('\'', "''"));
    match (kind, value.parse::<f64>()) {
        (Scalar::Bool, _) => vec![if value == "true" { "false" } else { "true" }.to_owned()],
        (_, Ok(_)) => vec![format!("{value}1"), format!("-{value}1"), "0.5".to_owned(), "null".to_owned()],
        _ => {
            let flipped: String = value
                .chars()
                .map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
                .collect();
            let mut others =
                vec![quoted(format!("{value}x")), quoted(format!("{value} ")), "null".to_owned()];
            others.extend((flipped != value).then(|| quoted(flipped)));
            // A time may be written with blanks and in either case.
            if value.starts_with(|c: char| c.is_ascii_digit()) {
                others.drain(1..2);
                others.truncate(2);
            }
            others
        }
    }
}

/// Turns round every cell of a table between pipes.
fn cells_of_table(text: &str, span: Span, found: &mut Vec<Mutation>) {
    let mut start = span.start as usize;
    for (number, line) in text[start..].split_inclusive('\n').enumerate() {
        if number > 1 && !line.trim_start().starts_with('|') {
            break;
        }
        let mut at = start;
        for cell in line.split_inclusive('|') {
            let word = cell.trim_end_matches('|').trim();
            if number > 1 && !word.is_empty() {
                let from = at + cell.find(word).unwrap();
                found.push(Mutation { span: from..from + word.len(), by: format!("{{$not: {word}}}") });
            }
            at += cell.len();
        }
        start += line.len();
    }
}

/// The byte of the bracket that closes a map whose inside a text begins with.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' if depth == 0 => return at,
            '}' | ']' => depth -= 1,
            _ => {}
        }
    }
    panic!("{text} is not closed")
}
