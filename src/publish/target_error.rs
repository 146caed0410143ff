//! Why a text is no target, and what to write instead.

/// Why a text is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("is empty")]
    Empty,
    #[error(
        "is a URL of an unknown scheme; write redis://, rediss://, redis+unix://, http://, https:// or s3://, or the path of a folder"
    )]
    UnknownScheme,
    #[error("is not the URL of a Redis server: {0}; write redis://HOST:PORT/DATABASE")]
    BadRedis(String),
    #[error("is not the URL of an endpoint: {0}")]
    BadHttp(String),
    #[error("is not a bucket or a folder: {0}")]
    BadLocation(String),
}
