//! `status`: the migrations, as files and database have them.

use super::options::Options;
use super::target::Target;
use super::{Refusal, terminal, up};
use crate::migrate::history;
use crate::migrate::state::{State, Version, compare, faults};
use crate::project::diagnostic::Diagnostic;
use crate::report::exit::Exit;
use crate::report::text;
use crate::run::{Run, Work};

/// Compares the files with the history, and writes nothing.
pub fn status(options: &Options) -> Result<Exit, Refusal> {
    let (project, warnings) = up::project(options)?;
    let mut terminal = terminal::Terminal::new(options);
    terminal.warn(warnings);
    let mut target = match Target::choose(options) {
        Ok(target) => target,
        Err(refusal) => return Err(refusal.behind(terminal.into_warnings())),
    };
    let work = Work { project: &project, migrate: false, stories: Vec::new(), retry: options.retry() };
    let limit = target.connection.limits.statement;
    let applied = Run::new(&work, &mut target.connection, &mut |event| terminal.show(&event))
        .reading("the history", |session| history::read(session, limit));
    let warnings = terminal.into_warnings();
    let applied = match applied {
        Ok(applied) => applied,
        Err(stop) => {
            let refusal = Refusal { exit: stop.exit, diagnostics: stop.diagnostics };
            return Err(refusal.behind(warnings));
        }
    };
    let rows = applied.unwrap_or_default();
    let versions = compare(&project.migrations, &rows);
    let faults = faults(&versions);
    let exit = if faults.is_empty() { Exit::Held } else { Exit::Migration };
    if options.json {
        terminal::print_json(&serde_json::json!({
            "version": 1,
            "target": target.connection.dsn.name(),
            "exit": exit.code(),
            "held": exit == Exit::Held,
            "migrations": versions.iter().map(json).collect::<Vec<_>>(),
            "problems": warnings.iter().chain(&faults).map(Diagnostic::json).collect::<Vec<_>>(),
        }));
        return Ok(exit);
    }
    if !options.quiet {
        versions.iter().for_each(|version| terminal::print_line(&line(version)));
        let pending = versions.iter().filter(|version| version.state == State::Pending).count();
        let applied = rows.len();
        terminal::print_line(&format!("\n{applied} applied, {pending} pending"));
    }
    terminal::print_diagnostics(&faults);
    Ok(exit)
}

fn line(version: &Version) -> String {
    let style = match version.state {
        State::Applied => text::GOOD,
        State::Pending => text::ODD,
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
    format!("  {style}{:<12}{style:#}  {title}  {faint}{when}{faint:#}", version.state.word())
        .trim_end()
        .to_owned()
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
