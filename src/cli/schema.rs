//! `schema`: what files may say, for editors.

use super::terminal;
use crate::report::exit::Exit;
use crate::schema::{self, File};

/// Prints the schema of some kind of file; of both where none is named.
pub fn schema(file: Option<Which>) -> Exit {
    let schema = match file {
        Some(Which::Scenario) => schema::schema(&[File::Scenario]),
        Some(Which::Fixture) => schema::schema(&[File::Fixture]),
        None => schema::schema(&[File::Scenario, File::Fixture]),
    };
    terminal::print_line(&format!("{schema:#}"));
    Exit::Held
}

/// What a schema can be of.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Which {
    /// Files in `scenarios/`
    Scenario,
    /// Files in `fixtures/`
    Fixture,
}
