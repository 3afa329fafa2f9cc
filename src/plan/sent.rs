//! Sent: what a step sends, for those who want to see it.

use super::fact::Fact;
use super::{Batch, Shape, Statement, Value};

/// The most bytes of a statement or value that are kept.
const BYTES_MAX: usize = 4096;
/// The most values of a list, or parameters of a statement, that are kept.
const VALUES_MAX: usize = 50;

/// A statement with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its SQL, with `$1`…; cut if it is long.
    pub sql: String,
    /// What each parameter is for, which may be nothing, and its value as SQL would show it: texts as they
    /// are, `NULL`, lists in braces; cut if it is long.
    pub values: Vec<(String, String)>,
}

/// The statements of a step, as far as they are known before they are sent.
pub fn of(batch: &Batch) -> Vec<Sent> {
    match &batch.shape {
        Shape::Ready(question) => vec![sent(&question.statement)],
        Shape::Series { units, .. } => units.iter().map(|unit| sent(&unit.statement)).collect(),
        Shape::Described { query, guess, .. } => {
            vec![sent(guess.as_ref().map_or(query, |guess| &guess.statement))]
        }
        Shape::Script { statements, .. } => statements.iter().map(|it| sent(&it.query)).collect(),
        Shape::Facts(facts) => facts
            .iter()
            .flat_map(|fact| match fact {
                Fact::Asked(asked) => vec![sent(&asked.statement)],
                Fact::Tried(tried) => of(&tried.batch),
                Fact::Kept(_) => Vec::new(),
            })
            .collect(),
    }
}

fn sent(statement: &Statement) -> Sent {
    let values = statement.parameters.iter().take(VALUES_MAX).map(|it| (it.what.clone(), shown(&it.value)));
    Sent { sql: cut(&statement.sql), values: values.collect() }
}

/// A value, or its length. None is cut in two: a part of a secret is not known to be one.
fn shown(value: &Value) -> String {
    let text = |text: &Option<String>| match text.as_deref() {
        None => "NULL".to_owned(),
        Some(text) if text.len() > BYTES_MAX => format!("({} bytes)", text.len()),
        Some(text) => text.to_owned(),
    };
    let values = match value {
        Value::Text(value) | Value::Untyped(value) => return text(value),
        Value::List(values) => values,
    };
    let mut list = String::new();
    for (at, value) in values.iter().enumerate() {
        let value = text(value);
        if at == VALUES_MAX || list.len() + value.len() > BYTES_MAX {
            return format!("{{{list}… {} more}}", values.len() - at);
        }
        list.push_str(&value);
        list.push_str(if at + 1 < values.len() { ", " } else { "" });
    }
    format!("{{{list}}}")
}

fn cut(sql: &str) -> String {
    let mut end = BYTES_MAX.min(sql.len());
    while !sql.is_char_boundary(end) {
        end -= 1;
    }
    if end == sql.len() { sql.to_owned() } else { format!("{}…", &sql[..end]) }
}
