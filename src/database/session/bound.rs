//! Parameters on their way to the server.

use postgres::types::{Format, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

use crate::plan::Value;

/// A parameter on its way: always text, of a type the server works out from its use, if that tells.
#[derive(Debug)]
pub enum Bound {
    Text(Option<String>),
    Untyped(Option<String>),
    List(Vec<Option<String>>),
}

impl Bound {
    /// The parameter of a value.
    pub fn of(value: &Value) -> Bound {
        match value {
            Value::Text(text) => Bound::Text(text.clone()),
            Value::Untyped(text) => Bound::Untyped(text.clone()),
            Value::List(texts) => Bound::List(texts.clone()),
        }
    }

    /// The type it is announced with.
    pub fn sql_type(&self) -> Type {
        match self {
            Bound::Text(_) => Type::UNKNOWN,
            Bound::Untyped(_) => Type::TEXT,
            Bound::List(_) => Type::TEXT_ARRAY,
        }
    }
}

impl ToSql for Bound {
    fn to_sql(
        &self,
        sql_type: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Bound::Text(None) | Bound::Untyped(None) => Ok(IsNull::Yes),
            Bound::Text(Some(text)) | Bound::Untyped(Some(text)) => text.to_sql(&Type::TEXT, out),
            Bound::List(texts) => texts.to_sql(sql_type, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        match self {
            Bound::Text(_) | Bound::Untyped(_) => Format::Text,
            Bound::List(_) => Format::Binary,
        }
    }

    to_sql_checked!();
}
