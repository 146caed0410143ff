//! Checksums of what is written, so that a flipped bit is found by whoever reads it.
//!
//! ```text
//! <unique part>-<checksum of all bytes>.parquet
//! <unique part>-<checksum of all bytes>-<checksum of the last bytes>.parquet
//! ```
//!
//! A checksum is the XXH3 of 64 bits (<https://github.com/Cyan4973/xxHash>) as 16 hexadecimal digits. It finds
//! damage, not forgery: whoever may write a lake may write any number into it. The second one is of a file
//! that is read in parts: its last bytes have the checksums of the rest.
//!
//! Invariant: what a name has a checksum of is not interpreted where its bytes have another one. Files of
//! older versions have none in their names.

use std::fmt;
use std::hash::Hasher;

use bytes::Bytes;
use twox_hash::XxHash3_64;

use crate::storage::error::StoreError;
use crate::storage::store::Store;

const DIGITS: usize = 16;

/// Returns the checksum of some bytes.
pub fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// Returns the checksum of the bytes of several parts, one after another.
pub fn checksum_of(parts: &[&[u8]]) -> u64 {
    let mut builder = ChecksumBuilder::default();
    parts.iter().for_each(|part| builder.push(part));
    builder.finish()
}

/// Makes the checksum of bytes that come in parts.
#[derive(Clone, Default)]
pub struct ChecksumBuilder(XxHash3_64);

impl ChecksumBuilder {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// Returns the checksum of all bytes so far.
    pub fn finish(&self) -> u64 {
        self.0.finish()
    }
}

impl fmt::Debug for ChecksumBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChecksumBuilder")
    }
}

/// The checksums in a file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedChecksums {
    /// Of all bytes.
    pub whole: u64,
    /// Of the last bytes, where the file can be read in parts.
    pub tail: Option<u64>,
}

impl NamedChecksums {
    /// Returns the checksums in a file's name; none where it is of an older version.
    pub fn of(path: &str) -> Option<NamedChecksums> {
        let name = path.rsplit('/').next()?.strip_suffix(".parquet")?;
        // A name of digits alone is of an older version: there is a unique part before the checksums.
        let parts: Vec<Option<u64>> = name.rsplit('-').map(parse).collect();
        match parts[..] {
            [Some(tail), Some(whole), _, ..] => Some(NamedChecksums { whole, tail: Some(tail) }),
            [Some(whole), _, ..] => Some(NamedChecksums { whole, tail: None }),
            _ => None,
        }
    }

    /// Returns the name of a file: its unique part, the checksums and the extension.
    pub fn name(self, unique: &str) -> String {
        match self.tail {
            Some(tail) => format!("{unique}-{:016x}-{tail:016x}.parquet", self.whole),
            None => format!("{unique}-{:016x}.parquet", self.whole),
        }
    }
}

fn parse(digits: &str) -> Option<u64> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_checksum = digits.len() == DIGITS && digits.bytes().all(is_digit);
    is_checksum.then(|| u64::from_str_radix(digits, 16).ok())?
}

impl Store {
    /// Returns the content of a file, if it is what its name says.
    ///
    /// # Errors
    /// As [`Store::get`]; [`StoreError::is_damaged`] returns whether the content is another one.
    pub fn get_checked(&self, path: &str) -> Result<Bytes, StoreError> {
        let bytes = self.get(path)?;
        match NamedChecksums::of(path) {
            Some(named) if named.whole != checksum(&bytes) => Err(self.damaged(path)),
            _ => Ok(bytes),
        }
    }

    /// Reads a file of some size part by part, and returns whether its name has a checksum, which then is that of
    /// its bytes.
    ///
    /// # Errors
    /// As [`Store::get_checked`].
    pub fn check_whole(&self, path: &str, size_bytes: u64) -> Result<bool, StoreError> {
        const PART_BYTES: u64 = 4 << 20;
        let Some(named) = NamedChecksums::of(path) else { return Ok(false) };
        let (mut builder, mut at) = (ChecksumBuilder::default(), 0);
        // Of an empty file there is no first byte to read.
        if size_bytes == 0 {
            return Err(self.damaged(path));
        }
        loop {
            // One byte more than there should be, so that a longer file is another one.
            let end = (at + PART_BYTES).min(size_bytes + 1);
            let part = self.get_range(path, at..end)?;
            builder.push(&part);
            at += part.len() as u64;
            if at >= size_bytes || at < end {
                break;
            }
        }
        if at == size_bytes && builder.finish() == named.whole { Ok(true) } else { Err(self.damaged(path)) }
    }

    /// Returns the error of a file whose bytes have another checksum than they should.
    pub fn damaged(&self, path: &str) -> StoreError {
        StoreError::damaged(self.location_of(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::temporary;

    #[test]
    fn checksums_are_read_from_a_name_as_they_were_written() {
        for tail in [None, Some(0), Some(u64::MAX)] {
            let named = NamedChecksums { whole: checksum(b"x"), tail };
            for unique in ["0198c0ffee00700080000000000000ab", "0198c0ffee00700080000000000000ab-00012"] {
                assert_eq!(NamedChecksums::of(&format!("a=b-c/{}", named.name(unique))), Some(named));
            }
        }
        for older in
            ["0198c0ffee00700080000000000000ab.parquet", "0198c0ffee00700080000000000000ab-00012.parquet"]
        {
            assert_eq!(NamedChecksums::of(older), None);
        }
        for other in ["f3073b568c0d43fe.parquet", "a-0123456789ABCDEF.parquet", "a-0123456789abcdef"] {
            assert_eq!(NamedChecksums::of(other), None);
        }
    }

    #[test]
    fn a_file_with_other_bytes_than_its_name_says_is_damaged() {
        let (store, _folder) = temporary();
        let path = NamedChecksums { whole: checksum(b"right"), tail: None }.name("a");
        store.put(&path, Bytes::from_static(b"right")).expect("it can be written");
        assert_eq!(store.get_checked(&path).expect("it is whole"), "right");
        assert!(store.check_whole(&path, 5).expect("it is whole"));
        for length in [0, 4, 6, 9] {
            assert!(store.check_whole(&path, length).is_err(), "{length}");
        }
        assert!(!store.check_whole("older.parquet", 5).expect("it is not read"));
        store.put(&path, Bytes::from_static(b"wrong")).expect("it can be written");
        for length in [0, 4, 5, 6] {
            assert!(store.check_whole(&path, length).is_err(), "{length}");
        }
        let error = store.get_checked(&path).expect_err("it is damaged");
        assert!(error.is_damaged() && error.to_string().contains(&path), "{error}");
    }
}
