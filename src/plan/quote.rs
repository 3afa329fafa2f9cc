//! Names and literals on their way into SQL: the one place that quotes.

/// An identifier, quoted.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A schema-qualified name, quoted.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", identifier(schema), identifier(name))
}

/// A string literal that reads the same whatever `standard_conforming_strings` says.
///
/// Only for what the tool itself names (sequences from the catalog); an author's values are
/// always parameters.
pub fn literal(text: &str) -> String {
    let escaped = text.replace('\'', "''");
    if escaped.contains('\\') {
        format!("E'{}'", escaped.replace('\\', "\\\\"))
    } else {
        format!("'{escaped}'")
    }
}

/// The parts of a table's name as an author writes it: `table`, `schema.table`, and double quotes
/// around a part that holds a dot. Names are taken literally: nothing is folded to lower case.
///
/// `None` for more than two parts, an empty part, or one longer than the 63 bytes PostgreSQL keeps.
pub fn table_parts(written: &str) -> Option<(Option<String>, String)> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in written.chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => parts.last_mut()?.push(c),
        }
    }
    if quoted || parts.iter().any(|part| part.is_empty() || part.len() > 63 || part.contains('\0')) {
        return None;
    }
    let name = parts.pop()?;
    let schema = parts.pop();
    parts.is_empty().then_some((schema, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_its_quotes() {
        assert_eq!(identifier("a\"; drop table b"), "\"a\"\"; drop table b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'"), "E'a\\\\'''");
    }

    #[test]
    fn table_names_are_split_at_unquoted_dots() {
        let parts = |written| table_parts(written).map(|(schema, name)| format!("{schema:?} {name}"));
        assert_eq!(parts("employees").as_deref(), Some("None employees"));
        assert_eq!(parts("app.employees").as_deref(), Some("Some(\"app\") employees"));
        assert_eq!(parts("\"a.b\".c").as_deref(), Some("Some(\"a.b\") c"));
        assert_eq!(parts("a.b.c"), None);
        assert_eq!(parts("a."), None);
        assert_eq!(parts(""), None);
        assert_eq!(parts(&"x".repeat(64)), None);
    }
}
