//! `verify`: states facts about tables, without SQL.
//!
//! ```yaml
//! - verify: Alice stayed and Zoe never was
//!   exists: {employees: [{name: Alice, department: Human Resources}]}
//!   absent: {employees: {name: Zoe}}
//!   count: [{employees: 3}, {employees: 2, where: {department: Human Resources}}]
//!   matches: employees             # every row of the fixture is there, with these values
//!   equals: [departments]          # the same, and no other row is
//!   unchanged: [audit_log]         # as right after an earlier step, or at the start
//!   since: Bob leaves
//!   idempotent: [departments]      # seeded again, it would write nothing
//! ```
//!
//! A row exists when at least one row of the table has all of its values; only the columns that are
//! named are looked at. Outcomes: `held`, `differs`. A reference to a row that is not there is an
//! error: nothing could be absent from it.

pub mod claim;
pub mod equal;
pub mod idempotent;
pub mod unchanged;

use std::sync::Arc;

use super::{Action, Head, Kind, Outcome, Step, seed};
use crate::plan::catalog::Catalog;
use crate::plan::fact::{self, Asked, Fact};
use crate::plan::{Access, Batch, Shape};
use crate::project::Project;
use crate::project::diagnostic::Diagnostic;
use crate::project::fixture::Fixture;
use crate::project::reading::Reading;
use crate::project::source::{Name, Source};
use crate::project::yaml::Entry;
use claim::Claim;
use equal::Equal;
use idempotent::Idempotent;
use unchanged::Unchanged;

/// The kind's line in the register.
pub const KIND: Kind = Kind {
    name: "verify",
    keys: &["exists", "absent", "count", "matches", "equals", "unchanged", "since", "except", "idempotent"],
    outcomes: &[Outcome::Held, Outcome::Differs],
    accepted: &[Outcome::Held],
    parse,
};

/// What a `verify` step says: at least one thing.
#[derive(Debug, Default)]
pub struct Verify {
    /// Of rows and their numbers.
    pub claims: Vec<Claim>,
    /// Of fixtures whose rows are there.
    pub equals: Vec<Equal>,
    /// Of tables that are as they were.
    pub unchanged: Option<Unchanged>,
    /// Of fixtures that would write nothing.
    pub idempotent: Option<Idempotent>,
}

fn parse(reading: &mut Reading, Head { span, .. }: Head, entries: Vec<Entry>) -> Option<Box<dyn Action>> {
    let mut verify = Verify::default();
    let mut unchanged = unchanged::Written::default();
    let is_empty = entries.is_empty();
    let known = reading.problems.len();
    for entry in entries {
        match entry.key.as_str() {
            "exists" | "absent" | "count" => claim::read(reading, entry, &mut verify.claims),
            "matches" | "equals" => equal::read(reading, entry, &mut verify.equals),
            "unchanged" | "since" | "except" => unchanged.read(reading, entry),
            "idempotent" => verify.idempotent = idempotent::read(reading, entry),
            _ => reading.unknown_key(&entry, "a `verify` step", KIND.keys),
        }
    }
    verify.unchanged = unchanged.finish(reading);
    let Verify { claims, equals, unchanged, idempotent } = &verify;
    if claims.is_empty() && equals.is_empty() && unchanged.is_none() && idempotent.is_none() {
        if is_empty || reading.problems.len() == known {
            reading.problem_help(
                span,
                "this step verifies nothing",
                "state a fact: `exists: {employees: {name: Alice}}`",
            );
        }
        return None;
    }
    Some(Box::new(verify))
}

impl Verify {
    /// The fixtures that it names.
    fn fixture_names(&self) -> impl Iterator<Item = &Name> {
        let tried = self.idempotent.iter().flat_map(Idempotent::names);
        self.equals.iter().map(|equal| &equal.fixture).chain(tried)
    }
}

impl Action for Verify {
    fn check(&self, project: &Project, source: &Arc<Source>, problems: &mut Vec<Diagnostic>) {
        let names: Vec<Name> = self.equals.iter().map(|equal| equal.fixture.clone()).collect();
        seed::check_fixtures(&names, project, source, problems);
        if let Some(idempotent) = &self.idempotent {
            idempotent.seed.check(project, source, problems);
        }
    }

    fn tables<'a>(&'a self, project: &'a Project) -> Vec<&'a str> {
        let own = self.claims.iter().map(|claim| claim.table.text.as_str());
        let kept = self.unchanged.iter().flat_map(Unchanged::names).map(|name| name.text.as_str());
        own.chain(self.fixtures(project).into_iter().flat_map(seed::tables)).chain(kept).collect()
    }

    fn sources<'a>(&'a self, project: &'a Project) -> Vec<&'a Source> {
        self.fixtures(project).into_iter().map(|fixture| &*fixture.source).collect()
    }

    fn writes(&self) -> bool {
        false
    }

    fn cells<'a>(&'a self, source: &'a Arc<Source>) -> Vec<(&'a Arc<Source>, &'a [Entry])> {
        self.claims.iter().filter_map(Claim::row).map(|row| (source, row.cells.as_slice())).collect()
    }

    fn fixtures<'a>(&'a self, project: &'a Project) -> Vec<&'a Fixture> {
        self.fixture_names().flat_map(|name| project.fixtures_named(&name.text)).collect()
    }

    fn compares(&self) -> bool {
        self.unchanged.is_some()
    }

    fn since(&self) -> Option<&Name> {
        self.unchanged.as_ref()?.since.as_ref()
    }

    fn compile(&self, step: &Step, project: &Project, catalog: &Catalog) -> Result<Batch, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut facts = Vec::new();
        let mut note = |compiled: Result<Fact, Vec<Diagnostic>>| match compiled {
            Ok(fact) => facts.push(fact),
            Err(wrong) => problems.extend(wrong),
        };
        if !self.claims.is_empty() {
            note(claim::compile(&self.claims, step, project, catalog).map(Fact::Asked));
        }
        if !self.equals.is_empty() {
            note(equal::compile(&self.equals, step, project, catalog).map(Fact::Asked));
        }
        if let Some(unchanged) = &self.unchanged {
            note(unchanged.compile(step, project, catalog).map(Fact::Kept));
        }
        // What is tried comes last: its transaction is no good for anything afterwards.
        if let Some(idempotent) = &self.idempotent {
            note(idempotent.compile(step, project, catalog).map(Fact::Tried));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        if let [Fact::Asked(Asked { intakes, .. })] = facts.as_slice()
            && intakes.is_empty()
            && let Some(Fact::Asked(Asked { statement, judge, .. })) = facts.pop()
        {
            let judge = move |answer: &_| judge(answer).map(|told| fact::judgement(vec![told]));
            return Ok(Batch::ready(Access::Read, statement, &[], Box::new(judge)));
        }
        let writes = |fact: &Fact| match fact {
            // A temporary table is made for the rows of files, which a reading transaction may not.
            Fact::Asked(asked) => !asked.intakes.is_empty(),
            Fact::Kept(_) => false,
            Fact::Tried(_) => true,
        };
        let access = if facts.iter().any(writes) { Access::Write } else { Access::Read };
        Ok(Batch::of(access, Shape::Facts(facts)))
    }
}
