//! libpq's environment variables.

use super::error::DsnError;
use super::setting::Settings;

/// How a variable is looked up: in the process, in a file, in a test's table.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables that say where, of which one must be set for the variables to be a target.
const TARGETS: &[&str] = &["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE"];

/// Every variable that is read, and libpq's option for it.
pub const VARIABLES: &[(&str, &str)] = &[
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGAPPNAME", "application_name"),
    ("PGOPTIONS", "options"),
];

/// What libpq's other variables would make sure of, and nobody does here.
const UNHEARD: &[&str] = &[
    "PGREQUIREAUTH",
    "PGREQUIREPEER",
    "PGREQUIRESSL",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLMINPROTOCOLVERSION",
    "PGSSLMAXPROTOCOLVERSION",
    "PGGSSENCMODE",
];

/// Refuses a variable that asks for more than is done.
fn check(get: Lookup) -> Result<(), DsnError> {
    let asks = |variable: &&&str| {
        let value = get(variable).unwrap_or_default();
        !matches!(&*value, "" | "0" | "disable" | "prefer")
    };
    match UNHEARD.iter().find(asks) {
        Some(variable) => Err(DsnError::new(format!("`{variable}` is not supported")).help(
            "unset it; `sslmode=verify-full` and `channel_binding=require` say who the server must be",
        )),
        None => Ok(()),
    }
}

/// What the variables set, if they say where to connect to.
///
/// # Errors
///
/// A service is asked for, which is not supported, or a value cannot be carried.
pub fn settings(get: Lookup) -> Result<Option<Settings>, DsnError> {
    let is_set = |variable: &&str| get(variable).is_some_and(|value| !value.is_empty());
    if !TARGETS.iter().any(is_set) {
        return Ok(None);
    }
    if is_set(&"PGSERVICE") {
        return Err(DsnError::new("`PGSERVICE` is not supported")
            .help("set PGHOST, PGPORT, PGUSER and PGDATABASE, or use a URL"));
    }
    check(get)?;
    let mut settings = Settings::default();
    for (variable, key) in VARIABLES {
        settings.set(key, variable, get(variable).unwrap_or_default())?;
    }
    Ok(Some(settings))
}

/// Adds what a connection string leaves open, as libpq does; only where it leads to is never
/// changed by a variable that its author may have forgotten.
///
/// # Errors
///
/// A value cannot be carried.
pub fn fill(settings: &mut Settings, get: Lookup) -> Result<(), DsnError> {
    check(get)?;
    let is_place = |key: &str| matches!(key, "host" | "hostaddr");
    for (variable, key) in VARIABLES.iter().filter(|(_, key)| !is_place(key)) {
        if !settings.has(key) {
            settings.set(key, variable, get(variable).unwrap_or_default())?;
        }
    }
    Ok(())
}
