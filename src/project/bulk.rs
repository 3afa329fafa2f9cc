//! Bulk: a file of many rows beside a fixture, or a fixture itself. It is read as a stream and never held
//! as a whole.
//!
//! PostgreSQL reads the values; what is read here is where records and fields begin and end, and the
//! names in the header.

pub mod csv;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::diagnostic::Diagnostic;
use super::source::{Name, Place, Source, Span};
use csv::{Record, Records};

/// The endings of such files, the compressed ones first.
pub const ENDINGS: &[&str] = &[".csv.gz", ".csv"];

/// A file of many rows.
pub struct Bulk {
    /// Relative to where the author stands, with forward slashes.
    pub path: String,
    file: PathBuf,
    /// What it weighs on disk, in bytes.
    pub bytes: u64,
    /// Its first line.
    pub header: Arc<Source>,
    /// The names in that line.
    pub names: Vec<Name>,
}

impl std::fmt::Debug for Bulk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Bulk({})", self.path)
    }
}

/// The stream of a file, unpacked, and how much of the file was read so far.
type Stream = Box<dyn Read + Send>;

/// The records of a file, with a look at how far it is.
pub struct Rows {
    /// The records, without the header.
    pub records: Records<Stream>,
    read: Arc<AtomicU64>,
}

impl Rows {
    /// How many bytes of the file were read, as it lies on disk.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// A row that was looked up for a message.
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
            file: file.to_owned(),
            bytes: metadata.len(),
            header: Source::new(path.clone(), ""),
            names: Vec::new(),
        };
        let mut records = bulk.stream()?.records;
        let Some(record) = records.next()? else {
            return Err(Diagnostic::error(format!("`{path}` is empty"))
                .help("its first line names the columns: `code,name`"));
        };
        let text = |at| {
            String::from_utf8(record.field(at).into_owned())
                .map_err(|_| Diagnostic::error("this is not UTF-8").at_place(record.place(at)))
        };
        let names: Vec<String> = (0..record.fields.len()).map(text).collect::<Result<_, _>>()?;
        bulk.header = record.place(0).source;
        let places: Vec<Span> = (0..names.len()).map(|at| record.place(at).span).collect();
        bulk.names = names.into_iter().zip(places).map(|(text, span)| Name { text, span }).collect();
        for (at, name) in bulk.names.iter().enumerate() {
            let problem = if name.text.trim().is_empty() {
                "a column without a name".to_owned()
            } else if bulk.names[..at].iter().any(|earlier| earlier.text == name.text) {
                format!("`{}` is named twice", name.text)
            } else {
                continue;
            };
            return Err(Diagnostic::error(problem)
                .at(&bulk.header, name.span)
                .help("the first line names the columns, each once: `code,name`"));
        }
        Ok(bulk)
    }

    /// The file's name without directories and endings.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
    }

    /// Its rows from the first one on, behind the header.
    pub fn rows(&self) -> Result<Rows, Diagnostic> {
        let mut rows = self.stream()?;
        rows.records.next()?;
        Ok(rows)
    }

    /// A row by its number, counted from 1, read again from the beginning; none if it is not there any more.
    pub fn row(&self, number: usize) -> Option<FoundRow> {
        let mut rows = self.rows().ok()?;
        for _ in 1..number {
            rows.records.next().ok()??;
        }
        rows.records.next().ok()?.map(|record| FoundRow::of(&record))
    }

    /// The row that ends on a line, counted from 1.
    pub fn row_at(&self, line: u64) -> Option<FoundRow> {
        let mut rows = self.rows().ok()?;
        while let Some(record) = rows.records.next().ok()? {
            if record.last_line() >= line {
                return Some(FoundRow::of(&record));
            }
        }
        None
    }

    fn stream(&self) -> Result<Rows, Diagnostic> {
        let opened = File::open(&self.file);
        let file =
            opened.map_err(|error| Diagnostic::error(format!("cannot read `{}`: {error}", self.path)))?;
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { file, read: read.clone() };
        let stream: Stream = match self.path.ends_with(".gz") {
            true => Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, counted))),
            false => Box::new(counted),
        };
        Ok(Rows { records: Records::new(stream, self.path.clone()), read })
    }
}

/// A file that counts what is read of it.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
