//! Names: what the database has beside tables, as far as steps speak of it.

use std::sync::Arc;

use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::project::source::{Name, Source};

/// Which names are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Those of constraints and unique indexes.
    pub constraints: bool,
    /// Those of columns, of any table.
    pub columns: bool,
    /// Those of roles.
    pub roles: bool,
}

impl Wanted {
    /// What either asks for.
    pub fn or(self, other: Wanted) -> Wanted {
        Wanted {
            constraints: self.constraints || other.constraints,
            columns: self.columns || other.columns,
            roles: self.roles || other.roles,
        }
    }
}

/// The names that were asked for.
#[derive(Debug, Default)]
pub struct Names {
    /// Constraints and unique indexes.
    pub constraints: Vec<Constraint>,
    /// Columns of any table.
    pub columns: Vec<String>,
    /// Roles, and whether we may act as they.
    pub roles: Vec<(String, bool)>,
}

impl Names {
    /// What is wrong with a role that a step is to be run as.
    pub fn check_role(&self, source: &Arc<Source>, name: &Name) -> Option<Diagnostic> {
        let problem = |message: String| Diagnostic::error(message).at(source, name.span);
        match self.roles.iter().find(|(role, _)| *role == name.text) {
            Some((_, true)) => None,
            Some((role, false)) => Some(
                problem(format!("the role of the connection may not act as `{role}`"))
                    .help("make it a member of that role, or connect as another one"),
            ),
            None => {
                let known = self.roles.iter().map(|(role, _)| role.as_str());
                let help = did_you_mean(&name.text, known.filter(|role| !role.starts_with("pg_")));
                Some(problem(format!("there is no role `{}`", name.text)).maybe_help(help))
            }
        }
    }
}

/// A constraint or a unique index.
#[derive(Debug, PartialEq, Eq)]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// The object id of its table; none for that of a domain.
    pub table: Option<u32>,
}
