//! From the steps to what is sent: everything is compiled before the first step runs.

use super::{Run, Stop};
use crate::database::catalog;
use crate::plan::Batch;
use crate::plan::catalog::Catalog;
use crate::plan::names::Wanted;
use crate::project::diagnostic::Diagnostic;
use crate::report::Report;
use crate::report::exit::Exit;
use crate::step::Step;

impl Run<'_> {
    /// Compiles every step of every story before the first one runs, so that what the catalog shows to
    /// be wrong is said before anything is done, all at once. Steps that are skipped become nothing.
    pub(super) fn compile(&mut self, report: &Report) -> Result<Vec<Vec<Option<Batch>>>, Stop> {
        let work = self.work;
        let steps = work.stories.iter().flat_map(|story| story.steps).filter(|step| !step.is_skipped());
        let locks = steps.clone().any(|step| step.action.writes()) && !self.connection.need.lock;
        let names: Vec<&str> = steps.flat_map(|step| step.tables(work.project)).collect();
        let mut problems: Vec<Diagnostic> = Vec::new();
        let catalog = self.catalog(&names, locks, &mut problems)?;
        self.check_names(&catalog, &mut problems)?;
        let mut batches = Vec::new();
        for story in &work.stories {
            let mut compiled = Vec::new();
            for step in story.steps {
                if step.is_skipped() {
                    compiled.push(None);
                    continue;
                }
                match step.action.compile(step, work.project, &catalog) {
                    Ok(batch) => compiled.push(Some(batch)),
                    Err(wrong) => {
                        // Two steps that use the same fixture would say the same thing twice.
                        let new: Vec<Diagnostic> =
                            wrong.into_iter().filter(|problem| !problems.contains(problem)).collect();
                        problems.extend(new);
                    }
                }
            }
            batches.push(compiled);
        }
        match (problems.is_empty(), report.migrations.is_empty()) {
            (true, _) => Ok(batches),
            (false, true) => Err(Stop { exit: Exit::Invalid, diagnostics: problems }),
            // The status of an invalid project promises that nothing was touched.
            (false, false) => Err(Stop { exit: Exit::DidNotHold, diagnostics: problems }),
        }
    }

    /// Notes what steps speak of beside tables and is not there.
    fn check_names(&mut self, catalog: &Catalog, problems: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let steps = self.work.stories.iter().flat_map(|story| story.steps).filter(|step| !step.is_skipped());
        let wanted = steps.clone().map(Step::names).fold(Wanted::default(), Wanted::or);
        if wanted == Wanted::default() {
            return Ok(());
        }
        let names = self.reading("the catalog", |session| catalog::names::read(session, wanted))?;
        steps.for_each(|step| step.check_names(catalog, &names, problems));
        Ok(())
    }

    /// What the catalog says of these tables and of those they refer to. With `locks` the run's lock is
    /// taken along the way, if nobody else has it.
    pub(super) fn catalog(
        &mut self,
        names: &[&str],
        locks: bool,
        problems: &mut Vec<Diagnostic>,
    ) -> Result<Catalog, Stop> {
        if names.is_empty() {
            return Ok(Catalog::default());
        }
        let steps = self.work.stories.iter().flat_map(|story| story.steps);
        let written = steps.flat_map(|step| step.action.fixtures_written());
        let fixtures = self.work.project.fixtures.iter().chain(written);
        let indexes: Vec<&str> =
            fixtures.filter_map(|fixture| Some(fixture.key_index.as_ref()?.text.as_str())).collect();
        let (mut catalog, is_locked) = self.reading("the catalog", |session| {
            let (mut catalog, is_locked) = catalog::read_and_lock(session, names, locks)?;
            if !indexes.is_empty() {
                catalog::add_indexes(session, &mut catalog, &indexes)?;
            }
            Ok((catalog, is_locked))
        })?;
        if is_locked {
            self.connection.has_lock();
        }
        catalog.declare(self.work.project, problems);
        Ok(catalog)
    }
}
