//! Where a lake is: a folder, or a bucket and a prefix in it, as they are written after `--lake`.
//!
//! Invariant: a text with the scheme of a URL is never taken for a folder.

use std::fmt;
use std::path::{Component, Path as FsPath, PathBuf};

use object_store::path::Path;

use crate::storage::error::StoreError;
use crate::storage::path::url_decoded;

/// What the URL of a bucket begins with.
const BUCKET_SCHEME: &str = "s3://";

/// Where a lake is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// An absolute path without `..`.
    Folder(PathBuf),
    Bucket(BucketName),
}

/// A bucket, and the prefix that all keys in it begin with, without a slash at either end; it may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketName {
    pub bucket: String,
    pub prefix: String,
}

impl Location {
    /// Reads `s3://bucket/prefix`, or the path of a folder, which need not exist.
    ///
    /// # Errors
    /// Fails where the URL is of another scheme or has no bucket, and where the path cannot be made absolute.
    pub fn parse(text: &FsPath) -> Result<Location, StoreError> {
        match text.to_str().and_then(scheme) {
            Some(_) => BucketName::parse(&text.to_string_lossy()).map(Location::Bucket),
            None => folder(text).map(Location::Folder),
        }
    }

    /// Returns whether a text is a URL, and not the path of a folder.
    pub fn is_url(text: &str) -> bool {
        scheme(text).is_some()
    }
}

impl BucketName {
    fn parse(text: &str) -> Result<BucketName, StoreError> {
        let Some(rest) = text.strip_prefix(BUCKET_SCHEME) else {
            return Err(StoreError::unknown_scheme(text));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if bucket.is_empty() || !bucket.bytes().all(is_name) {
            return Err(StoreError::bad_bucket(text));
        }
        // The Delta library decodes the URLs of listed files twice.
        if url_decoded(prefix) != prefix {
            return Err(StoreError::percent(text));
        }
        let is_key = Path::parse(prefix).is_ok_and(|parsed| parsed.as_ref() == prefix);
        let is_plain = !prefix.chars().any(|c| c.is_control() || "?#\\ ".contains(c));
        if !is_key || !is_plain {
            return Err(StoreError::bad_path(text));
        }
        Ok(BucketName { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// Returns the key of a path below the prefix.
    pub fn key(&self, path: &str) -> String {
        match (self.prefix.as_str(), path) {
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}/{path}"),
        }
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "{BUCKET_SCHEME}{}{slash}{}", self.bucket, self.prefix)
    }
}

/// Returns the scheme of a URL, such as `s3` of `s3://bucket`.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(is_part);
    is_scheme.then_some(scheme)
}

fn folder(path: &FsPath) -> Result<PathBuf, StoreError> {
    let failed = |e: std::io::Error| StoreError::io(path.display().to_string(), e);
    let folder = without_parents(&std::path::absolute(path).map_err(failed)?);
    // The Delta library decodes the URLs of listed files twice.
    let text = folder.to_string_lossy();
    if url_decoded(&text) != text {
        return Err(StoreError::percent(&text));
    }
    Ok(folder)
}

/// Returns a path without `..`, which the libraries' own paths cannot hold; links before it are
/// resolved.
fn without_parents(path: &FsPath) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            resolved = resolved.canonicalize().unwrap_or(resolved);
            resolved.pop();
        } else {
            resolved.push(component);
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_name_and_a_prefix() {
        let check = |text: &str, bucket: &str, prefix: &str, shown: &str| {
            let Ok(Location::Bucket(name)) = Location::parse(text.as_ref()) else { panic!("{text}") };
            assert_eq!((name.bucket.as_str(), name.prefix.as_str()), (bucket, prefix), "{text}");
            assert_eq!(name.to_string(), shown, "{text}");
        };
        check("s3://shop", "shop", "", "s3://shop");
        check("s3://shop/", "shop", "", "s3://shop");
        check("s3://shop/lakes/one/", "shop", "lakes/one", "s3://shop/lakes/one");
        let Ok(Location::Bucket(name)) = Location::parse("s3://shop/a".as_ref()) else { panic!("it is one") };
        assert_eq!([name.key(""), name.key("b/c")], ["a", "a/b/c"]);
    }

    #[test]
    fn what_looks_like_a_url_is_no_folder() {
        for (text, expected) in [
            ("gs://shop/lake", "unknown scheme"),
            ("foo://shop", "unknown scheme"),
            ("S3://shop/lake", "unknown scheme"),
            ("s3:///lake", "name of a bucket"),
            ("s3://a b/lake", "name of a bucket"),
            ("s3://shop/a//b", "not a valid path"),
            ("s3://shop/../b", "not a valid path"),
            ("s3://shop/a b", "not a valid path"),
            ("s3://shop/a%20b", "URL escape"),
        ] {
            let error = Location::parse(text.as_ref()).expect_err(text).to_string();
            assert!(error.contains(expected) && error.contains(text), "{error}");
        }
        for text in ["s3:/shop", "data/lake", "1://a", "a/b://c"] {
            assert!(matches!(Location::parse(text.as_ref()), Ok(Location::Folder(_))), "{text}");
        }
    }
}
