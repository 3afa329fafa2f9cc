//! From the client library's types to ours.

use std::error::Error;

use postgres::types::{FromSql, Kind as ClientKind, Type as ClientType};

use crate::plan::Found;
use crate::plan::description::{Column, Description, Kind, Type};
use crate::plan::quote::identifier;

/// Ends a transaction, and with it what the client library prepared in it to learn of a type. Behind a
/// pooler the server's process goes to others now, who may want to use the same names.
pub const END: &str = "rollback; do $$ declare it name; begin
  for it in select name from pg_prepared_statements where name ~ '^s[0-9]+$' and statement ~ 'pg_catalog.pg_(type|enum|attribute)' loop
    execute format('deallocate %I', it);
  end loop;
end $$";

/// Whether the client library had to ask for a type that is not built in.
pub fn has_asked(statement: &postgres::Statement) -> bool {
    let columns = statement.columns().iter().map(|column| column.type_());
    columns.chain(statement.params()).any(|theirs| ClientType::from_oid(theirs.oid()).is_none())
}

/// What a prepared statement returns and takes.
pub fn description(statement: &postgres::Statement, untyped: Vec<usize>) -> Description {
    let columns = statement.columns().iter();
    Description {
        columns: columns.map(column).collect(),
        parameters: statement.params().iter().map(own).collect(),
        untyped,
    }
}

/// What rows have come back, with their columns, for a query of so many parameters whose types nobody knows.
pub fn found(rows: &[postgres::Row], parameters: usize) -> Found {
    let texts = |row: &postgres::Row| {
        let values = (0..row.len()).map(|at| Some(row.try_get::<_, Option<Text>>(at).ok()?.map(|it| it.0)));
        values.collect::<Option<_>>()
    };
    let description = rows.first().map(|row| Description {
        columns: row.columns().iter().map(column).collect(),
        parameters: (0..parameters).map(|_| text()).collect(),
        untyped: Vec::new(),
    });
    Found { description, rows: rows.iter().map(texts).collect() }
}

/// A value as the server would write it, of the types whose values are compared as texts.
struct Text(String);

impl FromSql<'_> for Text {
    fn from_sql(sql_type: &ClientType, raw: &[u8]) -> Result<Text, Box<dyn Error + Sync + Send>> {
        Ok(Text(match *sql_type {
            ClientType::BOOL => bool::from_sql(sql_type, raw)?.to_string(),
            ClientType::INT2 => i16::from_sql(sql_type, raw)?.to_string(),
            ClientType::INT4 => i32::from_sql(sql_type, raw)?.to_string(),
            ClientType::INT8 => i64::from_sql(sql_type, raw)?.to_string(),
            ClientType::UUID => uuid(raw),
            ClientType::DATE => {
                date(i32::from_sql(&ClientType::INT4, raw)?).ok_or("a date of another era")?
            }
            _ => String::from_sql(sql_type, raw)?,
        }))
    }

    fn accepts(sql_type: &ClientType) -> bool {
        [
            ClientType::TEXT,
            ClientType::VARCHAR,
            ClientType::BOOL,
            ClientType::INT2,
            ClientType::INT4,
            ClientType::INT8,
            ClientType::UUID,
            ClientType::DATE,
        ]
        .contains(sql_type)
    }
}

fn uuid(raw: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in raw.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// A day counted from the first of 2000, if its year has four digits.
fn date(day: i32) -> Option<String> {
    // Days from the first of March of the year 0, in eras of 400 years.
    let day = i64::from(day) + 730_425;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12 + 1);
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (1..=9999).contains(&year).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

fn column(theirs: &postgres::Column) -> Column {
    let origin = theirs.table_oid().zip(theirs.column_id());
    Column { name: theirs.name().to_owned(), sql_type: own(theirs.type_()), origin }
}

fn text() -> Type {
    Type { sql: "text".to_owned(), kind: Kind::Plain }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        let check = |day, text: Option<&str>| assert_eq!(date(day).as_deref(), text, "{day}");
        check(0, Some("2000-01-01"));
        check(-1, Some("1999-12-31"));
        check(59, Some("2000-02-29"));
        check(60, Some("2000-03-01"));
        check(-36_466, Some("1900-02-28"));
        check(-36_465, Some("1900-03-01"));
        check(9_190, Some("2025-02-28"));
        check(9_191, Some("2025-03-01"));
        check(-730_119, Some("0001-01-01"));
        check(-730_120, None);
        check(2_921_939, Some("9999-12-31"));
        check(2_921_940, None);
        check(i32::MAX, None);
        check(i32::MIN, None);
    }

    #[test]
    fn values_are_the_texts_the_server_writes() {
        let read = |sql_type, raw: &[u8]| Text::from_sql(&sql_type, raw).unwrap().0;
        assert_eq!(read(ClientType::BOOL, &[1]), "true");
        assert_eq!(read(ClientType::INT2, &[0xff, 0xff]), "-1");
        assert_eq!(read(ClientType::INT8, &[0, 0, 0, 1, 0, 0, 0, 0]), "4294967296");
        assert_eq!(read(ClientType::TEXT, "é ".as_bytes()), "é ");
        let raw: Vec<u8> = (0..16).map(|byte| byte * 17).collect();
        assert_eq!(read(ClientType::UUID, &raw), "00112233-4455-6677-8899-aabbccddeeff");
        assert!(!Text::accepts(&ClientType::NUMERIC) && !Text::accepts(&ClientType::JSONB));
        assert!(!Text::accepts(&ClientType::BPCHAR) && !Text::accepts(&ClientType::TEXT_ARRAY));
    }
}
