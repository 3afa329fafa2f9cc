//! How an end looks: a sign and a name for the style, so that no colour is needed to tell.

use crate::report::exit::Exit;
use crate::report::suite::Verdict;
use crate::report::{End, StepReport};

/// The sign, and the style's name for it.
pub type Mark = (&'static str, &'static str);

/// A test's.
pub fn of_test(verdict: Verdict) -> Mark {
    match verdict {
        Verdict::Held => ("✓", "held"),
        Verdict::Flaky => ("↻", "flaky"),
        Verdict::Failed => ("✗", "failed"),
        Verdict::Error => ("!", "error"),
        Verdict::NotRun => ("–", "not-run"),
    }
}

/// A step's.
pub fn of_step(step: &StepReport) -> Mark {
    match step.end {
        End::Accepted(_) | End::Updated(_) if step.is_flaky() => ("↻", "flaky"),
        End::Accepted(_) => ("✓", "held"),
        End::Updated(_) => ("✎", "updated"),
        End::Refused(_) => ("✗", "failed"),
        End::Error | End::Unknown => ("!", "error"),
        End::NotRun | End::Skipped => ("–", "not-run"),
    }
}

/// A whole suite's.
pub fn of_suite(exit: Exit) -> Mark {
    if exit == Exit::Held { of_test(Verdict::Held) } else { of_test(Verdict::Failed) }
}

/// The same for the browser's tab.
pub fn icon(exit: Exit) -> &'static str {
    match exit {
        Exit::Held => concat!(
            "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>",
            "<circle cx='8' cy='8' r='8' fill='%231f7a4a'/>",
            "<path d='m4.5 8.3 2.4 2.4 4.6-5' fill='none' stroke='white' stroke-width='1.8'/></svg>"
        ),
        _ => concat!(
            "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>",
            "<circle cx='8' cy='8' r='8' fill='%23b3261e'/>",
            "<path d='m5 5 6 6m0-6-6 6' fill='none' stroke='white' stroke-width='1.8'/></svg>"
        ),
    }
}
