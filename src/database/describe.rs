//! From the client library's types to ours.

use postgres::types::{Kind as ClientKind, Type as ClientType};

use crate::plan::description::{Column, Description, Kind, Type};
use crate::plan::quote::identifier;

/// What a prepared statement returns and takes.
pub fn description(statement: &postgres::Statement, untyped: Vec<usize>) -> Description {
    let columns = statement.columns().iter();
    Description {
        columns: columns
            .map(|column| Column { name: column.name().to_owned(), sql_type: own(column.type_()) })
            .collect(),
        parameters: statement.params().iter().map(own).collect(),
        untyped,
    }
}

fn own(theirs: &ClientType) -> Type {
    let plain = |sql: &str| Type { sql: sql.to_owned(), kind: Kind::Plain };
    let kind = match theirs.kind() {
        ClientKind::Domain(base) => return own(base),
        ClientKind::Pseudo => return plain("text"),
        // Vectors are arrays with a spelling of their own.
        ClientKind::Array(element) => {
            let element = own(element);
            return Type { sql: format!("{}[]", element.sql), kind: Kind::Array(Box::new(element)) };
        }
        ClientKind::Composite(_) => Kind::Composite,
        ClientKind::Range(of) => Kind::Range(Box::new(own(of))),
        ClientKind::Multirange(of) => Kind::Multirange(Box::new(own(of))),
        _ if *theirs == ClientType::JSON || *theirs == ClientType::JSONB => Kind::Json,
        _ => Kind::Plain,
    };
    Type { sql: name(theirs), kind }
}

/// The name of a type in SQL, quoted only where it must be.
fn name(theirs: &ClientType) -> String {
    let is_simple = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    match (theirs.schema(), theirs.name()) {
        // Without quotes these two are other types.
        ("pg_catalog", name @ ("char" | "bit")) => identifier(name),
        ("pg_catalog", name) => name.to_owned(),
        ("public", name) if is_simple(name) => format!("public.{name}"),
        (schema, name) => crate::plan::quote::qualified(schema, name),
    }
}
