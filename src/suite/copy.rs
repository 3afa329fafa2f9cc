//! Copies of a template: made for a test, dropped behind it, or kept when somebody wants to look.

use super::admin::Admin;
use crate::database::databases::{Databases, Setting};
use crate::database::dsn::Dsn;
use crate::database::error::Error;
use crate::database::session::sqlstate;

/// What the names of copies begin with; the run and a number follow.
const PREFIX: &str = "seedbed_test_";
/// The databases that runs make and drop.
pub const OURS: &str = "^seedbed_(test|tpl)_";
/// What the names of kept ones begin with; the scenario's file and the run follow.
const KEPT: &str = "seedbed_kept_";

/// What copies are made of.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name of the template.
    pub name: String,
    /// The settings that belong to it.
    pub settings: Vec<Setting>,
    /// How it is copied: see [`Server::strategy`](crate::database::databases::Server::strategy).
    pub strategy: &'static str,
}

impl Source {
    /// Makes a copy.
    ///
    /// # Errors
    ///
    /// Those of [`Databases::create`].
    pub fn copy(&self, admin: &mut Admin, name: &str) -> Result<(), Error> {
        admin.act(|databases| {
            match databases.create(name, Some((&self.name, self.strategy))) {
                // The answer to an earlier try was lost: nobody else takes a name of this run.
                Err(error) if sqlstate(&error) == Some("42P04") => {}
                other => other?,
            }
            self.settings.iter().try_for_each(|setting| databases.set(name, setting))
        })
    }
}

/// The name of a copy of this run.
pub fn name(run: &str, number: usize) -> String {
    format!("{PREFIX}{run}_{number}")
}

/// The name of a kept one: that of the file, as far as 63 bytes allow.
pub fn kept_name(stem: &str, run: &str, number: usize) -> String {
    let end = format!("_{run}_{number}");
    let mut name = String::from(KEPT);
    for c in stem.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }) {
        if name.len() + end.len() == 63 {
            break;
        }
        name.push(c);
    }
    name + &end
}

/// Drops the copies that runs have left which are dead by now.
pub fn sweep(admin: &mut Admin, run: &str) {
    // Others may have names that are nearly like ours.
    let pattern = format!("^{PREFIX}[0-9a-f]{{8}}_[0-9]+$");
    let Ok(found) = admin.act(|databases| databases.like(&pattern)) else { return };
    for found in found {
        let rest = &found.name[PREFIX.len()..];
        let Some((other, _)) = rest.split_once('_').filter(|(other, _)| *other != run) else { continue };
        let _ = admin.act(|databases: &mut Databases| match databases.is_alive(other, OURS)? {
            true => Ok(()),
            false => databases.drop(&found),
        });
    }
}

/// The line for a shell that opens a database.
pub fn psql(dsn: &Dsn, database: &str) -> String {
    let host = dsn.hosts.first();
    let mut words = vec!["psql".to_owned()];
    words.extend(host.map(|host| format!("-h {}", shell(&host.name))));
    words.extend(host.filter(|host| host.port != 5432).map(|host| format!("-p {}", host.port)));
    words.push(format!("-U {}", shell(&dsn.user)));
    words.push(format!("-d {}", shell(database)));
    words.join(" ")
}

/// A word for a shell.
fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_ones_are_named_by_their_file_within_63_bytes() {
        assert_eq!(kept_name("Hiring-2026", "0011aabb", 7), "seedbed_kept_hiring_2026_0011aabb_7");
        let long = kept_name(&"ä".repeat(100), "0011aabb", 1234);
        assert_eq!(long.len(), 63);
        assert!(long.ends_with("_0011aabb_1234"));
    }

    #[test]
    fn the_line_for_a_shell_is_quoted() {
        let dsn = Dsn::parse("host=/tmp/it's port=5433 user=me dbname=x", &|_| None).unwrap();
        assert_eq!(psql(&dsn, "a_b"), r"psql -h '/tmp/it'\''s' -p 5433 -U me -d a_b");
    }
}
