//! From the line and column the YAML library names to a byte.

use crate::project::written::is_break;

/// The start of every line as YAML counts them: `\r` alone and some of Unicode's separators end a
/// line too, which nobody else takes for the end of one.
pub struct Lines(Vec<usize>);

impl Lines {
    /// The lines of a text.
    pub fn new(text: &str) -> Lines {
        let ends = text.char_indices().filter(|(at, c)| {
            let is_half = *c == '\r' && text[at + 1..].starts_with('\n');
            is_break(*c) && !is_half
        });
        Lines(std::iter::once(0).chain(ends.map(|(at, c)| at + c.len_utf8())).collect())
    }

    /// The byte of a line and column, both counted from 1, the column in characters.
    pub fn offset(&self, text: &str, (line, column): (usize, usize)) -> usize {
        let Some(start) = self.0.get(line.saturating_sub(1)) else { return text.len() };
        let within = text[*start..].char_indices().nth(column.saturating_sub(1));
        within.map_or(text.len(), |(at, _)| start + at)
    }
}
