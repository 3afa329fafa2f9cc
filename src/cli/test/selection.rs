//! Which scenarios are tested.

use std::collections::BTreeSet;

use super::arguments::{Arguments, Isolate};
use super::last;
use crate::cli::options::Options;
use crate::cli::{Refusal, terminal, up};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count, list as listed, printable};
use crate::project::scenario::Scenario;
use crate::report::exit::Exit;
use crate::report::text::{FAINT, HEAD};
use crate::suite::filter::{Filter, Subject};
use crate::suite::plan;

/// The most titles and tags that are shown when nothing was selected.
const SHOWN_MAX: usize = 10;

/// The scenarios that are meant.
///
/// # Errors
///
/// A name or the filter means nothing that is there.
pub fn select<'p>(
    project: &'p Project,
    options: &Options,
    arguments: &Arguments,
) -> Result<Vec<&'p Scenario>, Refusal> {
    let mut scenarios = match arguments.isolate {
        Isolate::Template => up::select(project, &arguments.scenarios)?,
        Isolate::None => up::select_running(project, &arguments.scenarios)?,
    };
    if scenarios.is_empty() {
        let problem = Diagnostic::error("the project has no scenarios");
        return Err(Refusal::new(Exit::Invalid, problem.help("begin one: `seedbed new scenario NAME`")));
    }
    if let Some(text) = &arguments.filter {
        let filter = Filter::parse(text).map_err(|problem| Refusal::new(Exit::Invalid, problem))?;
        let (meant, others): (Vec<&Scenario>, Vec<&Scenario>) =
            scenarios.into_iter().partition(|scenario| filter.means(&Subject::from(*scenario)));
        if meant.is_empty() {
            return Err(Refusal::new(Exit::Invalid, nothing(text, &others)));
        }
        scenarios = meant;
    }
    if arguments.rerun_failed {
        let Some(failed) = last::read(&options.dir) else {
            let problem = Diagnostic::error("nobody knows how the last tests of this project went");
            let help = "run all of them once; it is kept in the cache, see SEEDBED_CACHE_DIR";
            return Err(Refusal::new(Exit::Invalid, problem.help(help)));
        };
        scenarios.retain(|scenario| failed.contains(&scenario.title.text));
        if scenarios.is_empty() {
            return Ok(scenarios);
        }
    }
    if let Some((number, of)) = arguments.shard {
        let all = scenarios.len();
        scenarios = plan::shard(scenarios, (number, of));
        if scenarios.is_empty() {
            let message = format!("part {number} of {of} is empty, of {}", count(all, "scenario"));
            return Err(Refusal::new(Exit::Invalid, Diagnostic::error(message).help("use fewer parts")));
        }
    }
    Ok(scenarios)
}

/// That a filter means nothing, and what there is.
fn nothing(filter: &str, others: &[&Scenario]) -> Diagnostic {
    let subjects: Vec<Subject> = others.iter().map(|scenario| Subject::from(*scenario)).collect();
    let of = |words: BTreeSet<&str>| {
        let more = words.len().saturating_sub(SHOWN_MAX);
        let shown: Vec<&str> = words.into_iter().take(SHOWN_MAX).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", listed(&shown))
    };
    let tags: BTreeSet<&str> = subjects.iter().flat_map(|it| it.tags.iter().copied()).collect();
    let kinds: BTreeSet<&str> = subjects.iter().flat_map(|it| it.kinds.iter().copied()).collect();
    let files = subjects.iter().map(|it| it.path).collect();
    let mut problem = Diagnostic::error(format!("no scenario is meant by `{filter}`")).note(format!(
        "of {}: {}",
        count(others.len(), "scenario"),
        of(files)
    ));
    if !tags.is_empty() {
        problem = problem.note(format!("tags: {}", of(tags)));
    }
    problem
        .note(format!("kinds: {}", of(kinds)))
        .help("`seedbed test --list` shows all of them with their titles")
}

/// Shows what is selected.
pub fn list(options: &Options, scenarios: &[&Scenario]) {
    let tags = |scenario: &Scenario| scenario.tags.iter().map(|tag| tag.text.clone()).collect::<Vec<_>>();
    if options.json {
        let scenarios: Vec<_> = scenarios
            .iter()
            .map(|scenario| {
                serde_json::json!({
                    "title": scenario.title.text,
                    "file": scenario.source.path,
                    "tags": tags(scenario),
                    "steps": scenario.steps.len(),
                })
            })
            .collect();
        return terminal::print_json(&serde_json::json!({ "version": 1, "scenarios": scenarios }));
    }
    let width = scenarios.iter().map(|scenario| scenario.title.text.chars().count()).max().unwrap_or(0);
    for scenario in scenarios {
        let title = printable(&scenario.title.text);
        let padding = " ".repeat(width.saturating_sub(title.chars().count()));
        let tags: String = tags(scenario).iter().map(|tag| format!("  #{}", printable(tag))).collect();
        let steps = count(scenario.steps.len(), "step");
        let file = printable(&scenario.source.path);
        terminal::print_line(&format!(
            "{HEAD}{title}{HEAD:#}{padding}  {file}  {FAINT}{steps}{tags}{FAINT:#}"
        ));
    }
    terminal::print_line(&format!("\n{}", count(scenarios.len(), "scenario")));
}
