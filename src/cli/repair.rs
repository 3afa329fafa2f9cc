//! `repair` and `baseline`: mend what the history says, never what was done.

use super::options::Options;
use super::target::Target;
use super::{Refusal, terminal, up};
use crate::database::error::Phase;
use crate::migrate::history::{self, Applied};
use crate::migrate::outcome::Failure;
use crate::migrate::repair::{self, Repair};
use crate::migrate::state::compare;
use crate::project::Project;
use crate::project::diagnostic::{Diagnostic, count};
use crate::project::migration::Migration;
use crate::report::exit::Exit;
use crate::report::text;
use crate::run::explain;

/// Shows what can be repaired, or repairs the named versions.
pub fn repair(options: &Options, versions: &[i64]) -> Result<Exit, Refusal> {
    options.refuse_dry_run("`seedbed repair` without versions shows what it would write")?;
    let (project, _) = up::project(options)?;
    let mut target = Target::choose(options)?;
    let rows = read(options, &mut target)?;
    let possible = repair::repairs(&compare(&project.migrations, &rows));
    let missing: Vec<Diagnostic> = versions
        .iter()
        .filter(|version| !possible.iter().any(|repair| repair.version == **version))
        .map(|version| Repair::none(*version))
        .collect();
    if !missing.is_empty() {
        return Err(Refusal { exit: Exit::Migration, diagnostics: missing });
    }
    let chosen: Vec<Repair> =
        possible.iter().filter(|repair| versions.contains(&repair.version)).cloned().collect();
    if !chosen.is_empty() {
        target.run(options, &project, |run| {
            run.writing("the history", |session| repair::repair(session, &chosen))
        })?;
    }
    let shown = if chosen.is_empty() { &possible } else { &chosen };
    if options.json {
        terminal::print_json(&serde_json::json!({
            "version": 1,
            "target": target.connection.dsn.name(),
            "exit": 0,
            "held": true,
            "repaired": !chosen.is_empty(),
            "repairs": shown.iter().map(json).collect::<Vec<_>>(),
        }));
        return Ok(Exit::Held);
    }
    shown.iter().for_each(|repair| terminal::print_line(&line(repair)));
    let (good, head) = (text::GOOD, text::HEAD);
    terminal::print_line(&match (chosen.len(), possible.len()) {
        (0, 0) => format!("{good}ok{good:#}  every row of the history fits its file"),
        (0, _) => {
            let versions: Vec<String> = possible.iter().map(|repair| repair.version.to_string()).collect();
            format!(
                "\nnothing was written; to accept the files as they are: {head}seedbed repair {}{head:#}",
                versions.join(" ")
            )
        }
        (done, _) => format!("\n{good}ok{good:#}  {} written anew", count(done, "row")),
    });
    Ok(Exit::Held)
}

/// Records every migration up to a version as applied, without running it.
pub fn baseline(options: &Options, version: i32) -> Result<Exit, Refusal> {
    options.refuse_dry_run("`seedbed status` shows what the history has")?;
    let (project, _) = up::project(options)?;
    if !project.migrations.iter().any(|file| file.version == version) {
        let problem = Diagnostic::error(format!("there is no migration {version}"))
            .help("name the version that the database is at; `seedbed check` lists what is wrong with files");
        return Err(Refusal::new(Exit::Invalid, problem));
    }
    let mut target = Target::choose(options)?;
    let rows = read(options, &mut target)?;
    if !rows.is_empty() {
        return Err(Refusal::new(Exit::Migration, repair::has_history(&rows)));
    }
    let files: Vec<&Migration> = project.migrations.iter().filter(|file| file.version <= version).collect();
    let session = target.connection.writing(&mut |_| {});
    let session = session.map_err(|error| Failure::Database(error, Phase::Connect));
    // It is looked at once more under the lock of the run: another one may be migrating at this moment.
    let recorded = session.and_then(|session| repair::baseline(session, &files));
    recorded.map_err(|failure| match failure {
        Failure::Refused(problem) => Refusal::new(Exit::Migration, *problem),
        Failure::Database(error, _) => Refusal::from(explain::stop(&target.connection, &error)),
    })?;
    if options.json {
        let titles: Vec<String> = files.iter().map(|file| file.title()).collect();
        terminal::print_json(&serde_json::json!({
            "version": 1, "target": target.connection.dsn.name(), "exit": 0, "held": true, "recorded": titles,
        }));
    } else {
        files.iter().for_each(|file| terminal::print_line(&format!("  recorded  {}", file.title())));
        let good = text::GOOD;
        terminal::print_line(&format!(
            "\n{good}ok{good:#}  {} recorded, none was run",
            count(files.len(), "migration")
        ));
    }
    Ok(Exit::Held)
}

fn read(options: &Options, target: &mut Target) -> Result<Vec<Applied>, Refusal> {
    let limit = target.connection.limits.statement;
    let rows = target.run(options, &Project::default(), |run| {
        run.reading("the history", |session| history::read(session, limit))
    })?;
    Ok(rows.unwrap_or_default())
}

fn line(repair: &Repair) -> String {
    let faint = text::FAINT;
    let from = repair.from.checksum.as_deref().unwrap_or("no checksum");
    let renamed = match repair.from.name.as_deref() {
        Some(name) if name == repair.name => String::new(),
        name => format!(", from `{}`", name.unwrap_or("no name")),
    };
    format!("  V{} {}{renamed}  {faint}{from} → {}{faint:#}", repair.version, repair.name, repair.checksum)
}

fn json(repair: &Repair) -> serde_json::Value {
    serde_json::json!({
        "version": repair.version,
        "name": { "from": repair.from.name, "to": repair.name },
        "checksum": { "from": repair.from.checksum, "to": repair.checksum.to_string() },
    })
}
