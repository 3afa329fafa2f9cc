//! SQL for any database: names, literals, and answers as text.

use postgres::{Client, SimpleQueryMessage};

/// A name in quotes.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Text in quotes.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The first value of the first row, NULL as nothing.
pub fn value(client: &mut Client, sql: &str) -> String {
    texts(client, sql)[0][0].clone()
}

/// Rows as texts, NULL as nothing.
pub fn texts(client: &mut Client, sql: &str) -> Vec<Vec<String>> {
    let messages = client.simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.map(|row| (0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect()).collect()
}
