//! `status`: the migrations, as files and database have them.

use super::options::Options;
use super::target::Target;
use super::{Refusal, terminal, up};
use crate::database::error::Error;
use crate::database::ledger::{self, Written};
use crate::database::session::Session;
use crate::migrate::history;
use crate::migrate::state::{State, Version, ahead, compare, faults};
use crate::project::diagnostic::{Diagnostic, printable};
use crate::report::exit::Exit;
use crate::report::text;
use crate::run::Run;

/// Compares the files with the history, and writes nothing.
pub fn status(options: &Options, has_exit_code: bool) -> Result<Exit, Refusal> {
    let (project, warnings) = up::project(options)?;
    let mut terminal = terminal::Terminal::new(options);
    terminal.warn(warnings);
    let mut target = match Target::choose(options) {
        Ok(target) => target,
        Err(refusal) => return Err(refusal.behind(terminal.into_warnings())),
    };
    terminal.is_of(&target.connection.run);
    let work = options.work(&project);
    let limit = target.connection.limits.statement;
    let read = Run::new(&work, &mut target.connection, &mut |event| terminal.show(&event))
        .reading("history and ledger", |session| Ok((history::read(session, limit)?, last(session)?)));
    let mut warnings = terminal.into_warnings();
    let (applied, last) = match read {
        Ok(read) => read,
        Err(stop) => {
            let refusal = Refusal { exit: stop.exit, diagnostics: stop.diagnostics };
            return Err(refusal.behind(warnings));
        }
    };
    let rows = applied.unwrap_or_default();
    let versions = compare(&project.migrations, &rows);
    let faults = faults(&versions);
    if options.json {
        warnings.extend(ahead(&versions));
    }
    let pending = versions.iter().filter(|version| version.state == State::Pending).count();
    let exit = match faults.is_empty() {
        false => Exit::Migration,
        true if pending > 0 && has_exit_code => Exit::DidNotHold,
        true => Exit::Held,
    };
    if options.json {
        terminal::print_json(&serde_json::json!({
            "version": 1,
            "target": target.connection.dsn.name(),
            "exit": exit.code(),
            "held": exit == Exit::Held,
            "migrations": versions.iter().map(json).collect::<Vec<_>>(),
            "ledger": last.iter().map(|entry| entry.json()).collect::<Vec<_>>(),
            "problems": warnings.iter().chain(&faults).map(Diagnostic::json).collect::<Vec<_>>(),
        }));
        return Ok(exit);
    }
    if !options.quiet {
        versions.iter().for_each(|version| terminal::print_line(&line(version)));
        let applied = versions.iter().filter(|version| version.state == State::Applied).count();
        terminal::print_line(&format!("\n{applied} applied, {pending} pending"));
        if let Some(newest) = last.first() {
            let (head, faint) = (text::HEAD, text::FAINT);
            let (done, run, host) = (&newest.done_at, &newest.run, &newest.host);
            terminal::print_line(&format!(
                "\n{head}last written{head:#}  {faint}{done} by {run} on {host}{faint:#}"
            ));
            last.iter().for_each(|entry| terminal::print_line(&entry_line(entry)));
        }
    }
    terminal::print_diagnostics(&ahead(&versions).into_iter().collect::<Vec<_>>());
    terminal::print_diagnostics(&faults);
    Ok(exit)
}

/// The most entries of the ledger that are shown.
const ENTRIES_MAX: usize = 20;

/// What the newest run wrote.
fn last(session: &mut Session) -> Result<Vec<Written>, Error> {
    let Some(schema) = session.facts.schema.clone().filter(|_| session.facts.has_ledger) else {
        return Ok(Vec::new());
    };
    let limit = session.limits.statement;
    let answer = session.simple(ledger::last(&schema, ENTRIES_MAX), limit)?;
    Ok(answer.iter().map(|row| Written::read(row)).collect())
}

fn entry_line(entry: &Written) -> String {
    let (good, faint) = (text::GOOD, text::FAINT);
    let (kind, title, outcome) = (&entry.kind, &entry.title, &entry.outcome);
    let (scenario, content, version) = (&entry.scenario, &entry.content, &entry.version);
    let (title, scenario) = (printable(title), printable(scenario));
    format!(
        "  {faint}{kind:<6}{faint:#}  {title}  {good}{outcome}{good:#}  {faint}{scenario}, content {content}, seedbed {version}{faint:#}"
    )
}

fn line(version: &Version) -> String {
    let style = match version.state {
        State::Applied => text::GOOD,
        State::Pending | State::Ahead => text::ODD,
        _ => text::BAD,
    };
    let title = match (version.file, version.applied) {
        (Some(file), _) => file.title(),
        (None, row) => {
            format!("V{} {}", version.version, row.and_then(|row| row.name.as_deref()).unwrap_or("?"))
        }
    };
    let when = version.applied.and_then(|row| row.applied_on.as_deref()).unwrap_or_default();
    let when = when.split('.').next().unwrap_or_default().replace('T', " ");
    let faint = text::FAINT;
    let when = if when.is_empty() { when } else { format!("  {faint}{when}{faint:#}") };
    format!("  {style}{:<12}{style:#}  {title}{when}", version.state.word())
}

fn json(version: &Version) -> serde_json::Value {
    serde_json::json!({
        "version": version.version,
        "name": version.file.map(|file| file.name.as_str()).or(version.applied.and_then(|row| row.name.as_deref())),
        "file": version.file.map(|file| file.source.path.as_str()),
        "state": version.state.word(),
        "applied_on": version.applied.and_then(|row| row.applied_on.as_deref()),
    })
}
