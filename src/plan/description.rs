//! What a query returns, as the server described it without running it.

/// The columns of a query, and the types its parameters are used as.
#[derive(Debug, Default)]
pub struct Description {
    /// In order; names may repeat.
    pub columns: Vec<Column>,
    /// By number.
    pub parameters: Vec<Type>,
    /// The indexes of the parameters whose use does not tell a type, as in `$1 is null`: they are text.
    pub untyped: Vec<usize>,
}

/// A column of a query.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub sql_type: Type,
    /// The object id of the table that it is a column of, and its number there, if it is one as it is.
    pub origin: Option<(u32, i16)>,
}

/// A type without length and precision, so that a cast to it never cuts or rounds. A domain is the
/// type below it; what has no form to be read in, like `record`, is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// As it stands in SQL: `int4`, `"char"`, `public.mood`, `text[]`.
    pub sql: String,
    /// What it is made of.
    pub kind: Kind,
}

/// What a type is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One value.
    Plain,
    /// `json` or `jsonb`.
    Json,
    /// Columns of its own.
    Composite,
    /// Elements.
    Array(Box<Type>),
    /// Two bounds.
    Range(Box<Type>),
    /// Ranges with these bounds.
    Multirange(Box<Type>),
}
