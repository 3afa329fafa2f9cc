//! `plan`: what `up` would do, in order, and to which rows. It writes nothing.

mod rows;

use super::options::Options;
use super::target::Target;
use super::{Refusal, terminal, up};
use crate::migrate::history;
use crate::migrate::lint::lint;
use crate::migrate::state::{State, ahead, compare, faults};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, Severity, count, printable};
use crate::project::migration::Migration;
use crate::project::scenario::Scenario;
use crate::project::sql::statements::statements;
use crate::report::exit::Exit;
use crate::report::text;
use crate::seed::look::Foreseen;
use crate::step::Step;

/// Lists the pending migrations with what is dangerous about them, and the steps behind them.
pub fn plan(options: &Options, names: &[String]) -> Result<Exit, Refusal> {
    let (project, mut problems) = up::project(options)?;
    let scenarios = up::select_running(&project, names)?;
    let mut target = Target::choose(options)?;
    let limit = target.connection.limits.statement;
    let rows = target
        .run(options, &project, |run| run.reading("the history", |session| history::read(session, limit)))?;
    let rows = rows.unwrap_or_default();
    let versions = compare(&project.migrations, &rows);
    let faults = faults(&versions);
    let mut exit = if faults.is_empty() { Exit::Held } else { Exit::Migration };
    let pending: Vec<&Migration> = versions
        .iter()
        .filter(|version| version.state == State::Pending)
        .filter_map(|version| version.file)
        .collect();
    problems.extend(faults);
    problems.extend(ahead(&versions));
    problems.extend(pending.iter().flat_map(|migration| lint(migration)));
    // Behind migrations that are still to come nobody knows what the rows will be.
    let is_known = pending.is_empty() && exit == Exit::Held;
    let mut foreseen = Vec::new();
    for scenario in scenarios.iter().filter(|_| is_known) {
        foreseen.push(target.run(options, &project, |run| run.foresee(&scenario.steps, &mut problems))?);
    }
    if problems.iter().any(|problem| problem.severity == Severity::Error) && exit == Exit::Held {
        exit = Exit::DidNotHold;
    }
    if options.json {
        terminal::print_json(&json(&target, exit, &pending, &scenarios, &foreseen, &problems));
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
    for (at, scenario) in scenarios.iter().enumerate() {
        let title = &scenario.title.text;
        terminal::print_line(&format!("\n{head}{title}{head:#}  {faint}{}{faint:#}", scenario.source.path));
        let width = scenario.steps.iter().map(|step| step.title.text.chars().count()).max().unwrap_or(0);
        for (number, step) in scenario.steps.iter().enumerate() {
            let mut tables = step.action.tables(&project);
            tables.dedup();
            let (kind, title) = (step.kind.name, &step.title.text);
            let needs = step.control.when.iter().map(|it| format!("depends on `{}`", it.name.text));
            let tables = match &step.control.skip {
                Some(reason) => format!("skipped: {}", printable(&reason.text)),
                None => tables.into_iter().map(str::to_owned).chain(needs).collect::<Vec<_>>().join(", "),
            };
            terminal::print_line(&match tables.is_empty() {
                true => format!("  {faint}{kind:<7}{faint:#} {title}"),
                false => format!("  {faint}{kind:<7}{faint:#} {title:<width$}  {faint}{tables}{faint:#}"),
            });
            let rows = foreseen.get(at).and_then(|steps| steps.get(number)?.as_ref());
            rows.into_iter().flatten().for_each(|foreseen| rows::print(foreseen, options.verbose));
        }
    }
    if !is_known && !pending.is_empty() && !scenarios.is_empty() {
        terminal::print_line(&format!("\n{faint}rows are shown when no migration is pending{faint:#}"));
    }
    terminal::print_diagnostics(&problems);
    Ok(exit)
}

/// Shows what one step would do to the rows of its tables.
pub fn step(options: &Options, project: &Project, step: &Step) -> Result<Exit, Refusal> {
    let mut target = Target::choose(options)?;
    let mut problems = Vec::new();
    let steps = std::slice::from_ref(step);
    let foreseen = target.run(options, project, |run| run.foresee(steps, &mut problems))?;
    let exit = if problems.is_empty() { Exit::Held } else { Exit::DidNotHold };
    let foreseen = foreseen.into_iter().flatten().flatten();
    if options.json {
        terminal::print_json(&serde_json::json!({
            "version": 1,
            "target": target.connection.dsn.name(),
            "exit": exit.code(),
            "held": exit == Exit::Held,
            "tables": foreseen.map(|foreseen| rows::json(&foreseen)).collect::<Vec<_>>(),
            "problems": problems.iter().map(Diagnostic::json).collect::<Vec<_>>(),
        }));
        return Ok(exit);
    }
    foreseen.for_each(|foreseen| rows::print(&foreseen, options.verbose));
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
    foreseen: &[Vec<Option<Vec<Foreseen>>>],
    problems: &[Diagnostic],
) -> serde_json::Value {
    let steps = |(at, scenario): (usize, &&Scenario)| -> Vec<serde_json::Value> {
        let step = |(number, step): (usize, &Step)| {
            let (line, _) = step.source.line_column(step.span.start as usize);
            let tables = foreseen.get(at).and_then(|steps| steps.get(number)?.as_ref());
            let tables = tables.map(|tables| tables.iter().map(rows::json).collect::<Vec<_>>());
            serde_json::json!({ "kind": step.kind.name, "title": step.title.text, "line": line,
                "skipped": step.control.skip.as_ref().map(|reason| &reason.text), "tables": tables })
        };
        scenario.steps.iter().enumerate().map(step).collect()
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
        "scenarios": scenarios.iter().enumerate().map(|scenario| serde_json::json!({
            "title": scenario.1.title.text, "file": scenario.1.source.path, "steps": steps(scenario),
        })).collect::<Vec<_>>(),
        "problems": problems.iter().map(Diagnostic::json).collect::<Vec<_>>(),
    })
}
