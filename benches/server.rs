//! The server that all contestants share.

use std::path::{Path, PathBuf};

use postgres::{Client, NoTls};
use seedbed::database::throwaway::Throwaway;

/// A throwaway server, and where its programs are.
pub struct Server {
    throwaway: Throwaway,
    programs: PathBuf,
}

impl Server {
    /// Starts it from the programs that `scripts/bench` has found.
    pub fn start() -> Server {
        let programs = std::env::var_os("SEEDBED_POSTGRES_BIN").map(PathBuf::from);
        let programs = programs.expect("run `scripts/bench`: it finds PostgreSQL's programs");
        Server { throwaway: Throwaway::start(Some(&programs), None).unwrap(), programs }
    }

    /// The directory of its socket.
    pub fn socket(&self) -> &Path {
        self.throwaway.socket_directory()
    }

    /// The directory of its programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Its version.
    pub fn version(&self) -> &str {
        self.throwaway.version()
    }

    /// Creates a database.
    pub fn create(&self, database: &str) {
        self.client("postgres").batch_execute(&format!("create database {database}")).unwrap();
    }

    /// Applies the project's migration as a person would, and leaves no history.
    pub fn migrate(&self, database: &str) {
        self.client(database).batch_execute(include_str!("../migrations/V1__create_roster.sql")).unwrap();
    }

    /// A connection to a database.
    pub fn client(&self, database: &str) -> Client {
        connect(self.socket(), database)
    }

    /// Panics unless the roster in a database is as the story leaves it.
    pub fn assert_told(&self, database: &str) {
        let rows = self
            .client(database)
            .query(
                "select d.name || ': ' || string_agg(e.name, ', ' order by e.name)
                 from employees e join departments d on d.id = e.department_id
                 group by d.name order by d.name",
                &[],
            )
            .unwrap();
        let told: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(told, ["Human Resources: Alice", "Information Technology: Charlie, David"], "{database}");
    }
}

/// A connection through a socket in a directory.
pub fn connect(socket: &Path, database: &str) -> Client {
    postgres::Config::new().host_path(socket).user("postgres").dbname(database).connect(NoTls).unwrap()
}
