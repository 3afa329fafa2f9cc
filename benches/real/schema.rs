//! A schema with rows in one database, and without any in another.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::catalog::{self, Table};
use super::filler;
use super::names::Names;
use super::server::Server;
use super::sql::ident;

/// What stands at the beginning of lines that would lead to another database.
const ELSEWHERE: &[&[u8]] = &[b"\\c ", b"\\connect ", b"CREATE DATABASE", b"DROP DATABASE"];

/// A schema.
pub struct Schema<'a> {
    /// The server that it is on.
    pub server: &'a Server,
    /// What its directory is called.
    pub name: String,
    /// Its tables.
    pub tables: Vec<Table>,
    /// What its rows are called.
    pub names: Names,
    /// How many of its rows were made up.
    pub made: usize,
}

impl<'a> Schema<'a> {
    /// Runs the scripts of a directory.
    pub fn load(server: &'a Server, directory: &Path) -> Schema<'a> {
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        let full = format!("{name} full");
        server.create(&ident(&full));
        let mut files: Vec<PathBuf> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "sql"));
        files.sort();
        let script: Vec<u8> = files.into_iter().flat_map(|file| fs::read(file).unwrap()).collect();
        let mut lines: Vec<&[u8]> = script.split_inclusive(|byte| *byte == b'\n').collect();
        lines.retain(|line| !ELSEWHERE.iter().any(|word| line.starts_with(word)));
        psql(server, directory, &full, &lines.concat());
        let mut client = server.client(&full);
        client.batch_execute("set timezone = utc").unwrap();
        let tables = catalog::tables(&mut client);
        let made = filler::fill(&mut client, &tables);
        let names = Names::find(&mut client, &tables);
        Schema { server, name, tables, names, made }
    }

    /// The database with the rows.
    pub fn full(&self) -> String {
        format!("{} full", self.name)
    }

    /// Creates the database without rows, anew.
    pub fn empty(&self) -> String {
        let (server, full) = (self.server, self.full());
        server
            .client("postgres")
            .batch_execute(&format!("drop database if exists {}", ident(&self.name)))
            .unwrap();
        server.create(&ident(&self.name));
        let dump = program(server, "pg_dump").args(["-s", "-O", "-x", "-d", &full]).output().unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        psql(server, Path::new("."), &self.name, &dump.stdout);
        self.name.clone()
    }
}

fn program(server: &Server, name: &str) -> Command {
    let mut command = Command::new(server.programs().join(name));
    command.args(["-U", "postgres", "-h"]).arg(server.socket());
    command
}

/// Runs a script, whose errors are told and passed over, as when a person runs it.
fn psql(server: &Server, directory: &Path, database: &str, script: &[u8]) {
    let mut command = program(server, "psql");
    command.args(["-qX", "-d", database]).current_dir(directory);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdin, mut said) = (child.stdin.take().unwrap(), Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(script).unwrap());
        child.stderr.take().unwrap().read_to_end(&mut said).unwrap();
    });
    child.wait().unwrap();
    let said = String::from_utf8_lossy(&said);
    let errors: Vec<&str> =
        said.lines().filter(|line| line.contains("ERROR") || line.contains("error:")).collect();
    if let Some(first) = errors.first() {
        eprintln!("{database}: {} errors of its own script, as in {first}", errors.len());
    }
}
