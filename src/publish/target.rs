//! Where a ranking is published: what was typed after `topsell publish`, checked.
//!
//! Invariant: a target is printed without its password and without the values of its query.

use std::fmt;
use std::path::{Path, PathBuf};

use topsell_core::storage::Location;

use crate::http_endpoint::HttpEndpoint;
use crate::redis_connection::RedisAddress;
use crate::target_error::TargetError;

/// Where a ranking is published.
#[derive(Clone, Debug)]
pub enum Target {
    Redis(RedisAddress),
    /// A folder, or a prefix in a bucket.
    Files(PathBuf),
    Http(HttpEndpoint),
}

impl Target {
    /// Parses a URL, or the path of a folder.
    ///
    /// # Errors
    /// Says what to write instead.
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        if text.is_empty() {
            return Err(TargetError::Empty);
        }
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("redis" | "rediss" | "redis+unix") => RedisAddress::parse(text).map(Target::Redis),
            Some("http" | "https") => HttpEndpoint::parse(text).map(Target::Http),
            None | Some("s3") => match Location::parse(Path::new(text)) {
                Ok(_) => Ok(Target::Files(text.into())),
                Err(error) => Err(TargetError::BadLocation(error.to_string())),
            },
            Some(_) if Location::is_url(text) => Err(TargetError::UnknownScheme),
            Some(_) => Ok(Target::Files(text.into())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Redis(address) => address.fmt(f),
            Target::Files(path) => path.display().fmt(f),
            Target::Http(endpoint) => endpoint.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_told_by_its_scheme_and_printed_without_secrets() {
        for (text, shown) in [
            ("redis://127.0.0.1:6379/2", "redis://127.0.0.1:6379/2"),
            ("redis://shop:s3cret@cache/0", "redis://shop:***@cache/0"),
            ("rediss://:s3cret@cache:6380", "rediss://:***@cache:6380"),
            ("redis+unix:///run/redis.sock?db=1&pass=s3cret", "redis+unix:///run/redis.sock?***"),
            ("https://u:s3cret@host/hook?key=s3cret", "https://u:***@host/hook?***"),
            ("http://host:8080/hook", "http://host:8080/hook"),
            ("s3://bucket/best", "s3://bucket/best"),
            ("site/best", "site/best"),
        ] {
            let target = Target::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(target.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_target_is_refused_with_what_to_write() {
        for text in ["", "ftp://host/x", "redis://", "redis://host/x", "http://", "s3://", "redis://0.0.0.0/"]
        {
            let refused = Target::parse(text).map(|target| target.to_string());
            assert!(refused.is_err(), "{text}: {refused:?}");
        }
    }
}
