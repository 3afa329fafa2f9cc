//! `up`, `migrate`, `seed` and `run`: the commands that do the work, or a part of it.

use std::sync::{Arc, LazyLock};

use super::environment::Environment;
use super::options::Options;
use super::target::Target;
use super::terminal::Terminal;
use super::update::{Reviewer, Update};
use super::{Refusal, censor, dsn, plan};
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, did_you_mean};
use crate::project::edit::Edit;
use crate::project::fixture::Fixture;
use crate::project::load::{self, Files};
use crate::project::outside::Variables;
use crate::project::scenario::Scenario;
use crate::project::source::{Name, Source, Span};
use crate::report::exit::Exit;
use crate::report::{StepReport, has_errors};
use crate::run::{self, Story, Work};
use crate::step::control::Control;
use crate::step::expect::Expect;
use crate::step::links::Links;
use crate::step::seed::Purpose;
use crate::step::{Step, seed};

/// Whether migrations come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrations {
    /// They do.
    First,
    /// They are left alone.
    Not,
}

/// Runs scenarios, after migrating if asked.
pub fn up(
    options: &Options,
    scenarios: &[String],
    migrations: Migrations,
    update: &Update,
) -> Result<Exit, Refusal> {
    update.check(options)?;
    let (target, project, warnings) = ahead(options)?;
    let scenarios = select_running(&project, scenarios)?;
    update.check_files(&scenarios)?;
    let stories = scenarios.into_iter().map(Story::from).collect();
    work(options, target, &project, warnings, migrations == Migrations::First, stories, update)
}

/// Applies pending migrations.
pub fn migrate(options: &Options) -> Result<Exit, Refusal> {
    let (target, project, warnings) = ahead(options)?;
    work(options, target, &project, warnings, true, Vec::new(), &Update::default())
}

/// Applies fixtures, or removes their rows, as one step.
///
/// With `is_plan` it is only shown what that would do.
pub fn seed(options: &Options, names: &[String], purpose: Purpose, is_plan: bool) -> Result<Exit, Refusal> {
    let (project, warnings) = project(options)?;
    let source = Source::new("the command line", "");
    let known = project.fixtures.iter().map(|fixture| fixture.name.as_str());
    let unknown: Vec<Diagnostic> = names
        .iter()
        .filter(|name| project.fixtures_named(name).next().is_none())
        .map(|name| {
            Diagnostic::error(format!("there is no fixture `{name}`"))
                .maybe_help(did_you_mean(name, known.clone()))
        })
        .collect();
    if !unknown.is_empty() {
        return Err(Refusal { exit: Exit::Invalid, diagnostics: unknown });
    }
    let mut chosen: Vec<&str> = Vec::new();
    for name in
        if names.is_empty() { known.collect() } else { names.iter().map(String::as_str).collect::<Vec<_>>() }
    {
        if !chosen.contains(&name) {
            chosen.push(name);
        }
    }
    if chosen.is_empty() {
        return Err(Refusal::new(
            Exit::Invalid,
            Diagnostic::error("the project has no fixtures").help("begin one: `seedbed new fixture TABLE`"),
        ));
    }
    let title = match purpose {
        Purpose::Remove => format!("{}, removed", chosen.join(", ")),
        _ => chosen.join(", "),
    };
    let fixtures =
        chosen.iter().map(|name| Name { text: (*name).to_owned(), span: Span::default() }).collect();
    let step = Step {
        kind: &seed::KIND,
        title: Name { text: title, span: Span::default() },
        span: Span::default(),
        action: Box::new(seed::Seed { fixtures, tables: Vec::new(), mode: None, purpose }),
        expect: Expect::of(&seed::KIND),
        changes: None,
        control: Control::default(),
        links: Links::default(),
        source,
    };
    if is_plan {
        return plan::step(options, &project, &step);
    }
    let steps = std::slice::from_ref(&step);
    let stories = vec![Story { title: "fixtures", file: "", steps, done: &[] }];
    work(options, None, &project, warnings, false, stories, &Update::default())
}

/// The project, when it has no errors; its warnings beside it.
pub fn project(options: &Options) -> Result<(Project, Vec<Diagnostic>), Refusal> {
    understood(options, load::load(&options.dir))
}

fn understood(options: &Options, files: Files) -> Result<(Project, Vec<Diagnostic>), Refusal> {
    let environment = options.env.as_deref().filter(|name| !name.is_empty());
    let (mut project, mut diagnostics) =
        Project::parse_for(files, environment, &options.vars.iter().cloned().collect());
    if has_errors(&diagnostics) {
        diagnostics.sort_by_key(|diagnostic| {
            diagnostic.place.as_ref().map(|place| (place.source.path.clone(), place.span.start))
        });
        return Err(Refusal { exit: Exit::Invalid, diagnostics });
    }
    if let Some(now) = options.now {
        project.outside.now = humantime::format_rfc3339_micros(now).to_string().into();
    }
    project.outside.variables = variables(options);
    Ok((project, diagnostics))
}

/// The database, if it was chosen ahead of its use.
type Ahead = Option<Result<Target, Refusal>>;

/// The project, and the database, which is connected to while the YAML is read: the server takes as long to
/// answer as that takes. An error in the project is told all the same, and before any error about the
/// database; one in the names of migrations before anybody connects.
fn ahead(options: &Options) -> Result<(Ahead, Project, Vec<Diagnostic>), Refusal> {
    let files = load::load(&options.dir);
    let is_sound = files.problems.is_empty() && files.have_sound_names();
    let mut target = (is_sound && !options.throwaway).then(|| Target::choose(options));
    if let Some(Ok(target)) = &mut target {
        target.connection.begin();
    }
    let (project, warnings) = understood(options, files)?;
    Ok((target, project, warnings))
}

/// The variables that fixtures may ask for. Who is given a value is given a secret: from then on it is not
/// printed. Nothing is read before somebody asks.
fn variables(options: &Options) -> Variables {
    let (directory, file) = (options.dir.clone(), options.env_file());
    let environment =
        LazyLock::new(move || Environment::load(&directory, &file).map_err(|it| it.to_string()));
    Arc::new(move |name| {
        let environment = environment.as_ref().map_err(String::clone)?;
        dsn::refuse_unusable(name, environment).map_err(|error| error.to_string())?;
        let value = environment.get(name);
        value.inspect(|value| censor::keep_text(value));
        Ok(value.map(str::to_owned))
    })
}

/// Notes variables that the stories' rows need and that cannot be used.
pub fn check_variables(project: &Project, stories: &[Story]) -> Result<(), Refusal> {
    let mut diagnostics = Vec::new();
    for step in stories.iter().flat_map(|story| story.steps).filter(|step| !step.is_skipped()) {
        let named = step.action.fixtures(project).into_iter().flat_map(Fixture::cells);
        for (source, cells) in named.chain(step.action.cells(&step.source)) {
            project.outside.check_variables(source, cells, &mut diagnostics);
        }
        diagnostics.extend(step.action_now(&project.outside, None).err().into_iter().flatten());
    }
    let mut seen = Vec::new();
    diagnostics.retain(|problem| {
        !seen.contains(problem) && {
            seen.push(problem.clone());
            true
        }
    });
    match diagnostics.is_empty() {
        true => Ok(()),
        false => Err(Refusal { exit: Exit::Invalid, diagnostics }),
    }
}

fn work(
    options: &Options,
    target: Ahead,
    project: &Project,
    warnings: Vec<Diagnostic>,
    migrate: bool,
    stories: Vec<Story>,
    update: &Update,
) -> Result<Exit, Refusal> {
    check_variables(project, &stories)?;
    let mut terminal = Terminal::new(options);
    terminal.warn(warnings);
    let mut target = match target.unwrap_or_else(|| Target::choose(options)) {
        Ok(target) => target,
        Err(refusal) => return Err(refusal.behind(terminal.into_warnings())),
    };
    terminal.is_of(&target.connection.run);
    let reviewer = Reviewer::new(update, target.connection.clock.clone());
    let decide = |step: &StepReport, edits: &[Edit]| reviewer.decide(step, edits);
    let asked = update.is_asked_for().then_some(run::update::Update { decide: &decide });
    if update.review {
        terminal.is_reviewed_by(&reviewer);
    }
    let migrate = migrate.then_some(run::NEWEST);
    let work = Work { migrate, stories, update: asked, ..options.work(project) };
    let report = run::run(&work, &mut target.connection, &mut |event| terminal.show(&event));
    // The server goes first, so that nothing is left when the last line is read.
    drop(target);
    terminal.finish(&report);
    Ok(report.exit())
}

/// The same, without those that rehearse an upgrade: only a database of their own can begin with an older
/// version.
pub fn select_running<'a>(project: &'a Project, names: &[String]) -> Result<Vec<&'a Scenario>, Refusal> {
    let scenarios = select(project, names)?;
    let rehearsal = scenarios.iter().find_map(|scenario| Some((scenario, scenario.from?)));
    match rehearsal.filter(|_| !names.is_empty()) {
        Some((scenario, from)) => Err(Refusal::new(
            Exit::Invalid,
            Diagnostic::error(format!("`{}` rehearses an upgrade", scenario.title.text))
                .at(&scenario.source, from.span)
                .note("it begins with an older version of the schema, on a database of its own")
                .help(format!("run it with `seedbed test {}`", scenario.source.stem())),
        )),
        None => Ok(scenarios.into_iter().filter(|scenario| scenario.from.is_none()).collect()),
    }
}

/// The scenarios of these names: a file's name with or without directory and extension, or a title.
pub fn select<'a>(project: &'a Project, names: &[String]) -> Result<Vec<&'a Scenario>, Refusal> {
    if names.is_empty() {
        return Ok(project.scenarios.iter().collect());
    }
    let mut selected: Vec<&Scenario> = Vec::new();
    let mut unknown = Vec::new();
    for name in names {
        let is_meant = |scenario: &&Scenario| {
            let source = &scenario.source;
            source.stem() == name
                || scenario.title.text == *name
                || source.path == *name
                || source.path.ends_with(&format!("/{name}"))
        };
        let mut meant = project.scenarios.iter().filter(is_meant).peekable();
        if meant.peek().is_none() {
            let known = project.scenarios.iter().map(|scenario| scenario.source.stem());
            unknown.push(
                Diagnostic::error(format!("there is no scenario `{name}`"))
                    .maybe_help(did_you_mean(name, known)),
            );
        }
        for scenario in meant {
            // Named by its file and by its title, or twice by mistake, it still runs once.
            if !selected.iter().any(|earlier| std::ptr::eq(*earlier, scenario)) {
                selected.push(scenario);
            }
        }
    }
    if unknown.is_empty() { Ok(selected) } else { Err(Refusal { exit: Exit::Invalid, diagnostics: unknown }) }
}
