//! Parts of reports, for those who test what is made of them.

use std::time::Duration;

use seedbed::plan::wrote::Wrote;
use seedbed::project::source::Place;
use seedbed::report::exit::Exit;
use seedbed::report::suite::{Template, TestReport};
use seedbed::report::{End, Migrated, StepReport};

/// A step that ended so, at once; one that was not run took no try.
pub fn step(kind: &'static str, title: &str, place: Place, end: End) -> StepReport {
    let is_run = !matches!(end, End::NotRun | End::Skipped);
    StepReport {
        kind,
        title: title.to_owned(),
        place,
        end,
        is_final: false,
        detail: None,
        wrote: Vec::new(),
        captured: None,
        rewrite: None,
        attempts: u32::from(is_run),
        retried: Vec::new(),
        sent: Vec::new(),
        begun: Duration::ZERO,
        elapsed: Duration::ZERO,
        diagnostics: Vec::new(),
    }
}

/// A test of these steps, on a database without a name, that took no time.
pub fn test(title: &str, file: &str, exit: Option<Exit>, steps: Vec<StepReport>) -> TestReport {
    TestReport {
        title: title.to_owned(),
        file: file.to_owned(),
        tags: Vec::new(),
        repeat: None,
        database: String::new(),
        kept: None,
        worker: 0,
        begun: Duration::ZERO,
        elapsed: Duration::ZERO,
        making: Duration::ZERO,
        dropping: Duration::ZERO,
        exit,
        steps,
        again: Vec::new(),
        problems: Vec::new(),
    }
}

/// A new template with these migrations, which took so many milliseconds each.
pub fn template(name: &str, elapsed: Duration, migrations: &[&str], each: u64) -> Template {
    let migrated = |title: &&str| Migrated {
        title: (*title).to_owned(),
        elapsed: ms(each),
        attempts: 1,
        is_other_s: false,
    };
    Template {
        name: name.to_owned(),
        version: None,
        is_new: true,
        elapsed,
        migrations: migrations.iter().map(migrated).collect(),
    }
}

/// Rows inserted, updated and deleted in a table.
pub fn wrote(table: &str, rows: [u64; 3]) -> Wrote {
    Wrote { schema: "public".to_owned(), table: table.to_owned(), rows }
}

/// So many milliseconds.
pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
