//! What can be known of a project without a database, beyond its single files.

use std::collections::HashMap;

use super::Project;
use super::diagnostic::Diagnostic;
use super::migration::Migration;
use super::source::{Place, Span};
use super::sql::statements::transaction_control;

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
    project.migrations.iter().for_each(|migration| check_transaction(migration, problems));
    let mut fixtures = HashMap::new();
    for fixture in &project.fixtures {
        if let Some(earlier) = fixtures.insert(&fixture.name, &fixture.source.path) {
            problems.push(
                Diagnostic::error(format!("two fixtures are called `{}`", fixture.name))
                    .at(&fixture.source, super::fixture::place(fixture))
                    .note(format!("the other one is `{earlier}`"))
                    .help("rename one of them"),
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
        for step in &scenario.steps {
            step.action.check(project, &scenario.source, problems);
        }
    }
}

/// A migration is one transaction: one that ends it, or cannot be read at all, is refused.
fn check_transaction(migration: &Migration, problems: &mut Vec<Diagnostic>) {
    match transaction_control(&migration.source.text) {
        Ok(control) => problems.extend(control.into_iter().map(|span| {
            Diagnostic::error("a migration runs in a transaction of its own, which it may not begin or end")
                .at(&migration.source, span)
                .help("remove this statement; what must not be one transaction goes into several migrations")
        })),
        Err(error) => problems.push(
            Diagnostic::error(error.to_string())
                .at(&migration.source, Span::new(error.offset, error.offset + 1))
                .help(error.kind.help()),
        ),
    }
}
