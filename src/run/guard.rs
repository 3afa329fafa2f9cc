//! What a run may do to the database it has reached.

use super::{Run, Stop};
use crate::database::environment::{self, Environment};
use crate::project::diagnostic::Diagnostic;
use crate::report::exit::Exit;

/// What steps may do to the database.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// What the run takes the database for, if it says so.
    pub environment: Option<String>,
    /// The environment in which steps may delete though it is protected, or another one.
    pub confirmed: Option<String>,
    /// The most rows one step may delete.
    pub deleted_max: u64,
}

impl Guard {
    /// Whether steps may delete in this environment.
    ///
    /// # Errors
    ///
    /// It is protected, or another one than the run takes it for, and was not confirmed by its name.
    pub fn check(&self, found: &Environment) -> Result<(), Diagnostic> {
        if self.confirmed.as_deref() == Some(&found.name) {
            return Ok(());
        }
        let name = &found.name;
        let other = self.environment.as_ref().filter(|meant| *meant != name);
        let (problem, done) = match other {
            Some(meant) => {
                let message = format!("this is `{name}`, and the run is meant for `{meant}`");
                (Diagnostic::error(message), "nothing was done")
            }
            None if found.is_protected => {
                let message = format!("`{name}` is protected, and a step deletes rows");
                (Diagnostic::error(message), "nothing was deleted")
            }
            None => return Ok(()),
        };
        Err(problem
            .note(format!("{done}; `seedbed environment` shows what is recorded in the database"))
            .help(format!("if this is what you want: `--confirm {name}`")))
    }
}

impl Run<'_> {
    /// Refuses a run that is meant for another environment, whatever it does, before it does anything.
    pub(super) fn check_name(&mut self) -> Result<(), Stop> {
        if self.work.guard.environment.is_none() {
            return Ok(());
        }
        match self.reading("the environment", environment::read)? {
            Some(found) => self.refuse(self.work.guard.check(&Environment { is_protected: false, ..found })),
            None => Ok(()),
        }
    }

    fn refuse(&self, checked: Result<(), Diagnostic>) -> Result<(), Stop> {
        checked.map_err(|problem| Stop { exit: Exit::Protected, diagnostics: vec![problem] })
    }

    /// Refuses a run with steps that delete, where they may not, before the first step.
    pub(super) fn check_environment(&mut self) -> Result<(), Stop> {
        let mut steps = self.work.stories.iter().flat_map(|story| story.steps);
        if !steps.any(|step| !step.is_skipped() && step.action.deletes(self.work.project)) {
            return Ok(());
        }
        let Some(found) = self.reading("the environment", environment::read)? else { return Ok(()) };
        self.refuse(self.work.guard.check(&found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protected_or_other_environment_wants_its_name_said() {
        let check = |meant: Option<&str>, confirmed: Option<&str>, is_protected: bool, expected: bool| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            let guard = Guard { environment: own(meant), confirmed: own(confirmed), deleted_max: 1 };
            let found = Environment { name: "production".to_owned(), is_protected };
            assert_eq!(guard.check(&found).is_ok(), expected, "{meant:?} {confirmed:?} {is_protected}");
        };
        check(None, None, false, true);
        check(None, None, true, false);
        check(Some("production"), None, false, true);
        check(Some("production"), None, true, false);
        check(Some("staging"), None, false, false);
        check(Some("staging"), Some("staging"), true, false);
        check(Some("staging"), Some("production"), true, true);
        check(None, Some("production"), true, true);
    }
}
