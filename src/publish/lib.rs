//! Hands the published ranking to stores that web servers read: Redis, static files for a CDN, HTTP endpoints.
//!
//! Each target gets the same: a value for each category, named by the hash of its bytes, so that only what has changed
//! since what the target holds is written, and an index that says which value each category has. The index is switched
//! atomically and last.
//!
//! Invariant: whoever reads the index finds every value that it names; an older ranking replaces no newer one unless
//! that was asked for; passwords and tokens are in no text that this crate returns.

mod category_value;
mod difference;
mod error;
mod http_delta;
mod http_endpoint;
mod http_retry;
mod outcome;
mod redis_connection;
mod redis_index;
mod redis_target;
mod static_files;
mod static_index;
mod target;
mod target_error;

pub use category_value::{CategoryValue, Encoding, RankingValues};
pub use error::PublishError;
pub use http_endpoint::{HttpEndpoint, HttpOptions};
pub use outcome::{DryRun, Outcome};
pub use redis_connection::RedisAddress;
pub use redis_target::{RedisOptions, publish_to_redis};
pub use static_files::{StaticOptions, publish_to_files};
pub use target::Target;
pub use target_error::TargetError;
