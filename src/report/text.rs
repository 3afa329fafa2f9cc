//! The report for people: a line for each thing that happened, as it happens.

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::event::{Copying, Event};
use super::exit::Exit;
use super::{End, Report, StepReport};
use crate::project::diagnostic::{count, printable};

/// Things that went well.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Things that did not.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Things to look at.
pub const ODD: Style = AnsiColor::Yellow.on_default().bold();
/// Headings.
pub const HEAD: Style = Style::new().bold();
/// What is only there for those who look for it.
pub const FAINT: Style = Style::new().dimmed();

/// The line or lines of one event; empty for those that leave no trace. Colours are always in it:
/// whoever prints it takes them out where they do not belong.
pub fn line(event: &Event, title_width: usize) -> String {
    match event {
        Event::Connected { target, is_unverified, is_pooled } => {
            let mut text = format!("{FAINT}database{FAINT:#}  {}\n", printable(target));
            if *is_unverified {
                let _ = writeln!(
                    text,
                    "{ODD}warning{ODD:#}   the connection is encrypted, but nobody vouches for the server; use sslmode=verify-full"
                );
            }
            if *is_pooled {
                let _ = writeln!(
                    text,
                    "{ODD}note{ODD:#}      a pooler stands between: no lock of the whole run, only one in each transaction"
                );
            }
            text
        }
        Event::Created(name) => format!("{FAINT}created{FAINT:#}   database {}\n", printable(name)),
        Event::Warned(diagnostic) => format!("\n{}", diagnostic.render(true)),
        Event::MigrationsBegun { pending: 0, applied } => {
            format!("{HEAD}migrations{HEAD:#}  {FAINT}{} applied before, nothing pending{FAINT:#}\n", applied)
        }
        Event::MigrationsBegun { pending, applied } => {
            format!("{HEAD}migrations{HEAD:#}  {FAINT}{applied} applied before, {pending} pending{FAINT:#}\n")
        }
        Event::MigrationApplied(migration) => {
            let title = printable(&migration.title);
            let (tries, took) = (tries(migration.attempts), duration(migration.elapsed));
            let by = if migration.is_other_s { "by another runner, " } else { "" };
            format!("  {GOOD}✓{GOOD:#} {title}  {FAINT}{by}{took}{tries}{FAINT:#}\n")
        }
        Event::ScenarioBegun { title, file, .. } => {
            let line = format!("\n{HEAD}{}{HEAD:#}", printable(title));
            match file.is_empty() {
                true => format!("{line}\n"),
                false => format!("{line}  {FAINT}{}{FAINT:#}\n", printable(file)),
            }
        }
        Event::StepEnded(step) => step_line(step, title_width),
        Event::Updated { file, steps } => {
            let what = count(*steps, "expectation");
            format!("  {ODD}✎{ODD:#} {FAINT}wrote {what} anew in {}{FAINT:#}\n", printable(file))
        }
        Event::Waiting { .. }
        | Event::LockHeld { .. }
        | Event::MigrationBegun(_)
        | Event::StepBegun { .. }
        | Event::TestBegun { .. }
        | Event::TestEnded(_)
        | Event::Copying(_)
        | Event::Settling { .. }
        | Event::Ended { .. }
        | Event::Retrying { .. } => String::new(),
        Event::Noticed { severity, message } if severity == "WARNING" => {
            format!("  {ODD}warning{ODD:#} {}\n", indented(message))
        }
        Event::Noticed { .. } => String::new(),
    }
}

/// What is going on right now, for a line that is overwritten, or for those who want every word.
pub fn progress(event: &Event) -> Option<String> {
    match event {
        Event::Waiting { target, reason, attempt, left } => Some(format!(
            "waiting for {}: {} (try {attempt}, {} s left)",
            printable(target),
            printable(reason),
            left.as_secs()
        )),
        Event::LockHeld { holder, attempt, left } => Some(match holder {
            Some(holder) => format!(
                "waiting for another runner: {} (try {attempt}, {} s left; to end it: {})",
                printable(&holder.to_string()),
                left.as_secs(),
                holder.end()
            ),
            None => format!("waiting for another runner (try {attempt}, {} s left)", left.as_secs()),
        }),
        Event::MigrationBegun(title) => Some(format!("applying {}", printable(title))),
        Event::StepBegun { kind, title } => Some(format!("{kind}: {}", printable(title))),
        Event::Copying(copying) => Some(copied(copying)),
        Event::Retrying { title, reason, attempt, delay } => Some(format!(
            "{}: {}; try {} in {}",
            printable(title),
            printable(reason),
            attempt + 1,
            duration(*delay)
        )),
        Event::Noticed { severity, message } if severity != "WARNING" => {
            Some(format!("{}: {}", severity.to_lowercase(), indented(message)))
        }
        Event::Settling { title, reason } => Some(format!(
            "{}: {} while it was being committed; asking the database what became of it",
            printable(title),
            printable(reason)
        )),
        _ => None,
    }
}

/// How far a file is: `places.csv ━━━━━━╌╌╌╌ 61 %, 610,000 rows, 1,200,000 rows/s, 1 s left`.
fn copied(copying: &Copying) -> String {
    const WIDTH: u64 = 20;
    let file = copying.file.rsplit('/').next().unwrap_or(copying.file);
    let seconds = copying.elapsed.as_secs_f64().max(0.001);
    let part = copying.bytes as f64 / copying.of.max(1) as f64;
    let done = ((part * WIDTH as f64) as usize).min(WIDTH as usize);
    let bar = "━".repeat(done) + &"╌".repeat(WIDTH as usize - done);
    let left = if part > 0.0 { seconds / part - seconds } else { 0.0 };
    format!(
        "{} {bar} {:.0} %, {} rows, {} rows/s, {left:.0} s left",
        printable(file),
        part * 100.0,
        grouped(copying.rows),
        grouped((copying.rows as f64 / seconds) as u64)
    )
}

/// A number with a comma between each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Words of somebody else's, which cannot pass for a line of the report.
fn indented(words: &str) -> String {
    printable(words).replace('\n', "\n    ")
}

fn step_line(step: &StepReport, title_width: usize) -> String {
    let (style, mark) = match step.end {
        End::Accepted(_) => (GOOD, "✓"),
        End::Updated(_) => (ODD, "✎"),
        End::Refused(_) | End::Error | End::Unknown => (BAD, "✗"),
        End::NotRun | End::Skipped => (FAINT, "-"),
    };
    let kind = format!("{:<7}", step.kind);
    let title = printable(&step.title);
    let padding = " ".repeat(title_width.saturating_sub(title.chars().count()));
    let outcome = step.end.word();
    let mut facts = Vec::new();
    facts.extend(step.detail.clone());
    facts.extend(step.wrote.iter().map(|wrote| printable(&wrote.words())));
    if step.attempts > 0 {
        facts.push(format!("{}{}", duration(step.elapsed), tries(step.attempts)));
    }
    // Nothing follows the outcome of a step that did not run.
    let behind = match facts.is_empty() {
        true => format!("{style}{outcome}{style:#}"),
        false => format!("{style}{outcome:<9}{style:#}  {FAINT}{}{FAINT:#}", facts.join(", ")),
    };
    format!("  {style}{mark}{style:#} {FAINT}{kind}{FAINT:#} {title}{padding}  {behind}\n")
}

fn tries(attempts: u32) -> String {
    if attempts > 1 { format!(", {attempts} tries") } else { String::new() }
}

/// The last line: what all of it comes to.
pub fn summary(report: &Report) -> String {
    let steps: Vec<&StepReport> = report.steps().collect();
    let accepted = steps.iter().filter(|step| step.end.is_accepted()).count();
    let not_run = steps.iter().filter(|step| step.end == End::NotRun).count();
    let skipped = steps.iter().filter(|step| step.end == End::Skipped).count();
    let failed = steps.len() - accepted - not_run - skipped;
    let updated = steps.iter().filter(|step| matches!(step.end, End::Updated(_))).count();
    let mut parts = Vec::new();
    if !report.migrations.is_empty() {
        parts.push(format!("{} applied", count(report.migrations.len(), "migration")));
    }
    if !steps.is_empty() {
        parts.push(format!("{} held", count(accepted, "step")));
    }
    if updated > 0 {
        parts.push(format!("{ODD}{updated} of them updated{ODD:#}"));
    }
    if failed > 0 {
        parts.push(format!("{BAD}{failed} did not{BAD:#}"));
    }
    if skipped > 0 {
        parts.push(format!("{skipped} skipped"));
    }
    if not_run > 0 {
        parts.push(format!("{not_run} not run"));
    }
    if parts.is_empty() {
        let is_stopped = report.stopped.is_some();
        parts.push(if is_stopped { "before anything was done" } else { "nothing to do" }.to_owned());
    }
    if report.is_rehearsal {
        parts.push("all of it rolled back: a dry run".to_owned());
    }
    let style = if report.exit() == Exit::Held { GOOD } else { BAD };
    let word = if report.exit() == Exit::Held { "ok" } else { "failed" };
    format!("\n{style}{word}{style:#}  {}  {FAINT}{}{FAINT:#}\n", parts.join(", "), duration(report.elapsed))
}

/// A duration with the digits a person wants to see.
pub fn duration(elapsed: Duration) -> String {
    let milliseconds = elapsed.as_secs_f64() * 1e3;
    match milliseconds {
        ..9.95 => format!("{milliseconds:.1} ms"),
        ..1000.0 => format!("{milliseconds:.0} ms"),
        ..60_000.0 => format!("{:.1} s", milliseconds / 1e3),
        _ => format!("{} min {} s", elapsed.as_secs() / 60, elapsed.as_secs() % 60),
    }
}
