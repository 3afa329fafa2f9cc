//! Words for what the server or the connection says, at the author's place.

mod blame;
mod copy;
mod detail;

use crate::database::connection::Connection;
use crate::database::dsn::SslMode;
use crate::database::error::{Error, ServerError};
use crate::database::session::Session;
use crate::plan::intake::Intake;
use crate::plan::staged::{Cell, Expression};
use crate::plan::{Access, Statement};
use crate::project::diagnostic::{Diagnostic, printable};
use crate::report::event::Event;
use crate::report::exit::Exit;
use crate::run::Stop;
use crate::step::Step;
use crate::step::control::Control;

/// The most cells that are bound to one statement when the refused one is looked for: the protocol
/// counts parameters in 16 bits.
const CELLS_MAX: usize = 30_000;
/// The most expressions that are tried one by one.
const EXPRESSIONS_MAX: usize = 100;

/// A row of a file that the server refused while it was copied, if it says which.
pub fn copied(intake: &Intake, server: &ServerError) -> Option<Diagnostic> {
    let (line, column) = copy::line(server.context.as_deref()?)?;
    let row = intake.file.row_sent(line, &intake.pick)?;
    let at = column.and_then(|column| intake.column(column));
    let place = at.and_then(|at| row.places.get(at).cloned()).or_else(|| row.place())?;
    let mut diagnostic =
        Diagnostic::error(format!("{} ({})", server.message, server.sqlstate)).at_place(place);
    if let Some(fitting) = at.and_then(|at| intake.fittings.get(at)) {
        diagnostic = diagnostic.label(format!("for `{}` of type {}", fitting.what, fitting.exactly));
    }
    diagnostic.notes.extend(server.detail.as_deref().map(printable));
    Some(diagnostic.maybe_help(advice(server, Access::Write)))
}

/// A step that the server refused: the words of the server, at the value, query or step it is about.
pub fn step(
    step: &Step,
    access: Access,
    statement: &Statement,
    error: &Error,
    connection: &mut Connection,
    emit: &mut dyn FnMut(Event),
) -> Diagnostic {
    let Some(server) = error.server() else { return at_step(Diagnostic::error(error.to_string()), step) };
    let mut diagnostic = Diagnostic::error(format!("{} ({})", server.message, server.sqlstate));
    let in_query = server.position.and_then(|position| statement.locate.as_ref()?(position));
    let parameter = parameter_number(server)
        .and_then(|number| statement.parameters.get(number.checked_sub(1)?))
        .and_then(|parameter| Some((parameter.place.clone()?, &parameter.what)));
    diagnostic = if let Some((place, words)) = in_query {
        match words {
            Some(words) => Diagnostic::error(words),
            None => diagnostic,
        }
        .at_place(place)
    } else if let Some((place, what)) = parameter {
        diagnostic.at_place(place).label(format!("for `{what}`"))
    } else if let Some(cell) = find_cell(statement, server, connection, emit) {
        if cell.is_secret {
            // The server quotes the value, or a part of it that nobody would know again.
            return unshown(cell, server)
                .note(format!("{} `{}` was rolled back", step.kind.name, step.title.text));
        }
        diagnostic
            .at_place(cell.place.clone())
            .label(format!("for `{}` of type {}", cell.what, cell.type_name))
    } else if let Some(expression) = find_expression(statement, server, connection, emit) {
        diagnostic.at_place(expression.place.clone()).label(format!("for `{}`", expression.what))
    } else if let Some(blamed) = find_row(statement, server, connection, emit) {
        let diagnostic = diagnostic.at_place(blamed.place.clone());
        match blamed.first {
            Some(first) if first.source == blamed.place.source => {
                diagnostic.context(first.span, "first here")
            }
            Some(first) => diagnostic.note(format!("the first is at {first}")),
            None => diagnostic,
        }
    } else if let Some(table) = blame::table(&statement.staged, server) {
        diagnostic.at_place(table.place.clone())
    } else {
        match (step.source.text.is_empty(), blame::files(&statement.staged, server)) {
            _ if statement.place.is_some() => Diagnostic { place: statement.place.clone(), ..diagnostic },
            (true, Some(files)) => diagnostic.note(format!("it is one of {files}")),
            _ => at_step(diagnostic, step),
        }
    };
    if let Some(constraint) = &server.constraint {
        let of = server.table.as_ref().map(|table| format!(" of `{table}`")).unwrap_or_default();
        diagnostic = diagnostic.note(format!("constraint `{constraint}`{of}"));
    }
    if let Some(detail) = &server.detail {
        diagnostic = diagnostic.note(detail.clone());
    }
    if let Some((query, _)) = &server.internal {
        diagnostic = diagnostic.note(format!("in a function, at: {query}"));
    }
    diagnostic = diagnostic.note(format!("{} `{}` was rolled back", step.kind.name, step.title.text));
    let help = match (server.sqlstate.as_str(), &step.control) {
        ("57014", Control { timeout: Some(_), .. }) => {
            Some("raise the step's `timeout`, or find out what the statement waits for".to_owned())
        }
        ("42501", Control { role: Some(role), .. }) => Some(format!(
            "grant the right to `{}`, or say that it is missed: `expect: {{error: …}}`",
            role.text
        )),
        _ => advice(server, access).or(server.hint.clone()),
    };
    diagnostic.maybe_help(help)
}

/// A step whose rows conflict with themselves when they are asked for once more.
pub fn not_found_again(step: &Step, server: &ServerError) -> Diagnostic {
    let problem = Diagnostic::error("what was written cannot be found again by its key")
        .note(format!("once more, it is refused: {}", server.message))
        .note("a trigger or rule changes what is written: every run would write it again")
        .help("let the trigger leave the columns of the key alone, or take others as the key");
    at_step(problem, step)
}

/// Points at the step, if it stands in a file.
fn at_step(diagnostic: Diagnostic, step: &Step) -> Diagnostic {
    match step.source.text.is_empty() {
        true => diagnostic,
        false => diagnostic.at(&step.source, step.span),
    }
}

/// The row that violates a constraint, as far as the error's fields tell.
fn find_row(
    statement: &Statement,
    server: &ServerError,
    connection: &mut Connection,
    emit: &mut dyn FnMut(Event),
) -> Option<blame::Blamed> {
    if !server.sqlstate.starts_with("23") || statement.staged.cells.is_empty() {
        return None;
    }
    blame::row(&statement.staged, server, connection.session(emit).ok()?)
}

/// What to do about some errors of which the server only says what they are.
fn advice(server: &ServerError, access: Access) -> Option<String> {
    let advice = match server.sqlstate.as_str() {
        "22007" | "22008" => "write dates and times as in `2026-12-31 23:59:59+00`",
        "57014" => "raise the limit with --statement-timeout, or find out what the statement waits for",
        "55P03" => {
            "another session holds the lock; `select * from pg_locks where not granted` shows who waits"
        }
        "25006" if access == Access::Read => {
            "`assert` only reads; write with `add`, `change`, `delete`, `seed` or `sql`"
        }
        "25006" => "the server is read-only: is it a standby?",
        "22021" => "files of rows are read as UTF-8: save this one so",
        "42P02" => "this statement takes no parameters: write the value into it",
        "2D000" => "the step is one transaction already: let the function neither commit nor roll back",
        "25001" => "what cannot run in a transaction is for a migration with `-- seedbed: no-transaction`",
        "0A000" if server.message.contains("RETURNING") => {
            "a rule writes these rows elsewhere: seed the tables that it leads to, or make it a trigger"
        }
        "42501" => "grant the right to the role of the connection, or connect as another one",
        _ => return None,
    };
    Some(advice.to_owned())
}

/// The end of a run whose database is out of reach or does not want us, or that was told to end.
pub fn stop(connection: &Connection, error: &Error) -> Stop {
    Stop { exit: exit(error), diagnostics: vec![self::connection(connection, error)] }
}

/// The exit status of such a run.
pub fn exit(error: &Error) -> Exit {
    match error {
        Error::Interrupted(signal) => Exit::Interrupted(*signal),
        Error::Locked { .. } => Exit::Locked,
        _ => Exit::Unreachable,
    }
}

/// A connection that cannot be made, breaks again and again, or may not be used any longer.
pub fn connection(connection: &Connection, error: &Error) -> Diagnostic {
    let name = connection.dsn.name();
    let diagnostic = match error {
        Error::Server(server) if error.leaves_session_usable() => {
            return refused(Diagnostic::error(format!("{name} refused: {error}")), server);
        }
        Error::Server(_) => {
            return Diagnostic::error(format!("{name} ended the connection: {error}"))
                .note("it was tried again on a new one, as often as --attempts and --wait allow")
                .help("what ends sessions there? The server's log says who, or why");
        }
        Error::Interrupted(_) => {
            return Diagnostic::error(error.to_string())
                .note("what was running was rolled back; what was committed before stays")
                .help("run again: it goes on where it was, and does only what is missing");
        }
        Error::Late(_) => {
            return Diagnostic::error(error.to_string())
                .note("what was running was rolled back; what was committed before stays")
                .help("run again, or give it more time with --deadline");
        }
        Error::Locked { holder: Some(holder), .. } => {
            return Diagnostic::error(error.to_string())
                .note(format!("it is {holder}"))
                .note(format!("to end it: {}", holder.end()))
                .help("wait for it, for longer with --lock-wait, or end it if nobody needs it any more");
        }
        Error::Unfit(_) => {
            return Diagnostic::error(format!("{name}: {error}"))
                .help("create one, or set the role's search_path to one that exists");
        }
        Error::NoPassword | Error::NoTls | Error::Lost { is_transient: false, .. } => {
            return unlike(
                Diagnostic::error(format!("cannot connect to {name}: {error}")),
                error,
                connection,
            );
        }
        _ => Diagnostic::error(format!("cannot reach {name}: {}", printable(&error.to_string()))),
    };
    let diagnostic = diagnostic.note(format!("tried for up to {} s", connection.wait.as_secs()));
    diagnostic.help(match error {
        Error::ReadOnly => "is it a standby, or was it made read-only? Connect to the primary",
        _ => "is the server running there, and may this machine reach it? --wait says how long to try",
    })
}

/// What one side demands and the other does not have: trying again changes nothing.
fn unlike(diagnostic: Diagnostic, error: &Error, connection: &Connection) -> Diagnostic {
    let dsn = &connection.dsn;
    match error {
        Error::NoPassword => {
            diagnostic.help("set PGPASSWORD, or add a line for it to the password file (~/.pgpass)")
        }
        Error::NoTls if dsn.ssl_mode < SslMode::Require => {
            diagnostic.help("`channel_binding=require` needs TLS: remove it, or let the server speak TLS")
        }
        Error::NoTls => {
            diagnostic.help("let the server speak TLS, or do without where it has none: `sslmode=prefer`")
        }
        Error::Lost { reason, .. } if reason.contains("certificate") => diagnostic.help(
            "name in `sslrootcert` who vouches for the server, and the host as its certificate names it",
        ),
        _ if dsn.is_socket() => {
            diagnostic.help("name the directory that holds the server's socket, and may be entered")
        }
        _ => diagnostic
            .help("does PostgreSQL answer there, and does it speak as the connection string has it?"),
    }
}

fn refused(diagnostic: Diagnostic, server: &ServerError) -> Diagnostic {
    match server.sqlstate.as_str() {
        "28P01" => {
            diagnostic.help("check user and password; in a `.env`, put a password with `$` in single quotes")
        }
        "3D000" => diagnostic.help("create it with `--create`, or correct the name"),
        "28000" => {
            diagnostic.help("does the role exist, and does the server's pg_hba.conf let it in from here?")
        }
        "42501" => diagnostic.help("grant the right to the role, or connect as another one"),
        "55P03" => diagnostic
            .note("another runner, or a session that is not closed yet, holds the lock of a transaction")
            .help("wait for it, for longer with --lock-wait"),
        _ => diagnostic,
    }
}

/// A commit without an answer, of which the ledger could not be asked either.
pub fn unknown(step: &Step, error: &Error, silence: &Error) -> Diagnostic {
    at_step(Diagnostic::error(format!("nobody knows whether `{}` was committed", step.title.text)), step)
        .note(format!("the connection was lost while it was being committed: {error}"))
        .note(format!("the ledger would tell, and could not be asked: {silence}"))
        .help("run again: it is safe, a step looks at the data first, and does only what is missing")
}

/// The number of the parameter the server was reading: `unnamed portal parameter $2 = '…'`. The
/// words around it are in the server's language, `$2` is not.
fn parameter_number(server: &ServerError) -> Option<usize> {
    if !server.sqlstate.starts_with("22") {
        return None;
    }
    let context = server.context.as_deref()?;
    let digits = &context[context.find('$')? + 1..];
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// A value that nobody is shown, and that its column does not take.
fn unshown(cell: &Cell, server: &ServerError) -> Diagnostic {
    Diagnostic::error(format!("the server does not take the value of this variable ({})", server.sqlstate))
        .at_place(cell.place.clone())
        .label(format!("for `{}` of type {}", cell.what, cell.type_name))
        .note("its own words are not shown, as they quote the value")
        .help("set the variable to what the column holds")
}

/// The author's expression that the server refuses in the same words when it stands alone. It is tried in
/// a transaction that cannot write.
fn find_expression<'a>(
    statement: &'a Statement,
    server: &ServerError,
    connection: &mut Connection,
    emit: &mut dyn FnMut(Event),
) -> Option<&'a Expression> {
    let expressions = statement.staged.expressions.iter().take(EXPRESSIONS_MAX);
    let session = (expressions.len() > 0).then(|| connection.session(emit).ok())??;
    expressions.into_iter().find(|expression| {
        let sql = format!("select ((\n{}\n)::{} is null)::text", expression.sql, expression.type_name);
        let alone = Statement { sql, ..Statement::default() };
        if session.begin(Access::Read, "", "").is_err() {
            return false;
        }
        let result = session.query(&alone);
        let refused = result.err().and_then(|error| error.server().cloned());
        session.rollback().is_ok()
            && refused.is_some_and(|it| (&it.sqlstate, &it.message) == (&server.sqlstate, &server.message))
    })
}

/// Looks for the one cell among many that the server cannot read: each is bound to a parameter of
/// its own, in a transaction of its own, and the server then names the parameter.
fn find_cell<'a>(
    statement: &'a Statement,
    server: &ServerError,
    connection: &mut Connection,
    emit: &mut dyn FnMut(Event),
) -> Option<&'a Cell> {
    // A domain's constraint is violated by a value, not by a row of a table.
    let is_of_domain = server.sqlstate.starts_with("23") && server.table.is_none();
    if !server.sqlstate.starts_with("22") && !is_of_domain {
        return None;
    }
    let session = connection.session(emit).ok()?;
    statement.staged.cells.chunks(CELLS_MAX).find_map(|cells| refused_cell(session, cells))
}

fn refused_cell<'a>(session: &mut Session, cells: &'a [Cell]) -> Option<&'a Cell> {
    let mut statement = Statement::default();
    let casts: Vec<String> = cells
        .iter()
        .map(|cell| {
            let parameter = statement.bind(Some(cell.text.clone()), None, "");
            format!("({parameter}::{} is null)", cell.type_name)
        })
        .collect();
    statement.sql = format!("select (array[{}])[1]::text", casts.join(", "));
    session.begin(Access::Read, "", "").ok()?;
    let result = session.query(&statement);
    session.rollback().ok()?;
    let error = result.err()?;
    match parameter_number(error.server()?) {
        Some(number) => cells.get(number.checked_sub(1)?),
        // A length or precision is looked at behind the parameters, without naming one.
        None if cells.len() == 1 => cells.first(),
        None => {
            let (first, second) = cells.split_at(cells.len() / 2);
            refused_cell(session, first).or_else(|| refused_cell(session, second))
        }
    }
}
