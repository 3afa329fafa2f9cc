//! WRITTEN: what the author wrote, with a place for every value.
//!
//! Nothing in here touches a database, and only [`load`] touches the file system.

pub mod bulk;
pub mod cases;
pub mod check;
pub mod control;
pub mod diagnostic;
pub mod directive;
pub mod edit;
pub mod extent;
pub mod fixture;
pub mod grid;
pub mod instruction;
pub mod load;
pub mod matcher;
pub mod migration;
pub mod outside;
pub mod overlay;
pub mod pipe;
pub mod quantity;
pub mod reading;
pub mod rehearsal;
pub mod save;
pub mod scenario;
pub mod source;
pub mod sql;
pub mod used;
pub mod value;
pub mod values;
pub mod written;
pub mod yaml;

use std::collections::BTreeMap;
use std::sync::Arc;

use diagnostic::Diagnostic;
use fixture::Fixture;
use migration::Migration;
use outside::Outside;
use scenario::Scenario;
use source::Source;
use used::Parts;
use yaml::Entry;

/// Everything a project directory says, in the order it is meant to be used.
#[derive(Debug, Default)]
pub struct Project {
    /// Sorted by version; versions are unique.
    pub migrations: Vec<Migration>,
    /// Sorted by path; the name of a file is unique.
    pub fixtures: Vec<Fixture>,
    /// Sorted by path.
    pub scenarios: Vec<Scenario>,
    /// The environments that have fixtures of their own.
    pub environments: Vec<String>,
    /// What stands in none of them.
    pub outside: Outside,
}

impl Project {
    /// Understands the given files, and says everything that is wrong with them, all at once.
    ///
    /// What could be understood is returned beside the diagnostics; a project with any error among
    /// them must not be run.
    pub fn parse(files: load::Files) -> (Project, Vec<Diagnostic>) {
        Project::parse_for(files, None, &BTreeMap::new())
    }

    /// The same for an environment, whose own fixtures are laid over the others, and with other values for
    /// variables of scenarios.
    pub fn parse_for(
        files: load::Files,
        environment: Option<&str>,
        given: &BTreeMap<String, String>,
    ) -> (Project, Vec<Diagnostic>) {
        let mut problems = files.problems;
        let mut project = Project::default();
        for source in files.migrations {
            match Migration::parse(source) {
                Ok(migration) => project.migrations.push(migration),
                Err(problem) => problems.push(problem),
            }
        }
        project.migrations.sort_by_key(|migration| migration.version);
        for source in files.fixtures {
            project.fixtures.extend(Fixture::parse(source, &mut problems));
        }
        Fixture::find_files(&mut project.fixtures, files.bulk, &mut problems);
        project.environments = files.overlays.keys().cloned().collect();
        overlay::lay(&mut project.fixtures, files.overlays, environment, &mut problems);
        project.fixtures.sort_by(|a, b| a.source.path.cmp(&b.source.path));
        let parts: Parts =
            files.scenarios.iter().map(|source| (source.path.clone(), source.clone())).collect();
        for source in files.scenarios.into_iter().filter(|source| !used::is_part(source)) {
            project.scenarios.extend(Scenario::parse_with(source, given, &parts, &mut problems));
        }
        check::check_parts(&project, &parts, &mut problems);
        check::check_given(&project, given, &mut problems);
        let mut outside = Outside::of(files.directory);
        for (source, cells) in project.cells() {
            outside.read_files(source, cells, &mut problems);
        }
        project.outside = outside;
        check::check(&project, &mut problems);
        (project, problems)
    }

    /// The cells of all rows, with the file they stand in.
    fn cells(&self) -> impl Iterator<Item = (&Arc<Source>, &[Entry])> {
        let steps = self.scenarios.iter().flat_map(|scenario| &scenario.steps);
        let written = steps.flat_map(|step| step.action.cells(&step.source));
        self.fixtures.iter().flat_map(Fixture::cells).chain(written)
    }

    /// The fixtures of that name: one, or those of several tables in one file.
    pub fn fixtures_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Fixture> {
        self.fixtures.iter().filter(move |fixture| fixture.name == name)
    }
}
