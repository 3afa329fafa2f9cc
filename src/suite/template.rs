//! The template: a database that was migrated once, sealed, and is copied for each test.
//!
//! Its name is a hash of all that decides what is in it, so whoever wants the same meets the same, in this
//! run or a later one. It is finished when the server says that it is a sealed template; whatever else has
//! its name is a failed attempt, which the next one removes. Nothing is kept about it anywhere else.

use std::time::{Duration, Instant, SystemTime};

use super::Base;
use super::admin::Admin;
use super::copy::OURS;
use crate::database::connection::Connection;
use crate::database::databases::{Databases, Found, Server};
use crate::database::error::Error;
use crate::project::diagnostic::Diagnostic;
use crate::project::migration::Migration;
use crate::project::source::{Source, digest};
use crate::report::Migrated;
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::report::suite::Template;
use crate::run::guard::Guard;
use crate::run::{self, NEWEST, Stop, Work};

/// What the names of templates begin with.
pub const PREFIX: &str = "seedbed_tpl_";
/// What their comments begin with; the day of their last use follows.
const COMMENT: &str = "template of `seedbed test`, last used ";
/// How long one may be unused.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How often it is looked whether another run has finished one.
const LOOKED_EVERY: Duration = Duration::from_millis(50);
/// Raised when the same migrations by the same version would give something else.
const FORM: u32 = 1;

/// The template for the migrations up to a version, made if it is not there.
///
/// # Errors
///
/// A migration fails, or the server.
pub fn ensure(
    base: &Base,
    server: &Server,
    admin: &mut Admin,
    upto: i32,
    emit: &mut dyn FnMut(Event),
) -> Result<Template, Stop> {
    let started = Instant::now();
    let name = name(base, server, upto);
    let version = Some(upto).filter(|upto| *upto != NEWEST);
    loop {
        let found = admin.must(|databases| find(databases, &name))?;
        // One that is stale may be about to be removed.
        if let Some(found) = found.as_ref().filter(|found| !is_stale(found)) {
            touch(admin, found);
            let elapsed = started.elapsed();
            return Ok(Template { name, version, is_new: false, elapsed, migrations: Vec::new() });
        }
        if admin.must(|databases| databases.try_lock(&name))? {
            break;
        }
        base.clock.sleep(LOOKED_EVERY).map_err(|error| admin.trouble(&error))?;
    }
    let made = make(base, admin, &name, upto, emit);
    let _ = admin.act(|databases| databases.unlock(&name));
    let made = made?;
    let (is_new, migrations) = (made.is_some(), made.unwrap_or_default());
    Ok(Template { name, version, is_new, elapsed: started.elapsed(), migrations })
}

/// Removes templates that nobody has used for long, and what is left of failed attempts.
pub fn remove_stale(admin: &mut Admin) {
    let pattern = format!("^{PREFIX}[0-9a-f]{{16}}$");
    let Ok(found) = admin.act(|databases| databases.like(&pattern)) else { return };
    for found in found.iter().filter(|found| is_stale(found)) {
        let _ = admin.act(|databases| {
            if databases.try_lock(&found.name)? {
                let dropped = remove(databases, &found.name);
                databases.unlock(&found.name)?;
                dropped?;
            }
            Ok(())
        });
    }
}

/// Removes one whose lock we hold, if it still is stale, and nobody makes it under another lock: locks of
/// sessions on two databases do not meet.
fn remove(databases: &mut Databases, name: &str) -> Result<(), Error> {
    match find(databases, name)?.filter(is_stale) {
        Some(found) if !is_being_made(databases, name)? => databases.drop(&found),
        _ => Ok(()),
    }
}

/// Whether one is unfinished, or nobody has used it for long.
fn is_stale(found: &Found) -> bool {
    let day = day(SystemTime::now() - KEPT_FOR);
    !found.is_sealed || found.comment.strip_prefix(COMMENT).is_some_and(|used| *used < *day)
}

/// Whether a run is at work in it, and alive.
fn is_being_made(databases: &mut Databases, name: &str) -> Result<bool, Error> {
    for run in databases.runs(name)? {
        if databases.is_alive(&run, OURS)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes it, and says what was applied; nothing if another run was faster.
fn make(
    base: &Base,
    admin: &mut Admin,
    name: &str,
    upto: i32,
    emit: &mut dyn FnMut(Event),
) -> Result<Option<Vec<Migrated>>, Stop> {
    loop {
        let begun = admin.must(|databases| {
            if let Some(found) = find(databases, name)? {
                if !is_stale(&found) {
                    return Ok(Some(false));
                }
                if is_being_made(databases, name)? {
                    return Ok(None);
                }
                databases.drop(&found)?;
            }
            databases.create(name, None)?;
            Ok(Some(true))
        })?;
        match begun {
            Some(true) => break,
            Some(false) => return Ok(None),
            None => base.clock.sleep(LOOKED_EVERY).map_err(|error| admin.trouble(&error))?,
        }
    }
    let made = base.on(name, |connection| migrate(base, connection, upto, emit)).and_then(|migrations| {
        let sealed = admin.must(|databases| {
            databases.comment(name, &format!("{COMMENT}{}", day(SystemTime::now())))?;
            databases.seal(name)
        });
        sealed.map(|()| migrations)
    });
    if made.is_err() {
        // A signal may have stopped everything else.
        let mut admin = Admin::steady(&base.reach, admin.database());
        let _ = admin.act(|databases| databases.drop_copy(name));
    }
    made.map(Some)
}

/// Migrates it, and lets it have the ledger, so that no copy needs to.
fn migrate(
    base: &Base,
    connection: &mut Connection,
    upto: i32,
    emit: &mut dyn FnMut(Event),
) -> Result<Vec<Migrated>, Stop> {
    let work = Work {
        project: base.project,
        migrate: Some(upto),
        stories: Vec::new(),
        retry: base.reach.retry,
        guard: Guard::default(),
        update: None,
        keeps_sent: false,
    };
    let report = run::run(&work, connection, &mut |event| match event {
        // It is not the run's.
        Event::Ended { .. } => {}
        event => emit(event),
    });
    if let Some((exit, mut diagnostics)) = report.stopped {
        let note = "this was in the template that tests are copies of; it is dropped";
        if let Some(first) = diagnostics.first_mut() {
            first.notes.push(note.to_owned());
        }
        return Err(Stop { exit, diagnostics });
    }
    let ledger = connection.writing(emit).and_then(|session| session.with_ledger().map(drop));
    let trouble = |error: Error| Stop {
        exit: Exit::Unreachable,
        diagnostics: vec![Diagnostic::error(format!("the template could not be finished: {error}"))],
    };
    ledger.map_err(trouble)?;
    Ok(report.migrations)
}

fn find(databases: &mut Databases, name: &str) -> Result<Option<Found>, Error> {
    Ok(databases.like(&format!("^{name}$"))?.pop())
}

/// Notes that it is used today. Another run may do so at the very same time, which is as good.
fn touch(admin: &mut Admin, found: &Found) {
    let comment = format!("{COMMENT}{}", day(SystemTime::now()));
    if found.comment != comment {
        let _ = admin.act(|databases| databases.comment(&found.name, &comment));
    }
}

/// The day, as in `2026-01-31`.
fn day(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string().chars().take(10).collect()
}

/// The name for what these migrations, this program, this server and this role give.
fn name(base: &Base, server: &Server, upto: i32) -> String {
    let settings = format!(
        "{FORM} {} {} {} {:?}",
        env!("CARGO_PKG_VERSION"),
        server.version,
        server.role,
        base.reach.dsn.options
    );
    let settings = Source::new("settings", settings);
    let is_wanted = |migration: &&Migration| migration.version <= upto;
    let migrations = base.project.migrations.iter().filter(is_wanted);
    // Where a file lies does not matter, and its name does.
    let files: Vec<_> = migrations.map(|it| Source::new(it.stem(), it.source.text.clone())).collect();
    let all = std::iter::once(&*settings).chain(files.iter().map(|file| &**file));
    format!("{PREFIX}{}", digest(all))
}
