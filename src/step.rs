//! Step kinds: the register of all of them, and what each must bring.
//!
//! A kind is one line in [`KINDS`] and one file, which carries its keys, its manual page (the
//! module's documentation), what it compiles to and how its answer is judged. The executor knows
//! batches, not kinds.

pub mod add;
pub mod assert;
pub mod capture;
pub mod change;
pub mod changes;
pub mod control;
pub mod delete;
pub mod expect;
pub mod links;
pub mod migrate;
pub mod outcome;
pub mod outline;
pub mod read;
pub mod refusal;
pub mod script;
pub mod seed;
pub mod sql;
pub mod verify;

use std::fmt::Debug;
use std::sync::Arc;

use crate::plan::Batch;
use crate::plan::catalog::Catalog;
use crate::plan::names::{Names, Wanted};
use crate::project::Project;
use crate::project::diagnostic::Diagnostic;
use crate::project::fixture::Fixture;
use crate::project::reading::Reading;
use crate::project::source::{Name, Source, Span};
use crate::project::yaml::Entry;
use crate::seed::load::Load;
use changes::Changes;
use control::Control;
use expect::Expect;
use links::Links;
pub use outcome::Outcome;

/// Every step kind, in the order the manual lists them.
pub const KINDS: &[&Kind] = &[
    &seed::KIND,
    &assert::KIND,
    &add::KIND,
    &change::KIND,
    &delete::KIND,
    &verify::KIND,
    &sql::KIND,
    &migrate::KIND,
];

/// What the reader has to know of a kind.
#[derive(Debug)]
pub struct Kind {
    /// The word that begins a step.
    pub name: &'static str,
    /// The keys that are its own.
    pub keys: &'static [&'static str],
    /// Every way a step of this kind can end.
    pub outcomes: &'static [Outcome],
    /// The ends that are fine unless `expect` says otherwise.
    pub accepted: &'static [Outcome],
    /// Reads the rest of the step; `None` when problems were noted that leave nothing to run.
    pub parse: Parse,
}

/// Reads the keys of a step that are its kind's own.
pub type Parse = fn(&mut Reading, Head, Vec<Entry>) -> Option<Box<dyn Action>>;

/// What a kind has to know of the rest of its step.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// The place of the kind's word.
    pub span: Span,
    /// Where the step says that it expects an error, if it does.
    pub error: Option<Span>,
}

/// One step of a scenario.
#[derive(Debug)]
pub struct Step {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its title, unique in the scenario.
    pub title: Name,
    /// The place of the kind's word.
    pub span: Span,
    /// What it does.
    pub action: Box<dyn Action>,
    /// How it may end.
    pub expect: Expect,
    /// All that it may write, if the author says so.
    pub changes: Option<Changes>,
    /// Whether and how it is run.
    pub control: Control,
    /// What it has to do with others.
    pub links: Links,
    /// The file it stands in.
    pub source: Arc<Source>,
}

impl Step {
    /// The tables it names, which the catalog must hold before it is compiled.
    pub fn tables<'a>(&'a self, project: &'a Project) -> Vec<&'a str> {
        let refused = self.expect.refusal().and_then(|refusal| refusal.table.as_ref());
        let changed = self.changes.iter().flat_map(|changes| &changes.tables).map(|(name, _)| name);
        let others = refused.into_iter().chain(changed).map(|name| name.text.as_str());
        self.action.tables(project).into_iter().chain(others).collect()
    }

    /// What else it speaks of.
    pub fn names(&self) -> Wanted {
        let refusal = self.expect.refusal();
        Wanted {
            constraints: refusal.is_some_and(|refusal| refusal.constraint.is_some()),
            // Those of a table are in the catalog.
            columns: refusal.is_some_and(|refusal| refusal.column.is_some() && refusal.table.is_none()),
            roles: self.control.role.is_some(),
        }
    }

    /// Whether its author does not want it run.
    pub fn is_skipped(&self) -> bool {
        self.control.skip.is_some()
    }

    /// Notes names that the database does not have.
    pub fn check_names(&self, catalog: &Catalog, names: &Names, problems: &mut Vec<Diagnostic>) {
        if let Some(refusal) = self.expect.refusal() {
            refusal.check(&self.source, catalog, names, problems);
        }
        if let Some(role) = &self.control.role {
            problems.extend(names.check_role(&self.source, role));
        }
    }
}

/// What a step of some kind does.
pub trait Action: Debug + Send + Sync {
    /// Notes what is wrong with it that can be known without a database.
    fn check(&self, project: &Project, source: &Arc<Source>, problems: &mut Vec<Diagnostic>);

    /// The tables it names, which the catalog must hold before it is compiled.
    fn tables<'a>(&'a self, project: &'a Project) -> Vec<&'a str>;

    /// The files it is written in, beside its scenario.
    fn sources<'a>(&'a self, _: &'a Project) -> Vec<&'a Source> {
        Vec::new()
    }

    /// The earlier step that it compares tables with, if it names one.
    fn since(&self) -> Option<&Name> {
        None
    }

    /// The fixtures that are written in the step itself.
    fn fixtures_written(&self) -> &[Fixture] {
        &[]
    }

    /// Whether it may write.
    fn writes(&self) -> bool {
        true
    }

    /// The cells of rows that are written in it, with the file they stand in.
    fn cells<'a>(&'a self, _: &'a Arc<Source>) -> Vec<(&'a Arc<Source>, &'a [Entry])> {
        Vec::new()
    }

    /// The fixtures that it names.
    fn fixtures<'a>(&'a self, _: &'a Project) -> Vec<&'a Fixture> {
        Vec::new()
    }

    /// The version up to which it applies migrations, if that is what it does.
    fn migrates(&self) -> Option<i32> {
        None
    }

    /// What tells it from others of its kind in other files, where that can be told.
    fn key(&self) -> Option<String> {
        None
    }

    /// Whether it compares tables with what they were at an earlier place.
    fn compares(&self) -> bool {
        false
    }

    /// Whether it may delete rows, which a protected database refuses.
    fn deletes(&self, _: &Project) -> bool {
        false
    }

    /// The rows it would apply, for a kind whose changes can be foreseen; or everything that is wrong with
    /// them in this catalog.
    fn foreseen<'c>(
        &self,
        _: &Step,
        _: &Project,
        _: &'c Catalog,
    ) -> Option<Result<Vec<Load<'c>>, Vec<Diagnostic>>> {
        None
    }

    /// The one transaction it becomes, or everything that is wrong with it in this catalog.
    fn compile(&self, step: &Step, project: &Project, catalog: &Catalog) -> Result<Batch, Vec<Diagnostic>>;
}
