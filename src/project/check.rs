//! What can be known of a project without a database, beyond its single files.

use std::collections::{BTreeMap, HashMap};

use super::Project;
use super::control;
use super::diagnostic::{Diagnostic, did_you_mean};
use super::migration::Migration;
use super::source::{Place, Span, word_length};
use super::sql::psql;
use super::sql::statements::{Peculiarity, peculiarity, statements};
use super::used::{self, Parts};

/// Notes files that are there to be used, and are not.
pub fn check_parts(project: &Project, parts: &Parts, problems: &mut Vec<Diagnostic>) {
    let steps = || project.scenarios.iter().flat_map(|scenario| &scenario.steps);
    for (path, source) in parts.iter().filter(|(_, source)| used::is_part(source)) {
        let is_broken = problems.iter().any(|it| it.place.as_ref().is_some_and(|it| it.source.path == *path));
        if !is_broken && !steps().any(|step| step.source.path == *path) {
            problems.push(
                Diagnostic::warning(format!("no scenario uses `{path}`"))
                    .at(source, Span::default())
                    .note("a name that begins with `_` is that of a file which others use")
                    .help("use it, `- use: …`, or rename it so that it runs"),
            );
        }
    }
}

/// Notes values that are given on the command line for variables that no scenario has.
pub fn check_given(project: &Project, given: &BTreeMap<String, String>, problems: &mut Vec<Diagnostic>) {
    let known: Vec<&str> =
        project.scenarios.iter().flat_map(|scenario| &scenario.variables).map(String::as_str).collect();
    for name in given.keys().filter(|name| !known.contains(&name.as_str())) {
        let help = did_you_mean(name, known.iter().copied())
            .unwrap_or_else(|| format!("declare it in a scenario: `vars: {{{name}: …}}`"));
        problems.push(Diagnostic::error(format!("no scenario has a variable `{name}`")).help(help));
    }
}

/// Notes duplicate versions, fixtures that share a name, and what steps name that is not there.
pub fn check(project: &Project, problems: &mut Vec<Diagnostic>) {
    let mut versions = HashMap::new();
    for migration in &project.migrations {
        if let Some(earlier) = versions.insert(migration.version, &migration.source.path) {
            problems.push(
                Diagnostic::error(format!("two migrations have version {}", migration.version))
                    .at(&migration.source, Span::default())
                    .note(format!("the other one is `{earlier}`"))
                    .help("give the newer one a higher version"),
            );
        }
        if migration.source.text.trim().is_empty() {
            problems.push(
                Diagnostic::warning(format!("migration {} is empty", migration.title()))
                    .at(&migration.source, Span::default()),
            );
        }
    }
    project.migrations.iter().for_each(|migration| check_statements(migration, problems));
    let mut fixtures = HashMap::new();
    for fixture in &project.fixtures {
        let earlier = fixtures.insert(&fixture.name, &fixture.source.path);
        if let Some(earlier) = earlier.filter(|earlier| **earlier != fixture.source.path) {
            problems.push(
                Diagnostic::error(format!("two fixtures are called `{}`", fixture.name))
                    .at(&fixture.source, super::fixture::place(fixture))
                    .note(format!("the other one is `{earlier}`"))
                    .help(match fixture.bulk.is_some() || !earlier.ends_with("ml") {
                        true => "rename one of them, or let the YAML file say `from:` and the other's name",
                        false => "rename one of them",
                    }),
            );
        }
    }
    let mut titles: HashMap<&str, &super::scenario::Scenario> = HashMap::new();
    for scenario in &project.scenarios {
        if let Some(earlier) = titles.insert(&scenario.title.text, scenario) {
            problems.push(
                Diagnostic::error(format!("two scenarios are called `{}`", scenario.title.text))
                    .at(&scenario.source, scenario.title.span)
                    .note(format!("the other one is at {}", Place::new(&earlier.source, earlier.title.span)))
                    .help("titles name scenarios in reports, so each is unique"),
            );
        }
        problems.extend(
            scenario.from.and_then(|from| super::rehearsal::unknown(project, &scenario.source, &from)),
        );
        for step in &scenario.steps {
            step.action.check(project, &step.source, problems);
        }
    }
}

/// A migration is one transaction, or says that it is none; one that cannot be what it is, or cannot
/// be read at all, is refused.
fn check_statements(migration: &Migration, problems: &mut Vec<Diagnostic>) {
    let text = &migration.source.text;
    let commands = psql::commands(text);
    if !commands.is_empty() {
        let problem = |span| {
            Diagnostic::error("this is a command of psql, not SQL")
                .at(&migration.source, span)
                .help("remove it: the file is sent to the server, which knows SQL alone")
        };
        problems.extend(commands.into_iter().map(problem));
        return;
    }
    if let Some(problem) = control::refused_in_sql(&migration.source) {
        problems.push(problem);
    }
    let ranges = match statements(text) {
        Ok(ranges) => ranges,
        Err(error) => {
            problems.push(
                Diagnostic::error(error.to_string())
                    .at(&migration.source, Span::new(error.offset, error.offset + 1))
                    .help(error.kind.help()),
            );
            return;
        }
    };
    let is_alone = ranges.len() == 1;
    for range in ranges {
        let (message, help) = match peculiarity(&text[range.clone()]) {
            Some(Peculiarity::TransactionControl) => (
                "a migration may not begin or end transactions",
                "remove this statement: the file is one transaction already, and `-- seedbed: no-transaction` at its head makes it none",
            ),
            Some(Peculiarity::NoTransaction) if !migration.directives.no_transaction => (
                "this statement cannot run in a transaction",
                if is_alone {
                    "write `-- seedbed: no-transaction` at the head of the file"
                } else {
                    "move it into a migration of its own, with `-- seedbed: no-transaction` at its head"
                },
            ),
            Some(Peculiarity::CopyFromStdin) => (
                "`copy … from stdin` waits for data that nobody sends",
                "write the rows as `insert`, or make a fixture of them",
            ),
            _ => continue,
        };
        let start = range.start;
        let span = Span::new(start, start + word_length(&text[start..]));
        problems.push(Diagnostic::error(message).at(&migration.source, span).help(help));
    }
}
