//! Signatures of versions, in the format of minisign (<https://jedisct1.github.io/minisign/>).
//!
//! What is signed is a text of seven lines, which a client makes of the answer itself:
//!
//! ```text
//! topsell list blocked
//! form text
//! version Zm9v…
//! time 2026-01-05T09:12:00Z
//! expires 2026-01-06T09:12:00Z
//! entries 1000312
//! sha256 9f86d081…
//! ```
//!
//! It says which list it is (no other list is taken for it), when the version was made (no older one is taken for a newer
//! one) and until when it may be the newest (nobody can withhold newer ones for longer).
//!
//! Invariant: a key is never printed, and a signature of anything else is never taken for one of the text.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::name::ListName;
use topsell_core::model::Timestamp;

/// Signatures of the text itself, not of its BLAKE2b hash.
const ALGORITHM: &[u8; 2] = b"Ed";
const PUBLIC_BYTES: usize = 42;
const SECRET_BYTES: usize = 158;
/// Where the number of the key begins in a file of a secret key, after what says how it is encrypted.
const SECRET_AT: usize = 54;
const SIGNATURE_BYTES: usize = 74;
const TRUSTED: &str = "trusted comment: ";

/// A secret key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    number: [u8; 8],
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    number: [u8; 8],
    key: [u8; 32],
}

/// A key or a signature that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("is not the file of a key made by minisign")]
    NoKey,
    #[error("is encrypted with a password; make a key without one: `minisign -G -W`")]
    Encrypted,
    #[error("there is no signature")]
    Missing,
    #[error("the signature is not in the format of minisign, of a text that is not hashed before")]
    Format,
    #[error("the signature was made with another key")]
    OtherKey,
    #[error("the signature is not one of this version")]
    Wrong,
}

/// What is signed of a version.
#[derive(Clone, Debug)]
pub struct SignedText<'a> {
    pub list: &'a ListName,
    /// `text` or `prefixes`: of what the hash is.
    pub form: &'a str,
    pub version: &'a str,
    pub time: &'a str,
    pub expires: &'a str,
    pub entries: u64,
    pub sha256: &'a str,
}

/// A signature and until when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// In microseconds since 1970.
    pub expires: i64,
    /// As minisign writes it into a file.
    pub signature: String,
}

impl fmt::Display for SignedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SignedText { list, form, version, time, expires, entries, sha256 } = self;
        writeln!(f, "topsell list {list}\nform {form}\nversion {version}")?;
        writeln!(f, "time {time}\nexpires {expires}\nentries {entries}\nsha256 {sha256}")
    }
}

/// Returns a time as answers and signatures have it.
pub fn time_text(micros: i64) -> String {
    Timestamp::from_micros(micros).map_or_else(|_| micros.to_string(), |time| time.to_string())
}

/// Returns the microseconds since 1970 of a time as answers have it.
pub fn parse_time(text: &str) -> Option<i64> {
    Timestamp::parse(text).ok().map(Timestamp::micros)
}

/// Returns the SHA-256 of an entry in hexadecimal digits.
pub fn sha256_hex(entry: &str) -> String {
    hex(&<[u8; 32]>::from(Sha256::digest(entry.as_bytes())))
}

/// Returns bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl SigningKey {
    /// Reads the file of a secret key without a password.
    ///
    /// # Errors
    /// Says why it cannot be used.
    pub fn parse(text: &str) -> Result<SigningKey, SignatureError> {
        let bytes =
            key_bytes(text).filter(|bytes| bytes.len() == SECRET_BYTES && bytes.starts_with(ALGORITHM));
        let bytes = bytes.ok_or(SignatureError::NoKey)?;
        if bytes[2..4] != [0, 0] {
            return Err(SignatureError::Encrypted);
        }
        let number = bytes[SECRET_AT..SECRET_AT + 8].try_into().map_err(|_| SignatureError::NoKey)?;
        let (seed, public) = (&bytes[SECRET_AT + 8..SECRET_AT + 40], &bytes[SECRET_AT + 40..SECRET_AT + 72]);
        let pair =
            Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| SignatureError::NoKey)?;
        Ok(SigningKey { pair, number })
    }

    /// Returns the signature of a text.
    pub fn sign(&self, text: &SignedText<'_>) -> String {
        let signature = self.pair.sign(text.to_string().as_bytes());
        let comment = format!("list {} version {}", text.list, text.version);
        let with_comment = [signature.as_ref(), comment.as_bytes()].concat();
        let global = self.pair.sign(&with_comment);
        let first = STANDARD.encode([&ALGORITHM[..], &self.number, signature.as_ref()].concat());
        let second = STANDARD.encode(global.as_ref());
        format!("untrusted comment: signature of topsell\n{first}\n{TRUSTED}{comment}\n{second}\n")
    }
}

impl VerifyingKey {
    /// Reads the file of a public key, or its only line that counts.
    ///
    /// # Errors
    /// Fails where it is none.
    pub fn parse(text: &str) -> Result<VerifyingKey, SignatureError> {
        let bytes =
            key_bytes(text).filter(|bytes| bytes.len() == PUBLIC_BYTES && bytes.starts_with(ALGORITHM));
        let bytes = bytes.ok_or(SignatureError::NoKey)?;
        let number = bytes[2..10].try_into().map_err(|_| SignatureError::NoKey)?;
        let key = bytes[10..].try_into().map_err(|_| SignatureError::NoKey)?;
        Ok(VerifyingKey { number, key })
    }

    /// Checks that a signature is one of a text, made with the key.
    ///
    /// # Errors
    /// Says why it is not.
    pub fn verify(&self, text: &SignedText<'_>, signature: &str) -> Result<(), SignatureError> {
        let lines: Vec<&str> = signature.lines().collect();
        let [_, first, comment, second] = lines[..] else { return Err(SignatureError::Format) };
        let decode = |line: &str| STANDARD.decode(line.trim()).map_err(|_| SignatureError::Format);
        let (first, second) = (decode(first)?, decode(second)?);
        let comment = comment.strip_prefix(TRUSTED).ok_or(SignatureError::Format)?;
        if first.len() != SIGNATURE_BYTES || !first.starts_with(ALGORITHM) {
            return Err(SignatureError::Format);
        }
        if first[2..10] != self.number {
            return Err(SignatureError::OtherKey);
        }
        let key = UnparsedPublicKey::new(&ED25519, self.key);
        let with_comment = [&first[10..], comment.as_bytes()].concat();
        let is_right = key.verify(text.to_string().as_bytes(), &first[10..]).is_ok();
        match is_right && key.verify(&with_comment, &second).is_ok() {
            true => Ok(()),
            false => Err(SignatureError::Wrong),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// Returns the bytes of a key: of the line after the comment.
fn key_bytes(text: &str) -> Option<Vec<u8>> {
    let line =
        text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("untrusted comment:"))?;
    STANDARD.decode(line.trim()).ok()
}

/// Returns the files of a new key, the secret one first, for tests.
#[doc(hidden)]
pub fn new_key_files() -> (String, String) {
    use aws_lc_rs::encoding::AsBigEndian;
    use aws_lc_rs::signature::KeyPair;
    let pair = Ed25519KeyPair::generate().expect("there is randomness");
    let seed = pair.seed().expect("it was made of one");
    let seed = seed.as_be_bytes().expect("it has bytes");
    let public = pair.public_key().as_ref();
    let number = [7; 8];
    let mut secret = [&ALGORITHM[..], &[0, 0], b"B2", &[0; 48], &number, seed.as_ref(), public].concat();
    secret.resize(SECRET_BYTES, 0);
    let shared = [&ALGORITHM[..], &number, public].concat();
    let file = |bytes: &[u8]| format!("untrusted comment: key of a test\n{}\n", STANDARD.encode(bytes));
    (file(&secret), file(&shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(list: &ListName) -> SignedText<'_> {
        SignedText {
            list,
            form: "text",
            version: "Zm9v",
            time: "2026-01-05T09:12:00Z",
            expires: "2026-01-06T09:12:00Z",
            entries: 3,
            sha256: "00",
        }
    }

    #[test]
    fn a_signature_is_of_one_text_and_one_key() {
        let (secret, public) = new_key_files();
        let (signing, verifying) =
            (SigningKey::parse(&secret).expect("a key"), VerifyingKey::parse(&public).expect("a key"));
        let (list, other) =
            (ListName::parse("blocked").expect("a name"), ListName::parse("other").expect("a name"));
        let signature = signing.sign(&text(&list));
        assert_eq!(verifying.verify(&text(&list), &signature), Ok(()));
        for changed in [
            SignedText { list: &other, ..text(&list) },
            SignedText { version: "Zm9w", ..text(&list) },
            SignedText { time: "2026-01-05T09:12:01Z", ..text(&list) },
            SignedText { expires: "2027-01-06T09:12:00Z", ..text(&list) },
            SignedText { entries: 4, ..text(&list) },
            SignedText { sha256: "01", ..text(&list) },
            SignedText { form: "prefixes", ..text(&list) },
        ] {
            assert_eq!(verifying.verify(&changed, &signature), Err(SignatureError::Wrong));
        }
        let comment = signature.replace("list blocked version", "list blocked Version");
        assert_eq!(verifying.verify(&text(&list), &comment), Err(SignatureError::Wrong));
        let (_, another) = new_key_files();
        let another = VerifyingKey::parse(&another).expect("a key");
        assert_eq!(another.verify(&text(&list), &signature), Err(SignatureError::Wrong));
        assert_eq!(verifying.verify(&text(&list), "x"), Err(SignatureError::Format));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let (secret, public) = new_key_files();
        for wrong in ["", "x", &public] {
            assert_eq!(SigningKey::parse(wrong).err(), Some(SignatureError::NoKey));
        }
        assert_eq!(VerifyingKey::parse(&secret), Err(SignatureError::NoKey));
        let line = secret.lines().nth(1).expect("it has two");
        let mut bytes = STANDARD.decode(line).expect("base64");
        bytes[2..4].copy_from_slice(b"Sc");
        assert_eq!(SigningKey::parse(&STANDARD.encode(bytes)).err(), Some(SignatureError::Encrypted));
    }
}
