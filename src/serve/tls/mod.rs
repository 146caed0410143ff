//! The server's certificate and its key: read from two files, and read again when these change.
//!
//! Invariant: a certificate that cannot be used never replaces one that could.

mod certificate;
mod reloaded;

pub use certificate::TlsError;
pub use reloaded::ReloadedCertificate;
