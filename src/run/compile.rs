//! From the steps to what is sent: everything is compiled before the first step runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Run, Stop, Story};
use crate::database::catalog;
use crate::plan::Batch;
use crate::plan::catalog::Catalog;
use crate::plan::names::Wanted;
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::project::values::Captured;
use crate::report::Report;
use crate::report::exit::Exit;
use crate::step::Step;

/// What a step becomes with the values that are known.
fn compile_step(
    step: &Step,
    project: &Project,
    catalog: &Catalog,
    captured: Option<&Arc<BTreeMap<String, Captured>>>,
) -> Result<Batch, Vec<Diagnostic>> {
    let compiled = match step.action_now(&project.outside, captured)? {
        Some(action) => action.compile(step, project, catalog),
        None => step.action.compile(step, project, catalog),
    };
    let permits = step.changes.as_ref().map(|it| it.compile(&step.source, project, catalog)).transpose();
    match (compiled, permits) {
        (Ok(batch), Ok(permits)) => Ok(Batch { permits, ..batch }),
        (compiled, permits) => {
            let wrong = [compiled.err(), permits.err()];
            Err(wrong.into_iter().flatten().flatten().collect())
        }
    }
}

/// Notes columns that steps take from the rows of others, whose tables do not have them.
fn check_taken(story: &Story, batches: &[Option<Batch>], problems: &mut Vec<Diagnostic>) {
    for step in story.steps {
        for taken in &step.links.taken {
            let is_it = |other: &Step| other.control.id.as_ref().is_some_and(|id| id.text == taken.id);
            let at = story.steps.iter().position(is_it);
            let capture = at.and_then(|at| batches.get(at)?.as_ref()?.capture.as_ref());
            let Some(capture) = capture else { continue };
            let known = || capture.columns.iter().map(|(name, _)| name.as_str());
            if !known().any(|name| name == taken.column) {
                problems.push(
                    Diagnostic::error(format!("the row of `{}` has no column `{}`", taken.id, taken.column))
                        .at(&step.source, taken.span)
                        .maybe_help(did_you_mean(&taken.column, known())),
                );
            }
        }
    }
}

/// The steps of a story from one on, up to where migrations are applied. Those that are done are left out.
fn under_one_schema<'a>(story: &Story<'a>, from: usize) -> &'a [Step] {
    let from = from.max(story.done.len());
    let steps = story.steps.get(from..).unwrap_or_default();
    let end = steps.iter().position(|step| step.action.migrates().is_some());
    &steps[..end.unwrap_or(steps.len())]
}

impl Run<'_> {
    /// Compiles every step of every story before the first one runs, so that what the catalog shows to
    /// be wrong is said before anything is done, all at once. Steps that are skipped become nothing, and so do
    /// those of another schema: the steps of one begin at `from` and end where the next migrations are applied.
    pub(super) fn compile(&mut self, from: usize, report: &Report) -> Result<Vec<Vec<Option<Batch>>>, Stop> {
        let work = self.work;
        let steps = work.stories.iter().flat_map(|story| under_one_schema(story, from));
        let steps = steps.filter(|step| !step.is_skipped());
        let locks = steps.clone().any(|step| step.action.writes()) && !self.connection.need.lock;
        let names: Vec<&str> = steps.flat_map(|step| step.tables(work.project)).collect();
        let mut problems: Vec<Diagnostic> = Vec::new();
        let catalog = self.catalog(&names, locks, &mut problems)?;
        self.check_names(from, &catalog, &mut problems)?;
        let mut batches = Vec::new();
        for story in &work.stories {
            let mut compiled: Vec<Option<Batch>> = Vec::new();
            compiled.resize_with(from.max(story.done.len()).min(story.steps.len()), || None);
            for step in under_one_schema(story, from) {
                if step.is_skipped() {
                    compiled.push(None);
                    continue;
                }
                match compile_step(step, work.project, &catalog, None) {
                    Ok(batch) => compiled.push(Some(batch)),
                    Err(wrong) => {
                        compiled.push(None);
                        // Two steps that use the same fixture would say the same thing twice.
                        let is_new = |problem: &Diagnostic| {
                            !problems.contains(problem) && !step.is_about_unknown(problem)
                        };
                        let new: Vec<Diagnostic> = wrong.into_iter().filter(is_new).collect();
                        problems.extend(new);
                    }
                }
            }
            compiled.resize_with(story.steps.len(), || None);
            check_taken(story, &compiled, &mut problems);
            batches.push(compiled);
        }
        self.catalog = catalog;
        match (problems.is_empty(), report.migrations.is_empty()) {
            (true, _) => Ok(batches),
            (false, true) => Err(Stop { exit: Exit::Invalid, diagnostics: problems }),
            // The status of an invalid project promises that nothing was touched.
            (false, false) => Err(Stop { exit: Exit::DidNotHold, diagnostics: problems }),
        }
    }

    /// The batch of a step that takes something from earlier ones; nothing for others.
    pub(super) fn compile_now(
        &self,
        step: &Step,
        captured: &Arc<BTreeMap<String, Captured>>,
    ) -> Result<Option<Batch>, Vec<Diagnostic>> {
        if step.links.taken.is_empty() {
            return Ok(None);
        }
        compile_step(step, self.work.project, &self.catalog, Some(captured)).map(Some)
    }

    /// Notes what steps speak of beside tables and is not there.
    fn check_names(
        &mut self,
        from: usize,
        catalog: &Catalog,
        problems: &mut Vec<Diagnostic>,
    ) -> Result<(), Stop> {
        let steps = self.work.stories.iter().flat_map(|story| under_one_schema(story, from));
        let steps = steps.filter(|step| !step.is_skipped());
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
