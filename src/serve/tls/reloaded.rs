//! The certificate that new connections get, which follows its files.
//!
//! A renewal writes two files, one after the other, and may be met in between: what is wrong with them is said when it is
//! seen a second time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DEFAULT_VERSIONS, ServerConfig};

use crate::config::{LogLevel, TlsFiles};
use crate::tls::certificate::{Certificate, PemFiles, TlsError};
use topsell_core::model::Timestamp;

/// The only protocol that is spoken in a connection.
const PROTOCOL: &[u8] = b"http/1.1";
/// How long before its end a certificate is warned about: half of the time in which it is usually renewed.
const AHEAD_SECONDS: u64 = 14 * 86_400;

/// The certificate of two files that may change.
pub struct ReloadedCertificate {
    files: TlsFiles,
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    /// When the current one expires, in seconds since 1970.
    not_after: AtomicU64,
    known: Mutex<Known>,
}

/// What the next connection gets.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

struct Known {
    certificate: Certificate,
    /// What the files had when they were last used.
    pem: PemFiles,
    /// What was wrong with the files when they were last looked at, and whether that was said.
    failure: Option<(String, bool)>,
    /// What was said of the certificate's time.
    warning: Option<String>,
}

impl ReloadedCertificate {
    /// Reads the files.
    ///
    /// # Errors
    /// Names the file that cannot be used.
    pub fn open(files: TlsFiles) -> Result<ReloadedCertificate, TlsError> {
        let pem = PemFiles::read(&files)?;
        let certificate = Certificate::of(&files, &pem)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(certificate.key.clone()))));
        Ok(ReloadedCertificate {
            files,
            config: server_config(&current).map_err(|e| TlsError::Unsupported(e.to_string()))?,
            current,
            not_after: AtomicU64::new(certificate.not_after),
            known: Mutex::new(Known { certificate, pem, failure: None, warning: None }),
        })
    }

    /// Looks at the files, and returns what there is to say of them.
    pub fn refresh(&self, now: Timestamp) -> Vec<(LogLevel, String)> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut said = Vec::new();
        match self.changed(&known.pem) {
            Ok(None) => known.failure = None,
            Ok(Some((certificate, pem))) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) =
                    Arc::new(certificate.key.clone());
                self.not_after.store(certificate.not_after, Ordering::Relaxed);
                *known = Known { certificate, pem, failure: None, warning: None };
                let text = format!("{}: the new certificate is used", self.files.certificate.display());
                said.push((LogLevel::Info, text));
            }
            Err(error) => {
                let text = error.to_string();
                let before = known.failure.take().filter(|(of, _)| *of == text);
                if before.as_ref().is_some_and(|(_, was_said)| !was_said) {
                    said.push((LogLevel::Error, format!("the certificate before is still used: {text}")));
                }
                known.failure = Some((text, before.is_some()));
            }
        }
        let warning = known.certificate.warning(now, AHEAD_SECONDS);
        if warning != known.warning {
            let path = self.files.certificate.display();
            said.extend(warning.iter().map(|text| (LogLevel::Warning, format!("{path}: {text}"))));
            known.warning = warning;
        }
        said
    }

    /// Returns what the files have, if it is something new.
    fn changed(&self, known: &PemFiles) -> Result<Option<(Certificate, PemFiles)>, TlsError> {
        let pem = PemFiles::read(&self.files)?;
        if pem == *known {
            return Ok(None);
        }
        Ok(Some((Certificate::of(&self.files, &pem)?, pem)))
    }

    /// Returns when the certificate expires, in seconds since 1970.
    pub fn not_after(&self) -> u64 {
        self.not_after.load(Ordering::Relaxed)
    }

    /// Returns how connections are encrypted: by TLS 1.2 or 1.3.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

fn server_config(current: &Arc<Current>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(DEFAULT_VERSIONS)?;
    let resolver = Arc::clone(current) as Arc<dyn ResolvesServerCert>;
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}
