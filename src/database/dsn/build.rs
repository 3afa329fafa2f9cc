//! From settings, which are texts, to a connection string that is understood.

use std::path::PathBuf;
use std::time::Duration;

use postgres::config::{ChannelBinding, LoadBalanceHosts, SslNegotiation, TargetSessionAttrs};

use super::error::DsnError;
use super::host::Host;
use super::setting::{Settings, Time};
use super::{Dsn, Keepalive, SslIdentity, SslMode, SslRoots};
use crate::database::secret::Secret;

const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);
const TCP_USER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const APPLICATION_NAME_DEFAULT: &str = "seedbed";

/// Understands every setting.
///
/// # Errors
///
/// No host is named, a value is not one that its option can have, or two of them contradict each
/// other.
pub fn build(mut settings: Settings) -> Result<Dsn, DsnError> {
    let given = &mut settings;
    let (names, addresses, ports) =
        (given.take_text("host"), given.take_text("hostaddr"), given.take("port"));
    let hosts = Host::list(names.as_deref(), addresses.as_deref(), ports.as_ref())?;
    let user = match given.take_text("user") {
        Some(user) => user,
        None => whoami::username().map_err(|_| {
            DsnError::new("no user is named, and the operating system knows none")
                .help("name one, like `postgres://user@host/database`, or set PGUSER")
        })?,
    };
    let database = given.take_text("dbname").unwrap_or_else(|| user.clone());
    // Both are shown to people, so a connection string must not pass for one of them.
    for (name, text) in [("user", &user), ("dbname", &database)] {
        if text.contains("://") || text.contains('=') {
            return Err(DsnError::new(format!("`{name}` holds a connection string"))
                .help("give the connection string alone"));
        }
    }
    if user.contains(':') {
        return Err(
            DsnError::new("`user` holds a `:`").help("give the password in `password`, not behind the user")
        );
    }
    let application_name = given.take_text("application_name");
    let fallback_application_name = given.take_text("fallback_application_name");
    let ssl_roots = match given.take_text("sslrootcert") {
        Some(path) if path != "system" => SslRoots::File(PathBuf::from(path)),
        Some(_) => {
            require_full_verification(given)?;
            SslRoots::System
        }
        None => SslRoots::System,
    };
    let dsn = Dsn {
        hosts,
        first: 0,
        user,
        database,
        password: given.take_text("password").map(Secret::new),
        passfile: given.take_text("passfile").map(PathBuf::from),
        ssl_mode: given.take_word("sslmode", SSL_MODES)?.unwrap_or(SslMode::Prefer),
        ssl_roots,
        ssl_identity: take_ssl_identity(given)?,
        ssl_negotiation: given
            .take_word("sslnegotiation", SSL_NEGOTIATIONS)?
            .unwrap_or(SslNegotiation::Postgres),
        channel_binding: given
            .take_word("channel_binding", CHANNEL_BINDINGS)?
            .unwrap_or(ChannelBinding::Prefer),
        target_session_attributes: given
            .take_word("target_session_attrs", TARGET_SESSION_ATTRIBUTES)?
            .unwrap_or(TargetSessionAttrs::Any),
        load_balance_hosts: given
            .take_word("load_balance_hosts", LOAD_BALANCES)?
            .unwrap_or(LoadBalanceHosts::Disable),
        application_name: application_name
            .or(fallback_application_name)
            .unwrap_or_else(|| APPLICATION_NAME_DEFAULT.to_owned()),
        options: given.take_text("options"),
        connect_timeout: given
            .take_time("connect_timeout", Duration::from_secs(1))?
            .map_or(Some(CONNECT_TIMEOUT_DEFAULT), Time::limit),
        tcp_user_timeout: given
            .take_time("tcp_user_timeout", Duration::from_millis(1))?
            .map_or(Some(TCP_USER_TIMEOUT_DEFAULT), Time::limit),
        keepalive: take_keepalive(given)?,
    };
    refuse_contradictions(&dsn)?;
    Ok(dsn)
}

fn refuse_contradictions(dsn: &Dsn) -> Result<(), DsnError> {
    if dsn.is_socket() {
        return Ok(());
    }
    if dsn.channel_binding == ChannelBinding::Require && dsn.ssl_mode == SslMode::Disable {
        return Err(DsnError::new("`channel_binding=require` needs TLS, `sslmode=disable` forbids it")
            .help("remove one of them"));
    }
    if dsn.ssl_negotiation == SslNegotiation::Direct && dsn.ssl_mode < SslMode::Require {
        return Err(DsnError::new("`sslnegotiation=direct` needs TLS, and `sslmode` does not demand it")
            .help("add `sslmode=require` or stronger"));
    }
    Ok(())
}

/// libpq refuses to trust every authority of the machine with any name.
fn require_full_verification(given: &mut Settings) -> Result<(), DsnError> {
    match given.take_word("sslmode", SSL_MODES)? {
        None | Some(SslMode::VerifyFull) => given.set("sslmode", "sslmode", "verify-full".to_owned()),
        Some(_) => Err(DsnError::new("`sslrootcert=system` needs `sslmode=verify-full`")
            .help("remove `sslmode`, or set it to `verify-full`")),
    }
}

fn take_ssl_identity(given: &mut Settings) -> Result<Option<SslIdentity>, DsnError> {
    match (given.take_text("sslcert"), given.take_text("sslkey")) {
        (Some(certificate), Some(key)) => {
            Ok(Some(SslIdentity { certificate: certificate.into(), key: key.into() }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(DsnError::new("`sslcert` is given without `sslkey`")
            .help("name the file with its key in `sslkey`")),
        (None, Some(_)) => Err(DsnError::new("`sslkey` is given without `sslcert`")
            .help("name the file with its certificate in `sslcert`")),
    }
}

/// Where libpq leaves the system's two hours alone, a dead peer is found within a minute.
fn take_keepalive(given: &mut Settings) -> Result<Option<Keepalive>, DsnError> {
    let second = Duration::from_secs(1);
    let is_wanted = given.take_number("keepalives")? != Some(0);
    let idle = given.take_time("keepalives_idle", second)?.and_then(Time::limit);
    let interval = given.take_time("keepalives_interval", second)?.and_then(Time::limit);
    let count = given.take_number("keepalives_count")?;
    Ok(is_wanted.then_some(Keepalive {
        idle: idle.unwrap_or(30 * second),
        interval: interval.unwrap_or(10 * second),
        count: count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0).unwrap_or(3),
    }))
}

const SSL_MODES: &[(&str, SslMode)] = &[
    ("disable", SslMode::Disable),
    ("allow", SslMode::Allow),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

const SSL_NEGOTIATIONS: &[(&str, SslNegotiation)] =
    &[("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)];

const CHANNEL_BINDINGS: &[(&str, ChannelBinding)] = &[
    ("disable", ChannelBinding::Disable),
    ("prefer", ChannelBinding::Prefer),
    ("require", ChannelBinding::Require),
];

/// A primary that accepts no writes is of no use here, so `primary` asks for one that does. Those
/// that ask for a standby are left out: nothing can be written there.
const TARGET_SESSION_ATTRIBUTES: &[(&str, TargetSessionAttrs)] = &[
    ("any", TargetSessionAttrs::Any),
    ("read-write", TargetSessionAttrs::ReadWrite),
    ("read-only", TargetSessionAttrs::ReadOnly),
    ("primary", TargetSessionAttrs::ReadWrite),
];

const LOAD_BALANCES: &[(&str, LoadBalanceHosts)] =
    &[("disable", LoadBalanceHosts::Disable), ("random", LoadBalanceHosts::Random)];
