//! The options people write into connection strings, in libpq's spelling and in that of others.

use super::error::DsnError;
use super::host::ESCAPES;
use super::setting::Settings;

/// What an option means here.
#[derive(Clone, Copy)]
enum Meaning {
    /// An option of libpq, under its own or under another name.
    Is(&'static str),
    /// JDBC's and asyncpg's `ssl`: a yes, a no, or an `sslmode`.
    Encrypted,
    /// A schema to look in first.
    SearchPath,
    /// JDBC's words for `target_session_attrs`.
    ServerType,
    /// The character set, which can only be UTF-8.
    Encoding,
    /// It concerns another program's pools, caches or protocol and changes nothing here.
    Ignored,
    /// It is ignored with these values, which ask for nothing, and refused with any other.
    Only(&'static [&'static str], &'static str),
    /// Leaving it out would change the meaning of the rest; what to do instead.
    Refused(&'static str),
}

use Meaning::{Encoding, Encrypted, Ignored, Is, Only, Refused, SearchPath, ServerType};

const NO_GSS: &str = "use a password or a client certificate; GSSAPI is not spoken here";
const NO_PROTOCOL: &str = "remove it; TLS 1.2 and 1.3 are spoken, the newer one if the server can";
const NO_REVOCATION: &str = "remove it; revocation lists are not read";
const NO_SERVICE: &str = "write host, port, user and database into the connection string";

const SPELLINGS: &[(&str, Meaning)] = &[
    // libpq
    ("host", Is("host")),
    ("hostaddr", Is("hostaddr")),
    ("port", Is("port")),
    ("dbname", Is("dbname")),
    ("user", Is("user")),
    ("password", Is("password")),
    ("passfile", Is("passfile")),
    ("connect_timeout", Is("connect_timeout")),
    ("tcp_user_timeout", Is("tcp_user_timeout")),
    ("keepalives", Is("keepalives")),
    ("keepalives_idle", Is("keepalives_idle")),
    ("keepalives_interval", Is("keepalives_interval")),
    ("keepalives_count", Is("keepalives_count")),
    ("application_name", Is("application_name")),
    ("fallback_application_name", Is("fallback_application_name")),
    ("options", Is("options")),
    ("sslmode", Is("sslmode")),
    ("sslnegotiation", Is("sslnegotiation")),
    ("sslrootcert", Is("sslrootcert")),
    ("sslcert", Is("sslcert")),
    ("sslkey", Is("sslkey")),
    ("channel_binding", Is("channel_binding")),
    ("target_session_attrs", Is("target_session_attrs")),
    ("load_balance_hosts", Is("load_balance_hosts")),
    ("client_encoding", Encoding),
    ("sslcompression", Only(&["0"], "remove it; TLS is not compressed")),
    ("sslsni", Only(&["1"], "remove it; the server's name is always sent")),
    ("gssencmode", Only(&["disable", "prefer"], NO_GSS)),
    ("gssdelegation", Only(&["0"], NO_GSS)),
    ("krbsrvname", Ignored),
    ("gsslib", Ignored),
    ("replication", Only(&["false", "off", "no", "0"], "remove it; rows are not replicated")),
    ("ssl_min_protocol_version", Only(&["TLSv1", "TLSv1.1", "TLSv1.2"], NO_PROTOCOL)),
    ("ssl_max_protocol_version", Only(&["TLSv1.3"], NO_PROTOCOL)),
    ("sslcertmode", Only(&["allow"], "remove it; `sslcert` is sent whenever it is given")),
    ("sslcrl", Refused(NO_REVOCATION)),
    ("sslcrldir", Refused(NO_REVOCATION)),
    ("sslpassword", Refused("use a key file that is not encrypted")),
    ("requiressl", Refused("use `sslmode`")),
    ("requirepeer", Refused("remove it, and let the directory's permissions guard the socket")),
    ("require_auth", Refused("use `channel_binding=require`, which only SCRAM can satisfy")),
    ("service", Refused(NO_SERVICE)),
    ("servicefile", Refused(NO_SERVICE)),
    // tokio-postgres
    ("keepalives_retries", Is("keepalives_count")),
    // SQLAlchemy, psycopg and asyncpg
    ("database", Is("dbname")),
    ("ssl", Encrypted),
    ("timeout", Is("connect_timeout")),
    ("command_timeout", Ignored),
    ("prepared_statement_cache_size", Ignored),
    ("statement_cache_size", Ignored),
    ("prepare_threshold", Ignored),
    ("async_fallback", Ignored),
    // JDBC
    ("currentSchema", SearchPath),
    ("ApplicationName", Is("application_name")),
    ("connectTimeout", Is("connect_timeout")),
    ("loginTimeout", Is("connect_timeout")),
    ("tcpKeepAlive", Ignored),
    ("targetServerType", ServerType),
    ("channelBinding", Is("channel_binding")),
    ("socketTimeout", Ignored),
    ("prepareThreshold", Ignored),
    ("preparedStatementCacheQueries", Ignored),
    ("preparedStatementCacheSizeMiB", Ignored),
    ("preferQueryMode", Ignored),
    ("reWriteBatchedInserts", Ignored),
    ("stringtype", Ignored),
    ("binaryTransfer", Ignored),
    ("defaultRowFetchSize", Ignored),
    ("autosave", Ignored),
    // Prisma, Go and Node
    ("schema", SearchPath),
    ("search_path", SearchPath),
    ("pgbouncer", Ignored),
    ("connection_limit", Ignored),
    ("pool_timeout", Ignored),
    ("socket_timeout", Ignored),
    ("pool_max_conns", Ignored),
    ("uselibpqcompat", Ignored),
];

/// Adds the options in the order written, so that the last one counts.
///
/// An option that nobody knows is named in the error only if `is_well_formed` and if neither a
/// password nor a value that may have swallowed one came before it: else it may be the rest of a
/// password that was not escaped.
///
/// # Errors
///
/// An option is not known, not supported, or has a value that cannot be carried.
pub fn add(
    settings: &mut Settings,
    options: Vec<(String, String)>,
    is_well_formed: bool,
) -> Result<(), DsnError> {
    let mut is_nameable = is_well_formed;
    for (key, value) in options {
        let Some((name, meaning)) = SPELLINGS.iter().find(|(name, _)| *name == key) else {
            return Err(unknown(&key, is_nameable));
        };
        is_nameable &= *name != "password" && !value.contains(['=', '@']);
        add_one(settings, name, *meaning, value)?;
    }
    Ok(())
}

/// Whether a word is an option, or is so close to one that it must have been meant as one.
pub fn is_like_an_option(word: &str) -> bool {
    SPELLINGS.iter().any(|(name, _)| *name == word) || near(word).is_some()
}

fn add_one(
    settings: &mut Settings,
    name: &'static str,
    meaning: Meaning,
    value: String,
) -> Result<(), DsnError> {
    match meaning {
        Is(key) => settings.set(key, name, value),
        Encrypted => {
            let mode = match value.as_str() {
                "true" | "1" => "require",
                "false" | "0" => "disable",
                mode => mode,
            };
            settings.set("sslmode", name, mode.to_owned())
        }
        SearchPath => {
            // The server splits `options` at blanks that no backslash protects.
            let escaped = value.replace('\\', "\\\\").replace(' ', "\\ ");
            let others = settings.take_text("options").map(|others| others + " ");
            let options = format!("{}-csearch_path={escaped}", others.unwrap_or_default());
            settings.set("options", name, options)
        }
        ServerType => {
            let attribute = match value.as_str() {
                "master" => "primary",
                "secondary" | "slave" => "standby",
                other => other,
            };
            settings.set("target_session_attrs", name, attribute.to_owned())
        }
        Encoding => match value.to_lowercase().replace(['-', '_'], "").as_str() {
            "" | "utf8" | "unicode" | "auto" => Ok(()),
            _ => Err(refused(name).help("remove it; text is always sent as UTF8")),
        },
        Ignored => Ok(()),
        Only(harmless, _) if harmless.contains(&value.as_str()) => Ok(()),
        Only(_, help) => Err(DsnError::new(format!("this value of `{name}` is not supported")).help(help)),
        Refused(help) => Err(refused(name).help(help)),
    }
}

fn refused(name: &str) -> DsnError {
    DsnError::new(format!("`{name}` is not supported"))
}

fn unknown(key: &str, is_nameable: bool) -> DsnError {
    let is_word = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let error = match is_nameable && is_word && key.len() <= 40 {
        true => DsnError::new(format!("unknown option `{key}`")),
        false => DsnError::new("unknown option in the connection string"),
    };
    match near(key) {
        Some(name) => error.help(format!("did you mean `{name}`?")),
        None if is_nameable => error.help("remove it, or use an option of libpq"),
        None => error.help(ESCAPES),
    }
}

fn near(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    let distances =
        SPELLINGS.iter().map(|(name, _)| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), *name));
    let near = distances.filter(|(distance, name)| *distance <= (name.len() / 3).clamp(1, 3));
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}
