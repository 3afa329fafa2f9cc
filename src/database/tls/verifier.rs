//! What is asked of a server's certificate.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

/// How much must be true of a certificate.
#[derive(Debug)]
pub enum Verification {
    /// Only that the server has its key.
    Nothing,
    /// That an authority vouches for it.
    Authority(Authorities),
    /// That an authority vouches for it and that it names the host.
    AuthorityAndName(Authorities),
}

/// Who may vouch for a server.
#[derive(Debug)]
pub struct Authorities {
    /// Those whose signature counts.
    pub roots: RootCertStore,
    /// Certificates that are trusted themselves, when a server presents them as its own: this is
    /// how `sslrootcert` is used with a server that signed for itself.
    pub pinned: Vec<CertificateDer<'static>>,
}

/// Verifies as much as it is told to, and always that the server has the certificate's key.
#[derive(Debug)]
pub struct Verifier {
    verification: Verification,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// A verifier for signatures of the given kinds.
    pub fn new(verification: Verification, algorithms: WebPkiSupportedAlgorithms) -> Verifier {
        Verifier { verification, algorithms }
    }

    fn verify_authority(
        &self,
        authorities: &Authorities,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let verified = verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(certificate)?,
            &authorities.roots,
            intermediates,
            now,
            self.algorithms.all,
        );
        match verified {
            // Most who sign for themselves say that they are an authority, which then may not be
            // a server. The time is looked at before that.
            Err(Error::InvalidCertificate(reason))
                if !is_about_time(&reason) && authorities.pinned.contains(certificate) =>
            {
                Ok(())
            }
            verified => verified,
        }
    }
}

fn is_about_time(reason: &CertificateError) -> bool {
    matches!(
        reason,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    )
}

fn public_key(certificate: &CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
    Certificate::from_der(certificate)
        .and_then(|certificate| certificate.tbs_certificate.subject_public_key_info.to_der())
        .map(SubjectPublicKeyInfoDer::from)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.verification {
            Verification::Nothing => {}
            Verification::Authority(authorities) => {
                self.verify_authority(authorities, certificate, intermediates, now)?;
            }
            Verification::AuthorityAndName(authorities) => {
                self.verify_authority(authorities, certificate, intermediates, now)?;
                verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Certificates of X.509's first version, as the server's manual makes them, are not read
        // by the verifier. Where nothing else is wanted of them, their key will do.
        if matches!(self.verification, Verification::Nothing)
            && ParsedCertificate::try_from(certificate).is_err()
        {
            let key = public_key(certificate)?;
            return verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms);
        }
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
