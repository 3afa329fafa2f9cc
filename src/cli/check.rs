//! `check`: everything that can be known without a database.

use super::options::Options;
use super::terminal;
use super::{Refusal, up};
use crate::project::diagnostic::count;
use crate::report::exit::Exit;
use crate::report::text;

/// Reads the project and says what is wrong with it.
pub fn check(options: &Options) -> Result<Exit, Refusal> {
    let (project, warnings) = up::project(options)?;
    if options.json {
        let problems: Vec<_> = warnings.iter().map(|warning| warning.json()).collect();
        terminal::print_json(
            &serde_json::json!({ "version": 1, "exit": 0, "held": true, "problems": problems }),
        );
        return Ok(Exit::Held);
    }
    terminal::print_diagnostics(&warnings);
    if !options.quiet {
        let environments = match project.environments.len() {
            0 => String::new(),
            number => format!(", {} ({})", count(number, "environment"), project.environments.join(", ")),
        };
        let steps = project.scenarios.iter().map(|scenario| scenario.steps.len()).sum();
        terminal::print_line(&format!(
            "{}ok{:#}  {}, {}{environments}, {} with {}",
            text::GOOD,
            text::GOOD,
            count(project.migrations.len(), "migration"),
            count(project.fixtures.len(), "fixture"),
            count(project.scenarios.len(), "scenario"),
            count(steps, "step"),
        ));
    }
    Ok(Exit::Held)
}
