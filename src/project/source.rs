//! Text and the places in it.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use super::written;

/// One file of the project: its path as shown to the author, and its text.
pub struct Source {
    /// Relative to where the author stands, with forward slashes.
    pub path: String,
    /// The whole text, without a byte order mark; of a file that is never held as a whole, some lines.
    pub text: String,
    /// The number of the line that the text begins with.
    pub line_first: usize,
    /// Its hash, once somebody has asked for it.
    hash: OnceLock<[u8; 32]>,
}

impl PartialEq for Source {
    fn eq(&self, other: &Source) -> bool {
        (&self.path, self.line_first, &self.text) == (&other.path, other.line_first, &other.text)
    }
}

impl Eq for Source {}

impl Source {
    /// A source with the given shown path and text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        Source::excerpt(path, 1, text)
    }

    /// Some lines of a file, from the given one on.
    pub fn excerpt(path: impl Into<String>, line_first: usize, text: impl Into<String>) -> Arc<Source> {
        Arc::new(Source { path: path.into(), text: text.into(), line_first, hash: OnceLock::new() })
    }

    /// The file's name without directories and without its last extension.
    pub fn stem(&self) -> &str {
        Path::new(&self.path).file_stem().and_then(|stem| stem.to_str()).unwrap_or(&self.path)
    }

    /// The byte offset of a line and column, both counted from 1, the column in characters.
    /// Positions behind the end of a line or of the text are moved to it.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let mut start = 0;
        for (number, text) in self.text.split_inclusive('\n').enumerate() {
            if number + 1 == line {
                let text = text.trim_end_matches(['\n', '\r']);
                let within = text.char_indices().nth(column.saturating_sub(1));
                return start + within.map_or(text.len(), |(at, _)| at);
            }
            start += text.len();
        }
        self.text.len()
    }

    /// The place of a byte of a scalar's text, given the scalar's span; the scalar as a whole where it
    /// has escapes.
    pub fn within(&self, scalar: Span, text: &str, offset: usize) -> Span {
        let start = (scalar.start as usize).min(self.text.len());
        let length = text.get(offset..).map_or(0, word_length);
        match written::locate(&self.text, start, text, offset) {
            Some(at) if !text.trim().is_empty() => Span::new(at, at + length),
            _ => scalar,
        }
    }

    /// The line and column of a byte offset, both counted from 1, the column in characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..floor_boundary(&self.text, offset)];
        let line = before.matches('\n').count() + self.line_first;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Source({})", self.path)
    }
}

/// A piece of a source, in bytes. Four bytes a bound: sources are capped far below 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte behind the last one.
    pub end: u32,
}

impl Span {
    /// The span of a byte range.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end.max(start) as u32 }
    }

    /// The span as a byte range.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A span in a known source: what a diagnostic points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// Where in it.
    pub span: Span,
}

impl Place {
    /// The place of a span in a source.
    pub fn new(source: &Arc<Source>, span: Span) -> Place {
        Place { source: source.clone(), span }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.source.line_column(self.span.start as usize);
        write!(formatter, "{}:{line}:{column}", self.source.path)
    }
}

/// A text the author wrote, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The text, as written.
    pub text: String,
    /// Where it stands in the file that holds it.
    pub span: Span,
}

/// The byte offset of the `position`th character, counted from 1 as PostgreSQL counts them.
pub fn character_offset(text: &str, position: usize) -> usize {
    text.char_indices().nth(position.saturating_sub(1)).map_or(text.len(), |(at, _)| at)
}

/// A hash of some files, path and text: 16 hexadecimal digits, the beginning of a SHA-256.
pub fn digest<'a>(sources: impl IntoIterator<Item = &'a Source>) -> String {
    let mut hash = Sha256::new();
    for source in sources {
        // Every step of a scenario asks for the same file.
        hash.update(source.hash.get_or_init(|| {
            let parts = [source.path.as_bytes(), &[0], source.text.as_bytes()];
            parts.into_iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
        }));
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The length of the word a text begins with, or of its first character.
pub fn word_length(text: &str) -> usize {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    end.max(text.chars().next().filter(|c| !c.is_whitespace()).map_or(0, char::len_utf8))
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_lines_are_each_other_s_inverse() {
        let source = Source::new("a.yaml", "ä: 1\nbb: ünï\r\n\nend");
        for (at, _) in source.text.char_indices().filter(|(_, c)| !c.is_control()) {
            let (line, column) = source.line_column(at);
            assert_eq!(source.offset(line, column), at, "{line}:{column}");
        }
        assert_eq!(source.offset(2, 99), source.text.find('\r').unwrap());
        assert_eq!(source.offset(99, 1), source.text.len());
    }

    #[test]
    fn a_word_of_a_scalar_is_found_in_the_file() {
        let check = |yaml: &str, start: &str, text: &str, word: &str, expected: &str| {
            let source = Source::new("a.yaml", yaml);
            let start = yaml.find(start).unwrap();
            let span = source.within(Span::new(start, start + 1), text, text.find(word).unwrap());
            assert_eq!(Place::new(&source, span).to_string(), expected);
        };
        let block = "- query: |\n    select a\n\n      from tab\n  rows: []\n";
        check(block, "|", "select a\n\n  from tab\n", "tab", "a.yaml:4:12");
        check("q: select a from tab\n", "select", "select a from tab", "from", "a.yaml:1:13");
        check("q: 'select a from tab'\n", "'", "select a from tab", "tab", "a.yaml:1:19");
        check("q: >\n  select\n  tab\n", ">", "select tab\n", "tab", "a.yaml:3:3");
        check("q: \"select\\ttab\"\n", "\"", "select\ttab", "tab", "a.yaml:1:4");
    }
}
