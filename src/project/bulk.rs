//! Bulk: a file of many rows beside a fixture, or a fixture itself. It is read as a stream and never held
//! as a whole.
//!
//! PostgreSQL reads the values; what is read here is where rows and values begin and end, and what the
//! columns are called.

pub mod csv;
pub mod ndjson;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::diagnostic::Diagnostic;
use super::source::{Place, Source, Span};
use csv::{Record, Records};
use ndjson::Lines;

/// The endings of such files, the compressed ones first.
pub const ENDINGS: &[&str] = &[".csv.gz", ".csv", ".ndjson.gz", ".ndjson"];

/// A file of many rows.
pub struct Bulk {
    /// Relative to where the author stands, with forward slashes.
    pub path: String,
    stored: Stored,
    /// What it weighs, in bytes.
    pub bytes: u64,
    /// What its rows give: one layout, or one for each set of names that its objects have.
    pub layouts: Vec<Layout>,
}

/// Where the rows are.
enum Stored {
    /// On disk.
    File(PathBuf),
    /// They were written in YAML, so many that they go the way of a file: as CSV, behind their numbers, with
    /// the place of each value.
    Written(Arc<[u8]>, Vec<Vec<Place>>),
}

/// The columns that some rows of a file give.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Tells it from the others of the file.
    pub key: String,
    /// The line that names the columns.
    pub source: Arc<Source>,
    /// The columns, in the order of the line.
    pub columns: Vec<FileColumn>,
}

/// A name in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileColumn {
    /// The name.
    pub name: String,
    /// Where it is in the line.
    pub name_span: Span,
    /// Where what it names is; in a header the name itself.
    pub span: Span,
    /// The names in the object that it names.
    pub within: Vec<FileColumn>,
}

/// Which rows of a file, and what of them.
#[derive(Debug, Clone)]
pub enum Pick {
    /// All of them, as they are.
    All,
    /// Objects with certain names.
    Objects(Arc<ndjson::Pick>),
    /// Rows that were written elsewhere, which have their numbers with them.
    Written,
}

impl Pick {
    /// Whether a row brings its number with it.
    pub fn is_numbered(&self) -> bool {
        !matches!(self, Pick::All)
    }
}

impl std::fmt::Debug for Bulk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Bulk({})", self.path)
    }
}

/// A file as a stream, unpacked.
type Stream = Box<dyn Read + Send>;

/// The rows of a file, with a look at how far it is.
pub struct Rows {
    reader: Reader,
    read: Arc<AtomicU64>,
}

enum Reader {
    Csv(Records<Stream>),
    Written(Records<Stream>, Arc<Bulk>, usize),
    Objects(Lines<Stream>, Arc<ndjson::Pick>),
}

impl Rows {
    /// The next row, or none at the end.
    #[allow(clippy::should_implement_trait)] // What it returns is lent.
    pub fn next(&mut self) -> Result<Option<Record<'_>>, Diagnostic> {
        match &mut self.reader {
            Reader::Csv(records) => records.next(),
            Reader::Objects(lines, pick) => lines.next(pick),
            Reader::Written(records, bulk, count) => {
                let Some(record) = records.next()? else { return Ok(None) };
                *count += 1;
                let places = match &bulk.stored {
                    Stored::Written(_, places) => places.get(*count - 1),
                    Stored::File(_) => None,
                };
                Ok(Some(record.behind_number(places.map(Vec::as_slice).unwrap_or_default())))
            }
        }
    }

    /// How many bytes of the file were read, as it lies on disk.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// A row that was looked up for a message.
#[derive(Debug, Clone)]
pub struct FoundRow {
    /// Its values; NULL is none.
    pub texts: Vec<Option<String>>,
    /// Where each stands.
    pub places: Vec<Place>,
}

impl FoundRow {
    fn of(record: &Record) -> FoundRow {
        let numbers = 0..record.fields.len();
        FoundRow {
            texts: numbers.clone().map(|at| record.text(at).map(Into::into)).collect(),
            places: numbers.map(|at| record.place(at)).collect(),
        }
    }

    /// The place of the row as a whole: of its first value.
    pub fn place(&self) -> Option<Place> {
        self.places.first().cloned()
    }
}

impl Bulk {
    /// Looks at a file and reads its header. Fails, at its place, when there is none that names columns.
    pub fn open(file: &Path, path: String) -> Result<Bulk, Diagnostic> {
        let cannot = |error: std::io::Error| Diagnostic::error(format!("cannot read `{path}`: {error}"));
        let metadata = file.metadata().map_err(cannot)?;
        if !metadata.is_file() {
            return Err(Diagnostic::error(format!("`{path}` is no regular file"))
                .help("remove it, or write its rows into a file"));
        }
        let mut bulk = Bulk {
            path: path.clone(),
            stored: Stored::File(file.to_owned()),
            bytes: metadata.len(),
            layouts: Vec::new(),
        };
        bulk.layouts = match bulk.is_csv() {
            true => vec![bulk.header()?],
            false => bulk.structures()?,
        };
        match bulk.layouts.iter().all(|layout| layout.columns.is_empty()) {
            true => Err(Diagnostic::error(format!("`{path}` is empty")).help(match bulk.is_csv() {
                true => "its first line names the columns: `code,name`",
                false => "each line is one object: `{\"code\": \"NO\", \"name\": \"Norway\"}`",
            })),
            false => Ok(bulk),
        }
    }

    /// Rows that were written elsewhere: as CSV, each behind its number, with the places of its values.
    pub fn written(path: String, csv: Vec<u8>, places: Vec<Vec<Place>>) -> Bulk {
        let bytes = csv.len() as u64;
        Bulk { path, stored: Stored::Written(csv.into(), places), bytes, layouts: Vec::new() }
    }

    /// Whether it is CSV.
    pub fn is_csv(&self) -> bool {
        self.path.ends_with(".csv") || self.path.ends_with(".csv.gz")
    }

    /// The layout that the first line of a CSV file says.
    fn header(&self) -> Result<Layout, Diagnostic> {
        let (stream, _) = self.stream()?;
        let mut records = Records::new(stream, self.path.clone());
        let Some(record) = records.next()? else {
            return Ok(Layout { key: String::new(), source: Source::new("", ""), columns: Vec::new() });
        };
        let source = record.place(0).source;
        let mut columns: Vec<FileColumn> = Vec::new();
        for at in 0..record.fields.len() {
            let place = record.place(at);
            let name = String::from_utf8(record.field(at).into_owned())
                .map_err(|_| Diagnostic::error("this is not UTF-8").at_place(place.clone()))?;
            let problem = if name.trim().is_empty() {
                "a column without a name".to_owned()
            } else if columns.iter().any(|earlier| earlier.name == name) {
                format!("`{name}` is named twice")
            } else {
                columns.push(FileColumn {
                    name,
                    name_span: place.span,
                    span: place.span,
                    within: Vec::new(),
                });
                continue;
            };
            return Err(Diagnostic::error(problem)
                .at_place(place)
                .help("the first line names the columns, each once: `code,name`"));
        }
        Ok(Layout { key: String::new(), source, columns })
    }

    /// The layouts of a file's objects, each as it comes first. All lines are read.
    fn structures(&self) -> Result<Vec<Layout>, Diagnostic> {
        let (stream, _) = self.stream()?;
        let mut lines = Lines::new(stream, self.path.clone());
        let (mut known, mut layouts) = (HashSet::new(), Vec::new());
        while let Some(structure) = lines.next_structure()? {
            if !known.insert(structure.key()) {
                continue;
            }
            let layout = lines.layout()?;
            if known.len() > ndjson::STRUCTURES_MAX {
                return Err(Diagnostic::error(format!(
                    "the objects of this file have more than {} different sets of names",
                    ndjson::STRUCTURES_MAX
                ))
                .at(&layout.source, Span::new(0, 1))
                .help("write nested objects of different names as text, or make several files"));
            }
            layouts.push(layout);
        }
        Ok(layouts)
    }

    /// The file's name without directories and endings.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
    }

    /// Its rows from the first one on.
    pub fn rows(self: &Arc<Bulk>, pick: &Pick) -> Result<Rows, Diagnostic> {
        let (stream, read) = self.stream()?;
        let reader = match pick {
            Pick::All => {
                let mut records = Records::new(stream, self.path.clone());
                records.next()?; // The header.
                Reader::Csv(records)
            }
            Pick::Objects(pick) => Reader::Objects(Lines::new(stream, self.path.clone()), pick.clone()),
            Pick::Written => Reader::Written(Records::new(stream, self.path.clone()), self.clone(), 0),
        };
        Ok(Rows { reader, read })
    }

    /// Rows that were picked, by their numbers: the number of a CSV file's row, counted from 1, or the line
    /// of an object. They are read again from the beginning; those that are not there any more are left out.
    pub fn found(self: &Arc<Bulk>, numbers: &BTreeSet<usize>, pick: &Pick) -> BTreeMap<usize, FoundRow> {
        let mut found = BTreeMap::new();
        let (Some(last), Ok(mut rows)) = (numbers.last(), self.rows(pick)) else { return found };
        let mut count = 0;
        while let Ok(Some(record)) = rows.next() {
            count += 1;
            let number = match pick {
                Pick::All | Pick::Written => count,
                Pick::Objects(_) => record.line as usize,
            };
            if numbers.contains(&number) {
                found.insert(number, FoundRow::of(&record));
            }
            if number >= *last {
                break;
            }
        }
        found
    }

    /// A row, by the same number.
    pub fn row(self: &Arc<Bulk>, number: usize, pick: &Pick) -> Option<FoundRow> {
        self.found(&BTreeSet::from([number]), pick).remove(&number)
    }

    /// The place of a row, by the same number.
    pub fn place(self: &Arc<Bulk>, number: usize) -> Option<Place> {
        if self.is_csv() {
            return self.row(number, &Pick::All)?.place();
        }
        let (stream, _) = self.stream().ok()?;
        let mut lines = Lines::new(stream, self.path.clone());
        while lines.next_structure().ok()?.is_some() {
            if lines.line() == number as u64 {
                return Some(Place::new(&lines.layout().ok()?.source, Span::new(0, 1)));
            }
        }
        None
    }

    /// The row that ends on a line of what is sent to the server, counted from 1.
    pub fn row_sent(self: &Arc<Bulk>, line: u64, pick: &Pick) -> Option<FoundRow> {
        let mut rows = self.rows(pick).ok()?;
        let mut sent = 0;
        while let Some(record) = rows.next().ok()? {
            sent += memchr::memchr_iter(b'\n', record.bytes).count() as u64;
            sent += u64::from(!record.bytes.ends_with(b"\n"));
            if sent >= line {
                return Some(FoundRow::of(&record));
            }
        }
        None
    }

    /// The file, unpacked, with how much of it was read.
    fn stream(&self) -> Result<(Stream, Arc<AtomicU64>), Diagnostic> {
        let read = Arc::new(AtomicU64::new(0));
        let opened = match &self.stored {
            Stored::File(path) => File::open(path),
            Stored::Written(csv, _) => {
                let stream: Stream =
                    Box::new(Counted { stream: Cursor::new(csv.clone()), read: read.clone() });
                return Ok((stream, read));
            }
        };
        let stream =
            opened.map_err(|error| Diagnostic::error(format!("cannot read `{}`: {error}", self.path)))?;
        let counted = Counted { stream, read: read.clone() };
        let stream: Stream = match self.path.ends_with(".gz") {
            true => Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, counted))),
            false => Box::new(counted),
        };
        Ok((stream, read))
    }
}

/// A file that counts what is read of it.
struct Counted<R> {
    stream: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
