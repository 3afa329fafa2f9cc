//! Connection URLs: libpq's, and those of SQLAlchemy and JDBC, which are made after it.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

use super::error::DsnError;
use super::host::ESCAPES;
use super::setting::Settings;
use super::spelling;

/// The two parts of a URL that say how to read the rest, and the rest itself.
pub struct Url<'a> {
    is_jdbc: bool,
    /// SQLAlchemy and JDBC read `+` in a query as a blank; libpq does not.
    is_plus_blank: bool,
    rest: &'a str,
}

impl<'a> Url<'a> {
    /// The URL in a text, if it begins with a scheme of PostgreSQL.
    pub fn recognize(text: &'a str) -> Option<Url<'a>> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let is_jdbc = scheme.starts_with("jdbc:");
        let scheme = scheme.strip_prefix("jdbc:").unwrap_or(&scheme);
        let (dialect, driver) = scheme.split_once('+').unzip();
        // A scheme that is a whole URL was cut at the wrong place.
        let is_driver = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_known =
            matches!(dialect.unwrap_or(scheme), "postgres" | "postgresql") && driver.is_none_or(is_driver);
        is_known.then_some(Url { is_jdbc, is_plus_blank: is_jdbc || driver.is_some(), rest })
    }

    /// What the URL sets.
    ///
    /// The last `@` before the first `/`, `?` or `#` ends the password, so that one inside it does
    /// no harm; and a `%` that begins no escape is a `%`.
    ///
    /// # Errors
    ///
    /// A part of the URL cannot be what it stands for, or an option is not known or not supported.
    pub fn settings(&self) -> Result<Settings, DsnError> {
        let authority_end = self.rest.find(['/', '?', '#']).unwrap_or(self.rest.len());
        let (authority, path_and_query) = self.rest.split_at(authority_end);
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let mut settings = Settings::default();
        add_authority(&mut settings, authority)?;
        add_path(&mut settings, path)?;
        self.add_query(&mut settings, query)?;
        Ok(settings)
    }

    fn add_query(&self, settings: &mut Settings, query: &str) -> Result<(), DsnError> {
        let mut options = Vec::new();
        let mut hosts = Vec::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let Some((key, value)) = option.split_once('=') else {
                return Err(DsnError::new("an option of the URL has no `=`").help(format!(
                    "write options as `name=value`, and `&` inside a value as `%26`; {ESCAPES}"
                )));
            };
            let key = self.decode_in_query(key)?;
            let mut value = self.decode_in_query(value)?;
            if key == "host" {
                // An address has no port here that it could run into.
                let is_bare_address = value.parse::<Ipv6Addr>().is_ok();
                hosts.push(if is_bare_address { format!("[{value}]") } else { value });
                continue;
            }
            // What JDBC calls `ssl` verifies the server in full.
            if self.is_jdbc && key == "ssl" && value == "true" {
                value = "verify-full".to_owned();
            }
            options.push((key, value));
        }
        // SQLAlchemy names several servers by repeating `host`, each with its port.
        if !hosts.is_empty() {
            add_hosts(settings, &hosts.join(","))?;
        }
        spelling::add(settings, options, !query.contains('@'))
    }

    fn decode_in_query(&self, text: &str) -> Result<String, DsnError> {
        match self.is_plus_blank {
            true => decode(&text.replace('+', " ")),
            false => decode(text),
        }
    }
}

fn add_authority(settings: &mut Settings, authority: &str) -> Result<(), DsnError> {
    let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    settings.set("user", "user", decode(user)?)?;
    settings.set("password", "password", decode(password)?)?;
    add_hosts(settings, hosts)
}

/// Sets the hosts and ports of a list such as `a:5432,[::1],/run/postgresql`.
fn add_hosts(settings: &mut Settings, list: &str) -> Result<(), DsnError> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in list.split(',') {
        let (name, port) = split_host(host)?;
        names.push(decode(name)?);
        ports.push(port);
    }
    settings.set("host", "host", names.join(","))?;
    if ports.iter().any(|port| !port.is_empty()) {
        settings.set("port", "port", ports.join(","))?;
    }
    Ok(())
}

fn split_host(host: &str) -> Result<(&str, &str), DsnError> {
    // A directory may hold colons: those of Cloud SQL do.
    if host.starts_with('/') {
        return Ok((host, ""));
    }
    let name_end = match host.starts_with('[') {
        true => host.find(']').map_or(host.len(), |bracket| bracket + 1),
        false => host.find(':').unwrap_or(host.len()),
    };
    let (name, port) = host.split_at(name_end);
    match port.strip_prefix(':') {
        Some(port) if port.contains(':') => Err(DsnError::new("a host has more than one port")
            .help(format!("put an IPv6 address in brackets, like `[::1]:5432`; {ESCAPES}"))),
        Some(port) => Ok((name, port)),
        None if port.is_empty() => Ok((name, "")),
        None => Err(DsnError::new("after the `]` of a host comes neither `:` nor `/`")
            .help("write an IPv6 address like `[::1]:5432`")),
    }
}

/// A raw `@`, `/` or `#` after the host is nearly always the rest of a password, and the name of
/// the database is shown to people.
fn add_path(settings: &mut Settings, path: &str) -> Result<(), DsnError> {
    let name = path.strip_prefix('/').unwrap_or(path);
    if name.contains(['@', '/', '#']) {
        return Err(DsnError::new("the name of the database holds `@`, `/` or `#`")
            .help(format!("{ESCAPES}; the same goes for the name of a database")));
    }
    settings.set("dbname", "dbname", decode(name)?)
}

fn decode(text: &str) -> Result<String, DsnError> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(not_utf8)?.into_owned())
}

fn not_utf8(_: std::str::Utf8Error) -> DsnError {
    DsnError::new("a `%` escape of the URL is not UTF-8").help("write a `%` itself as `%25`")
}
