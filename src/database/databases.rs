//! The databases of a server: made, copied, sealed and dropped, over a session on another one.

use super::error::Error;
use super::session::Session;
use crate::plan::quote::{identifier, literal};
use crate::plan::{Answer, text};

/// `test` in ASCII: the first half of the keys, so that other users of advisory locks are left alone.
const CLASS: i32 = 0x7465_7374;

/// What a server is, and what we may do on it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its version, like `15.18`.
    pub version: String,
    /// The role that we are.
    pub role: String,
    /// Whether we may create databases.
    pub creates: bool,
    /// How databases are copied fastest; empty where the server knows one way.
    pub strategy: &'static str,
    /// How many more connections it takes.
    pub free: usize,
}

/// A database that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Whether it is sealed: a template that nobody can connect to, and so never changes.
    pub is_sealed: bool,
    /// Its comment, empty if it has none.
    pub comment: String,
}

/// A setting that belongs to a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The role that it is for; without it, all of them.
    pub role: Option<String>,
    /// Its name.
    pub name: String,
    /// Its value, as the server keeps it.
    pub value: String,
}

/// Databases of a server, for a session with another one of them.
pub struct Databases<'a> {
    session: &'a mut Session,
}

impl<'a> Databases<'a> {
    /// Those that this session reaches.
    pub fn over(session: &'a mut Session) -> Databases<'a> {
        Databases { session }
    }

    /// What the server is.
    pub fn server(&mut self) -> Result<Server, Error> {
        let answer = self.ask(
            "select split_part(current_setting('server_version'), ' ', 1), current_user,
  (select r.rolcreatedb or r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user),
  current_setting('fsync'),
  greatest(0, current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - (select count(*) from pg_catalog.pg_stat_activity a where a.backend_type = 'client backend'))"
                .to_owned(),
        )?;
        let row = answer.first().map(Vec::as_slice).unwrap_or_default();
        // Copying files needs two checkpoints, which cost nothing where nothing waits for a disk; copying
        // through the log needs none. Before PostgreSQL 15 there is only the former.
        let is_old = self.session.facts.version < 150_000;
        let strategy = match text(row, 3) {
            _ if is_old => "",
            "off" => " strategy file_copy",
            _ => " strategy wal_log",
        };
        Ok(Server {
            version: text(row, 0).to_owned(),
            role: text(row, 1).to_owned(),
            creates: text(row, 2) == "t",
            strategy,
            free: text(row, 4).parse().unwrap_or(0),
        })
    }

    /// Those whose names are like a regular expression, and that our role owns.
    pub fn like(&mut self, pattern: &str) -> Result<Vec<Found>, Error> {
        let answer = self.ask(format!(
            "select d.datname, d.datistemplate and not d.datallowconn,
  coalesce(pg_catalog.shobj_description(d.oid, 'pg_database'), '')
from pg_catalog.pg_database d
where d.datname::text ~ {} and pg_catalog.pg_has_role(d.datdba, 'usage')
order by 1",
            literal(pattern)
        ))?;
        let found = |row: &Vec<Option<String>>| Found {
            name: text(row, 0).to_owned(),
            is_sealed: text(row, 1) == "t",
            comment: text(row, 2).to_owned(),
        };
        Ok(answer.iter().map(found).collect())
    }

    /// Creates one; as a copy of a template, if that is named, in the way of [`Server::strategy`].
    ///
    /// # Errors
    ///
    /// Among others 42501 without the right to, 42P04 when it is there, 55006 when somebody is connected to
    /// the template, 53100 when the disk is full.
    pub fn create(&mut self, name: &str, template: Option<(&str, &str)>) -> Result<(), Error> {
        let from =
            template.map(|(template, strategy)| format!(" template {}{strategy}", identifier(template)));
        self.tell(format!("create database {}{}", identifier(name), from.unwrap_or_default()))
    }

    /// Lets nobody connect to one any more, and makes it a template.
    pub fn seal(&mut self, name: &str) -> Result<(), Error> {
        self.tell(format!(
            "alter database {} with is_template true allow_connections false",
            identifier(name)
        ))
    }

    /// Lets nobody connect to one any more; its owner may copy it.
    pub fn close(&mut self, name: &str) -> Result<(), Error> {
        self.tell(format!("alter database {} with allow_connections false", identifier(name)))
    }

    /// Says what one is for.
    pub fn comment(&mut self, name: &str, comment: &str) -> Result<(), Error> {
        self.tell(format!("comment on database {} is {}", identifier(name), literal(comment)))
    }

    /// Gives one another name, and ends the sessions that are connected to it.
    pub fn rename(&mut self, name: &str, new: &str) -> Result<(), Error> {
        self.end_sessions(name)?;
        self.tell(format!("alter database {} rename to {}", identifier(name), identifier(new)))
    }

    /// Drops one, be it a template, and ends the sessions that are connected to it. One that is not there
    /// is as good as dropped.
    pub fn drop(&mut self, found: &Found) -> Result<(), Error> {
        if found.is_sealed {
            self.tell(format!("alter database {} with is_template false", identifier(&found.name)))?;
        }
        self.drop_copy(&found.name)
    }

    /// The same for one that is no template.
    pub fn drop_copy(&mut self, name: &str) -> Result<(), Error> {
        if self.session.facts.version >= 130_000 {
            return self.tell(format!("drop database if exists {} with (force)", identifier(name)));
        }
        self.end_sessions(name)?;
        self.tell(format!("drop database if exists {}", identifier(name)))
    }

    fn end_sessions(&mut self, name: &str) -> Result<(), Error> {
        self.ask(format!(
            "select pg_catalog.pg_terminate_backend(a.pid) from pg_catalog.pg_stat_activity a where a.datname = {}",
            literal(name)
        ))
        .map(drop)
    }

    /// Who is connected to one, in words; empty if nobody is to be seen. The server's own processes do not
    /// count: it ends them where they are in the way.
    pub fn users(&mut self, name: &str) -> Result<Vec<String>, Error> {
        self.users_where(&format!("a.datname = {}", literal(name)))
    }

    /// Who is connected to any that a message of the server names: it quotes them as it likes.
    pub fn users_of_any_in(&mut self, message: &str) -> Result<Vec<String>, Error> {
        self.users_where(&format!("strpos({}, '\"' || a.datname || '\"') > 0", literal(message)))
    }

    fn users_where(&mut self, condition: &str) -> Result<Vec<String>, Error> {
        let answer = self.ask(format!(
            "select format('%s, process %s, as %s', coalesce(nullif(a.application_name, ''), a.backend_type), a.pid, coalesce(a.usename, '?'))
from pg_catalog.pg_stat_activity a where a.usesysid is not null and {condition} order by 1",
        ))?;
        Ok(answer.iter().map(|row| text(row, 0).to_owned()).collect())
    }

    /// The settings that belong to one, which its copies do not get.
    pub fn settings(&mut self, name: &str) -> Result<Vec<Setting>, Error> {
        let answer = self.ask(format!(
            "select r.rolname, split_part(s.setting, '=', 1), substr(s.setting, strpos(s.setting, '=') + 1)
from pg_catalog.pg_db_role_setting c
join pg_catalog.pg_database d on d.oid = c.setdatabase
left join pg_catalog.pg_roles r on r.oid = c.setrole
cross join unnest(c.setconfig) s(setting) where d.datname = {}",
            literal(name)
        ))?;
        let setting = |row: &Vec<Option<String>>| Setting {
            role: row.first().cloned().flatten(),
            name: text(row, 1).to_owned(),
            value: text(row, 2).to_owned(),
        };
        Ok(answer.iter().map(setting).collect())
    }

    /// Gives a setting to one.
    pub fn set(&mut self, name: &str, setting: &Setting) -> Result<(), Error> {
        self.tell(setting.statement(name))
    }

    /// Lets this session wait as long as need be between two statements, with what it has locked.
    pub fn stay(&mut self) -> Result<(), Error> {
        match self.session.facts.version >= 140_000 {
            true => self.ask("set idle_session_timeout = 0".to_owned()).map(drop),
            false => Ok(()),
        }
    }

    /// Whether a run has a session on a database that is none of these; on one of them, the session of a run
    /// that was killed may be at work still.
    pub fn is_alive(&mut self, run: &str, but_on: &str) -> Result<bool, Error> {
        let answer = self.ask(format!(
            "select 1 from pg_catalog.pg_stat_activity a
where strpos(a.application_name, {}) > 0 and a.datname !~ {} limit 1",
            literal(run),
            literal(but_on)
        ))?;
        Ok(!answer.is_empty())
    }

    /// The runs that are connected to one: the third word of a session's name, see
    /// [`Connection::application_name`](super::connection::Connection::application_name).
    pub fn runs(&mut self, name: &str) -> Result<Vec<String>, Error> {
        let answer = self.ask(format!(
            "select r.run from pg_catalog.pg_stat_activity a
cross join substring(a.application_name from '^\\S+ \\S+ ([0-9a-f]{{8}})') r(run)
where a.datname = {} and r.run is not null",
            literal(name)
        ))?;
        Ok(answer.iter().map(|row| text(row, 0).to_owned()).collect())
    }

    /// Tries to take a lock for as long as the session lasts: whether nobody else has it.
    pub fn try_lock(&mut self, name: &str) -> Result<bool, Error> {
        let answer =
            self.ask(format!("select pg_try_advisory_lock({CLASS}, hashtext({}))", literal(name)))?;
        Ok(answer.first().is_some_and(|row| text(row, 0) == "t"))
    }

    /// Gives such a lock back.
    pub fn unlock(&mut self, name: &str) -> Result<(), Error> {
        self.ask(format!("select pg_advisory_unlock({CLASS}, hashtext({}))", literal(name))).map(drop)
    }

    fn ask(&mut self, sql: String) -> Result<Answer, Error> {
        let limit = self.session.limits.statement;
        self.session.simple(sql, limit)
    }

    fn tell(&mut self, sql: String) -> Result<(), Error> {
        // A large template takes its time to be copied.
        let limit = self.session.limits.migration;
        self.session.simple(sql, limit).map(drop)
    }
}

impl Setting {
    fn statement(&self, database: &str) -> String {
        // Lists are kept as they were written, with their quotes; the others are one text.
        const LISTS: &[&str] =
            &["search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"];
        let value = match LISTS.contains(&self.name.to_lowercase().as_str()) {
            true if !self.value.is_empty() => self.value.clone(),
            _ => literal(&self.value),
        };
        // A setting of an extension has a dot in its name.
        let name: Vec<String> = self.name.split('.').map(identifier).collect();
        let (database, name) = (identifier(database), name.join("."));
        match &self.role {
            Some(role) => {
                format!("alter role {} in database {database} set {name} = {value}", identifier(role))
            }
            None => format!("alter database {database} set {name} = {value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_given_to_a_copy_as_they_were_made() {
        let check = |role: Option<&str>, name: &str, value: &str, expected: &str| {
            let (name, value) = (name.to_owned(), value.to_owned());
            let setting = Setting { role: role.map(str::to_owned), name, value };
            assert_eq!(setting.statement("copy"), expected);
        };
        check(
            None,
            "search_path",
            "app, \"My Schema\"",
            "alter database \"copy\" set \"search_path\" = app, \"My Schema\"",
        );
        check(None, "search_path", "", "alter database \"copy\" set \"search_path\" = ''");
        check(None, "app.name", "it's", "alter database \"copy\" set \"app\".\"name\" = 'it''s'");
        check(
            Some("me"),
            "work_mem",
            "4MB",
            "alter role \"me\" in database \"copy\" set \"work_mem\" = '4MB'",
        );
    }
}
