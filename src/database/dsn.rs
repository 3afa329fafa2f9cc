//! Where the database is and how to get in, read from connection strings as people have them.
//!
//! The `postgres` crate has a parser of its own. It takes fewer spellings than libpq, some in
//! other units, and its errors quote the string, password included; so strings are read here and
//! its `Config` is filled by setters only.

mod build;
mod error;
mod host;
mod keyword_value;
mod setting;
mod spelling;
mod url;
mod variables;

use std::path::PathBuf;
use std::time::Duration;

use postgres::config::{
    ChannelBinding, Config, LoadBalanceHosts, SslMode as Encryption, SslNegotiation, TargetSessionAttrs,
};

use super::secret::Secret;
use setting::Settings;
use url::Url;

pub use error::DsnError;
pub use host::Host;
pub use variables::{Lookup, VARIABLES};

/// Where the database is and how to get in. It holds a password and has no `Debug`.
#[derive(Clone)]
pub struct Dsn {
    /// The servers to try, in order: at least one, and either all of them sockets or none.
    pub hosts: Vec<Host>,
    /// The number of the host that is tried first: behind one that took all the time there was, or takes no
    /// writes, the next.
    pub first: usize,
    /// Who connects.
    pub user: String,
    /// The database to connect to.
    pub database: String,
    /// The user's password, unless there is none.
    pub password: Option<Secret>,
    /// The password file to look in, if one was named.
    pub passfile: Option<PathBuf>,
    /// How much the server's encryption and identity matter.
    pub ssl_mode: SslMode,
    /// Which authorities may vouch for the server.
    pub ssl_roots: SslRoots,
    /// The client's certificate and its key, in PEM.
    pub ssl_identity: Option<SslIdentity>,
    /// Whether TLS starts at once instead of being asked for.
    pub ssl_negotiation: SslNegotiation,
    /// Whether the password exchange must be bound to the TLS connection.
    pub channel_binding: ChannelBinding,
    /// What kind of server is wanted.
    pub target_session_attributes: TargetSessionAttrs,
    /// Whether the hosts are tried in the order written or in any.
    pub load_balance_hosts: LoadBalanceHosts,
    /// The name the server shows for the session.
    pub application_name: String,
    /// Options for the server's process, such as `-csearch_path=app` or Neon's `endpoint=…`.
    pub options: Option<String>,
    /// The most that one attempt to connect may take; without it, there is no limit.
    pub connect_timeout: Option<Duration>,
    /// When a peer that acknowledges nothing is given up; without it, the system decides.
    pub tcp_user_timeout: Option<Duration>,
    /// How a silent peer is found out; without it, it is not.
    pub keepalive: Option<Keepalive>,
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server can, like `prefer`: there is no second attempt to reverse.
    Allow,
    /// Encrypted if the server can, and not verified.
    Prefer,
    /// Encrypted; verified like `verify-ca` only if `sslrootcert` names a file.
    Require,
    /// Encrypted, with a certificate that an authority vouches for.
    VerifyCa,
    /// Encrypted, with a certificate that an authority vouches for and that names the host.
    VerifyFull,
}

/// libpq's `sslrootcert`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SslRoots {
    /// The authorities this machine trusts.
    System,
    /// The authorities in a file of PEM certificates.
    File(PathBuf),
}

/// The client's certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SslIdentity {
    /// libpq's `sslcert`.
    pub certificate: PathBuf,
    /// libpq's `sslkey`.
    pub key: PathBuf,
}

/// How a silent peer is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// How long the peer may be silent.
    pub idle: Duration,
    /// How long each answer may take.
    pub interval: Duration,
    /// How many answers may be missing.
    pub count: u32,
}

impl Dsn {
    /// Reads a connection string: a URL of libpq, SQLAlchemy or JDBC, or libpq's `name=value`.
    ///
    /// What it leaves open (never the host) is taken from libpq's variables, then from libpq's
    /// defaults: the user is the one of the operating system and the database is named like the
    /// user. The password file is not read here.
    ///
    /// # Errors
    ///
    /// The string is no connection string, names no host, or asks for what is not supported. The
    /// error never holds a value.
    pub fn parse(text: &str, get: Lookup) -> Result<Dsn, DsnError> {
        let mut settings = read(text.trim())?;
        variables::fill(&mut settings, get)?;
        build::build(settings)
    }

    /// Reads libpq's variables, if one of `PGHOST`, `PGHOSTADDR`, `PGDATABASE` and `PGSERVICE` is
    /// set.
    ///
    /// # Errors
    ///
    /// As for [`Dsn::parse`].
    pub fn from_environment(get: Lookup) -> Result<Option<Dsn>, DsnError> {
        variables::settings(get)?.map(build::build).transpose()
    }

    /// What may be shown of it: `user@host:port/database`, for a socket
    /// `user@/run/postgresql:5432/database`.
    pub fn name(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(Host::to_string).collect();
        format!("{}@{}/{}", self.user, hosts.join(","), self.database)
    }

    /// Whether its host or port is one that poolers have by convention. Asking is cheaper than being
    /// refused; a session says for certain.
    pub fn looks_pooled(&self) -> bool {
        self.hosts.iter().any(|host| {
            let first = host.name.split('.').next().unwrap_or_default();
            first.ends_with("-pooler") || matches!(host.port, 6432 | 6543)
        })
    }

    /// Whether all its servers are reached through the file system.
    pub fn is_socket(&self) -> bool {
        self.hosts.iter().all(Host::is_socket)
    }

    /// The same for the `postgres` crate. TLS is up to the connector it is given.
    pub fn config(&self) -> Config {
        let mut config = Config::new();
        let hosts = || self.hosts.iter().cycle().skip(self.first).take(self.hosts.len());
        for host in hosts() {
            config.host(&host.name).port(host.port);
        }
        for address in hosts().filter_map(|host| host.address) {
            config.hostaddr(address);
        }
        if let Some(password) = &self.password {
            config.password(password.reveal());
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
        if let Some(timeout) = self.connect_timeout {
            config.connect_timeout(timeout);
        }
        if let Some(timeout) = self.tcp_user_timeout {
            config.tcp_user_timeout(timeout);
        }
        match self.keepalive {
            Some(keepalive) => config
                .keepalives_idle(keepalive.idle)
                .keepalives_interval(keepalive.interval)
                .keepalives_retries(keepalive.count),
            None => config.keepalives(false),
        };
        config
            .user(&self.user)
            .dbname(&self.database)
            .application_name(&self.application_name)
            .ssl_mode(self.encryption())
            .ssl_negotiation(self.ssl_negotiation)
            .channel_binding(self.channel_binding)
            .target_session_attrs(self.target_session_attributes)
            .load_balance_hosts(self.load_balance_hosts);
        config
    }

    /// Sockets are never encrypted, whatever `sslmode` says, as in libpq. Channel binding cannot
    /// be had without TLS, so nothing is sent to a server that has none.
    fn encryption(&self) -> Encryption {
        match self.ssl_mode {
            _ if self.is_socket() => Encryption::Disable,
            SslMode::Disable => Encryption::Disable,
            SslMode::Allow | SslMode::Prefer => match self.channel_binding {
                ChannelBinding::Require => Encryption::Require,
                _ => Encryption::Prefer,
            },
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Encryption::Require,
        }
    }
}

fn read(text: &str) -> Result<Settings, DsnError> {
    if text.is_empty() {
        return Err(DsnError::new("the connection string is empty").help(FORMS));
    }
    if text.starts_with(['"', '\'', '`', '“', '‘']) {
        return Err(DsnError::new("the connection string begins with a quote")
            .help("remove the quotes around the URL"));
    }
    if text.starts_with("psql ") {
        return Err(DsnError::new("the connection string is a command for psql")
            .help("remove `psql` and the quotes around the URL"));
    }
    if let Some(url) = Url::recognize(text) {
        return url.settings();
    }
    let first_word = text.split(['=', ' ']).next().unwrap_or_default();
    if text.contains('=') && spelling::is_like_an_option(first_word) {
        let mut settings = Settings::default();
        spelling::add(&mut settings, keyword_value::read(text)?, true)?;
        return Ok(settings);
    }
    let what = match text.contains("://") {
        true => "the URL does not begin with a scheme of PostgreSQL",
        false => "the connection string is neither a URL nor a list of `name=value`",
    };
    Err(DsnError::new(what).help(FORMS))
}

const FORMS: &str = "write `postgres://user:password@host:5432/database`, or `host=… dbname=… user=…`";

#[cfg(test)]
mod tests;
