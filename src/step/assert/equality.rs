//! When two values are equal: when their forms in JSON are.
//!
//! A form gives every type the equality of its values (numbers by number, times by instant, arrays by
//! their elements, JSON by what it says) and none of the looseness of `=` on citext or of collations.
//! It can be sorted, so that ten thousand rows are matched as easily as ten. Hashes of it would not do: the
//! server's hash of a number leaves out its sign.

use crate::plan::description::{Kind, Type};

/// An SQL expression that is the same for equal values, and can be sorted faster than their form where there
/// is a faster way.
pub fn sorted(value: &str, sql_type: &Type) -> String {
    match (&sql_type.kind, sql_type.sql.as_str()) {
        (Kind::Plain, "float4" | "float8") => format!("{value}::float8"),
        (Kind::Plain, _) if is_number(sql_type) => format!("{value}::numeric"),
        (Kind::Plain, _) => format!("{value}::text collate \"C\""),
        _ => form(value, sql_type),
    }
}

/// An SQL expression for the form of `value`, which is of that type. NULL is NULL, and nothing else is.
pub fn form(value: &str, sql_type: &Type) -> String {
    let unless_null = |form: String| format!("case when {value} is null then null else {form} end");
    match &sql_type.kind {
        Kind::Plain if is_number(sql_type) => format!("to_jsonb({value})"),
        Kind::Plain => format!("to_jsonb({value}::text)"),
        // In a list of its own, the JSON value null is not NULL.
        Kind::Json => unless_null(format!("jsonb_build_array({value}::jsonb)")),
        Kind::Composite => format!("to_jsonb({value})"),
        // Where the numbering of an array starts is lost here, and so are the blanks of char(n).
        Kind::Array(element) if is_number(element) || element.kind == Kind::Composite => {
            format!("to_jsonb({value})")
        }
        Kind::Array(_) => format!("to_jsonb({value}::text[])"),
        Kind::Range(of) => unless_null(range(value, of)),
        Kind::Multirange(of) => unless_null(format!(
            "(select coalesce(jsonb_agg({}), '[]') from unnest({value}) as r)",
            range("r", of)
        )),
    }
}

/// A range by the values of its bounds, not by their spelling.
fn range(value: &str, of: &Type) -> String {
    let (lower, upper) = (form(&format!("lower({value})"), of), form(&format!("upper({value})"), of));
    format!("jsonb_build_array(isempty({value}), {lower}, {upper}, lower_inc({value}), upper_inc({value}))")
}

/// Whether the values of a type are numbers.
pub fn is_number(sql_type: &Type) -> bool {
    matches!(sql_type.sql.as_str(), "int2" | "int4" | "int8" | "numeric" | "float4" | "float8")
}
