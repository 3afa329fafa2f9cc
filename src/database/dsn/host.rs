//! The servers a connection string names, one after the other.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::error::DsnError;
use super::setting::Setting;

/// PostgreSQL's port when none is given.
const PORT_DEFAULT: u16 = 5432;

/// One server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// A host name, an IP address, or the directory of a Unix socket, which begins with `/`.
    pub name: String,
    /// Where to connect to instead of resolving the name.
    pub address: Option<IpAddr>,
    /// The port, which is also a part of a socket's file name.
    pub port: u16,
}

impl Host {
    /// The hosts of libpq's three lists, `host`, `hostaddr` and `port`, each separated by commas.
    ///
    /// # Errors
    ///
    /// No host is named, a list has another length than the others, a port is not a number, a name
    /// holds what no host name holds, or sockets and TCP hosts are mixed.
    pub(super) fn list(
        names: Option<&str>,
        addresses: Option<&str>,
        ports: Option<&Setting>,
    ) -> Result<Vec<Host>, DsnError> {
        let addresses: Vec<&str> = addresses.map(split).unwrap_or_default();
        let names: Vec<&str> = names.map(split).unwrap_or_else(|| addresses.clone());
        let port_name = ports.map_or("port", |ports| ports.name);
        let ports: Vec<&str> = ports.map(|ports| split(&ports.value)).unwrap_or_default();
        if names.is_empty() {
            return Err(DsnError::new("no host is named")
                .help("name one, like `postgres://user@localhost/database` or `host=/run/postgresql`"));
        }
        if !addresses.is_empty() && addresses.len() != names.len() {
            return Err(DsnError::new("`hostaddr` and `host` list a different number of hosts")
                .help("give one address for each host"));
        }
        if ports.len() > 1 && ports.len() != names.len() {
            return Err(DsnError::new("`port` and `host` list a different number of hosts")
                .help("give one port for all hosts, or one for each"));
        }
        let hosts = names
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let port = ports.get(index).or(ports.first()).filter(|port| !port.is_empty());
                let port = port.map(|port| parse_port(port, port_name)).transpose()?;
                Host::new(name, addresses.get(index).copied(), port)
            })
            .collect::<Result<Vec<Host>, DsnError>>()?;
        let sockets = hosts.iter().filter(|host| host.is_socket()).count();
        if sockets != 0 && (sockets != hosts.len() || !addresses.is_empty()) {
            return Err(DsnError::new("`host` mixes sockets and TCP hosts")
                .help("name either directories of sockets or hosts"));
        }
        Ok(hosts)
    }

    fn new(name: &str, address: Option<&str>, port: Option<u16>) -> Result<Host, DsnError> {
        let address = match address {
            Some(address) => Some(address.parse().map_err(|_| {
                DsnError::new("`hostaddr` is not an IP address")
                    .help("give names in `host`, and an address for each in `hostaddr`")
            })?),
            None => None,
        };
        let name = valid_name(name)?;
        let (name, port) = match socket_file(&name) {
            Some((directory, port)) => (directory.to_owned(), Some(port)),
            None => (name, port),
        };
        Ok(Host { name, address, port: port.unwrap_or(PORT_DEFAULT) })
    }

    /// Whether this is the directory of a Unix socket.
    pub fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }

    /// Whether the way to it cannot be listened to by another machine.
    pub fn is_local(&self) -> bool {
        match self.address.or_else(|| self.name.parse().ok()) {
            Some(address) => address.is_loopback(),
            None => self.is_socket() || self.name.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(formatter, "[{}]:{}", self.name, self.port)
        } else {
            write!(formatter, "{}:{}", self.name, self.port)
        }
    }
}

fn split(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).collect()
}

/// A name that can be one. What is refused here is mostly a URL, or the end of a password, that
/// went astray: a host is shown to people, so neither may pass for one.
fn valid_name(name: &str) -> Result<String, DsnError> {
    if name.is_empty() {
        return Err(DsnError::new("a host is empty").help("name one before each comma, or `localhost`"));
    }
    let in_brackets = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let name = in_brackets.unwrap_or(name);
    let is_valid = match name.strip_prefix('/') {
        Some(path) => !path.starts_with('/') && !name.contains(['@', '?', '=', ';']),
        None => {
            let is_part = |c: char| c.is_alphanumeric() || "-._".contains(c);
            let (address, zone) = name.split_once('%').unwrap_or((name, ""));
            name.chars().all(is_part) || address.parse::<Ipv6Addr>().is_ok() && zone.chars().all(is_part)
        }
    };
    if !is_valid || name.chars().any(|c| c.is_control()) {
        return Err(DsnError::new("`host` is no host name, address or directory of a socket").help(ESCAPES));
    }
    Ok(name.to_owned())
}

/// The directory and port of a socket that is named by its file, as asyncpg takes it.
fn socket_file(name: &str) -> Option<(&str, u16)> {
    let (directory, port) = name.rsplit_once("/.s.PGSQL.")?;
    let directory = if directory.is_empty() { "/" } else { directory };
    Some((directory, port.parse().ok().filter(|_| name.starts_with('/'))?))
}

fn parse_port(port: &str, name: &str) -> Result<u16, DsnError> {
    port.parse().ok().filter(|port| *port != 0).ok_or_else(|| match name {
        "port" => DsnError::new("the port is not a number from 1 to 65535").help(ESCAPES),
        name => DsnError::new(format!("`{name}` is not a number from 1 to 65535"))
            .help("write digits alone, like 5432, or unset it"),
    })
}

/// The usual reason why a URL falls apart in the wrong place.
pub const ESCAPES: &str =
    "in a URL's password, write `/` as `%2F`, `?` as `%3F`, `#` as `%23` and `@` as `%40`";
