//! Detail: the row or key that the server shows when a constraint is violated.

use std::collections::BTreeSet;

/// The most bytes of a value that the server shows of a row.
const SHOWN_MAX: usize = 64;

/// What a detail shows.
#[derive(Debug, PartialEq, Eq)]
pub enum Detail<'a> {
    /// `Failing row contains (1, a, null).`
    Row(&'a str),
    /// `Key (a, b)=(1, x) already exists.`, or the columns of a row that the role may see.
    Key(Vec<&'a str>, &'a str),
}

impl<'a> Detail<'a> {
    /// Reads a detail. The words around the values are in the server's language.
    pub fn parse(detail: &'a str) -> Option<Detail<'a>> {
        let (_, rest) = detail.split_once('(')?;
        let (inside, _) = rest.rsplit_once(')')?;
        let split = inside.split_once(")=(").or_else(|| inside.split_once(") = ("));
        Some(match split {
            Some((names, values)) => {
                let names = names.split(", ").map(|name| name.trim_matches('"')).collect();
                Detail::Key(names, values)
            }
            None => Detail::Row(inside),
        })
    }

    /// Whether a row may be the one that is shown, given the texts of some of its columns: how many
    /// of them were looked at.
    pub fn fits<'v>(&self, columns: &[String], value: impl Fn(&str) -> Option<&'v str>) -> Option<usize> {
        let (names, shown): (Vec<&str>, &str) = match self {
            Detail::Row(values) => (columns.iter().map(String::as_str).collect(), values),
            Detail::Key(names, values) => (names.clone(), values),
        };
        let known: Vec<Option<String>> = names
            .iter()
            .map(|name| {
                let value = value(name)?;
                let is_cut = value.len() > SHOWN_MAX && matches!(self, Detail::Row(_));
                Some(if is_cut { format!("{}...", cut(value)) } else { value.to_owned() })
            })
            .collect();
        fits(&known, shown).then(|| known.iter().flatten().count())
    }
}

fn cut(value: &str) -> &str {
    let mut end = SHOWN_MAX;
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

/// Whether a text is these values with `, ` between them, where `None` is any value.
fn fits(values: &[Option<String>], text: &str) -> bool {
    let mut starts = BTreeSet::from([0]);
    for (at, value) in values.iter().enumerate() {
        let is_last = at + 1 == values.len();
        let ends: Vec<usize> = match value {
            Some(value) => starts
                .iter()
                .filter(|&&start| text[start..].starts_with(value.as_str()))
                .map(|start| start + value.len())
                .collect(),
            None => {
                let Some(&first) = starts.first() else { return false };
                let between = text[first..].match_indices(", ").map(|(at, _)| first + at);
                between.chain([text.len()]).collect()
            }
        };
        if is_last {
            return ends.contains(&text.len());
        }
        starts = ends.iter().filter(|&&end| text[end..].starts_with(", ")).map(|end| end + 2).collect();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_known_by_the_values_it_gives() {
        let columns: Vec<String> = ["id", "name", "note"].map(str::to_owned).into();
        let check = |detail: &str, given: &[(&str, &str)], expected: Option<usize>| {
            let value = |name: &str| given.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            let detail = Detail::parse(detail).unwrap();
            assert_eq!(detail.fits(&columns, value), expected, "{detail:?} {given:?}");
        };
        let row = "Failing row contains (1, a, b, null).";
        check(row, &[("id", "1"), ("name", "a, b")], Some(2));
        check(row, &[("id", "1"), ("name", "a")], Some(2)); // The comma may belong to the note.
        check(row, &[("id", "2")], None);
        check(row, &[("name", "c")], None);
        check(row, &[], Some(0));
        let long = "x".repeat(70);
        check(&format!("Zeile enthält (1, {}..., c)", &long[..64]), &[("name", &long)], Some(1));
        check("Key (name, id)=(a, b, 1) already exists.", &[("id", "1"), ("name", "a, b")], Some(2));
        check("Key (id)=(12) already exists.", &[("id", "1")], None);
        check("Failing row contains (id, name) = (1, a).", &[("id", "1")], Some(1));
    }
}
