//! seedbed: migrations prepare the bed, fixtures fill it, scenarios prove what grew.
//!
//! A value goes through once, from top to bottom, and nothing imports what stands below it:
//!
//! ```text
//! files ─load─▶ sources ─parse─▶ Project ─compile─▶ Batches ─run─▶ Events ─▶ Report ─▶ exit status
//! ```
//!
//! [`project`] is what the author wrote, [`step`] what kinds of steps there are, [`plan`] what will
//! be sent, [`seed`] how rows become one statement, [`database`] the server, [`migrate`] refinery,
//! [`run`] the doing, [`suite`] many runs side by side, each on a database of its own, [`report`] what
//! happened, and [`cli`] the words on the command line.

pub mod cli;
pub mod database;
pub mod migrate;
pub mod plan;
pub mod project;
pub mod report;
pub mod run;
pub mod schema;
pub mod seed;
pub mod step;
pub mod suite;
