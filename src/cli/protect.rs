//! `environment`: what the database is said to be, recorded in it.

use clap::Args;

use super::options::Options;
use super::target::Target;
use super::{Refusal, terminal};
use crate::database::environment::{self, Environment};
use crate::project::Project;
use crate::project::diagnostic::Diagnostic;
use crate::report::exit::Exit;
use crate::run::Stop;

/// What to record.
#[derive(Debug, Args)]
pub struct Record {
    /// The name to record, like production [default: show what is recorded]
    name: Option<String>,
    /// Refuse steps that delete, unless they are confirmed by the name
    #[arg(long, requires = "name")]
    protect: bool,
}

/// Refuses to call a database otherwise, or to protect it no more, by mistake.
fn may_replace(found: Option<&Environment>, new: &Environment, confirmed: Option<&str>) -> Result<(), Stop> {
    let Some(found) = found.filter(|found| confirmed != Some(&found.name)) else { return Ok(()) };
    if found.name == new.name && (new.is_protected || !found.is_protected) {
        return Ok(());
    }
    let protected = if found.is_protected { ", protected" } else { "" };
    let problem = Diagnostic::error(format!("this is `{}`{protected} already", found.name))
        .note("nothing was recorded")
        .help(format!("if this is what you want: `--confirm {}`", found.name));
    Err(Stop { exit: Exit::Protected, diagnostics: vec![problem] })
}

/// Shows what is recorded, or records it.
pub fn environment(options: &Options, record: &Record) -> Result<Exit, Refusal> {
    if record.name.as_ref().is_some_and(|name| name.trim().is_empty() || name.contains(char::is_control)) {
        return Err(Refusal::new(
            Exit::Invalid,
            Diagnostic::error("an environment needs a name").help("like `production`"),
        ));
    }
    options.refuse_dry_run("`seedbed environment` without a name shows what is recorded")?;
    let mut target = Target::choose(options)?;
    let found = target.run(options, &Project::default(), |run| match &record.name {
        Some(name) => {
            let new = Environment { name: name.clone(), is_protected: record.protect };
            let found = run.reading("the environment", environment::read)?;
            may_replace(found.as_ref(), &new, options.confirm.as_deref())?;
            run.writing("the environment", |session| environment::record(session, &new)).map(|()| Some(new))
        }
        None => run.reading("the environment", environment::read),
    })?;
    if options.json {
        terminal::print_json(&serde_json::json!({
            "version": 1,
            "target": target.connection.dsn.name(),
            "exit": 0,
            "held": true,
            "environment": found.as_ref().map(|found| &found.name),
            "protected": found.as_ref().is_some_and(|found| found.is_protected),
        }));
        return Ok(Exit::Held);
    }
    terminal::print_line(&match found {
        None => "nothing is recorded; `seedbed environment NAME --protect` does".to_owned(),
        Some(Environment { name, is_protected: true }) => format!("{name}, protected"),
        Some(Environment { name, is_protected: false }) => format!("{name}, not protected"),
    });
    Ok(Exit::Held)
}
