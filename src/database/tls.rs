//! TLS as libpq means it: `sslmode` says how much of it is wanted and what is verified.
//!
//! | `sslmode` | encrypted | the certificate's authority | the host's name |
//! |---|---|---|---|
//! | `disable` | never | | |
//! | `allow`, `prefer` (the default) | if the server can | not verified | not verified |
//! | `require` | always | verified only with `sslrootcert` | not verified |
//! | `verify-ca` | always | verified | not verified |
//! | `verify-full` | always | verified | verified |
//!
//! Two things differ from libpq. `allow` and `prefer` are the same, and neither tries again without
//! TLS when the handshake fails. And without `sslrootcert` the authorities are those this machine
//! trusts, or Mozilla's where it has none, instead of a file in the home directory.
//!
//! Whatever is verified, the server must prove that the certificate is its own, without which
//! `channel_binding=require` would bind to nothing.

mod verifier;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use postgres::config::{ChannelBinding, SslNegotiation};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::dsn::{Dsn, SslIdentity, SslMode, SslRoots};
use verifier::{Authorities, Verification, Verifier};

/// How to connect, and to cancel, with TLS or without.
#[derive(Clone)]
pub struct Tls {
    /// What `postgres::Config::connect` and `postgres::CancelToken::cancel_query` want.
    pub connector: MakeRustlsConnect,
    /// Whether another machine could pose as the server without being noticed: the connection
    /// leaves this one, may be encrypted, and nothing proves who answers.
    pub is_unverified: bool,
}

/// A file that TLS needs and that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError {
    /// One line, lower case, without a full stop.
    pub message: String,
    /// The next action.
    pub help: String,
}

/// The connector for a connection string. Certificates are read only if they will be needed.
///
/// # Errors
///
/// A file that `sslrootcert`, `sslcert` or `sslkey` names cannot be read, is not PEM, or holds a
/// certificate or key that cannot be used.
pub fn connector(dsn: &Dsn) -> Result<Tls, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verification = verification(dsn)?;
    // Any name, vouched for by anybody whom this machine trusts, is nobody in particular.
    let is_verified = match (&verification, &dsn.ssl_roots) {
        (Verification::Nothing, _) | (Verification::Authority(_), SslRoots::System) => false,
        (Verification::Authority(_) | Verification::AuthorityAndName(_), _) => true,
    };
    let verifier = Verifier::new(verification, provider.signature_verification_algorithms);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("TLS", &error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match dsn.ssl_identity.as_ref().filter(|_| may_use_tls(dsn)) {
        Some(identity) => {
            let (certificates, key) = read_identity(identity)?;
            builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| unusable("the certificate of `sslcert` and its key", &error))?
        }
        None => builder.with_no_client_auth(),
    };
    // Without the question in PostgreSQL's protocol, this is how the server knows what is meant.
    if dsn.ssl_negotiation == SslNegotiation::Direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    let is_bound = dsn.channel_binding == ChannelBinding::Require;
    let is_remote = dsn.hosts.iter().any(|host| !host.is_local());
    Ok(Tls {
        connector: MakeRustlsConnect::new(config),
        is_unverified: is_remote && may_use_tls(dsn) && !is_verified && !is_bound,
    })
}

fn may_use_tls(dsn: &Dsn) -> bool {
    dsn.ssl_mode != SslMode::Disable && !dsn.is_socket()
}

fn verification(dsn: &Dsn) -> Result<Verification, TlsError> {
    let has_file = matches!(dsn.ssl_roots, SslRoots::File(_));
    Ok(match dsn.ssl_mode {
        _ if !may_use_tls(dsn) => Verification::Nothing,
        SslMode::Disable | SslMode::Allow | SslMode::Prefer => Verification::Nothing,
        SslMode::Require if !has_file => Verification::Nothing,
        SslMode::Require | SslMode::VerifyCa => Verification::Authority(authorities(dsn)?),
        SslMode::VerifyFull => Verification::AuthorityAndName(authorities(dsn)?),
    })
}

fn authorities(dsn: &Dsn) -> Result<Authorities, TlsError> {
    match &dsn.ssl_roots {
        SslRoots::File(path) => authorities_in(path),
        SslRoots::System => Ok(authorities_of_this_machine()),
    }
}

fn authorities_in(path: &Path) -> Result<Authorities, TlsError> {
    let certificates = read_certificates("sslrootcert", path)?;
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| {
            unusable(&format!("a certificate in `{}` of `sslrootcert`", path.display()), &error)
        })?;
    }
    Ok(Authorities { roots, pinned: certificates })
}

fn authorities_of_this_machine() -> Authorities {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Authorities { roots, pinned: Vec::new() }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read_identity(identity: &SslIdentity) -> Result<Identity, TlsError> {
    let certificates = read_certificates("sslcert", &identity.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&identity.key)
        .map_err(|error| unreadable("sslkey", &identity.key, &error))?;
    Ok((certificates, key))
}

fn read_certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, pem::Error>>)
        .and_then(|certificates| match certificates.is_empty() {
            true => Err(pem::Error::NoItemsFound),
            false => Ok(certificates),
        });
    certificates.map_err(|error| unreadable(option, path, &error))
}

fn unreadable(option: &str, path: &Path, error: &pem::Error) -> TlsError {
    let path = path.display();
    let (reason, help) = match error {
        pem::Error::Io(error) => (error.to_string(), "correct the path, or make the file readable"),
        pem::Error::NoItemsFound => ("it holds none in PEM".to_owned(), "convert it with `openssl`"),
        // What PEM's own errors quote could be a part of the key.
        _ => ("it is not valid PEM".to_owned(), "convert it with `openssl`"),
    };
    TlsError {
        message: format!("`{path}`, which `{option}` names, cannot be used: {reason}"),
        help: help.to_owned(),
    }
}

fn unusable(what: &str, error: &rustls::Error) -> TlsError {
    TlsError {
        message: format!("{what} cannot be used: {error}"),
        help: "give an X.509 v3 certificate and a key that is not encrypted".to_owned(),
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.message, self.help)
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests;
