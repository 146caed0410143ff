//! A certificate with its chain and its key, as files in PEM form have them.
//!
//! Invariant: the key belongs to the certificate.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error as RustlsError, InconsistentKeys, RootCertStore};

use crate::config::TlsFiles;
use topsell_core::model::Timestamp;
use topsell_core::storage::local_files;

/// No certificate is valid at these moments: 1970, and some 30,000 years later.
const BEFORE_ALL: UnixTime = UnixTime::since_unix_epoch(Duration::ZERO);
const AFTER_ALL: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1 << 40));
/// How the first line of a key begins that is encrypted by a password.
const ENCRYPTED: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the cryptography of this program has no TLS: {0}")]
    Unsupported(String),
    #[error("{}: has no certificate in PEM form, `-----BEGIN CERTIFICATE-----`", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{}: has no private key in PEM form, `-----BEGIN PRIVATE KEY-----`", path.display())]
    NoKey { path: PathBuf },
    #[error("{}: the key is encrypted; decrypt it with `openssl pkey`", path.display())]
    EncryptedKey { path: PathBuf },
    #[error("{}: is not valid PEM: {reason}", path.display())]
    Pem { path: PathBuf, reason: String },
    #[error("{}: the certificate cannot be used: {reason}", path.display())]
    BadCertificate { path: PathBuf, reason: String },
    #[error("{}: the key cannot be used: {reason}", path.display())]
    BadKey { path: PathBuf, reason: String },
    #[error(
        "{}: the key does not belong to the certificate of {}, whose first one must be the server's own",
        key.display(),
        certificate.display()
    )]
    Mismatch { certificate: PathBuf, key: PathBuf },
}

/// The contents of the two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemFiles {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate that can be used.
#[derive(Debug)]
pub struct Certificate {
    pub key: CertifiedKey,
    /// When it is valid, in seconds since 1970.
    pub not_before: u64,
    pub not_after: u64,
}

impl PemFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub fn read(files: &TlsFiles) -> Result<PemFiles, TlsError> {
        let read = |path: &Path| {
            local_files::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
        };
        Ok(PemFiles { certificate: read(&files.certificate)?, key: read(&files.key)? })
    }
}

impl Certificate {
    /// Returns the certificate of two files.
    ///
    /// # Errors
    /// Names the file that cannot be used.
    pub fn of(files: &TlsFiles, pem: &PemFiles) -> Result<Certificate, TlsError> {
        let chain = chain(&files.certificate, &pem.certificate)?;
        let (not_before, not_after) = validity(&chain[0])
            .map_err(|reason| TlsError::BadCertificate { path: files.certificate.clone(), reason })?;
        let key = private_key(&files.key, &pem.key)?;
        let signing = aws_lc_rs::sign::any_supported_type(&key);
        let bad_key = |e: RustlsError| TlsError::BadKey { path: files.key.clone(), reason: e.to_string() };
        let key = CertifiedKey::new(chain, signing.map_err(bad_key)?);
        match key.keys_match() {
            Ok(()) | Err(RustlsError::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Certificate { key, not_before, not_after })
            }
            Err(RustlsError::InconsistentKeys(_)) => {
                Err(TlsError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() })
            }
            Err(e) => {
                Err(TlsError::BadCertificate { path: files.certificate.clone(), reason: e.to_string() })
            }
        }
    }

    /// Says what clients will have against the certificate now or within `ahead_seconds`, if anything.
    pub fn warning(&self, now: Timestamp, ahead_seconds: u64) -> Option<String> {
        let seconds = u64::try_from(now.micros() / 1_000_000).unwrap_or(0);
        let time = |seconds: u64| {
            let micros = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1_000_000));
            let moment = micros.and_then(|micros| Timestamp::from_micros(micros).ok());
            moment.map_or_else(|| format!("{seconds} s after 1970"), |moment| moment.to_string())
        };
        match () {
            () if seconds < self.not_before => {
                Some(format!("the certificate is not valid before {}", time(self.not_before)))
            }
            () if seconds > self.not_after => {
                Some(format!("the certificate expired at {}; clients refuse it", time(self.not_after)))
            }
            () if seconds.saturating_add(ahead_seconds) > self.not_after => {
                Some(format!("the certificate expires at {}", time(self.not_after)))
            }
            () => None,
        }
    }
}

fn chain(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|e| pem_error(path, &e))?;
    match chain.is_empty() {
        true => Err(TlsError::NoCertificate { path: path.to_owned() }),
        false => Ok(chain),
    }
}

fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = String::from_utf8_lossy(pem);
    if text.lines().any(|line| ENCRYPTED.iter().any(|encrypted| line.starts_with(encrypted))) {
        return Err(TlsError::EncryptedKey { path: path.to_owned() });
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|e| match e {
        PemError::NoItemsFound => TlsError::NoKey { path: path.to_owned() },
        e => pem_error(path, &e),
    })
}

fn pem_error(path: &Path, error: &PemError) -> TlsError {
    let reason = match error {
        PemError::MissingSectionEnd { .. } => "a line `-----END …` is missing".to_owned(),
        // Never the text of the line: it may be of the key.
        PemError::IllegalSectionStart { .. } => "a line `-----BEGIN …` does not end with `-----`".to_owned(),
        PemError::Base64Decode(_) => "what is between the lines BEGIN and END is not Base64".to_owned(),
        e => e.to_string(),
    };
    TlsError::Pem { path: path.to_owned(), reason }
}

fn reason(error: &RustlsError) -> String {
    match error {
        RustlsError::InvalidCertificate(CertificateError::BadEncoding) => {
            "it is no X.509 certificate of version 3".to_owned()
        }
        e => e.to_string(),
    }
}

/// Returns from when to when a certificate is valid, in seconds since 1970.
///
/// Who verifies a certificate looks at its time first, and says what was wrong with it; whose signature it has does
/// not matter here.
fn validity(certificate: &CertificateDer<'_>) -> Result<(u64, u64), String> {
    let parsed = ParsedCertificate::try_from(certificate).map_err(|e| reason(&e))?;
    let verified = |now| {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], now, algorithms)
    };
    let not_before = match verified(BEFORE_ALL) {
        Err(RustlsError::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            not_before.as_secs()
        }
        // It is valid since 1970.
        Err(RustlsError::InvalidCertificate(CertificateError::UnknownIssuer)) => 0,
        Err(e) => return Err(reason(&e)),
        Ok(()) => 0,
    };
    match verified(AFTER_ALL) {
        Err(RustlsError::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Ok((not_before, not_after.as_secs()))
        }
        Err(e) => Err(reason(&e)),
        Ok(()) => Err("it never expires".to_owned()),
    }
}
