//! Any bytes as CSV: records whose bytes make up the file again, the same however little is read at once, or
//! a problem at a place; and what is written is read again.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use seedbed::project::bulk::csv::{MARK, Records};
use seedbed::project::bulk::ndjson;

/// A stream that gives one byte after the other.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

/// The bytes of all records, with their values and places, and what is wrong then.
fn records(input: impl Read) -> (Vec<u8>, Vec<String>) {
    let mut records = Records::new(input, "a.csv".to_owned());
    let (mut bytes, mut told, mut line) = (Vec::new(), Vec::new(), 1);
    loop {
        match records.next() {
            Ok(Some(record)) => {
                assert_eq!(record.line, line);
                line = record.last_line() + 1;
                bytes.extend_from_slice(record.bytes);
                for at in 0..record.fields.len() {
                    told.push(format!("{} {:?}", record.place(at), record.text(at)));
                }
            }
            Ok(None) => return (bytes, told),
            Err(problem) => {
                problem.render(true);
                told.push(format!("{:?} {}", problem.place.map(|place| place.to_string()), problem.message));
                return (bytes, told);
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let (bytes, told) = records(input);
    assert!(input.strip_prefix(MARK).unwrap_or(input).starts_with(&bytes));
    assert_eq!(records(Slow(input)), (bytes, told));

    let text = String::from_utf8_lossy(input);
    let values: Vec<Option<&str>> =
        text.split('\0').map(|value| (value != "NULL").then_some(value)).collect();
    let mut csv = Vec::new();
    for (at, value) in values.iter().enumerate() {
        csv.extend_from_slice(if at > 0 { b"," } else { b"" });
        ndjson::write(*value, &mut csv);
    }
    csv.push(b'\n');
    let mut records = Records::new(csv.as_slice(), "a.csv".to_owned());
    let record = records.next().unwrap().expect("what was written is a record");
    let read: Vec<Option<String>> =
        (0..record.fields.len()).map(|at| record.text(at).map(Into::into)).collect();
    assert_eq!(read.iter().map(Option::as_deref).collect::<Vec<_>>(), values);
});
