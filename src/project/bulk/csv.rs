//! CSV as PostgreSQL's COPY reads it, and no more than that: `,` between fields, `"` around them, `""`
//! for one inside.
//!
//! COPY also takes a quote in the middle of a field and text behind a closing one, and so may swallow
//! lines when one quote is missing. Both are refused here, at their place, before anything is lost.

use std::borrow::Cow;
use std::io::Read;

use memchr::{memchr, memchr_iter, memchr3};

use crate::project::diagnostic::Diagnostic;
use crate::project::source::{Place, Source, Span};

/// The most a record may weigh.
pub const RECORD_BYTES_MAX: usize = 16 << 20;
/// The byte order mark of UTF-8.
pub const MARK: &[u8] = b"\xef\xbb\xbf";
/// What is read at once, at first.
const BLOCK_BYTES: usize = 256 << 10;
/// The most of a line that is shown behind the place of a problem, in bytes.
pub const SHOWN_BYTES_MAX: usize = 200;

/// The records of a stream.
pub struct Records<R> {
    input: R,
    path: String,
    buffer: Vec<u8>,
    /// Where the next record begins.
    start: usize,
    /// Behind what was read.
    end: usize,
    is_at_end: bool,
    /// Whether the mark that a file may begin with is behind us: a second one is a part of a value.
    has_begun: bool,
    /// The line on which the next record begins, counted from 1.
    line: u64,
    fields: Vec<Field>,
    /// How many fields the first record had: all have as many.
    width: Option<usize>,
}

/// A field of a record, in bytes of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its first byte, behind a quote.
    pub start: usize,
    /// The byte behind its last, before a quote.
    pub end: usize,
    /// Whether it stands in quotes. Without them an empty field is NULL.
    pub is_quoted: bool,
    /// Whether there are quotes in it, each written twice.
    pub has_quotes: bool,
}

/// A record, as long as no other is read.
pub struct Record<'a> {
    /// All of it, with the end of its line.
    pub bytes: &'a [u8],
    /// Its fields.
    pub fields: &'a [Field],
    /// The line on which it begins, counted from 1.
    pub line: u64,
    path: &'a str,
    origin: Option<Origin<'a>>,
    places: &'a [Place],
}

/// What a record was made from, when it was not written as CSV.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// The line.
    pub text: &'a [u8],
    /// Where each field stands in it.
    pub spans: &'a [Span],
}

/// What came of a look at the bytes that are there.
#[derive(Debug, PartialEq, Eq)]
enum Split {
    /// A record of so many bytes.
    Record(usize),
    /// Its end has not been read yet.
    More,
    /// Something is wrong at this byte.
    Fault(usize, Fault),
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    QuoteInside,
    /// Text behind a closing quote, of a field that begins there.
    BehindQuote(usize),
    NeverClosed,
}

impl<R: Read> Records<R> {
    /// The records of a stream; messages call it by a path.
    pub fn new(input: R, path: String) -> Records<R> {
        Records {
            input,
            path,
            buffer: vec![0; BLOCK_BYTES],
            start: 0,
            end: 0,
            is_at_end: false,
            has_begun: false,
            line: 1,
            fields: Vec::new(),
            width: None,
        }
    }

    /// The next record, or none at the end. Fails for what COPY would not read as it was meant, and for
    /// a record with more or less fields than the first.
    #[allow(clippy::should_implement_trait)] // What it returns is lent.
    pub fn next(&mut self) -> Result<Option<Record<'_>>, Diagnostic> {
        let length = loop {
            if self.start == self.end && self.is_at_end {
                return Ok(None);
            }
            match split(&self.buffer[self.start..self.end], self.is_at_end, &mut self.fields) {
                Split::Record(length) => break length,
                Split::More => self.read()?,
                Split::Fault(at, fault) => return Err(self.fault(at, &fault)),
            }
        };
        let (start, line) = (self.start, self.line);
        self.start += length;
        let bytes = &self.buffer[start..start + length];
        self.line += memchr_iter(b'\n', bytes).count() as u64;
        let record = Record::new(bytes, &self.fields, line, &self.path, None);
        let width = *self.width.get_or_insert(record.fields.len());
        if record.bytes.trim_ascii_end() == b"\\." {
            return Err(Diagnostic::error("`\\.` alone on a line would end the data here")
                .at_place(record.place(0))
                .help("write it in quotes: `\"\\.\"`"));
        }
        if record.fields.len() != width {
            return Err(record.uneven(width));
        }
        Ok(Some(record))
    }

    /// Reads on, with what is left of the last block before it.
    fn read(&mut self) -> Result<(), Diagnostic> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.end >= RECORD_BYTES_MAX {
                let message = format!("this record weighs more than {} MiB", RECORD_BYTES_MAX >> 20);
                return Err(Diagnostic::error(message).at_place(self.whole().place_of(0, 1)).help(
                    "look for a quote that is never closed; what is really so large goes in by other ways",
                ));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    self.is_at_end = read == 0;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(Diagnostic::error(format!("cannot read `{}`: {error}", self.path)));
                }
            }
            match self.has_begun {
                true => return Ok(()),
                false if self.end < MARK.len() && !self.is_at_end => {}
                false => return self.begin(),
            }
        }
    }

    /// Passes over a byte order mark, and refuses what is not UTF-8 at all.
    fn begin(&mut self) -> Result<(), Diagnostic> {
        self.has_begun = true;
        let bytes = &self.buffer[..self.end];
        if bytes.starts_with(MARK) {
            self.start = MARK.len();
        } else if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(Diagnostic::error(format!("`{}` is UTF-16", self.path)).help("save it as UTF-8"));
        } else if bytes.starts_with(b"\x1f\x8b") {
            return Err(Diagnostic::error(format!("`{}` is compressed", self.path))
                .help("give it a name that ends in `.gz`"));
        }
        Ok(())
    }

    fn whole(&self) -> Record<'_> {
        let bytes = &self.buffer[self.start..self.end];
        Record::new(bytes, &[], self.line, &self.path, None)
    }

    fn fault(&self, at: usize, fault: &Fault) -> Diagnostic {
        let record = self.whole();
        let inside = "inside of quotes a quote is written twice: `\"5\"\" pipe\"`";
        match fault {
            Fault::QuoteInside => Diagnostic::error("a quote inside of a value that does not begin with one")
                .at_place(record.place_of(at, at + 1))
                .help(inside),
            Fault::BehindQuote(start) => {
                let place = record.place_of(at, at + 1);
                let began = record.place_of(*start, *start + 1);
                let diagnostic =
                    Diagnostic::error("text behind a closing quote").at_place(place.clone()).help(inside);
                match began.source == place.source {
                    true => diagnostic.context(began.span, "the value begins here"),
                    false => diagnostic.note(format!("the value begins at {began}")),
                }
            }
            Fault::NeverClosed => Diagnostic::error("this quote is never closed")
                .at_place(record.place_of(at, at + 1))
                .help("close it behind the value, and write a quote inside of it twice"),
        }
    }
}

impl<'a> Record<'a> {
    /// A record of these bytes.
    pub fn new(
        bytes: &'a [u8],
        fields: &'a [Field],
        line: u64,
        path: &'a str,
        origin: Option<Origin<'a>>,
    ) -> Record<'a> {
        Record { bytes, fields, line, path, origin, places: &[] }
    }

    /// The record without its first field, whose values were written at these places.
    pub fn behind_number(self, places: &'a [Place]) -> Record<'a> {
        Record { fields: self.fields.get(1..).unwrap_or_default(), places, ..self }
    }

    /// The value of a field: what stands between its quotes, with those inside written once.
    pub fn field(&self, at: usize) -> Cow<'_, [u8]> {
        let Some(field) = self.fields.get(at) else { return Cow::Borrowed(&[]) };
        let bytes = &self.bytes[field.start..field.end];
        if !field.has_quotes {
            return Cow::Borrowed(bytes);
        }
        let mut value = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some(quote) = memchr(b'"', rest) {
            value.extend_from_slice(&rest[..=quote]);
            rest = &rest[quote + 2..];
        }
        value.extend_from_slice(rest);
        Cow::Owned(value)
    }

    /// The value of a field as text, NULL as none; what is no UTF-8 is replaced.
    pub fn text(&self, at: usize) -> Option<Cow<'_, str>> {
        let field = self.fields.get(at)?;
        if field.start == field.end && !field.is_quoted {
            return None;
        }
        Some(match self.field(at) {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    /// The line on which it ends, counted from 1.
    pub fn last_line(&self) -> u64 {
        let inner = self.bytes.strip_suffix(b"\n").unwrap_or(self.bytes);
        self.line + memchr_iter(b'\n', inner).count() as u64
    }

    /// The place of a field, in an excerpt of the file: the line it stands on.
    pub fn place(&self, at: usize) -> Place {
        if let Some(place) = self.places.get(at) {
            return place.clone();
        }
        if let Some(Origin { text, spans }) = self.origin {
            let span = spans.get(at).copied().unwrap_or(Span::new(0, 1));
            let line = Record::new(text, &[], self.line, self.path, None);
            return line.place_of(span.start as usize, span.end as usize);
        }
        match self.fields.get(at) {
            Some(field) => self.place_of(field.start, field.end),
            None => self.place_of(0, 0),
        }
    }

    /// The place of some bytes.
    fn place_of(&self, start: usize, end: usize) -> Place {
        let before = &self.bytes[..start];
        let begin = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = self.line + memchr_iter(b'\n', before).count() as u64;
        let length = memchr(b'\n', &self.bytes[begin..]).unwrap_or(self.bytes.len() - begin);
        let shown = (begin + length).min(end.max(start) + SHOWN_BYTES_MAX).max(start);
        let text = |range: std::ops::Range<usize>| String::from_utf8_lossy(&self.bytes[range]).into_owned();
        let head = text(begin..start);
        let marked = text(start..end.clamp(start, shown));
        let span = Span::new(head.len(), head.len() + marked.len());
        let excerpt = head + &marked + text(end.clamp(start, shown)..shown).trim_end_matches('\r');
        Place { source: Source::excerpt(self.path, line as usize, excerpt), span }
    }

    fn uneven(&self, width: usize) -> Diagnostic {
        let count = |number: usize| crate::project::diagnostic::count(number, "value");
        if self.bytes.trim_ascii().is_empty() {
            return Diagnostic::error(format!("an empty line, where {} are needed", count(width)))
                .at_place(self.place(0))
                .help("remove it");
        }
        let has = self.fields.len();
        let diagnostic =
            Diagnostic::error(format!("this line has {}, and the first names {width}", count(has)));
        match has > width {
            true => diagnostic
                .at_place(self.place(width))
                .help("remove what is too much; a value that holds a comma stands in quotes"),
            false => diagnostic
                .at_place(self.place(has - 1))
                .help("add the values that lack; NULL is nothing between two commas"),
        }
    }
}

/// Splits off the first record. `is_all` says that nothing comes behind these bytes.
fn split(bytes: &[u8], is_all: bool, fields: &mut Vec<Field>) -> Split {
    fields.clear();
    let end_or_more = |length| if is_all { Split::Record(length) } else { Split::More };
    let mut at = 0;
    loop {
        if bytes.get(at) == Some(&b'"') {
            let (mut from, mut has_quotes) = (at + 1, false);
            let close = loop {
                let Some(quote) = memchr(b'"', &bytes[from..]).map(|quote| from + quote) else {
                    return if is_all { Split::Fault(at, Fault::NeverClosed) } else { Split::More };
                };
                match bytes.get(quote + 1) {
                    Some(b'"') => (from, has_quotes) = (quote + 2, true),
                    None if !is_all => return Split::More,
                    _ => break quote,
                }
            };
            fields.push(Field { start: at + 1, end: close, is_quoted: true, has_quotes });
            match (bytes.get(close + 1), bytes.get(close + 2)) {
                (None, _) => return end_or_more(close + 1),
                (Some(b','), _) => at = close + 2,
                (Some(b'\n'), _) => return Split::Record(close + 2),
                (Some(b'\r'), Some(b'\n')) => return Split::Record(close + 3),
                (Some(b'\r'), None) => return end_or_more(close + 2),
                _ => return Split::Fault(close + 1, Fault::BehindQuote(at)),
            }
            continue;
        }
        let end = memchr3(b',', b'\n', b'"', &bytes[at..]).map(|end| at + end);
        let field = |end: usize| Field { start: at, end, is_quoted: false, has_quotes: false };
        let without_return = |end: usize| if end > at && bytes[end - 1] == b'\r' { end - 1 } else { end };
        match end.map(|end| (end, bytes[end])) {
            None if !is_all => return Split::More,
            None => {
                fields.push(field(without_return(bytes.len())));
                return Split::Record(bytes.len());
            }
            Some((end, b',')) => {
                fields.push(field(end));
                at = end + 1;
            }
            Some((end, b'\n')) => {
                fields.push(field(without_return(end)));
                return Split::Record(end + 1);
            }
            Some((end, _)) => return Split::Fault(end, Fault::QuoteInside),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out few bytes at a time, so that every record is cut somewhere.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.1.min(self.0.len()).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn read(text: &str, step: usize) -> Result<Vec<Vec<Option<String>>>, String> {
        let mut records = Records::new(Slow(text.as_bytes(), step), "a.csv".to_owned());
        let mut rows = Vec::new();
        let mut bytes = Vec::new();
        loop {
            match records.next() {
                Ok(Some(record)) => {
                    bytes.extend_from_slice(record.bytes);
                    let texts = (0..record.fields.len()).map(|at| record.text(at).map(Cow::into_owned));
                    rows.push(texts.collect());
                }
                Ok(None) => break,
                Err(problem) => {
                    let place = problem.place.map(|place| place.to_string()).unwrap_or_default();
                    return Err(format!("{place} {}", problem.message));
                }
            }
        }
        assert_eq!(
            bytes,
            text.strip_prefix('\u{feff}').unwrap_or(text).as_bytes(),
            "every byte is given out"
        );
        Ok(rows)
    }

    #[test]
    fn records_are_what_copy_reads() {
        let check = |text: &str, expected: &[&[Option<&str>]]| {
            for step in [1, 2, 3, 1000] {
                let rows = read(text, step).unwrap();
                let rows: Vec<Vec<Option<&str>>> =
                    rows.iter().map(|row| row.iter().map(Option::as_deref).collect()).collect();
                assert_eq!(rows, expected, "{text:?} by {step}");
            }
        };
        check("", &[]);
        check("a,b\n1,2\n", &[&[Some("a"), Some("b")], &[Some("1"), Some("2")]]);
        check("\u{feff}a,b\r\n,\"\"\r\n", &[&[Some("a"), Some("b")], &[None, Some("")]]);
        check("\u{feff}\u{feff}a", &[&[Some("\u{feff}a")]]);
        check("a,b\n\"x,\"\"y\"\"\nz\",\"2\"", &[&[Some("a"), Some("b")], &[Some("x,\"y\"\nz"), Some("2")]]);
        check("a\n\nb", &[&[Some("a")], &[None], &[Some("b")]]);
        check("a,b\n1,", &[&[Some("a"), Some("b")], &[Some("1"), None]]);
        check("\"\"\"\"\n", &[&[Some("\"")]]);
    }

    #[test]
    fn what_copy_would_read_otherwise_is_refused_at_its_place() {
        let check = |text: &str, expected: &str| {
            for step in [1, 5, 1000] {
                assert_eq!(read(text, step).unwrap_err(), expected, "{text:?} by {step}");
            }
        };
        check("a,b\n1,5\" pipe\n", "a.csv:2:4 a quote inside of a value that does not begin with one");
        check("a,b\n1,\"5\" pipe\"\n", "a.csv:2:6 text behind a closing quote");
        check("a,b\nü,\"1\n2,3\n", "a.csv:2:3 this quote is never closed");
        check("a,b\n1,\"2\n3,\"4\"\n", "a.csv:3:4 text behind a closing quote");
        check("a,b\n\"x\ny\",2,3\n", "a.csv:3:6 this line has 3 values, and the first names 2");
        check("a,b\n1,2\n3\n", "a.csv:3:1 this line has 1 value, and the first names 2");
        check("a,b\n\n", "a.csv:2:1 an empty line, where 2 values are needed");
        check("a\n1\n\\.\n2\n", "a.csv:3:1 `\\.` alone on a line would end the data here");
    }
}
