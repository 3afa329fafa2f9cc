//! Names: what the database has beside tables, as far as steps speak of it.

/// Which names are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Those of constraints and unique indexes.
    pub constraints: bool,
    /// Those of columns, of any table.
    pub columns: bool,
}

impl Wanted {
    /// What either asks for.
    pub fn or(self, other: Wanted) -> Wanted {
        Wanted { constraints: self.constraints || other.constraints, columns: self.columns || other.columns }
    }
}

/// The names that were asked for.
#[derive(Debug, Default)]
pub struct Names {
    /// Constraints and unique indexes.
    pub constraints: Vec<Constraint>,
    /// Columns of any table.
    pub columns: Vec<String>,
}

/// A constraint or a unique index.
#[derive(Debug, PartialEq, Eq)]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// The object id of its table; none for that of a domain.
    pub table: Option<u32>,
}
