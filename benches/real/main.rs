//! Schemas that others wrote: their rows are read into fixtures, which are seeded into an empty copy. That
//! copy must then hold the same rows, and a second run must write nothing.
//!
//! `scripts/real-schemas DIR [NAME…]` runs it. Each directory in DIR is a schema, its `.sql` files are run by
//! psql in their order. Tables that they leave empty get a few rows that are made up.
//!
//! Each schema is proved twice: with the ids that its rows have, and with those left out that the server
//! makes, as far as people have another name for the row. Parents are named by such names both times. The
//! forms of fixtures, and their modes, take turns over the tables. With `SEEDBED_KEEP` the fixtures stay.

#[path = "../server.rs"]
#[allow(dead_code)] // It measures other things elsewhere.
mod server;

mod catalog;
mod export;
mod filler;
mod names;
mod proof;
mod schema;
mod sql;

use std::fs;
use std::path::PathBuf;

use proof::Proof;
use schema::Schema;
use server::Server;

fn main() {
    // cargo hands its own arguments on.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let directory = arguments.next().expect("run `scripts/real-schemas DIR`");
    let wanted: Vec<String> = arguments.collect();
    let mut directories: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    directories.retain(|path| path.is_dir());
    directories.sort();
    let server = Server::start();
    println!("PostgreSQL {}\n", server.version());
    println!("{}", Proof::HEAD);
    let mut failed = false;
    for directory in directories {
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        let schema = Schema::load(&server, &directory);
        for leave_ids_out in [false, true] {
            let proof = Proof::of(&schema, leave_ids_out);
            println!("{proof}");
            failed |= proof.failed();
        }
    }
    std::process::exit(failed.into());
}
