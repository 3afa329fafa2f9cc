//! The steps of one story, in their order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::marks::Marks;
use super::update::Rewriting;
use super::{Run, Stop, Story};
use crate::database::ledger::Entry;
use crate::plan::{Batch, sent};
use crate::project::diagnostic::count;
use crate::project::source::{Place, digest};
use crate::project::values::Captured;
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::{End, Report, StepReport};
use crate::step::control::{Condition, Polling};
use crate::step::{Outcome, Step};

/// Keeps the row that a step has captured for those behind it.
fn keep_row(step: &Step, report: &StepReport, captured: &mut Arc<BTreeMap<String, Captured>>) {
    if let (Some(id), Some(row)) = (&step.control.id, &report.captured) {
        Arc::make_mut(captured).insert(id.text.clone(), row.clone());
    }
}

impl Run<'_> {
    /// Runs the steps of a story until one does not hold; those behind it are reported as not run. The
    /// final ones are run all the same, as far as there is a way to the database.
    pub(super) fn story(
        &mut self,
        story: &Story,
        mut batches: Vec<Option<Batch>>,
        reports: &mut Vec<StepReport>,
        whole: &mut Report,
    ) -> Result<(), Stop> {
        let mut held = true;
        let mut stops = Vec::new();
        let mut captured: Arc<BTreeMap<String, Captured>> = Arc::default();
        // The cases of one step are run whatever becomes of each.
        let mut failed_case = None;
        let mut rewriting = Rewriting::default();
        let mut marks = Marks::of(story.steps, &batches);
        self.mark(None, &mut marks)?;
        for (at, step) in story.steps.iter().enumerate() {
            self.steps_begun += 1;
            let mut report = blank(step);
            let may_run = match step.control.is_final {
                true => self.may_finish(&stops),
                false => {
                    stops.is_empty() && (held || failed_case.is_some() && failed_case == step.links.case_of)
                }
            };
            let reason = match &step.control.skip {
                Some(reason) => Some(reason.text.clone()),
                None => step.control.when.iter().find_map(|it| unmet(it, reports)).filter(|_| may_run),
            };
            if let Some(done) = story.done.get(at) {
                report = StepReport { title: report.title, place: report.place, ..done.clone() };
                keep_row(step, &report, &mut captured);
            } else if reason.is_some() {
                report.end = End::Skipped;
                report.detail = reason;
            } else if let Some(upto) = step.action.migrates().filter(|_| may_run) {
                match self.go_on(upto, at + 1, &mut report, whole) {
                    Ok(compiled) => {
                        marks.add(Marks::of(story.steps, &compiled));
                        batches = compiled;
                    }
                    Err(stop) => stops.push(stop),
                }
                held &= report.end.is_accepted();
            } else if may_run {
                let batch = batches[at].as_ref();
                stops.extend(self.run_step(story, (step, batch), &captured, &marks, &mut report).err());
                self.update(story, step, &mut report, &mut rewriting);
                if held && !report.end.is_accepted() {
                    (held, failed_case) = (false, step.links.case_of);
                }
                keep_row(step, &report, &mut captured);
            }
            if report.end.is_accepted() || report.end == End::Skipped {
                stops.extend(self.mark(Some(at), &mut marks).err());
            }
            (self.emit)(Event::StepEnded(&report));
            reports.push(report);
        }
        if let Err(problem) = self.save(rewriting, &stops) {
            match stops.first_mut() {
                Some(stop) => stop.diagnostics.push(problem),
                None => stops.push(Stop { exit: Exit::DidNotHold, diagnostics: vec![problem] }),
            }
        }
        stops.into_iter().next().map_or(Ok(()), Err)
    }

    /// Applies migrations in the middle of a story, and compiles the steps behind them, which are those from
    /// that number on.
    fn go_on(
        &mut self,
        upto: i32,
        next: usize,
        report: &mut StepReport,
        whole: &mut Report,
    ) -> Result<Vec<Option<Batch>>, Stop> {
        let started = Instant::now();
        report.begun = started.duration_since(self.started);
        (report.attempts, report.end) = (1, End::Error);
        let before = whole.migrations.len();
        let migrated = self.migrate(upto, whole);
        report.elapsed = started.elapsed();
        report.detail = Some(count(whole.migrations.len() - before, "migration"));
        migrated?;
        report.end = End::Accepted(Outcome::Migrated);
        let compiled = self.compile(next, whole)?;
        Ok(compiled.into_iter().next().unwrap_or_default())
    }

    /// Whether final steps can be run after what has stopped the others. One lost connection may be
    /// replaced; where that fails too, nobody is there.
    fn may_finish(&self, stops: &[Stop]) -> bool {
        match stops {
            [] => true,
            [Stop { exit: Exit::Unreachable | Exit::Unknown, .. }] => self.connection.clock.check().is_ok(),
            _ => false,
        }
    }

    fn run_step(
        &mut self,
        story: &Story,
        (step, batch): (&Step, Option<&Batch>),
        captured: &Arc<BTreeMap<String, Captured>>,
        marks: &Marks,
        report: &mut StepReport,
    ) -> Result<(), Stop> {
        (self.emit)(Event::StepBegun { kind: step.kind.name, title: &step.title.text });
        let now = match self.compile_now(step, captured) {
            Ok(now) => now,
            Err(diagnostics) => {
                report.end = End::Error;
                report.diagnostics = diagnostics;
                return Ok(());
            }
        };
        let Some(batch) = now.as_ref().or(batch) else { return Ok(()) };
        let entry = self.entry(story, step);
        let started = Instant::now();
        report.begun = started.duration_since(self.started);
        if self.work.keeps_sent {
            report.sent = sent::of(batch);
        }
        let result = match &step.control.eventually {
            Some(polling) => self.poll((step, batch), &entry, polling, marks, report),
            None => self.step(step, batch, &entry, marks, report),
        };
        report.diagnostics.extend(batch.warnings.iter().cloned());
        self.tell_notices();
        report.elapsed = started.elapsed();
        result
    }

    /// Looks again until a step ends as it should, or its time is over. Each look is a transaction of its
    /// own, and what it sees is new; an error would be the same again.
    fn poll(
        &mut self,
        (step, batch): (&Step, &Batch),
        entry: &Entry,
        polling: &Polling,
        marks: &Marks,
        report: &mut StepReport,
    ) -> Result<(), Stop> {
        let started = Instant::now();
        let mut looks = 0;
        let mut tries = 0;
        loop {
            let mut look = StepReport { retried: std::mem::take(&mut report.retried), ..blank(step) };
            let result = self.step(step, batch, entry, marks, &mut look);
            looks += 1;
            tries += look.attempts;
            let (sent, begun) = (std::mem::take(&mut report.sent), report.begun);
            *report = StepReport { attempts: tries, sent, begun, ..look };
            result?;
            let left = polling.within.saturating_sub(started.elapsed());
            if !matches!(report.end, End::Refused(_)) {
                return Ok(());
            }
            if left.is_zero() {
                let within = humantime::format_duration(polling.within);
                let note = format!("looked {} within {within}; this is the last", count(looks, "time"));
                report.diagnostics.iter_mut().for_each(|problem| problem.notes.push(note.clone()));
                return Ok(());
            }
            // No lock is held while nobody looks.
            if let Ok(session) = self.connection.session(self.emit) {
                let _ = session.rollback();
            }
            let pause = self.connection.clock.sleep(polling.every.min(left));
            pause.map_err(|error| self.stop(&error))?;
        }
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

/// Why a step is not run, if what it depends on is not so.
fn unmet(condition: &Condition, reports: &[StepReport]) -> Option<String> {
    let is_so = |end: End| match end {
        // It was undone.
        End::Refused(outcome) if outcome.has_written() => false,
        end => end.outcome().is_some_and(|outcome| condition.outcomes.contains(&outcome)),
    };
    let report = reports.get(condition.steps.clone())?.iter().find(|report| !is_so(report.end))?;
    let name = &condition.name.text;
    Some(match report.end {
        End::Skipped | End::NotRun => format!("`{name}` was {}", report.end.word()),
        end => format!("`{name}` ended as `{}`", end.word()),
    })
}

fn blank(step: &Step) -> StepReport {
    StepReport {
        kind: step.kind.name,
        title: step.title.text.clone(),
        place: Place::new(&step.source, step.span),
        end: End::NotRun,
        is_final: step.control.is_final,
        detail: None,
        wrote: Vec::new(),
        captured: None,
        rewrite: None,
        attempts: 0,
        retried: Vec::new(),
        sent: Vec::new(),
        begun: Default::default(),
        elapsed: Default::default(),
        diagnostics: Vec::new(),
    }
}
