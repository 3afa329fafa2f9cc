//! Those who tell the story, and how each is called.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::{Server, connect};

/// The argument that makes this program the bare client.
pub const TELL: &str = "--tell";

/// `seedbed` in its own repository's project, on the server behind a socket.
pub fn seedbed(socket: &Path, subcommand: &str, database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seedbed"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args([subcommand, "--no-env-file", "--url"]);
    command.arg(format!("host={} user=postgres dbname={database}", socket.display()));
    command
}

/// What `seedbed` costs before it does anything.
pub fn help() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seedbed"));
    command.arg("--help");
    command
}

/// The server's own `psql`.
pub fn psql(server: &Server, database: &str) -> Result<Command, String> {
    let program = server.programs().join("psql");
    match program.exists() {
        true => Ok(psql_at(&program, server, database)),
        false => Err(format!("there is no `{}`", program.display())),
    }
}

/// The `psql` that a person calls. Debian's is a script, which looks for a cluster and calls the other.
pub fn psql_on_path(server: &Server, database: &str) -> Result<Command, String> {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let mut found =
        std::env::split_paths(&directories).filter_map(|path| path.join("psql").canonicalize().ok());
    match found.next() {
        None => Err("there is none".to_owned()),
        Some(program) if Some(&program) == server.programs().join("psql").canonicalize().ok().as_ref() => {
            Err("it is the same program".to_owned())
        }
        // As it is called: the script goes by its name.
        Some(_) => Ok(psql_at(Path::new("psql"), server, database)),
    }
}

fn psql_at(program: &Path, server: &Server, database: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--username", "postgres", "--host"]);
    command.arg(server.socket()).args(["--dbname", database, "--file"]).arg(beside("roster.sql"));
    command
}

/// A script of the notebook's code, under the Python that `scripts/bench` has made.
pub fn notebook(server: &Server, database: &str) -> Result<Command, String> {
    let Some(python) = std::env::var_os("NOTEBOOK_PYTHON") else {
        let why = std::env::var("NOTEBOOK_MISSING");
        return Err(why.unwrap_or_else(|_| "`scripts/bench` makes the Python it needs".to_owned()));
    };
    let mut command = Command::new(python);
    command.arg(beside("notebook.py"));
    command.arg(format!("postgresql+psycopg2://postgres@/{database}?host={}", server.socket().display()));
    Ok(command)
}

/// This program as a client that does nothing but [`tell`].
pub fn bare(server: &Server, database: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(TELL).arg(server.socket()).arg(database);
    command
}

/// Sends the story's statements as `psql` does, a round trip for each, and looks at no answer.
pub fn tell(socket: &Path, database: &str) {
    let mut client = connect(socket, database);
    for statement in include_str!("roster.sql").split_inclusive(";\n") {
        client.simple_query(statement).unwrap();
    }
}

fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(name)
}
