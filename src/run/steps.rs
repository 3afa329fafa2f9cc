//! The steps of one story, in their order.

use std::time::Instant;

use super::{Run, Stop, Story};
use crate::database::ledger::Entry;
use crate::plan::Batch;
use crate::project::source::{Place, digest};
use crate::report::event::Event;
use crate::report::{End, StepReport};
use crate::step::Step;

impl Run<'_> {
    /// Runs the steps of a story until one does not hold; those behind it are reported as not run.
    pub(super) fn story(
        &mut self,
        story: &Story,
        batches: &[Batch],
        reports: &mut Vec<StepReport>,
    ) -> Result<(), Stop> {
        let mut held = true;
        let mut stop = None;
        for (step, batch) in story.steps.iter().zip(batches) {
            self.steps_begun += 1;
            let mut report = blank(step);
            if held && stop.is_none() {
                (self.emit)(Event::StepBegun { kind: step.kind.name, title: &step.title.text });
                let entry = self.entry(story, step);
                let started = Instant::now();
                stop = self.step(step, batch, &entry, &mut report).err();
                report.diagnostics.extend(batch.warnings.iter().cloned());
                self.tell_notices();
                report.elapsed = started.elapsed();
                held = report.end.is_accepted();
            }
            (self.emit)(Event::StepEnded(&report));
            reports.push(report);
        }
        stop.map_or(Ok(()), Err)
    }

    fn entry(&self, story: &Story, step: &Step) -> Entry {
        let files = step.action.sources(self.work.project);
        Entry {
            run: self.connection.run.clone(),
            number: self.steps_begun,
            host: self.connection.host.clone(),
            scenario: story.title.to_owned(),
            kind: step.kind.name,
            title: step.title.text.clone(),
            content: digest(std::iter::once(&*step.source).chain(files)),
        }
    }
}

fn blank(step: &Step) -> StepReport {
    StepReport {
        kind: step.kind.name,
        title: step.title.text.clone(),
        place: Place::new(&step.source, step.span),
        end: End::NotRun,
        detail: None,
        wrote: Vec::new(),
        attempts: 0,
        elapsed: Default::default(),
        diagnostics: Vec::new(),
    }
}
