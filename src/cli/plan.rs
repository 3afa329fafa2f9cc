//! `plan`: what `up` would do, in order. It writes nothing.

use super::options::Options;
use super::target::Target;
use super::{Refusal, terminal, up};
use crate::migrate::history;
use crate::migrate::lint::lint;
use crate::migrate::state::{State, ahead, compare, faults};
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::migration::Migration;
use crate::project::scenario::Scenario;
use crate::project::sql::statements::statements;
use crate::report::exit::Exit;
use crate::report::text;

/// Lists the pending migrations with what is dangerous about them, and the steps behind them.
pub fn plan(options: &Options, names: &[String]) -> Result<Exit, Refusal> {
    let (project, mut problems) = up::project(options)?;
    let scenarios = up::select(&project, names)?;
    let mut target = Target::choose(options)?;
    let limit = target.connection.limits.statement;
    let rows = target
        .run(options, &project, |run| run.reading("the history", |session| history::read(session, limit)))?;
    let rows = rows.unwrap_or_default();
    let versions = compare(&project.migrations, &rows);
    let faults = faults(&versions);
    let exit = if faults.is_empty() { Exit::Held } else { Exit::Migration };
    let pending: Vec<&Migration> = versions
        .iter()
        .filter(|version| version.state == State::Pending)
        .filter_map(|version| version.file)
        .collect();
    problems.extend(faults);
    problems.extend(ahead(&versions));
    problems.extend(pending.iter().flat_map(|migration| lint(migration)));
    if options.json {
        terminal::print_json(&json(&target, exit, &pending, &scenarios, &problems));
        return Ok(exit);
    }
    let (head, faint) = (text::HEAD, text::FAINT);
    terminal::print_line(&format!(
        "{head}migrations{head:#}  {faint}{} applied before, {} pending{faint:#}",
        rows.len(),
        pending.len()
    ));
    pending.iter().for_each(|migration| {
        terminal::print_line(&format!("  {}  {faint}{}{faint:#}", migration.title(), manner(migration)));
    });
    for scenario in scenarios {
        let title = &scenario.title.text;
        terminal::print_line(&format!("\n{head}{title}{head:#}  {faint}{}{faint:#}", scenario.source.path));
        let width = scenario.steps.iter().map(|step| step.title.text.chars().count()).max().unwrap_or(0);
        for step in &scenario.steps {
            let mut tables = step.action.tables(&project);
            tables.dedup();
            let (kind, title, tables) = (step.kind.name, &step.title.text, tables.join(", "));
            terminal::print_line(&match tables.is_empty() {
                true => format!("  {faint}{kind:<6}{faint:#}  {title}"),
                false => format!("  {faint}{kind:<6}{faint:#}  {title:<width$}  {faint}{tables}{faint:#}"),
            });
        }
    }
    terminal::print_diagnostics(&problems);
    Ok(exit)
}

fn manner(migration: &Migration) -> String {
    let number = statements(&migration.source.text).map_or(0, |statements| statements.len());
    let manner = match migration.directives.no_transaction {
        true => "each on its own",
        false => "one transaction",
    };
    format!("{}, {manner}", count(number, "statement"))
}

fn json(
    target: &Target,
    exit: Exit,
    pending: &[&Migration],
    scenarios: &[&Scenario],
    problems: &[Diagnostic],
) -> serde_json::Value {
    let steps = |scenario: &Scenario| -> Vec<serde_json::Value> {
        scenario
            .steps
            .iter()
            .map(|step| {
                let (line, _) = step.source.line_column(step.span.start as usize);
                serde_json::json!({ "kind": step.kind.name, "title": step.title.text, "line": line })
            })
            .collect()
    };
    serde_json::json!({
        "version": 1,
        "target": target.connection.dsn.name(),
        "exit": exit.code(),
        "held": exit == Exit::Held,
        "migrations": pending.iter().map(|migration| serde_json::json!({
            "title": migration.title(),
            "file": migration.source.path,
            "transaction": !migration.directives.no_transaction,
            "statements": statements(&migration.source.text).map_or(0, |statements| statements.len()),
        })).collect::<Vec<_>>(),
        "scenarios": scenarios.iter().map(|scenario| serde_json::json!({
            "title": scenario.title.text, "file": scenario.source.path, "steps": steps(scenario),
        })).collect::<Vec<_>>(),
        "problems": problems.iter().map(Diagnostic::json).collect::<Vec<_>>(),
    })
}
