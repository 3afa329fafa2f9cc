//! Any bytes as NDJSON: objects that become CSV which is read again, or a problem at a place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seedbed::project::bulk::FileColumn;
use seedbed::project::bulk::csv::Records;
use seedbed::project::bulk::ndjson::{Lines, Paths, Pick, Taken};

/// The paths to all values of a layout.
fn paths(columns: &[FileColumn], before: &[String], taken: Taken, paths: &mut Paths) {
    for column in columns {
        let path: Vec<String> = before.iter().chain([&column.name]).cloned().collect();
        match taken {
            Taken::AsText if !column.within.is_empty() => self::paths(&column.within, &path, taken, paths),
            _ => paths.push((path, taken)),
        }
    }
}

fuzz_target!(|input: &[u8]| {
    for taken in [Taken::AsText, Taken::AsJson, Taken::AsArray] {
        let mut lines = Lines::new(input, "a.ndjson".to_owned());
        let (mut pick, mut last) = (Pick::new(), 0);
        loop {
            match lines.next_structure() {
                Ok(Some(structure)) => {
                    assert!(lines.line() > last);
                    last = lines.line();
                    let layout = lines.layout().expect("a line that was read once is read again");
                    assert_eq!(layout.key, structure.key());
                    let mut found = Paths::new();
                    paths(&layout.columns, &[], taken, &mut found);
                    pick.insert(layout.key, found);
                }
                Ok(None) => break,
                Err(problem) => {
                    assert!(problem.place.is_some());
                    problem.render(true);
                    break;
                }
            }
        }
        let mut lines = Lines::new(input, "a.ndjson".to_owned());
        loop {
            match lines.next(&pick) {
                Ok(Some(record)) => {
                    let mut records = Records::new(record.bytes, "a.csv".to_owned());
                    let read = records.next().unwrap().expect("a record is a line of CSV");
                    assert_eq!(read.fields.len(), record.fields.len() + 1);
                    for at in 0..record.fields.len() {
                        record.place(at);
                        assert_eq!(read.text(at + 1), record.text(at));
                    }
                }
                Ok(None) => break,
                Err(problem) => {
                    assert!(problem.place.is_some());
                    problem.render(true);
                    break;
                }
            }
        }
    }
});
